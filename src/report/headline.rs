//! The verdict of a report: a label of a few words, and one or two sentences.
//!
//! Each activity has one sentence for each end. The forms add nothing.

use std::collections::BTreeSet;

use super::fleet;
use super::next::GIVEN_SERVER;
use super::summary::{Proof, Totals, ended, is_stopped_by_faults, lost_unasked, tone};
use super::tone::Tone;
use crate::exit::Exit;
use crate::model::record::{Activity, Check, CheckKind, Report, RunState, Verdict, WarningKind};
use crate::text::{count, grouped, phrase, some_of};

/// The verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    /// Its tone.
    pub tone: Tone,
    /// A few words: `Done and verified`.
    pub label: String,
    /// One or two sentences.
    pub sentence: String,
}

/// The verdict of a report in words.
pub fn headline(report: &Report) -> Headline {
    let exit = ended(report);
    let (label, sentence) = fleet::headline(report, exit).unwrap_or_else(|| match exit {
        Exit::Done | Exit::Quarantined => done(report, exit),
        Exit::Differs => ("Differs".to_owned(), differs(report)),
        Exit::Stopped => ("Stopped".to_owned(), stopped(report)),
        Exit::Interrupted => ("Interrupted".to_owned(), stopped(report)),
        Exit::Refused => ("Refused".to_owned(), refused(report)),
        Exit::Usage => ("Not understood".to_owned(), refused(report)),
        Exit::Bug => ("Internal error".to_owned(), bug(report)),
    });
    let label = if report.dry_run && report.activity() == Activity::DryRun {
        format!("Dry run: {}", lower(&label))
    } else {
        label
    };
    let tone = if exit == Exit::Done && unproved(report) { Tone::Warn } else { tone(exit) };
    Headline { tone, label, sentence }
}

/// Returns true if contents were not compared, or not all of them.
fn unproved(report: &Report) -> bool {
    let proves = matches!(report.activity(), Activity::Cutover | Activity::Rehearsal | Activity::Verification);
    let gap =
        |c: &Check| matches!(c.check, CheckKind::Content | CheckKind::Computed) && c.verdict == Verdict::NotChecked;
    proves && (!Proof::of(report).content || report.checks.iter().any(gap))
}

fn lower(label: &str) -> String {
    let mut chars = label.chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}

fn done(report: &Report, exit: Exit) -> (String, String) {
    let job = report.activity();
    let sums = Totals::of(report);
    let set_aside = exit == Exit::Quarantined;
    let rows = format!("{} of {}", count(sums.written, "row", "rows"), count(sums.loads, "load", "loads"));
    match job {
        Activity::DryRun => dry(report, sums, set_aside),
        Activity::Rollback => ("Rolled back".to_owned(), rolled_back(report)),
        Activity::Verification => (
            label("Verified", report, set_aside),
            format!("Source and target {} {rows}.{} Nothing was written.", agree(report), proof(report)),
        ),
        Activity::Rehearsal => (
            label("Rehearsed", report, set_aside),
            format!(
                "{rows} were loaded into {}.{} No other database was touched.",
                rehearsed_in(report),
                proof(report)
            ),
        ),
        Activity::Cutover => {
            let place = report.target.as_deref().unwrap_or("the target");
            (label("Done", report, set_aside), format!("{rows} are in {place}.{}", proof(report)))
        }
    }
}

fn rolled_back(report: &Report) -> String {
    let stays = report.warnings.iter().filter(|w| w.kind == WarningKind::Stays);
    let stays: Vec<String> = stays.map(|w| w.place.clone()).collect();
    if stays.is_empty() {
        return "The rows of the run are removed from the target.".to_owned();
    }
    format!("The rows of the run are removed from the target. Still there: {}.", some_of(&stays, 3))
}

/// The place of a rehearsal in words.
fn rehearsed_in(report: &Report) -> &'static str {
    match report.arguments.iter().any(|argument| *argument == GIVEN_SERVER[0]) {
        true => "a database that was made for it on the given server and is dropped",
        false => "a throw-away PostgreSQL",
    }
}

/// The agreement of source and target in words.
fn agree(report: &Report) -> &'static str {
    if Proof::of(report).content { "agree on" } else { "agree on the number of rows at most:" }
}

fn label(done: &str, report: &Report, set_aside: bool) -> String {
    let proof = Proof::of(report);
    let verified = if done == "Verified" { done.to_owned() } else { format!("{done} and verified") };
    let label = match (proof.content, proof.not_checked) {
        (false, _) => format!("{done}, contents not compared"),
        (true, 0) => verified,
        (true, n) => format!("{verified}, but {} not made", count(n, "check", "checks")),
    };
    let sums = Totals::of(report);
    if set_aside { format!("{label}; {}", arrived_otherwise(sums.faults, lost_unasked(report))) } else { label }
}

/// `2 rows quarantined and 1 value changed`
fn arrived_otherwise(rows: u64, values: u64) -> String {
    let rows_out = format!("{} quarantined", count(rows, "row", "rows"));
    let changed = format!("{} changed", count(values, "value", "values"));
    match (rows, values) {
        (_, 0) => rows_out,
        (0, _) => changed,
        _ => format!("{rows_out} and {changed}"),
    }
}

fn proof(report: &Report) -> String {
    let proof = Proof::of(report);
    match (proof.same, proof.not_checked) {
        (0, 0) => " Nothing was checked.".to_owned(),
        (same, 0) => format!(" {}", phrase(same, "The one check says Same.", "All # checks say Same.")),
        (0, n) => not_made(n),
        (same, n) => {
            let same = phrase(same, " # check says Same.", " # checks say Same.");
            // If contents were compared, the label counts the checks that were not made.
            if proof.content { same } else { same + &not_made(n) }
        }
    }
}

fn not_made(n: u64) -> String {
    if n == 0 { String::new() } else { format!(" {}", phrase(n, "# check was not made.", "# checks were not made.")) }
}

fn dry(report: &Report, sums: Totals, set_aside: bool) -> (String, String) {
    let unchecked = not_made(Proof::of(report).not_checked);
    let of = count(sums.loads, "load", "loads");
    let changed = lost_unasked(report);
    let changes = match changed {
        0 => String::new(),
        _ => format!(" {} would lose something that no line of the mapping allows.", count(changed, "value", "values")),
    };
    if set_aside && sums.faults > 0 {
        let rows = count(sums.faults, "row", "rows");
        let words = format!("{rows} of {} would be quarantined, as the mapping allows.", grouped(sums.read));
        return (
            "Ready, with rows to quarantine".to_owned(),
            format!("{words}{changes}{unchecked} Nothing was written."),
        );
    }
    let rows = count(sums.read, "row", "rows");
    if report.target.is_none() {
        let words = format!("{rows} of {of} were found. Nothing that needs a target was judged.{unchecked}");
        return ("Source only".to_owned(), format!("{words} Nothing was written."));
    }
    let ready = if changed > 0 { "Ready, with values that change" } else { "Ready" };
    let says = format!("{rows} of {of} can be loaded as the mapping says");
    let open: Vec<&Check> = report.checks.iter().filter(|check| is_open(check)).collect();
    if open.is_empty() {
        return (ready.to_owned(), format!("{says}.{changes}{unchecked} Nothing was written."));
    }
    let names: BTreeSet<String> = open.iter().map(|check| named(check)).collect();
    let names = some_of(&names.into_iter().collect::<Vec<_>>(), 3);
    let words = format!("{says}, unless the server refuses one when it is written: {names} was not checked.");
    let label = format!("{ready}, except for {}", count(open.len() as u64, "check", "checks"));
    (label, format!("{words}{changes} Nothing was written."))
}

/// Returns true if a dry run did not make the check, and the run may stop for it.
fn is_open(check: &Check) -> bool {
    check.verdict == Verdict::NotChecked && check.check != CheckKind::Content
}

/// A check of a load in words: `trigger (orders)`.
fn named(check: &Check) -> String {
    check.load.as_ref().map_or_else(|| check.check.word().to_owned(), |load| format!("{} ({load})", check.check.word()))
}

fn differs(report: &Report) -> String {
    let proof = Proof::of(report);
    let differing: Vec<&Check> = report.checks.iter().filter(|c| c.verdict == Verdict::Differs).collect();
    let mut names: Vec<String> = differing.iter().map(|check| named(check)).collect();
    if names.is_empty() {
        names.extend(report.sequences.iter().filter(|s| s.verdict == Verdict::Differs).map(|s| s.sequence.clone()));
        names.extend(report.detached.iter().filter(|d| !d.back).map(|d| format!("{} is not reattached", d.object)));
    }
    let found = if names.is_empty() { String::new() } else { format!(": {}", some_of(&names, 3)) };
    let advice = match report.activity() {
        Activity::Rehearsal => "Do not run the cutover until it is explained.",
        Activity::Verification => "Do not rely on the target until it is explained.",
        _ => "Do not switch the application over until it is explained.",
    };
    if proof.differs == 0 {
        return format!("A difference was found. {advice}");
    }
    format!("{} found a difference{found}. {advice}", count(proof.differs, "check", "checks"))
}

fn stopped(report: &Report) -> String {
    if let Some(unwritten) = unwritten(report) {
        return format!("It did not finish. {unwritten}");
    }
    let sums = Totals::of(report);
    if report.state == RunState::Planned {
        return "It ended before the first row: nothing was written.".to_owned();
    }
    let resumes = match is_stopped_by_faults(report) {
        true => "Once the faulty rows are fixed, the same command resumes the run.",
        false => "The same command resumes the run.",
    };
    if report.loads.is_empty() {
        return format!("Committed batches are whole; their number could not be read. {resumes}");
    }
    let rows =
        phrase(sums.written, "# row is in the target, in whole batches", "# rows are in the target, in whole batches");
    let loads = phrase(sums.loads, "the one load", "# loads");
    format!("{rows}; {} of {loads} complete. {resumes}", grouped(sums.complete))
}

fn bug(report: &Report) -> String {
    let state = match (unwritten(report), report.state) {
        (Some(unwritten), _) => unwritten.to_owned(),
        (None, RunState::Planned) => "Nothing was written.".to_owned(),
        (None, _) => stopped(report),
    };
    format!("This is a mistake in migrate itself; please report it. {state}")
}

/// The state after an activity that leaves nothing on the target if it stops early. `None` for the cutover.
fn unwritten(report: &Report) -> Option<&'static str> {
    match report.activity() {
        Activity::Cutover => None,
        Activity::DryRun | Activity::Verification => Some("Nothing was written."),
        Activity::Rehearsal => Some("No other database was touched."),
        // One transaction.
        Activity::Rollback if report.state == RunState::RolledBack => Some("The rows of the run are removed."),
        Activity::Rollback => Some("Nothing was removed."),
    }
}

fn refused(report: &Report) -> String {
    let mut why = Vec::new();
    let reasons = report.refusals.len() as u64;
    if reasons > 0 {
        why.push(phrase(reasons, "# problem must be fixed first", "# problems must be fixed first"));
    }
    if report.fault_total > 0 {
        let rows = Totals::of(report).faults;
        why.push(phrase(rows, "# row cannot be loaded as it is", "# rows cannot be loaded as they are"));
    }
    let nothing = match report.state {
        RunState::Planned => "nothing was written",
        _ => "this command wrote nothing; the rows of the previous command are unchanged",
    };
    if why.is_empty() {
        return format!("{}{}.", nothing[..1].to_uppercase(), &nothing[1..]);
    }
    format!("{}; {nothing}.", why.join(" and "))
}
