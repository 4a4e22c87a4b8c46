//! The numbers in the columns of the source, as far as they were counted for warnings.

use std::collections::BTreeMap;

use crate::model::column_numbers::ColumnNumbers;
use crate::model::record::Warning;

/// Counts by table and column of the source.
#[derive(Clone, Debug, Default)]
pub struct SourceNumbers {
    /// The counts.
    pub counted: BTreeMap<String, BTreeMap<String, ColumnNumbers>>,
    /// The tables that could not be read.
    pub unreadable: Vec<Warning>,
}

impl SourceNumbers {
    /// Returns the counts of a column. `None` if it was not counted.
    pub fn of(&self, table: &str, column: &str) -> Option<&ColumnNumbers> {
        self.counted.get(table)?.get(column)
    }
}
