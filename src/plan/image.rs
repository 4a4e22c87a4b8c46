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

/// Returns the columns that each batch reads back in the server's own form: the columns that are sent and not in the image,
/// after the columns of a key that is never NULL. Without such a key, after all columns of the image, so that a value is
/// bound to its row. Empty if the image has every column.
pub fn returned(loads: &[&LoadPlan], table: &TargetTable) -> Vec<String> {
    let image = columns(loads, table);
    let mut found: Vec<String> = Vec::new();
    for column in loads.iter().flat_map(|load| &load.columns).map(|column| &column.name) {
        if !image.contains(column) && !found.contains(column) && table.column(column).is_some() {
            found.push(column.clone());
        }
    }
    if found.is_empty() {
        return found;
    }
    let key: Vec<String> = key(loads, table, &image).iter().map(|n| image[*n].clone()).collect();
    let is_set = |name: &String| table.column(name).is_some_and(|column| column.not_null);
    let mut all = if !key.is_empty() && key.iter().all(is_set) { key } else { image };
    all.append(&mut found);
    all
}

/// Returns the indexes in the image of the columns of a unique key. Empty if no key is part of the image.
pub fn key(loads: &[&LoadPlan], table: &TargetTable, image: &[String]) -> Vec<usize> {
    let place = |column: &String| image.iter().position(|c| c == column);
    let conflict = loads.iter().find_map(|load| load.conflict.as_ref());
    let keys = conflict.into_iter().chain(table.unique.iter().map(|unique| &unique.columns));
    let mut places = keys.filter_map(|key| key.iter().map(place).collect::<Option<Vec<usize>>>());
    places.find(|key| !key.is_empty()).unwrap_or_default()
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
