//! The treatment of rows that a table of the target holds before the run.

use super::draft::DraftLine;
use super::pairs::TablePair;
use super::render::string;
use crate::model::pgtype::Kind;
use crate::model::schema::TargetTable;
use crate::plan::natural_keys;
use crate::text::count;

/// The rows of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowCounts {
    /// Those that the target holds.
    pub held: u64,
    /// Those of the source's table.
    pub source: u64,
}

/// Returns the line for a table that holds rows. `None` if it holds none.
pub fn line(pair: &TablePair, table: &TargetTable, counts: RowCounts) -> Option<DraftLine> {
    if counts.held == 0 {
        return None;
    }
    let rows = count(counts.held, "row", "rows");
    if counts.source == 0 {
        let why = format!("the target holds {rows}, the source none");
        return Some(DraftLine::certain("existing", string("append"), why));
    }
    let keys = natural_keys(table);
    if let [key] = keys.as_slice() {
        let why = format!("the target holds {rows}, and ({}) identifies a row", key.join(", "));
        return Some(DraftLine::inferred("existing", string("match"), why));
    }
    let shift = if has_integer_key(pair, table) {
        ", with ids = \"shift\" next to it if both sides use the same ids (the source's rows get new ids, and references follow)"
    } else {
        ""
    };
    let others = format!(
        "\"append\" to keep them next to the source's{shift}, or \"replace\" to remove them before the first row is loaded (a \
         rollback restores them)"
    );
    let question = if keys.is_empty() {
        format!("the target holds {rows} and has no unique key but its id: write {others}")
    } else {
        let choice = |key: &&Vec<String>| {
            let names: Vec<String> = key.iter().map(|name| string(name)).collect();
            format!("{{ match = [{}] }}", names.join(", "))
        };
        let choices: Vec<String> = keys.iter().map(choice).collect();
        format!(
            "the target holds {rows} and several unique keys identify one: write {} to take rows of the same key for one row, {others}",
            choices.join(" or ")
        )
    };
    Some(DraftLine::question("existing", question))
}

/// Returns true if the primary key is one column of integers that the source feeds: only such ids can be shifted.
fn has_integer_key(pair: &TablePair, table: &TargetTable) -> bool {
    let primary = table.unique.iter().find(|key| key.primary).map(|key| key.columns.as_slice());
    let Some([column]) = primary else { return false };
    let kind = table.column(column).map(|column| &column.kind.kind);
    matches!(kind, Some(Kind::Int2 | Kind::Int4 | Kind::Int8)) && pair.source_of(column).is_some()
}
