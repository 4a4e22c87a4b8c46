//! `migrate forget`: removes the rows that the ledger keeps for a rollback, which ends the possibility of one.

use serde::Serialize;

use crate::cli::{Forget, Reporting, Work};
use crate::event::Observer;
use crate::model::ledger::{LEDGER_VERSION, LedgerState, MadeKind};
use crate::model::record::{Activity, CommandKind, Refusal, Report, RunState};
use crate::pg::ledger::LedgerView;
use crate::resume;
use crate::text::count;

use super::failure::Failure;
use super::inputs;
use super::session::{Migration, Request};
use super::world::World;

/// The first version of the ledger that keeps previous rows.
const KEEPS_ROWS: i32 = 3;

/// The result of the command.
#[derive(Clone, Debug, Serialize)]
pub struct Forgotten {
    /// The number of the run.
    pub run: i64,
    /// The mapping's name.
    pub mapping: String,
    /// The number of previous rows that the ledger kept until now.
    pub removed: u64,
}

/// Removes the previous rows of the mapping's finished run from the ledger.
///
/// # Errors
/// If `--yes` is missing, the run is not finished, another process works on it, or the target refuses.
pub fn command(args: &Forget, world: &World, observer: &dyn Observer) -> Result<Forgotten, Failure> {
    if !args.yes {
        let reason = "nothing was done; --yes was not given, and a run that is forgotten cannot be rolled back";
        return Err(refused("forget", reason, "`migrate status` lists what the ledger keeps. Then add --yes."));
    }
    let file = inputs::one_mapping(&args.common, world)?;
    let reporting = Reporting::default();
    // The same locks as a rollback, which must not run at the same time.
    let request = Request {
        common: &args.common,
        reporting: &reporting,
        work: Work::default(),
        activity: Activity::Rollback,
        asks: false,
    };
    let m = Migration::new(request, file, world, observer)?;
    let mut report = Report::new(CommandKind::Forget, &m.mapping().name);
    let Some(mut session) = m.open_target(&mut report)? else {
        return Err(refused("target", "no target was named", "Name it with -t."));
    };
    m.lock(&mut session, &mut report)?;
    let ledger = m.read_ledger(&mut session).map_err(Failure::refused)?;
    if let Some(refusal) = resume::unusable(&ledger.state) {
        return Err(Failure::refused(refusal));
    }
    let run = forgettable(&ledger)?;
    if let LedgerState::Version(version) = ledger.state
        && version < LEDGER_VERSION
    {
        session.upgrade_ledger(version).map_err(Failure::refused)?;
    }
    match session.forget_previous_rows(run).map_err(Failure::refused)? {
        Some(removed) => Ok(Forgotten { run, mapping: m.mapping().name.clone(), removed }),
        None => Err(not_finished(run)),
    }
}

/// Returns the finished run.
fn forgettable(ledger: &LedgerView) -> Result<i64, Failure> {
    let Some(run) = &ledger.run else {
        return Err(refused("target", "the ledger contains no run of this mapping", "There is nothing to forget."));
    };
    if !matches!(ledger.state, LedgerState::Version(version) if version >= KEEPS_ROWS) {
        return Err(refused(
            "target",
            "this ledger was written by an earlier build and keeps no rows",
            "There is nothing to forget.",
        ));
    }
    if run.state != RunState::Done {
        return Err(not_finished(run.id));
    }
    if ledger.made.iter().any(|made| made.kind == MadeKind::Forgotten) {
        let reason = format!("run {} is forgotten already", run.id);
        return Err(refused("target", &reason, "There is nothing left to forget."));
    }
    Ok(run.id)
}

fn not_finished(run: i64) -> Failure {
    let reason = format!("run {run} is not finished, and its rows may still have to be rolled back");
    refused("target", &reason, "Resume it with the same command, or roll it back.")
}

fn refused(place: &str, reason: &str, advice: &str) -> Failure {
    Failure::refused(Refusal::new(place, reason, advice))
}

/// The result as text for a terminal.
pub fn text(forgotten: &Forgotten) -> String {
    let Forgotten { run, removed, .. } = forgotten;
    let rows = count(*removed, "previous row was", "previous rows were");
    format!("Run {run} is forgotten: {rows} removed from the ledger. It cannot be rolled back any more.\n")
}
