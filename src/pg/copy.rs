//! Sending rows with COPY, straight into their table or through a staging table that skips keys that exist already.

use bytes::Bytes;
use postgres::Statement;

use super::batch::{CHECK_DEFERRED, CHECKING_ROWS, OpenBatch};
use super::client::{Client, CopyIn, Pipeline, Reply, SentCopy, all_replies};
use super::equality::Equality;
use super::error::{Doing, Operation, ServerError};
use super::row::RowValues;
use crate::model::ident::{free_name, qualified, quoted, quoted_list};
use crate::plan::SkippedRows;
use crate::wire::binary;

/// The largest slice that is passed to the client library at once. Each costs a round through its event loop, so slices are
/// large.
pub const SLICE: usize = 256 * 1024;

/// Returns a COPY that begins with other statements, all of which succeeded.
///
/// # Errors
/// If the server refuses it or the connection is lost.
pub(super) fn begun(copy: SentCopy) -> Result<CopyIn, ServerError> {
    let unsent = || ServerError::new(Operation::CopyRows, "the COPY was not sent");
    copy.ok_or_else(unsent)?.doing(Operation::CopyRows)
}

/// The destination of rows.
#[derive(Clone, Debug)]
pub struct Destination<'a> {
    /// The schema.
    pub schema: &'a str,
    /// The table.
    pub table: &'a str,
    /// The columns of a row, in order.
    pub columns: &'a [String],
    /// Rows are sent by text COPY.
    pub as_text: bool,
    /// The rows that are skipped because their key exists. `None`: a collision is an error.
    pub skipped: Option<&'a SkippedRows>,
    /// True if NULL equals NULL in the key of skipped rows.
    pub nulls_equal: bool,
}

impl Destination<'_> {
    /// The table itself as the destination of a COPY.
    pub(super) fn straight(&self) -> CopyTarget {
        let table = format!("{} ({})", qualified(self.schema, self.table), quoted_list(self.columns));
        CopyTarget { table, as_text: self.as_text }
    }
}

/// The outcome of sending rows.
pub struct Copied {
    /// The positions (from 0) of rows that were skipped because their key existed.
    pub skipped: Vec<usize>,
    /// True if deferred constraints were checked.
    pub is_checked: bool,
}

/// The destination of one COPY statement.
#[derive(Clone, Debug)]
pub(super) struct CopyTarget {
    /// Table and columns, as COPY writes them.
    pub table: String,
    /// Rows are sent as text.
    pub as_text: bool,
}

impl CopyTarget {
    /// The statement that takes encoded rows.
    pub fn sql(&self) -> String {
        format!("COPY {} FROM STDIN (FORMAT {})", self.table, if self.as_text { "text" } else { "binary" })
    }
}

impl OpenBatch<'_> {
    /// Sends rows. `rows` is the number that the server must report. Returns the positions (from 0) of rows that were
    /// skipped because their key existed.
    ///
    /// # Errors
    /// If the server refuses a row or reports another number, or the connection is lost.
    pub fn copy(&mut self, into: &Destination<'_>, bytes: &[u8], rows: u64) -> Result<Vec<usize>, ServerError> {
        match into.skipped {
            None => {
                self.copy_straight(&into.straight(), bytes, rows)?;
                Ok(Vec::new())
            }
            Some(skipped) => self.copy_staged(Pipeline::new(), into, bytes, &skipped.key, rows),
        }
    }

    /// Sets a savepoint and sends rows as [`OpenBatch::copy`] does. The savepoint is set with the beginning of the COPY. If the
    /// rows go straight into their table and the COPY is prepared, `check_deferred` checks the deferred constraints with its end.
    ///
    /// # Errors
    /// Those of [`OpenBatch::set_savepoint`], [`OpenBatch::copy`] and [`OpenBatch::check_deferred`].
    pub fn copy_after_savepoint(
        &mut self,
        into: &Destination<'_>,
        bytes: &[u8],
        rows: u64,
        check_deferred: bool,
    ) -> Result<Copied, ServerError> {
        let to = into.straight();
        if let Some(skipped) = into.skipped {
            let before = Pipeline::new().script(self.savepoint());
            let skipped = self.copy_staged(before, into, bytes, &skipped.key, rows)?;
            return Ok(Copied { skipped, is_checked: false });
        }
        let Some(statement) = self.prepared.known(&to.sql()) else {
            self.set_savepoint()?;
            return Ok(Copied { skipped: self.copy(into, bytes, rows)?, is_checked: false });
        };
        let steps = Pipeline::new().script(self.savepoint());
        let (replies, copy) = steps.run_and_copy(&mut self.tx, &statement);
        all_replies(replies).doing(Operation::CopyRows)?;
        let mut copy = begun(copy)?;
        send_rows(&mut self.tx, &mut copy, &to, bytes)?;
        let mut steps = Pipeline::new().end_copy(copy);
        if check_deferred {
            steps = steps.script(CHECK_DEFERRED);
        }
        let mut replies = steps.run(&mut self.tx).into_iter();
        let taken = replies.next().transpose().doing(Operation::CopyRows);
        let taken = taken.map_err(|failure| to.failed(&mut self.tx, failure))?.map(|taken| taken.counts());
        to.compare(taken.and_then(|counts| counts.last().copied()).unwrap_or(0), rows)?;
        replies.try_for_each(|reply| reply.doing(CHECKING_ROWS).map(drop))?;
        Ok(Copied { skipped: Vec::new(), is_checked: check_deferred })
    }

    fn copy_straight(&mut self, to: &CopyTarget, bytes: &[u8], rows: u64) -> Result<(), ServerError> {
        let statement = self.prepared.get(&mut self.tx, &to.sql()).doing(Operation::CopyRows)?;
        copy_rows(&mut self.tx, &statement, to, bytes, rows)
    }

    /// Runs the statements of `before`, sends rows into the staging table, which numbers them, and inserts those whose `key`
    /// does not exist. Returns the positions of the others.
    fn copy_staged(
        &mut self,
        before: Pipeline<'_>,
        into: &Destination<'_>,
        bytes: &[u8],
        key: &[String],
        rows: u64,
    ) -> Result<Vec<usize>, ServerError> {
        let existing = self.existing_places_sql(into, key)?;
        let columns = quoted_list(into.columns);
        let staging = match self.staged {
            true => "TRUNCATE pg_temp.migrate_piece RESTART IDENTITY".to_owned(),
            false => format!(
                "CREATE TEMPORARY TABLE migrate_piece ON COMMIT DROP AS SELECT {columns} FROM {} WITH NO DATA; \
                 ALTER TABLE pg_temp.migrate_piece ADD COLUMN {} bigint GENERATED ALWAYS AS IDENTITY",
                qualified(into.schema, into.table),
                place_column(into)
            ),
        };
        let to = CopyTarget { table: format!("pg_temp.migrate_piece ({columns})"), as_text: into.as_text };
        let mut copy = self.begin_staging(before.script(staging), &to)?;
        self.staged = true;
        send_rows(&mut self.tx, &mut copy, &to, bytes)?;
        let mut replies = Pipeline::new().end_copy(copy).query(existing, &[]).run(&mut self.tx).into_iter();
        let taken = replies.next().transpose().doing(Operation::CopyRows)?.map(|taken| taken.counts());
        to.compare(taken.and_then(|counts| counts.last().copied()).unwrap_or(0), rows)?;
        let existing = replies.next().transpose().doing("looking for keys that exist")?.map(Reply::rows);
        let skipped = existing.iter().flatten().map(|row| row.value(0)).collect::<Result<Vec<i64>, _>>()?;
        self.insert_staged(into, key, &skipped, rows)?;
        Ok(skipped.iter().filter_map(|place| usize::try_from(place - 1).ok()).collect())
    }

    /// Runs the statements that make or clear the staging table, and begins the COPY into it. Waits once if the COPY was
    /// prepared before.
    fn begin_staging(&mut self, steps: Pipeline<'_>, to: &CopyTarget) -> Result<CopyIn, ServerError> {
        const STAGING: &str = "copying rows into a staging table";
        let sql = to.sql();
        if let Some(statement) = self.prepared.known(&sql) {
            let (replies, copy) = steps.run_and_copy(&mut self.tx, &statement);
            all_replies(replies).doing(STAGING)?;
            return begun(copy);
        }
        let replies = all_replies(steps.prepare(sql.as_str()).run(&mut self.tx)).doing(STAGING)?;
        let Some(statement) = replies.into_iter().last().and_then(Reply::statement) else {
            return Err(ServerError::new(STAGING, "the server did not prepare the COPY"));
        };
        self.prepared.keep(sql, &statement);
        self.tx.copy_in(&statement).doing(Operation::CopyRows)
    }

    /// Returns the equality of the columns of the table, read once per connection.
    pub(super) fn equality(&mut self, into: &Destination<'_>) -> Result<Equality, ServerError> {
        if let Some(known) = self.prepared.known_equality(into.schema, into.table) {
            return Ok(known);
        }
        let prepared = &mut *self.prepared;
        self.application_path.leave_for(&mut self.tx, |tx| prepared.equality(tx, into.schema, into.table))
    }

    /// The query for the places of the staged rows whose key exists, in the table or in an earlier staged row.
    fn existing_places_sql(&mut self, into: &Destination<'_>, key: &[String]) -> Result<String, ServerError> {
        let table = qualified(into.schema, into.table);
        let place = place_column(into);
        let nth = free_name("migrate_nth", into.columns);
        let keys = quoted_list(key);
        let equality = self.equality(into)?;
        let equal = |k: &String| equality.of(k, &format!("t.{}", quoted(k)), &format!("p.{}", quoted(k)));
        let equal: Vec<String> = key.iter().map(equal).collect();
        let is_null = |side: &str, k: &String| format!("{side}.{} IS NULL", quoted(k));
        let known = key.iter().map(|k| format!("NOT {}", is_null("p", k))).collect::<Vec<_>>().join(" AND ");
        let known = if into.nulls_equal { "true".to_owned() } else { known };
        let taken = |condition: &str| {
            format!(" UNION SELECT p.{place} FROM pg_temp.migrate_piece AS p JOIN {table} AS t ON {condition}")
        };
        // Joins instead of EXISTS: Citus refuses a subquery on a distributed table that refers to a table of the session.
        let mut exists = taken(&equal.join(" AND "));
        if into.nulls_equal {
            // Apart from the condition above, which an index serves.
            let both_null = |k: &String| format!("{} AND {}", is_null("t", k), is_null("p", k));
            let same: Vec<String> =
                key.iter().zip(&equal).map(|(k, equal)| format!("({equal} OR {})", both_null(k))).collect();
            let nulls = key.iter().map(|k| is_null("p", k)).collect::<Vec<_>>().join(" OR ");
            exists += &taken(&format!("({nulls}) AND {}", same.join(" AND ")));
        }
        Ok(format!(
            "SELECT p.{place} FROM (SELECT *, pg_catalog.row_number() OVER (PARTITION BY {keys} ORDER BY {place}) AS {nth} \
               FROM pg_temp.migrate_piece) AS p \
             WHERE p.{nth} OPERATOR(pg_catalog.>) 1 AND {known}{exists} ORDER BY 1"
        ))
    }

    /// Inserts the staged rows except those in the places `skipped`. `rows` is the number of all staged rows.
    fn insert_staged(
        &mut self,
        into: &Destination<'_>,
        key: &[String],
        skipped: &[i64],
        rows: u64,
    ) -> Result<(), ServerError> {
        const INSERTING: &str = "inserting rows";
        let (table, columns, keys) = (qualified(into.schema, into.table), quoted_list(into.columns), quoted_list(key));
        let place = place_column(into);
        let sql = format!(
            "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM pg_temp.migrate_piece \
             WHERE {place} OPERATOR(pg_catalog.<>) ALL ($1) ORDER BY {place} ON CONFLICT ({keys}) DO NOTHING"
        );
        let taken = self.tx.execute(&sql, &[&skipped]).doing(INSERTING)?;
        if taken + skipped.len() as u64 != rows {
            let message = format!(
                "the server inserted {taken} of {rows} rows: a trigger swallowed the others, or another session writes the \
                 same keys"
            );
            return Err(ServerError::new(INSERTING, message).swallowed());
        }
        Ok(())
    }
}

/// The name of the staging table's column that numbers the rows.
pub(super) fn place_column(into: &Destination<'_>) -> String {
    free_name("migrate_place", into.columns)
}

/// Sends encoded rows by COPY. The server must report as many rows as were sent.
pub(super) fn copy_rows(
    client: &mut Client,
    statement: &Statement,
    to: &CopyTarget,
    bytes: &[u8],
    rows: u64,
) -> Result<(), ServerError> {
    let mut copy = client.copy_in(statement).doing(Operation::CopyRows)?;
    send_rows(client, &mut copy, to, bytes)?;
    let taken = copy.finish(client).doing(Operation::CopyRows).map_err(|failure| to.failed(client, failure))?;
    to.compare(taken, rows)
}

/// Sends all rows of a COPY.
pub(super) fn send_rows(
    client: &mut Client,
    copy: &mut CopyIn,
    to: &CopyTarget,
    bytes: &[u8],
) -> Result<(), ServerError> {
    to.begin(client, copy)?;
    send_slices(client, copy, bytes)?;
    to.end(client, copy)
}

/// Sends some rows of a COPY.
pub(super) fn send_slices(client: &mut Client, copy: &mut CopyIn, bytes: &[u8]) -> Result<(), ServerError> {
    bytes
        .chunks(SLICE)
        .try_for_each(|slice| copy.send(client, Bytes::copy_from_slice(slice)).doing(Operation::CopyRows))
}

impl CopyTarget {
    /// Returns the failure of a COPY into this table.
    ///
    /// The server may refuse the whole statement after it has asked for rows, as a trigger for each statement does. It has read the
    /// beginning of binary rows then, but nothing of a text; it answers the end of that COPY a second time, and every later answer is one
    /// to the statement before. Such a connection is given up, and the rows are not tried one by one.
    pub fn failed(&self, client: &mut Client, failure: ServerError) -> ServerError {
        if !self.as_text || failure.lost || client.answers_in_turn() {
            return failure;
        }
        let state = failure.state.unwrap_or_default();
        let message = format!("the server refused the COPY as a whole, before it read a row (SQLSTATE {state})");
        let advice = "Way out: change the trigger that refuses each statement, or set triggers = \"off\" for the load.";
        let refused = ServerError::new(Operation::CopyRows, message);
        ServerError { table: Some(self.table.clone()), advice: Some(advice.to_owned()), ..refused }
    }

    /// Returns an error unless the server took as many rows as were sent.
    pub fn compare(&self, taken: u64, rows: u64) -> Result<(), ServerError> {
        if taken == rows {
            return Ok(());
        }
        let message = format!("the server took {taken} of {rows} rows: a trigger or a rule swallowed the others");
        let refused = ServerError::new(Operation::CopyRows, message).swallowed();
        Err(ServerError { table: Some(self.table.clone()), ..refused })
    }

    /// Sends the bytes before the first row.
    pub fn begin(&self, client: &mut Client, copy: &mut CopyIn) -> Result<(), ServerError> {
        self.send_unless_text(client, copy, binary::HEADER)
    }

    /// Sends the bytes after the last row.
    pub fn end(&self, client: &mut Client, copy: &mut CopyIn) -> Result<(), ServerError> {
        self.send_unless_text(client, copy, binary::TRAILER)
    }

    fn send_unless_text(
        &self,
        client: &mut Client,
        copy: &mut CopyIn,
        bytes: &'static [u8],
    ) -> Result<(), ServerError> {
        if self.as_text { Ok(()) } else { copy.send(client, Bytes::from_static(bytes)).doing(Operation::CopyRows) }
    }
}
