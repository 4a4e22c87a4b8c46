//! The expected cost of a run, as a dry run estimates it.

use serde::{Deserialize, Serialize};

/// The expected cost of a run.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Forecast {
    /// The bytes of the rows in the form in which they are sent.
    pub bytes: u64,
    /// The estimated duration of the whole cutover.
    pub seconds: u64,
    /// The tables that are locked exclusively while something of them is detached and reattached.
    pub locked: Vec<LockedTable>,
}

/// A table that is locked exclusively for parts of the run.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct LockedTable {
    /// The table, with its schema.
    pub table: String,
    /// The number of keys, indexes and triggers that are detached and reattached.
    pub detached: u64,
}
