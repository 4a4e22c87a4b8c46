//! A batch that needs no answer before its commit. Beginning, sending, recording and committing it takes at most three round
//! trips.
//!
//! If the server refuses anything, the whole transaction is rolled back, and the caller writes the batch as an
//! [`OpenBatch`](super::batch::OpenBatch), which can find the rows that are refused.
//!
//! A batch can be paused between its rows, while the next rows are read. The server works on the rows that were sent, and the
//! buffers of the connection empty meanwhile. The commit of a batch and the beginning of the next one are sent together.

use std::collections::HashSet;

use postgres::Statement;

use super::batch::{BatchEnd, BatchId, WRITE_FAULTS};
use super::client::{CopyIn, Pipeline, Reply, Transaction};
use super::copy::{CopyTarget, Destination, send_slices};
use super::error::{Doing, Operation, ServerError};
use super::ledger::{NOTE_DEVIATIONS, deviation_columns};
use super::lookup_rows::LookupRows;
use super::row::RowValues;
use super::session::{ApplicationPath, LedgerSchema, Prepared, Session};
use crate::model::ident::{literal, qualified};
use crate::model::ledger::Deviation;

const WRITING: &str = "writing a batch";

/// The COPY statements that a pipeline prepares, in its order.
pub(super) struct CopiesToPrepare {
    /// After one question about all of them: whether triggers may swallow rows.
    into_tables: Vec<String>,
    of_lookups: Vec<String>,
}

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
    copy: BatchCopy,
    tx: Transaction<'s>,
    ledger: &'s LedgerSchema,
    application_path: &'s ApplicationPath,
}

/// An open direct batch whose session is free for [`Session::resume_direct`], and for nothing else.
pub struct PausedBatch(BatchCopy);

/// The COPY of a direct batch.
struct BatchCopy {
    copy: CopyIn,
    statement: Statement,
    target: CopyTarget,
    /// Condition in SQL: a trigger may swallow rows.
    may_swallow: String,
    /// True if the bytes before the first row were sent.
    has_header: bool,
    /// True if the commit waits for the disk unless the transaction is changed.
    waits_for_disk: bool,
}

/// The record of a direct batch, and the batch after it.
pub struct DirectCommit<'a> {
    /// The key of the batch in the ledger.
    pub id: &'a BatchId<'a>,
    /// The content of its ledger row.
    pub end: &'a BatchEnd<'a>,
    /// The rows that differ from the source.
    pub deviations: &'a [Deviation],
    /// The batch's faults for the ledger.
    pub faults: &'a [String],
    /// The batch to begin with the commit. `None` if there is none.
    pub next: Option<&'a BatchId<'a>>,
}

impl Session {
    /// Prepares the COPY into each of these destinations and out of each of these lookups in one round trip, so that the first
    /// batch of each begins in one. What cannot be prepared now is prepared when it is needed, and the reason is reported then.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn prepare_copies(&mut self, all: &[Destination<'_>], lookups: &[LookupRows<'_>]) -> Result<(), ServerError> {
        let (steps, copies) = self.copy_steps(all, lookups, Pipeline::new());
        let replies = steps.run(&mut self.client);
        self.keep_copies(copies, replies.into_iter())
    }

    /// Adds the preparation of each of these COPYs that is not prepared. Returns the COPYs, too.
    pub(super) fn copy_steps<'p>(
        &self,
        all: &[Destination<'_>],
        lookups: &[LookupRows<'_>],
        mut steps: Pipeline<'p>,
    ) -> (Pipeline<'p>, CopiesToPrepare) {
        let (mut copies, mut tables, mut reads) = (Vec::new(), Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        for into in all {
            let sql = into.straight().sql();
            if self.prepared.known(&sql).is_none() && seen.insert(sql.clone()) {
                tables.push(literal(&qualified(into.schema, into.table)));
                copies.push(sql);
            }
        }
        if !copies.is_empty() {
            steps = steps.query(may_swallow_each(&tables), &[]);
            steps = copies.iter().fold(steps, |steps, sql| steps.prepare(sql.as_str()));
        }
        for sql in lookups.iter().map(LookupRows::sql) {
            if self.prepared.known(&sql).is_none() && !reads.contains(&sql) {
                steps = steps.prepare(sql.as_str());
                reads.push(sql);
            }
        }
        (steps, CopiesToPrepare { into_tables: copies, of_lookups: reads })
    }

    /// Keeps the COPYs that the replies to these steps prepare.
    pub(super) fn keep_copies(
        &mut self,
        copies: CopiesToPrepare,
        mut replies: impl Iterator<Item = Result<Reply, postgres::Error>>,
    ) -> Result<(), ServerError> {
        let asked = if copies.into_tables.is_empty() { None } else { replies.next() };
        let swallows = match asked.transpose().doing(WRITING) {
            Err(e) if e.lost => return Err(e),
            // Nothing is known then, and each is asked about when it is needed.
            Err(_) => Vec::new(),
            Ok(rows) => rows.map(Reply::rows).unwrap_or_default(),
        };
        for (place, sql) in copies.into_tables.into_iter().enumerate() {
            match replies.next().transpose().doing(WRITING) {
                Err(e) if e.lost => return Err(e),
                Ok(Some(statement)) => {
                    if let Some(row) = swallows.get(place) {
                        self.prepared.keep_copy(sql, row.value(0)?, statement);
                    }
                }
                _ => {}
            }
        }
        for (sql, reply) in copies.of_lookups.into_iter().zip(replies) {
            match reply.doing(WRITING).map(Reply::statement) {
                Err(e) if e.lost => return Err(e),
                Ok(Some(statement)) => self.prepared.keep(sql, &statement),
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns true if it is known that a trigger may swallow rows of this destination, so that no batch of it can be direct.
    pub fn must_count(&self, into: &Destination<'_>) -> bool {
        self.prepared.may_swallow(&into.straight().sql())
    }

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
        let known = prepared.known(&sql);
        let steps = Pipeline::new().script(id.begin(ledger, application_path, last_of_part));
        let mut tx = client.begun_transaction();
        let (mut replies, copy) = match &known {
            Some(statement) => {
                let (replies, copy) = steps.run_and_copy(&mut tx, statement);
                (replies.into_iter(), copy)
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
        let (copy, statement) = match copy.zip(known) {
            Some((copy, statement)) => (copy.doing(Operation::CopyRows)?, statement),
            None => {
                let swallows = replies.next().transpose().doing(WRITING)?;
                let statement = replies.next().transpose().doing(Operation::CopyRows)?;
                let prepared = match (swallows.map(Reply::rows), statement) {
                    (Some(rows), Some(statement)) => {
                        let swallows = rows.first().map_or(Ok(true), |row| row.value(0))?;
                        prepared.keep_copy(sql, swallows, statement)
                    }
                    _ => None,
                };
                let Some(statement) = prepared else { return Ok(DirectStart::MaySwallow) };
                (tx.copy_in(&statement).doing(Operation::CopyRows)?, statement)
            }
        };
        let copy = BatchCopy { copy, statement, target, may_swallow, has_header: false, waits_for_disk: last_of_part };
        Ok(DirectStart::Open(DirectBatch { tx, ledger, copy, application_path }))
    }

    /// Continues a batch that [`DirectBatch::pause`] or [`DirectBatch::commit`] left open.
    pub fn resume_direct(&mut self, paused: PausedBatch) -> DirectBatch<'_> {
        let Session { client, ledger, application_path, .. } = self;
        DirectBatch { copy: paused.0, tx: client.begun_transaction(), ledger, application_path }
    }
}

impl Prepared {
    /// Keeps a prepared COPY unless triggers may swallow its rows. Returns the COPY if it is kept.
    fn keep_copy(&mut self, sql: String, swallows: bool, copy: Reply) -> Option<Statement> {
        let copy = copy.statement().filter(|_| !swallows);
        match &copy {
            Some(statement) => self.keep(sql, statement),
            None => self.keep_swallowing(sql),
        }
        copy
    }
}

impl DirectBatch<'_> {
    /// Sends encoded rows.
    ///
    /// # Errors
    /// If the connection is lost. A refused row is reported by [`DirectBatch::commit`].
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), ServerError> {
        let DirectBatch { copy: BatchCopy { copy, target, has_header, .. }, tx, .. } = self;
        if !std::mem::replace(has_header, true) {
            target.begin(tx, copy)?;
        }
        send_slices(tx, copy, bytes)
    }

    /// Leaves the batch open and frees the session. Without [`Session::resume_direct`] its transaction stays open.
    pub fn pause(self) -> PausedBatch {
        self.tx.ended();
        PausedBatch(self.copy)
    }

    /// Ends the COPY, completes the ledger's row and commits, all in one round trip. Returns the next batch if it was begun
    /// with the commit.
    ///
    /// # Errors
    /// If the server refuses: then everything is rolled back. If the connection is lost: then the batch may be committed or
    /// not, and only [`Session::begin_direct`] with the same number can tell.
    pub fn commit(mut self, commit: &DirectCommit<'_>) -> Result<Option<PausedBatch>, ServerError> {
        self.send(&[])?;
        let DirectBatch { copy, mut tx, ledger, application_path } = self;
        let BatchCopy { mut copy, statement, target, may_swallow, waits_for_disk, .. } = copy;
        target.end(&mut tx, &mut copy)?;
        let record = commit.end.record()?;
        let (at, orphan) = deviation_columns(commit.deviations);
        let mut steps = Pipeline::new().end_copy(copy);
        let DirectCommit { id, end, deviations, faults, next } = commit;
        if waits_for_disk && !end.last_of_part {
            steps = steps.script("SET LOCAL synchronous_commit = off");
        }
        if !deviations.is_empty() {
            let sql = ledger.sql(NOTE_DEVIATIONS);
            steps = steps.query(sql, &[&id.run, &id.load, &id.part, &id.batch, &at, &orphan]);
        }
        if !faults.is_empty() {
            steps = steps.query(ledger.sql(WRITE_FAULTS), &[&id.run, &id.load, &id.part, &id.batch, faults]);
        }
        // A trigger that was created since the batch began makes the division fail: then rows are counted before the commit.
        let written = format!(
            "$8 OPERATOR(pg_catalog./) (CASE WHEN {may_swallow} THEN 0::pg_catalog.int8 ELSE 1::pg_catalog.int8 END)"
        );
        let steps = steps.query(record.sql(ledger, &written), &record.parameters(id)).script("COMMIT");
        let expected = steps.len();
        let Some(next) = next else {
            let replies = steps.run(&mut tx);
            let is_ended = replies.len() == expected;
            let committed = check_commit(replies, expected).map_err(|failure| target.failed(&mut tx, failure));
            if is_ended {
                tx.ended();
            }
            return committed.map(|()| None);
        };
        // If this batch is refused, the next one is begun nevertheless, and rolled back with `tx`.
        let steps = steps.script(next.begin(ledger, application_path, true));
        let (mut replies, copy) = steps.run_and_copy(&mut tx, &statement);
        let begun = replies.split_off(expected.min(replies.len())).pop();
        if let Err(failure) = check_commit(replies, expected) {
            drop(copy);
            return Err(target.failed(&mut tx, failure));
        }
        let is_open = matches!(begun, Some(Ok(begun)) if begun.counts().last() != Some(&0));
        // A batch that could not be begun is begun once more without the commit of this one, which reports the reason.
        let Some(Ok(copy)) = copy.filter(|_| is_open) else { return Ok(None) };
        tx.ended();
        let waits_for_disk = true;
        Ok(Some(PausedBatch(BatchCopy { copy, statement, target, may_swallow, has_header: false, waits_for_disk })))
    }
}

/// Fails with the first error among the replies to a batch's commit, of which as many are `expected`.
pub(super) fn check_commit(replies: Vec<Result<Reply, postgres::Error>>, expected: usize) -> Result<(), ServerError> {
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

/// The condition that a trigger or a foreign table may take fewer rows than are sent into a table or its partitions.
pub(super) fn may_swallow(schema: &str, table: &str) -> String {
    may_swallow_into(&format!("{}::pg_catalog.regclass", literal(&qualified(schema, table))))
}

/// The query for that condition about each of these tables, which are string constants in SQL. A table that does not exist
/// swallows nothing: its COPY is refused.
fn may_swallow_each(tables: &[String]) -> String {
    let condition = may_swallow_into("pg_catalog.to_regclass(asked.name)");
    let tables = tables.join(", ");
    format!(
        "SELECT {condition} FROM pg_catalog.unnest(ARRAY[{tables}]) WITH ORDINALITY AS asked (name, place) ORDER BY asked.place"
    )
}

fn may_swallow_into(table: &str) -> String {
    include_str!("sql/swallowing_tables.sql").trim_end().replace(":table", table)
}
