//! The transferred rows and the time: loads, steps, detached objects, reconnects.
//!
//! Values that changed or were omitted are in `omitted`.

use crate::model::record::{Activity, DetachedRecord, LoadRecord, LoadState, Report};
use crate::report::section::{CellKind, Depth, Line, Section, Shown};
use crate::report::tone::Tone;
use crate::text::{count, rate, seconds, some_of};

/// One line for each load, in the order in which they ran, and their sum.
pub fn loads(report: &Report, depth: Depth) -> Option<Section> {
    if report.loads.is_empty() {
        return None;
    }
    let job = report.activity();
    let (title, written) = match job {
        Activity::DryRun => ("Rows to transfer", "to write"),
        Activity::Verification => ("Rows compared", "in target"),
        _ => ("Rows transferred", "written"),
    };
    let columns = [
        ("load", CellKind::Name),
        ("class", CellKind::Word),
        ("read", CellKind::Number),
        (written, CellKind::Number),
        ("skipped", CellKind::Number),
        ("faults", CellKind::Number),
        ("seconds", CellKind::Number),
        ("rows/s", CellKind::Number),
        ("state", CellKind::Word),
    ];
    let mut lines: Vec<Line> = report.loads.iter().map(|l| load_line(l, job)).collect();
    if report.loads.len() > 1 {
        lines.push(sum_line(report, job));
    }
    let tail = depth.explain.then(|| class_words(report)).flatten();
    Some(Section::table("loads", title, &columns, lines).with_tail(tail))
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

fn load_line(load: &LoadRecord, job: Activity) -> Line {
    let went = went(load, job);
    let faults = Shown::from(load.faults).toned(if load.faults > 0 { Tone::Warn } else { Tone::Plain });
    let worked = if went > 0 { went } else { load.read };
    Line::of([
        load.load.as_str().into(),
        load.class.as_str().into(),
        load.read.into(),
        went.into(),
        load.skipped.into(),
        faults,
        seconds(load.seconds).into(),
        rate(worked, load.seconds).into(),
        state(load.state),
    ])
    .with_note(way(load))
}

fn sum_line(report: &Report, job: Activity) -> Line {
    let sum = |of: fn(&LoadRecord) -> u64| report.loads.iter().map(of).sum::<u64>();
    let went: u64 = report.loads.iter().map(|l| went(l, job)).sum();
    let cells = [
        count(report.loads.len() as u64, "load", "loads").into(),
        "".into(),
        sum(|l| l.read).into(),
        went.into(),
        sum(|l| l.skipped).into(),
        sum(|l| l.faults).into(),
        "".into(),
        "".into(),
        "".into(),
    ];
    Line { sum: true, ..Line::of(cells) }
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
    if load.state == LoadState::NotEmpty {
        parts.push("the table held rows already and was left as it was".to_owned());
    }
    if parts.is_empty() { None } else { Some(parts.join(", ")) }
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
        Section::table("retries", "Reconnects", &[("second", CellKind::Number), ("why", CellKind::Text)], lines);
    let left = report.retries.len().saturating_sub(depth.rows) as u64;
    Some(section.with_tail((left > 0).then(|| format!("And {} more.", count(left, "retry", "retries")))))
}
