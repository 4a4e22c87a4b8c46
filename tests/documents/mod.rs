//! The documents: the statements of README and guide are those of the code.

mod connections;
mod mapping_reference;
mod readme;
mod reasons;
mod runbook;
mod versions;
