//! Values on their way between SQLite's library and this program: read from a row, bound to a statement, returned by a function.
//!
//! A value keeps its storage class and its bytes. Its meaning is decided in `convert`.

use rusqlite::Result;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use crate::model::cell::{Raw, RawBuf};

/// Returns a value of SQLite without examining its bytes.
#[inline]
pub(super) fn raw(value: ValueRef<'_>) -> Raw<'_> {
    match value {
        ValueRef::Null => Raw::Null,
        ValueRef::Integer(i) => Raw::Integer(i),
        ValueRef::Real(r) => Raw::Real(r),
        ValueRef::Text(bytes) => Raw::Text(bytes),
        ValueRef::Blob(bytes) => Raw::Blob(bytes),
    }
}

/// A value that is bound by storage class and bytes.
pub(super) struct BoundValue<'a>(pub Raw<'a>);

impl ToSql for BoundValue<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(output(self.0))
    }
}

/// A value that a function returns.
pub(super) struct FunctionResult(pub RawBuf);

impl ToSql for FunctionResult {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(output(self.0.as_raw()))
    }
}

fn output(value: Raw<'_>) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match value {
        Raw::Null => ValueRef::Null,
        Raw::Integer(i) => ValueRef::Integer(i),
        Raw::Real(r) => ValueRef::Real(r),
        Raw::Text(bytes) => ValueRef::Text(bytes),
        Raw::Blob(bytes) => ValueRef::Blob(bytes),
    })
}
