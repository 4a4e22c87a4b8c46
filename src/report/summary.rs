//! What a report comes to: which job it was, how it ended, and its sums.
//!
//! The worse of two statements counts: a record that says Done beside a check that differs is read as Differs.
//! The words for it are in `headline`.

use super::sections::Tone;
use crate::exit::Exit;
use crate::model::fault::Loss;
use crate::model::record::{CheckKind, CommandKind, LoadState, LossRecord, Report, RunState, Verdict};

/// The job that a command did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// The migration itself.
    Cutover,
    /// The same without writing.
    DryRun,
    /// The same on a throw-away server.
    Rehearsal,
    /// Source and target compared again.
    Verify,
    /// What a run put in, taken out.
    Rollback,
}

impl Job {
    /// The job of a report.
    pub fn of(report: &Report) -> Job {
        match report.command {
            CommandKind::Rehearse => Job::Rehearsal,
            CommandKind::Verify => Job::Verify,
            CommandKind::Rollback => Job::Rollback,
            CommandKind::Migrate | CommandKind::Plan | CommandKind::Status if report.dry_run => Job::DryRun,
            CommandKind::Migrate | CommandKind::Plan | CommandKind::Status => Job::Cutover,
        }
    }

    /// Its name in a title.
    pub fn title(self) -> &'static str {
        match self {
            Job::Cutover => "Migration",
            Job::DryRun => "Dry run",
            Job::Rehearsal => "Rehearsal",
            Job::Verify => "Verification",
            Job::Rollback => "Rollback",
        }
    }
}

/// How a command ended; what says Done beside a difference differs.
pub fn ended(report: &Report) -> Exit {
    match Exit::of(report.exit.code) {
        Exit::Done | Exit::Quarantined if Proof::of(report).differs > 0 => Exit::Differs,
        exit => exit,
    }
}

/// How an end is to be taken.
pub fn tone(exit: Exit) -> Tone {
    match exit {
        Exit::Done => Tone::Good,
        Exit::Quarantined | Exit::Stopped | Exit::Interrupted => Tone::Warn,
        Exit::Refused | Exit::Usage | Exit::Differs | Exit::Bug => Tone::Bad,
    }
}

/// The report that decides how a command over several mappings ended; none where there is none.
pub fn worst(reports: &[Report]) -> Option<&Report> {
    reports.iter().min_by_key(|report| ended(report).rank())
}

/// Verdicts, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Checks that say Same.
    pub same: u64,
    /// Checks and sequences that say Differs, and what was taken off and is not back.
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
        // A sequence that differs stands in both lists; counted once, and never lost where only one list has it.
        let sequences = report.sequences.iter().filter(|s| s.verdict == Verdict::Differs).count() as u64;
        let constraints_checked =
            report.checks.iter().any(|c| c.check == CheckKind::Constraints && c.verdict == Verdict::Differs);
        // While a run can go on, what is off is no difference yet.
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
    /// Rows that cannot go.
    pub faults: u64,
    /// Rows whose key was there.
    pub skipped: u64,
}

impl Totals {
    /// The sums of a report. Faults may be known of a run that has no loads to show.
    pub fn of(report: &Report) -> Totals {
        let mut sums = Totals { loads: report.loads.len() as u64, ..Totals::default() };
        for load in &report.loads {
            sums.complete += u64::from(matches!(load.state, LoadState::Loaded | LoadState::NotEmpty));
            sums.read += load.read;
            sums.written += load.written;
            sums.faults += load.faults;
            sums.skipped += load.skipped;
        }
        sums.faults = sums.faults.max(report.fault_total);
        sums
    }
}

/// Whether something was lost, as against changed without loss. A word that is not known counts as a loss.
pub fn is_loss(loss: &LossRecord) -> bool {
    Loss::ALL.into_iter().find(|l| l.word() == loss.modifier).is_none_or(Loss::is_loss)
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
