//! The values that are the same in every row of a run.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::cell::RawBuf;

/// What is the same for every value of a run.
#[derive(Clone, Default, PartialEq)]
pub struct Settled {
    /// The run's start, in microseconds since 2000-01-01 UTC.
    pub now: i64,
    /// The owner's key; `None` until it is settled, and an owner is NULL as long.
    pub owner: Option<RawBuf>,
    /// What is added to the ids of each shifted table.
    pub shifts: BTreeMap<String, i64>,
    /// The variables of the environment that the mapping names.
    pub env: BTreeMap<String, String>,
}

impl fmt::Debug for Settled {
    /// Values of variables may be keys to something, and the owner's key is somebody's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.env.keys().collect();
        f.debug_struct("Settled").field("now", &self.now).field("shifts", &self.shifts).field("env", &names).finish()
    }
}
