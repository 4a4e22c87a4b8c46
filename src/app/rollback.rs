//! `migrate rollback`: removes the rows of a run, and reports what became of everything that it made.
//!
//! `migrate::rollback` decides which rows belong to the run.

use crate::exit::Exit;
use crate::job::Stop;
use crate::migrate;
use crate::migrate::rollback::{self, RecordedRun, RollbackResult};
use crate::model::ledger::{MadeKind, Run};
use crate::model::record::{Refusal, Report, RunState, Warning};
use crate::pg::Session;
use crate::pg::rollback::{OwnerRollback, SequenceRollback};
use crate::plan::Plan;

use super::create;
use super::ending::Leaves;
use super::failure::Failure;
use super::session::Migration;
use super::situation::{Situation, confirm};

const NOTHING: &str = "Nothing was removed.";

/// Removes the rows of the run, and reports it.
pub fn carry_out(
    m: &Migration<'_>,
    session: &mut Session,
    situation: Situation<'_>,
    report: &mut Report,
) -> Result<Exit, Failure> {
    let Situation { planned, ledger, .. } = situation;
    let Some(run) = ledger.run else { return without_run(m, session, report) };
    report.run = Some(run.id.to_string());
    if ledger.made.iter().any(|made| made.kind == MadeKind::Forgotten) {
        let reason = "`migrate forget` removed the previous rows that a rollback restores";
        report.refusals.push(Refusal::new(
            "target",
            reason,
            "Restore the target from a backup that is older than the run.",
        ));
        return Ok(Exit::Refused);
    }
    if m.asks() {
        confirm(m, session, planned.plan)?;
    }
    let run = m.resume(session, &ledger.state, run, None)?;
    // The batches that the previous process committed in the meantime count, too.
    let recorded = recorded(m, session, planned.plan, &run).map_err(Failure::refused)?;
    let (settled, sizes) = (m.constants(Some(&run)), Default::default());
    let job = m.job(planned, &settled, &sizes);
    m.world().ending.note(Leaves::Rollback);
    match rollback::remove(&job, session, &run, &recorded) {
        Ok(removed) => {
            report.state = RunState::RolledBack;
            record(removed, report);
            Ok(Exit::Done)
        }
        Err(Stop::Refused(refusals)) => {
            report.refusals.extend(refusals);
            Ok(Exit::Refused)
        }
        Err(stop) => {
            let is_asked = m.check_stop().is_err();
            let (exit, advice) = match &stop {
                Stop::Interrupted => (Exit::Interrupted, NOTHING),
                Stop::Target(e) if e.is_cancelled() && is_asked => (Exit::Interrupted, NOTHING),
                Stop::Target(e) if !e.lost => (Exit::Refused, NOTHING),
                Stop::Source(_) => (Exit::Refused, NOTHING),
                // The answer to the commit may be lost.
                _ if is_asked => (Exit::Interrupted, Leaves::Rollback.words()),
                _ => (Exit::Stopped, Leaves::Rollback.words()),
            };
            report.refusals.push(Refusal::new("target", stop.to_string(), advice));
            Ok(exit)
        }
    }
}

/// Drops the tables of `--create` of which no run began.
fn without_run(m: &Migration<'_>, session: &mut Session, report: &mut Report) -> Result<Exit, Failure> {
    if let Some(removed) = create::remove(m, session).map_err(Failure::refused)? {
        create::record(&removed, report);
        report.state = RunState::RolledBack;
        return Ok(Exit::Done);
    }
    let reason = "the ledger contains no run of this mapping";
    report.refusals.push(Refusal::new("target", reason, "There is nothing to roll back."));
    Ok(Exit::Refused)
}

/// Reads the run as the ledger records it, and looks for its owner.
fn recorded(m: &Migration<'_>, session: &mut Session, plan: &Plan, run: &Run) -> Result<RecordedRun, Stop> {
    let settled = m.constants(Some(run));
    m.reconnect().retrying(session, |session| {
        let query = migrate::owner::query(session, plan, &settled)?;
        let (ledger, found) = m.read_own_ledger(session, query.as_ref())?;
        let owner = match plan.settled_owner().zip(found) {
            Some((owner, found)) => migrate::owner::one(owner, found)?,
            None => None,
        };
        Ok(RecordedRun { ledger, owner })
    })
}

/// Adds to the report what was removed, and what stays.
fn record(removed: RollbackResult, report: &mut Report) {
    for (load, rows) in removed.loads {
        report.warnings.push(Warning::removed(
            format!("load.{load}"),
            crate::text::count(rows, "row is removed", "rows are removed"),
        ));
    }
    for (table, rows) in removed.restored {
        let message = format!("{rows} rows that the run had removed or written over are as before");
        report.warnings.push(Warning::removed(format!("table {table}"), message));
    }
    if let Some(created) = &removed.created {
        create::record(created, report);
    }
    report.warnings.extend(removed.owner.map(|owner| match owner {
        OwnerRollback::Deleted => Warning::removed("owner", "the row that the run made is removed"),
        OwnerRollback::Kept(why) => Warning::stays("owner", why),
    }));
    report.warnings.extend(removed.sequences.into_iter().map(|(sequence, rewound)| {
        let place = format!("sequence {sequence}");
        match rewound {
            SequenceRollback::Kept(why) => Warning::stays(place, why),
            _ => Warning::removed(place, "has its previous value again"),
        }
    }));
}
