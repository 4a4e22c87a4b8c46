//! Before the first write: refusals of the plan, predictions of a dry run, rights, ids that mean different rows.

mod forecast;
mod foreseen;
mod id_collisions;
mod id_references;
mod plan;
mod predictions;
mod rights;
mod source_files;
mod source_passes;
mod uuid_bytes;
mod versions;
mod ways_out;
