//! Values that are sent to the server as typed arrays in COPY's binary form, and the server's verdict on values that it may be
//! unable to read.

use std::error::Error;

use postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::client::Parameter;
use super::error::{Doing, ServerError};
use super::session::Session;
use crate::model::pgtype::{ColumnType, Kind};

const READING_VALUES: &str = "asking the server to read values";

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
    /// Lets the server read these values, none of them NULL. Arrays are sent one at a time.
    ///
    /// # Errors
    /// If the server cannot read a value, or the connection is lost.
    pub fn read_values(&mut self, values: &ValueArray<'_>) -> Result<(), ServerError> {
        let sql = format!("SELECT {} IS NULL", values.parameter());
        self.client.query_one(&sql, &[values]).doing(READING_VALUES).map(|_| ())
    }

    /// Lets a type read these texts, none of them NULL. `call`: its input function, over the text `v`.
    ///
    /// # Errors
    /// If the type cannot read a text, or the connection is lost.
    pub fn read_texts(&mut self, texts: &ValueArray<'_>, call: &str) -> Result<(), ServerError> {
        let sql = format!("SELECT pg_catalog.count({call}) FROM pg_catalog.unnest({}) AS t(v)", texts.parameter());
        self.client.query_one(&sql, &[texts]).doing(READING_VALUES).map(|_| ())
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

impl Parameter for ValueArray<'_> {
    // The statement casts the parameter to the type.
    fn assumed_type(&self) -> Type {
        Type::UNKNOWN
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
