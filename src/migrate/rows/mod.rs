//! The rows of a batch, and the references between rows.

pub mod batch;
pub mod counts;
pub mod fingerprint;
pub mod fixed_point;
pub mod guard;
pub mod key_numbers;
pub mod keyset;
pub mod left_out;
pub mod parents;
pub mod quarantine;
pub mod recorded_orphans;
pub mod self_references;
