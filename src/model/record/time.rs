//! The times of a report: steps, lanes, reconnects.

use serde::{Deserialize, Serialize};

use super::StepKind;

/// A connection that was lost and restored.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct RetryRecord {
    /// Seconds after the start.
    pub at: f64,
    /// SQLSTATE, or the message of the connection.
    pub why: String,
}

/// The time of a step.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct StepRecord {
    /// The step.
    pub step: StepKind,
    /// Seconds after the start of the command.
    #[serde(default)]
    pub started: f64,
    /// Wall clock.
    pub seconds: f64,
}

/// A time in which a lane worked on one load without a break.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct LaneSpan {
    /// The lane, from 1.
    pub lane: u32,
    /// The load.
    pub load: String,
    /// Seconds after the start of the command.
    pub started: f64,
    /// Wall clock.
    pub seconds: f64,
}
