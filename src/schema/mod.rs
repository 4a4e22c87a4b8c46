//! `migrate schema`: tables of PostgreSQL for a SQLite file.
//!
//! The type of a column follows from its stored values: each type that its declaration allows is tried with every value, as
//! `init` tries the column of a target (`types`, `stored`). Keys, defaults and references follow from SQLite's catalogue and
//! from the text of CREATE TABLE (`build`, `keys`, `defaults`, `table_text`). Every object of the source gets a fate: kept,
//! changed or left out, with the reason (`ddl`). The result is a value until it is text (`render`).

mod build;
mod ddl;
mod defaults;
mod keys;
mod names;
mod render;
mod stored;
mod table_text;
mod tokens;
mod types;

pub use build::{SchemaFacts, build};
pub use ddl::{Ddl, Fate, ObjectFate, ObjectKind};
pub use render::{OLDEST, text};
pub use stored::{StoredTable, TypeTrials};
