//! The ids that differ between the files of several owners. With shared keys, a mapping shifts the ids of a further file, and each
//! column that refers to them; the ids of the owners are always others. A literal id would name a row of another owner.

use std::collections::BTreeMap;

use super::owner_options::{OwnedKeys, OwnerOptions};
use crate::init::bookkeeping_of;
use crate::model::definitions::{ForeignDefinition, SourceDefinitions, TableDefinition};
use crate::model::schema::SourceSchema;

/// The table that issues the ids of a column, by the column.
#[derive(Clone, Debug, Default)]
pub struct ShiftedIds(BTreeMap<ColumnOfTable, String>);

/// A column of a table of the source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ColumnOfTable {
    table: String,
    column: String,
}

impl ShiftedIds {
    /// Returns the ids of the owners, with shared keys those of the tables whose rows get an owner, too, and the columns that refer to
    /// them.
    pub fn new(source: &SourceSchema, definitions: &SourceDefinitions, owner: &OwnerOptions) -> ShiftedIds {
        let is_shared = |table: &str| owner.is_shared(table) || bookkeeping_of(source, table).is_some();
        let is_shifted = |table: &String| {
            let is_own = owner.keys == OwnedKeys::Shared && !is_shared(table);
            is_own || table.eq_ignore_ascii_case(&owner.table)
        };
        let mut ids = ShiftedIds::default();
        for (table, definition) in definitions.tables.iter().filter(|(table, _)| !is_shared(table)) {
            for column in &definition.columns {
                let issuer = References { source, definitions }.issuer(table, &column.name, &mut Vec::new());
                issuer.into_iter().filter(is_shifted).for_each(|issuer| ids.insert(table, &column.name, issuer));
            }
        }
        ids
    }

    /// Returns the table that issues the ids of a column. `None`: its values are no ids that a mapping shifts.
    pub fn of(&self, table: &str, column: &str) -> Option<&String> {
        self.0.get(&ColumnOfTable { table: table.to_owned(), column: column.to_owned() })
    }

    /// Notes the table that issues the ids of a column.
    pub fn insert(&mut self, table: &str, column: &str, issuer: String) {
        self.0.insert(ColumnOfTable { table: table.to_owned(), column: column.to_owned() }, issuer);
    }
}

/// The references of the source.
struct References<'f> {
    source: &'f SourceSchema,
    definitions: &'f SourceDefinitions,
}

impl References<'_> {
    /// Returns the table that issues the ids of a column. `None`: its values are no ids. `seen`: the columns that refer to it, because
    /// references may form a circle.
    fn issuer(&self, table: &str, column: &str, seen: &mut Vec<ColumnOfTable>) -> Option<String> {
        let own = ColumnOfTable { table: table.to_owned(), column: column.to_owned() };
        if seen.contains(&own) {
            return None;
        }
        seen.push(own);
        let definition = self.definitions.tables.get(table)?;
        for foreign in &definition.foreign {
            let Some(place) = foreign.columns.iter().position(|own| own.eq_ignore_ascii_case(column)) else { continue };
            let is_parent = |name: &str| name.eq_ignore_ascii_case(&foreign.parent);
            let parent = self.definitions.tables.iter().find(|(name, _)| is_parent(name));
            let found = parent.and_then(|(name, parent)| self.issuer(name, referred(foreign, parent, place)?, seen));
            if found.is_some() {
                return found;
            }
        }
        let facts = self.source.tables.get(table)?.column(column)?;
        facts.is_rowid.then(|| table.to_owned())
    }
}

/// Returns the column to which one column of a reference refers.
fn referred<'d>(foreign: &ForeignDefinition, parent: &'d TableDefinition, place: usize) -> Option<&'d str> {
    let column = match foreign.parent_columns.get(place) {
        Some(named) => parent.columns.iter().find(|column| column.name.eq_ignore_ascii_case(named)),
        None => parent.columns.iter().find(|column| column.in_key == place + 1),
    };
    column.map(|column| column.name.as_str())
}
