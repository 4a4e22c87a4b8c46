//! Loading: the schedule of the lanes, the parts of a load, its batches.
//!
//! `schedule` gives tasks to lanes, `part` starts a load and picks the way of writing: `batch_by_batch` or
//! `single_transaction`. `together` writes several small loads in one transaction, `circle` those that refer to each other. All
//! gather batches through a `loader` and write them through `direct`, in one go, or `send`, step by step. `bisect` finds the rows
//! that the server refuses, and `fault_policy` decides whether the run may continue without them.

mod batch_by_batch;
mod bisect;
mod circle;
mod direct;
mod fault_policy;
mod lane;
mod loader;
mod part;
pub mod schedule;
mod send;
mod single_transaction;
mod skipped;
mod together;

pub(super) use loader::{BatchWriter, Loader};
pub(super) use send::fill_ids;
