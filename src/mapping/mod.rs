//! The mapping: what a person wrote in TOML, read and checked for form, with the line of every key.
//!
//! Whether its names exist and its feeds fit is `plan`'s question; nothing here knows either database.

mod column;
mod file;
mod keys;
mod read;
mod value;

pub use column::{Column, Feed, Lookup, Missing, Modifiers, Step, Switch};
pub use file::{Defaults, Load, Mapping, OnFault, OwnerRule, OwnerSection, RowsFrom, Source, Target, Unlisted};
pub use keys::keys_of_the_language;
pub use read::{Lines, Problem, read};
pub use value::Written;
