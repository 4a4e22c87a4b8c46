//! The locks of a run: one on its mapping, and one on each table that it loads. Both last until the process ends, and a
//! connection that replaces a lost one takes them again.

use crate::model::ledger::{LedgerState, LoadedTable, OpenRun};
use crate::model::record::{Refusal, Report, Warning};
use crate::pg::{LockHolder, ServerError, Session};
use crate::plan::{Plan, loaded_tables};

use super::failure::Failure;
use super::session::{Migration, Planned};
use super::situation::Situation;

impl Migration<'_> {
    /// The key of the advisory lock of this mapping in this database.
    fn lock_key(&self) -> i64 {
        let name = format!("migrate\n{}\n{}", self.ledger_schema(), self.mapping().name);
        xxhash_rust::xxh3::xxh3_64(name.as_bytes()) as i64
    }

    /// Takes the run lock. With `--take-over`, ends the process that holds it, provided that the ledger records this
    /// process. A holder that could not work on the run is a warning.
    ///
    /// # Errors
    /// If another process works on the run.
    pub fn lock(&self, session: &mut Session, report: &mut Report) -> Result<(), Failure> {
        let Some(holder) = session.lock(self.lock_key()).map_err(Failure::refused)? else { return Ok(()) };
        let recorded = match self.read_ledger(session).map_err(Failure::refused)?.run {
            Some(run) => session.backends(run.id).map_err(Failure::refused)?,
            None => Vec::new(),
        };
        if holder.is_stranger && recorded.is_empty() {
            report.warnings.push(ignored(&holder, "the run's lock"));
            return Ok(());
        }
        let mut advice = "Wait for it, or end it; if its machine is lost, use --take-over.".to_owned();
        let is_recorded = holder.backend().is_some_and(|backend| recorded.contains(&backend));
        if self.work().take_over && (is_recorded || holder.is_stranger) {
            session.end_backends(&recorded).map_err(Failure::refused)?;
            let next = session.lock(self.lock_key()).map_err(Failure::refused)?;
            if next.is_none_or(|next| next.is_stranger) {
                return Ok(());
            }
            "It was ended and another one came. Wait for that one, or end it.".clone_into(&mut advice);
        } else if self.work().take_over {
            advice = format!(
                "The ledger does not record this session as one of the run, and --take-over ends no other. If it is a migrate \
                 that has not begun to write: SELECT pg_terminate_backend({});",
                holder.pid
            );
        }
        let reason = format!("another migrate is at work on this mapping; {holder}");
        Err(Failure::refused(Refusal::new("target", reason, advice)))
    }

    /// Takes the run lock unless another session has it. A holder that could not do this work counts as none.
    pub fn try_lock(&self, session: &mut Session) -> Result<bool, ServerError> {
        let holder = session.lock(self.lock_key())?;
        Ok(holder.is_none_or(|holder| holder.is_stranger))
    }

    /// Locks the tables that the run loads. Returns the refusals if another run loads one of them, unless both only add to
    /// its rows and nothing of the table is detached.
    pub fn lock_tables(
        &self,
        session: &mut Session,
        situation: &Situation<'_>,
        report: &mut Report,
    ) -> Result<Vec<Refusal>, Failure> {
        let (plan, run) = (situation.planned.plan, situation.ledger.run.as_ref());
        let tables = loaded_tables(plan, run);
        let mut refusals = Vec::new();
        let empty = if run.is_none() { empty_when_planned(situation.planned, &tables) } else { Vec::new() };
        let locked = session.lock_tables(&plan.schema, &tables, &empty).map_err(Failure::refused)?;
        for held in locked.held {
            let name = format!("{}.{}", plan.schema, held.table);
            if held.holder.is_stranger {
                report.warnings.push(ignored(&held.holder, &format!("the lock of {name}")));
            } else {
                let reason = format!("another migrate loads {name}; {}", held.holder);
                refusals.push(Refusal::new(place(plan, &held.table), reason, WAIT_FOR_TABLE));
            }
        }
        if refusals.is_empty() && run.is_none() {
            refusals.extend(open_runs(session, situation, &tables)?);
            refusals.extend(locked.filled.iter().map(|table| filled_since(plan, table)));
        }
        Ok(refusals)
    }
}

const WAIT_FOR_TABLE: &str = "Wait until it ends. Two runs load one table at the same time only if all their loads of it say \
    `existing = \"append\"` or `ids = \"shift\"` and none of its keys, indexes and triggers has to be detached.";

/// Refuses tables that another run in the ledger has not finished.
fn open_runs(
    session: &mut Session,
    Situation { planned, ledger, .. }: &Situation<'_>,
    tables: &[LoadedTable],
) -> Result<Vec<Refusal>, Failure> {
    let plan = planned.plan;
    if !matches!(ledger.state, LedgerState::Version(_)) {
        return Ok(Vec::new());
    }
    let open = session.open_runs(&plan.schema, tables).map_err(Failure::refused)?;
    let share = |table: &str| tables.iter().any(|loaded| loaded.table == table && loaded.shared);
    let refused = open.iter().filter(|open| !(open.shared && share(&open.table)));
    let refusal = |open: &OpenRun| {
        let reason = format!(
            "run {} of the mapping `{}` loads {}.{} and is not ended",
            open.run, open.mapping, plan.schema, open.table
        );
        let advice =
            "Finish that run with its own command, or remove its rows with `migrate rollback` and its mapping.";
        Refusal::new(place(plan, &open.table), reason, advice)
    };
    Ok(refused.map(refusal).collect())
}

/// The tables that were empty when the plan was made and that no other run may fill.
fn empty_when_planned(planned: Planned<'_>, tables: &[LoadedTable]) -> Vec<String> {
    let was_empty = |table: &&LoadedTable| {
        let is_held = planned.plan.held.iter().any(|held| held.table == table.table);
        let found = planned.target.tables.get(&table.table);
        !table.shared && !is_held && found.is_some_and(|found| !found.has_rows)
    };
    tables.iter().filter(was_empty).map(|table| table.table.clone()).collect()
}

/// Refuses a table that was empty when the plan was made and has rows now: another run may have ended in between.
fn filled_since(plan: &Plan, table: &str) -> Refusal {
    let reason = format!("{}.{table} was empty when the plan was made and has rows now", plan.schema);
    Refusal::new(place(plan, table), reason, "Run the same command again: it makes a new plan.")
}

fn place(plan: &Plan, table: &str) -> String {
    let load = plan.loads.iter().find(|load| load.table == table);
    load.map_or_else(|| "target".to_owned(), |load| format!("load.{}", load.name))
}

fn ignored(holder: &LockHolder, lock: &str) -> Warning {
    let message = format!("{lock} is held by {holder}; this role cannot do such work, so the lock is ignored");
    Warning::new("target", message)
}
