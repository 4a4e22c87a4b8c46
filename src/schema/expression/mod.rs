//! Expressions and queries of SQLite: read (`parse`, `select_text`), and written for PostgreSQL with exactly the same value (`translate`,
//! `queries`), or refused.

mod aggregates;
mod arithmetic;
mod calls;
mod columns;
mod compare;
mod joins;
mod now;
mod order;
mod parse;
mod patterns;
mod queries;
mod resolve;
mod select;
mod select_text;
mod sorts;
mod times;
mod translate;
mod tree;
mod windows;

pub use columns::{ColumnOrigin, NamedRelation, OwnerOfRow, Relations, Scope, ScopeColumn};
pub use now::{current_default, current_epoch};
pub use parse::{expression, query};
pub use queries::TranslatedQuery;
pub use sorts::{OVERFLOW, SHIFTED, Translated, UniformTime, ValueSort};
pub use tree::{BinaryOperator, SqlExpr, UnaryOperator};
