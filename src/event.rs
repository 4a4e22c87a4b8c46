//! What happens, as values. The core tells a [`Watch`] and goes on; it never prints.
//!
//! Progress, log and tests listen here. No event carries a value of anybody's row.

use crate::model::record::{StepKind, Warning};

/// Something that happened. Counts are since the last event of the same kind, not sums.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A step of the command began.
    Step(StepKind),
    /// Work on a load began.
    Began {
        /// The load.
        load: &'a str,
        /// Rows to come, where they were counted.
        rows: Option<u64>,
    },
    /// Rows of a load went through: read and converted while reading ahead, committed while loading.
    Rows {
        /// The load.
        load: &'a str,
        /// How many more.
        rows: u64,
    },
    /// Work on a load ended.
    Ended {
        /// The load.
        load: &'a str,
    },
    /// Something to know that stops nothing.
    Warned(&'a Warning),
    /// A connection was lost and is made again.
    Retry {
        /// Which attempt, from 1.
        attempt: u32,
        /// SQLSTATE or the connection's words.
        why: &'a str,
    },
    /// A sentence for the log.
    Said(&'a str),
}

/// Hears what happens. Called from every lane, so it must not block for long.
pub trait Watch: Sync {
    /// One event.
    fn hear(&self, event: Event<'_>);
}

/// Hears nothing.
pub struct Unwatched;

impl Watch for Unwatched {
    fn hear(&self, _: Event<'_>) {}
}
