//! Sequences of a run that is taken back: where they were before it, wherever that is known to do no harm.
//!
//! They are restarted, which unlike `setval` is undone with the transaction.

use super::error::{Doing, ServerError};
use super::ledger::Made;
use super::take_back::TakingBack;
use crate::model::schema::Sequence;

const READING: &str = "reading a sequence";

/// What becomes of a sequence when a run is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewound {
    /// It hands out next what it did before the run.
    Back,
    /// It stays where it is, which does no harm, for this reason.
    Stays(&'static str),
    /// Ids were drawn from it since the run ended.
    Moved,
}

/// How far ahead the server notes a sequence: a crash leaves it that much further (SEQ_LOG_VALS in its source).
const NOTED_AHEAD: i64 = 32;

impl TakingBack<'_> {
    /// Lets a sequence hand out next what it did before the run, where that is known to be nobody's. Behind the run's
    /// rows, which are out then.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn rewind(&mut self, made: &Made, sequence: &Sequence) -> Result<Rewound, ServerError> {
        let rewound = self.rewound(made, sequence)?;
        if rewound == Rewound::Back {
            self.unmade("sequence", Some(&made.object))?;
        }
        Ok(rewound)
    }

    fn rewound(&mut self, made: &Made, sequence: &Sequence) -> Result<Rewound, ServerError> {
        let sql = format!(
            "SELECT last_value, last_value || ',' || is_called, log_cnt, \
             (SELECT pg_catalog.pg_has_role(relowner, 'USAGE') FROM pg_catalog.pg_class WHERE oid = $1::text::regclass) \
             FROM {}",
            sequence.name
        );
        let row = self.tx.query_one(&sql, &[&sequence.name]).doing(READING)?;
        let (last, whole, ahead, is_ours): (i64, String, i64, bool) = (row.get(0), row.get(1), row.get(2), row.get(3));
        if made.was.as_ref() == Some(&whole) {
            return Ok(Rewound::Back);
        }
        let left: Option<i64> = made.became.as_ref().and_then(|text| text.parse().ok());
        let drawn = left.map(|left| (last.saturating_sub(left)) / sequence.increment);
        let may_be_crash = drawn.is_some_and(|n| ahead == 0 && (1..=NOTED_AHEAD).contains(&n));
        if left.is_some() && drawn != Some(0) && !may_be_crash {
            return Ok(Rewound::Moved);
        }
        let next = made.was.as_deref().and_then(|was| was.split_once(',')).and_then(|(last, called)| {
            let last: i64 = last.parse().ok()?;
            if called == "true" { last.checked_add(sequence.increment) } else { Some(last) }
        });
        let Some(next) = next.filter(|next| (sequence.min..=sequence.max).contains(next)) else {
            return Ok(Rewound::Stays("it was at its end"));
        };
        match self.is_taken(sequence, next)? {
            None => return Ok(Rewound::Stays("a column that draws from it could not be looked at")),
            Some(true) => return Ok(Rewound::Stays("rows that are there may have their ids from it")),
            Some(false) => {}
        }
        if !is_ours {
            return Ok(Rewound::Stays("setting it back takes its owner"));
        }
        let sql = format!("ALTER SEQUENCE {} RESTART WITH {next}", sequence.name);
        self.tx.batch_execute(&sql).doing("setting a sequence back")?;
        Ok(Rewound::Back)
    }

    /// Whether a row is there whose id the sequence would hand out again, in whatever table draws from it. `None`: that
    /// cannot be known.
    fn is_taken(&mut self, sequence: &Sequence, next: i64) -> Result<Option<bool>, ServerError> {
        let (furthest, beyond) = if sequence.increment < 0 { ("min", "<=") } else { ("max", ">=") };
        for row in self.tx.query(include_str!("sql/drawing.sql"), &[&sequence.name]).doing(READING)? {
            let (table, column, can_be_read): (String, String, bool) = (row.get(0), row.get(1), row.get(2));
            if !can_be_read {
                return Ok(None);
            }
            let sql = format!("SELECT coalesce({furthest}({column}) {beyond} {next}, false) FROM {table}");
            if self.tx.query_one(&sql, &[]).doing(READING)?.get(0) {
                return Ok(Some(true));
            }
        }
        Ok(Some(false))
    }
}
