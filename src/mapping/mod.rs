//! The mapping: a person's TOML, read and checked for form, with the line of every key.
//!
//! `plan` checks that its names exist and its feeds fit; this module knows neither database.

mod column;
mod existing;
mod file;
mod keys;
mod lines;
mod questions;
mod read;
mod refers;
mod value;

pub use column::{FeedRule, LookupRule, MappedColumn, MissingRule, Modifiers, OneOrMore, StepRule, Switch};
pub use file::{
    Defaults, LeaveEntry, Load, Mapping, OnFault, OwnerRule, OwnerSection, RowsFrom, SequenceEntry, SourceSection,
    TargetDdl, TargetSection, Unlisted, VersionRule,
};
pub use keys::{keys_at, keys_of_the_language};
pub use lines::KeyLines;
pub use questions::{OpenQuestion, QUESTION_KEY};
pub use read::{FormProblem, read, read_draft};
pub use refers::RefersRule;
pub use value::{OrphanRule, OwnerValue, WrittenValue};
