//! Preflight: the passes over all rows before the first write.

pub mod brought_owner;
mod checked_load;
pub mod constraints;
pub mod id_collisions;
pub mod id_offset;
pub mod id_references;
pub mod ids_in_text;
pub mod lost_values;
pub mod number_watch;
mod numbered_column;
pub mod range;
pub mod read_ahead;
mod row_conditions;
pub mod sequence_ends;
pub mod server_readable;
mod shared_checks;
mod skipped_ids;
pub mod source_numbers;
pub mod time_units;
mod trial_rows;
mod unique_keys;
pub mod uuid_bytes;
pub mod versions;
pub mod zone_data;
