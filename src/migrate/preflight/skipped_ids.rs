//! Loads that skip rows by an id which identifies a row only within its own database.

use crate::model::schema::{ForeignKey, TargetSchema};
use crate::model::select::{Expr, Relation};
use crate::plan::{ColumnPlan, Feed, LoadPlan};
use crate::sqlite::Source;

/// The key by which a load skips rows, as a reference of the table to itself. `None` unless it contains a number that
/// identifies a row only within its database: a rowid of the source, or a number of a sequence.
pub(super) fn surrogate_conflict(load: &LoadPlan, target: &TargetSchema, source: &Source) -> Option<ForeignKey> {
    let (columns, table) = (load.conflict.clone()?, target.tables.get(&load.table)?);
    let is_rowid = |column: &ColumnPlan| match (&load.select.relation, &column.feed) {
        (Relation::Table(name), Feed::Cell(n)) => match load.select.exprs.get(*n) {
            Some(Expr::Column(read)) => {
                source.schema().tables.get(name).and_then(|t| t.column(read)).is_some_and(|c| c.is_rowid)
            }
            _ => false,
        },
        _ => false,
    };
    let is_numbered = |name: &str| table.column(name).is_some_and(|c| c.sequence.is_some() || c.draws.is_some());
    let is_surrogate =
        |column: &&ColumnPlan| columns.contains(&column.name) && (is_rowid(column) || is_numbered(&column.name));
    load.columns.iter().find(is_surrogate)?;
    let (parent, parent_columns) = (load.table.clone(), columns.clone());
    Some(ForeignKey { columns, parent, parent_columns, ..ForeignKey::default() })
}
