//! From what SQLite holds to what PostgreSQL gets: one [`Converter`] per column, built once, asked for each value.
//!
//! A value arrives exactly or it is a [`Reason`]; what the mapping allows to be lost is counted in a
//! [`LossSet`]. Modifiers act in the order of the table of modifiers: `prepare` (charset, blob, strip_nul, trim,
//! null_if, map), the type's own reading (epoch, format, offset, overlap, unit, array, round, truncate), `if_bad`,
//! `if_null`. `if_orphan` is the load's. Nothing here knows tables or keys, and nothing prints.

mod array;
mod array_text;
mod by_server;
mod converter;
mod decimal;
mod fast_path;
mod float;
pub mod json;
pub mod lookup;
mod numeric;
mod prepare;
mod reader;
pub mod row;
mod scalar;
mod settled;
mod text;
mod time;
mod time_as_text;

#[cfg(test)]
mod tests;

pub use converter::{Converter, RuleError, constant_advice};
pub use settled::Settled;
pub use time_as_text::time_as_text;
