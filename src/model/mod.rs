//! The vocabulary of all other modules: values, keys, names, types, schemas, faults and the record of a run.
//!
//! It imports no other module of the program, reads no file, talks to no database and prints nothing.

pub mod cell;
pub mod column_numbers;
pub mod components;
pub mod definitions;
pub mod digest;
pub mod fault;
pub mod fleet;
pub mod hex;
pub mod ident;
pub mod kept_rows;
pub mod key;
pub mod ledger;
pub mod named_zone;
pub mod numeric;
pub mod pgtype;
pub mod placement;
pub mod quarantine;
pub mod record;
pub mod recorded;
pub mod reserved_spans;
pub mod rules;
pub mod schema;
pub mod select;
pub mod sums;
pub mod ways_out;
pub mod words;
