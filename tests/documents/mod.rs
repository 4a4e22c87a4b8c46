//! The documents: the statements of README and guide are those of the code.

mod mapping_reference;
mod readme;
mod reasons;
