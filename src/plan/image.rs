//! The image of a table's rows, which is digested: the columns that its loads send, in one order for all loads.
//!
//! Loads of different columns into one table share an image. A column that one of them leaves to the server's default is not
//! in it, because the default's value is not known beforehand.

use super::LoadPlan;
use crate::model::schema::TargetTable;

/// Returns the columns of a table's image, in order.
pub fn columns(loads: &[&LoadPlan], table: &TargetTable) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for column in loads.iter().flat_map(|load| &load.columns) {
        if !found.contains(&column.name) && obstacle(loads, table, &column.name).is_none() {
            found.push(column.name.clone());
        }
    }
    if loads.is_empty() {
        let kept = table.columns.iter().filter(|c| c.kind.is_binary() && !c.generated);
        found.extend(kept.map(|c| c.name.clone()));
    }
    found
}

/// Returns the reason why a sent column is not in the image; `None` if it is.
pub fn obstacle(loads: &[&LoadPlan], table: &TargetTable, name: &str) -> Option<String> {
    let column = table.column(name)?;
    if !column.kind.is_binary() {
        return Some(format!("the server rewrites {}", column.kind.shown()));
    }
    let omits = loads.iter().find(|load| load.columns.iter().all(|c| c.name != name))?;
    let computed = column.has_default || column.generated;
    computed.then(|| format!("load.{} leaves it to the server's default", omits.name))
}
