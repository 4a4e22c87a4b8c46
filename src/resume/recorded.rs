//! The target as the ledger recorded it when a run began. The plan of a finished run is made for these tables, whatever the
//! application's later migrations made of them.

use std::collections::BTreeMap;

use crate::model::pgtype::{ColumnType, Kind};
use crate::model::recorded::RecordedTable;
use crate::model::schema::TargetSchema;
use crate::plan::Plan;

/// The OID of `text`.
const TEXT_OID: u32 = 25;

/// Replaces each recorded table of the catalogue by what it was. A table that no longer exists stays missing.
pub fn restore(target: &mut TargetSchema, recorded: &BTreeMap<String, RecordedTable>) {
    for (name, recorded) in recorded {
        if let Some(table) = target.tables.get_mut(name) {
            *table = recorded.restored(table);
        }
    }
}

/// Gives the columns of the owner the types that they have now. Statements name these types, and a name from the ledger must
/// not enter a statement.
pub fn keep_owner_types(plan: &mut Plan, target: &TargetSchema) {
    let Some(owner) = &mut plan.owner else { return };
    let Some(table) = target.tables.get(&owner.table).filter(|table| !table.altered.is_empty()) else { return };
    let now = |name: &str| {
        let column = table.altered.iter().find(|column| column.name == name);
        // The server refuses a statement about a column that no longer exists, whatever type it names.
        column.map_or_else(|| ColumnType::new(Kind::Text, TEXT_OID, "text"), |column| column.kind.clone())
    };
    for column in owner.natural.iter_mut().chain(owner.create.iter_mut().flatten()) {
        column.kind = now(&column.name);
    }
    owner.key_type = now(&owner.key);
}
