//! The report for a change ticket: GitHub-flavoured Markdown, the verdict first, no HTML in it.
//!
//! Names stand in code spans; all other text is escaped, since it may come from a database.

use super::action_items::{NO_ITEM, items, title_of_items};
use super::headline::headline;
use super::next::next;
use super::section::{Body, CellKind, Line, Section, Shown, Table};
use super::sections;
use super::summary::{owner_words, title, worst};
use crate::model::record::Report;
use crate::text::{grouped, printable};

/// The reports as one document.
pub fn render(reports: &[Report]) -> String {
    let mut out = String::new();
    if reports.len() > 1 {
        together(&mut out, reports);
    }
    for report in reports {
        if !out.is_empty() {
            out.push_str("\n---\n\n");
        }
        one(&mut out, report);
    }
    out
}

fn one(out: &mut String, report: &Report) {
    let headline = headline(report);
    let title = format!("{} of {}", title(report), report.mapping);
    out.push_str(&format!("# {}: {}\n\n", escaped(&title), escaped(&headline.label)));
    out.push_str(&format!("{}\n", escaped(&headline.sentence)));
    for plain in [sections::lost(report), sections::unchecked(report)].into_iter().flatten() {
        section(out, &plain);
    }
    out.push('\n');
    facts(out, report);
    decide(out, report);
    for piece in sections::document(report) {
        section(out, &piece);
    }
    let next = next(report);
    out.push_str(&format!("\n## Next\n\n{}\n\n", escaped(next.words)));
    // A path cannot end the block: an indented block ends only at a line that is not indented.
    out.push_str(&format!("    {}\n", printable(&next.command())));
}

fn facts(out: &mut String, report: &Report) {
    let mut fact = |name: &str, value: String| out.push_str(&format!("- {name}: {value}\n"));
    fact("Exit", format!("{} ({})", report.exit.code, escaped(&report.exit.name)));
    if !report.source.path.is_empty() {
        let size = format!("{}, {} bytes", code(&report.source.path), grouped(report.source.bytes));
        let stamp = &report.source.stamp;
        fact("Source", if stamp.is_empty() { size } else { format!("{size}, recognised by {}", code(stamp)) });
    }
    if let Some(target) = &report.target {
        fact("Target", code(target));
    }
    if let Some(run) = &report.run {
        fact("Run", code(run));
    }
    if let Some(owner) = owner_words(report) {
        fact("Owner", escaped(&owner));
    }
}

fn decide(out: &mut String, report: &Report) {
    let items = items(report);
    if let Some(title) = title_of_items(report) {
        out.push_str(&format!("\n## {title}\n\n"));
        if items.is_empty() {
            out.push_str(&format!("{NO_ITEM}\n"));
        }
    }
    for point in items {
        out.push_str(&format!("- {}\n", escaped(&point.text)));
    }
}

fn section(out: &mut String, section: &Section) {
    out.push_str(&format!("\n## {}\n", escaped(&section.title)));
    if let Some(lead) = &section.lead {
        out.push_str(&format!("\n{}\n", escaped(lead)));
    }
    match &section.body {
        Body::Nothing => {}
        Body::Table(drawn) => table(out, drawn),
        Body::Items(items) => {
            out.push('\n');
            for item in items {
                out.push_str(&format!("- {}: {}\n", code(&item.place), escaped(&item.says())));
            }
        }
    }
    if let Some(tail) = &section.tail {
        out.push_str(&format!("\n{}\n", escaped(tail)));
    }
}

/// The notes of lines are in a last column. The column is missing if no line has a note.
fn table(out: &mut String, table: &Table) {
    let remarks = table.lines.iter().any(|l| l.note.is_some());
    let mut heads: Vec<&str> = table.columns.iter().map(|c| c.head).collect();
    let mut rules: Vec<&str> =
        table.columns.iter().map(|c| if c.kind == CellKind::Number { "---:" } else { "---" }).collect();
    if remarks {
        heads.push("remark");
        rules.push("---");
    }
    out.push_str(&format!("\n| {} |\n| {} |\n", heads.join(" | "), rules.join(" | ")));
    for line in &table.lines {
        out.push_str(&format!("| {} |\n", cells(table, line, remarks).join(" | ")));
    }
}

fn cells(table: &Table, line: &Line, remarks: bool) -> Vec<String> {
    let shown = |(cell, kind): (&Shown, CellKind)| match (kind, cell.text.as_str()) {
        (_, "") => String::new(),
        (_, text) if line.sum => format!("**{}**", escaped(text)),
        (CellKind::Name, text) => cell_name(text),
        (_, text) => escaped(text),
    };
    let kinds = table.columns.iter().map(|c| c.kind);
    let mut cells: Vec<String> = line.cells.iter().zip(kinds).map(shown).collect();
    if remarks {
        cells.push(line.note.as_deref().map(escaped).unwrap_or_default());
    }
    cells
}

/// A code span for any text.
fn code(text: &str) -> String {
    let text = printable(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if longest > 0 || text.trim() != text { format!("{fence} {text} {fence}") } else { format!("{fence}{text}{fence}") }
}

/// A name inside a table. With a bar it is no code span, because dialects of Markdown disagree about bars in code spans.
fn cell_name(text: &str) -> String {
    if text.contains('|') { escaped(text) } else { code(text) }
}

/// The text with the characters escaped that Markdown would interpret. A character without a meaning at its place is not
/// escaped: an underscore within a word, an ampersand that begins no entity.
fn escaped(text: &str) -> String {
    let text = printable(text);
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let next = rest.peek().copied().unwrap_or(' ');
        let means = match c {
            '_' => !(before.is_alphanumeric() && next.is_alphanumeric()),
            '&' => next.is_alphanumeric() || next == '#',
            _ => "\\`*[]<>#|~".contains(c),
        };
        if means {
            out.push('\\');
        }
        out.push(c);
        before = c;
    }
    out
}

fn together(out: &mut String, reports: &[Report]) {
    let label = worst(reports).map(|r| headline(r).label).unwrap_or_default();
    out.push_str(&format!("# {} mappings: {}\n\n", reports.len(), escaped(&label)));
    out.push_str("| mapping | verdict | exit |\n| --- | --- | --- |\n");
    for report in reports {
        let label = escaped(&headline(report).label);
        let exit = format!("{} ({})", report.exit.code, escaped(&report.exit.name));
        out.push_str(&format!("| {} | {label} | {exit} |\n", cell_name(&report.mapping)));
    }
}
