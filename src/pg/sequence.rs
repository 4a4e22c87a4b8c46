//! Sequences: moved past every id that exists and every id that the source ever issued, never backwards.

use super::error::{Doing, ServerError};
use super::session::Session;
use crate::model::ident::{qualified, quoted};
use crate::model::ledger::Run;
use crate::model::schema::Sequence;
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
        Ok(self.reading(|client| client.query_one(&sql, &[]).doing("looking for the highest id"))?.get(0))
    }

    /// Reads the state of a sequence and its column.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn sequence_state(&mut self, schema: &str, planned: &PlannedSequence) -> Result<SequenceState, ServerError> {
        let furthest = if planned.sequence.increment < 0 { "min" } else { "max" };
        let sql = format!(
            "SELECT (SELECT pg_catalog.{furthest}({column})::pg_catalog.int8 FROM {}), last_value, is_called FROM {}",
            qualified(schema, &planned.table),
            planned.sequence.name,
            column = quoted(&planned.column)
        );
        let row = self.reading(|client| client.query_one(&sql, &[]).doing("reading a sequence"))?;
        let (last, called): (i64, bool) = (row.get(1), row.get(2));
        Ok(SequenceState { max: row.get(0), next: planned.next(last, called) })
    }

    /// Writes a sequence's state into the ledger before the run draws from it or moves it. The first note remains.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn note_sequence_start(&mut self, run: i64, sequence: &Sequence) -> Result<(), ServerError> {
        let sql = self.ledger.sql(&format!(
            "INSERT INTO :ledger.made (run, kind, object, was) SELECT $1, 'sequence', $2, last_value || ',' || is_called FROM {} \
             ON CONFLICT (run, kind, object) DO NOTHING",
            sequence.name
        ));
        self.client.execute(&sql, &[&run, &sequence.name]).doing(SETTING)?;
        Ok(())
    }

    /// Moves a sequence forward if it has to move, and writes its previous state into the ledger.
    ///
    /// The note is committed first, because the server moves a sequence at once, even if the transaction is rolled back. A
    /// lane of a previous process, rejected by the epoch, moves nothing, and nothing moves a sequence backwards.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn advance_sequence(&mut self, run: &Run, schema: &str, planned: &PlannedSequence) -> Result<(), ServerError> {
        let Sequence { name, increment, min, max, .. } = &planned.sequence;
        let state = self.sequence_state(schema, planned)?;
        let floor = planned.floor(state.max).filter(|floor| (min..=max).contains(&floor) && !planned.is_past(state));
        let Some(floor) = floor else { return Ok(()) };
        self.note_sequence_start(run.id, &planned.sequence)?;
        // The application may have drawn ids since the state was read: one statement compares and sets.
        let next = format!("(s.last_value::numeric + CASE WHEN s.is_called THEN {increment} ELSE 0 END)");
        let is_short_of = if *increment < 0 { ">=" } else { "<=" };
        let sql = self.ledger.sql(&format!(
            "WITH mine AS (SELECT FROM :ledger.run WHERE run = $1 AND epoch = $2 AND state = 'Running' FOR SHARE) \
             SELECT setval($3::text::regclass, $4) FROM mine, {name} AS s WHERE {next} {is_short_of} $4::int8"
        ));
        self.client.execute(&sql, &[&run.id, &run.epoch, name, &floor]).doing(SETTING)?;
        Ok(())
    }

    /// Writes into the ledger the value at which the run leaves a sequence that it drew from or moved.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn note_sequence_end(&mut self, run: i64, sequence: &Sequence) -> Result<(), ServerError> {
        let sql = self.ledger.sql(&format!(
            "UPDATE :ledger.made SET became = (SELECT last_value::text FROM {}) WHERE run = $1 AND kind = 'sequence' AND object = $2",
            sequence.name
        ));
        self.client.execute(&sql, &[&run, &sequence.name]).doing(SETTING)?;
        Ok(())
    }
}
