//! The values that are the same in every row of a run.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::model::cell::RawBuf;

/// The values that are the same in every row of a run.
#[derive(Clone, Default, PartialEq)]
pub struct Settled {
    /// The start of the run, in microseconds since 2000-01-01 UTC.
    pub now: i64,
    /// The owner's key. `None` until it is settled; the owner is NULL until then.
    pub owner: Option<RawBuf>,
    /// The number added to the ids of each shifted table.
    pub shifts: BTreeMap<String, i64>,
    /// The environment variables that the mapping refers to.
    pub env: BTreeMap<String, String>,
    /// The values that come with the file, if it is one of a fleet: by the column of the owner's row.
    pub member: BTreeMap<String, String>,
    /// The times at which the server's time zone data differ from those of this program.
    pub doubts: Arc<ZoneDoubts>,
}

/// By zone, the spans in which the server's offset differs from this program's: seconds since 1970, from and until.
pub type ZoneDoubts = BTreeMap<String, Vec<Range<i64>>>;

impl fmt::Debug for Settled {
    /// Omits the values of variables, which may be secrets, and the owner's key, which identifies a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.env.keys().collect();
        f.debug_struct("Settled").field("now", &self.now).field("shifts", &self.shifts).field("env", &names).finish()
    }
}
