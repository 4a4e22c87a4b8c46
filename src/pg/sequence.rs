//! Sequences: moved past every id that exists and every id that the source ever issued, never backwards.

use super::error::{Doing, ServerError};
use super::ledger::MINE;
use super::row::RowValues;
use super::session::Session;
use crate::model::ident::{qualified, quoted};
use crate::model::ledger::Run;
use crate::model::schema::Sequence;
use crate::plan::CountedColumn;
use crate::plan::sequences::{PlannedSequence, SequenceState};

const SETTING: &str = "setting a sequence";

impl Session {
    /// Returns the highest value of an integer column.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn highest_id(&mut self, schema: &str, table: &str, column: &str) -> Result<Option<i64>, ServerError> {
        let sql =
            format!("SELECT pg_catalog.max({})::pg_catalog.int8 FROM {}", quoted(column), qualified(schema, table));
        self.reading(|client| client.query_one(&sql, &[]).doing("looking for the highest id"))?.value(0)
    }

    /// Reads the state of a sequence and its columns.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn sequence_state(&mut self, schema: &str, planned: &PlannedSequence) -> Result<SequenceState, ServerError> {
        let Sequence { name, increment, .. } = &planned.sequence;
        let columns: Vec<String> = planned.columns.iter().map(|c| furthest_number(schema, c, *increment)).collect();
        let furthest = if *increment < 0 { "LEAST" } else { "GREATEST" };
        let sql = format!("SELECT {furthest}({}), last_value, is_called FROM {name}", columns.join(", "));
        let row = self.reading(|client| client.query_one(&sql, &[]).doing("reading a sequence"))?;
        let (last, called): (i64, bool) = (row.value(1)?, row.value(2)?);
        Ok(SequenceState { max: row.value(0)?, next: planned.next(last, called) })
    }

    /// Writes a sequence's state into the ledger before the run draws from it or moves it. The first note remains. Returns
    /// false if another process resumed the run.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn note_sequence_start(&mut self, run: &Run, sequence: &Sequence) -> Result<bool, ServerError> {
        let sql = self.ledger.sql(&format!(
            "WITH {MINE}, noted AS (INSERT INTO :ledger.made (run, kind, object, was) \
             SELECT mine.run, 'sequence', $3, s.last_value || ',' || s.is_called FROM mine, {} AS s \
             ON CONFLICT (run, kind, object) DO NOTHING) SELECT count(*) > 0 FROM mine",
            sequence.name
        ));
        self.client.query_one(&sql, &[&run.id, &run.epoch, &sequence.name]).doing(SETTING)?.value(0)
    }

    /// Moves a sequence forward if it has to move, and writes its previous state into the ledger.
    ///
    /// The note is committed first, because the server moves a sequence at once, even if the transaction is rolled back. A
    /// lane of a previous process, rejected by the epoch, moves nothing, and nothing moves a sequence backwards. Returns false
    /// if another process resumed the run.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn advance_sequence(
        &mut self,
        run: &Run,
        schema: &str,
        planned: &PlannedSequence,
    ) -> Result<bool, ServerError> {
        let Sequence { name, increment, min, max, .. } = &planned.sequence;
        let state = self.sequence_state(schema, planned)?;
        let floor = planned.floor(state.max).filter(|floor| (min..=max).contains(&floor) && !planned.is_past(state));
        let Some(floor) = floor else { return Ok(true) };
        if !self.note_sequence_start(run, &planned.sequence)? {
            return Ok(false);
        }
        // The application may have drawn ids since the state was read: one statement compares and sets.
        let next = format!("(s.last_value::numeric + CASE WHEN s.is_called THEN {increment} ELSE 0 END)");
        let is_short_of = if *increment < 0 { ">=" } else { "<=" };
        let sql = self.ledger.sql(&format!(
            "WITH {MINE} SELECT setval($3::text::regclass, $4) FROM mine, {name} AS s WHERE {next} {is_short_of} $4::int8"
        ));
        self.client.execute(&sql, &[&run.id, &run.epoch, name, &floor]).doing(SETTING)?;
        Ok(true)
    }

    /// Writes into the ledger the value at which the run leaves a sequence that it drew from or moved. Returns false if
    /// another process resumed the run.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn note_sequence_end(&mut self, run: &Run, sequence: &Sequence) -> Result<bool, ServerError> {
        let sql = self.ledger.sql(&format!(
            "WITH {MINE}, noted AS (UPDATE :ledger.made SET became = (SELECT last_value::text FROM {}) FROM mine \
             WHERE made.run = mine.run AND kind = 'sequence' AND object = $3) SELECT count(*) > 0 FROM mine",
            sequence.name
        ));
        self.client.query_one(&sql, &[&run.id, &run.epoch, &sequence.name]).doing(SETTING)?.value(0)
    }
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
