//! Rows that a question to the server is about: some columns of each, sent as arrays.

use super::client::Parameter;
use super::values::ValueArray;
use crate::model::ident::{free_name, quoted};

/// A column that an expression reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadColumn {
    /// Its name.
    pub name: String,
    /// Its collation as SQL. Empty for the database's default.
    pub collation: String,
}

/// A table.
#[derive(Clone, Copy, Debug)]
pub struct TableName<'a> {
    /// Its schema.
    pub schema: &'a str,
    /// Its name.
    pub table: &'a str,
}

/// The rows of a question: some columns of each.
pub struct AskedRows<'a> {
    /// The columns.
    pub columns: &'a [ValueArray<'a>],
    /// The collations of columns that do not have the default one.
    pub collations: &'a [ReadColumn],
}

impl AskedRows<'_> {
    /// Returns a name for the rows' numbers that no column has.
    pub(super) fn place(&self) -> String {
        free_name("migrate_place", &self.columns.iter().map(|c| c.name).collect::<Vec<_>>())
    }

    /// Returns the rows as SQL: the columns by their names, and the number of each row from 1.
    pub(super) fn sql(&self, place: &str) -> String {
        let arrays = self.columns.iter().enumerate();
        let arrays: Vec<String> =
            arrays.map(|(n, c)| format!("pg_catalog.unnest(${}::{}[])", n + 1, c.kind.name)).collect();
        let names: Vec<String> = self.columns.iter().map(|c| quoted(c.name)).collect();
        let collated = |column: &ValueArray<'_>| {
            let name = quoted(column.name);
            match self.collations.iter().find(|c| c.name == column.name && !c.collation.is_empty()) {
                Some(ReadColumn { collation, .. }) => format!("{name} COLLATE {collation} AS {name}"),
                None => name,
            }
        };
        let collated: Vec<String> = self.columns.iter().map(collated).collect();
        format!(
            "(SELECT {}, {place} FROM ROWS FROM ({}) WITH ORDINALITY AS t({}, {place}))",
            collated.join(", "),
            arrays.join(", "),
            names.join(", ")
        )
    }

    /// Returns the parameters of that SQL.
    pub(super) fn parameters(&self) -> Vec<&dyn Parameter> {
        self.columns.iter().map(|c| c as &dyn Parameter).collect()
    }
}
