//! Sequences that the ids of the run use up: the application could insert no row after the run. The furthest id of each column
//! is noted while its rows are read.

use std::collections::BTreeMap;

use crate::model::ident::{qualified, quoted};
use crate::model::record::Refusal;
use crate::model::schema::{Sequence, SourceSchema, TargetSchema};
use crate::plan::sequences::{PlannedSequence, planned_sequences};
use crate::plan::{CountedColumn, Plan};

use super::numbered_column::largest;
use super::range::LoadPreflight;

/// Refuses each sequence that has no number left after the rows of the run.
pub fn refuse_used_up(
    plan: &Plan,
    source: &SourceSchema,
    target: &TargetSchema,
    shifts: &BTreeMap<String, i64>,
    found: &[LoadPreflight],
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for planned in planned_sequences(plan, source, target, shifts) {
        for column in &planned.columns {
            let kind = target.tables.get(&column.table).and_then(|table| Some(&table.column(&column.column)?.kind));
            let most = kind.and_then(|kind| largest(&kind.kind)).unwrap_or(i64::MAX);
            // Without a row of the run, the sequence is the application's own matter.
            let furthest = furthest(plan, found, column, planned.sequence.increment);
            let Some(floor) = furthest.and_then(|furthest| planned.floor(Some(furthest))) else { continue };
            if planned.next(floor, true).is_none_or(|next| next > most) && is_reached(&planned, floor) {
                refusals.push(refusal(plan, &planned.sequence, column, floor, most));
            }
        }
    }
    refusals
}

/// Returns the number in a column's rows that is furthest in the direction of its sequence. `None` without a row.
fn furthest(plan: &Plan, found: &[LoadPreflight], column: &CountedColumn, increment: i64) -> Option<i64> {
    let increment = if column.negated { -increment } else { increment };
    let loads = plan.loads.iter().filter(|load| load.table == column.table);
    let read = loads.filter_map(|load| found.iter().find(|found| found.load == load.name));
    let columns = read.flat_map(|found| found.numbered.iter().filter(|read| read.name == column.column));
    let values = columns.filter_map(|column| column.furthest(increment));
    let furthest = if increment < 0 { values.min() } else { values.max() }?;
    if column.negated { furthest.checked_neg() } else { Some(furthest) }
}

/// Returns true if ids that lie in the sequence's direction use it up: an id before its first number does not.
fn is_reached(planned: &PlannedSequence, floor: i64) -> bool {
    if planned.sequence.increment < 0 { floor <= planned.sequence.start } else { floor >= planned.sequence.min }
}

/// `floor`: the number that the ids reach. `most`: the largest of the column's type.
fn refusal(plan: &Plan, sequence: &Sequence, counted: &CountedColumn, floor: i64, most: i64) -> Refusal {
    let CountedColumn { table, column, .. } = counted;
    let last = if sequence.increment < 0 { sequence.min } else { sequence.max.min(most) };
    let place = format!("{}.{table}.{column}", plan.schema);
    let reason = format!(
        "its ids reach {floor}, and its sequence {} ends with {last}: after the run the application could insert no row",
        sequence.name
    );
    let types = [(i64::from(i16::MAX), "smallint"), (i64::from(i32::MAX), "integer"), (i64::MAX, "bigint")];
    let wide = types.iter().find(|(largest, _)| floor < *largest).map(|(_, name)| *name);
    let advice = match wide {
        None => "Load the row with this id under a smaller one: no integer type holds a larger one.".to_owned(),
        Some(_) if sequence.increment < 0 => format!("ALTER SEQUENCE {} AS bigint NO MINVALUE;", sequence.name),
        Some(wide) if floor < most => format!("ALTER SEQUENCE {} AS {wide} NO MAXVALUE;", sequence.name),
        Some(wide) => format!(
            "ALTER TABLE {} ALTER COLUMN {} TYPE {wide}; ALTER SEQUENCE {} AS {wide} NO MAXVALUE;",
            qualified(&plan.schema, table),
            quoted(column),
            sequence.name
        ),
    };
    Refusal::new(place, reason, advice)
}
