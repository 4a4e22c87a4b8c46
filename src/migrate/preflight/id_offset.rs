//! Chooses the shifts of `ids = "shift"`, once per run: above every id that the target holds or has issued.

use std::collections::BTreeMap;

use crate::convert::Settled;
use crate::convert::row::{Notes, RowEncoder};
use crate::job::Stop;
use crate::migrate::rows::keyset::key;
use crate::model::key::KeyRange;
use crate::model::schema::TargetSchema;
use crate::model::select::CONTINUE;
use crate::pg::Session;
use crate::plan::sequences::{PlannedSequence, SequenceColumn};
use crate::plan::{Comparison, Plan, Shifted};
use crate::sqlite::Source;

/// Returns the shift of each shifted table. The shift of an empty table is 0.
///
/// # Errors
/// If the source cannot be read or the target refuses a query.
pub fn choose(
    session: &mut Session,
    plan: &Plan,
    source: &Source,
    target: &TargetSchema,
    settled: &Settled,
) -> Result<BTreeMap<String, i64>, Stop> {
    let mut shifts = BTreeMap::new();
    for shifted in &plan.shifts {
        let catalogued = target.tables.get(&shifted.table);
        let mut shift = 0;
        if catalogued.is_some_and(|table| table.has_rows) {
            let mut taken = session.highest_id(&plan.schema, &shifted.table, &shifted.column)?.unwrap_or(0);
            let column = catalogued.and_then(|table| table.column(&shifted.column));
            if let Some(sequence) = column.and_then(|column| column.sequence.as_ref()) {
                let column = SequenceColumn { table: &shifted.table, column: &shifted.column, sequence };
                let planned = PlannedSequence::for_column(plan, source.schema(), column, &BTreeMap::new());
                let next = session.sequence_state(&plan.schema, &planned)?.next.unwrap_or(i64::MAX);
                taken = taken.max(next.saturating_sub(1));
            }
            let lowest = lowest(plan, source, shifted, settled)?.unwrap_or(1).min(1);
            shift = taken.max(0).saturating_sub(lowest).saturating_add(1);
        }
        shifts.insert(shifted.table.clone(), shift);
    }
    Ok(shifts)
}

/// The lowest id that the loads into a table bring, as it is converted: a text or a real can be an id too.
fn lowest(plan: &Plan, source: &Source, shifted: &Shifted, settled: &Settled) -> Result<Option<i64>, Stop> {
    let mut lowest: Option<i64> = None;
    for load in plan.loads.iter().filter(|load| load.table == shifted.table) {
        let Some(column) = load.columns.iter().find(|c| c.name == shifted.column) else { continue };
        let encoder = RowEncoder::project(load, vec![column.clone()], settled).map_err(Stop::Refused)?;
        let (mut image, mut notes) = (Vec::new(), Notes::default());
        source.reader()?.each(&load.select, KeyRange::ALL, |row| {
            image.clear();
            if encoder.encode(row, &mut image, &mut notes)
                && let Some(id) = key(&image, &[0], &[Comparison::Integer]).map(|id| id as i64)
            {
                lowest = Some(lowest.map_or(id, |lowest| lowest.min(id)));
            }
            CONTINUE
        })?;
    }
    Ok(lowest)
}
