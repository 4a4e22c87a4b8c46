//! Loading: the schedule of the lanes, one part of a load, one batch.

pub mod part;
pub mod schedule;
pub mod send;
pub mod single_transaction;
