//! Values of a row of the server's answer. A value that is missing, NULL or of another type is an error: the server, or
//! whoever changed the ledger, decides what the row contains.

use std::fmt::Display;

use postgres::Row;
use postgres::row::RowIndex;
use postgres::types::{FromSql, WasNull};

use super::error::ServerError;

/// Reading a column of a row without a panic.
pub(super) trait RowValues {
    /// Returns a value of the server's catalogue or of a computation.
    fn value<'a, T: FromSql<'a>>(&'a self, column: impl RowIndex + Display) -> Result<T, ServerError>;

    /// Returns a value that the ledger keeps.
    fn kept<'a, T: FromSql<'a>>(&'a self, column: impl RowIndex + Display) -> Result<T, ServerError>;
}

impl RowValues for Row {
    fn value<'a, T: FromSql<'a>>(&'a self, column: impl RowIndex + Display) -> Result<T, ServerError> {
        read(self, column).map_err(|message| ServerError::new("reading the server's answer", message))
    }

    fn kept<'a, T: FromSql<'a>>(&'a self, column: impl RowIndex + Display) -> Result<T, ServerError> {
        read(self, column).map_err(ServerError::of_ledger)
    }
}

fn read<'a, T: FromSql<'a>>(row: &'a Row, column: impl RowIndex + Display) -> Result<T, String> {
    let shown = column.to_string();
    row.try_get(column).map_err(|e| {
        let name = shown.parse().ok().and_then(|n: usize| row.columns().get(n)).map_or(&*shown, |c| c.name());
        match std::error::Error::source(&e) {
            Some(cause) if cause.is::<WasNull>() => format!("`{name}` is NULL"),
            Some(cause) => format!("`{name}` cannot be read: {cause}"),
            None => format!("`{name}` is missing"),
        }
    })
}
