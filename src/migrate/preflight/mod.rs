//! Preflight: the passes over all rows before the first write.

pub mod constraints;
pub mod id_collisions;
pub mod id_offset;
pub mod ids_in_text;
pub mod range;
pub mod read_ahead;
pub mod server_readable;
mod skipped_ids;
pub mod time_units;
pub mod versions;
