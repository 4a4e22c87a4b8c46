//! The transferred rows and the time: loads, steps, detached objects, reconnects.
//!
//! Values that changed or were omitted are in `omitted`.

use crate::model::record::{Activity, DetachedRecord, LoadRecord, LoadState, Report};
use crate::report::section::{CellKind, Depth, Line, Section, Shown};
use crate::report::tone::Tone;
use crate::text::{count, rate, seconds, some_of};

/// A column of the table of loads.
struct LoadColumn {
    head: &'static str,
    kind: CellKind,
    cell: fn(&LoadRecord, Activity) -> Shown,
    /// The number that the last line sums. `None` if the column has no sum.
    number: Option<fn(&LoadRecord, Activity) -> u64>,
}

/// A column of words or of times.
fn plain(head: &'static str, kind: CellKind, cell: fn(&LoadRecord, Activity) -> Shown) -> LoadColumn {
    LoadColumn { head, kind, cell, number: None }
}

/// The columns of the table of loads. A folded table has no class and no speed, and counts only what occurs.
fn columns(report: &Report, depth: Depth) -> Vec<LoadColumn> {
    let written = match report.activity() {
        Activity::DryRun => "to write",
        Activity::Verification => "in target",
        _ => "written",
    };
    let number = |head, cell, number| LoadColumn { head, kind: CellKind::Number, cell, number: Some(number) };
    let occurs = |count: fn(&LoadRecord) -> u64| !depth.fold || report.loads.iter().any(|load| count(load) > 0);
    let columns = [
        (true, plain("load", CellKind::Name, |l, _| l.load.as_str().into())),
        (!depth.fold, plain("class", CellKind::Word, |l, _| l.class.as_str().into())),
        (true, number("read", |l, _| l.read.into(), |l, _| l.read)),
        (true, number(written, |l, job| went(l, job).into(), went)),
        (occurs(|l| l.skipped), number("skipped", |l, _| l.skipped.into(), |l, _| l.skipped)),
        (occurs(|l| l.faults), number("faults", |l, _| faults(l), |l, _| l.faults)),
        (true, plain("seconds", CellKind::Number, |l, _| seconds(l.seconds).into())),
        (!depth.fold, plain("rows/s", CellKind::Number, speed)),
        (true, plain("state", CellKind::Word, |l, _| state(l.state))),
    ];
    columns.into_iter().filter(|(shown, _)| *shown).map(|(_, column)| column).collect()
}

/// One line for each load, in the order in which they ran, and their sum. A folded table has the largest loads and those
/// with a finding, and counts the others.
pub fn loads(report: &Report, depth: Depth) -> Option<Section> {
    if report.loads.is_empty() {
        return None;
    }
    let job = report.activity();
    let title = match job {
        Activity::DryRun => "Rows to transfer",
        Activity::Verification => "Rows compared",
        _ => "Rows transferred",
    };
    let columns = columns(report, depth);
    let (shown, folded) = if depth.fold { folded(report) } else { (report.loads.iter().collect(), None) };
    let line = |l: &&LoadRecord| Line {
        cells: columns.iter().map(|column| (column.cell)(l, job)).collect(),
        note: if depth.fold { finding(l) } else { way(l) },
        ..Line::default()
    };
    let mut lines: Vec<Line> = shown.iter().map(line).collect();
    if report.loads.len() > 1 {
        lines.push(sum_line(report, &columns));
    }
    let tail = if depth.explain { class_words(report) } else { folded };
    let heads: Vec<_> = columns.iter().map(|column| (column.head, column.kind)).collect();
    Some(Section::table("loads", title, &heads, lines).with_tail(tail))
}

/// Loads that a folded table shows in any case, if they have rows.
const LARGEST: usize = 5;

/// The loads that a folded table shows, in their order, and a sentence about the others.
fn folded(report: &Report) -> (Vec<&LoadRecord>, Option<String>) {
    let found =
        |l: &&LoadRecord| l.faults > 0 || l.skipped > 0 || matches!(l.state, LoadState::Partial | LoadState::NotEmpty);
    let (empty, mut others): (Vec<&LoadRecord>, Vec<&LoadRecord>) =
        report.loads.iter().filter(|l| !found(l)).partition(|l| l.read == 0 && l.written == 0);
    others.sort_by_key(|l| std::cmp::Reverse(l.read));
    // A sentence about one or two loads is no shorter than their lines.
    let largest = if others.len() <= LARGEST + 2 { others.len() } else { LARGEST };
    let rest = others.split_off(largest);
    let is_shown = |l: &&LoadRecord| found(l) || others.iter().any(|other| std::ptr::eq(*other, *l));
    let shown = report.loads.iter().filter(is_shown).collect();
    let rows: u64 = rest.iter().map(|l| l.read).sum();
    let mut parts = Vec::new();
    if !rest.is_empty() {
        let loads = count(rest.len() as u64, "more load", "more loads");
        parts.push(format!("{loads} with {}", count(rows, "row", "rows")));
    }
    if !empty.is_empty() {
        parts.push(format!("{} without rows", count(empty.len() as u64, "load", "loads")));
    }
    let words = (!parts.is_empty()).then(|| format!("And {}; -v lists each.", parts.join(", ")));
    (shown, words)
}

fn faults(load: &LoadRecord) -> Shown {
    Shown::from(load.faults).toned(if load.faults > 0 { Tone::Warn } else { Tone::Plain })
}

fn speed(load: &LoadRecord, job: Activity) -> Shown {
    let went = went(load, job);
    rate(if went > 0 { went } else { load.read }, load.seconds).into()
}

/// The meaning of the classes that occur.
fn class_words(report: &Report) -> Option<String> {
    let says = [
        ("owner", "the table of the owners themselves"),
        ("stamped", "each row was given the owner"),
        ("carried", "each row has its owner from the source"),
        ("through", "each row belongs to the owner of the row that it refers to"),
        ("shared", "its rows have no owner"),
    ];
    let words: Vec<String> = says
        .iter()
        .filter(|(class, _)| report.loads.iter().any(|l| l.class == *class))
        .map(|(class, says)| format!("{class}: {says}"))
        .collect();
    if words.is_empty() { None } else { Some(format!("{}.", words.join("; "))) }
}

/// Rows that a load wrote, or in a dry run would write.
pub fn went(load: &LoadRecord, job: Activity) -> u64 {
    match (job, load.state) {
        (Activity::DryRun, LoadState::NotEmpty) => 0,
        (Activity::DryRun, _) => load.read.saturating_sub(load.faults).saturating_sub(load.skipped),
        _ => load.written,
    }
}

fn sum_line(report: &Report, columns: &[LoadColumn]) -> Line {
    let job = report.activity();
    let sum = |of: fn(&LoadRecord, Activity) -> u64| Shown::from(report.loads.iter().map(|l| of(l, job)).sum::<u64>());
    let mut cells: Vec<Shown> = columns.iter().map(|column| column.number.map_or_else(Shown::default, sum)).collect();
    if let Some(first) = cells.first_mut() {
        *first = count(report.loads.len() as u64, "load", "loads").into();
    }
    Line { cells, sum: true, ..Line::default() }
}

fn state(state: LoadState) -> Shown {
    match state {
        LoadState::Planned => "planned".into(),
        LoadState::Loaded => Shown::from("loaded").toned(Tone::Good),
        LoadState::Partial => Shown::from("partial").toned(Tone::Warn),
        LoadState::NotEmpty => Shown::from("not-empty").toned(Tone::Warn),
    }
}

/// Source and target of a load, if their names differ from its own.
fn way(load: &LoadRecord) -> Option<String> {
    let target = load.target.rsplit_once('.').map_or(load.target.as_str(), |(_, table)| table);
    let mut parts = Vec::new();
    if load.source != load.load {
        parts.push(format!("from {}", load.source));
    }
    if target != load.load {
        parts.push(format!("to {}", load.target));
    }
    parts.extend(finding(load));
    if parts.is_empty() { None } else { Some(parts.join(", ")) }
}

/// The reason why a load wrote nothing.
fn finding(load: &LoadRecord) -> Option<String> {
    (load.state == LoadState::NotEmpty).then(|| "the table held rows already and was left as it was".to_owned())
}

/// One line for each step of the command.
pub fn steps(report: &Report) -> Option<Section> {
    if report.steps.is_empty() {
        return None;
    }
    let line = |step: &str, s: f64| Line::of([step.into(), seconds(s).into()]);
    let mut lines: Vec<Line> = report.steps.iter().map(|s| line(s.step.shown(), s.seconds)).collect();
    if lines.len() > 1 {
        let whole = report.steps.iter().map(|s| s.seconds).filter(|s| s.is_finite()).sum();
        lines.push(Line { sum: true, ..line("all steps", whole) });
    }
    Some(Section::table("steps", "Time", &[("step", CellKind::Name), ("seconds", CellKind::Number)], lines))
}

/// The objects that were detached for the load. A table only if one is not reattached.
pub fn detached(report: &Report, depth: Depth) -> Option<Section> {
    let (back, off): (Vec<&DetachedRecord>, Vec<_>) = report.detached.iter().partition(|d| d.back);
    if report.detached.is_empty() {
        return None;
    }
    let names: Vec<&str> = back.iter().map(|d| d.object.as_str()).collect();
    let many = count(back.len() as u64, "object was", "objects were");
    let are = if back.len() == 1 { "is" } else { "are" };
    let lead = match back.len() {
        0 => None,
        _ => Some(format!("{many} detached for the load and {are} reattached: {}.", some_of(&names, depth.keys))),
    };
    let mut section = Section::words("detached", "Detached and reattached", String::new());
    section.lead = lead;
    if !off.is_empty() {
        let not_back = Shown::from("not reattached").toned(Tone::Bad);
        let lines = off.iter().map(|d| Line::of([d.object.as_str().into(), d.table.as_str().into(), not_back.clone()]));
        let columns = [("object", CellKind::Name), ("table", CellKind::Name), ("state", CellKind::Word)];
        section.title = "Detached and not reattached".to_owned();
        section.body = Section::table("", "", &columns, lines.collect()).body;
    }
    Some(section)
}

/// Connections that were lost and restored.
pub fn retries(report: &Report, depth: Depth) -> Option<Section> {
    if report.retries.is_empty() {
        return None;
    }
    let line = |at: f64, why: &str| Line::of([seconds(at).into(), why.into()]);
    let lines = report.retries.iter().take(depth.rows).map(|r| line(r.at, &r.why)).collect();
    let section =
        Section::table("retries", "Reconnects", &[("at (s)", CellKind::Number), ("why", CellKind::Text)], lines);
    let left = report.retries.len().saturating_sub(depth.rows) as u64;
    Some(section.with_tail((left > 0).then(|| format!("And {} more.", count(left, "retry", "retries")))))
}
