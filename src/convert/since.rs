//! Intervals that are stored as dates: SQLAlchemy writes five minutes as `1970-01-01 00:05:00`.

use super::time::{IntervalReader, TimeReader};
use crate::model::cell::{Cell, Raw};
use crate::model::fault::{LossSet, Reason};

/// A column of intervals with a day from which dates count.
#[derive(Clone, Debug)]
pub(super) struct SinceReader {
    /// The day, in microseconds since 2000-01-01.
    pub start: i64,
    /// The reader of the dates, for a timestamp without a zone.
    pub times: TimeReader,
    /// The reader of every other value.
    pub intervals: IntervalReader,
}

impl SinceReader {
    /// Reads a value that is not NULL.
    pub(super) fn read(&self, raw: Raw<'_>, losses: &mut LossSet) -> Result<Cell<'static>, Reason> {
        if !matches!(raw, Raw::Text(_)) {
            return self.intervals.read(raw, losses);
        }
        match self.times.read(raw, losses) {
            Ok(Cell::Timestamp(micros)) if !matches!(micros, i64::MIN | i64::MAX) => {
                let micros = micros.checked_sub(self.start).ok_or(Reason::OutOfRange)?;
                self.intervals.held(Cell::Interval { months: 0, days: 0, micros })
            }
            Ok(_) | Err(Reason::NotATime) => self.intervals.read(raw, losses),
            Err(reason) => Err(reason),
        }
    }
}
