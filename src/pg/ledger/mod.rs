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
use crate::model::ledger::{LEDGER_VERSION, LedgerState};

const READING: &str = "reading the ledger";
const WRITING: &str = "writing the ledger";

/// Creates the ledger's tables, and its schema unless it exists.
fn create(tx: &mut Transaction<'_>, ledger: &LedgerSchema, schema_exists: bool) -> Result<(), ServerError> {
    // IF NOT EXISTS would require the right to create the schema even if it exists.
    let schema = if schema_exists { String::new() } else { format!("CREATE SCHEMA {};", quoted(&ledger.schema)) };
    tx.batch_execute(&(schema + &ledger.sql(include_str!("../sql/ledger.sql")))).doing("creating the ledger")
}

/// Brings the ledger to the version that this tool writes. All versions have the same tables. A ledger of version 2 may
/// contain fingerprints of form 2, which a tool that knows only version 1 must not compare with its own. A ledger of version 3
/// may contain batches with two digests.
///
/// The transaction is that of the command's first write, so that a command that only reads changes no ledger.
fn upgrade(tx: &mut Transaction<'_>, ledger: &LedgerSchema) -> Result<(), ServerError> {
    let sql: &str = &ledger.sql("UPDATE :ledger.ledger SET version = $1 WHERE version < $1");
    tx.execute(sql, &[&LEDGER_VERSION]).doing("upgrading the ledger")?;
    Ok(())
}

impl Session {
    /// Returns the ledger's version, or the reason why the schema contains no ledger of this tool.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn ledger_state(&mut self) -> Result<LedgerState, ServerError> {
        let schema = self.ledger.schema.clone();
        let row = self.client.query_one(include_str!("../sql/ledger_columns.sql"), &[&schema]).doing(READING)?;
        let (relations, missing): (i64, Vec<String>) = (row.get(0), row.get(1));
        if relations == 0 {
            return Ok(LedgerState::Absent);
        }
        let foreign = |why: String| {
            Ok(LedgerState::Foreign(format!("the schema `{schema}` contains no ledger of migrate: {why}")))
        };
        if missing.iter().any(|column| column == "ledger.version") {
            return foreign("the column `ledger.version` of type integer is missing".to_owned());
        }
        let sql: &str = &self.ledger.sql("SELECT version FROM :ledger.ledger LIMIT 2");
        let version = match self.client.query(sql, &[]).doing(READING)?.as_slice() {
            [row] => row.get::<_, Option<i32>>(0),
            rows => {
                return foreign(format!(
                    "the table `ledger` contains {} rows",
                    if rows.is_empty() { "no" } else { "several" }
                ));
            }
        };
        match (version, missing.first()) {
            (None, _) => foreign("`ledger.version` is NULL".to_owned()),
            (Some(version), _) if version < 1 => foreign(format!("no ledger has version {version}")),
            (Some(version), Some(column)) if version <= LEDGER_VERSION => {
                foreign(format!("the column `{column}` is missing or has another type"))
            }
            (Some(version), _) => Ok(LedgerState::Version(version)),
        }
    }
}
