//! The numbers that `ids = "shift"` adds: chosen once, above everything that the target holds and ever gave out.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::model::cell::Raw;
use crate::model::key::{Key, KeyRange};
use crate::model::schema::TargetSchema;
use crate::model::select::{Failed, Row, Select, Sink};
use crate::pg::Session;
use crate::plan::sequences::{PlannedSequence, SequenceColumn};
use crate::plan::{Feed, Plan};
use crate::sqlite::Source;

use crate::job::Stop;
use crate::model::select::CONTINUE;

/// A number for each shifted table; nought for one that is empty.
///
/// # Errors
/// When the source cannot be read or the target refuses.
pub fn choose(
    session: &mut Session,
    plan: &Plan,
    source: &Source,
    target: &TargetSchema,
) -> Result<BTreeMap<String, i64>, Stop> {
    let mut shifts = BTreeMap::new();
    for shifted in &plan.shifts {
        let facts = target.tables.get(&shifted.table);
        let mut shift = 0;
        if facts.is_some_and(|table| table.has_rows) {
            let mut taken = session.highest_id(&plan.schema, &shifted.table, &shifted.column)?.unwrap_or(0);
            if let Some(sequence) = facts.and_then(|t| t.column(&shifted.column)).and_then(|c| c.sequence.as_ref()) {
                let column = SequenceColumn { table: &shifted.table, column: &shifted.column, sequence };
                let planned = PlannedSequence::for_column(plan, source.schema(), column, &BTreeMap::new());
                let next = session.sequence_state(&plan.schema, &planned)?.next.unwrap_or(i64::MAX);
                taken = taken.max(next.saturating_sub(1));
            }
            let lowest = lowest(plan, source, (&shifted.table, &shifted.column))?.unwrap_or(1).min(1);
            shift = taken.max(0).saturating_sub(lowest).saturating_add(1);
        }
        shifts.insert(shifted.table.clone(), shift);
    }
    Ok(shifts)
}

/// The lowest id that the loads into a table bring.
fn lowest(plan: &Plan, source: &Source, (table, column): (&str, &str)) -> Result<Option<i64>, Stop> {
    let mut lowest = Lowest(None);
    for load in plan.loads.iter().filter(|load| load.table == table) {
        let Some(Feed::Cell(n)) = load.columns.iter().find(|c| c.name == column).map(|c| &c.feed) else { continue };
        let select = Select { exprs: vec![load.select.exprs[*n].clone()], ..load.select.clone() };
        source.reader()?.scan(&select, KeyRange::ALL, &mut lowest)?;
    }
    Ok(lowest.0)
}

struct Lowest(Option<i64>);

impl Sink for Lowest {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        if let Raw::Integer(id) = row.cell(0) {
            self.0 = Some(self.0.map_or(id, |lowest| lowest.min(id)));
        }
        CONTINUE
    }

    fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
        CONTINUE
    }
}
