//! The reader of `date`, `time`, `timestamp` and `timestamptz`: interprets written times and numbers for the column.
//!
//! This file applies zones, offsets, precision and range, on whole microseconds since 2000-01-01. The spellings are
//! parsed in `spellings`, `names` and `format`. Nothing is rounded or dropped unless the mapping allows it.

mod cursor;
mod format;
mod interval;
mod moment;
mod names;
mod spellings;
mod zone;

pub(super) use cursor::{Beyond, WrittenTime};
pub(super) use interval::IntervalReader;
pub(super) use spellings::{iso, read};

use std::ops::Range;

use super::decimal::trimmed;
use super::settled::Settled;
use crate::model::cell::{Cell, Raw};
use crate::model::fault::{Loss, LossSet, Reason};
use crate::model::rules::{Epoch, Offset, Overlap, Rules, Zone};
use crate::wire::calendar::{DAY, SECOND, UNIX_DAY};
use cursor::Clock;
use format::TimeFormat;
use moment::{Moment, count, date, is_count, stamp};

/// Returns the seconds that a zone is east of UTC at a time in seconds since 1970. `None` beyond the calendar.
pub fn offset_at(zone: Zone, at: i64) -> Option<i64> {
    let seconds = DAY / SECOND;
    zone::at_instant(zone, UNIX_DAY + at.div_euclid(seconds), at.rem_euclid(seconds))
}

/// The target's types of dates and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeType {
    /// date
    Date,
    /// time
    Time,
    /// timestamp
    Local,
    /// timestamptz
    Instant,
}

/// A column of dates or times with the rules of its mapping.
#[derive(Clone, Debug)]
pub(super) struct TimeReader {
    /// The type.
    sort: TimeType,
    /// Digits of a second, 0 to 6.
    precision: u8,
    /// The zone of times without an offset.
    zone: Option<Zone>,
    /// The choice between the two instants of an ambiguous local time.
    overlap: Option<Overlap>,
    /// The treatment of an offset if the type has none.
    offset: Option<Offset>,
    /// The unit of numbers.
    epoch: Option<Epoch>,
    /// Additional spellings, in the order in which they are tried.
    formats: Vec<TimeFormat>,
    /// Rounds digits of a second.
    round: bool,
    /// Truncates the time of day of a date, and the date of a time.
    truncate: bool,
    /// The spans in which the server's offset for the zone differs: seconds since 1970.
    doubts: Vec<Range<i64>>,
}

impl TimeReader {
    /// Creates the reader of a type under the column's rules. The error describes a mistake in the format.
    pub(super) fn new(sort: TimeType, precision: u8, rules: &Rules) -> Result<TimeReader, String> {
        Ok(TimeReader {
            sort,
            precision,
            zone: rules.zone,
            overlap: rules.overlap,
            offset: rules.offset,
            epoch: rules.epoch,
            formats: rules.format.iter().map(|text| TimeFormat::parse(text)).collect::<Result<_, _>>()?,
            round: rules.round,
            truncate: rules.truncate,
            doubts: Vec::new(),
        })
    }

    /// The same reader, which notes the times that the server reads otherwise.
    pub(super) fn doubting(self, settled: &Settled) -> TimeReader {
        let doubts = match self.zone {
            Some(Zone::Named(tz)) => settled.doubts.get(tz.name()).cloned().unwrap_or_default(),
            _ => Vec::new(),
        };
        TimeReader { doubts, ..self }
    }

    /// Notes a use of the zone's offset at an instant that the server reads otherwise.
    fn doubt(&self, instant: Moment, losses: &mut LossSet) {
        let at = (instant.day - UNIX_DAY) * (DAY / SECOND) + instant.micros / SECOND;
        if self.doubts.iter().any(|span| span.contains(&at)) {
            losses.add(Loss::ZoneData);
        }
    }

    /// Reads a value that is not NULL.
    pub(super) fn read(&self, raw: Raw<'_>, losses: &mut LossSet) -> Result<Cell<'static>, Reason> {
        match raw {
            Raw::Text(text) => match self.written(text) {
                Some(written) => written.and_then(|written| self.text(written, losses)).map_err(|r| self.named(r)),
                None => self.number(raw, losses),
            },
            Raw::Integer(_) | Raw::Real(_) => self.number(raw, losses),
            Raw::Null | Raw::Blob(_) => Err(Reason::BlobInValue),
        }
    }

    /// Returns the start of the run, given in microseconds since 2000-01-01 UTC. For a type without a zone this is the
    /// local time of the column's zone.
    pub(super) fn now(&self, now: i64) -> Result<Cell<'static>, Reason> {
        let instant = Moment::new(0, now);
        let shown =
            if self.sort == TimeType::Instant { instant } else { self.local(instant, &mut LossSet::default())? };
        let micros = shown.micros - shown.micros % self.step();
        match self.sort {
            TimeType::Date => date(shown.day),
            TimeType::Time => Ok(Cell::Time(micros)),
            TimeType::Local | TimeType::Instant => stamp(Moment { micros, ..shown }),
        }
    }

    fn named(&self, reason: Reason) -> Reason {
        if reason == Reason::NotATime && self.sort == TimeType::Date { Reason::NotADate } else { reason }
    }

    /// Returns the microseconds of the column's last digit.
    fn step(&self) -> i64 {
        10i64.pow(6 - u32::from(self.precision.min(6)))
    }

    /// Parses a text. If it has the shape of a format of the mapping, only the first such format applies: `%Y-%d-%m` must not
    /// fall back to ISO. `None` if it is the digits of a number that counts time.
    fn written(&self, text: &[u8]) -> Option<Result<WrittenTime, Reason>> {
        let read = self.formats.iter().map(|format| format.read(trimmed(text)));
        if let Some(found) = read.into_iter().find(|found| *found != Err(Reason::NotATime)) {
            return Some(found);
        }
        let counts = self.epoch.is_some() && is_count(text);
        (!counts).then(|| spellings::read(text))
    }

    fn text(&self, written: WrittenTime, losses: &mut LossSet) -> Result<Cell<'static>, Reason> {
        if self.sort == TimeType::Time {
            return self.time(written, losses);
        }
        let day = written.day.ok_or(Reason::NotATime)?;
        let clock = written.clock.unwrap_or_default();
        if self.sort == TimeType::Date && written.clock.is_none() {
            return date(day);
        }
        if clock.micros == DAY {
            losses.add(Loss::EndOfDay);
        }
        let exact = Moment::new(day, clock.micros);
        let east = self.shift(exact, written.offset, losses)?;
        if self.sort == TimeType::Date {
            return self.date_only(exact.east(east), clock.beyond != Beyond::Nothing, losses);
        }
        stamp(Moment::new(day, self.rounded(clock, losses)?).east(east))
    }

    /// Returns the seconds to add to a written time to get the stored one: UTC, or local time.
    fn shift(&self, written: Moment, offset: Option<i64>, losses: &mut LossSet) -> Result<i64, Reason> {
        let second = written.micros / SECOND;
        if self.sort == TimeType::Instant {
            return match (offset, self.zone) {
                (Some(offset), _) => Ok(-offset),
                (None, Some(zone)) => {
                    let east = zone::at_local(zone, written.day, second, self.overlap)?;
                    self.doubt(written.east(-east), losses);
                    Ok(-east)
                }
                (None, None) => Err(Reason::NoZone),
            };
        }
        let Some(offset) = offset else { return Ok(0) };
        if self.offset == Some(Offset::Drop) {
            return Ok(0);
        }
        // An offset that equals the zone's own at that time (UTC's without a zone) adds no information.
        let instant = written.east(-offset);
        let zone = self.zone.unwrap_or(Zone::Fixed(0));
        let east = zone::at_instant(zone, instant.day, instant.micros / SECOND).ok_or(Reason::OutOfRange)?;
        self.doubt(instant, losses);
        match (east == offset, self.offset) {
            (true, _) => Ok(0),
            (false, Some(Offset::Zone)) if self.zone.is_some() => Ok(east - offset),
            (false, Some(Offset::Zone)) => Err(Reason::NoZone),
            (false, _) => Err(Reason::OffsetInTimestamp),
        }
    }

    fn time(&self, written: WrittenTime, losses: &mut LossSet) -> Result<Cell<'static>, Reason> {
        let clock = written.clock.ok_or(Reason::NotATime)?;
        if written.day.is_some() && !self.truncate {
            return Err(Reason::DateInTime);
        }
        let micros = self.rounded(clock, losses)?;
        let shift = match written.day {
            Some(day) => self.shift(Moment::new(day, clock.micros), written.offset, losses)?,
            None => self.time_shift(written.offset)?,
        };
        if written.day.is_some() {
            losses.add(Loss::Truncate);
        }
        // 24:00:00 is a valid time, provided that no offset shifts it.
        if shift == 0 { Ok(Cell::Time(micros)) } else { Ok(Cell::Time((micros + shift * SECOND).rem_euclid(DAY))) }
    }

    /// Returns the seconds to add to a time without a date. Only a fixed offset determines local time then.
    fn time_shift(&self, offset: Option<i64>) -> Result<i64, Reason> {
        let zone = match self.zone {
            None => Some(0),
            Some(Zone::Fixed(east)) => Some(i64::from(east)),
            Some(Zone::Named(_)) => None,
        };
        match (offset, self.offset) {
            (None, _) | (_, Some(Offset::Drop)) => Ok(0),
            (Some(offset), _) if zone == Some(offset) => Ok(0),
            (Some(offset), Some(Offset::Zone)) if self.zone.is_some() => {
                zone.map(|east| east - offset).ok_or(Reason::OffsetInTimestamp)
            }
            (Some(_), Some(Offset::Zone)) => Err(Reason::NoZone),
            (Some(_), None) => Err(Reason::OffsetInTimestamp),
        }
    }

    /// Returns the microseconds at the column's precision; halves are rounded up.
    fn rounded(&self, clock: Clock, losses: &mut LossSet) -> Result<i64, Reason> {
        let step = self.step();
        let surplus = clock.micros % step;
        if surplus == 0 && clock.beyond == Beyond::Nothing {
            return Ok(clock.micros);
        }
        if !self.round {
            return Err(Reason::ExcessPrecision);
        }
        losses.add(Loss::Round);
        let up = if step == 1 { clock.beyond == Beyond::Half } else { 2 * surplus >= step };
        Ok(clock.micros - surplus + if up { step } else { 0 })
    }

    fn date_only(&self, moment: Moment, beyond: bool, losses: &mut LossSet) -> Result<Cell<'static>, Reason> {
        if moment.micros != 0 || beyond {
            if !self.truncate {
                return Err(Reason::TimeInDate);
            }
            losses.add(Loss::Truncate);
        }
        date(moment.day)
    }

    fn local(&self, instant: Moment, losses: &mut LossSet) -> Result<Moment, Reason> {
        let zone = self.zone.unwrap_or(Zone::Fixed(0));
        let east = zone::at_instant(zone, instant.day, instant.micros / SECOND).ok_or(Reason::OutOfRange)?;
        self.doubt(instant, losses);
        Ok(instant.east(east))
    }

    /// Reads a number. It counts from 1970 in UTC; in a `time` column it counts from midnight.
    fn number(&self, raw: Raw<'_>, losses: &mut LossSet) -> Result<Cell<'static>, Reason> {
        let epoch = self.epoch.ok_or(Reason::NumberInTime)?;
        if matches!(raw, Raw::Real(value) if !value.is_finite()) {
            return Err(Reason::NotFinite);
        }
        if self.sort == TimeType::Time {
            let micros = match epoch {
                Epoch::Julian => return Err(Reason::NumberInTime),
                _ => self.counted(raw, epoch, self.precision, losses)?,
            };
            return if (0..=DAY).contains(&micros) { Ok(Cell::Time(micros)) } else { Err(Reason::OutOfRange) };
        }
        // A date truncates the time of day or refuses it; it never rounds it.
        let precision = if self.sort == TimeType::Date { 6 } else { self.precision };
        let micros = match epoch {
            Epoch::Julian => self.julian(raw, precision, losses)?,
            _ => self.counted(raw, epoch, precision, losses)?,
        };
        let instant = Moment::new(UNIX_DAY + micros.div_euclid(DAY), micros.rem_euclid(DAY));
        match self.sort {
            TimeType::Instant => stamp(instant),
            TimeType::Date => self.date_only(self.local(instant, losses)?, false, losses),
            TimeType::Local | TimeType::Time => stamp(self.local(instant, losses)?),
        }
    }

    /// Returns a count in the epoch's unit as microseconds, at the precision.
    fn counted(&self, raw: Raw<'_>, epoch: Epoch, precision: u8, losses: &mut LossSet) -> Result<i64, Reason> {
        let digits = match epoch {
            Epoch::Seconds | Epoch::Julian => 0,
            Epoch::Millis => 3,
            Epoch::Micros => 6,
            Epoch::Nanos => 9,
        };
        if let Raw::Integer(count) = raw
            && digits <= precision
        {
            return count.checked_mul(10i64.pow(6 - u32::from(digits))).ok_or(Reason::OutOfRange);
        }
        count(raw, digits, precision, self.round, losses)
    }

    /// Reads Julian days as SQLite does: to the nearest millisecond, within SQLite's own range.
    fn julian(&self, raw: Raw<'_>, precision: u8, losses: &mut LossSet) -> Result<i64, Reason> {
        let days = match raw {
            Raw::Real(value) => value,
            Raw::Integer(value) => value as f64,
            Raw::Text(text) => {
                let days = std::str::from_utf8(trimmed(text)).ok().and_then(|text| text.parse().ok());
                days.ok_or(Reason::NumberInTime)?
            }
            _ => return Err(Reason::NumberInTime),
        };
        if !(0.0..5_373_484.5).contains(&days) {
            return Err(Reason::OutOfRange);
        }
        const UNIX_MILLIS: i64 = 210_866_760_000_000;
        let millis = (days * 86_400_000.0 + 0.5) as i64 - UNIX_MILLIS;
        self.counted(Raw::Integer(millis), Epoch::Millis, precision, losses)
    }
}
