//! Carries the plan out: preflight, the owner, the loads batch by batch, the sequences, rollback.
//!
//! Decides nothing that the plan has not decided. The ledger alone records the progress of a run.
//!
//! - `owner`, `lookup_maps`, `sequences`: the owner's row, the maps of lookups, the sequences;
//! - `rows`: the rows of a batch, and the references between rows;
//! - `existing`: rows that tables hold before the run;
//! - `preflight`: the passes over all rows before the first write;
//! - `indexes`: constraints and indexes that are detached and reattached;
//! - `load`: the writing itself;
//! - `fleet`: the files of a fleet, each in one transaction;
//! - `rollback`: removal of the rows of a run;
//! - `explain`: causes of faults, found again for the report.

pub mod baseline;
pub mod existing;
pub mod explain;
pub mod fleet;
pub mod indexes;
mod load;
pub mod lookup_maps;
pub mod owner;
pub mod preflight;
pub mod rollback;
mod rows;
pub mod sequences;

pub use load::schedule::run;
pub use rows::fingerprint;
pub use rows::guard::StandIns;
