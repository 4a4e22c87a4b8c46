//! What a run made or moved on the target beside its rows, as the ledger keeps it.
//!
//! Whoever makes or moves it writes it down: `owner`, `sequence`, `lookup`. Here it is read.

use super::error::{Doing, ServerError};
use super::session::Session;

/// Something that a run made or moved on the target beside its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// `owner`, `sequence` or `lookup`.
    pub kind: String,
    /// Its name.
    pub object: String,
    /// As it was.
    pub was: Option<String>,
    /// As the run left it.
    pub became: Option<String>,
}

impl Session {
    /// What a run made beside its rows; of one that was taken back, what of it stayed.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn made(&mut self, run: i64) -> Result<Vec<Made>, ServerError> {
        let sql: &str =
            &self.ledger.sql("SELECT kind, object, was, became FROM :ledger.made WHERE run = $1 ORDER BY kind, object");
        let rows = self.client.query(sql, &[&run]).doing("reading the ledger")?;
        Ok(rows.iter().map(|r| Made { kind: r.get(0), object: r.get(1), was: r.get(2), became: r.get(3) }).collect())
    }
}
