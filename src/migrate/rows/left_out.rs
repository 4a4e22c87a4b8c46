//! Faults of rows that the mapping leaves out: `if_orphan = { drop = true }` at a reference, and the rows that refer to them.
//!
//! Such a row is quarantined whatever `on_fault` says, so that resume, verification and rollback treat it as any
//! quarantined row.

use crate::model::fault::{Fault, Reason};

/// The number of faults of rows that the mapping leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Faults of rows whose own reference permits it.
    dropped: u64,
    /// Faults of rows that refer to a refused row and whose own reference does not state it.
    following: u64,
}

impl LeftOut {
    /// Counts the faults of one row. Returns true if its own references permit to leave it out.
    pub fn add(&mut self, row: &[Fault]) -> bool {
        let has_only = |reasons: &[Reason]| row.iter().all(|fault| reasons.contains(&fault.reason));
        let (is_dropped, faults) = (has_only(&[Reason::OrphanDropped]), row.len() as u64);
        if is_dropped {
            self.dropped += faults;
        } else if has_only(&[Reason::OrphanDropped, Reason::ParentRefused]) {
            self.following += faults;
        }
        is_dropped
    }

    /// Adds the counts of other rows.
    pub fn merge(&mut self, other: LeftOut) {
        self.dropped += other.dropped;
        self.following += other.following;
    }

    /// Returns the number of faults that a load with `on_fault = "abort"` permits. `all_abort`: no load of the run quarantines
    /// faults, so that each refused row to which another row refers was left out, or stops the run itself.
    pub fn permitted(self, all_abort: bool) -> u64 {
        self.dropped + if all_abort { self.following } else { 0 }
    }
}
