//! The values of `if_orphan` in rows that were written before, as the ledger records them.
//!
//! The parents that exist now do not show which rows were orphans: a missing parent may have been added since.

use std::collections::HashMap;

use crate::convert::Settled;
use crate::convert::row::Notes;
use crate::migrate::rows::guard::StandIns;
use crate::model::ledger::Deviation;
use crate::model::record::Refusal;
use crate::model::select::Row;
use crate::plan::LoadPlan;

/// The replaced references of a load's rows.
pub struct RecordedOrphans {
    values: StandIns,
    /// The columns, by index in the load, that hold the value of `if_orphan`, by the row's key as the ledger writes it.
    columns: HashMap<String, Vec<usize>>,
}

impl RecordedOrphans {
    /// Prepares those of a load.
    ///
    /// # Errors
    /// A refusal for an `if_orphan` that does not fit its column.
    pub fn of(load: &LoadPlan, settled: &Settled, recorded: Vec<Deviation>) -> Result<RecordedOrphans, Vec<Refusal>> {
        let mut columns: HashMap<String, Vec<usize>> = HashMap::new();
        for Deviation { at, orphan } in recorded {
            let column = load.columns.iter().position(|column| Some(&column.name) == orphan.as_ref());
            columns.entry(at).or_default().extend(column);
        }
        Ok(RecordedOrphans { values: StandIns::of(load, settled)?, columns })
    }

    /// Replaces the references of a row whose image begins at `start`. Does nothing without records.
    pub fn put(recorded: Option<&Self>, row: &dyn Row, start: usize, bytes: &mut Vec<u8>, notes: &mut Notes) {
        let Some(recorded) = recorded.filter(|recorded| !recorded.columns.is_empty()) else { return };
        for column in recorded.columns.get(&row.key().written()).into_iter().flatten() {
            recorded.values.put(*column, start, bytes, notes);
        }
    }
}
