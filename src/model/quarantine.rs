//! A fault as the ledger keeps it: what a report says of it, and where its row and its refused parent are.
//!
//! It holds no value but a row's key, without which the row could not be found again.

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::record::FaultRecord;

/// One fault of a row that was set aside.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct QuarantinedRow {
    /// Where the row is, as [`super::key::Key::written`] writes it.
    pub at: String,
    /// Load and place of the refused row that this one refers to.
    pub parent: Option<(String, String)>,
    /// A hash of what the row held, by which a row that was mended since is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
    /// The constraint that refused the row. Faults of older versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint: Option<String>,
    /// What a report says of it.
    pub record: FaultRecord,
}

impl QuarantinedRow {
    /// A fault for the ledger.
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
