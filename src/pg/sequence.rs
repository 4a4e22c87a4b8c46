//! Sequences: moved past every id that exists and every id that the source ever issued, never backwards.

use postgres::Row;

use super::client::{Client, Pipeline};
use super::error::{Doing, ServerError};
use super::query::TypedQuery;
use super::row::RowValues;
use super::session::{MINE, Session};
use crate::model::ident::{qualified, quoted};
use crate::model::ledger::Run;
use crate::model::schema::Sequence;
use crate::plan::CountedColumn;
use crate::plan::sequences::{PlannedSequence, SequenceState};

const SETTING: &str = "setting a sequence";

/// The query for the state of each sequence and its column. `None` without sequences.
pub(super) fn states_query<'q>(schema: &str, planned: &[PlannedSequence]) -> Option<TypedQuery<'q>> {
    let state = |(n, planned): (usize, &PlannedSequence)| {
        let Sequence { name, increment, .. } = &planned.sequence;
        let columns: Vec<String> = planned.columns.iter().map(|c| furthest_number(schema, c, *increment)).collect();
        let furthest = if *increment < 0 { "LEAST" } else { "GREATEST" };
        format!("SELECT {n}, {furthest}({}), last_value, is_called FROM {name}", columns.join(", "))
    };
    let states: Vec<String> = planned.iter().enumerate().map(state).collect();
    let sql = format!("{} ORDER BY 1", states.join(" UNION ALL "));
    (!states.is_empty()).then(|| TypedQuery::new("reading sequences", sql).of_tables())
}

/// The states that the answer to this query describes.
pub(super) fn states_of(rows: &[Row], planned: &[PlannedSequence]) -> Result<Vec<SequenceState>, ServerError> {
    let state = |(row, planned): (&Row, &PlannedSequence)| {
        Ok(SequenceState { max: row.value(1)?, next: planned.next(row.value(2)?, row.value(3)?) })
    };
    rows.iter().zip(planned).map(state).collect()
}

/// Draws `count` ids from each of these sequences, in one round trip. Ids that are not used stay a gap, with or without a
/// transaction.
pub(super) fn draw_ids(client: &mut Client, sequences: &[&str], count: usize) -> Result<Vec<Vec<i64>>, ServerError> {
    let sql = "SELECT pg_catalog.nextval($1::pg_catalog.text::pg_catalog.regclass) \
               FROM pg_catalog.generate_series(1, $2::pg_catalog.int8)";
    let count = count as i64;
    let steps = sequences.iter().fold(Pipeline::new(), |steps, sequence| steps.query(sql, &[sequence, &count]));
    let drawn = steps.rows(client).doing("drawing ids")?;
    drawn.iter().map(|rows| rows.iter().map(|row| row.value(0)).collect()).collect()
}

impl Session {
    /// Draws `count` ids from each of these sequences, in one round trip and outside of any transaction.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn draw_ids(&mut self, sequences: &[&str], count: usize) -> Result<Vec<Vec<i64>>, ServerError> {
        draw_ids(&mut self.client, sequences, count)
    }

    /// Returns the highest value of each of these integer columns, given as table and column.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn highest_ids(&mut self, schema: &str, columns: &[(&str, &str)]) -> Result<Vec<Option<i64>>, ServerError> {
        let highest = |(table, column): &(&str, &str)| {
            format!("(SELECT pg_catalog.max({})::pg_catalog.int8 FROM {})", quoted(column), qualified(schema, table))
        };
        let highest: Vec<String> = columns.iter().map(highest).collect();
        let sql = format!("SELECT ARRAY[{}]::pg_catalog.int8[]", highest.join(", "));
        let [rows] = self.ask([TypedQuery::new("looking for the highest ids", sql).of_tables()])?;
        rows.first().map_or_else(|| Ok(Vec::new()), |row| row.value(0))
    }

    /// Reads the state of a sequence and its columns.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn sequence_state(&mut self, schema: &str, planned: &PlannedSequence) -> Result<SequenceState, ServerError> {
        let states = self.sequence_states(schema, std::slice::from_ref(planned))?;
        states.first().copied().ok_or_else(|| ServerError::new("reading a sequence", "it has no state"))
    }

    /// Reads the state of each sequence and its column, in one query.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn sequence_states(
        &mut self,
        schema: &str,
        planned: &[PlannedSequence],
    ) -> Result<Vec<SequenceState>, ServerError> {
        let rows = self.ask_all(states_query(schema, planned))?.concat();
        states_of(&rows, planned)
    }

    /// Moves the sequences forward that have to move, as [`Session::move_sequences`].
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn advance_sequences(
        &mut self,
        run: &Run,
        schema: &str,
        planned: &[PlannedSequence],
        draws: bool,
    ) -> Result<bool, ServerError> {
        let states = self.sequence_states(schema, planned)?;
        self.move_sequences(run, planned, &states, draws)
    }

    /// Moves the sequences forward that have to move by their `states`, and writes their previous states into the ledger, and
    /// the values at which the run leaves them. `draws`: the run will draw from them, so the previous states are written in any
    /// case, and the last ones later.
    ///
    /// Each statement is a transaction of its own, because the server moves a sequence at once, even if the transaction is
    /// rolled back. A sequence moves only if its note is committed. A lane of a previous process, rejected by the epoch,
    /// writes nothing, and nothing moves a sequence backwards. Returns false if another process resumed the run.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn move_sequences(
        &mut self,
        run: &Run,
        planned: &[PlannedSequence],
        states: &[SequenceState],
        draws: bool,
    ) -> Result<bool, ServerError> {
        if planned.is_empty() {
            return Ok(true);
        }
        let moves: Vec<(&PlannedSequence, Option<i64>)> =
            planned.iter().zip(states).map(|(planned, state)| (planned, goal(planned, *state))).collect();
        let mut steps = Pipeline::new();
        for (planned, _) in moves.iter().filter(|(_, goal)| draws || goal.is_some()) {
            let name = &planned.sequence.name;
            steps = steps.query(self.ledger.sql(&note_start(name)), &[&run.id, &run.epoch, name]);
        }
        for (planned, goal) in &moves {
            if let Some(goal) = goal {
                let name = &planned.sequence.name;
                steps = steps.query(self.ledger.sql(&advance(&planned.sequence)), &[&run.id, &run.epoch, name, goal]);
            }
        }
        for (planned, _) in moves.iter().filter(|_| !draws) {
            let name = &planned.sequence.name;
            steps = steps.query(self.ledger.sql(&note_end(name)), &[&run.id, &run.epoch, name]);
        }
        let is_mine = self.ledger.sql(&format!("WITH {MINE} SELECT count(*) > 0 FROM mine"));
        let steps = steps.query(is_mine, &[&run.id, &run.epoch]);
        let answers = steps.rows(&mut self.client).doing(SETTING)?;
        answers.last().and_then(|rows| rows.first()).map_or(Ok(false), |row| row.value(0))
    }
}

/// The value that a sequence must have passed; `None` if it has to stay.
fn goal(planned: &PlannedSequence, state: SequenceState) -> Option<i64> {
    let Sequence { min, max, .. } = &planned.sequence;
    planned.floor(state.max).filter(|floor| (min..=max).contains(&floor) && !planned.is_past(state))
}

/// Writes a sequence's state into the ledger. The first note remains.
fn note_start(name: &str) -> String {
    format!(
        "WITH {MINE} INSERT INTO :ledger.made (run, kind, object, was) \
         SELECT mine.run, 'sequence', $3, s.last_value || ',' || s.is_called FROM mine, {name} AS s \
         ON CONFLICT (run, kind, object) DO NOTHING"
    )
}

/// Moves a noted sequence. The application may have drawn ids since its state was read: one statement compares and sets.
fn advance(Sequence { name, increment, .. }: &Sequence) -> String {
    let next = format!("(s.last_value::numeric + CASE WHEN s.is_called THEN {increment} ELSE 0 END)");
    let is_short_of = if *increment < 0 { ">=" } else { "<=" };
    format!(
        "WITH {MINE} SELECT setval($3::text::regclass, $4) FROM mine, {name} AS s WHERE {next} {is_short_of} $4::int8 \
         AND EXISTS (SELECT FROM :ledger.made WHERE run = $1 AND kind = 'sequence' AND object = $3::text)"
    )
}

/// Writes into the ledger the value at which the run leaves a sequence that it drew from or moved.
fn note_end(name: &str) -> String {
    format!(
        "WITH {MINE} UPDATE :ledger.made SET became = (SELECT last_value::text FROM {name}) FROM mine \
         WHERE made.run = mine.run AND kind = 'sequence' AND object = $3"
    )
}

/// Returns the query of the number in a column that is furthest in the direction of a sequence.
pub(super) fn furthest_number(schema: &str, column: &CountedColumn, increment: i64) -> String {
    let CountedColumn { table, column, negated } = column;
    let furthest = if (increment < 0) == *negated { "max" } else { "min" };
    let (table, column) = (qualified(schema, table), quoted(column));
    if *negated {
        // The least int8 has no negative in int8.
        let least = i64::MIN;
        format!(
            "(SELECT OPERATOR(pg_catalog.-) pg_catalog.{furthest}({column})::pg_catalog.int8 FROM {table} \
             WHERE {column} OPERATOR(pg_catalog.>) '{least}'::pg_catalog.int8)"
        )
    } else {
        format!("(SELECT pg_catalog.{furthest}({column})::pg_catalog.int8 FROM {table})")
    }
}
