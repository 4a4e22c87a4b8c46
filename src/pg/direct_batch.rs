//! A batch that needs no answer before its commit. Beginning, sending, recording and committing it takes at most three round
//! trips.
//!
//! If the server refuses anything, the whole transaction is rolled back, and the caller writes the batch as an
//! [`OpenBatch`](super::batch::OpenBatch), which can find the rows that are refused.

use super::batch::{BatchEnd, BatchId, WRITE_FAULTS};
use super::client::{CopyIn, Pipeline, Reply, Transaction};
use super::copy::{CopyTarget, Destination, send_rows};
use super::error::{Doing, Operation, ServerError};
use super::ledger::{NOTE_DEVIATIONS, deviation_columns};
use super::row::RowValues;
use super::session::{LedgerSchema, Session};
use crate::model::ident::{literal, qualified};
use crate::model::ledger::Deviation;

const WRITING: &str = "writing a batch";

/// The outcome of beginning a direct batch.
pub enum DirectStart<'s> {
    /// The batch is open and takes rows.
    Open(DirectBatch<'s>),
    /// A batch of this number is committed already, by a commit whose answer was lost or by another process.
    AlreadyCommitted,
    /// The run was taken over or ended: this lane must stop.
    Fenced,
    /// A trigger may swallow rows, so the server's count of rows must be known before the commit.
    MaySwallow,
}

/// An open direct batch. Dropping it rolls it back.
pub struct DirectBatch<'s> {
    // Dropped before the transaction, whose rollback waits for the end of the COPY.
    copy: CopyIn,
    tx: Transaction<'s>,
    ledger: &'s LedgerSchema,
    target: CopyTarget,
    /// Condition in SQL: a trigger may swallow rows.
    may_swallow: String,
}

impl Session {
    /// Begins a batch with its ledger row and its COPY. Waits while an old transaction holds the same row.
    ///
    /// The commit waits for the disk only if the batch is the last of its part, as in [`Session::begin_batch`].
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn begin_direct(
        &mut self,
        id: &BatchId<'_>,
        last_of_part: bool,
        into: &Destination<'_>,
    ) -> Result<DirectStart<'_>, ServerError> {
        let Session { client, prepared, ledger, application_path, .. } = self;
        let target = into.straight();
        let (sql, may_swallow) = (target.sql(), may_swallow(into.schema, into.table));
        if prepared.may_swallow(&sql) {
            return Ok(DirectStart::MaySwallow);
        }
        let known = prepared.known(&sql);
        let steps = Pipeline::new().script(id.begin(ledger, application_path, last_of_part));
        let mut tx = client.begun_transaction();
        let (mut replies, copy) = match &known {
            Some(statement) => {
                let (replies, copy) = steps.run_and_copy(&mut tx, statement);
                (replies.into_iter(), Some(copy))
            }
            None => {
                let asked = steps.query(format!("SELECT {may_swallow}"), &[]).prepare(sql.as_str());
                (asked.run(&mut tx).into_iter(), None)
            }
        };
        match replies.next().transpose().doing(WRITING) {
            Err(e) if e.is_unique_violation() => return Ok(DirectStart::AlreadyCommitted),
            Err(e) => return Err(e),
            Ok(Some(begun)) if begun.counts().last() != Some(&0) => {}
            Ok(_) => return Ok(DirectStart::Fenced),
        }
        let copy = match copy {
            Some(copy) => copy.doing(Operation::CopyRows)?,
            None => {
                let swallows = replies.next().transpose().doing(WRITING)?;
                let statement = replies.next().transpose().doing(Operation::CopyRows)?.and_then(Reply::statement);
                let swallows = match swallows.into_iter().flat_map(Reply::rows).next() {
                    Some(row) => row.value(0)?,
                    None => true,
                };
                let Some(statement) = statement.filter(|_| !swallows) else {
                    prepared.keep_swallowing(sql);
                    return Ok(DirectStart::MaySwallow);
                };
                prepared.keep(sql, &statement);
                tx.copy_in(&statement).doing(Operation::CopyRows)?
            }
        };
        Ok(DirectStart::Open(DirectBatch { tx, ledger, copy, target, may_swallow }))
    }
}

impl DirectBatch<'_> {
    /// Sends encoded rows.
    ///
    /// # Errors
    /// If the connection is lost. A refused row is reported by [`DirectBatch::commit`].
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), ServerError> {
        send_rows(&mut self.tx, &mut self.copy, &self.target, bytes)
    }

    /// Ends the COPY, completes the ledger's row and commits, all in one round trip.
    ///
    /// # Errors
    /// If the server refuses: then everything is rolled back. If the connection is lost: then the batch may be committed or
    /// not, and only [`Session::begin_direct`] with the same number can tell.
    pub fn commit(
        self,
        id: &BatchId<'_>,
        end: &BatchEnd<'_>,
        deviations: &[Deviation],
        faults: &[String],
    ) -> Result<(), ServerError> {
        let ((at, orphan), record) = (deviation_columns(deviations), end.record()?);
        let DirectBatch { copy, mut tx, ledger, may_swallow, .. } = self;
        let mut steps = Pipeline::new().end_copy(copy);
        if !deviations.is_empty() {
            let sql = ledger.sql(NOTE_DEVIATIONS);
            steps = steps.query(sql, &[&id.run, &id.load, &id.part, &id.batch, &at, &orphan]);
        }
        if !faults.is_empty() {
            steps = steps.query(ledger.sql(WRITE_FAULTS), &[&id.run, &id.load, &id.part, &id.batch, &faults]);
        }
        // A trigger that was created since the batch began makes the division fail: then rows are counted before the commit.
        let written = format!(
            "$8 OPERATOR(pg_catalog./) (CASE WHEN {may_swallow} THEN 0::pg_catalog.int8 ELSE 1::pg_catalog.int8 END)"
        );
        let steps = steps.query(record.sql(ledger, &written), &record.parameters(id)).script("COMMIT");
        let expected = steps.len();
        let replies = steps.run(&mut tx);
        if replies.len() == expected {
            tx.ended();
        }
        for (n, reply) in replies.into_iter().enumerate() {
            let doing = match n {
                0 => Operation::CopyRows,
                n if n + 1 == expected => Operation::from("committing a batch"),
                _ => Operation::from(WRITING),
            };
            reply.doing(doing)?;
        }
        Ok(())
    }
}

/// The condition that a trigger or a foreign table may take fewer rows than are sent into a table or its partitions.
fn may_swallow(schema: &str, table: &str) -> String {
    let name = literal(&qualified(schema, table));
    include_str!("sql/swallowing_tables.sql").trim_end().replace(":table", &format!("{name}::pg_catalog.regclass"))
}
