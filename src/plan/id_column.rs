//! Columns that refer to ids: by a foreign key, or by several, one after the other.

use crate::model::schema::TargetSchema;

/// The number of foreign keys through which a reference is followed.
const MOST_KEYS: usize = 8;

/// A column of a table of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdColumn<'a> {
    /// The table.
    pub table: &'a str,
    /// The column.
    pub column: &'a str,
}

impl IdColumn<'_> {
    /// Returns true if the column has the values of a key: a foreign key leads to it, or to a column that refers to it itself.
    pub fn refers_to(&self, target: &TargetSchema, parent: &str, key: &str) -> bool {
        self.leads_to(target, IdColumn { table: parent, column: key }, MOST_KEYS)
    }

    fn leads_to(&self, target: &TargetSchema, key: IdColumn<'_>, most: usize) -> bool {
        let foreign = target.tables.get(self.table).map(|table| table.foreign.as_slice()).unwrap_or_default();
        let within = foreign.iter().filter(|foreign| most > 0 && foreign.parent_schema == target.schema);
        let mut parents = within.flat_map(|foreign| {
            let pairs = foreign.columns.iter().zip(&foreign.parent_columns);
            let own = pairs.filter(|(child, _)| *child == self.column);
            own.map(|(_, of)| IdColumn { table: &foreign.parent, column: of })
        });
        parents.any(|parent| parent == key || parent.leads_to(target, key, most - 1))
    }
}
