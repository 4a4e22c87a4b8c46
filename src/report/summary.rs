//! The summary of a report: title, end, counted verdicts and sums.
//!
//! The worse of two statements counts: a record that says Done and has a check that differs is read as Differs.
//! The words for it are in `headline`.

use super::tone::Tone;
use crate::exit::Exit;
use crate::model::fault::Loss;
use crate::model::record::{
    Activity, CheckKind, CommandKind, LoadState, LossRecord, Report, RunState, Verdict, WarningKind,
};

/// The name of a command in a title.
pub fn title(report: &Report) -> &'static str {
    match report.activity() {
        _ if report.command == CommandKind::FleetStatus => "State of the fleet",
        Activity::Cutover if report.command == CommandKind::Fleet => "Fleet",
        Activity::Cutover => "Migration",
        Activity::DryRun => "Dry run",
        Activity::Rehearsal => "Rehearsal",
        Activity::Verification => "Verification",
        Activity::Rollback => "Rollback",
    }
}

/// The end of a command. A record that says Done and has a difference differs.
pub fn ended(report: &Report) -> Exit {
    match Exit::of(report.exit.code) {
        Exit::Done | Exit::Quarantined if Proof::of(report).differs > 0 => Exit::Differs,
        exit => exit,
    }
}

/// The tone of an end.
pub fn tone(exit: Exit) -> Tone {
    match exit {
        Exit::Done => Tone::Good,
        Exit::Quarantined | Exit::Stopped | Exit::Interrupted => Tone::Warn,
        Exit::Refused | Exit::Usage | Exit::Differs | Exit::Bug => Tone::Bad,
    }
}

/// The report that decides the end of a command over several mappings. `None` if there is no report.
pub fn worst(reports: &[Report]) -> Option<&Report> {
    reports.iter().min_by_key(|report| ended(report).rank())
}

/// Verdicts, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Checks that say Same.
    pub same: u64,
    /// Checks and sequences that say Differs, and detached objects that are not reattached.
    pub differs: u64,
    /// Checks that were not made.
    pub not_checked: u64,
    /// Some content was compared.
    pub content: bool,
}

impl Proof {
    /// The verdicts of a report.
    pub fn of(report: &Report) -> Proof {
        let number = |v: Verdict| report.checks.iter().filter(|c| c.verdict == v).count() as u64;
        let sequences_checked =
            report.checks.iter().any(|c| c.check == CheckKind::Sequences && c.verdict == Verdict::Differs);
        // A sequence that differs is in both lists. It counts once, and also if only one list has it.
        let sequences = report.sequences.iter().filter(|s| s.verdict == Verdict::Differs).count() as u64;
        let constraints_checked =
            report.checks.iter().any(|c| c.check == CheckKind::Constraints && c.verdict == Verdict::Differs);
        // As long as a run can be resumed, a detached object is no difference.
        let off = report.detached.iter().filter(|d| !d.back && report.state == RunState::Done).count() as u64;
        Proof {
            same: number(Verdict::Same),
            differs: number(Verdict::Differs)
                + if sequences_checked { 0 } else { sequences }
                + if constraints_checked { 0 } else { off },
            not_checked: number(Verdict::NotChecked),
            content: report.checks.iter().any(|c| c.check == CheckKind::Content && c.verdict == Verdict::Same),
        }
    }
}

/// Sums over the loads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Loads.
    pub loads: u64,
    /// Loads that are complete.
    pub complete: u64,
    /// Rows read.
    pub read: u64,
    /// Rows in the target.
    pub written: u64,
    /// Faulty rows.
    pub faults: u64,
    /// Rows whose key existed.
    pub skipped: u64,
}

impl Totals {
    /// The sums of a report. A run without loads may have faults, too.
    pub fn of(report: &Report) -> Totals {
        let mut sums = Totals { loads: report.loads.len() as u64, ..Totals::default() };
        for load in &report.loads {
            sums.complete += u64::from(matches!(load.state, LoadState::Loaded | LoadState::NotEmpty));
            sums.read += load.read;
            sums.written += load.written;
            sums.faults += load.faults;
            sums.skipped += load.skipped;
        }
        // A row may have several faults. Without loads, only the number of faults is known.
        if sums.faults == 0 {
            sums.faults = report.fault_total;
        }
        sums
    }
}

/// Returns true if faulty rows stopped the command: every other stop has a refusal.
pub fn is_stopped_by_faults(report: &Report) -> bool {
    ended(report) == Exit::Stopped && report.refusals.is_empty() && report.fault_total > 0
}

/// Returns true if the value lost something. An unknown modifier counts as a loss.
pub fn is_loss(loss: &LossRecord) -> bool {
    Loss::ALL.into_iter().find(|l| l.word() == loss.modifier).is_none_or(Loss::is_loss)
}

/// Returns true for a loss that the type of the column makes, not a line of the mapping.
pub fn is_made_by_the_type(loss: &LossRecord) -> bool {
    Loss::ALL.into_iter().any(|l| l.word() == loss.modifier && l.is_made_by_the_type())
}

/// The number of values that lost something without a line of the mapping that allows it.
pub fn lost_unasked(report: &Report) -> u64 {
    let misread = report.warnings.iter().map(|warning| match warning.kind {
        WarningKind::Misread(count) => count,
        _ => 0,
    });
    let by_type = report.losses.iter().filter(|loss| is_made_by_the_type(loss));
    by_type.map(|loss| loss.count).chain(misread).sum()
}

/// `users 1 (username = suricata), made by this run`
pub fn owner_words(report: &Report) -> Option<String> {
    let owner = report.owner.as_ref()?;
    let found: Vec<String> = owner.natural.iter().map(|(column, value)| format!("{column} = {value}")).collect();
    let key = owner.key.as_ref().map_or_else(String::new, |key| format!(" {key}"));
    let natural = if found.is_empty() { String::new() } else { format!(" ({})", found.join(", ")) };
    let made = match (owner.made, owner.key.is_some()) {
        (true, _) => ", made by this run",
        (false, true) => ", was there already",
        (false, false) => ", not settled yet",
    };
    Some(format!("{}{key}{natural}{made}", owner.table))
}
