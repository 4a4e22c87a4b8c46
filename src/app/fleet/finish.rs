//! The end of a fleet: sequences, one comparison of all rows, and the state of the run.

use crate::exit::Exit;
use crate::job::{Stop, pause};
use crate::migrate::fleet::sums::{self, FleetSums};
use crate::migrate::fleet::whole::{self, ComparedFleet, WholeFleet};
use crate::model::fleet::MemberState;
use crate::model::ledger::Run;
use crate::model::record::{
    Check, CheckKind, FleetRecord, LoadRecord, LoadState, Report, RunState, SlowFile, StepKind, Verdict,
};
use crate::pg::{ServerError, Session};
use crate::plan::Plan;
use crate::report::lost_unasked;
use crate::verify;

use super::super::failure::Failure;
use super::super::record;
use super::omitted;
use super::plans::FilePlan;
use super::request::FleetRequest;

/// Most files that a report lists.
const LISTED: i64 = 100;

/// The pause between two looks at a fleet that another worker ends.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

/// Ends a fleet of which no file waits: one worker at a time.
pub fn finish(
    request: FleetRequest<'_>,
    run: &Run,
    first: &FilePlan,
    session: &mut Session,
    report: &mut Report,
) -> Result<Exit, Failure> {
    let m = request.m;
    while !m.try_lock(session).map_err(Failure::refused)? {
        if !pause(&m.world().asked, PAUSE) {
            return Ok(Exit::Interrupted);
        }
    }
    let began = m.world().elapsed();
    // Another worker may have ended the fleet while this one waited.
    let now = session.find_run(&m.mapping().name, &m.owner_identity()).map_err(Failure::refused)?;
    let ended = end(now.as_ref().unwrap_or(run), first, session, report);
    record::step(report, StepKind::Verify, began, m.world().elapsed());
    ended.map_err(Failure::refused)
}

fn end(run: &Run, first: &FilePlan, session: &mut Session, report: &mut Report) -> Result<Exit, Stop> {
    let whole = WholeFleet { plan: &first.plan, target: &first.target, run };
    // Asked before the sequences move: a file that is done since may have used ids that they do not cover.
    let is_in_work = [MemberState::Waiting, MemberState::Taken];
    let left = session.fleet_progress(run.id)?.counts.into_iter().any(|(state, _)| is_in_work.contains(&state));
    if run.state == RunState::Running {
        whole.set_sequences(session)?;
    }
    let compared = compared(session, run)?;
    report.checks.extend(compared.checks);
    report.checks.push(match left {
        false => whole.sequences_are_past(session)?,
        true => Check::not_checked(CheckKind::Sequences, None, "files are left; the last worker moves the sequences"),
    });
    report.loads = tables(run, &compared.sums);
    let counts = session.fleet_progress(run.id)?.counts;
    let of = |state| counts.get(&state).copied().unwrap_or(0);
    let is_same = report.checks.iter().all(|check| check.verdict != Verdict::Differs);
    let unfinished = of(MemberState::Waiting) + of(MemberState::Taken) + of(MemberState::Failed);
    let all = unfinished == 0 && of(MemberState::Quarantined) == 0;
    if is_same && all && run.state == RunState::Running && !session.end_fleet(run)? {
        // Another worker has brought new files meanwhile.
        return Ok(Exit::Stopped);
    }
    if is_same && unfinished == 0 && !all {
        session.note_end_with_quarantined(run)?;
    }
    report.state = if is_same && all { RunState::Done } else { RunState::Stopped };
    Ok(match (is_same, unfinished, of(MemberState::Quarantined)) {
        (false, _, _) => Exit::Differs,
        (true, 1.., _) => Exit::Stopped,
        (true, 0, 1..) => Exit::Quarantined,
        (true, 0, 0) => Exit::Done,
    })
}

/// Compares all rows of a fleet, and checks the objects of its tables.
pub fn compared(session: &mut Session, run: &Run) -> Result<ComparedFleet, Stop> {
    let mut compared = whole::compared(session, run)?;
    compared.checks.extend(verify::constraints_of_fleet(session, run)?);
    Ok(compared)
}

/// The rows of all files, by table.
pub fn tables(run: &Run, sums: &FleetSums) -> Vec<LoadRecord> {
    let record = |table: &String| {
        let rows = sums.tables.get(table).map_or(0, |rows| rows.rows);
        let skipped = sums.omitted.skipped.get(table).copied().unwrap_or(0);
        LoadRecord {
            load: table.clone(),
            source: "files".to_owned(),
            target: format!("{}.{table}", run.judged.schema),
            read: rows + skipped,
            class: String::new(),
            state: LoadState::Loaded,
            written: rows,
            faults: 0,
            skipped,
            lanes: 1,
            started: 0.0,
            seconds: 0.0,
        }
    };
    run.judged.shared.iter().map(record).collect()
}

/// Adds the files of the fleet to the report, and everything that is not in the target as they have it.
pub fn note(session: &mut Session, run: &Run, plan: Option<&Plan>, report: &mut Report) -> Result<(), Stop> {
    let sums = sums::read(session, run)?;
    report.fleet = Some(files(session, run, &sums)?);
    omitted::record(report, plan, &sums.omitted);
    Ok(())
}

/// The exit of a command whose files are all loaded, if values lost something that no line of the mapping allows.
pub fn with_losses(exit: Exit, report: &Report) -> Exit {
    if exit == Exit::Done && lost_unasked(report) > 0 { Exit::Quarantined } else { exit }
}

fn files(session: &mut Session, run: &Run, sums: &FleetSums) -> Result<FleetRecord, ServerError> {
    let counts = session.fleet_progress(run.id)?.counts;
    let of = |state| counts.get(&state).copied().unwrap_or(0);
    let slow = |(millis, path, rows): &(i64, String, u64)| SlowFile {
        path: path.clone(),
        rows: *rows,
        seconds: *millis as f64 / 1_000.0,
    };
    Ok(FleetRecord {
        files: counts.values().sum(),
        done: of(MemberState::Done),
        quarantined: of(MemberState::Quarantined),
        failed: of(MemberState::Failed),
        waiting: of(MemberState::Waiting),
        taken: of(MemberState::Taken),
        begun: sums.begun,
        here: 0,
        per_second: None,
        unfinished: session.unfinished_members(run.id, LISTED)?,
        slowest: sums.slowest.iter().map(slow).collect(),
    })
}
