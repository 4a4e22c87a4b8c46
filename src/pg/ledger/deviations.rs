//! Deviations: rows that were skipped, or that hold the value of `if_orphan`.

use super::{READING, WRITING};
use crate::model::ledger::Deviation;
use crate::pg::batch::{BatchId, OpenBatch};
use crate::pg::error::{Doing, ServerError};
use crate::pg::row::RowValues;
use crate::pg::session::Session;

/// Records rows of a batch: its key in the ledger, places, columns.
pub(in crate::pg) const NOTE_DEVIATIONS: &str = "INSERT INTO :ledger.deviation (run, load, part, batch, at, orphan) \
     SELECT $1, $2, $3, $4, * \
     FROM ROWS FROM (pg_catalog.unnest($5::pg_catalog.text[]), pg_catalog.unnest($6::pg_catalog.text[])) AS t";

/// The places and the columns of deviations.
pub(in crate::pg) fn deviation_columns(rows: &[Deviation]) -> (Vec<&str>, Vec<Option<&str>>) {
    rows.iter().map(|row| (row.at.as_str(), row.orphan.as_deref())).unzip()
}

impl OpenBatch<'_> {
    /// Records the deviations of the batch.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn note_deviations(&mut self, id: &BatchId<'_>, rows: &[Deviation]) -> Result<(), ServerError> {
        let (at, orphan) = deviation_columns(rows);
        let sql = &self.ledger.sql(NOTE_DEVIATIONS);
        self.tx.execute(sql, &[&id.run, &id.load, &id.part, &id.batch, &at, &orphan]).doing(WRITING)?;
        Ok(())
    }
}

impl Session {
    /// Passes each deviation of a load to `row`, or of one part of the load.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn deviations(
        &mut self,
        run: i64,
        load: &str,
        part: Option<i32>,
        row: &mut dyn FnMut(Deviation),
    ) -> Result<(), ServerError> {
        let sql: &str = &self
            .ledger
            .sql("SELECT at, orphan FROM :ledger.deviation WHERE run = $1 AND load = $2 AND part = coalesce($3, part)");
        for found in self.client.query(sql, &[&run, &load, &part]).doing(READING)? {
            row(Deviation { at: found.kept(0)?, orphan: found.kept(1)? });
        }
        Ok(())
    }
}
