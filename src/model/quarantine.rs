//! A fault as the ledger stores it: what a report shows, and where its row and its refused parent are.
//!
//! It holds no value except a row's key, which is needed to find the row again.

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::record::FaultRecord;

/// One fault of a quarantined row.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct QuarantinedRow {
    /// The row's key, as [`super::key::Key::written`] writes it.
    pub at: String,
    /// Load and key of the refused row that this row refers to.
    pub parent: Option<(String, String)>,
    /// A hash of the row's content, by which a row that was fixed since then is recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
    /// The constraint that refused the row. Faults of older versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint: Option<String>,
    /// The fault as a report shows it.
    pub record: FaultRecord,
}

impl QuarantinedRow {
    /// Returns a fault for the ledger.
    pub fn of(fault: &Fault, table: &str) -> QuarantinedRow {
        QuarantinedRow {
            at: fault.at.written(),
            parent: fault.parent.as_ref().map(|(load, at)| (load.clone(), at.written())),
            seen: fault.seen,
            constraint: fault.constraint.clone(),
            record: FaultRecord::of(fault, table, 0, false),
        }
    }
}
