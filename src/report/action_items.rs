//! The items that a reader must decide on before signing, the gravest first.
//!
//! Each item is one sentence and names the section with its rows.

use super::sections::only_refusals;
use super::summary::{Proof, Totals, ended, is_loss, is_made_by_the_type};
use super::tone::Tone;
use crate::exit::Exit;
use crate::model::record::{Activity, FleetRecord, LoadState, Report};
use crate::text::{count, phrase, some_of};

/// One item to decide on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionItem {
    /// Its gravity.
    pub tone: Tone,
    /// The sentence.
    pub text: String,
    /// The section that shows it.
    pub section: &'static str,
}

/// Names in one sentence.
const NAMED: usize = 3;

/// The sentence of a report without items.
pub const NO_ITEM: &str =
    "Nothing: each row was loaded unchanged, nothing stayed in the source, and each check was made.";

/// The title of the items. `None` if a report has no room for them.
pub fn title_of_items(report: &Report) -> Option<&'static str> {
    match (ended(report), report.activity()) {
        _ if only_refusals(report) => None,
        (Exit::Done | Exit::Quarantined, Activity::Cutover | Activity::Verification) => Some("To know before signing"),
        (Exit::Done | Exit::Quarantined, _) => Some("To know"),
        _ if items(report).is_empty() => None,
        _ => Some("To decide"),
    }
}

/// The items of a report.
pub fn items(report: &Report) -> Vec<ActionItem> {
    if only_refusals(report) {
        return Vec::new();
    }
    let found = [
        differences(report),
        not_back(report),
        files(report),
        faults(report),
        losses(report),
        not_checked(report),
        lookups(report),
        left(report),
        ownerless(report),
        skipped(report),
        not_empty(report),
        warnings(report),
        retries(report),
    ];
    let mut items: Vec<ActionItem> = found.into_iter().flatten().collect();
    items.sort_by_key(|p| match p.tone {
        Tone::Bad => 0,
        Tone::Warn => 1,
        Tone::Plain | Tone::Good => 2,
    });
    items
}

fn item(n: u64, tone: Tone, section: &'static str, text: impl FnOnce() -> String) -> Option<ActionItem> {
    (n > 0).then(|| ActionItem { tone, text: text(), section })
}

fn differences(report: &Report) -> Option<ActionItem> {
    let n = Proof::of(report).differs;
    item(n, Tone::Bad, "checks", || phrase(n, "# check found a difference.", "# checks found a difference."))
}

fn not_back(report: &Report) -> Option<ActionItem> {
    let off: Vec<&str> = report.detached.iter().filter(|d| !d.back).map(|d| d.object.as_str()).collect();
    let n = off.len() as u64;
    let one = "# object that was detached for the load is not reattached";
    let many = "# objects that were detached for the load are not reattached";
    // Resuming reattaches them. If the run cannot be resumed, the target is not what it was.
    let resumable = matches!(ended(report), Exit::Stopped | Exit::Interrupted);
    let (tone, then) = if resumable { (Tone::Warn, "; resuming reattaches them") } else { (Tone::Bad, "") };
    item(n, tone, "detached", || format!("{}{then}: {}.", phrase(n, one, many), some_of(&off, NAMED)))
}

fn files(report: &Report) -> Option<ActionItem> {
    let n = report.fleet.as_ref().map_or(0, FleetRecord::not_loaded);
    let (one, many) = match report.dry_run {
        true => ("# file would be left out, with all its rows.", "# files would be left out, with all their rows."),
        false => (
            "# file is not loaded: none of its rows is in the target.",
            "# files are not loaded: none of their rows is in the target.",
        ),
    };
    item(n, Tone::Warn, "files", || phrase(n, one, many))
}

fn faults(report: &Report) -> Option<ActionItem> {
    let n = Totals::of(report).faults;
    let (tone, one, many) = match (ended(report), report.activity()) {
        (Exit::Refused | Exit::Stopped | Exit::Interrupted, _) => {
            (Tone::Bad, "# row cannot be loaded as it is.", "# rows cannot be loaded as they are.")
        }
        (_, Activity::DryRun) => (Tone::Warn, "# row would be quarantined.", "# rows would be quarantined."),
        _ => (
            Tone::Warn,
            "# row was quarantined and is not in the target.",
            "# rows were quarantined and are not in the target.",
        ),
    };
    item(n, tone, "faults", || phrase(n, one, many))
}

fn losses(report: &Report) -> Option<ActionItem> {
    let lost: Vec<_> = report.losses.iter().filter(|l| is_loss(l)).collect();
    let n = lost.iter().map(|l| l.count).sum();
    let places: Vec<String> = lost.iter().map(|l| format!("{}.{} by {}", l.load, l.column, l.modifier)).collect();
    let would = if report.dry_run { ("would lose", "would lose") } else { ("lost", "lost") };
    item(n, Tone::Warn, "losses", || {
        let values = count(n, "value", "values");
        let by_mapping = !lost.iter().any(|loss| is_made_by_the_type(loss));
        let allowed = if by_mapping { ", as the mapping allows" } else { "" };
        format!("{values} {} something{allowed}: {}.", would.0, some_of(&places, NAMED))
    })
}

fn not_checked(report: &Report) -> Option<ActionItem> {
    let n = Proof::of(report).not_checked;
    item(n, Tone::Warn, "checks", || phrase(n, "# check was not made.", "# checks were not made."))
}

fn lookups(report: &Report) -> Option<ActionItem> {
    let missing: u64 = report.lookups.iter().filter(|l| !l.quiet).map(|l| l.missing).sum();
    let ambiguous: u64 = report.lookups.iter().map(|l| l.ambiguous).sum();
    item(missing + ambiguous, Tone::Warn, "lookups", || {
        let missing = phrase(missing, "# looked-up value was not found", "# looked-up values were not found");
        format!("{missing}, {} several answers.", phrase(ambiguous, "# has", "# have"))
    })
}

fn left(report: &Report) -> Option<ActionItem> {
    let columns = report.left.iter().filter(|l| l.column.is_some()).count() as u64;
    let tables: Vec<_> = report.left.iter().filter(|l| l.column.is_none()).collect();
    let rows = tables.iter().filter_map(|l| l.rows).sum();
    let mut parts = Vec::new();
    if !tables.is_empty() {
        let tables = count(tables.len() as u64, "table", "tables");
        parts.push(format!("{tables} with {}", count(rows, "row", "rows")));
    }
    if columns > 0 {
        parts.push(count(columns, "column", "columns"));
    }
    let verb = if report.dry_run { "would stay" } else { "stayed" };
    item(parts.len() as u64, Tone::Plain, "left", || format!("{} {verb} in the source.", parts.join(" and ")))
}

fn ownerless(report: &Report) -> Option<ActionItem> {
    let n = report.owners.iter().filter(|o| o.owner.is_none()).flat_map(|o| o.rows.values()).sum();
    // Without any owner, there is nothing to decide.
    let some_owner = report.owners.iter().any(|o| o.owner.is_some());
    item(if some_owner { n } else { 0 }, Tone::Plain, "owners", || {
        phrase(n, "# row has no owner.", "# rows have no owner.")
    })
}

fn skipped(report: &Report) -> Option<ActionItem> {
    let n = Totals::of(report).skipped;
    let one = "# row was skipped, since its key existed already.";
    item(n, Tone::Plain, "loads", || phrase(n, one, "# rows were skipped, since their keys existed already."))
}

fn not_empty(report: &Report) -> Option<ActionItem> {
    let held: Vec<&str> =
        report.loads.iter().filter(|l| l.state == LoadState::NotEmpty).map(|l| l.load.as_str()).collect();
    let n = held.len() as u64;
    let one = "# table held rows already and was left as it was";
    let many = "# tables held rows already and were left as they were";
    item(n, Tone::Plain, "loads", || format!("{}: {}.", phrase(n, one, many), some_of(&held, NAMED)))
}

fn warnings(report: &Report) -> Option<ActionItem> {
    let n = report.warnings.len() as u64;
    item(n, Tone::Plain, "warnings", || phrase(n, "There is # warning.", "There are # warnings."))
}

fn retries(report: &Report) -> Option<ActionItem> {
    let n = report.retries.len() as u64;
    let text = "A connection was lost and restored";
    item(n, Tone::Plain, "retries", || phrase(n, &format!("{text} once."), &format!("{text} # times.")))
}
