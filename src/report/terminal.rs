//! The report on a terminal. It ends with the verdict, the exit code and the next command.
//!
//! It is readable without colour. [`Style`] has the abilities of the terminal.

use super::action_items::items;
use super::headline::headline;
use super::next::next;
use super::section::{BRIEF, Body, Item, Section, WHOLE};
use super::sections;
use super::summary::{self, ended, is_loss, owner_words, title};
use super::table::{Paint, draw};
use super::tone::Tone;
use crate::exit::Exit;
use crate::model::record::{Report, StepRecord};
use crate::text::{count, grouped, phrase, printable, seconds, sentence, width, wrapped};

/// The abilities of the terminal, and the length of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// True if colour may be used.
    pub colour: bool,
    /// Columns.
    pub width: usize,
    /// True for every table. A brief report of a run without a finding fits a screen.
    pub all: bool,
}

impl Style {
    /// Columns of a line.
    fn most(self) -> usize {
        self.width.clamp(NARROWEST, WIDEST)
    }
}

/// Columns of the widest line. Wider lines are hard to read.
const WIDEST: usize = 100;
/// Columns of the narrowest layout. A narrower terminal breaks the lines itself.
const NARROWEST: usize = 40;

/// The reports of a command as text, each line within the style's width.
pub fn render(reports: &[Report], style: Style) -> String {
    let most = style.most();
    let paint = Paint(style.colour);
    let mut lines = Vec::new();
    for report in reports {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        one(report, style, &mut lines);
    }
    if reports.len() > 1 {
        lines.push(String::new());
        lines.extend(together(reports, most, paint));
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

fn one(report: &Report, style: Style, lines: &mut Vec<String>) {
    let (most, paint) = (style.most(), Paint(style.colour));
    lines.extend(head(report, style));
    for section in sections(report, style.all) {
        lines.push(String::new());
        lines.extend(drawn(&section, most, paint));
    }
    lines.push(String::new());
    lines.extend(verdict(report, most, paint));
    lines.extend(next_command(report, most, paint));
}

/// The sections: every table, or those with a finding and a sentence about the rest.
fn sections(report: &Report, all: bool) -> Vec<Section> {
    if sections::only_refusals(report) {
        return [sections::warnings(report), sections::refusals(report)].into_iter().flatten().collect();
    }
    let depth = if all { WHOLE } else { BRIEF };
    let if_all = |section: fn(&Report) -> Option<Section>| section(report).filter(|_| all);
    let is_off = report.detached.iter().any(|d| !d.back);
    let shown = [
        sections::files(report, depth),
        sections::loads(report, depth),
        sections::existing(report),
        if_all(sections::steps),
        sections::detached(report, depth).filter(|_| all || is_off),
        sections::retries(report, depth),
        if_all(sections::owner),
        sections::owners(report, depth).filter(|_| all),
        sections::sequences(report, depth),
        sections::lookups(report, depth),
        sections::losses(report, true, depth),
        sections::losses(report, false, depth).filter(|_| all),
        if_all(sections::left),
        sections::not_tables(report, depth).filter(|_| all),
        sections::faults(report, depth),
        sections::removed(report),
        sections::warnings(report),
        sections::checks(report, depth),
        sections::forecast(report, depth),
        if_all(sections::slowest),
        sections::refusals(report),
        rest(report).filter(|_| !all),
    ];
    shown.into_iter().flatten().collect()
}

/// One paragraph about the tables that only `-v` prints and that say something.
fn rest(report: &Report) -> Option<Section> {
    let mut words: Vec<String> =
        items(report).into_iter().filter(|item| FOLDED.contains(&item.section)).map(|item| item.text).collect();
    let changed: u64 = report.losses.iter().filter(|l| !is_loss(l)).map(|l| l.count).sum();
    if changed > 0 {
        words.push(phrase(changed, "# value changed without loss.", "# values changed without loss."));
    }
    (!words.is_empty()).then(|| Section::words("rest", "Also", format!("{} -v prints the tables.", words.join(" "))))
}

/// The sections that a brief report replaces by the sentence of their item.
const FOLDED: [&str; 2] = ["left", "owners"];

/// The title, and the source, target and run. A brief report has the owner and the time here, too.
fn head(report: &Report, style: Style) -> Vec<String> {
    let (most, paint) = (style.most(), Paint(style.colour));
    let title = format!("{}: {}", title(report), report.mapping);
    let title = wrapped(&printable(&title), most, most);
    let mut lines: Vec<String> = title.iter().map(|line| paint.bold(line)).collect();
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
    if style.all || sections::only_refusals(report) {
        return lines;
    }
    if let Some(owner) = owner_words(report) {
        fact("owner", &owner);
    }
    if let Some(time) = time(report) {
        fact("time", &time);
    }
    lines
}

/// `1.66 s (load 0.88, verify 0.50, preflight 0.25)`: the whole, and the longest steps.
fn time(report: &Report) -> Option<String> {
    let mut steps: Vec<&StepRecord> = report.steps.iter().filter(|s| s.seconds.is_finite()).collect();
    let whole: f64 = steps.iter().map(|s| s.seconds).sum();
    steps.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let longest: Vec<String> =
        steps.iter().take(3).map(|s| format!("{} {}", s.step.shown(), seconds(s.seconds))).collect();
    (!steps.is_empty()).then(|| format!("{} s ({})", seconds(whole), longest.join(", ")))
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

/// The purpose of the next command, and the command. Its lines end with a backslash where it continues, for a shell.
fn next_command(report: &Report, most: usize, paint: Paint) -> Vec<String> {
    let next = next(report);
    let mut lines = wrapped(&format!("Next: {}", next.words), most, most);
    let mut line = String::from(" ");
    for argument in next.arguments {
        let argument = printable(&argument).into_owned();
        if width(&line) > 2 && width(&line) + 1 + width(&argument) + 2 > most {
            lines.push(paint.bold(&format!("{line} \\")));
            line = String::from("   ");
        }
        line = format!("{line} {argument}");
    }
    lines.push(paint.bold(&line));
    lines
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
        let name = printable(&report.mapping).into_owned();
        let (name, label) = (wrapped(&name, 30, 30), wrapped(&headline.label, most - 34, most - 34));
        for at in 0..name.len().max(label.len()) {
            let of = |lines: &[String]| lines.get(at).cloned().unwrap_or_default();
            let (name, label) = (of(&name), of(&label));
            let blanks = " ".repeat(30usize.saturating_sub(width(&name)));
            lines.push(format!("  {name}{blanks}  {}", paint.tone(&label, headline.tone)).trim_end().to_owned());
        }
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
