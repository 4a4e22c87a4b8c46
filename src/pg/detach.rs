//! Detaching keys, indexes and triggers for the load, and reattaching them exactly as they were.
//!
//! The transaction that detaches an object writes the statements that reattach it into the ledger. Each step of
//! reattaching is counted in the ledger in its own transaction.

use super::error::{Doing, Operation, ServerError};
use super::session::Session;
use crate::model::ident::qualified;
use crate::model::ledger::Run;
use crate::model::schema::{DetachKind, Detachable};

const DETACHING: &str = "detaching objects of the target";

/// Memory for building an index, in this session alone. It holds the keys of a million rows. A server with less memory is
/// asked for at most one such build per lane.
const MAINTENANCE: &str = "SET LOCAL maintenance_work_mem = '256MB'";

/// An object that a run detached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detached {
    /// Its number within the run.
    pub no: i32,
    /// The table.
    pub table: String,
    /// Its name.
    pub object: String,
    /// Its kind.
    pub kind: DetachKind,
    /// The steps that reattach it.
    pub reattach_sql: Vec<String>,
    /// The number of steps that are done.
    pub steps: usize,
    /// Its description in the catalogue, so that the target can be compared as if it were attached.
    pub shape: String,
    /// True if it is attached again.
    pub reattached: bool,
}

impl Detached {
    /// The operation that reattaches the object.
    pub(super) fn reattaching(&self) -> Operation {
        Operation::Reattach { object: self.object.clone(), table: self.table.clone() }
    }
}

impl Session {
    /// Lists the objects of these tables that can be detached.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn detachable(&mut self, schema: &str, tables: &[String]) -> Result<Vec<Detachable>, ServerError> {
        let sql = include_str!("sql/detachable_objects.sql");
        let rows = self
            .client
            .query(sql, &[&schema, &tables, &self.application_path.is_needed_to_read])
            .doing("reading the target's catalogue")?;
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
                detach_sql: row.get("detach_sql"),
                reattach_sql: row.get("reattach_sql"),
                kept_because: row.get("kept_because"),
                oid: row.get("oid"),
                needed_by: row.get("needed_by"),
                sized: row.get("sized"),
            })
        });
        Ok(found.collect())
    }

    /// Detaches objects in one transaction, each with its `shape` written into the ledger before. Does nothing if the
    /// ledger lists any already: then an earlier attempt was committed. Returns false if the run was taken over.
    ///
    /// # Errors
    /// If the server refuses: then nothing is detached. If the connection is lost: then the ledger lists what is detached.
    pub fn detach_objects(&mut self, run: &Run, objects: &[(&Detachable, String)]) -> Result<bool, ServerError> {
        let mut tx = self.client.transaction().doing(DETACHING)?;
        // Waits for an earlier attempt that may still be running; only afterwards is its outcome known.
        let mine: &str = &self
            .ledger
            .sql("SELECT FROM :ledger.run WHERE run = $1 AND epoch = $2 AND state = 'Running' FOR NO KEY UPDATE");
        if tx.query_opt(mine, &[&run.id, &run.epoch]).doing(DETACHING)?.is_none() {
            return Ok(false);
        }
        let any: &str = &self.ledger.sql("SELECT FROM :ledger.detached WHERE run = $1 LIMIT 1");
        if tx.query_opt(any, &[&run.id]).doing(DETACHING)?.is_some() {
            return Ok(true);
        }
        let note: &str = &self.ledger.sql(
            "INSERT INTO :ledger.detached (run, no, table_name, object, kind, back_sql, shape) \
                   VALUES ($1, $2, $3, $4, $5, $6, ($7::text)::jsonb)",
        );
        for (n, (object, shape)) in (1_i32..).zip(objects) {
            let kind = object.kind.word();
            tx.execute(note, &[&run.id, &n, &object.table, &object.object, &kind, &object.reattach_sql, &shape])
                .doing(DETACHING)?;
            for statement in &object.detach_sql {
                tx.batch_execute(statement).doing(format!("detaching {}", object.object).as_str())?;
            }
        }
        tx.commit().doing(DETACHING)?;
        Ok(true)
    }

    /// Lists the objects that a run detached, in the order in which they were detached.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn detached(&mut self, run: i64) -> Result<Vec<Detached>, ServerError> {
        let sql: &str = &self.ledger.sql("SELECT no, table_name, object, kind, back_sql, shape::text, back, steps FROM :ledger.detached WHERE run = $1 ORDER BY no");
        let rows = self.client.query(sql, &[&run]).doing("reading the ledger")?;
        let found = rows.iter().filter_map(|row| {
            Some(Detached {
                no: row.get(0),
                table: row.get(1),
                object: row.get(2),
                kind: DetachKind::read(row.get(3))?,
                reattach_sql: row.get(4),
                shape: row.get(5),
                reattached: row.get(6),
                steps: usize::try_from(row.get::<_, i32>(7)).unwrap_or(0),
            })
        });
        Ok(found.collect())
    }

    /// Runs one step of reattaching an object. `alone`: no other lane builds an index at the same time, so the server may
    /// use parallel workers.
    ///
    /// # Errors
    /// If the rows do not allow it (the error names the constraint), the server refuses, or the connection is lost.
    pub fn reattach(&mut self, run: i64, object: &Detached, step: usize, alone: bool) -> Result<(), ServerError> {
        let doing = &object.reattaching();
        let Some(sql) = object.reattach_sql.get(step) else { return Ok(()) };
        let mut tx = self.client.transaction().doing(doing)?;
        let count: &str = &self.ledger.sql(
            "UPDATE :ledger.detached SET steps = steps + 1, back = (steps + 1 = cardinality(back_sql)) \
                     WHERE run = $1 AND no = $2 AND steps = $3",
        );
        let step = i32::try_from(step).unwrap_or(i32::MAX);
        if tx.execute(count, &[&run, &object.no, &step]).doing(doing)? == 0 {
            return Ok(());
        }
        tx.batch_execute(MAINTENANCE).doing(doing)?;
        if !alone {
            tx.batch_execute("SET LOCAL max_parallel_maintenance_workers = 0").doing(doing)?;
        }
        if self.application_path.is_needed_to_read {
            tx.batch_execute(&self.application_path.set(true)).doing(doing)?;
        }
        tx.batch_execute(sql).doing(doing)?;
        tx.commit().doing(doing)
    }

    /// Renews the planner's statistics of a table, those of the expressions in its indexes included.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn analyze(&mut self, schema: &str, table: &str) -> Result<(), ServerError> {
        // One message is one transaction.
        let sql = format!("{}; ANALYZE {}", self.application_path.set(true), qualified(schema, table));
        self.client.batch_execute(&sql).doing("analyzing")
    }
}
