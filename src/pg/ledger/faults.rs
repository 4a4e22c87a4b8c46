//! The quarantined rows of a run and their faults, read from the ledger in portions of bounded size.

use std::collections::HashSet;

use super::READING;
use crate::model::quarantine::QuarantinedRow;
use crate::pg::error::{Doing, ServerError};
use crate::pg::row::RowValues;
use crate::pg::session::Session;

/// Number of faults in a portion; one fault takes some 600 bytes.
const PORTION: i32 = 10_000;

impl Session {
    /// Returns the loads that have faults.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn loads_with_faults(&mut self, run: i64) -> Result<HashSet<String>, ServerError> {
        let sql: &str = &self.ledger.sql("SELECT DISTINCT load FROM :ledger.fault WHERE run = $1");
        let rows = self.client.query(sql, &[&run]).doing(READING)?;
        rows.iter().map(|row| row.kept(0)).collect()
    }

    /// Passes the faults of a load to `portion`, in the order of their batches.
    ///
    /// # Errors
    /// If the server refuses, the connection is lost, or the ledger contains a fault that this version cannot read; and
    /// those of `portion`.
    pub fn faults<E: From<ServerError>>(
        &mut self,
        run: i64,
        load: &str,
        portion: &mut dyn FnMut(Vec<QuarantinedRow>) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql: &str = &self
            .ledger
            .sql("DECLARE migrate_faults NO SCROLL CURSOR FOR SELECT fault::text FROM :ledger.fault WHERE run = $1 AND load = $2 ORDER BY part, batch, ctid");
        let mut tx = self.client.read_only_transaction().doing(READING)?;
        tx.execute(sql, &[&run, &load]).doing(READING)?;
        let next = format!("FETCH FORWARD {PORTION} FROM migrate_faults");
        loop {
            let rows = tx.query(&next, &[]).doing(READING)?;
            if rows.is_empty() {
                return Ok(tx.rollback().doing(READING)?);
            }
            let read = |row: &postgres::Row| {
                let text: &str = row.kept(0)?;
                serde_json::from_str(text).map_err(|e| ServerError::of_ledger(format!("fault.fault: {e}")))
            };
            portion(rows.iter().map(read).collect::<Result<_, _>>()?)?;
        }
    }

    /// Returns the places of the quarantined rows of a load in the source, as
    /// [`Key::written`](crate::model::key::Key::written) writes them.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn quarantined_rows(&mut self, run: i64, load: &str) -> Result<HashSet<String>, ServerError> {
        let sql: &str = &self.ledger.sql(
            "SELECT DISTINCT coalesce(fault ->> 'at', '[{\"i\":' || (fault ->> 'rowid') || '}]') FROM :ledger.fault \
                   WHERE run = $1 AND load = $2",
        );
        let rows = self.client.query(sql, &[&run, &load]).doing(READING)?;
        let mut places = HashSet::new();
        for row in &rows {
            places.extend(row.kept::<Option<String>>(0)?);
        }
        Ok(places)
    }
}
