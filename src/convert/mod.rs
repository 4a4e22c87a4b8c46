//! Converts values of SQLite to values of PostgreSQL. A [`Converter`] is built once per column and then converts each
//! value.
//!
//! A value is converted exactly, or it is a fault with a [`Reason`]. Losses that the mapping allows are counted in a
//! [`LossSet`].
//!
//! Map of the folder. `converter` runs the four stages of a column. `prepare` applies the modifiers that precede the
//! type: charset, blob, strip_nul, trim, null_if and map. `reader` selects the reader of the column's type: `scalar`
//! for booleans, integers, UUIDs, addresses and enum labels; `float`, `numeric`, `text`, `time`, `json` and `array` for
//! the types of these names; `by_server` for types whose text the server parses. Readers apply epoch, format, offset,
//! overlap, unit, array, round and truncate. Last come `if_bad` and `if_null`. `if_orphan` belongs to the load.
//! `fast_path` is a shortcut for values that need none of this. `uuid_order` has the evidence for the byte order of UUIDs.
//! `row` encodes whole rows, `follow` changes ids, and `lookup` finds keys of the target.
//!
//! [`Reason`]: crate::model::fault::Reason
//! [`LossSet`]: crate::model::fault::LossSet

mod array;
mod array_text;
mod by_server;
mod converter;
mod decimal;
mod fast_path;
mod float;
mod follow;
pub mod json;
pub mod lookup;
mod numeric;
mod packed;
mod prepare;
mod reader;
pub mod row;
mod scalar;
mod settled;
mod since;
mod text;
mod time;
mod time_as_text;
mod uuid_order;

#[cfg(test)]
mod tests;

pub use converter::{Converter, RuleError, constant_advice};
pub use settled::{Settled, ZoneDoubts};
pub use time::offset_at;
pub use time_as_text::time_as_text;
pub use uuid_order::{UuidOrder, proved_order};
