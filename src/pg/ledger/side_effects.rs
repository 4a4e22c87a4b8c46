//! The things that a run made or moved on the target in addition to its rows, read from the ledger.
//!
//! They are recorded where they happen: in `pg::owner`, `pg::sequence` and `pg::lookup`.

use super::READING;
use crate::model::ledger::{Made, MadeKind};
use crate::pg::error::{Doing, ServerError};
use crate::pg::row::RowValues;
use crate::pg::session::Session;

impl Session {
    /// Returns what a run made in addition to its rows. After a rollback, only what of it remains.
    ///
    /// # Errors
    /// If the server refuses, the connection is lost, or the ledger contains a kind that this version does not know.
    pub fn made(&mut self, run: i64) -> Result<Vec<Made>, ServerError> {
        let sql: &str =
            &self.ledger.sql("SELECT kind, object, was, became FROM :ledger.made WHERE run = $1 ORDER BY kind, object");
        let rows = self.client.query(sql, &[&run]).doing(READING)?;
        let made = rows.iter().map(|row| {
            let word: &str = row.kept(0)?;
            let unknown = || ServerError::of_ledger(format!("made.kind: this version does not know the kind `{word}`"));
            let kind = MadeKind::read(word).ok_or_else(unknown)?;
            Ok(Made { kind, object: row.kept(1)?, was: row.kept(2)?, became: row.kept(3)? })
        });
        made.collect()
    }
}
