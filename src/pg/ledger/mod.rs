//! The ledger: what is done, kept in the target next to the data that it describes.
//!
//! This file creates the ledger and brings it to the present version. Each other file reads and writes one kind of its rows.
//! The row of a batch is written with its data in `pg::batch`.

mod backends;
mod batches;
mod check;
mod created;
mod deviations;
mod faults;
mod member_lines;
pub mod members;
mod open_runs;
pub mod parts;
mod previous_rows;
mod run;
mod side_effects;
pub mod status;
mod view;

pub use check::{LedgerColumns, LedgerPlace};
pub use created::{CreatedRollback, NewTables};
pub use view::{LedgerView, RunName};

pub(super) use check::LEDGER_COLUMNS;
pub(super) use created::drop_objects;

pub(super) use deviations::{NOTE_DEVIATIONS, deviation_columns};

use super::error::{Doing, READING_LEDGER as READING, ServerError};
use super::session::{LedgerSchema, Session};
use crate::model::ident::quoted;
use crate::model::ledger::LEDGER_VERSION;

const WRITING: &str = "writing the ledger";

/// The statements that create the ledger's tables, and its schema unless it exists.
fn creation(ledger: &LedgerSchema, schema_exists: bool) -> String {
    // IF NOT EXISTS would require the right to create the schema even if it exists.
    let schema = if schema_exists { String::new() } else { format!("CREATE SCHEMA {};", quoted(&ledger.schema)) };
    let newer: String = UPGRADES.iter().map(|(_, sql)| format!("{sql}\n;\n")).collect();
    schema + &ledger.sql(&format!("{}{newer}", include_str!("../sql/ledger.sql")))
}

/// The versions whose tables differ from those of the version before, with the statements that make the difference.
/// Versions 1 and 2 have the same tables. A ledger of version 2 may contain fingerprints of form 2, which a tool that knows
/// only version 1 must not compare with its own. A ledger of version 3 may contain batches with two digests, one of version 5
/// fleets. A new ledger gets all of them.
const UPGRADES: [(i32, &str); 4] = [
    (3, include_str!("../sql/ledger_version_3.sql")),
    (4, include_str!("../sql/ledger_version_4.sql")),
    (5, include_str!("../sql/ledger_version_5.sql")),
    (6, include_str!("../sql/ledger_version_6.sql")),
];

/// The statements that bring a ledger from a version to the one that this tool writes.
///
/// The transaction is that of the command's first write, so that a command that only reads changes no ledger.
fn upgrade(ledger: &LedgerSchema, from: i32) -> String {
    let newer = UPGRADES.iter().filter(|(version, _)| from < *version);
    let mut sql: String = newer.map(|(_, sql)| format!("{sql}\n;\n")).collect();
    if from < LEDGER_VERSION {
        // Rows that one transaction wrote together with the ledger's own row were restored from a copy of the database. They
        // stay recognisable: this transaction writes them all.
        for table in ["batch", "made"] {
            sql +=
                &format!("UPDATE :ledger.{table} SET run = run WHERE xmin IN (SELECT l.xmin FROM :ledger.ledger l);\n");
        }
        sql += &format!("UPDATE :ledger.ledger SET version = {LEDGER_VERSION} WHERE version < {LEDGER_VERSION}");
    }
    ledger.sql(&sql)
}

impl Session {
    /// Brings the ledger to the version that this tool writes.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn upgrade_ledger(&mut self, from: i32) -> Result<(), ServerError> {
        let mut tx = self.client.transaction().doing(WRITING)?;
        tx.batch_execute(&upgrade(&self.ledger, from)).doing("upgrading the ledger")?;
        tx.commit().doing(WRITING)
    }
}
