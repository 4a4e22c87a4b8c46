//! Sequences: set past every value that is there and never below the source's own counter, never backwards.

use std::collections::BTreeMap;

use super::error::{Doing, ServerError};
use super::ledger::Run;
use super::session::Session;
use crate::model::ident::quoted;
use crate::model::schema::{Sequence, SourceSchema, TargetSchema};
use crate::model::select::Relation;
use crate::plan::{Feed, Plan};

const SETTING: &str = "setting a sequence";

/// A sequence and the column that it serves.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The sequence.
    pub sequence: Sequence,
    /// The column's table.
    pub table: String,
    /// The column.
    pub column: String,
    /// The source's own counter: the highest id that it ever gave.
    pub counter: Option<i64>,
}

/// Where a sequence stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceState {
    /// Highest value in its column (lowest, for a descending one).
    pub max: Option<i64>,
    /// What it hands out next; none when it is exhausted.
    pub next: Option<i64>,
}

impl Wanted {
    /// The sequences behind columns of the loaded tables and the owner's, each with the source's counter where its column is
    /// fed from the source's own numbering.
    pub fn of(
        plan: &Plan,
        source: &SourceSchema,
        target: &TargetSchema,
        shifts: &BTreeMap<String, i64>,
    ) -> Vec<Wanted> {
        let mut found: Vec<Wanted> = Vec::new();
        let is_meant = |name: &str| {
            plan.loads.iter().any(|l| l.table == name) || plan.owner.as_ref().is_some_and(|o| o.table == name)
        };
        for (table, facts) in target.tables.iter().filter(|(name, _)| is_meant(name)) {
            for column in &facts.columns {
                let sequence = column.sequence.iter();
                found.extend(
                    sequence.map(|sequence| Wanted::behind(plan, source, (table, &column.name), sequence, shifts)),
                );
            }
        }
        found
    }

    /// The sequence behind one column (table and name). The source's counter is shifted like the ids that it counts.
    pub fn behind(
        plan: &Plan,
        source: &SourceSchema,
        (table, column): (&str, &str),
        sequence: &Sequence,
        shifts: &BTreeMap<String, i64>,
    ) -> Wanted {
        let counters = plan.loads.iter().filter(|l| l.table == table).filter_map(|load| {
            let Relation::Table(from) = &load.select.relation else { return None };
            let fed = load.columns.iter().any(|c| c.name == column && matches!(c.feed, Feed::Cell(_)));
            let shift = plan.shifts.iter().find(|s| s.table == table && s.column == column);
            let shift = shift.and_then(|s| shifts.get(&s.table)).copied().unwrap_or(0);
            source.tables.get(from).and_then(|t| t.counter).filter(|_| fed).map(|c| c.saturating_add(shift))
        });
        Wanted {
            sequence: sequence.clone(),
            table: table.to_owned(),
            column: column.to_owned(),
            counter: counters.max(),
        }
    }

    /// What the sequence must have handed out at least: the furthest value in the column and the source's counter.
    pub fn floor(&self, max: Option<i64>) -> Option<i64> {
        let descending = self.sequence.increment < 0;
        let counter = self.counter.filter(|c| *c > 0 && !descending);
        match (max, counter) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        }
    }

    /// Whether the sequence stands past everything that it must not hand out again.
    pub fn is_past(&self, state: SequenceState) -> bool {
        let Some(floor) = self.floor(state.max) else { return state.next.is_some() };
        match state.next {
            None => false,
            Some(next) if self.sequence.increment < 0 => next < floor,
            Some(next) => next > floor,
        }
    }
}

impl Session {
    /// The highest value of an integer column.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn highest(&mut self, schema: &str, table: &str, column: &str) -> Result<Option<i64>, ServerError> {
        let sql = format!("SELECT max({})::int8 FROM {}.{}", quoted(column), quoted(schema), quoted(table));
        Ok(self.client.query_one(&sql, &[]).doing("looking for the highest id")?.get(0))
    }

    /// Where a sequence and its column stand now.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn sequence_state(&mut self, schema: &str, wanted: &Wanted) -> Result<SequenceState, ServerError> {
        let furthest = if wanted.sequence.increment < 0 { "min" } else { "max" };
        let sql = format!(
            "SELECT (SELECT {furthest}({column})::int8 FROM {}.{}), last_value, is_called FROM {}",
            quoted(schema),
            quoted(&wanted.table),
            wanted.sequence.name,
            column = quoted(&wanted.column)
        );
        let row = self.client.query_one(&sql, &[]).doing("reading a sequence")?;
        let (last, called): (i64, bool) = (row.get(1), row.get(2));
        Ok(SequenceState { max: row.get(0), next: next(&wanted.sequence, last, called) })
    }

    /// Notes how a sequence was before the run draws from it or moves it. Once noted, it stays as it was noted.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn note_sequence(&mut self, run: i64, sequence: &Sequence) -> Result<(), ServerError> {
        let sql = self.ledger.sql(&format!(
            "INSERT INTO :ledger.made (run, kind, object, was) SELECT $1, 'sequence', $2, last_value || ',' || is_called FROM {} \
             ON CONFLICT (run, kind, object) DO NOTHING",
            sequence.name
        ));
        self.client.execute(&sql, &[&run, &sequence.name]).doing(SETTING)?;
        Ok(())
    }

    /// Moves a sequence forward where it has to, and notes in the ledger how it was.
    ///
    /// The note is committed before: the server moves a sequence at once, commit or not. A lane of before, fenced off by
    /// the epoch, moves nothing, and nobody moves it backwards.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn set_sequence(&mut self, run: &Run, schema: &str, wanted: &Wanted) -> Result<(), ServerError> {
        let Sequence { name, increment, min, max, .. } = &wanted.sequence;
        let state = self.sequence_state(schema, wanted)?;
        let floor = wanted.floor(state.max).filter(|floor| (min..=max).contains(&floor) && !wanted.is_past(state));
        let Some(floor) = floor else { return Ok(()) };
        self.note_sequence(run.id, &wanted.sequence)?;
        // An application that is at work may have drawn ids since it was read: one statement looks and sets.
        let next = format!("(s.last_value::numeric + CASE WHEN s.is_called THEN {increment} ELSE 0 END)");
        let is_behind = if *increment < 0 { ">=" } else { "<=" };
        let sql = self.ledger.sql(&format!(
            "WITH mine AS (SELECT FROM :ledger.run WHERE run = $1 AND epoch = $2 AND state = 'Running' FOR SHARE) \
             SELECT setval($3::text::regclass, $4) FROM mine, {name} AS s WHERE {next} {is_behind} $4::int8"
        ));
        self.client.execute(&sql, &[&run.id, &run.epoch, name, &floor]).doing(SETTING)?;
        Ok(())
    }

    /// Notes where the run leaves a sequence that it drew from or moved.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn leave_sequence(&mut self, run: i64, sequence: &Sequence) -> Result<(), ServerError> {
        let sql = self.ledger.sql(&format!(
            "UPDATE :ledger.made SET became = (SELECT last_value::text FROM {}) WHERE run = $1 AND kind = 'sequence' AND object = $2",
            sequence.name
        ));
        self.client.execute(&sql, &[&run, &sequence.name]).doing(SETTING)?;
        Ok(())
    }
}

/// What a sequence hands out next.
fn next(sequence: &Sequence, last: i64, called: bool) -> Option<i64> {
    let next = if called { last.checked_add(sequence.increment)? } else { last };
    (sequence.min..=sequence.max).contains(&next).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(increment: i64, counter: Option<i64>) -> Wanted {
        let sequence = Sequence {
            name: "s".to_owned(),
            increment,
            start: 1,
            min: if increment < 0 { i64::MIN } else { 1 },
            max: if increment < 0 { -1 } else { i64::MAX },
            owned: true,
        };
        Wanted { sequence, table: "t".to_owned(), column: "id".to_owned(), counter }
    }

    #[test]
    fn the_source_counter_counts_where_it_is_ahead_of_the_rows() {
        assert_eq!(wanted(1, Some(7232)).floor(Some(7226)), Some(7232));
        assert_eq!(wanted(1, None).floor(Some(7226)), Some(7226));
        assert_eq!(wanted(1, Some(0)).floor(None), None);
    }

    #[test]
    fn an_empty_table_keeps_its_start_and_a_descending_one_looks_down() {
        assert!(wanted(1, None).is_past(SequenceState { max: None, next: Some(1) }));
        assert!(wanted(-1, None).is_past(SequenceState { max: Some(-5), next: Some(-6) }));
        assert!(!wanted(-1, None).is_past(SequenceState { max: Some(-5), next: Some(-5) }));
    }

    #[test]
    fn a_sequence_at_its_end_is_not_past() {
        assert!(!wanted(1, None).is_past(SequenceState { max: Some(i64::MAX), next: None }));
        assert_eq!(next(&wanted(1, None).sequence, i64::MAX, true), None);
    }
}
