//! Lookups on the server's side: what an expression over a table is, and the rows that a lookup's map is made of.

use super::catalog;
use super::error::{Doing, ServerError};
use super::read_back::Images;
use super::session::Session;
use crate::model::ident::quoted;
use crate::model::pgtype::ColumnType;

const READING: &str = "reading a lookup";

impl Session {
    /// What PostgreSQL makes of an expression over the columns of a table: its type, or what it refuses, in words.
    ///
    /// # Errors
    /// When the connection is lost; an expression that is refused is an answer.
    pub fn expression_type(
        &mut self,
        schema: &str,
        table: &str,
        sql: &str,
    ) -> Result<Result<ColumnType, String>, ServerError> {
        let mut tx = self.client.build_transaction().read_only(true).start().doing(READING)?;
        let asked = format!("SELECT ({sql}\n) FROM {}.{}", quoted(schema), quoted(table));
        let found = match tx.prepare(&asked) {
            Ok(statement) => match statement.columns() {
                [one] => Ok((i64::from(one.type_().oid()), one.type_modifier())),
                _ => Err("it is not one expression".to_owned()),
            },
            Err(e) if e.as_db_error().is_none() => return Err(e).doing(READING),
            // The words name columns and functions of the mapping's own text, never a value of a row.
            Err(e) => Err(e.as_db_error().map(|d| d.message().to_owned()).unwrap_or_default()),
        };
        tx.rollback().doing(READING)?;
        match found {
            Ok((oid, typmod)) => self.unbiased(|client| catalog::type_of(client, schema, oid, typmod)).map(Ok),
            Err(words) => Ok(Err(words)),
        }
    }

    /// Hands each row of a table to `row` as binary COPY has it: the expressions of a key, then the column that is taken.
    ///
    /// # Errors
    /// When the server refuses, the connection is lost, or the stream ends without its trailer.
    pub fn read_lookup(
        &mut self,
        schema: &str,
        table: &str,
        (key, take): (&[&str], &str),
        row: &mut dyn FnMut(&[u8]),
    ) -> Result<(), ServerError> {
        let parts: Vec<String> = key.iter().map(|sql| format!("({sql}\n)")).collect();
        let sql = format!(
            "COPY (SELECT {}, {} FROM {}.{}) TO STDOUT (FORMAT binary)",
            parts.join(", "),
            quoted(take),
            quoted(schema),
            quoted(table)
        );
        let stream = self.client.copy_out(&sql).doing(READING)?;
        Images::begin(stream)?.each(row)?;
        Ok(())
    }

    /// Notes in the ledger what a lookup's map held when it was read first. Gives that digest: an earlier one where the
    /// load was begun before.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn note_lookup(&mut self, run: i64, place: &str, digest: &str) -> Result<String, ServerError> {
        const NOTING: &str = "noting a lookup";
        let sql: &str = &self.ledger.sql(
            "INSERT INTO :ledger.made (run, kind, object, became) VALUES ($1, 'lookup', $2, $3) ON CONFLICT DO NOTHING",
        );
        self.client.execute(sql, &[&run, &place, &digest]).doing(NOTING)?;
        let sql: &str =
            &self.ledger.sql("SELECT became FROM :ledger.made WHERE run = $1 AND kind = 'lookup' AND object = $2");
        Ok(self.client.query_one(sql, &[&run, &place]).doing(NOTING)?.get(0))
    }
}
