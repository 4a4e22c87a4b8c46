//! The server's verdict on values without writing them. Values are sent as typed arrays in COPY's binary form; the answer
//! is the positions of rows that fail a CHECK constraint, or an error for a value that the server cannot read.

use std::error::Error;

use postgres::Client;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::error::{Doing, ServerError};
use super::inspect::CheckConstraint;
use super::session::Session;
use crate::model::ident::{free_name, quoted};
use crate::model::pgtype::{ColumnType, Kind};

/// One column of some rows: the elements of an array, each with its length, as in a row of binary COPY.
#[derive(Debug)]
pub struct ValueArray<'a> {
    /// The column's name.
    pub name: &'a str,
    /// The column's type.
    pub kind: &'a ColumnType,
    /// The fields, one after the other.
    pub fields: Vec<u8>,
    /// The number of fields.
    pub rows: i32,
}

impl Session {
    /// Returns the positions, from 0, of the rows that fail a CHECK constraint. NULL does not fail.
    ///
    /// # Errors
    /// If the server cannot evaluate the expression over these columns, or the connection is lost.
    pub fn rows_failing(
        &mut self,
        check: &CheckConstraint,
        columns: &[ValueArray<'_>],
    ) -> Result<Vec<usize>, ServerError> {
        let arrays: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(n, c)| format!("pg_catalog.unnest(${}::{}[])", n + 1, c.kind.name))
            .collect();
        let names: Vec<String> = columns.iter().map(|c| quoted(c.name)).collect();
        let all: Vec<&str> = columns.iter().map(|c| c.name).collect();
        let place = free_name("migrate_place", &all);
        let sql = format!(
            "SELECT {place} FROM ROWS FROM ({}) WITH ORDINALITY AS t({}, {place}) WHERE NOT ({}) ORDER BY 1",
            arrays.join(", "),
            names.join(", "),
            check.expression
        );
        let values: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|c| c as &(dyn ToSql + Sync)).collect();
        let ask = |client: &mut Client| client.query(&sql, &values).doing("asking for CHECK constraints");
        let rows = if check.calls_code { self.with_application_path(ask)? } else { ask(&mut self.client)? };
        Ok(rows.iter().filter_map(|row| usize::try_from(row.get::<_, i64>(0) - 1).ok()).collect())
    }

    /// Lets the server read these values, none of them NULL. Arrays are sent one at a time.
    ///
    /// # Errors
    /// If the server cannot read a value, or the connection is lost.
    pub fn read_values(&mut self, values: &ValueArray<'_>) -> Result<(), ServerError> {
        let sql = format!("SELECT {} IS NULL", values.parameter());
        self.client.query_one(&sql, &[values]).doing("asking the server to read values").map(|_| ())
    }
}

impl ValueArray<'_> {
    /// Returns the SQL of one parameter with these values: an array of them or, since arrays of arrays do not exist, the
    /// single array.
    fn parameter(&self) -> String {
        let array = if self.is_array() { "" } else { "[]" };
        format!("$1::{}{array}", self.kind.name)
    }

    fn is_array(&self) -> bool {
        matches!(self.kind.kind, Kind::Array(_))
    }
}

impl ToSql for ValueArray<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut postgres::types::private::BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        if self.is_array() {
            out.extend_from_slice(self.fields.get(4..).unwrap_or_default());
            return Ok(IsNull::No);
        }
        // One dimension; NULLs among the elements; the elements' type; length; lower bound.
        out.extend_from_slice(&1_i32.to_be_bytes());
        out.extend_from_slice(&1_i32.to_be_bytes());
        out.extend_from_slice(&self.kind.oid.to_be_bytes());
        out.extend_from_slice(&self.rows.to_be_bytes());
        out.extend_from_slice(&1_i32.to_be_bytes());
        out.extend_from_slice(&self.fields);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
