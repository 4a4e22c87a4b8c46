//! The server's process that serves a session.

use postgres::Row;

use super::error::ServerError;
use super::query::TypedQuery;
use super::row::RowValues;

/// One process of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    pub(super) pid: i32,
    pub(super) started: String,
}

impl Backend {
    /// Returns its number.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The process that a row of [`own_backend`] describes.
    pub(super) fn of_row(row: &Row) -> Result<Backend, ServerError> {
        Ok(Backend { pid: row.value(0)?, started: row.value(1)? })
    }
}

/// The query for the server's process of this session.
pub(super) fn own_backend() -> TypedQuery<'static> {
    let sql = "SELECT pid, backend_start::text FROM pg_catalog.pg_stat_activity \
               WHERE pid = pg_backend_pid() AND backend_start IS NOT NULL";
    TypedQuery::new("asking for the server's process", sql)
}
