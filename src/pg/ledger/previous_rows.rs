//! The previous rows that the ledger keeps of runs: rows that the target held and that a run removed or wrote over.

use super::READING;
use crate::pg::error::{Doing, ServerError};
use crate::pg::query::TypedQuery;
use crate::pg::row::RowValues;
use crate::pg::session::{LedgerSchema, Session};

const FORGETTING: &str = "removing the previous rows that the ledger keeps";

/// The query for the number of previous rows by run and table. `runs`: the runs as SQL.
pub(super) fn query<'q>(ledger: &LedgerSchema, runs: &str) -> TypedQuery<'q> {
    let sql =
        "SELECT run, table_name, pg_catalog.count(*) FROM :ledger.kept WHERE run IN :runs GROUP BY 1, 2 ORDER BY 1, 2";
    TypedQuery::new(READING, ledger.sql(&sql.replace(":runs", runs)))
}

impl Session {
    /// Removes the previous rows of a finished run from the ledger, and notes that it cannot be rolled back any more. Returns
    /// their number. `None` if the run is not finished.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn forget_previous_rows(&mut self, run: i64) -> Result<Option<u64>, ServerError> {
        let sql: &str = &self.ledger.sql(include_str!("../sql/forget_previous_rows.sql"));
        let row = self.client.query_one(sql, &[&run]).doing(FORGETTING)?;
        let removed = row.value::<i64>(0)?.unsigned_abs();
        Ok(row.value::<bool>(1)?.then_some(removed))
    }
}
