//! The files of a fleet in a report.

use serde::{Deserialize, Serialize};

/// The files of a fleet, by their state.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub struct FleetRecord {
    /// All files of the fleet.
    pub files: u64,
    /// Files whose rows are in the target. In a dry run: files that can be loaded.
    pub done: u64,
    /// Files that cannot be loaded as they are.
    pub quarantined: u64,
    /// Files that the target stopped.
    pub failed: u64,
    /// Files that no worker has taken yet.
    pub waiting: u64,
    /// Files at which a worker is.
    pub taken: u64,
    /// Files that this process loaded.
    pub here: u64,
    /// Files that this process loaded in a second. `None` if it loaded none.
    pub per_second: Option<f64>,
    /// The first files that are quarantined or failed, at most 100.
    pub unfinished: Vec<UnfinishedFile>,
    /// The files whose work took longest.
    pub slowest: Vec<SlowFile>,
}

/// A file that is not loaded.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct UnfinishedFile {
    /// The file, as it was named.
    pub path: String,
    /// `quarantined` or `failed`.
    pub state: String,
    /// The reason, with the way out.
    pub reason: String,
}

/// A file and the time of its work.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct SlowFile {
    /// The file, as it was named.
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Seconds.
    pub seconds: f64,
}
