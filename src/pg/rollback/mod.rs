//! Rolling a run back: its rows are deleted in one transaction that is committed as a whole or not at all.
//!
//! The source and the ledger determine the run's rows. They are sent into a staging table, compared with the target byte by
//! byte, and deleted. No rule of the target deletes anything on the way: references are checked first, and triggers and
//! rules for a deletion are disabled.

mod facts;
mod indexes;
mod kept;
mod owner;
mod rows;
mod sequences;
mod transaction;

pub use facts::{FactsAsked, RemovalFacts};
pub use indexes::RollbackIndex;
pub use owner::{OwnerRollback, OwnerRow};
pub(super) use rows::ReferencingKey;
pub use rows::{BlockingReference, Deletion, DeletionFacts, StagedRows};
pub use sequences::{MovedSequence, SequenceRollback};
pub use transaction::{OpenRollback, RollbackStart};
