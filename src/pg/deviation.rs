//! Rows that are not on the target as the source alone says: skipped since their key was there, or with what stands in for
//! an orphan. The ledger keeps their places, so that what was sent can be computed again exactly.

use super::batch::{BatchId, OpenBatch};
use super::error::{Doing, ServerError};
use super::session::Session;

/// One such row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// Its place in the source, as [`crate::model::key::Key::written`] writes it.
    pub at: String,
    /// The column in which `if_orphan` stands; none: the row was skipped.
    pub orphan: Option<String>,
}

impl OpenBatch<'_> {
    /// Notes such rows of the batch.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn note_deviations(&mut self, id: &BatchId<'_>, rows: &[Deviation]) -> Result<(), ServerError> {
        let (at, orphan): (Vec<&str>, Vec<Option<&str>>) =
            rows.iter().map(|row| (row.at.as_str(), row.orphan.as_deref())).unzip();
        let sql: &str = &self.ledger.sql(
            "INSERT INTO :ledger.deviation (run, load, part, batch, at, orphan) \
                   SELECT $1, $2, $3, $4, * FROM unnest($5::text[], $6::text[])",
        );
        self.tx.execute(sql, &[&id.run, &id.load, &id.part, &id.batch, &at, &orphan]).doing("writing the ledger")?;
        Ok(())
    }
}

impl Session {
    /// Hands every such row of a load, or of one part of it, to `row`.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn deviations(
        &mut self,
        run: i64,
        (load, part): (&str, Option<i32>),
        row: &mut dyn FnMut(Deviation),
    ) -> Result<(), ServerError> {
        let sql: &str = &self
            .ledger
            .sql("SELECT at, orphan FROM :ledger.deviation WHERE run = $1 AND load = $2 AND part = coalesce($3, part)");
        for found in self.client.query(sql, &[&run, &load, &part]).doing("reading the ledger")? {
            row(Deviation { at: found.get(0), orphan: found.get(1) });
        }
        Ok(())
    }
}
