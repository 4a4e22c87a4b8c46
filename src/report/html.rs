//! The report for the people who sign: one HTML file that needs nothing else, the verdict first.
//!
//! The page loads no script, font or address. It is made for paper, dark screens and small screens. [`text`] escapes
//! everything that comes from the record.

use super::action_items::{NO_ITEM, items, next, title_of_items};
use super::headline::{Headline, headline};
use super::section::{Body, CellKind, Column, Line, Section, Shown, Table};
use super::sections;
use super::summary::{Proof, Totals, ended, owner_words, title, worst};
use super::tone::Tone;
use crate::exit::Exit;
use crate::model::record::{Activity, Report};
use crate::text::{count, grouped, printable, seconds};

/// The style sheet.
const STYLE: &str = include_str!("html.css");

/// Forbids a browser to fetch or run anything, in case a name from a database is ever not escaped.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The reports as one file.
pub fn render(reports: &[Report]) -> String {
    let title = match reports {
        [one] => format!("{} of {}: {}", title(one.activity()), one.mapping, headline(one).label),
        several => format!("{} mappings", several.len()),
    };
    let mut out = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    out.push_str(&format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n"));
    out.push_str(&format!("<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n", text(&title)));
    if reports.len() > 1 {
        together(&mut out, reports);
    }
    for (at, report) in reports.iter().enumerate() {
        // Names of sections must be unique in the file.
        let prefix = if reports.len() > 1 { format!("r{}-", at + 1) } else { String::new() };
        one(&mut out, report, &prefix);
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn one(out: &mut String, report: &Report, prefix: &str) {
    out.push_str("<article>\n");
    let job = format!("{} of <b>{}</b>", title(report.activity()), text(&report.mapping));
    verdict(out, &job, &headline(report));
    tiles(out, report);
    facts(out, report);
    decide(out, report, prefix);
    for piece in sections::document(report) {
        section(out, &piece, prefix);
    }
    repeat(out, report);
    sign(out, report);
    let exit = format!("Exit code {} ({})", report.exit.code, text(&report.exit.name));
    out.push_str(&format!("<footer>{exit}. This page loads nothing and can be kept as it is.</footer>\n</article>\n"));
}

fn verdict(out: &mut String, job: &str, headline: &Headline) {
    let (class, mark) = tone(headline.tone);
    out.push_str(&format!("<header class=\"verdict {class}\">\n<p class=\"job\">{job}</p>\n"));
    out.push_str(&format!("<h1><span aria-hidden=\"true\">{mark}</span> {}</h1>\n", text(&headline.label)));
    out.push_str(&format!("<p class=\"sentence\">{}</p>\n</header>\n", text(&headline.sentence)));
}

/// A tone's class, and a sign that says the same on a print without colour.
fn tone(tone: Tone) -> (&'static str, &'static str) {
    match tone {
        Tone::Good => ("good", "✓"),
        Tone::Warn => ("warn", "!"),
        Tone::Bad => ("bad", "✕"),
        Tone::Plain => ("plain", "·"),
    }
}

/// The most important numbers.
fn tiles(out: &mut String, report: &Report) {
    if sections::only_refusals(report) || report.loads.is_empty() {
        return;
    }
    let sums = Totals::of(report);
    let proof = Proof::of(report);
    let checks = proof.same + proof.differs + proof.not_checked;
    let faults = match ended(report) {
        Exit::Done | Exit::Quarantined | Exit::Differs => "rows quarantined",
        _ => "faulty rows",
    };
    let mut tiles = vec![(grouped(sums.read), "rows read")];
    match report.activity() {
        Activity::DryRun => {}
        Activity::Verification => tiles.push((grouped(sums.written), "rows compared in the target")),
        _ => tiles.push((grouped(sums.written), "rows in the target")),
    }
    tiles.push((grouped(sums.faults), faults));
    if checks > 0 {
        tiles.push((format!("{} of {}", grouped(proof.same), grouped(checks)), "checks say Same"));
    }
    let took: f64 = report.steps.iter().map(|s| s.seconds).filter(|s| s.is_finite()).sum();
    if took > 0.0 {
        tiles.push((format!("{} s", seconds(took)), "taken"));
    }
    out.push_str("<ul class=\"tiles\">\n");
    for (number, name) in tiles {
        out.push_str(&format!("<li><b>{number}</b><span>{name}</span></li>\n"));
    }
    out.push_str("</ul>\n");
}

fn facts(out: &mut String, report: &Report) {
    out.push_str("<dl>\n");
    let mut fact = |name: &str, value: String| out.push_str(&format!("<dt>{name}</dt><dd>{value}</dd>\n"));
    if !report.source.path.is_empty() {
        let stamp = match report.source.stamp.as_str() {
            "" => String::new(),
            stamp => format!("<br><span class=\"soft\">recognised by {}</span>", name(stamp)),
        };
        fact(
            "Source",
            format!("{}, {}{stamp}", name(&report.source.path), count(report.source.bytes, "byte", "bytes")),
        );
    }
    if let Some(target) = &report.target {
        fact("Target", name(target));
    }
    if let Some(run) = &report.run {
        fact("Run", name(run));
    }
    if let Some(owner) = owner_words(report) {
        fact("Owner", text(&owner));
    }
    out.push_str("</dl>\n");
}

fn decide(out: &mut String, report: &Report, prefix: &str) {
    let Some(title) = title_of_items(report) else { return };
    out.push_str(&format!("<section>\n<h2>{title}</h2>\n"));
    let items = items(report);
    if items.is_empty() {
        out.push_str(&format!("<p>{NO_ITEM}</p>\n"));
    }
    out.push_str("<ul class=\"points\">\n");
    for point in items {
        let (class, mark) = tone(point.tone);
        let mark = format!("<span class=\"mark\" aria-hidden=\"true\">{mark}</span>");
        let link = format!("<a href=\"#{prefix}{}\">see</a>", point.section);
        out.push_str(&format!("<li class=\"{class}\">{mark}<span>{}</span>{link}</li>\n", text(&point.text)));
    }
    out.push_str("</ul>\n</section>\n");
}

fn section(out: &mut String, section: &Section, prefix: &str) {
    out.push_str(&format!("<section id=\"{prefix}{}\">\n<h2>{}</h2>\n", section.id, text(&section.title)));
    if let Some(lead) = &section.lead {
        out.push_str(&format!("<p>{}</p>\n", prose(lead)));
    }
    match &section.body {
        Body::Nothing => {}
        Body::Table(drawn) => table(out, drawn),
        Body::Items(items) => {
            let class = if section.id == "refusals" { "items bad" } else { "items" };
            out.push_str(&format!("<ul class=\"{class}\">\n"));
            for item in items {
                out.push_str(&format!("<li>{} {}</li>\n", name(&item.place), prose(&item.says())));
            }
            out.push_str("</ul>\n");
        }
    }
    if let Some(tail) = &section.tail {
        out.push_str(&format!("<p class=\"soft\">{}</p>\n", prose(tail)));
    }
    out.push_str("</section>\n");
}

fn table(out: &mut String, table: &Table) {
    let bars = table.lines.iter().any(|l| l.share.is_some());
    out.push_str("<div class=\"scroll\"><table>\n<thead><tr>");
    for column in &table.columns {
        out.push_str(&format!("<th scope=\"col\" class=\"{}\">{}</th>", class(*column), column.head));
        if bars && column.kind == CellKind::Number {
            out.push_str("<th class=\"bar\"></th>");
        }
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    let mut before: Option<&Line> = None;
    for line in &table.lines {
        row(out, table, line, before, bars);
        before = Some(line);
    }
    out.push_str("</tbody>\n</table></div>\n");
}

fn class(column: Column) -> &'static str {
    match column.kind {
        CellKind::Name => "name",
        CellKind::Number => "number",
        CellKind::Word => "word",
        CellKind::Text => "text",
    }
}

fn row(out: &mut String, table: &Table, line: &Line, before: Option<&Line>, bars: bool) {
    out.push_str(if line.sum { "<tr class=\"sum\">" } else { "<tr>" });
    for (at, (cell, column)) in line.cells.iter().zip(&table.columns).enumerate() {
        // A first cell that repeats the one above it is dimmed. Search and screen readers need it.
        let again = at == 0 && !line.sum && before.and_then(|b| b.cells.first()) == Some(cell);
        let words = match column.kind {
            CellKind::Name => breakable(&cell.text),
            CellKind::Text => prose(&cell.text),
            CellKind::Number | CellKind::Word => text(&cell.text),
        };
        out.push_str(&format!("<td class=\"{}\">{words}</td>", cell_class(cell, *column, again)));
        if bars && column.kind == CellKind::Number {
            out.push_str(&format!("<td class=\"bar\">{}</td>", line.share.map(bar).unwrap_or_default()));
        }
    }
    out.push_str("</tr>\n");
    if let Some(note) = &line.note {
        let across = table.columns.len() + usize::from(bars);
        out.push_str(&format!("<tr class=\"note\"><td colspan=\"{across}\">{}</td></tr>\n", prose(note)));
    }
}

fn cell_class(cell: &Shown, column: Column, again: bool) -> String {
    let mut class = class(column).to_owned();
    if again {
        class.push_str(" again");
    }
    if cell.tone != Tone::Plain {
        class.push(' ');
        class.push_str(tone(cell.tone).0);
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

fn repeat(out: &mut String, report: &Report) {
    let next = next(report);
    out.push_str(&format!("<section class=\"next\">\n<h2>{}</h2>\n<p>{}</p>\n", next.title, text(&next.words)));
    out.push_str(&format!("<pre><code>{}</code></pre>\n</section>\n", text(&next.command)));
}

/// Room for a signature, only under a report that may be signed.
fn sign(out: &mut String, report: &Report) {
    let whole = matches!(ended(report), Exit::Done | Exit::Quarantined);
    if whole && matches!(report.activity(), Activity::Cutover | Activity::Verification) {
        out.push_str(
            "<section>\n<h2>Signature</h2>\n<p>I have read this report; the application may work on the target.</p>\n",
        );
        out.push_str("<div class=\"sign\"><div>Name</div><div>Date</div><div>Signature</div></div>\n</section>\n");
    }
}

fn together(out: &mut String, reports: &[Report]) {
    let Some(worst) = worst(reports) else { return };
    out.push_str("<article>\n");
    let words = "The table below names each mapping; its report follows.".to_owned();
    let all = Headline {
        tone: headline(worst).tone,
        label: format!("{}, all together", headline(worst).label),
        sentence: words,
    };
    verdict(out, &count(reports.len() as u64, "mapping", "mappings"), &all);
    out.push_str("<div class=\"scroll\"><table>\n<thead><tr><th>mapping</th><th>verdict</th><th>exit</th></tr></thead>\n<tbody>\n");
    for report in reports {
        let headline = headline(report);
        let exit = format!("{} ({})", report.exit.code, text(&report.exit.name));
        let (class, _) = tone(headline.tone);
        let label = text(&headline.label);
        out.push_str(&format!(
            "<tr><td>{}</td><td class=\"{class}\">{label}</td><td>{exit}</td></tr>\n",
            name(&report.mapping)
        ));
    }
    out.push_str("</tbody>\n</table></div>\n</article>\n");
}

/// A name. It may be broken after a dot or an underscore.
fn name(of: &str) -> String {
    format!("<span class=\"name\">{}</span>", breakable(of))
}

fn breakable(of: &str) -> String {
    text(of).replace('_', "_<wbr>").replace('.', ".<wbr>")
}

/// Sentences with names between backticks.
fn prose(of: &str) -> String {
    let escaped = text(of);
    if escaped.matches('`').count() % 2 == 1 {
        return escaped;
    }
    let pieces = escaped.split('`').enumerate();
    pieces.map(|(at, piece)| if at % 2 == 1 { format!("<code>{piece}</code>") } else { piece.to_owned() }).collect()
}

/// Escapes text of a record for the page, in elements and in attributes.
fn text(of: &str) -> String {
    let of = printable(of);
    let mut out = String::with_capacity(of.len());
    for c in of.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
