//! A table of the page. Each cell repeats its heading as an attribute: on a narrow screen a row becomes a list of them, so
//! that no column is outside of the screen.

use super::escape::{breakable, prose, text};
use crate::report::section::{CellKind, Column, Line, Shown, Table};
use crate::report::tone::Tone;

/// Draws a table. `caption` is its name for those who do not see the heading above it.
pub fn draw(caption: &str, table: &Table) -> String {
    let bars = table.lines.iter().any(|l| l.share.is_some());
    let mut out = format!("<table>\n<caption>{}</caption>\n<thead><tr>", text(caption));
    for column in &table.columns {
        out.push_str(&format!("<th scope=\"col\" class=\"{}\">{}</th>", class(*column), column.head));
        if bars && column.kind == CellKind::Number {
            out.push_str("<td class=\"bar\"></td>");
        }
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    let mut before: Option<&Line> = None;
    for line in &table.lines {
        row(&mut out, table, line, Surroundings { before, bars });
        before = Some(line);
    }
    out.push_str("</tbody>\n</table>\n");
    out
}

/// The parts of a table that a row needs.
#[derive(Clone, Copy)]
struct Surroundings<'a> {
    before: Option<&'a Line>,
    /// True if each number is followed by a bar.
    bars: bool,
}

fn class(column: Column) -> &'static str {
    match column.kind {
        CellKind::Name => "name",
        CellKind::Number => "number",
        CellKind::Word => "word",
        CellKind::Text => "text",
    }
}

fn row(out: &mut String, table: &Table, line: &Line, around: Surroundings<'_>) {
    out.push_str(if line.sum { "<tr class=\"sum\">" } else { "<tr>" });
    for (at, (cell, column)) in line.cells.iter().zip(&table.columns).enumerate() {
        // A first cell that repeats the one above it is dimmed. Search and screen readers need it.
        let again = at == 0 && !line.sum && around.before.and_then(|b| b.cells.first()) == Some(cell);
        let words = match column.kind {
            CellKind::Name => breakable(&cell.text),
            CellKind::Text => prose(&cell.text),
            CellKind::Number | CellKind::Word => text(&cell.text),
        };
        let class = cell_class(cell, *column, again);
        match at {
            0 => out.push_str(&format!("<th scope=\"row\" class=\"{class}\">{words}</th>")),
            _ => out.push_str(&format!("<td class=\"{class}\" data-head=\"{}\">{words}</td>", column.head)),
        }
        if around.bars && column.kind == CellKind::Number {
            out.push_str(&format!("<td class=\"bar\">{}</td>", line.share.map(bar).unwrap_or_default()));
        }
    }
    out.push_str("</tr>\n");
    if let Some(note) = &line.note {
        let across = table.columns.len() + usize::from(around.bars);
        out.push_str(&format!("<tr class=\"note\"><td colspan=\"{across}\">{}</td></tr>\n", prose(note)));
    }
}

fn cell_class(cell: &Shown, column: Column, again: bool) -> String {
    let mut class = class(column).to_owned();
    if again {
        class.push_str(" again");
    }
    if cell.text.is_empty() {
        class.push_str(" empty");
    }
    match cell.tone {
        Tone::Plain => {}
        Tone::Good => class.push_str(" good"),
        Tone::Warn => class.push_str(" warn"),
        Tone::Bad => class.push_str(" bad"),
    }
    class
}

/// A bar for a share of the column. The number is next to it, so screen readers skip the bar.
fn bar(share: f64) -> String {
    // A small share stays visible, because a few rows are not zero rows.
    let wide = if share > 0.0 { (share * 100.0).clamp(0.8, 100.0) } else { 0.0 };
    format!(
        "<svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect width=\"{wide:.1}\" height=\"10\"/></svg>"
    )
}
