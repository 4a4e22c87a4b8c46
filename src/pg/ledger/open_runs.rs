//! The runs in the ledger that are not ended and load tables of the present run.

use super::READING;
use crate::model::ledger::{LoadedTable, OpenRun};
use crate::pg::error::{Doing, ServerError};
use crate::pg::row::RowValues;
use crate::pg::session::Session;

impl Session {
    /// Lists the runs that are not ended and load one of these tables. Stopped runs are among them: their rows are
    /// incomplete, and what they detached is still detached.
    ///
    /// # Errors
    /// If the server refuses, the connection is lost, or the ledger contains a value that this version cannot read.
    pub fn open_runs(&mut self, schema: &str, tables: &[LoadedTable]) -> Result<Vec<OpenRun>, ServerError> {
        let names: Vec<&str> = tables.iter().map(|table| table.table.as_str()).collect();
        let sql: &str = &self.ledger.sql(include_str!("../sql/open_runs.sql"));
        let rows = self.client.query(sql, &[&schema, &names]).doing(READING)?;
        let run = |row: &postgres::Row| {
            Ok(OpenRun { run: row.kept(0)?, mapping: row.kept(1)?, table: row.kept(2)?, shared: row.kept(3)? })
        };
        rows.iter().map(run).collect()
    }
}
