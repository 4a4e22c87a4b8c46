//! Causes of faults, found again in the source when a report is made.

pub mod duplicates;
pub mod lookup_misses;
