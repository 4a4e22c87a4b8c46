//! `migrate schema`: tables of PostgreSQL for a SQLite file.
//!
//! The type of a column follows from its stored values: each type that its declaration allows is tried with every value, as
//! `init` tries the column of a target (`types`, `stored`). Keys, defaults and references follow from SQLite's catalogue and
//! from the text of CREATE TABLE (`build`, `keys`, `defaults`, `table_text`). A view is its query (`views`). Every object of the source gets a fate: kept,
//! changed or left out, with the reason (`ddl`). The result is a value until it is text (`render`).

mod broken_references;
mod build;
mod compared;
mod conditions;
mod ddl;
mod defaults;
mod distribution;
pub mod expression;
mod index_text;
mod keys;
mod literals;
mod names;
mod owned_ids;
mod owner;
mod owner_options;
mod owners_table;
mod proof;
mod render;
mod scope;
mod source_comments;
mod stored;
mod table_text;
mod target;
pub mod tokens;
mod triggers;
mod types;
mod views;

pub use build::{SchemaFacts, build};
pub use compared::ComparedSql;
pub use ddl::{Ddl, ExpressionPair, Fate, ObjectFate, ObjectKind, ObjectProof};
pub use owner_options::{OwnedKeys, OwnerOptions};
pub use proof::{ComputedObject, ProofColumn, ProofComparison, ProofTables, ProofView, ProofViewColumn};
pub use render::text;
pub use stored::{StoredTable, TypeTrials, keep_keys};
