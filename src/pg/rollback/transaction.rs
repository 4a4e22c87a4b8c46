//! The transaction of a rollback: begin and commit, triggers that are disabled meanwhile, objects that are reattached.

use postgres::Transaction;

use crate::model::ident::{qualified, quoted};
use crate::model::ledger::Run;
use crate::pg::deferred::defer_sql;
use crate::pg::detach::Detached;
use crate::pg::error::{Doing, ServerError};
use crate::pg::session::{ApplicationPath, LedgerSchema, Session};
use crate::pg::triggers::{self, FiringTrigger, RowEvent};
use crate::plan::CircleKey;

/// The words for every step of a rollback that has no words of its own.
pub(super) const ROLLING_BACK: &str = "rolling back";

/// The transaction in which a run is rolled back. Dropping it leaves everything as it was.
pub struct OpenRollback<'a> {
    pub(super) tx: Transaction<'a>,
    pub(super) ledger: LedgerSchema,
    pub(super) application_path: ApplicationPath,
    pub(super) run: i64,
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
        let mut tx = self.client.transaction().doing(ROLLING_BACK)?;
        let sql: &str =
            &self.ledger.sql("SELECT state = 'RolledBack', epoch = $2 FROM :ledger.run WHERE run = $1 FOR UPDATE");
        let row = tx.query_opt(sql, &[&run.id, &run.epoch]).doing(ROLLING_BACK)?;
        match row.map(|row| (row.get(0), row.get(1))) {
            Some((true, _)) => Ok(RollbackStart::AlreadyRolledBack),
            Some((false, true)) => {
                let (ledger, application_path) = (self.ledger.clone(), self.application_path.clone());
                Ok(RollbackStart::Open(OpenRollback { tx, ledger, application_path, run: run.id }))
            }
            _ => Ok(RollbackStart::Fenced),
        }
    }
}

impl OpenRollback<'_> {
    /// Lists the triggers and rules that run for an event on a table.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn firing_triggers(
        &mut self,
        schema: &str,
        table: &str,
        event: RowEvent,
    ) -> Result<Vec<FiringTrigger>, ServerError> {
        triggers::firing(&mut self.tx, schema, table, event)
    }

    /// Disables a trigger or rule until [`OpenRollback::enable_trigger`].
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn disable_trigger(&mut self, trigger: &FiringTrigger) -> Result<(), ServerError> {
        self.tx.batch_execute(&trigger.disable_sql).doing("disabling triggers")
    }

    /// Enables a trigger or rule again, in the mode that it had.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn enable_trigger(&mut self, trigger: &FiringTrigger) -> Result<(), ServerError> {
        self.tx.batch_execute(&trigger.enable_sql).doing("enabling triggers again")
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
        for statement in object.reattach_sql.remaining(object.steps) {
            let path = &self.application_path;
            path.reading(&mut self.tx, |tx| tx.batch_execute(statement).doing(object.reattaching()))?;
        }
        let sql: &str = &self
            .ledger
            .sql("UPDATE :ledger.detached SET back = true, steps = cardinality(back_sql) WHERE run = $1 AND no = $2");
        self.tx.execute(sql, &[&self.run, &object.no]).doing(ROLLING_BACK)?;
        Ok(())
    }

    /// Reattaches an object if possible. Returns false if the rows do not allow it, including rows that this transaction
    /// deleted.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn try_reattach(&mut self, object: &Detached) -> Result<bool, ServerError> {
        self.tx.batch_execute("SAVEPOINT migrate_mark").doing(ROLLING_BACK)?;
        let (done, then) = match self.reattach(object) {
            Ok(()) => (true, "RELEASE SAVEPOINT migrate_mark"),
            Err(e) if e.lost => return Err(e),
            Err(_) => (false, "ROLLBACK TO SAVEPOINT migrate_mark; RELEASE SAVEPOINT migrate_mark"),
        };
        self.tx.batch_execute(then).doing(ROLLING_BACK)?;
        Ok(done)
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
        if !row.get::<_, bool>("may") {
            return Ok(());
        }
        // The lock comes before the query: TRUNCATE would delete a row that another transaction inserts in between.
        self.tx.batch_execute(&format!("LOCK TABLE ONLY {name} IN ACCESS EXCLUSIVE MODE")).doing(ROLLING_BACK)?;
        let has_rows = format!("SELECT EXISTS (SELECT FROM ONLY {name})");
        let path = &self.application_path;
        let row = path.reading(&mut self.tx, |tx| tx.query_one(&has_rows, &[]).doing(ROLLING_BACK))?;
        if !row.get::<_, bool>(0) {
            self.tx.batch_execute(&format!("TRUNCATE ONLY {name}")).doing(ROLLING_BACK)?;
        }
        Ok(())
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
        self.tx.execute(sql, &[&self.run]).doing(ROLLING_BACK)?;
        self.forget_made("lookup", None)?;
        self.tx.commit().doing(ROLLING_BACK)
    }
}
