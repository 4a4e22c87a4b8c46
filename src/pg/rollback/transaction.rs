//! The transaction of a rollback: begin and commit, triggers that are disabled meanwhile, objects that are reattached.

use crate::model::ident::{qualified, quoted};
use crate::model::ledger::{CreatedObject, Run};
use crate::pg::citus::sequential;
use crate::pg::client::{CopyIn, Pipeline, Transaction};
use crate::pg::copy::CopyTarget;
use crate::pg::deferred::defer_sql;
use crate::pg::detach::Detached;
use crate::pg::error::{Doing, ServerError};
use crate::pg::ledger::{CreatedRollback, drop_objects};
use crate::pg::row::RowValues;
use crate::pg::session::{ApplicationPath, LedgerSchema, Prepared, Session};
use crate::pg::triggers::{self, FiringTrigger, RowEvent};
use crate::plan::CircleKey;

/// The words for every step of a rollback that has no words of its own.
pub(super) const ROLLING_BACK: &str = "rolling back";

/// The transaction in which a run is rolled back. Dropping it leaves everything as it was.
pub struct OpenRollback<'a> {
    /// Dropped before the transaction, whose rollback waits for the end of the COPY.
    pub(super) staging: Option<OpenStaging>,
    pub(super) tx: Transaction<'a>,
    pub(super) ledger: LedgerSchema,
    pub(super) application_path: ApplicationPath,
    pub(super) prepared: &'a mut Prepared,
    pub(super) run: i64,
}

/// The COPY into the staging table.
pub(super) struct OpenStaging {
    pub copy: CopyIn,
    pub target: CopyTarget,
    /// The number of rows that were sent.
    pub rows: u64,
}

/// The outcome of beginning a rollback.
pub enum RollbackStart<'a> {
    /// The transaction is open, and no process can begin a batch of the run.
    Open(OpenRollback<'a>),
    /// The run was rolled back already, by a commit whose answer was lost.
    AlreadyRolledBack,
    /// The run was taken over: this process must stop.
    Fenced,
}

impl Session {
    /// Begins to roll a run back.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn begin_rollback(&mut self, run: &Run) -> Result<RollbackStart<'_>, ServerError> {
        let sql = self.ledger.sql("SELECT state = 'RolledBack', epoch = $2 FROM :ledger.run WHERE run = $1 FOR UPDATE");
        let begin =
            std::iter::once("START TRANSACTION").chain(sequential(self.has_citus)).collect::<Vec<_>>().join("; ");
        let steps = Pipeline::new().script(begin).query(sql, &[&run.id, &run.epoch]);
        let mut tx = self.client.begun_transaction();
        let rows = steps.rows(&mut tx).doing(ROLLING_BACK)?.concat();
        let state = rows.first().map(|row| Ok::<_, ServerError>((row.kept(0)?, row.kept(1)?))).transpose()?;
        match state {
            Some((true, _)) => Ok(RollbackStart::AlreadyRolledBack),
            Some((false, true)) => {
                let (ledger, application_path) = (self.ledger.clone(), self.application_path.clone());
                let (staging, prepared) = (None, &mut self.prepared);
                Ok(RollbackStart::Open(OpenRollback { staging, tx, ledger, application_path, prepared, run: run.id }))
            }
            _ => Ok(RollbackStart::Fenced),
        }
    }
}

impl OpenRollback<'_> {
    /// Lists the triggers and rules that run for an event on each of these tables.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn firing_triggers(
        &mut self,
        schema: &str,
        tables: &[&str],
        event: RowEvent,
    ) -> Result<Vec<Vec<FiringTrigger>>, ServerError> {
        triggers::firing(&mut self.tx, schema, tables, event)
    }

    /// Disables triggers and rules until [`OpenRollback::enable_triggers`].
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn disable_triggers(&mut self, triggers: &[FiringTrigger]) -> Result<(), ServerError> {
        self.scripts(triggers.iter().map(|trigger| &trigger.disable_sql), "disabling triggers")
    }

    /// Enables triggers and rules again, in the modes that they had.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn enable_triggers(&mut self, triggers: &[FiringTrigger]) -> Result<(), ServerError> {
        self.scripts(triggers.iter().map(|trigger| &trigger.enable_sql), "enabling triggers again")
    }

    /// Runs statements in one round trip.
    pub(super) fn scripts<'s>(
        &mut self,
        scripts: impl Iterator<Item = &'s String>,
        doing: &str,
    ) -> Result<(), ServerError> {
        scripts.fold(Pipeline::new(), Pipeline::script).rows(&mut self.tx).doing(doing).map(drop)
    }

    /// Defers the checks of all deferrable constraints until [`OpenRollback::check_deferred`].
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn defer_checks(&mut self) -> Result<(), ServerError> {
        self.tx.batch_execute("SET CONSTRAINTS ALL DEFERRED").doing(ROLLING_BACK)
    }

    /// Defers the checks of some foreign keys until [`OpenRollback::check_deferred`].
    ///
    /// # Errors
    /// If one of them is not deferrable, or the connection is lost.
    pub fn defer(&mut self, schema: &str, keys: &[CircleKey]) -> Result<(), ServerError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.tx.batch_execute(&defer_sql(schema, keys)).doing(ROLLING_BACK)
    }

    /// Checks deferred constraints now: the server alters no table that has deferred checks pending.
    ///
    /// # Errors
    /// If a constraint fails, or the connection is lost.
    pub fn check_deferred(&mut self) -> Result<(), ServerError> {
        self.tx.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").doing("checking the remaining rows")
    }

    /// Detaches a foreign key again that was detached before the run removed existing rows. The caller reattaches it.
    ///
    /// # Errors
    /// If the ledger has no statement that reattaches it, the server refuses, or the connection is lost.
    pub fn detach_again(&mut self, schema: &str, object: &Detached) -> Result<(), ServerError> {
        if object.reattach_sql.count() == 0 {
            let lost = format!("detached.back_sql: no statement that reattaches {} on {}", object.object, object.table);
            return Err(ServerError::of_ledger(lost));
        }
        let table = qualified(schema, &object.table);
        let sql = format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {}", quoted(&object.object));
        self.tx.batch_execute(&sql).doing(ROLLING_BACK)
    }

    /// Reattaches an object that is still detached.
    ///
    /// # Errors
    /// If the remaining rows do not allow it, the server refuses, or the connection is lost.
    pub fn reattach(&mut self, object: &Detached) -> Result<(), ServerError> {
        self.reattaching(object, Pipeline::new()).rows(&mut self.tx).doing(object.reattaching()).map(drop)
    }

    /// Adds the statements that reattach an object and record it.
    fn reattaching<'p>(&self, object: &Detached, mut steps: Pipeline<'p>) -> Pipeline<'p> {
        let path = &self.application_path;
        for step in object.steps..object.reattach_sql.count() {
            let statements = object.reattach_sql.statements(step);
            steps = match path.is_needed_to_read {
                true => statements
                    .into_iter()
                    .fold(steps.script(path.set(true)), Pipeline::script)
                    .script(ApplicationPath::leave(true)),
                false => statements.into_iter().fold(steps, Pipeline::script),
            };
        }
        let (run, no) = (self.run, object.no);
        steps.script(self.ledger.sql(&format!(
            "UPDATE :ledger.detached SET back = true, steps = cardinality(back_sql) WHERE run = {run} AND no = {no}"
        )))
    }

    /// Reattaches an object if possible. Returns false if the rows do not allow it, including rows that this transaction
    /// deleted.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn try_reattach(&mut self, object: &Detached) -> Result<bool, ServerError> {
        let steps = self.reattaching(object, Pipeline::new().script("SAVEPOINT migrate_mark"));
        match steps.script("RELEASE SAVEPOINT migrate_mark").rows(&mut self.tx).doing(object.reattaching()) {
            Ok(_) => return Ok(true),
            Err(e) if e.lost => return Err(e),
            Err(_) => {}
        }
        let undo = "ROLLBACK TO SAVEPOINT migrate_mark; RELEASE SAVEPOINT migrate_mark";
        self.tx.batch_execute(undo).doing(ROLLING_BACK)?;
        Ok(false)
    }

    /// Truncates a table without rows, so that the server forgets its deleted rows. While the deleting transaction is open,
    /// an index is built over them too, and one of them may be the reason why the index cannot be built. Does nothing if a
    /// trigger, a publication or a referring table would notice.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn truncate_if_empty(&mut self, schema: &str, table: &str) -> Result<(), ServerError> {
        let name = qualified(schema, table);
        let sql = include_str!("../sql/truncatable.sql");
        let row = self.tx.query_one(sql, &[&schema, &table]).doing(ROLLING_BACK)?;
        if !row.value::<bool>("may")? {
            return Ok(());
        }
        // The lock comes before the query: TRUNCATE would delete a row that another transaction inserts in between.
        self.tx.batch_execute(&format!("LOCK TABLE ONLY {name} IN ACCESS EXCLUSIVE MODE")).doing(ROLLING_BACK)?;
        let has_rows = format!("SELECT EXISTS (SELECT 1 FROM ONLY {name})");
        let path = &self.application_path;
        let row = path.reading(&mut self.tx, |tx| tx.query_one(&has_rows, &[]).doing(ROLLING_BACK))?;
        if !row.value::<bool>(0)? {
            self.tx.batch_execute(&format!("TRUNCATE ONLY {name}")).doing(ROLLING_BACK)?;
        }
        Ok(())
    }

    /// Drops the objects that `--create` made, if nothing of another writer is in them or depends on them.
    ///
    /// # Errors
    /// If a deferred constraint fails, or the connection is lost.
    pub fn drop_created(&mut self, objects: Vec<CreatedObject>) -> Result<CreatedRollback, ServerError> {
        drop_objects(&mut self.tx, &self.ledger, objects)
    }

    /// Removes side effects of the run from the ledger that no longer exist: all of a kind, or a single object.
    pub(super) fn forget_made(&mut self, kind: &str, object: Option<&str>) -> Result<(), ServerError> {
        let sql: &str =
            &self.ledger.sql("DELETE FROM :ledger.made WHERE run = $1 AND kind = $2 AND object = coalesce($3, object)");
        self.tx.execute(sql, &[&self.run, &kind, &object]).doing(ROLLING_BACK)?;
        Ok(())
    }

    /// Writes into the ledger that the run is rolled back, and commits. The side effects that remain stay in the ledger.
    ///
    /// # Errors
    /// If the server refuses. If the connection is lost: then the ledger says whether the run is rolled back.
    pub fn commit(mut self) -> Result<(), ServerError> {
        let sql: &str = &self
            .ledger
            .sql("UPDATE :ledger.run SET state = 'RolledBack', ended_at = now(), epoch = epoch + 1 WHERE run = $1");
        let forget: &str = &self.ledger.sql("DELETE FROM :ledger.made WHERE run = $1 AND kind = 'lookup'");
        let steps = Pipeline::new().query(sql, &[&self.run]).query(forget, &[&self.run]).script("COMMIT");
        steps.rows(&mut self.tx).doing(ROLLING_BACK)?;
        self.tx.ended();
        Ok(())
    }
}
