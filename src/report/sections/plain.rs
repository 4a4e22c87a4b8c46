//! The first words of a document: what was lost by permission, and what was not checked.
//!
//! For people who sign and do not run the tool, so each entry is a sentence without a word of the mapping language.

use crate::exit::Exit;
use crate::model::record::{Activity, Check, LoadRecord, LoadState, Report, Verdict, WarningKind};
use crate::report::section::{FULL, Item, Section, place};
use crate::report::summary::{Totals, ended, is_loss};
use crate::text::{count, phrase};

use super::omitted::loss_says;
use super::verification::meaning;

/// Everything that the target has not, or has in another form, because the mapping allows it. `None` if the report does
/// not speak of rows.
pub fn lost(report: &Report) -> Option<Section> {
    if !speaks_of_rows(report) {
        return None;
    }
    let mut items: Vec<Item> = Vec::new();
    let mut add = |place: String, text: String| items.push(Item { place, text, advice: None });
    for loss in report.losses.iter().filter(|l| is_loss(l)) {
        let says = loss_says(&loss.modifier).unwrap_or("They were changed as the mapping says.");
        add(place(&loss.load, &loss.column), format!("{}. {says}", count(loss.count, "value", "values")));
    }
    let sums = Totals::of(report);
    if ended(report) == Exit::Quarantined && sums.faults > 0 {
        let rows = phrase(
            sums.faults,
            "# row was left out, because it does not fit",
            "# rows were left out, because they do not fit",
        );
        let has_file = report.warnings.iter().any(|warning| warning.kind == WarningKind::FaultFile);
        let file = if has_file { ". Each one is in the fault file" } else { "" };
        add("faulty rows".to_owned(), format!("{rows}{file}"));
    }
    if let Some(fleet) = report.fleet.as_ref().filter(|fleet| fleet.not_loaded() > 0) {
        let (one, many) = match report.dry_run {
            false => (
                "# file is not loaded, and none of its rows is in the target",
                "# files are not loaded, and none of their rows is in the target",
            ),
            true => ("# file would be left out, with all its rows", "# files would be left out, with all their rows"),
        };
        add("files".to_owned(), phrase(fleet.not_loaded(), one, many));
    }
    for load in &report.loads {
        if let Some(text) = kept_out(load) {
            add(load.load.clone(), text);
        }
    }
    for left in &report.left {
        let rows = left.rows.map_or_else(|| "an unknown number of rows".to_owned(), |n| count(n, "row", "rows"));
        let (what, name) = match &left.column {
            Some(column) => ("The column stayed in the source, with values in", place(&left.table, column)),
            None => ("The table stayed in the source, with", left.table.clone()),
        };
        add(name, format!("{what} {rows}: {}", left.reason));
    }
    let is_written = !report.dry_run && report.activity() != Activity::DryRun && ended(report) != Exit::Refused;
    let title = match is_written {
        true => "What was lost, as the mapping allows",
        false => "What would be lost, as the mapping allows",
    };
    let nothing = match is_written {
        _ if sums.faults > 0 => "Nothing. The rows that cannot be loaded are listed below.",
        true => "Nothing: each row that was read arrives unchanged, and nothing stays in the source.",
        false => "Nothing: each row would arrive unchanged, and nothing would stay in the source.",
    };
    Some(listed("lost", title, items, nothing))
}

/// The checks that were not made, each with its reason and the question that is open. `None` if the report has no checks.
pub fn unchecked(report: &Report) -> Option<Section> {
    if !speaks_of_rows(report) || report.checks.is_empty() {
        return None;
    }
    let gaps: Vec<&Check> = report.checks.iter().filter(|c| c.verdict == Verdict::NotChecked).collect();
    let item = |check: &&Check| {
        let place = match &check.load {
            Some(load) => format!("{}, {load}", check.check.word()),
            None => check.check.word().to_owned(),
        };
        let open = meaning(check.check).map(|question| format!("Open: {question}"));
        Item { place, text: check.why.clone().unwrap_or_else(|| "no reason was given".to_owned()), advice: open }
    };
    Some(listed("unchecked", "What was not checked", gaps.iter().map(item).collect(), "Nothing: every check was made."))
}

/// Returns true if the report is about rows that were, or would be, in the target.
fn speaks_of_rows(report: &Report) -> bool {
    !super::only_refusals(report) && !report.loads.is_empty() && report.activity() != Activity::Rollback
}

/// The rows of a load that are in the source and were not loaded.
fn kept_out(load: &LoadRecord) -> Option<String> {
    match load.state {
        LoadState::NotEmpty => {
            let rows = phrase(load.read, "# row was not loaded", "# rows were not loaded");
            Some(format!("{rows}, because the table held rows already and was left as it was"))
        }
        _ if load.skipped > 0 => {
            let one = "# row was skipped, because its key existed already";
            Some(phrase(load.skipped, one, "# rows were skipped, because their keys existed already"))
        }
        _ => None,
    }
}

fn listed(id: &'static str, title: &str, mut items: Vec<Item>, none: &str) -> Section {
    if items.is_empty() {
        return Section::words(id, title, none.to_owned());
    }
    let more = items.len().saturating_sub(FULL.rows) as u64;
    items.truncate(FULL.rows);
    Section::items(id, title, items)
        .with_tail((more > 0).then(|| format!("And {} more.", count(more, "entry", "entries"))))
}
