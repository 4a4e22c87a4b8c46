//! Checks and their verdicts, refusals and warnings.

use crate::model::record::{Check, CheckKind, Difference, DifferingRow, Report, Verdict, Warning, WarningKind};
use crate::report::section::{CellKind, Depth, Item, Line, Section};
use crate::text::{count, grouped};

/// Names in one cell; more are counted.
const NAMED: usize = 3;

/// Rows that differ, of each check, in a document.
const ROWS: usize = 20;

/// The question of each check, for people who do not run the tool.
pub fn meaning(kind: CheckKind) -> Option<&'static str> {
    Some(match kind {
        CheckKind::Rows => "Is every row that was read accounted for: written, a fault or skipped?",
        CheckKind::Content => "Are the target's rows, read back, byte for byte what the source's rows make?",
        CheckKind::Computed => {
            "Do columns that the server computes have the values of the source columns of the same name?"
        }
        CheckKind::Sequences => "Is the number of the next new row past every number in the column?",
        CheckKind::Constraints => "Are keys, references and indexes valid, and is everything reattached?",
        CheckKind::Owners => "Has each owner the rows that the mapping says, and no other?",
        CheckKind::Others => "Are the rows that were in the target before untouched?",
        CheckKind::Source => "Is the source as it was at the start?",
        _ => return None,
    })
}

/// The checks by kind: Same in one line, not checked and differing with the reason.
pub fn checks(report: &Report, depth: Depth) -> Option<Section> {
    if report.checks.is_empty() {
        return None;
    }
    let mut kinds: Vec<CheckKind> = Vec::new();
    for check in &report.checks {
        if !kinds.contains(&check.check) {
            kinds.push(check.check);
        }
    }
    let of_kind = |kind: CheckKind| report.checks.iter().filter(|c| c.check == kind).collect::<Vec<&Check>>();
    if depth.explain {
        // A document begins with the differences. A terminal ends near them.
        kinds.sort_by_key(|kind| !of_kind(*kind).iter().any(|c| c.verdict == Verdict::Differs));
    }
    let lines: Vec<Line> = kinds.iter().flat_map(|kind| check_lines(*kind, &of_kind(*kind), depth)).collect();
    let columns = [("check", CellKind::Name), ("verdict", CellKind::Word), ("what", CellKind::Text)];
    (!lines.is_empty()).then(|| Section::table("checks", "Checks", &columns, lines))
}

fn check_lines(kind: CheckKind, checks: &[&Check], depth: Depth) -> Vec<Line> {
    let line = |verdict: Verdict, what: String| Line::of([kind.word().into(), verdict.into(), what.into()]);
    let same: Vec<&Check> = checks.iter().copied().filter(|c| c.verdict == Verdict::Same).collect();
    let all = same.len() == checks.len();
    // The verdict counts the checks that say Same.
    let alike = (!same.is_empty() && !depth.fold).then(|| line(Verdict::Same, alike(kind, &same, all)));
    let unmade = not_checked(checks).into_iter().map(|(why, of)| line(Verdict::NotChecked, about(kind, &of, why)));
    let differs: Vec<&Check> = checks.iter().copied().filter(|c| c.verdict == Verdict::Differs).collect();
    let more = differs.len().saturating_sub(depth.rows) as u64;
    let more = (more > 0).then(|| line(Verdict::Differs, format!("and {} more", grouped(more))));
    let differing = differs.iter().take(depth.rows).map(|c| line(Verdict::Differs, difference(c))).chain(more);
    if !depth.explain {
        return alike.into_iter().chain(unmade).chain(differing).collect();
    }
    let rows = differs.iter().flat_map(|c| c.differences.iter().take(ROWS).map(move |row| (*c, row)));
    let rows: Vec<Line> = rows.map(|(c, row)| line(Verdict::Differs, differing_row(c, row))).collect();
    let differing = differing.chain(rows);
    let mut lines: Vec<Line> = differing.chain(unmade).chain(alike).collect();
    if let Some(first) = lines.first_mut() {
        first.note = meaning(kind).map(str::to_owned);
    }
    lines
}

/// The reasons for checks that were not made, each with its checks, in the order of the report.
fn not_checked<'a>(checks: &[&'a Check]) -> Vec<(&'a str, Vec<&'a Check>)> {
    let mut reasons: Vec<(&str, Vec<&Check>)> = Vec::new();
    for check in checks.iter().copied().filter(|c| c.verdict == Verdict::NotChecked) {
        let why = check.why.as_deref().unwrap_or("no reason was given");
        match reasons.iter_mut().find(|r| r.0 == why) {
            Some(reason) => reason.1.push(check),
            None => reasons.push((why, vec![check])),
        }
    }
    reasons
}

/// The subjects that are Same: `all 7 loads`, a few names, or the finding about the whole.
fn alike(kind: CheckKind, checks: &[&Check], all: bool) -> String {
    match (subjects(kind, checks), checks) {
        (Some(subjects), _) if all && checks.len() > NAMED => format!("all {subjects}"),
        (Some(subjects), _) => subjects,
        (None, [one]) if kind == CheckKind::Source => {
            let said = one.why.clone().unwrap_or_else(|| "as it was at the start".to_owned());
            format!("{said}: {}", one.found.as_deref().unwrap_or_default())
        }
        (None, [one]) => one.found.clone().unwrap_or_default(),
        (None, _) => String::new(),
    }
}

fn about(kind: CheckKind, checks: &[&Check], why: &str) -> String {
    subjects(kind, checks).map_or_else(|| why.to_owned(), |subjects| format!("{subjects}: {why}"))
}

/// The loads or objects that were checked. `None` for a check of the whole.
fn subjects(kind: CheckKind, checks: &[&Check]) -> Option<String> {
    let names: Vec<&str> = checks.iter().filter_map(|c| c.load.as_deref()).collect();
    if names.len() <= NAMED {
        return (!names.is_empty()).then(|| names.join(", "));
    }
    // A load is named as in the mapping, a table with its schema.
    let tables = names.iter().filter(|name| name.contains('.')).count() as u64;
    let (one, many) = match kind {
        CheckKind::Constraints => ("object", "objects"),
        CheckKind::Sequences => ("sequence", "sequences"),
        _ => ("table", "tables"),
    };
    let parts = [(names.len() as u64 - tables, "load", "loads"), (tables, one, many)];
    let parts = parts.into_iter().filter(|part| part.0 > 0).map(|(n, one, many)| count(n, one, many));
    Some(parts.collect::<Vec<_>>().join(", "))
}

/// `transactions: one row changed; expected ..., found ...`
fn difference(check: &Check) -> String {
    let mut parts = Vec::new();
    parts.extend(check.why.clone());
    // If rows are named, the two digests add nothing.
    let named = !check.differences.is_empty();
    match (&check.expected.as_ref().filter(|_| !named), &check.found.as_ref().filter(|_| !named)) {
        (Some(expected), Some(found)) => parts.push(format!("expected {expected}, found {found}")),
        (Some(expected), None) => parts.push(format!("expected {expected}")),
        (None, Some(found)) => parts.push(format!("found {found}")),
        (None, None) => {}
    }
    let parts = parts.join("; ");
    match &check.load {
        Some(subject) if parts.is_empty() => subject.clone(),
        Some(subject) => format!("{subject}: {parts}"),
        None => parts,
    }
}

/// `transactions: id=4, column amount, changed; expected 1.00, found 1.01`
fn differing_row(check: &Check, row: &DifferingRow) -> String {
    let of = check.load.as_deref().unwrap_or(check.check.word());
    let column = row.column.as_ref().map_or_else(String::new, |column| format!(", column {column}"));
    let how = match row.difference {
        Difference::Missing => "missing",
        Difference::Extra => "extra",
        Difference::Changed => "changed",
    };
    let values = match (&row.expected, &row.found) {
        (Some(expected), Some(found)) => format!("; expected {expected}, found {found}"),
        _ => String::new(),
    };
    format!("{of}: {}{column}, {how}{values}", row.key)
}

/// The refusals.
pub fn refusals(report: &Report) -> Option<Section> {
    if report.refusals.is_empty() {
        return None;
    }
    let items = report.refusals.iter().map(|r| Item {
        place: r.place.clone(),
        text: r.reason.clone(),
        advice: Some(r.advice.clone()),
    });
    let title = format!("Refused: {}", count(report.refusals.len() as u64, "reason", "reasons"));
    Some(Section::items("refusals", &title, items.collect()))
}

/// Everything that a rollback removed.
pub fn removed(report: &Report) -> Option<Section> {
    items("removed", "Removed", report.warnings.iter().filter(|w| w.kind == WarningKind::Removed))
}

/// The warnings.
pub fn warnings(report: &Report) -> Option<Section> {
    items("warnings", "Warnings", report.warnings.iter().filter(|w| w.kind != WarningKind::Removed))
}

fn items<'w>(id: &'static str, title: &str, warnings: impl Iterator<Item = &'w Warning>) -> Option<Section> {
    let item = |w: &Warning| Item { place: w.place.clone(), text: w.message.clone(), advice: None };
    let items: Vec<Item> = warnings.map(item).collect();
    (!items.is_empty()).then(|| Section::items(id, title, items))
}
