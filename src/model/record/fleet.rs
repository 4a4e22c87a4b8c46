//! The files of a fleet in a report.

use std::collections::BTreeMap;

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
    /// Files that are not done and of which some batches are in the target.
    #[serde(default)]
    pub begun: u64,
    /// Files that this process loaded.
    pub here: u64,
    /// Files that this process loaded in a second. `None` if it loaded none.
    pub per_second: Option<f64>,
    /// The first files that are quarantined or failed, at most 100.
    pub unfinished: Vec<UnfinishedFile>,
    /// The files whose work took longest.
    pub slowest: Vec<SlowFile>,
}

impl FleetRecord {
    /// Files that could not be loaded. The others are loaded, or no worker is done with them yet.
    pub fn not_loaded(&self) -> u64 {
        self.quarantined + self.failed
    }
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

/// The line of one file in the report of a fleet that has a line for each file.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct FileLine {
    /// The file, as it was named.
    pub path: String,
    /// `waiting`, `taken`, `done`, `quarantined`, `failed` or `removed`. In a dry run `done` means that it can be loaded.
    pub state: String,
    /// The values that come with it, by name.
    pub owner: BTreeMap<String, String>,
    /// The rows that it brought, by table. In a dry run: those that it would bring, by load.
    pub rows: BTreeMap<String, u64>,
    /// Values that lost something or were changed.
    pub losses: u64,
    /// Rows that stay in the file.
    pub left: u64,
    /// True if its rows were read back after their commit and are those that were sent.
    pub proved: bool,
    /// The reason for which it is not loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The last worker that took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Seconds of its work.
    pub seconds: f64,
}
