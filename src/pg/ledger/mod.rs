//! The ledger: what is done, kept in the target next to the data that it describes.
//!
//! This file creates the ledger. Each other file reads and writes one kind of its rows. The row of a batch is written with
//! its data in `pg::batch`.

mod backends;
mod batches;
mod deviations;
mod faults;
mod parts;
mod run;
mod side_effects;
pub mod status;

use postgres::Transaction;

use super::error::{Doing, ServerError};
use super::session::{LedgerSchema, Session};
use crate::model::ident::quoted;

/// The version of the ledger's tables that this tool writes.
pub const VERSION: i32 = 1;

const READING: &str = "reading the ledger";
const WRITING: &str = "writing the ledger";

/// Creates the ledger's tables, and its schema unless it exists.
fn create(tx: &mut Transaction<'_>, ledger: &LedgerSchema, schema_exists: bool) -> Result<(), ServerError> {
    // IF NOT EXISTS would require the right to create the schema even if it exists.
    let schema = if schema_exists { String::new() } else { format!("CREATE SCHEMA {};", quoted(&ledger.schema)) };
    tx.batch_execute(&(schema + &ledger.sql(include_str!("../sql/ledger.sql")))).doing("creating the ledger")
}

impl Session {
    /// Returns the version of the ledger; `None` if there is no ledger.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn ledger_version(&mut self) -> Result<Option<i32>, ServerError> {
        let name = format!("{}.ledger", quoted(&self.ledger.schema));
        let there: bool = self.client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&name]).doing(READING)?.get(0);
        if !there {
            return Ok(None);
        }
        let sql: &str = &self.ledger.sql("SELECT version FROM :ledger.ledger");
        Ok(Some(self.client.query_one(sql, &[]).doing(READING)?.get(0)))
    }
}
