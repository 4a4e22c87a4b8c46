//! Columns of a table in the server's own text form, for types whose binary form this tool cannot compute.
//!
//! A batch reads its rows back in its own transaction, before the commit, and their digest enters the ledger with the batch.
//! A verification reads the same form again. The text form does not contain OIDs, so it is the same after a dump and a restore.

use super::batch::{BatchId, OpenBatch};
use super::copy::Destination;
use super::error::{Doing, ServerError};
use super::read_back::RowImages;
use super::row::RowValues;
use super::session::Session;
use crate::model::ident::{literal, qualified, quoted};

const READING: &str = "reading rows back in the server's form";

/// The rows to read in the server's form.
#[derive(Clone, Debug)]
pub struct ReturnedRows<'a> {
    /// The schema.
    pub schema: &'a str,
    /// The table.
    pub table: &'a str,
    /// Columns that precede the others in their binary form.
    pub keys: &'a [String],
    /// The columns, in order.
    pub columns: &'a [String],
    /// A condition in SQL, whose operators name their schema; `None` for all rows.
    pub only: Option<String>,
}

impl ReturnedRows<'_> {
    /// The query of the rows. `format` calls the output function of any type.
    fn sql(&self) -> String {
        let text = |column: &String| {
            let column = quoted(column);
            format!("CASE WHEN t.{column} IS NOT NULL THEN pg_catalog.format('%s', t.{column}) END")
        };
        let keys = self.keys.iter().map(|column| format!("t.{}", quoted(column)));
        let columns: Vec<String> = keys.chain(self.columns.iter().map(text)).collect();
        let only = self.only.as_ref().map_or_else(String::new, |condition| format!(" WHERE {condition}"));
        format!("SELECT {} FROM {} AS t{only}", columns.join(", "), qualified(self.schema, self.table))
    }
}

impl Session {
    /// Passes every row to `row`, as the image of its keys and its texts. Returns the number of rows.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn read_returned(&mut self, rows: &ReturnedRows<'_>, row: &mut dyn FnMut(&[u8])) -> Result<u64, ServerError> {
        let sql = format!("COPY ({}) TO STDOUT (FORMAT binary)", rows.sql());
        self.reading(|client| RowImages::begin(client.copy_out(&sql).doing(READING)?)?.each(row))
    }
}

impl OpenBatch<'_> {
    /// Returns the number of blocks of the destination's table. Rows that are copied from now on are appended after
    /// them, unless earlier blocks have free space.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn heap_blocks(&mut self, into: &Destination<'_>) -> Result<i64, ServerError> {
        let sql = "SELECT pg_catalog.pg_relation_size($1::pg_catalog.text::pg_catalog.regclass) \
                   OPERATOR(pg_catalog./) pg_catalog.current_setting('block_size')::pg_catalog.int8";
        self.tx.query_one(sql, &[&qualified(into.schema, into.table)]).doing(READING)?.value(0)
    }

    /// Passes to `row` each row that was written since the last savepoint. Returns the number of rows.
    ///
    /// Such a row has the number of the savepoint's subtransaction. The ledger's row gets the same number first, because no
    /// function of the server returns it. `from`: the first block to read.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn read_returned(
        &mut self,
        id: &BatchId<'_>,
        rows: &ReturnedRows<'_>,
        from: i64,
        row: &mut dyn FnMut(&[u8]),
    ) -> Result<u64, ServerError> {
        let touched = self.ledger.sql(&format!(
            "UPDATE :ledger.batch SET read = read WHERE (run, load, part, batch) OPERATOR(pg_catalog.=) ({}, {}, {}, {}) \
             RETURNING xmin",
            id.run,
            literal(id.load),
            id.part,
            id.batch
        ));
        let only = format!(
            "t.ctid OPERATOR(pg_catalog.>=) '({from},0)'::pg_catalog.tid \
             AND t.xmin OPERATOR(pg_catalog.=) (SELECT touched.xmin FROM touched)"
        );
        let rows = ReturnedRows { only: Some(only), ..rows.clone() };
        let sql = format!("COPY (WITH touched AS ({touched}) {}) TO STDOUT (FORMAT binary)", rows.sql());
        RowImages::begin(self.tx.copy_out(&sql).doing(READING)?)?.each(row)
    }
}
