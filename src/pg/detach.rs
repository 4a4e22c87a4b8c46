//! Taking keys, indexes and triggers off for the load, and putting them back exactly as they were.
//!
//! What goes is in the ledger with the statements that bring it back, in the very transaction that takes it off; each
//! comes back in a transaction that says so.

use super::error::{Doing, Operation, ServerError};
use super::ledger::Run;
use super::session::Session;
use crate::model::schema::{DetachKind, Detachable};

const OFF: &str = "taking objects off the target";

/// Memory for building an index, in this session alone. Enough for a million keys in one go; a server with less memory
/// than that is not asked for more than one such build per lane.
const MAINTENANCE: &str = "SET LOCAL maintenance_work_mem = '256MB'";

/// Something that a run took off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detached {
    /// Its number within the run.
    pub no: i32,
    /// The table.
    pub table: String,
    /// Its name.
    pub object: String,
    /// What it is.
    pub kind: DetachKind,
    /// The steps that put it back.
    pub back_sql: Vec<String>,
    /// How many of them are done.
    pub steps: usize,
    /// What the catalogue said of it, for comparing the target as if it were back.
    pub shape: String,
    /// It is back.
    pub back: bool,
}

impl Detached {
    /// The operation that re-creates the object.
    pub(super) fn reattaching(&self) -> Operation {
        Operation::Reattach { object: self.object.clone(), table: self.table.clone() }
    }
}

impl Session {
    /// What can be taken off these tables.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn detachable(&mut self, schema: &str, tables: &[String]) -> Result<Vec<Detachable>, ServerError> {
        let sql = include_str!("sql/detachable.sql");
        let rows =
            self.unbiased(|client| client.query(sql, &[&schema, &tables]).doing("reading the target's catalogue"))?;
        let found = rows.iter().filter_map(|row| {
            Some(Detachable {
                table: row.get("table_name"),
                object: row.get("object"),
                kind: DetachKind::read(row.get("kind"))?,
                columns: row
                    .get::<_, Vec<Option<String>>>("columns")
                    .into_iter()
                    .map(Option::unwrap_or_default)
                    .collect(),
                off: row.get("off"),
                back: row.get("back"),
                stays: row.get("stays"),
                oid: row.get("oid"),
                needed_by: row.get("needed_by"),
                sized: row.get("sized"),
            })
        });
        Ok(found.collect())
    }

    /// Takes objects off, each noted before it goes, all in one transaction. `shapes` stand beside them in the ledger. Where
    /// any are noted, an attempt before this one was committed, and nothing is done. `false`: the run was taken over.
    ///
    /// # Errors
    /// When the server refuses: then nothing is off. When the connection is lost: then the ledger says what is.
    pub fn take_off(&mut self, of: &Run, objects: &[(&Detachable, String)]) -> Result<bool, ServerError> {
        let run = of.id;
        let mut tx = self.client.transaction().doing(OFF)?;
        // Waits for an attempt before this one that may still be on its way; only then is it known what it did.
        let mine: &str = &self
            .ledger
            .sql("SELECT FROM :ledger.run WHERE run = $1 AND epoch = $2 AND state = 'Running' FOR NO KEY UPDATE");
        if tx.query_opt(mine, &[&run, &of.epoch]).doing(OFF)?.is_none() {
            return Ok(false);
        }
        if tx
            .query_opt(&*self.ledger.sql("SELECT FROM :ledger.detached WHERE run = $1 LIMIT 1"), &[&run])
            .doing(OFF)?
            .is_some()
        {
            return Ok(true);
        }
        for (n, (object, shape)) in (1_i32..).zip(objects) {
            let sql: &str = &self.ledger.sql(
                "INSERT INTO :ledger.detached (run, no, table_name, object, kind, back_sql, shape) \
                       VALUES ($1, $2, $3, $4, $5, $6, ($7::text)::jsonb)",
            );
            let kind = object.kind.word();
            tx.execute(sql, &[&run, &n, &object.table, &object.object, &kind, &object.back, &shape]).doing(OFF)?;
            for statement in &object.off {
                tx.batch_execute(statement).doing(format!("detaching {}", object.object).as_str())?;
            }
        }
        tx.commit().doing(OFF)?;
        Ok(true)
    }

    /// What a run took off, in the order in which it went.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn detached(&mut self, run: i64) -> Result<Vec<Detached>, ServerError> {
        let sql: &str = &self.ledger.sql("SELECT no, table_name, object, kind, back_sql, shape::text, back, steps FROM :ledger.detached WHERE run = $1 ORDER BY no");
        let rows = self.client.query(sql, &[&run]).doing("reading the ledger")?;
        let found = rows.iter().filter_map(|row| {
            Some(Detached {
                no: row.get(0),
                table: row.get(1),
                object: row.get(2),
                kind: DetachKind::read(row.get(3))?,
                back_sql: row.get(4),
                shape: row.get(5),
                back: row.get(6),
                steps: usize::try_from(row.get::<_, i32>(7)).unwrap_or(0),
            })
        });
        Ok(found.collect())
    }

    /// Takes one step of putting an object back. `alone`: no other lane builds at the same time, so the server may use
    /// parallel workers for it.
    ///
    /// # Errors
    /// When the rows do not allow it (the constraint is named), the server refuses, or the connection is lost.
    pub fn put_back(&mut self, run: i64, object: &Detached, step: usize, alone: bool) -> Result<(), ServerError> {
        let doing = object.reattaching();
        let Some(sql) = object.back_sql.get(step) else { return Ok(()) };
        let mut tx = self.client.transaction().doing(&doing)?;
        let count: &str = &self.ledger.sql(
            "UPDATE :ledger.detached SET steps = steps + 1, back = (steps + 1 = cardinality(back_sql)) \
                     WHERE run = $1 AND no = $2 AND steps = $3",
        );
        let step = i32::try_from(step).unwrap_or(i32::MAX);
        if tx.execute(count, &[&run, &object.no, &step]).doing(&doing)? == 0 {
            return Ok(());
        }
        tx.batch_execute(MAINTENANCE).doing(&doing)?;
        if !alone {
            tx.batch_execute("SET LOCAL max_parallel_maintenance_workers = 0").doing(&doing)?;
        }
        tx.batch_execute(sql).doing(&doing)?;
        tx.commit().doing(&doing)
    }

    /// Renews the planner's statistics of a table.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn analyze(&mut self, schema: &str, table: &str) -> Result<(), ServerError> {
        use crate::model::ident::quoted;
        self.client.batch_execute(&format!("ANALYZE {}.{}", quoted(schema), quoted(table))).doing("analyzing")
    }
}
