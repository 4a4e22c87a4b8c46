//! Expressions of SQLite: read (`parse`), and written for PostgreSQL with exactly the same value (`translate`), or refused.

mod arithmetic;
mod calls;
mod compare;
mod now;
mod parse;
mod patterns;
mod sorts;
mod translate;
mod tree;

pub use now::current_default;
pub use parse::expression;
pub use sorts::{Scope, ScopeColumn, Translated, ValueSort};
pub use tree::SqlExpr;
