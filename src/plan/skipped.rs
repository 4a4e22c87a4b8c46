//! Rows of a load that are not inserted because the target has their key: the columns that are compared with the row that is
//! there, and what happens if they differ.

use crate::model::rules::{Differ, Existing};

use super::{Feed, LoadPlan, Plan, TableClass};

/// The comparison of skipped rows with the rows that are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRows {
    /// The unique key by which both are the same row.
    pub key: Vec<String>,
    /// The compared columns, outside of the key.
    pub compared: Vec<String>,
    /// The columns that determine the owner. A row with another owner is never kept, and never written over.
    pub owners: Vec<String>,
    /// The side whose values stay. `None`: a row that differs is a fault.
    pub differ: Option<Differ>,
}

impl SkippedRows {
    /// Returns the columns in which a row may differ: the compared ones, then those of the owner.
    pub fn columns(&self) -> impl Iterator<Item = &String> {
        self.compared.iter().chain(&self.owners)
    }
}

impl Plan {
    /// Returns the comparison of the rows that a load skips. `None` if it skips none.
    pub fn skipped_rows(&self, load: &LoadPlan) -> Option<SkippedRows> {
        let key = load.conflict.clone()?;
        let owners: Vec<String> = match self.classes.get(&load.table) {
            Some(TableClass::Stamped(columns)) => columns.clone(),
            Some(TableClass::Carried(column) | TableClass::Through(column)) => vec![column.clone()],
            _ => Vec::new(),
        };
        let is_other = |name: &String| !key.contains(name) && load.columns.iter().any(|c| c.name == *name);
        // A constant and the id that the target issues are no values of the source.
        let is_sources = |feed: &Feed| matches!(feed, Feed::Cell(_) | Feed::Lookup(_));
        let fed = load.columns.iter().filter(|column| is_sources(&column.feed)).map(|column| &column.name);
        let is_compared =
            |name: &&String| is_other(name) && !owners.contains(*name) && load.surrogate.as_ref() != Some(*name);
        let compared = fed.filter(is_compared).cloned().collect();
        let differ = match &load.existing {
            Some(Existing::Match { differ, .. }) => *differ,
            _ => Some(Differ::Target),
        };
        let owners = owners.into_iter().filter(is_other).collect();
        Some(SkippedRows { key, compared, owners, differ })
    }
}
