//! Sending rows with COPY, straight into their table or through a staging table that skips keys that exist already.

use std::io::Write;

use postgres::{ToStatement, Transaction};

use super::batch::OpenBatch;
use super::equality::Equality;
use super::error::{Doing, Operation, ServerError};
use crate::model::ident::{free_name, qualified, quoted, quoted_list};
use crate::plan::SkippedRows;
use crate::wire::binary;

/// The largest slice that is passed to the client library at once. The library flushes each write over 4 KiB with a round
/// through its runtime, so slices are large.
const SLICE: usize = 256 * 1024;

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
                let table = format!("{} ({})", qualified(into.schema, into.table), quoted_list(into.columns));
                self.copy_straight(&CopyTarget { table, as_text: into.as_text }, bytes, rows)?;
                Ok(Vec::new())
            }
            Some(skipped) => {
                self.stage(into, bytes, rows)?;
                self.insert_staged(into, &skipped.key, rows)
            }
        }
    }

    fn copy_straight(&mut self, to: &CopyTarget, bytes: &[u8], rows: u64) -> Result<(), ServerError> {
        let statement = self.prepared.get(&mut self.tx, &to.sql()).doing(Operation::CopyRows)?;
        copy_rows(&mut self.tx, &statement, to, bytes, rows)
    }

    /// Sends rows into the staging table, which numbers them.
    fn stage(&mut self, into: &Destination<'_>, bytes: &[u8], rows: u64) -> Result<(), ServerError> {
        const STAGING: &str = "copying rows into a staging table";
        let columns = quoted_list(into.columns);
        if !self.staged {
            self.tx
                .batch_execute(&format!(
                    "CREATE TEMPORARY TABLE migrate_piece ON COMMIT DROP AS SELECT {columns} FROM {} WITH NO DATA; \
                     ALTER TABLE pg_temp.migrate_piece ADD COLUMN {} bigint GENERATED ALWAYS AS IDENTITY",
                    qualified(into.schema, into.table),
                    place_column(into)
                ))
                .doing(STAGING)?;
            self.staged = true;
        }
        self.tx.batch_execute("TRUNCATE pg_temp.migrate_piece RESTART IDENTITY").doing(STAGING)?;
        let to = CopyTarget { table: format!("pg_temp.migrate_piece ({columns})"), as_text: into.as_text };
        self.copy_straight(&to, bytes, rows)
    }

    /// Returns the equality of the columns of the table, read once per connection.
    pub(super) fn equality(&mut self, into: &Destination<'_>) -> Result<Equality, ServerError> {
        if let Some(known) = self.prepared.known_equality(into.schema, into.table) {
            return Ok(known);
        }
        let prepared = &mut *self.prepared;
        self.application_path.leave_for(&mut self.tx, |tx| prepared.equality(tx, into.schema, into.table))
    }

    /// Inserts the staged rows whose key does not exist. Returns the positions of the others.
    fn insert_staged(&mut self, into: &Destination<'_>, key: &[String], rows: u64) -> Result<Vec<usize>, ServerError> {
        const INSERTING: &str = "inserting rows";
        let table = qualified(into.schema, into.table);
        let columns = quoted_list(into.columns);
        let place = place_column(into);
        let nth = free_name("migrate_nth", into.columns);
        let keys = quoted_list(key);
        let equality = self.equality(into)?;
        let equal = |k: &String| equality.of(k, &format!("t.{}", quoted(k)), &format!("p.{}", quoted(k)));
        let equal: Vec<String> = key.iter().map(equal).collect();
        let is_null = |side: &str, k: &String| format!("{side}.{} IS NULL", quoted(k));
        let known = key.iter().map(|k| format!("NOT {}", is_null("p", k))).collect::<Vec<_>>().join(" AND ");
        let known = if into.nulls_equal { "true".to_owned() } else { known };
        let mut exists = format!("EXISTS (SELECT FROM {table} AS t WHERE {})", equal.join(" AND "));
        if into.nulls_equal {
            // Apart from the condition above, which an index serves.
            let both_null = |k: &String| format!("{} AND {}", is_null("t", k), is_null("p", k));
            let same: Vec<String> =
                key.iter().zip(&equal).map(|(k, equal)| format!("({equal} OR {})", both_null(k))).collect();
            let nulls = key.iter().map(|k| is_null("p", k)).collect::<Vec<_>>().join(" OR ");
            exists += &format!(" OR ({nulls}) AND EXISTS (SELECT FROM {table} AS t WHERE {})", same.join(" AND "));
        }
        let sql = format!(
            "SELECT p.{place} FROM (SELECT *, pg_catalog.row_number() OVER (PARTITION BY {keys} ORDER BY {place}) AS {nth} \
               FROM pg_temp.migrate_piece) AS p \
             WHERE (p.{nth} OPERATOR(pg_catalog.>) 1 AND {known}) OR {exists} ORDER BY 1"
        );
        let existing = self.tx.query(&sql, &[]).doing("looking for keys that exist")?;
        let skipped: Vec<i64> = existing.iter().map(|row| row.get(0)).collect();
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
        Ok(skipped.iter().filter_map(|place| usize::try_from(place - 1).ok()).collect())
    }
}

/// The name of the staging table's column that numbers the rows.
pub(super) fn place_column(into: &Destination<'_>) -> String {
    free_name("migrate_place", into.columns)
}

/// Sends encoded rows by COPY. The server must report as many rows as were sent.
pub(super) fn copy_rows<S: ToStatement + ?Sized>(
    tx: &mut Transaction<'_>,
    statement: &S,
    to: &CopyTarget,
    bytes: &[u8],
    rows: u64,
) -> Result<(), ServerError> {
    let mut writer = tx.copy_in(statement).doing(Operation::CopyRows)?;
    if !to.as_text {
        writer.write_all(binary::HEADER).doing(Operation::CopyRows)?;
    }
    for slice in bytes.chunks(SLICE) {
        writer.write_all(slice).doing(Operation::CopyRows)?;
    }
    if !to.as_text {
        writer.write_all(binary::TRAILER).doing(Operation::CopyRows)?;
    }
    let taken = writer.finish().doing(Operation::CopyRows)?;
    if taken != rows {
        let message = format!("the server took {taken} of {rows} rows: a trigger or a rule swallowed the others");
        let refused = ServerError::new(Operation::CopyRows, message).swallowed();
        return Err(ServerError { table: Some(to.table.clone()), ..refused });
    }
    Ok(())
}
