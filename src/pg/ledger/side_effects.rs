//! The things that a run made or moved on the target in addition to its rows, read from the ledger.
//!
//! They are recorded where they happen: in `pg::owner`, `pg::sequence` and `pg::lookup`.

use postgres::Row;

use super::READING;
use crate::model::ledger::{Made, MadeKind};
use crate::pg::error::ServerError;
use crate::pg::query::TypedQuery;
use crate::pg::row::RowValues;
use crate::pg::session::{LedgerSchema, Session};

/// The query for what a run made. `run`: the run as SQL.
pub(super) fn query<'q>(ledger: &LedgerSchema, run: &str) -> TypedQuery<'q> {
    let sql = "SELECT kind, object, was, became FROM :ledger.made WHERE run = :run ORDER BY kind, object";
    TypedQuery::new(READING, ledger.sql(&sql.replace(":run", run)))
}

/// The objects that the answer to this query describes.
pub(super) fn made(rows: &[Row]) -> Result<Vec<Made>, ServerError> {
    let made = rows.iter().map(|row| {
        let word: &str = row.kept(0)?;
        let unknown = || ServerError::of_ledger(format!("made.kind: this version does not know the kind `{word}`"));
        let kind = MadeKind::read(word).ok_or_else(unknown)?;
        Ok(Made { kind, object: row.kept(1)?, was: row.kept(2)?, became: row.kept(3)? })
    });
    made.collect()
}

impl Session {
    /// Returns what a run made in addition to its rows. After a rollback, only what of it remains.
    ///
    /// # Errors
    /// If the server refuses, the connection is lost, or the ledger contains a kind that this version does not know.
    pub fn made(&mut self, run: i64) -> Result<Vec<Made>, ServerError> {
        let [rows] = self.ask([query(&self.ledger, "$1").with(&run)])?;
        made(&rows)
    }
}
