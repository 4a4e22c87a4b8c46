//! One batch: a transaction that first inserts the ledger's row, then sends rows. Both are committed or neither.
//!
//! The unique ledger row makes a retry safe. It waits for an old transaction that may still be running; then it is
//! inserted, or the old row is found. Dropping an [`OpenBatch`] rolls it back.
//!
//! The transaction's first statement sets the application's search path, without a round trip of its own, because defaults,
//! CHECKs and triggers of the application run until the commit. Each later statement of the tool's own therefore names every
//! function, operator and type with its schema, or runs through `ApplicationPath::leave_for`.

use super::client::{Parameter, Pipeline, Reply, Transaction};
use super::deferred::defer_sql;
use super::error::{Doing, ServerError};
use super::sequence::draw_ids;
use super::session::{ApplicationPath, LedgerSchema, Prepared, Session};
use crate::model::ident::{literal, quoted};
use crate::model::key::Key;
use crate::model::ledger::Sums;
use crate::plan::CircleKey;

const WRITING: &str = "writing a batch";

/// Checks deferred constraints now.
pub(super) const CHECK_DEFERRED: &str = "SET CONSTRAINTS ALL IMMEDIATE";

pub(super) const CHECKING_ROWS: &str = "checking rows";

/// Writes the quarantined rows of a batch into the ledger: its key in the ledger, faults.
pub(super) const WRITE_FAULTS: &str = "INSERT INTO :ledger.fault (run, load, part, batch, fault) \
     SELECT $1, $2, $3, $4, f::pg_catalog.jsonb FROM pg_catalog.unnest($5::pg_catalog.text[]) AS f";

/// The batch's key in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchId<'a> {
    /// The run.
    pub run: i64,
    /// The run's epoch as this lane knows it.
    pub epoch: i32,
    /// The load.
    pub load: &'a str,
    /// The part of the load.
    pub part: i32,
    /// The batch's number within the part, from 1.
    pub batch: i32,
}

/// The content of the ledger's row when a batch is committed.
#[derive(Clone, Copy, Debug)]
pub struct BatchEnd<'a> {
    /// The key of the first row.
    pub first: Option<&'a Key>,
    /// The key of the last row.
    pub last: Option<&'a Key>,
    /// The sums over its rows.
    pub sums: &'a Sums,
    /// The ids that were drawn for its rows.
    pub issued: &'a [i64],
    /// Nothing of the part remains.
    pub last_of_part: bool,
}

/// The outcome of beginning a batch.
pub enum BatchStart<'a> {
    /// The batch is open; its ledger row is in the transaction.
    Open(OpenBatch<'a>),
    /// A batch of this number is committed already, by a commit whose answer was lost or by another process.
    AlreadyCommitted,
    /// The run was taken over or ended: this lane must stop.
    Fenced,
}

/// A batch whose transaction is open.
pub struct OpenBatch<'a> {
    pub(super) tx: Transaction<'a>,
    pub(super) ledger: &'a LedgerSchema,
    pub(super) application_path: &'a ApplicationPath,
    pub(super) prepared: &'a mut Prepared,
    /// The temporary staging table exists.
    pub(super) staged: bool,
    /// For each open savepoint, whether the staging table existed before it.
    savepoints: Vec<bool>,
    /// The innermost savepoint is still open although its rows are kept.
    keeps_savepoint: bool,
}

impl Session {
    /// Begins a batch with its ledger row. Waits while an old transaction holds the same row.
    ///
    /// Unless the batch is the last of its part, its commit does not wait for the disk. That is safe: the ledger's row is
    /// in the same transaction, so a crash of the server loses rows and ledger row together. The lane's connection is lost
    /// with them, and the resumed run asks the ledger for the part's progress. The commit that ends the part waits as the
    /// session's settings say, and thereby for everything that was logged before.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn begin_batch(&mut self, id: &BatchId<'_>, last_of_part: bool) -> Result<BatchStart<'_>, ServerError> {
        let Session { client, prepared, ledger, application_path, .. } = self;
        let mut tx = client.begun_transaction();
        let begun = tx.simple_query(&id.begin(ledger, application_path, last_of_part)).doing(WRITING);
        match begun.map(Reply::Script) {
            Ok(begun) if begun.counts().last() == Some(&0) => Ok(BatchStart::Fenced),
            Ok(_) => Ok(BatchStart::Open(OpenBatch {
                tx,
                ledger,
                application_path,
                prepared,
                staged: false,
                savepoints: Vec::new(),
                keeps_savepoint: false,
            })),
            Err(e) if e.is_unique_violation() => Ok(BatchStart::AlreadyCommitted),
            Err(e) => Err(e),
        }
    }
}

impl BatchId<'_> {
    /// The script that begins a transaction, inserts the ledger's row and sets the application's search path. One message, so
    /// that nothing after a refused `BEGIN` runs. Its last statement changes no row if the run was taken over.
    pub(super) fn begin(&self, ledger: &LedgerSchema, path: &ApplicationPath, last_of_part: bool) -> String {
        format!("START TRANSACTION; {}", self.insert(ledger, path, last_of_part))
    }

    /// The statement that inserts the ledger's row. It also runs under the application's search path.
    fn insert(&self, ledger: &LedgerSchema, path: &ApplicationPath, last_of_part: bool) -> String {
        let lazily = match last_of_part {
            true => "",
            false => "pg_catalog.set_config('synchronous_commit', 'off', true) IS NOT NULL AND ",
        };
        let path = literal(&path.path);
        let condition = format!("{lazily}pg_catalog.set_config('search_path', {path}, true) IS NOT NULL");
        let (mine, of_batch) = (self.fence(ledger), format!("{}.batch", quoted(&ledger.schema)));
        let BatchId { load, part, batch, .. } = self;
        let load = literal(load);
        format!(
            "WITH {mine} INSERT INTO {of_batch} (run, load, part, batch) SELECT run, {load}, {part}, {batch} FROM mine \
             WHERE {condition}"
        )
    }

    /// The run's row as `mine`, locked until the transaction ends. No row if the run was taken over.
    pub(super) fn fence(&self, ledger: &LedgerSchema) -> String {
        let BatchId { run, epoch, .. } = self;
        let ledger = quoted(&ledger.schema);
        format!(
            "mine AS (SELECT run FROM {ledger}.run \
             WHERE (run, epoch, state) OPERATOR(pg_catalog.=) ({run}, {epoch}, 'Running') FOR SHARE)"
        )
    }
}

impl OpenBatch<'_> {
    /// Begins the next batch in the same transaction, possibly of another load, with its ledger row.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn begin_next(&mut self, id: &BatchId<'_>) -> Result<(), ServerError> {
        if std::mem::take(&mut self.staged) {
            self.tx.batch_execute("DROP TABLE pg_temp.migrate_piece").doing(WRITING)?;
        }
        self.tx.batch_execute(&id.insert(self.ledger, self.application_path, true)).doing(WRITING)?;
        Ok(())
    }

    /// Defers the checks of foreign keys until [`OpenBatch::check_deferred`].
    ///
    /// # Errors
    /// If one of them is not deferrable, or the connection is lost.
    pub fn defer(&mut self, schema: &str, keys: &[CircleKey]) -> Result<(), ServerError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.tx.batch_execute(&defer_sql(schema, keys)).doing(WRITING)
    }

    /// Draws `count` ids from each of these sequences, in one round trip.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn draw_ids(&mut self, sequences: &[&str], count: usize) -> Result<Vec<Vec<i64>>, ServerError> {
        draw_ids(&mut self.tx, sequences, count)
    }

    /// Sets a savepoint. Savepoints may be nested.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn set_savepoint(&mut self) -> Result<(), ServerError> {
        let script = self.savepoint();
        self.tx.batch_execute(&script).doing(WRITING)
    }

    /// The script that sets a savepoint, which counts as set from now on.
    pub(super) fn savepoint(&mut self) -> String {
        let kept = std::mem::take(&mut self.keeps_savepoint);
        let before = if kept { "RELEASE SAVEPOINT migrate_mark; " } else { "" };
        self.savepoints.push(self.staged);
        format!("{before}SAVEPOINT migrate_mark")
    }

    /// Keeps the rows that were copied since the last savepoint. `check_deferred`: deferred constraints are checked now,
    /// while the rows can still be distinguished. The savepoint remains if they refuse the rows.
    ///
    /// The savepoint's subtransaction stays open so that the ledger's row is completed in it. Then rows and ledger row
    /// carry the same transaction number (`xmin`), by which rollback recognises a row that was not written to since.
    ///
    /// # Errors
    /// If a constraint fails, or the connection is lost.
    pub fn keep_rows(&mut self, check_deferred: bool) -> Result<(), ServerError> {
        if check_deferred {
            self.check_deferred()?;
        }
        self.savepoints.pop();
        self.keeps_savepoint = true;
        Ok(())
    }

    /// Keeps everything since the last savepoint and releases the savepoint.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn release_savepoint(&mut self) -> Result<(), ServerError> {
        self.savepoints.pop();
        self.tx.batch_execute("RELEASE SAVEPOINT migrate_mark").doing(WRITING)
    }

    /// Undoes everything since the last savepoint and releases the savepoint.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn roll_back_to_savepoint(&mut self) -> Result<(), ServerError> {
        self.staged = self.savepoints.pop().unwrap_or(false);
        let sql = "ROLLBACK TO SAVEPOINT migrate_mark; RELEASE SAVEPOINT migrate_mark";
        self.tx.batch_execute(sql).doing(WRITING)
    }

    /// Checks deferred constraints now, while the rows can still be distinguished.
    ///
    /// # Errors
    /// If a constraint fails, or the connection is lost.
    pub fn check_deferred(&mut self) -> Result<(), ServerError> {
        self.tx.batch_execute(CHECK_DEFERRED).doing(CHECKING_ROWS)
    }

    /// Writes the batch's quarantined rows into the ledger.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn write_faults(&mut self, id: &BatchId<'_>, faults: &[String]) -> Result<(), ServerError> {
        let sql = &self.ledger.sql(WRITE_FAULTS);
        self.tx.execute(sql, &[&id.run, &id.load, &id.part, &id.batch, &faults]).doing(WRITING)?;
        Ok(())
    }

    /// Completes the ledger's row and commits.
    ///
    /// # Errors
    /// If the server refuses. If the connection is lost: then the batch may be committed or not, and only
    /// [`Session::begin_batch`] with the same number can tell.
    pub fn commit(mut self, id: &BatchId<'_>, end: &BatchEnd<'_>) -> Result<(), ServerError> {
        let record = end.record()?;
        let steps = Pipeline::new().query(record.sql(self.ledger, "$8"), &record.parameters(id)).script("COMMIT");
        let expected = steps.len();
        let replies = steps.run(&mut self.tx);
        if replies.len() == expected {
            self.tx.ended();
        }
        for (reply, doing) in replies.into_iter().zip([WRITING, "committing a batch"]) {
            reply.doing(doing)?;
        }
        Ok(())
    }

    /// Completes the ledger's row of a batch. Others follow in the same transaction.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn complete(&mut self, id: &BatchId<'_>, end: &BatchEnd<'_>) -> Result<(), ServerError> {
        let record = end.record()?;
        self.tx.execute(&record.sql(self.ledger, "$8"), &record.parameters(id)).doing(WRITING)?;
        Ok(())
    }

    /// Commits all batches of the transaction, each of which is complete.
    ///
    /// # Errors
    /// If the server refuses, or the connection is lost: see [`OpenBatch::commit`].
    pub fn commit_batches(self) -> Result<(), ServerError> {
        self.tx.commit().doing("committing a batch")
    }
}

/// The values of a completed ledger row, in the form of parameters.
pub(super) struct BatchRecord<'a> {
    pub first: Option<String>,
    pub last: Option<String>,
    /// Rows read, written, skipped and refused.
    pub counts: [i64; 4],
    pub digest: Vec<u8>,
    issued: Option<&'a [i64]>,
    pub losses: String,
    pub lookups: String,
    last_of_part: bool,
}

impl BatchEnd<'_> {
    /// The values of the completed row.
    pub(super) fn record(&self) -> Result<BatchRecord<'_>, ServerError> {
        let sums = self.sums;
        let unwritable = |e: serde_json::Error| ServerError::new(WRITING, e.to_string());
        Ok(BatchRecord {
            first: self.first.map(Key::written),
            last: self.last.map(Key::written),
            counts: [sums.read, sums.written, sums.skipped, sums.faults].map(|n| n as i64),
            digest: sums.digests(),
            issued: (!self.issued.is_empty()).then_some(self.issued),
            losses: serde_json::to_string(&sums.losses).map_err(unwritable)?,
            lookups: serde_json::to_string(&sums.lookups).map_err(unwritable)?,
            last_of_part: self.last_of_part,
        })
    }
}

impl BatchRecord<'_> {
    /// The statement that completes the row. `written`: the SQL of the number of written rows, which is parameter 8.
    pub(super) fn sql(&self, ledger: &LedgerSchema, written: &str) -> String {
        let sql = ledger.sql(
            "WITH ended AS (UPDATE :ledger.part SET done = true \
               WHERE $15 AND (run, load, part) OPERATOR(pg_catalog.=) ($1, $2, $3)) \
             UPDATE :ledger.batch SET first_key = $5, last_key = $6, read = $7, written = :written, skipped = $9, faults = $10, \
               digest = $11, issued = $12, losses = ($13::pg_catalog.text)::pg_catalog.jsonb, \
               lookups = ($14::pg_catalog.text)::pg_catalog.jsonb \
             WHERE (run, load, part, batch) OPERATOR(pg_catalog.=) ($1, $2, $3, $4)",
        );
        sql.replace(":written", written)
    }

    /// The parameters of the statement.
    pub(super) fn parameters<'p>(&'p self, id: &'p BatchId<'_>) -> [&'p dyn Parameter; 15] {
        let [read, written, skipped, faults] = &self.counts;
        [
            &id.run,
            &id.load,
            &id.part,
            &id.batch,
            &self.first,
            &self.last,
            read,
            written,
            skipped,
            faults,
            &self.digest,
            &self.issued,
            &self.losses,
            &self.lookups,
            &self.last_of_part,
        ]
    }
}
