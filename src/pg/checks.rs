//! The server's judgement without writing anything: rows go there as typed arrays, in the same wire form as they would be
//! copied in, and what comes back is the numbers of those that fail a CHECK, or that a value cannot be read.

use std::error::Error;

use postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::error::{Doing, ServerError};
use super::session::Session;
use crate::model::ident::{free_name, quoted};
use crate::model::pgtype::{ColumnType, Kind};

const ASKING: &str = "asking for CHECK constraints";
const ASKING_INDEXES: &str = "asking for indexes";
const ASKING_UNSEEN: &str = "asking for what is judged when rows are written";
const ASKING_VALUES: &str = "asking whether values can be read";

/// One CHECK constraint of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowCheck {
    /// Its name.
    pub name: String,
    /// As an expression over the table's columns.
    pub expression: String,
    /// The columns that it reads.
    pub columns: Vec<String>,
}

/// One column of some rows: an array's elements, each with its length, as in a row of binary COPY.
#[derive(Debug)]
pub struct Column<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type.
    pub kind: &'a ColumnType,
    /// The fields, one behind the other.
    pub fields: Vec<u8>,
    /// How many.
    pub rows: i32,
}

impl Session {
    /// The CHECK constraints of a table.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn row_checks(&mut self, schema: &str, table: &str) -> Result<Vec<RowCheck>, ServerError> {
        let rows =
            self.unbiased(|client| client.query(include_str!("sql/checks.sql"), &[&schema, &table]).doing(ASKING))?;
        let check = |row: &postgres::Row| RowCheck {
            name: row.get("name"),
            expression: row.get("expression"),
            columns: row.get("columns"),
        };
        Ok(rows.iter().map(check).collect())
    }

    /// The B-tree indexes of a table: names, and the plain columns that stand in each.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn indexed(&mut self, schema: &str, table: &str) -> Result<Vec<(String, Vec<String>)>, ServerError> {
        let rows = self.unbiased(|client| {
            client.query(include_str!("sql/indexed.sql"), &[&schema, &table]).doing(ASKING_INDEXES)
        })?;
        Ok(rows.iter().map(|row| (row.get("name"), row.get("columns"))).collect())
    }

    /// What the server alone judges of rows that are written to a table, whose triggers fire or do not: the kind of check, its
    /// name, and why it cannot be made beforehand.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn unseen(&mut self, schema: &str, table: &str, fires: bool) -> Result<Vec<[String; 3]>, ServerError> {
        let sql = include_str!("sql/unseen.sql");
        let rows = self.client.query(sql, &[&schema, &table, &fires]).doing(ASKING_UNSEEN)?;
        Ok(rows.iter().map(|row| [row.get("kind"), row.get("name"), row.get("why")]).collect())
    }

    /// The places, from 0, of rows that fail a check. NULL does not fail.
    ///
    /// # Errors
    /// When the server cannot evaluate it over these columns, or the connection is lost.
    pub fn failing(&mut self, check: &RowCheck, columns: &[Column<'_>]) -> Result<Vec<usize>, ServerError> {
        let arrays: Vec<String> =
            columns.iter().enumerate().map(|(n, c)| format!("${}::{}[]", n + 1, c.kind.name)).collect();
        let names: Vec<String> = columns.iter().map(|c| quoted(c.name)).collect();
        let all: Vec<&str> = columns.iter().map(|c| c.name).collect();
        let place = free_name("migrate_place", &all);
        let sql = format!(
            "SELECT {place} FROM ROWS FROM (unnest({})) WITH ORDINALITY AS t({}, {place}) WHERE NOT ({}) ORDER BY 1",
            arrays.join(", "),
            names.join(", "),
            check.expression
        );
        let values: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|c| c as &(dyn ToSql + Sync)).collect();
        let rows = self.client.query(&sql, &values).doing(ASKING)?;
        Ok(rows.iter().filter_map(|row| usize::try_from(row.get::<_, i64>(0) - 1).ok()).collect())
    }

    /// Has the server read these values, of which none is NULL; of arrays one at a time.
    ///
    /// # Errors
    /// When it cannot read one, or the connection is lost.
    pub fn reads(&mut self, values: &Column<'_>) -> Result<(), ServerError> {
        let sql = format!("SELECT {} IS NULL", values.parameter());
        self.client.query_one(&sql, &[values]).doing(ASKING_VALUES).map(|_| ())
    }
}

impl Column<'_> {
    /// The values as one parameter of this type: an array of them, or, since there are no arrays of arrays, the one array.
    fn parameter(&self) -> String {
        let array = if self.is_array() { "" } else { "[]" };
        format!("$1::{}{array}", self.kind.name)
    }

    fn is_array(&self) -> bool {
        matches!(self.kind.kind, Kind::Array(_))
    }
}

impl ToSql for Column<'_> {
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
