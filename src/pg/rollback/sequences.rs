//! Sequences of a run that is rolled back: restored to their position before the run if that is known to do no harm.
//!
//! They are restarted by ALTER SEQUENCE, which unlike `setval` is undone with the transaction.

use postgres::Row;

use super::transaction::OpenRollback;
use crate::model::ledger::Made;
use crate::model::schema::Sequence;
use crate::pg::client::Pipeline;
use crate::pg::error::{Doing, ServerError};
use crate::pg::row::RowValues;
use crate::pg::sequence::furthest_number;
use crate::plan::CountedColumn;

const READING: &str = "reading a sequence";

/// The fate of a sequence when a run is rolled back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SequenceRollback {
    /// It hands out the same value next as before the run.
    Restored,
    /// It keeps its position, which does no harm, for this reason.
    Kept(&'static str),
}

/// The number of values that the server logs in advance: a crash leaves a sequence that much further (SEQ_LOG_VALS in the
/// server's source).
const LOGGED_AHEAD: i64 = 32;

/// A sequence that the run moved or drew from, and its record in the ledger.
#[derive(Clone, Copy, Debug)]
pub struct MovedSequence<'a> {
    /// The record.
    pub made: &'a Made,
    /// The sequence.
    pub sequence: &'a Sequence,
    /// The schema of the columns.
    pub schema: &'a str,
    /// The columns that it numbers although they do not name it.
    pub columns: &'a [CountedColumn],
}

/// The fate of a sequence before the rows are looked at.
enum SequenceFate {
    Known(SequenceRollback),
    /// It may hand out this value next, unless a row has it. `is_ours`: this role may restart it.
    RestartAt {
        next: i64,
        is_ours: bool,
    },
}

impl OpenRollback<'_> {
    /// Restores sequences to their positions before the run, each if no row can have the ids after it. Called after the run's
    /// rows are deleted. Three round trips.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn restore_sequences(&mut self, moved: &[MovedSequence<'_>]) -> Result<Vec<SequenceRollback>, ServerError> {
        if moved.is_empty() {
            return Ok(Vec::new());
        }
        let mut steps = Pipeline::new();
        for MovedSequence { sequence, .. } in moved {
            steps = steps.query(state_sql(sequence), &[&sequence.name]).query(COLUMNS, &[&sequence.name]);
        }
        let answers = steps.rows(&mut self.tx).doing(READING)?;
        let mut outcomes = Vec::new();
        let (mut asked, mut restarts) = (Pipeline::new(), Vec::new());
        for (n, (moved, answer)) in moved.iter().zip(answers.chunks_exact(2)).enumerate() {
            outcomes.push(match verdict(moved, &answer[0])? {
                SequenceFate::Known(outcome) => outcome,
                SequenceFate::RestartAt { .. } if !answer[1].iter().all(|column| column.value(2).unwrap_or(false)) => {
                    SequenceRollback::Kept("a column that draws from it could not be read")
                }
                SequenceFate::RestartAt { next, is_ours } => {
                    let taken = taken_sql(moved, next, &answer[1])?;
                    restarts.push(Restart { n, next, is_ours, columns: taken.len() });
                    asked = taken.into_iter().fold(asked, |asked, sql| asked.query(sql, &[]));
                    SequenceRollback::Restored
                }
            });
        }
        let taken = self.application_path.reading(&mut self.tx, |tx| asked.rows(tx).doing(READING))?;
        let mut taken = taken.iter().map(|rows| rows.iter().any(|row| row.value(0).unwrap_or(true)));
        let mut done = Pipeline::new();
        for Restart { n, next, is_ours, columns } in restarts {
            let is_taken = taken.by_ref().take(columns).fold(false, |any, one| any | one);
            match (is_taken, is_ours) {
                (true, _) => outcomes[n] = SequenceRollback::Kept("existing rows may have their ids from it"),
                (false, false) => outcomes[n] = SequenceRollback::Kept("only its owner may restore it"),
                (false, true) => {
                    done = done.script(format!("ALTER SEQUENCE {} RESTART WITH {next}", moved[n].sequence.name));
                }
            }
        }
        let forget = self.ledger.sql("DELETE FROM :ledger.made WHERE run = $1 AND kind = 'sequence' AND object = $2");
        for (moved, outcome) in moved.iter().zip(&outcomes) {
            if *outcome == SequenceRollback::Restored {
                done = done.query(forget.as_str(), &[&self.run, &moved.made.object]);
            }
        }
        done.rows(&mut self.tx).doing("restoring a sequence")?;
        Ok(outcomes)
    }
}

/// A sequence that may be restarted.
struct Restart {
    /// Its index.
    n: usize,
    next: i64,
    is_ours: bool,
    /// The number of columns that draw from it.
    columns: usize,
}

const COLUMNS: &str = include_str!("../sql/columns_of_sequence.sql");

fn state_sql(sequence: &Sequence) -> String {
    format!(
        "SELECT last_value, last_value || ',' || is_called, log_cnt, \
         (SELECT pg_catalog.pg_has_role(relowner, 'USAGE') FROM pg_catalog.pg_class WHERE oid = $1::text::regclass) \
         FROM {}",
        sequence.name
    )
}

/// The queries for a row that has an id that the sequence would hand out again, one for each column that it numbers.
/// `drawing`: the columns that draw from it.
fn taken_sql(moved: &MovedSequence<'_>, next: i64, drawing: &[Row]) -> Result<Vec<String>, ServerError> {
    let MovedSequence { sequence, schema, columns, .. } = *moved;
    let (furthest, beyond) = if sequence.increment < 0 { ("min", "<=") } else { ("max", ">=") };
    let mut numbers: Vec<String> = columns.iter().map(|c| furthest_number(schema, c, sequence.increment)).collect();
    for row in drawing {
        let (table, column): (String, String) = (row.value(0)?, row.value(1)?);
        numbers.push(format!("(SELECT pg_catalog.{furthest}({column}) FROM {table})"));
    }
    let is_taken = |number| format!("SELECT coalesce({number} OPERATOR(pg_catalog.{beyond}) {next}, false)");
    Ok(numbers.into_iter().map(is_taken).collect())
}

fn verdict(
    MovedSequence { made, sequence, .. }: &MovedSequence<'_>,
    state: &[Row],
) -> Result<SequenceFate, ServerError> {
    let row = state.first().ok_or_else(|| ServerError::new(READING, "the server sent no row"))?;
    let (last, whole, ahead, is_ours): (i64, String, i64, bool) =
        (row.value(0)?, row.value(1)?, row.value(2)?, row.value(3)?);
    if made.was.as_ref() == Some(&whole) {
        return Ok(SequenceFate::Known(SequenceRollback::Restored));
    }
    let left: Option<i64> = made.became.as_ref().and_then(|text| text.parse().ok());
    let drawn = left.map(|left| (last.saturating_sub(left)) / sequence.increment);
    let may_be_crash = drawn.is_some_and(|n| ahead == 0 && (1..=LOGGED_AHEAD).contains(&n));
    if left.is_some() && drawn != Some(0) && !may_be_crash {
        return Ok(SequenceFate::Known(SequenceRollback::Kept("ids were drawn from it since the run")));
    }
    let next = made.was.as_deref().and_then(|was| next_after(was, sequence));
    Ok(match next.filter(|next| (sequence.min..=sequence.max).contains(next)) {
        None => SequenceFate::Known(SequenceRollback::Kept("it was exhausted")),
        Some(next) => SequenceFate::RestartAt { next, is_ours },
    })
}

/// The value that the sequence handed out next in the state `was`: its `last_value` and `is_called`, as the ledger keeps
/// them.
fn next_after(was: &str, sequence: &Sequence) -> Option<i64> {
    let (last, called) = was.split_once(',')?;
    let last: i64 = last.parse().ok()?;
    if called == "true" { last.checked_add(sequence.increment) } else { Some(last) }
}
