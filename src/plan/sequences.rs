//! The sequences that a run has to move, and how far: computed from plan, source and target alone.

use std::collections::BTreeMap;

use super::free_sequences::CountedColumn;
use super::{Feed, Plan};
use crate::model::record::NumberedBy;
use crate::model::schema::{Sequence, SourceSchema, TargetSchema};
use crate::model::select::Relation;

/// A sequence and the columns whose values it issues.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedSequence {
    /// The sequence.
    pub sequence: Sequence,
    /// The columns, at least one.
    pub columns: Vec<CountedColumn>,
    /// The origin of the knowledge that it numbers these columns.
    pub by: NumberedBy,
    /// The source's own counter: the highest id that the source ever issued.
    pub counter: Option<i64>,
}

/// A column of the target and its sequence.
#[derive(Clone, Copy, Debug)]
pub struct SequenceColumn<'a> {
    /// The table.
    pub table: &'a str,
    /// The column.
    pub column: &'a str,
    /// The sequence.
    pub sequence: &'a Sequence,
}

/// The state of a sequence and its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceState {
    /// Highest value in its column (lowest, for a descending sequence).
    pub max: Option<i64>,
    /// The next value that it hands out; `None` if it is exhausted.
    pub next: Option<i64>,
}

/// Lists the sequences of the loaded tables and of the owner's table, and those that are assigned to columns. A sequence gets the source's counter if its column is
/// fed from the source's own numbering.
pub fn planned_sequences(
    plan: &Plan,
    source: &SourceSchema,
    target: &TargetSchema,
    shifts: &BTreeMap<String, i64>,
) -> Vec<PlannedSequence> {
    let is_meant =
        |name: &str| plan.loads.iter().any(|l| l.table == name) || plan.owner.as_ref().is_some_and(|o| o.table == name);
    let mut found = Vec::new();
    for (table, facts) in target.tables.iter().filter(|(name, _)| is_meant(name)) {
        for column in &facts.columns {
            let drawn = column.sequence.iter();
            found.extend(drawn.map(|sequence| {
                let column = SequenceColumn { table, column: &column.name, sequence };
                PlannedSequence::for_column(plan, source, column, shifts)
            }));
        }
    }
    let assigned = plan.sequences.iter().filter(|assigned| assigned.is_without_column());
    found.extend(assigned.map(|assigned| {
        let counters = assigned.columns.iter().filter(|column| !column.negated);
        let counters = counters.filter_map(|c| counter(plan, source, c, shifts));
        PlannedSequence {
            sequence: assigned.sequence.clone(),
            columns: assigned.columns.clone(),
            by: assigned.by,
            counter: counters.max(),
        }
    }));
    found
}

/// Returns the highest id that the source ever issued for a column, shifted like the ids that it counts.
fn counter(plan: &Plan, source: &SourceSchema, column: &CountedColumn, shifts: &BTreeMap<String, i64>) -> Option<i64> {
    let CountedColumn { table, column, .. } = column;
    let counters = plan.loads.iter().filter(|l| l.table == *table).filter_map(|load| {
        let Relation::Table(from) = &load.select.relation else { return None };
        let fed = load.columns.iter().any(|c| c.name == *column && matches!(c.feed, Feed::Cell(_)));
        let shift = plan.shifts.iter().find(|s| s.table == *table && s.column == *column);
        let shift = shift.and_then(|s| shifts.get(&s.table)).copied().unwrap_or(0);
        source.tables.get(from).and_then(|t| t.counter).filter(|_| fed).map(|c| c.saturating_add(shift))
    });
    counters.max()
}

impl PlannedSequence {
    /// Plans the sequence of one column.
    pub fn for_column(
        plan: &Plan,
        source: &SourceSchema,
        drawn: SequenceColumn<'_>,
        shifts: &BTreeMap<String, i64>,
    ) -> PlannedSequence {
        let SequenceColumn { table, column, sequence } = drawn;
        let column = CountedColumn { table: table.to_owned(), column: column.to_owned(), negated: false };
        PlannedSequence {
            sequence: sequence.clone(),
            counter: counter(plan, source, &column, shifts),
            columns: vec![column],
            by: NumberedBy::Column,
        }
    }

    /// Returns the columns as a report prints them.
    pub fn shown(&self) -> String {
        self.columns.iter().map(CountedColumn::shown).collect::<Vec<_>>().join(", ")
    }

    /// Returns the value that the sequence must have passed: the furthest value in the column or the source's counter.
    pub fn floor(&self, max: Option<i64>) -> Option<i64> {
        let descending = self.sequence.increment < 0;
        let counter = self.counter.filter(|c| *c > 0 && !descending);
        match (max, counter) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        }
    }

    /// Returns true if the sequence is past every value that it must not hand out again.
    pub fn is_past(&self, state: SequenceState) -> bool {
        let Some(floor) = self.floor(state.max) else { return state.next.is_some() };
        match state.next {
            None => false,
            Some(next) if self.sequence.increment < 0 => next < floor,
            Some(next) => next > floor,
        }
    }

    /// Returns the next value that the sequence hands out. `last` and `called` are its `last_value` and `is_called`.
    pub fn next(&self, last: i64, called: bool) -> Option<i64> {
        let Sequence { increment, min, max, .. } = &self.sequence;
        let next = if called { last.checked_add(*increment)? } else { last };
        (min..=max).contains(&&next).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(increment: i64, counter: Option<i64>) -> PlannedSequence {
        let sequence = Sequence {
            name: "s".to_owned(),
            increment,
            start: 1,
            min: if increment < 0 { i64::MIN } else { 1 },
            max: if increment < 0 { -1 } else { i64::MAX },
            owned: true,
        };
        let column = CountedColumn { table: "t".to_owned(), column: "id".to_owned(), negated: false };
        PlannedSequence { sequence, columns: vec![column], by: NumberedBy::Column, counter }
    }

    #[test]
    fn the_source_counter_decides_if_it_is_higher_than_the_rows() {
        assert_eq!(planned(1, Some(7232)).floor(Some(7226)), Some(7232));
        assert_eq!(planned(1, None).floor(Some(7226)), Some(7226));
        assert_eq!(planned(1, Some(0)).floor(None), None);
    }

    #[test]
    fn an_empty_table_keeps_its_start_and_a_descending_sequence_counts_down() {
        assert!(planned(1, None).is_past(SequenceState { max: None, next: Some(1) }));
        assert!(planned(-1, None).is_past(SequenceState { max: Some(-5), next: Some(-6) }));
        assert!(!planned(-1, None).is_past(SequenceState { max: Some(-5), next: Some(-5) }));
    }

    #[test]
    fn an_exhausted_sequence_is_not_past() {
        assert!(!planned(1, None).is_past(SequenceState { max: Some(i64::MAX), next: None }));
        assert_eq!(planned(1, None).next(i64::MAX, true), None);
    }
}
