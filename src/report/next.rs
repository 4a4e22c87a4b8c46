//! The next sensible command after each end of each command.
//!
//! The command repeats the arguments that named mapping, source, target and ledger, so that it can be copied as it is.

use super::summary::{ended, is_stopped_by_faults};
use crate::exit::Exit;
use crate::model::record::{Activity, CommandKind, FleetRecord, Report, RunState};

/// The next command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// Its purpose.
    pub words: &'static str,
    /// Its arguments, each quoted for a shell.
    pub arguments: Vec<String>,
}

impl Next {
    /// `migrate` with the given words before and after the arguments that are repeated.
    fn new(words: &'static str, before: &[&str], repeated: &[String], after: &[&str]) -> Next {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let all = [own(&["migrate"]), own(before), repeated.to_vec(), own(after)].concat();
        Next { words, arguments: all.iter().map(|argument| quoted(argument)).collect() }
    }

    /// The command on one line.
    pub fn command(&self) -> String {
        self.arguments.join(" ")
    }
}

/// The next command after a report.
pub fn next(report: &Report) -> Next {
    let own = report.arguments.as_slice();
    // Only a rehearsal takes the server, and only a cutover creates tables.
    let same = own.strip_suffix(&GIVEN_SERVER.map(str::to_owned)).unwrap_or(own);
    let same = same.strip_suffix(&CREATES.map(str::to_owned)).unwrap_or(same);
    let rehearse = |words| Next::new(words, &["rehearse"], own, &[]);
    if is_of_fleet(report) {
        return next_of_fleet(report, same);
    }
    match (ended(report), report.activity()) {
        (Exit::Usage, Activity::Cutover | Activity::DryRun) => Next::new("Correct the call.", &[], &[], &["--help"]),
        (Exit::Usage, _) => Next::new("Correct the call.", &[report.command.word()], &[], &["--help"]),
        (Exit::Differs, Activity::Rehearsal) => {
            Next::new("Look at both values of each row that differs.", &["rehearse"], own, &["--show-values"])
        }
        (Exit::Differs, _) => {
            Next::new("Look at both values of each row that differs.", &["verify"], same, &["--show-values"])
        }
        (Exit::Stopped, Activity::Cutover) if is_stopped_by_faults(report) => Next::new(
            "Fix the rows that are listed, and resume after the last row that is in the target.",
            &[],
            same,
            &["--yes"],
        ),
        (Exit::Stopped | Exit::Interrupted | Exit::Bug, activity) => again(activity, own),
        (Exit::Refused, _) if report.fault_total > 0 => {
            let reason = report.faults.first().map_or("", |fault| fault.reason.word());
            let reason = if reason.is_empty() { vec!["explain"] } else { vec!["explain", reason] };
            Next::new("Read the ways out of the first reason, and what each one loses.", &reason, &[], &[])
        }
        (Exit::Refused, Activity::Rehearsal) => rehearse("Resolve what is listed, and rehearse again."),
        (Exit::Refused, Activity::Rollback | Activity::Verification) => {
            Next::new("Read what the ledger knows of the run.", &["status"], same, &[])
        }
        (Exit::Refused, _) => {
            Next::new("Resolve what is listed, and check again. Nothing is written.", &[], own, &["--dry-run"])
        }
        (Exit::Done | Exit::Quarantined, activity) => after(activity, report, same),
    }
}

fn is_of_fleet(report: &Report) -> bool {
    use CommandKind::{Fleet, FleetRollback, FleetStatus, FleetVerify};
    matches!(report.command, Fleet | FleetRollback | FleetStatus | FleetVerify)
}

/// The next command after a command of a fleet.
fn next_of_fleet(report: &Report, same: &[String]) -> Next {
    let fleet = |words, before: &[&str], after: &[&str]| {
        let named = if before.is_empty() { same.to_vec() } else { without_files(same) };
        Next::new(words, &[&["fleet"], before].concat(), &named, after)
    };
    let counted = |files: fn(&FleetRecord) -> u64| report.fleet.as_ref().is_some_and(|fleet| files(fleet) > 0);
    let has_quarantined = counted(|fleet| fleet.quarantined);
    let has_waiting = counted(|fleet| fleet.waiting + fleet.taken);
    match (ended(report), report.command) {
        (Exit::Usage, _) => Next::new("Correct the call.", &["fleet"], &[], &["--help"]),
        (Exit::Differs, _) => fleet("Compare again. Nothing is written.", &["verify"], &[]),
        (Exit::Refused, CommandKind::Fleet) => {
            fleet("Resolve what is listed, and check again. Nothing is written.", &[], &["--dry-run"])
        }
        (Exit::Refused, _) => fleet("Read what the ledger knows of the fleet.", &["status"], &[]),
        (Exit::Stopped | Exit::Interrupted | Exit::Bug, CommandKind::Fleet) if report.dry_run => {
            fleet("Check again. Nothing is written.", &[], &["--dry-run"])
        }
        (Exit::Stopped | Exit::Interrupted | Exit::Bug, CommandKind::Fleet) => {
            fleet("Continue with the files that are not loaded.", &[], &["--yes"])
        }
        (_, CommandKind::Fleet) if report.dry_run => {
            fleet("Stop the application. Then load the files.", &[], &["--yes"])
        }
        (_, CommandKind::Fleet) if has_quarantined => {
            fleet("Repair the files that are listed, and try them again.", &[], &["--yes", "--retry", "quarantined"])
        }
        (Exit::Done, CommandKind::FleetVerify) => Next::new(SWITCH, &["guide", "cutover"], &[], &[]),
        (_, CommandKind::FleetStatus | CommandKind::FleetVerify) if has_waiting => {
            Next::new("Continue with the files that are not loaded.", &["fleet"], same, &[FILES, &["--yes"]].concat())
        }
        (_, CommandKind::FleetStatus | CommandKind::FleetVerify) if has_quarantined => {
            let again = [FILES, &["--yes", "--retry", "quarantined"]].concat();
            Next::new("Repair the files that are listed, and try them again.", &["fleet"], same, &again)
        }
        (_, CommandKind::FleetRollback) => fleet("Read what is left of the fleet.", &["status"], &[]),
        _ => fleet("Compare all rows again. Nothing is written.", &["verify"], &[]),
    }
}

/// The repeated arguments without those that name files, which only the work itself takes.
fn without_files(same: &[String]) -> Vec<String> {
    let pairs = same.chunks(2).filter(|pair| !matches!(pair[0].as_str(), "--sources" | "--owner-from" | "--owner-sql"));
    pairs.flatten().cloned().collect()
}

/// The command that continues after a stop.
fn again(activity: Activity, same: &[String]) -> Next {
    match activity {
        Activity::Cutover => Next::new("Resume after the last row that is in the target.", &[], same, &["--yes"]),
        Activity::Rollback => Next::new("Roll back again.", &["rollback"], same, &["--yes"]),
        Activity::DryRun => Next::new("Check again. Nothing is written.", &[], same, &["--dry-run"]),
        Activity::Rehearsal => Next::new("Rehearse again.", &["rehearse"], same, &[]),
        Activity::Verification => Next::new("Compare again. Nothing is written.", &["verify"], same, &[]),
    }
}

/// The command after an activity that did its work.
fn after(activity: Activity, report: &Report, same: &[String]) -> Next {
    let target: &[&str] =
        if same.iter().any(|argument| argument == TARGET) { &["--dry-run"] } else { &["-t", TARGET, "--dry-run"] };
    match activity {
        Activity::DryRun if report.target.is_none() => {
            Next::new("Check against the target's own tables, too. Nothing is written.", &[], same, target)
        }
        Activity::DryRun => Next::new("Stop the application. Then load the rows.", &[], &report.arguments, &["--yes"]),
        Activity::Rehearsal => Next::new("Check against the target itself. Nothing is written.", &[], same, target),
        Activity::Cutover => {
            Next::new("Compare once more, just before the application is switched over.", &["verify"], same, &[])
        }
        Activity::Verification => Next::new(SWITCH, &["guide", "cutover"], &[], &[]),
        Activity::Rollback => {
            Next::new("Check again before the next run. Nothing is written.", &[], same, &["--dry-run"])
        }
    }
}

/// The next command after `migrate plan`, as its last lines.
pub fn after_plan(arguments: &[String]) -> String {
    let next = Next::new("Read and convert every row. Nothing is written.", &[], arguments, &["--dry-run"]);
    format!("Next: {}\n  {}\n", next.words, next.command())
}

/// The next command after `migrate init`, as its last lines but one.
pub fn after_init(arguments: &[String], has_questions: bool) -> String {
    let words = match has_questions {
        true => "Answer the questions in the file, and check it. Nothing is written.",
        false => "Read the file, and check every row. Nothing is written.",
    };
    let next = Next::new(words, &[], arguments, &["--dry-run"]);
    format!("Next: {}\n  {}\n", next.words, next.command())
}

/// The next command after `migrate status`, as its last lines. `state`: of the run that decides, `None` if there is no run.
pub fn after_status(arguments: &[String], state: Option<RunState>, is_at_work: bool) -> String {
    let next = match state {
        _ if is_at_work => Next::new("Wait until the process has ended.", &["status"], arguments, &[]),
        None | Some(RunState::RolledBack) => {
            Next::new("Read and convert every row. Nothing is written.", &[], arguments, &["--dry-run"])
        }
        Some(RunState::Done) => Next::new("Compare again. Nothing is written.", &["verify"], arguments, &[]),
        Some(_) => again(Activity::Cutover, arguments),
    };
    format!("Next: {}\n  {}\n", next.words, next.command())
}

/// The next command after `migrate forget`, as its last lines.
pub fn after_forget(arguments: &[String]) -> String {
    let next = again(Activity::Verification, arguments);
    format!("Next: {}\n  {}\n", next.words, next.command())
}

/// The files of a fleet, whose ledger does not keep the way in which they were named.
const FILES: &[&str] = &["--sources", "FILES"];

/// The purpose of the runbook after a verification.
const SWITCH: &str = "Switch the application over. The runbook has the steps after it.";

/// The variable in place of a connection string, which may hold a password.
const TARGET: &str = "$DATABASE_URL";

/// The variable in place of the connection string of a server for rehearsals.
const SERVER: &str = "$SERVER_URL";

/// The arguments that name a server for a rehearsal. They are the last of those that a following rehearsal repeats.
pub const GIVEN_SERVER: [&str; 2] = ["--server", SERVER];

/// The argument of a cutover that creates its tables. It is the last of those that a following cutover repeats.
pub const CREATES: [&str; 1] = ["--create"];

/// A word, quoted for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    match word {
        TARGET | SERVER => format!("\"{word}\""),
        word if !word.is_empty() && word.chars().all(plain) => word.to_owned(),
        word => format!("'{}'", word.replace('\'', "'\\''")),
    }
}
