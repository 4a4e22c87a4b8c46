//! One batch: one transaction in which the ledger's row goes first, then the rows, and both are committed or neither.
//!
//! The unique ledger row is what makes a retry safe: it waits for an old transaction that may still be on its way and then
//! either goes in or is there. Dropping an [`Open`] batch rolls it back.

use std::io::Write;

use postgres::{ToStatement, Transaction};

use super::error::{Doing, Operation, ServerError};
use super::ledger::{self, Sums};
use super::session::{Ledger, Prepared, Session, with_columns};
use crate::model::ident::{free_name, quoted, quoted_list};
use crate::model::key::Key;
use crate::wire::binary;

const WRITING: &str = "writing a batch";

/// The most that is handed to the client library at once. It flushes each write over 4 KiB with a round through its
/// runtime, so slices are large.
const SLICE: usize = 256 * 1024;

/// Which batch it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchId<'a> {
    /// The run.
    pub run: i64,
    /// The run's epoch as this lane knows it.
    pub epoch: i32,
    /// The load.
    pub load: &'a str,
    /// The part of it.
    pub part: i32,
    /// Number within the part, from 1.
    pub batch: i32,
}

/// Where rows go.
#[derive(Clone, Debug)]
pub struct Into<'a> {
    /// The schema.
    pub schema: &'a str,
    /// The table.
    pub table: &'a str,
    /// The columns of a row, in order.
    pub columns: &'a [String],
    /// By text COPY.
    pub as_text: bool,
    /// The unique key whose collisions are skipped.
    pub conflict: Option<&'a [String]>,
}

/// What came of beginning a batch.
pub enum Begun<'a> {
    /// It is open; the ledger's row is in the transaction.
    Open(Open<'a>),
    /// A batch of this number is committed already: by a commit whose answer was lost, or by another run.
    Taken,
    /// The run was taken over or ended: this lane must stop.
    Fenced,
}

/// A batch whose transaction is open.
pub struct Open<'a> {
    pub(super) tx: Transaction<'a>,
    pub(super) ledger: &'a Ledger,
    prepared: &'a mut Prepared,
    staged: bool,
    /// For each savepoint that is open, whether the temporary table was there before it.
    marks: Vec<bool>,
    /// A savepoint is open behind them, whose rows stay.
    stays: bool,
}

impl Session {
    /// Begins a batch with its ledger row. Waits while an old transaction holds the same row.
    ///
    /// Unless it `ends` its part, its commit is not waited for until it is on disk. That is safe, for the ledger's row
    /// is in the same transaction: a crash of the server takes rows and row back together, the lane's connection is lost
    /// with it, and whoever goes on asks the ledger how far the part is. The commit that ends the part waits as the
    /// session was set up to, and what waits for the log waits for all that was logged before.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn begin_batch(&mut self, id: &BatchId<'_>, ends: bool) -> Result<Begun<'_>, ServerError> {
        const SQL: &str = "WITH mine AS (SELECT run FROM :ledger.run WHERE run = $1 AND epoch = $2 AND state = 'Running' FOR SHARE) \
                           INSERT INTO :ledger.batch (run, load, part, batch) SELECT run, $3, $4, $5 FROM mine \
                           WHERE CASE WHEN $6 THEN true ELSE set_config('synchronous_commit', 'off', true) IS NOT NULL END";
        let Session { client, prepared, ledger, .. } = self;
        let mut tx = client.transaction().doing(WRITING)?;
        let sql = prepared.get(&mut tx, &ledger.sql(SQL)).doing(WRITING)?;
        match tx.execute(&sql, &[&id.run, &id.epoch, &id.load, &id.part, &id.batch, &ends]).doing(WRITING) {
            Ok(0) => Ok(Begun::Fenced),
            Ok(_) => Ok(Begun::Open(Open { tx, ledger, prepared, staged: false, marks: Vec::new(), stays: false })),
            Err(e) if e.is_unique_violation() => Ok(Begun::Taken),
            Err(e) => Err(e),
        }
    }

    /// A committed batch's last key and sums.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn committed(&mut self, id: &BatchId<'_>) -> Result<Option<(Option<Key>, Sums)>, ServerError> {
        let sql: &str = &self.ledger.sql(
            "SELECT last_key, read, written, skipped, faults, digest, losses::text, lookups::text FROM :ledger.batch \
                   WHERE run = $1 AND load = $2 AND part = $3 AND batch = $4",
        );
        let row = self.client.query_opt(sql, &[&id.run, &id.load, &id.part, &id.batch]).doing("reading the ledger")?;
        let Some(row) = row else { return Ok(None) };
        let last: Option<String> = row.get(0);
        Ok(Some((last.as_deref().and_then(Key::read), ledger::sums(&row, 1)?)))
    }
}

impl Open<'_> {
    /// Draws `count` ids from a sequence.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn draw(&mut self, sequence: &str, count: usize) -> Result<Vec<i64>, ServerError> {
        let sql = "SELECT nextval($1::text::regclass) FROM generate_series(1, $2::int8)";
        let rows = self.tx.query(sql, &[&sequence, &(count as i64)]).doing("drawing ids")?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Sets a savepoint; they may be nested.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn mark(&mut self) -> Result<(), ServerError> {
        let before = if std::mem::take(&mut self.stays) { "RELEASE SAVEPOINT migrate_mark; " } else { "" };
        self.tx.batch_execute(&format!("{before}SAVEPOINT migrate_mark")).doing(WRITING)?;
        self.marks.push(self.staged);
        Ok(())
    }

    /// Keeps the rows that were copied since the last savepoint. `checks`: constraints that wait for the commit are checked
    /// now, while the rows can still be told apart; a savepoint whose rows are refused is still there.
    ///
    /// What the savepoint began is left open, for the ledger's row to be completed in it: then the versions of both bear
    /// the same number, by which a row that nobody wrote to since is known.
    ///
    /// # Errors
    /// When a constraint fails, or the connection is lost.
    pub fn stay(&mut self, checks: bool) -> Result<(), ServerError> {
        if checks {
            self.check_deferred()?;
        }
        self.marks.pop();
        self.stays = true;
        Ok(())
    }

    /// Keeps what was done since the last savepoint and forgets the savepoint.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn keep(&mut self) -> Result<(), ServerError> {
        self.marks.pop();
        self.tx.batch_execute("RELEASE SAVEPOINT migrate_mark").doing(WRITING)
    }

    /// Undoes what was done since the last savepoint and forgets the savepoint.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn undo(&mut self) -> Result<(), ServerError> {
        self.staged = self.marks.pop().unwrap_or(false);
        let sql = "ROLLBACK TO SAVEPOINT migrate_mark; RELEASE SAVEPOINT migrate_mark";
        self.tx.batch_execute(sql).doing(WRITING)
    }

    /// Has constraints that wait for the commit checked now, while the rows can still be told apart.
    ///
    /// # Errors
    /// When one fails, or the connection is lost.
    pub fn check_deferred(&mut self) -> Result<(), ServerError> {
        self.tx.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").doing("checking rows")
    }

    /// Sends rows. `rows` is what the server must say it took. Gives the places (from 0) of rows that were skipped
    /// because their key was there.
    ///
    /// # Errors
    /// When the server refuses a row, takes another number of them, or the connection is lost.
    pub fn copy(&mut self, into: &Into<'_>, bytes: &[u8], rows: u64) -> Result<Vec<usize>, ServerError> {
        match into.conflict {
            None => {
                let to = with_columns(into.schema, into.table, into.columns);
                self.copy_to(&to, into.as_text, bytes, rows)?;
                Ok(Vec::new())
            }
            Some(key) => self.copy_aside(into, key, bytes, rows),
        }
    }

    fn copy_to(&mut self, to: &str, as_text: bool, bytes: &[u8], rows: u64) -> Result<(), ServerError> {
        let copy = self.prepared.get(&mut self.tx, &copy_sql(to, as_text)).doing(Operation::CopyRows)?;
        copy_into(&mut self.tx, &copy, (to, as_text), bytes, rows)
    }

    /// Rows into a temporary table, then those whose key is not there into the table itself.
    fn copy_aside(
        &mut self,
        into: &Into<'_>,
        key: &[String],
        bytes: &[u8],
        rows: u64,
    ) -> Result<Vec<usize>, ServerError> {
        const STAGING: &str = "copying rows aside";
        let table = format!("{}.{}", quoted(into.schema), quoted(into.table));
        let columns = quoted_list(into.columns);
        let place = free_name("migrate_place", into.columns);
        let nth = free_name("migrate_nth", into.columns);
        if !self.staged {
            self.tx
                .batch_execute(&format!(
                    "CREATE TEMPORARY TABLE migrate_piece ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA; \
                     ALTER TABLE pg_temp.migrate_piece ADD COLUMN {place} bigint GENERATED ALWAYS AS IDENTITY"
                ))
                .doing(STAGING)?;
            self.staged = true;
        }
        self.tx.batch_execute("TRUNCATE pg_temp.migrate_piece RESTART IDENTITY").doing(STAGING)?;
        self.copy_to(&format!("pg_temp.migrate_piece ({columns})"), into.as_text, bytes, rows)?;
        let keys = quoted_list(key);
        let equal: Vec<String> = key.iter().map(|k| format!("t.{0} = p.{0}", quoted(k))).collect();
        let known: Vec<String> = key.iter().map(|k| format!("p.{} IS NOT NULL", quoted(k))).collect();
        let sql = format!(
            "SELECT p.{place} FROM (SELECT *, row_number() OVER (PARTITION BY {keys} ORDER BY {place}) AS {nth} \
               FROM pg_temp.migrate_piece) AS p \
             WHERE (p.{nth} > 1 AND {}) OR EXISTS (SELECT FROM {table} AS t WHERE {}) ORDER BY 1",
            known.join(" AND "),
            equal.join(" AND ")
        );
        let skipped: Vec<i64> = self.tx.query(&sql, &[]).doing(STAGING)?.iter().map(|row| row.get(0)).collect();
        let sql = format!(
            "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM pg_temp.migrate_piece \
             WHERE {place} <> ALL ($1) ORDER BY {place} ON CONFLICT ({keys}) DO NOTHING"
        );
        let taken = self.tx.execute(&sql, &[&skipped]).doing("inserting rows")?;
        if taken + skipped.len() as u64 != rows {
            let message = format!(
                "{taken} of {rows} rows went in: a trigger swallowed the others, or somebody else writes the same keys"
            );
            return Err(ServerError::new("inserting rows", message).swallowed());
        }
        Ok(skipped.iter().filter_map(|place| usize::try_from(place - 1).ok()).collect())
    }

    /// Sets faults beside the batch in the ledger.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn set_aside(&mut self, id: &BatchId<'_>, faults: &[String]) -> Result<(), ServerError> {
        let sql: &str = &self.ledger.sql("INSERT INTO :ledger.fault (run, load, part, batch, fault) SELECT $1, $2, $3, $4, f::jsonb FROM unnest($5::text[]) AS f");
        self.tx.execute(sql, &[&id.run, &id.load, &id.part, &id.batch, &faults]).doing(WRITING)?;
        Ok(())
    }

    /// Completes the ledger's row and commits. `last` says that nothing of the part remains.
    ///
    /// # Errors
    /// When the server refuses, or the connection is lost: then the batch may be committed or not, and only
    /// [`Session::begin_batch`] with the same number can tell.
    pub fn commit(
        mut self,
        id: &BatchId<'_>,
        keys: (Option<&Key>, Option<&Key>),
        sums: &Sums,
        issued: &[i64],
        last: bool,
    ) -> Result<(), ServerError> {
        let (first, until) = (keys.0.map(Key::written), keys.1.map(Key::written));
        let losses = serde_json::to_string(&sums.losses).map_err(|e| ServerError::new(WRITING, e.to_string()))?;
        let lookups = serde_json::to_string(&sums.lookups).map_err(|e| ServerError::new(WRITING, e.to_string()))?;
        let sql: &str = &self.ledger.sql("WITH ended AS (UPDATE :ledger.part SET done = true WHERE $15 AND run = $1 AND load = $2 AND part = $3) \
                   UPDATE :ledger.batch SET first_key = $5, last_key = $6, read = $7, written = $8, skipped = $9, faults = $10, \
                   digest = $11, issued = $12, losses = ($13::text)::jsonb, lookups = ($14::text)::jsonb \
                   WHERE run = $1 AND load = $2 AND part = $3 AND batch = $4");
        let issued = (!issued.is_empty()).then_some(issued);
        let counts = [sums.read, sums.written, sums.skipped, sums.faults].map(|n| n as i64);
        let digest = sums.digest.to_bytes();
        let sql = self.prepared.get(&mut self.tx, sql).doing(WRITING)?;
        self.tx
            .execute(
                &sql,
                &[
                    &id.run, &id.load, &id.part, &id.batch, &first, &until, &counts[0], &counts[1], &counts[2],
                    &counts[3], &digest, &issued, &losses, &lookups, &last,
                ],
            )
            .doing(WRITING)?;
        self.tx.commit().doing("committing a batch")
    }
}

/// The statement that takes ready images into `to`.
pub(super) fn copy_sql(to: &str, as_text: bool) -> String {
    format!("COPY {to} FROM STDIN (FORMAT {})", if as_text { "text" } else { "binary" })
}

/// COPY of ready images into `to`; the server must take as many rows as there are.
pub(super) fn copy_into<S: ToStatement + ?Sized>(
    tx: &mut Transaction<'_>,
    copy: &S,
    (to, as_text): (&str, bool),
    bytes: &[u8],
    rows: u64,
) -> Result<(), ServerError> {
    let mut writer = tx.copy_in(copy).doing(Operation::CopyRows)?;
    if !as_text {
        writer.write_all(binary::HEADER).doing(Operation::CopyRows)?;
    }
    for slice in bytes.chunks(SLICE) {
        writer.write_all(slice).doing(Operation::CopyRows)?;
    }
    if !as_text {
        writer.write_all(binary::TRAILER).doing(Operation::CopyRows)?;
    }
    let taken = writer.finish().doing(Operation::CopyRows)?;
    if taken != rows {
        let message = format!("the server took {taken} of {rows} rows: a trigger or a rule swallowed the others");
        let refused = ServerError::new(Operation::CopyRows, message).swallowed();
        return Err(ServerError { table: Some(to.to_owned()), ..refused });
    }
    Ok(())
}
