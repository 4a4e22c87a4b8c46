//! Lookups on the server's side: the type of an expression over a table, and the rows that fill a lookup's map.

use super::error::{Doing, ServerError};
use super::read_back::RowImages;
use super::row::RowValues;
use super::session::Session;
use super::types;
use crate::model::ident::{qualified, quoted};
use crate::model::ledger::Run;
use crate::model::pgtype::ColumnType;

const READING: &str = "reading a lookup";

/// The rows and columns that a lookup reads.
pub struct LookupRows<'a> {
    /// The schema.
    pub schema: &'a str,
    /// The table.
    pub table: &'a str,
    /// The key's SQL expressions.
    pub key: &'a [&'a str],
    /// The column that the lookup returns.
    pub take: &'a str,
}

impl Session {
    /// Returns the type that PostgreSQL infers for an expression over the columns of a table, or its refusal in words.
    ///
    /// # Errors
    /// If the connection is lost. A refused expression is an answer, not an error.
    pub fn expression_type(
        &mut self,
        schema: &str,
        table: &str,
        sql: &str,
    ) -> Result<Result<ColumnType, String>, ServerError> {
        let mut tx = self.client.read_only_transaction().doing(READING)?;
        tx.batch_execute(&self.application_path.set(true)).doing(READING)?;
        let asked = format!("SELECT ({sql}\n) FROM {}", qualified(schema, table));
        let found = match tx.prepare(&asked) {
            Ok(statement) => match statement.columns() {
                [one] => Ok((i64::from(one.type_().oid()), one.type_modifier())),
                _ => Err("it is not one expression".to_owned()),
            },
            Err(e) if e.as_db_error().is_none() => return Err(e).doing(READING),
            // The message names columns and functions of the mapping's own text, never a value of a row.
            Err(e) => Err(e.as_db_error().map(|d| d.message().to_owned()).unwrap_or_default()),
        };
        tx.rollback().doing(READING)?;
        match found {
            Ok((oid, typmod)) => types::of_expression(&mut self.client, schema, oid, typmod).map(Ok),
            Err(words) => Ok(Err(words)),
        }
    }

    /// Passes each row's binary COPY image to `row`: the key's expressions, then the column that is taken.
    ///
    /// # Errors
    /// If the server refuses, the connection is lost, or the stream ends without its trailer.
    pub fn read_lookup(&mut self, rows: &LookupRows<'_>, row: &mut dyn FnMut(&[u8])) -> Result<(), ServerError> {
        let parts: Vec<String> = rows.key.iter().map(|sql| format!("({sql}\n)")).collect();
        let sql = format!(
            "COPY (SELECT {}, {} FROM {}) TO STDOUT (FORMAT binary)",
            parts.join(", "),
            quoted(rows.take),
            qualified(rows.schema, rows.table)
        );
        self.with_application_path(|client| {
            let stream = client.copy_out(&sql).doing(READING)?;
            RowImages::begin(stream)?.each(row)?;
            Ok(())
        })
    }

    /// Writes the digest of a lookup's map into the ledger when the map is read first. Returns the digest in the ledger: an
    /// earlier one if the load was begun before. `None` if another process resumed the run.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn note_lookup(&mut self, run: &Run, place: &str, digest: &str) -> Result<Option<String>, ServerError> {
        const NOTING: &str = "noting a lookup";
        // Not `MINE`: the rollback of a run that is done reads its lookups, too.
        let sql: &str = &self.ledger.sql(
            "WITH mine AS (SELECT run FROM :ledger.run WHERE run = $1 AND epoch = $2 FOR SHARE), \
             noted AS (INSERT INTO :ledger.made (run, kind, object, became) SELECT run, 'lookup', $3, $4 FROM mine \
             ON CONFLICT DO NOTHING) SELECT count(*) > 0 FROM mine",
        );
        let row = self.client.query_one(sql, &[&run.id, &run.epoch, &place, &digest]).doing(NOTING)?;
        if !row.value(0)? {
            return Ok(None);
        }
        let sql: &str =
            &self.ledger.sql("SELECT became FROM :ledger.made WHERE run = $1 AND kind = 'lookup' AND object = $2");
        self.client.query_one(sql, &[&run.id, &place]).doing(NOTING)?.kept(0).map(Some)
    }
}
