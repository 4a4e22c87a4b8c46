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
    let mut shifts: BTreeMap<String, i64> = plan.shifts.iter().map(|shifted| (shifted.table.clone(), 0)).collect();
    let holds_rows = |table: &str| target.tables.get(table).is_some_and(|table| table.has_rows);
    let shifted: Vec<_> = plan.shifts.iter().filter(|shifted| holds_rows(&shifted.table)).collect();
    let filled: Vec<(&str, &str)> = shifted.iter().map(|s| (s.table.as_str(), s.column.as_str())).collect();
    if filled.is_empty() {
        return Ok(shifts);
    }
    let planned = filled.iter().filter_map(|&(table, column)| {
        let sequence = target.tables.get(table)?.column(column)?.sequence.as_ref()?;
        let column = SequenceColumn { table, column, sequence };
        Some(PlannedSequence::for_column(plan, source.schema(), column, &BTreeMap::new()))
    });
    let planned: Vec<PlannedSequence> = planned.collect();
    let highest = session.highest_ids(&plan.schema, &filled)?;
    let states = session.sequence_states(&plan.schema, &planned)?;
    for ((shifted, &(table, column)), highest) in shifted.iter().zip(&filled).zip(highest) {
        let state = planned.iter().zip(&states).find(|(planned, _)| {
            planned.columns.iter().any(|counted| counted.table == table && counted.column == column)
        });
        let issued = state.map_or(0, |(_, state)| state.next.unwrap_or(i64::MAX).saturating_sub(1));
        let taken = highest.unwrap_or(0).max(issued);
        let lowest = lowest(plan, source, shifted, settled)?.unwrap_or(1).min(1);
        shifts.insert(table.to_owned(), taken.max(0).saturating_sub(lowest).saturating_add(1));
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
