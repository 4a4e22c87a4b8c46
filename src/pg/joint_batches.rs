//! Small batches of several loads in one transaction: one fence, one record in the ledger and one commit for all of them.
//!
//! The ledger's row of each batch is in the transaction of its rows, as it is for every other batch. If the server refuses
//! anything, nothing is written, and the caller writes each batch as a [`DirectBatch`](super::direct_batch::DirectBatch), which
//! leads to the row.

use postgres::Statement;

use super::batch::{BatchEnd, BatchId, BatchRecord};
use super::client::{CopyIn, Parameter, Pipeline, Transaction};
use super::copy::{Destination, begun, send_rows};
use super::direct_batch::{check_commit, may_swallow};
use super::error::{Doing, Operation, ServerError};
use super::session::{ApplicationPath, LedgerSchema, Session};
use crate::model::ident::{literal, quoted};

const WRITING: &str = "writing batches";

/// One of the batches that are written together.
pub struct JointBatch<'a> {
    /// Its key in the ledger. All batches have the same run and epoch.
    pub id: BatchId<'a>,
    /// The destination of its rows.
    pub into: Destination<'a>,
    /// Its encoded rows.
    pub rows: &'a [u8],
    /// The content of its ledger row: it is the last one of its part, and has no drawn ids.
    pub end: BatchEnd<'a>,
}

/// The outcome of writing batches together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JointEnd {
    /// All of them are committed.
    Committed,
    /// The run was taken over or ended: this lane must stop.
    Fenced,
}

/// A batch with its prepared COPY.
struct PreparedBatch<'b> {
    batch: &'b JointBatch<'b>,
    statement: Statement,
}

impl Session {
    /// Returns true if the COPY into this destination is prepared and no trigger may swallow its rows. Rows that are sent as text go
    /// alone, because their refusal can cost the connection.
    pub fn can_join(&self, into: &Destination<'_>) -> bool {
        !into.as_text && self.prepared.known(&into.straight().sql()).is_some()
    }

    /// Writes batches in one transaction, two round trips for each. Their COPYs are prepared, see [`Session::can_join`]. The commit
    /// waits for the disk.
    ///
    /// # Errors
    /// If the server refuses anything: then nothing is written. If the connection is lost: then all of the batches may be
    /// committed or none, and only [`Session::begin_direct`] with the number of one of them can tell.
    pub fn write_jointly(&mut self, batches: &[JointBatch<'_>]) -> Result<JointEnd, ServerError> {
        let Session { client, prepared, ledger, application_path, .. } = self;
        let mut all = Vec::new();
        for batch in batches {
            let unknown = || ServerError::new(Operation::CopyRows, "a COPY is not prepared");
            let statement = prepared.known(&batch.into.straight().sql()).ok_or_else(unknown)?;
            all.push(PreparedBatch { batch, statement });
        }
        let Some((last, before)) = all.split_last() else { return Ok(JointEnd::Committed) };
        let first = before.first().unwrap_or(last);
        let begin = Pipeline::new().script(begin_sql(batches, ledger, application_path));
        let mut tx = client.begun_transaction();
        let (mut replies, copy) = begin.run_and_copy(&mut tx, &first.statement);
        let inserted = replies.pop().transpose().doing(WRITING)?.map(|reply| reply.counts());
        if inserted.and_then(|counts| counts.last().copied()) == Some(0) {
            return Ok(JointEnd::Fenced);
        }
        let mut copy = Some(begun(copy)?);
        for of in before {
            of.send(&mut tx, copy.take())?
                .finish(&mut tx)
                .doing(Operation::CopyRows)
                .and_then(|taken| of.compare(taken))?;
        }
        let copy = last.send(&mut tx, copy.take())?;
        commit(tx, copy, &Records::of(batches, ledger)?)
    }
}

impl PreparedBatch<'_> {
    /// Sends the rows of the batch, in a COPY that is begun here unless it was begun before.
    fn send(&self, tx: &mut Transaction<'_>, copy: Option<CopyIn>) -> Result<CopyIn, ServerError> {
        let mut copy = match copy {
            Some(copy) => copy,
            None => tx.copy_in(&self.statement).doing(Operation::CopyRows)?,
        };
        send_rows(tx, &mut copy, &self.batch.into.straight(), self.batch.rows)?;
        Ok(copy)
    }

    /// Returns an error unless the server took all rows.
    fn compare(&self, taken: u64) -> Result<(), ServerError> {
        self.batch.into.straight().compare(taken, self.batch.end.sums.written)
    }
}

/// Ends the last COPY, completes the ledger's rows and commits, all in one round trip.
fn commit(mut tx: Transaction<'_>, copy: CopyIn, records: &Records<'_>) -> Result<JointEnd, ServerError> {
    let steps = Pipeline::new().end_copy(copy).query(records.sql.as_str(), &records.parameters()).script("COMMIT");
    let expected = steps.len();
    let replies = steps.run(&mut tx);
    if replies.len() == expected {
        tx.ended();
    }
    check_commit(replies, expected)?;
    Ok(JointEnd::Committed)
}

/// The script that begins a transaction, inserts the ledger's rows and sets the application's search path. Its last statement
/// changes no row if the run was taken over.
fn begin_sql(batches: &[JointBatch<'_>], ledger: &LedgerSchema, path: &ApplicationPath) -> String {
    let row = |JointBatch { id, .. }: &JointBatch<'_>| format!("({}, {}, {})", literal(id.load), id.part, id.batch);
    let rows: Vec<String> = batches.iter().map(row).collect();
    let mine = batches.first().map(|batch| batch.id.fence(ledger)).unwrap_or_default();
    format!(
        "START TRANSACTION; WITH {mine} INSERT INTO {}.batch (run, load, part, batch) \
         SELECT mine.run, new.load, new.part, new.batch FROM mine, (VALUES {}) AS new (load, part, batch) \
         WHERE pg_catalog.set_config('search_path', {}, true) IS NOT NULL",
        quoted(&ledger.schema),
        rows.join(", "),
        literal(&path.path)
    )
}

/// The completed ledger rows of several batches, in the form of parameters.
#[derive(Default)]
struct Records<'b> {
    sql: String,
    run: i64,
    loads: Vec<&'b str>,
    parts: Vec<i32>,
    batches: Vec<i32>,
    first: Vec<Option<String>>,
    last: Vec<Option<String>>,
    read: Vec<i64>,
    written: Vec<i64>,
    digests: Vec<Vec<u8>>,
    losses: Vec<String>,
    lookups: Vec<String>,
}

impl<'b> Records<'b> {
    fn of(batches: &'b [JointBatch<'b>], ledger: &LedgerSchema) -> Result<Records<'b>, ServerError> {
        // The server's counts of all batches but the last one were compared.
        let uncounted = batches.last().map_or_else(|| "false".to_owned(), |b| may_swallow(b.into.schema, b.into.table));
        let sql = ledger.sql(include_str!("sql/complete_batches.sql")).replace(":may_swallow", &uncounted);
        let mut all = Records { sql, run: batches.first().map_or(0, |batch| batch.id.run), ..Records::default() };
        for JointBatch { id, end, .. } in batches {
            let BatchRecord { first, last, counts: [read, written, ..], digest, losses, lookups, .. } = end.record()?;
            all.loads.push(id.load);
            all.parts.push(id.part);
            all.batches.push(id.batch);
            all.first.push(first);
            all.last.push(last);
            all.read.push(read);
            all.written.push(written);
            all.digests.push(digest);
            all.losses.push(losses);
            all.lookups.push(lookups);
        }
        Ok(all)
    }

    fn parameters(&self) -> [&dyn Parameter; 11] {
        [
            &self.run,
            &self.loads,
            &self.parts,
            &self.batches,
            &self.first,
            &self.last,
            &self.read,
            &self.written,
            &self.digests,
            &self.losses,
            &self.lookups,
        ]
    }
}
