//! Who else works on the tables that rows go to: asked before a run begins.

use super::error::{Doing, ServerError};
use super::session::Session;

/// A session of somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Busy {
    /// The server's process.
    pub pid: i32,
    /// What it calls itself; may be empty.
    pub name: String,
    /// The tables, with commas between them.
    pub tables: String,
}

impl Session {
    /// Other clients' sessions that hold locks on these tables; not those that read in a statement of its own, which ends.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn busy(&mut self, schema: &str, tables: &[String]) -> Result<Vec<Busy>, ServerError> {
        let rows = self.client.query(include_str!("sql/busy.sql"), &[&schema, &tables]);
        let rows = rows.doing("asking who works on the tables")?;
        Ok(rows.iter().map(|row| Busy { pid: row.get(0), name: row.get(1), tables: row.get(2) }).collect())
    }
}
