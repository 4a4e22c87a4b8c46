//! The report on a terminal. It ends with the refusals, and with the verdict and the exit code as the last line.
//!
//! It is readable without colour. [`Style`] has the abilities of the terminal.

use super::headline::headline;
use super::section::{BRIEF, Body, Item, Section};
use super::sections;
use super::summary::{self, ended, title};
use super::table::{Paint, draw};
use super::tone::Tone;
use crate::exit::Exit;
use crate::model::record::Report;
use crate::text::{count, grouped, printable, sentence, shortened, width, wrapped};

/// The abilities of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// True if colour may be used.
    pub colour: bool,
    /// Columns.
    pub width: usize,
}

/// Columns of the widest line. Wider lines are hard to read.
const WIDEST: usize = 100;
/// Columns of the narrowest layout. A narrower terminal breaks the lines itself.
const NARROWEST: usize = 40;

/// The reports of a command as text, each line within the style's width.
pub fn render(reports: &[Report], style: Style) -> String {
    let most = style.width.clamp(NARROWEST, WIDEST);
    let paint = Paint(style.colour);
    let mut lines = Vec::new();
    for report in reports {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        one(report, most, paint, &mut lines);
    }
    if reports.len() > 1 {
        lines.push(String::new());
        lines.extend(together(reports, most, paint));
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

fn one(report: &Report, most: usize, paint: Paint, lines: &mut Vec<String>) {
    lines.extend(head(report, most, paint));
    let sections = [
        sections::loads(report, BRIEF),
        sections::existing(report),
        sections::steps(report),
        sections::detached(report, BRIEF),
        sections::retries(report, BRIEF),
        sections::owner(report),
        sections::owners(report, BRIEF),
        sections::sequences(report, BRIEF),
        sections::lookups(report, BRIEF),
        sections::losses(report, true, BRIEF),
        sections::losses(report, false, BRIEF),
        sections::left(report),
        sections::not_tables(report, BRIEF),
        sections::faults(report, BRIEF),
        sections::removed(report),
        sections::warnings(report),
        sections::checks(report, BRIEF),
        sections::refusals(report),
    ];
    let refused = [sections::warnings(report), sections::refusals(report)];
    let shown = if sections::only_refusals(report) { refused.to_vec() } else { sections.to_vec() };
    for section in shown.into_iter().flatten() {
        lines.push(String::new());
        lines.extend(drawn(&section, most, paint));
    }
    lines.push(String::new());
    lines.extend(verdict(report, most, paint));
}

/// The title, and the source, target and run.
fn head(report: &Report, most: usize, paint: Paint) -> Vec<String> {
    let title = format!("{}: {}", title(report.activity()), report.mapping);
    let mut lines = vec![paint.bold(&shortened(&printable(&title), most))];
    let mut fact = |name: &str, value: &str| {
        let indent = 11;
        let room = most - indent;
        for (at, line) in wrapped(&printable(value), room, room).into_iter().enumerate() {
            let name = if at == 0 { name } else { "" };
            lines.push(format!("  {name:<9}{line}"));
        }
    };
    if !report.source.path.is_empty() {
        let size =
            if report.source.bytes > 0 { format!(", {} bytes", grouped(report.source.bytes)) } else { String::new() };
        fact("source", &format!("{}{size}", report.source.path));
    }
    if let Some(target) = &report.target {
        fact("target", target);
    }
    if let Some(run) = &report.run {
        fact("run", run);
    }
    lines
}

fn drawn(section: &Section, most: usize, paint: Paint) -> Vec<String> {
    let mut lines = vec![paint.bold(&section.title)];
    lines.extend(section.lead.iter().flat_map(|words| paragraph(words, most)));
    match &section.body {
        Body::Nothing => {}
        Body::Table(table) => lines.extend(draw(table, most, paint)),
        Body::Items(items) => lines.extend(items.iter().flat_map(|i| item(i, most, paint))),
    }
    lines.extend(section.tail.iter().flat_map(|words| paragraph(words, most)));
    lines
}

fn paragraph(words: &str, most: usize) -> Vec<String> {
    let room = most - 2;
    wrapped(&printable(words), room, room).into_iter().map(|l| format!("  {l}")).collect()
}

/// `place: what; why. Do this.`, with all lines but the first indented.
fn item(item: &Item, most: usize, paint: Paint) -> Vec<String> {
    let place = printable(&item.place).into_owned();
    let text = format!("{place}: {}", printable(&item.says()));
    let mut lines = wrapped(&text, most - 2, most - 6);
    // The place is painted only if it fits on one line. Otherwise its escape would cross the end of the line.
    if let Some(first) = lines.first_mut()
        && let Some(rest) = first.strip_prefix(&place)
    {
        *first = format!("{}{rest}", paint.bold(&place));
    }
    lines.into_iter().enumerate().map(|(at, l)| format!("{}{l}", if at == 0 { "  " } else { "      " })).collect()
}

/// `Done and verified. 7,335 rows of 12 loads are in ... (exit 0, Done)`
fn verdict(report: &Report, most: usize, paint: Paint) -> Vec<String> {
    let headline = headline(report);
    let exit = format!("(exit {}, {})", report.exit.code, report.exit.name);
    closing(&headline.label, &format!("{} {exit}", headline.sentence), headline.tone, most, paint)
}

fn closing(label: &str, rest: &str, tone: Tone, most: usize, paint: Paint) -> Vec<String> {
    let label = sentence(&printable(label));
    let rest = printable(rest);
    let used = width(&label) + 1;
    if used + 20 > most {
        let mut lines = wrapped(&label, most, most);
        lines.iter_mut().for_each(|l| *l = paint.bold(&paint.tone(l, tone)));
        lines.extend(wrapped(&rest, most, most));
        return lines;
    }
    let mut lines = wrapped(&rest, most - used, most);
    if let Some(first) = lines.first_mut() {
        *first = format!("{} {first}", paint.bold(&paint.tone(&label, tone)));
    }
    lines
}

/// The last lines of a command over several mappings.
fn together(reports: &[Report], most: usize, paint: Paint) -> Vec<String> {
    let Some(worst) = summary::worst(reports) else { return Vec::new() };
    let mut lines = vec![paint.bold(&count(reports.len() as u64, "mapping", "mappings"))];
    for report in reports {
        let headline = headline(report);
        let name = shortened(&printable(&report.mapping), 30).into_owned();
        let label = shortened(&headline.label, most.saturating_sub(34)).into_owned();
        lines.push(format!("  {}{}  {}", name, " ".repeat(30 - width(&name)), paint.tone(&label, headline.tone)));
    }
    let good = reports.iter().filter(|r| ended(r) == Exit::Done).count() as u64;
    let words = format!(
        "{} of {} ended as Done. (exit {}, {})",
        grouped(good),
        grouped(reports.len() as u64),
        worst.exit.code,
        worst.exit.name
    );
    lines.extend(closing("All together", &words, summary::tone(ended(worst)), most, paint));
    lines
}
