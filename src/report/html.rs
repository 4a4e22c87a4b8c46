//! The report for the people who sign: one HTML file that needs nothing else.
//!
//! It opens with the verdict, with what was lost by permission, and with what was not checked. The page loads no script,
//! font or address. It is made for paper, dark screens and small screens. [`escape`] escapes everything that comes from
//! the record.

mod escape;
mod table;
mod timeline;

use super::action_items::{NO_ITEM, items, title_of_items};
use super::headline::{Headline, headline};
use super::next::next;
use super::section::{Body, CellKind, Column, Line, Section, Shown, Table};
use super::sections;
use super::summary::{Proof, Totals, ended, owner_words, title, worst};
use super::tone::Tone;
use crate::exit::Exit;
use crate::model::record::{Activity, Report};
use crate::text::{count, grouped, seconds};

use escape::{name, prose, text};

/// The style sheet.
const STYLE: &str = include_str!("html.css");

/// Forbids a browser to fetch or run anything, in case a name from a database is ever not escaped.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The reports as one file.
pub fn render(reports: &[Report]) -> String {
    let title = match reports {
        [one] => format!("{} of {}: {}", title(one), one.mapping, headline(one).label),
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
        // Names of sections must be unique in the file, and only one heading is the file's own.
        let several = reports.len() > 1;
        let prefix = if several { format!("r{}-", at + 1) } else { String::new() };
        Article { out: &mut out, report, prefix, top: if several { 2 } else { 1 } }.draw();
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

/// The part of the file about one report.
struct Article<'a> {
    out: &'a mut String,
    report: &'a Report,
    /// In front of the name of each section.
    prefix: String,
    /// The level of its first heading.
    top: u8,
}

impl Article<'_> {
    fn draw(&mut self) {
        let report = self.report;
        self.out.push_str("<article>\n");
        let job = format!("{} of <b>{}</b>", title(report), text(&report.mapping));
        verdict(self.out, &job, &headline(report), self.top);
        for plain in [sections::lost(report), sections::unchecked(report)].into_iter().flatten() {
            self.section(&plain);
        }
        tiles(self.out, report);
        facts(self.out, report);
        let pieces = sections::document(report);
        self.decide(&pieces);
        let timeline = timeline::draw(report);
        if let Some(timeline) = &timeline {
            self.heading("steps", "Timeline");
            self.out.push_str(&format!("{timeline}</section>\n"));
        }
        for piece in pieces.iter().filter(|piece| piece.id != "steps" || timeline.is_none()) {
            self.section(piece);
        }
        self.next();
        self.sign();
        let exit = format!("Exit code {} ({})", report.exit.code, text(&report.exit.name));
        self.out.push_str(&format!(
            "<footer>{exit}. This page loads nothing and can be kept as it is.</footer>\n</article>\n"
        ));
    }

    /// Opens a section. `id` is empty for one that nothing links to.
    fn heading(&mut self, id: &str, title: &str) {
        let id = if id.is_empty() { String::new() } else { format!(" id=\"{}{id}\"", self.prefix) };
        let level = self.top + 1;
        self.out.push_str(&format!("<section{id}>\n<h{level}>{}</h{level}>\n", text(title)));
    }

    /// The items to decide on, each with a link to the section that shows it.
    fn decide(&mut self, pieces: &[Section]) {
        let Some(title) = title_of_items(self.report) else { return };
        self.heading("", title);
        let items = items(self.report);
        if items.is_empty() {
            self.out.push_str(&format!("<p>{NO_ITEM}</p>\n</section>\n"));
            return;
        }
        self.out.push_str("<ul class=\"points\">\n");
        for point in items {
            let (class, mark) = tone(point.tone);
            let mark = format!("<span class=\"mark\" aria-hidden=\"true\">{mark}</span>");
            let shown = pieces.iter().find(|piece| piece.id == point.section);
            let link = shown.map_or_else(String::new, |piece| {
                format!("<a href=\"#{}{}\">{}</a>", self.prefix, piece.id, text(&piece.title))
            });
            self.out.push_str(&format!("<li class=\"{class}\">{mark}<span>{}</span>{link}</li>\n", text(&point.text)));
        }
        self.out.push_str("</ul>\n</section>\n");
    }

    fn section(&mut self, section: &Section) {
        self.heading(section.id, &section.title);
        if let Some(lead) = &section.lead {
            self.out.push_str(&format!("<p>{}</p>\n", prose(lead)));
        }
        match &section.body {
            Body::Nothing => {}
            Body::Table(drawn) => self.out.push_str(&table::draw(&section.title, drawn)),
            Body::Items(items) => {
                let class = if section.id == "refusals" { "items bad" } else { "items" };
                self.out.push_str(&format!("<ul class=\"{class}\">\n"));
                for item in items {
                    self.out.push_str(&format!("<li>{} {}</li>\n", name(&item.place), prose(&item.says())));
                }
                self.out.push_str("</ul>\n");
            }
        }
        if let Some(tail) = &section.tail {
            self.out.push_str(&format!("<p class=\"soft\">{}</p>\n", prose(tail)));
        }
        self.out.push_str("</section>\n");
    }

    fn next(&mut self) {
        let next = next(self.report);
        self.heading("", "Next");
        self.out.push_str(&format!("<p>{}</p>\n<pre><code>{}</code></pre>\n", text(next.words), text(&next.command())));
        self.out.push_str("</section>\n");
    }

    /// Room for a signature, only under a report that may be signed.
    fn sign(&mut self) {
        let whole = matches!(ended(self.report), Exit::Done | Exit::Quarantined);
        if whole && matches!(self.report.activity(), Activity::Cutover | Activity::Verification) {
            self.heading("", "Signature");
            self.out.push_str("<p>I have read this report; the application may work on the target.</p>\n");
            self.out
                .push_str("<div class=\"sign\"><div>Name</div><div>Date</div><div>Signature</div></div>\n</section>\n");
        }
    }
}

fn verdict(out: &mut String, job: &str, headline: &Headline, level: u8) {
    let (class, mark) = tone(headline.tone);
    out.push_str(&format!("<header class=\"verdict {class}\">\n<p class=\"job\">{job}</p>\n"));
    out.push_str(&format!("<h{level}><span aria-hidden=\"true\">{mark}</span> {}</h{level}>\n", text(&headline.label)));
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
    match &report.fleet {
        Some(fleet) => {
            let loaded = if report.dry_run { "files can be loaded" } else { "files loaded" };
            tiles.push((format!("{} of {}", grouped(fleet.done), grouped(fleet.files)), loaded));
            tiles.push((grouped(fleet.not_loaded()), "files not loaded"));
        }
        None => tiles.push((grouped(sums.faults), faults)),
    }
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
    let mut facts = Vec::new();
    if !report.source.path.is_empty() {
        let stamp = match report.source.stamp.as_str() {
            "" => String::new(),
            stamp => format!("<br><span class=\"soft\">recognised by {}</span>", name(stamp)),
        };
        let bytes = count(report.source.bytes, "byte", "bytes");
        facts.push(("Source", format!("{}, {bytes}{stamp}", name(&report.source.path))));
    }
    facts.extend(report.target.as_ref().map(|target| ("Target", name(target))));
    facts.extend(report.run.as_ref().map(|run| ("Run", name(run))));
    facts.extend(owner_words(report).map(|owner| ("Owner", text(&owner))));
    // A list without entries is no list.
    if facts.is_empty() {
        return;
    }
    out.push_str("<dl>\n");
    for (name, value) in facts {
        out.push_str(&format!("<dt>{name}</dt><dd>{value}</dd>\n"));
    }
    out.push_str("</dl>\n");
}

/// The first article of a command over several mappings: the worst verdict, and a line for each.
fn together(out: &mut String, reports: &[Report]) {
    let Some(worst) = worst(reports) else { return };
    out.push_str("<article>\n");
    let words = "The table below names each mapping; its report follows.".to_owned();
    let all = Headline {
        tone: headline(worst).tone,
        label: format!("{}, all together", headline(worst).label),
        sentence: words,
    };
    verdict(out, &count(reports.len() as u64, "mapping", "mappings"), &all, 1);
    let columns = [("mapping", CellKind::Name), ("verdict", CellKind::Text), ("exit", CellKind::Word)];
    let line = |report: &Report| {
        let headline = headline(report);
        let exit = format!("{} ({})", report.exit.code, report.exit.name);
        Line::of([report.mapping.as_str().into(), Shown::from(headline.label).toned(headline.tone), exit.into()])
    };
    let lines = reports.iter().map(line).collect();
    let columns = columns.map(|(head, kind)| Column { head, kind }).into();
    out.push_str(&table::draw("Verdicts", &Table { columns, lines }));
    out.push_str("</article>\n");
}
