//! A table of the target as a run's ledger records it.

use serde::{Deserialize, Serialize};

use super::schema::{ForeignKey, TargetColumn, TargetTable, TargetUnique};

/// A table of the target as it was when a run began, as far as a plan and its fingerprints depend on it. The form is part of
/// the ledger's version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordedTable {
    /// Its columns in order.
    pub columns: Vec<TargetColumn>,
    /// Its unique keys.
    pub unique: Vec<TargetUnique>,
    /// Its foreign keys.
    pub foreign: Vec<ForeignKey>,
    /// Its CHECK constraints: name and definition.
    pub checks: Vec<(String, String)>,
    /// Its enabled user triggers: name and mode.
    pub triggers: Vec<(String, char)>,
    /// Those of them that may change a row before it is written.
    pub bending: Vec<String>,
}

impl RecordedTable {
    /// Records a table of the catalogue.
    pub fn of(table: &TargetTable) -> RecordedTable {
        let TargetTable { columns, unique, foreign, checks, triggers, bending, .. } = table.clone();
        RecordedTable { columns, unique, foreign, checks, triggers, bending }
    }

    /// Returns the table as it was recorded. Its rows and its sequences are those of the table as it is now, because statements
    /// name them.
    pub fn restored(&self, now: &TargetTable) -> TargetTable {
        let RecordedTable { mut columns, unique, foreign, checks, triggers, bending } = self.clone();
        for column in &mut columns {
            let present = now.column(&column.name).and_then(|column| column.sequence.as_ref());
            if column.sequence.as_ref().map(|sequence| &sequence.name) != present.map(|sequence| &sequence.name) {
                column.sequence = present.cloned();
            }
        }
        let altered = if columns == now.columns { Vec::new() } else { now.columns.clone() };
        TargetTable { columns, unique, foreign, checks, triggers, bending, altered, ..now.clone() }
    }
}
