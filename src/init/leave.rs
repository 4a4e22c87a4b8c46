//! The tables and columns that stay in the source.

use super::draft::DraftLine;
use super::frameworks::bookkeeping_of;
use super::pairs::TablePair;
use super::render::string;
use crate::model::ident::nearest;
use crate::model::schema::{SourceSchema, TargetSchema};
use crate::text::count;

/// Returns the line for a table that fills no table. `rows`: the number of its rows.
pub fn table(name: &str, rows: u64, source: &SourceSchema, target: &TargetSchema) -> DraftLine {
    if let Some(of) = bookkeeping_of(source, name) {
        let own = if target.tables.contains_key(name) { ": the target has its own" } else { "" };
        return DraftLine::certain(name, string(&format!("bookkeeping of {of}{own}")), count(rows, "row", "rows"));
    }
    if rows == 0 {
        return DraftLine::certain(name, string("holds no row, and the target has no such table"), "");
    }
    let hint = nearest(name, target.tables.keys().map(String::as_str))
        .map_or_else(String::new, |near| format!(" (the nearest name is {near})"));
    DraftLine::question(
        name,
        format!(
            "{}, and no table of the target has this name{hint}: write why it stays in the source, or a load with from = {}",
            count(rows, "row", "rows"),
            string(name)
        ),
    )
}

/// Returns the line for a column that feeds no column. `values`: the number of its values that are not NULL.
pub fn column(name: &str, values: u64, pair: &TablePair) -> DraftLine {
    let table = &pair.names.source;
    if values == 0 {
        return DraftLine::certain(name, string("holds no value"), "").below(table);
    }
    let hint = nearest(name, pair.target_only.iter().map(String::as_str))
        .map_or_else(String::new, |near| format!(" (the nearest name without a source is {near})"));
    let question = format!(
        "{}, and no column of {} has this name{hint}: write why it stays in the source, or feed a column from it",
        count(values, "value", "values"),
        pair.names.target
    );
    DraftLine::question(name, question).below(table)
}

/// Returns the line for a column of the target that must have a value and that nothing feeds.
pub fn unfed(name: &str, pair: &TablePair) -> DraftLine {
    let hint = nearest(name, pair.source_only.iter().map(String::as_str))
        .map_or_else(String::new, |near| format!(" (the nearest name without a use is {near})"));
    let question = format!(
        "the column is NOT NULL without a default, and no column of the source's {} has this name{hint}: write a column, \
         {{ value = ... }} or {{ sql = \"...\" }}",
        pair.names.source
    );
    DraftLine::question(name, question)
}
