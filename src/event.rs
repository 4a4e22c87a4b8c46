//! Events of a run. The core reports them to an [`Observer`] and never prints.
//!
//! Progress, log and tests observe them. No event contains a value of a row.

use crate::model::record::{StepKind, Warning};

/// The extent of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The number of its units.
    pub units: u64,
    /// Their kind.
    pub kind: WorkUnit,
    /// Rows to come, estimated. `None` if unknown, or if the step processes no rows.
    pub rows: Option<u64>,
}

/// The units of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkUnit {
    /// Loads.
    Load,
    /// Tables, or stretches of large tables.
    Part,
    /// Steps that re-create constraints and indexes.
    Object,
    /// Sequences.
    Sequence,
}

/// The files of a fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileCounts {
    /// Those that are loaded. In a dry run: those that can be.
    pub loaded: u64,
    /// Those that cannot be loaded as they are.
    pub quarantined: u64,
    /// Those that the target stopped.
    pub failed: u64,
    /// All others.
    pub left: u64,
}

impl FileCounts {
    /// Files that no worker has to look at again.
    pub fn done(&self) -> u64 {
        self.loaded + self.quarantined + self.failed
    }
}

/// An event. Counts are increments since the previous event of the same kind, not sums, except those of files.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A step of the command began.
    Step(StepKind),
    /// The extent of the step.
    Planned(Extent),
    /// One unit of this step is done, other than a load.
    Done(StepKind),
    /// The files of a fleet are these now, those of all workers counted.
    Files(FileCounts),
    /// Work on a load began.
    Began {
        /// The load.
        load: &'a str,
        /// Rows to come. `None` if they were not counted.
        rows: Option<u64>,
    },
    /// Rows of a load were processed: converted in the preflight, committed during the load.
    Rows {
        /// The load.
        load: &'a str,
        /// The number of rows.
        rows: u64,
    },
    /// Rows that were reported as committed are not: a server that crashed lost their commits. They are sent again.
    RowsLost {
        /// The load.
        load: &'a str,
        /// The number of rows.
        rows: u64,
    },
    /// Work on a load ended.
    Ended {
        /// The load.
        load: &'a str,
    },
    /// A dump is being loaded into a private copy. Unlike other counts, this is the size of the copy so far.
    Copied {
        /// Its bytes.
        bytes: u64,
    },
    /// A warning.
    Warned(&'a Warning),
    /// A connection was lost, and the run reconnects.
    Retry {
        /// The attempt, from 1.
        attempt: u32,
        /// SQLSTATE or the message of the connection.
        why: &'a str,
    },
    /// A sentence for the log.
    Said(&'a str),
}

/// Receives events. Every lane calls it, so it must not block for long.
pub trait Observer: Sync {
    /// Receives one event.
    fn on_event(&self, event: Event<'_>);
}

/// An observer that ignores every event.
pub struct NoObserver;

impl Observer for NoObserver {
    fn on_event(&self, _: Event<'_>) {}
}
