//! Sequences of a run that is rolled back: restored to their position before the run if that is known to do no harm.
//!
//! They are restarted by ALTER SEQUENCE, which unlike `setval` is undone with the transaction.

use super::transaction::OpenRollback;
use crate::model::ledger::Made;
use crate::model::schema::Sequence;
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
    /// Ids were drawn from it since the run ended.
    UsedSince,
}

/// A sequence and the columns that it numbers although they do not name it.
#[derive(Clone, Copy)]
pub struct RunSequence<'a> {
    /// The sequence.
    pub sequence: &'a Sequence,
    /// The schema of the columns.
    pub schema: &'a str,
    /// The columns.
    pub columns: &'a [CountedColumn],
}

/// The number of values that the server logs in advance: a crash leaves a sequence that much further (SEQ_LOG_VALS in the
/// server's source).
const LOGGED_AHEAD: i64 = 32;

impl OpenRollback<'_> {
    /// Restores a sequence to its position before the run if no row can have the ids after it. Called after the run's rows
    /// are deleted.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn restore_sequence(&mut self, made: &Made, of: RunSequence<'_>) -> Result<SequenceRollback, ServerError> {
        let outcome = self.restored(made, of)?;
        if outcome == SequenceRollback::Restored {
            self.forget_made("sequence", Some(&made.object))?;
        }
        Ok(outcome)
    }

    fn restored(&mut self, made: &Made, of: RunSequence<'_>) -> Result<SequenceRollback, ServerError> {
        let sequence = of.sequence;
        let sql = format!(
            "SELECT last_value, last_value || ',' || is_called, log_cnt, \
             (SELECT pg_catalog.pg_has_role(relowner, 'USAGE') FROM pg_catalog.pg_class WHERE oid = $1::text::regclass) \
             FROM {}",
            sequence.name
        );
        let row = self.tx.query_one(&sql, &[&sequence.name]).doing(READING)?;
        let (last, whole, ahead, is_ours): (i64, String, i64, bool) =
            (row.value(0)?, row.value(1)?, row.value(2)?, row.value(3)?);
        if made.was.as_ref() == Some(&whole) {
            return Ok(SequenceRollback::Restored);
        }
        let left: Option<i64> = made.became.as_ref().and_then(|text| text.parse().ok());
        let drawn = left.map(|left| (last.saturating_sub(left)) / sequence.increment);
        let may_be_crash = drawn.is_some_and(|n| ahead == 0 && (1..=LOGGED_AHEAD).contains(&n));
        if left.is_some() && drawn != Some(0) && !may_be_crash {
            return Ok(SequenceRollback::UsedSince);
        }
        let next = made.was.as_deref().and_then(|was| next_after(was, sequence));
        let Some(next) = next.filter(|next| (sequence.min..=sequence.max).contains(next)) else {
            return Ok(SequenceRollback::Kept("it was exhausted"));
        };
        match self.is_taken(of, next)? {
            None => return Ok(SequenceRollback::Kept("a column that draws from it could not be read")),
            Some(true) => return Ok(SequenceRollback::Kept("existing rows may have their ids from it")),
            Some(false) => {}
        }
        if !is_ours {
            return Ok(SequenceRollback::Kept("only its owner may restore it"));
        }
        let sql = format!("ALTER SEQUENCE {} RESTART WITH {next}", sequence.name);
        self.tx.batch_execute(&sql).doing("restoring a sequence")?;
        Ok(SequenceRollback::Restored)
    }

    /// Returns true if a row has an id that the sequence would hand out again, in any table that draws from it. `None` if
    /// a table cannot be read.
    fn is_taken(&mut self, of: RunSequence<'_>, next: i64) -> Result<Option<bool>, ServerError> {
        let RunSequence { sequence, schema, columns } = of;
        let (furthest, beyond) = if sequence.increment < 0 { ("min", "<=") } else { ("max", ">=") };
        let mut numbers: Vec<String> =
            columns.iter().map(|column| furthest_number(schema, column, sequence.increment)).collect();
        let sql = include_str!("../sql/columns_of_sequence.sql");
        for row in self.tx.query(sql, &[&sequence.name]).doing(READING)? {
            let (table, column, can_be_read): (String, String, bool) = (row.value(0)?, row.value(1)?, row.value(2)?);
            if !can_be_read {
                return Ok(None);
            }
            numbers.push(format!("(SELECT pg_catalog.{furthest}({column}) FROM {table})"));
        }
        for number in numbers {
            let sql = format!("SELECT coalesce({number} OPERATOR(pg_catalog.{beyond}) {next}, false)");
            let path = &self.application_path;
            if path.reading(&mut self.tx, |tx| tx.query_one(&sql, &[]).doing(READING))?.value(0)? {
                return Ok(Some(true));
            }
        }
        Ok(Some(false))
    }
}

/// The value that the sequence handed out next in the state `was`: its `last_value` and `is_called`, as the ledger keeps
/// them.
fn next_after(was: &str, sequence: &Sequence) -> Option<i64> {
    let (last, called) = was.split_once(',')?;
    let last: i64 = last.parse().ok()?;
    if called == "true" { last.checked_add(sequence.increment) } else { Some(last) }
}
