//! The path from a row to its owner: a column of the row, or the row's parents.

use std::collections::BTreeMap;

use crate::mapping::{Load, Mapping};
use crate::model::schema::TargetSchema;

use super::{PlanFindings, TableClass};

/// The path from a row of a table to its owner's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerPath {
    /// The steps from the table to its parent, to that table's parent, and so on.
    pub hops: Vec<Hop>,
    /// The column that holds the owner's key, in the last parent or in the table itself.
    pub column: String,
    /// True if that column is stamped with the owner's key in every row.
    pub stamped: bool,
}

/// One step from a row to its parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The referencing column.
    pub column: String,
    /// The parent's table.
    pub parent: String,
    /// The referenced column.
    pub parent_column: String,
}

/// Returns the paths of all tables whose rows have owners. Refuses a `through` that leads to no owner.
pub(super) fn paths(
    mapping: &Mapping,
    target: &TargetSchema,
    classes: &BTreeMap<String, TableClass>,
    findings: &mut PlanFindings,
) -> BTreeMap<String, OwnerPath> {
    let known = PathFinder { mapping, target, classes };
    let mut found = BTreeMap::new();
    for (table, class) in classes {
        let load = mapping.loads.iter().find(|load| load.to == *table);
        match known.path(table, class, &mut Vec::new()) {
            Ok(Some(path)) => {
                found.insert(table.clone(), path);
            }
            Ok(None) => {}
            Err(reason) => findings.refuse(
                load.map_or_else(|| format!("target.{table}"), |load| format!("load.{}.owner", load.name)),
                reason,
                "Name a column whose parents lead to the owner, or write `owner = { carried = \"...\" }` or `owner = false`.",
            ),
        }
    }
    found
}

struct PathFinder<'a> {
    mapping: &'a Mapping,
    target: &'a TargetSchema,
    classes: &'a BTreeMap<String, TableClass>,
}

impl PathFinder<'_> {
    fn path(&self, table: &str, class: &TableClass, seen: &mut Vec<String>) -> Result<Option<OwnerPath>, String> {
        let direct = |column: &String, stamped| OwnerPath { hops: Vec::new(), column: column.clone(), stamped };
        match class {
            TableClass::Stamped(columns) => Ok(columns.first().map(|column| direct(column, true))),
            TableClass::Carried(column) => Ok(Some(direct(column, false))),
            TableClass::Through(column) => self.through(table, column, seen).map(Some),
            TableClass::Owner | TableClass::Shared | TableClass::Untouched => Ok(None),
        }
    }

    fn through(&self, table: &str, column: &str, seen: &mut Vec<String>) -> Result<OwnerPath, String> {
        if seen.iter().any(|t| t == table) {
            return Err(format!("the path from `{}` to the owner is a circle", seen[0]));
        }
        seen.push(table.to_owned());
        let hop = self.hop(table, column).ok_or_else(|| {
            format!("`{table}.{column}` refers to no other table: it has no foreign key of one column, and no `refers`")
        })?;
        let class = self.classes.get(&hop.parent);
        let beyond = match class {
            Some(TableClass::Untouched) => self.own_column(&hop.parent),
            Some(class) => self.path(&hop.parent, class, seen)?,
            None => None,
        };
        let beyond = match (beyond, class) {
            (Some(path), _) => path,
            (None, Some(TableClass::Owner)) => {
                return Err(format!("`{table}.{column}` refers to the owner itself: write `carried`, not `through`"));
            }
            (None, _) => return Err(format!("`{table}.{column}` leads to `{}`, whose rows have no owner", hop.parent)),
        };
        let hops = std::iter::once(hop).chain(beyond.hops).collect();
        Ok(OwnerPath { hops, ..beyond })
    }

    /// Returns the step of a column: by its foreign key, or else by its `refers` in the mapping.
    fn hop(&self, table: &str, column: &str) -> Option<Hop> {
        let facts = self.target.tables.get(table)?;
        let by_key = facts.foreign.iter().find(|f| f.columns == [column] && f.parent_schema == self.target.schema);
        if let Some(foreign) = by_key {
            let parent_column = foreign.parent_columns.first()?.clone();
            return Some(Hop { column: column.to_owned(), parent: foreign.parent.clone(), parent_column });
        }
        let refers = |load: &&Load| load.to == table;
        let mut columns = self.mapping.loads.iter().filter(refers).flat_map(|load| &load.columns);
        let parent = columns
            .find(|(name, _)| name == column)
            .and_then(|(_, column)| column.refers.as_ref()?.table().cloned())?;
        let primary = self.target.tables.get(&parent)?.unique.iter().find(|u| u.primary)?;
        match primary.columns.as_slice() {
            [one] => Some(Hop { column: column.to_owned(), parent, parent_column: one.clone() }),
            _ => None,
        }
    }

    /// Returns the path of a table that no load writes to: the only column that refers to the owner's table.
    fn own_column(&self, table: &str) -> Option<OwnerPath> {
        let owner = self.mapping.owner.as_ref()?;
        let facts = self.target.tables.get(table)?;
        let mut own = facts.foreign.iter().filter(|f| f.parent == owner.table && f.columns.len() == 1);
        let first = own.next()?;
        let column = first.columns.first()?.clone();
        own.next().is_none().then_some(OwnerPath { hops: Vec::new(), column, stamped: false })
    }
}
