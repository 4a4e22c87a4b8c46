//! The reader of `interval`: months, days and microseconds, kept apart as the server does.
//!
//! Numbers need a unit from the mapping. Text is read as `H:MM:SS`, as durations of Python and .NET, as ISO 8601 and as
//! PostgreSQL prints intervals. A day of Python and .NET has 24 hours, so it becomes microseconds.

use super::cursor::{Cursor, number};
use super::moment::{count, is_count};
use crate::convert::decimal::{Decimal, trimmed};
use crate::model::cell::{Cell, Raw};
use crate::model::fault::{Loss, LossSet, Reason};
use crate::model::pgtype::IntervalField;
use crate::model::rules::Unit;
use crate::wire::calendar::{DAY, SECOND};

/// A column of intervals.
#[derive(Clone, Copy, Debug)]
pub struct IntervalReader {
    /// Digits of a second, 0 to 6.
    pub precision: u8,
    /// The smallest field of the column.
    pub least: IntervalField,
    /// The unit of a number.
    pub unit: Option<Unit>,
    /// Rounds digits of a second.
    pub round: bool,
}

/// The interval read so far. Time is counted in 10^-18 seconds, so that surplus digits are noticed.
#[derive(Clone, Copy, Default)]
struct IntervalSum {
    months: i64,
    days: i64,
    /// 10^-18 seconds.
    attos: i128,
}

const ATTOS: i128 = 1_000_000_000_000_000_000;
const MICRO: i128 = ATTOS / SECOND as i128;

impl IntervalReader {
    /// Reads a value that is not NULL.
    pub fn read(&self, raw: Raw<'_>, losses: &mut LossSet) -> Result<Cell<'static>, Reason> {
        self.held(self.whole(raw, losses)?)
    }

    /// Returns an interval that the column holds.
    ///
    /// # Errors
    /// If it has parts below the column's smallest field.
    pub fn held(&self, cell: Cell<'static>) -> Result<Cell<'static>, Reason> {
        if self.holds(&cell) { Ok(cell) } else { Err(Reason::IntervalFields) }
    }

    /// Returns true if nothing is smaller than the column's smallest field. The server would truncate it.
    fn holds(&self, cell: &Cell<'_>) -> bool {
        let Cell::Interval { months, days, micros } = cell else { return true };
        match self.least {
            IntervalField::Second => true,
            IntervalField::Minute => micros % (60 * SECOND) == 0,
            IntervalField::Hour => micros % (3600 * SECOND) == 0,
            IntervalField::Day => *micros == 0,
            IntervalField::Month => (*days, *micros) == (0, 0),
            IntervalField::Year => (months % 12, *days, *micros) == (0, 0, 0),
        }
    }

    fn whole(&self, raw: Raw<'_>, losses: &mut LossSet) -> Result<Cell<'static>, Reason> {
        match raw {
            Raw::Text(text) if self.unit.is_none() || !is_count(text) => {
                let sum = read(trimmed(text))?;
                self.cell(sum, losses)
            }
            Raw::Null | Raw::Blob(_) => Err(Reason::BlobInValue),
            Raw::Real(value) if !value.is_finite() => Err(Reason::NotFinite),
            number => {
                let digits = match self.unit.ok_or(Reason::NumberInInterval)? {
                    Unit::Seconds => 0,
                    Unit::Millis => 3,
                    Unit::Micros => 6,
                };
                let micros = count(number, digits, self.precision, self.round, losses)?;
                Ok(Cell::Interval { months: 0, days: 0, micros })
            }
        }
    }

    fn cell(&self, sum: IntervalSum, losses: &mut LossSet) -> Result<Cell<'static>, Reason> {
        let step = MICRO * 10i128.pow(6 - u32::from(self.precision.min(6)));
        let surplus = sum.attos % step;
        let mut attos = sum.attos - surplus;
        if surplus != 0 {
            if !self.round {
                return Err(Reason::ExcessPrecision);
            }
            losses.add(Loss::Round);
            if surplus.abs() * 2 >= step {
                attos += step * surplus.signum();
            }
        }
        let out = |_| Reason::OutOfRange;
        let months = i32::try_from(sum.months).map_err(out)?;
        let days = i32::try_from(sum.days).map_err(out)?;
        let micros = i64::try_from(attos / MICRO).map_err(out)?;
        // From version 17 on, the server reads these values as the infinities.
        match (months, days, micros) {
            (i32::MIN, i32::MIN, i64::MIN) | (i32::MAX, i32::MAX, i64::MAX) => Err(Reason::OutOfRange),
            (months, days, micros) => Ok(Cell::Interval { months, days, micros }),
        }
    }
}

fn read(text: &[u8]) -> Result<IntervalSum, Reason> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if let [b'P' | b'p', iso @ ..] = rest {
        let sum = iso_8601(iso)?;
        return Ok(if negative { sum.negated() } else { sum });
    }
    if let Some(sum) = python(text)? {
        return Ok(sum);
    }
    match dotnet(rest)? {
        Some(sum) => Ok(if negative { sum.negated() } else { sum }),
        None => postgres(text),
    }
}

impl IntervalSum {
    fn negated(self) -> IntervalSum {
        IntervalSum { months: -self.months, days: -self.days, attos: -self.attos }
    }

    /// Adds `amount` of a unit. Only hours, minutes and seconds may have a fraction.
    fn add(&mut self, amount: &Amount<'_>, unit: IntervalUnit) -> Result<(), Reason> {
        let (slot, times) = match unit {
            IntervalUnit::Year => (&mut self.months, 12),
            IntervalUnit::Month => (&mut self.months, 1),
            IntervalUnit::Week => (&mut self.days, 7),
            IntervalUnit::Day => (&mut self.days, 1),
            IntervalUnit::Hour => return self.add_time(amount, 3600),
            IntervalUnit::Minute => return self.add_time(amount, 60),
            IntervalUnit::Second => return self.add_time(amount, 1),
        };
        if !amount.fraction.is_empty() {
            return Err(Reason::NotAnInterval);
        }
        let whole = amount.whole().and_then(|whole| whole.checked_mul(times)).ok_or(Reason::OutOfRange)?;
        *slot = slot.checked_add(whole).ok_or(Reason::OutOfRange)?;
        Ok(())
    }

    fn add_time(&mut self, amount: &Amount<'_>, seconds: i128) -> Result<(), Reason> {
        let number = Decimal::from_parts(amount.negative, amount.whole, amount.fraction, 0);
        let (attos, changed) = number.scaled(18).ok_or(Reason::OutOfRange)?;
        if changed {
            return Err(Reason::ExcessPrecision);
        }
        let attos = attos.checked_mul(seconds).and_then(|attos| self.attos.checked_add(attos));
        self.attos = attos.ok_or(Reason::OutOfRange)?;
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq)]
enum IntervalUnit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

/// A number with its sign. A point must be followed by digits.
struct Amount<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
}

impl<'a> Amount<'a> {
    fn take(cursor: &mut Cursor<'a>) -> Option<Amount<'a>> {
        let negative = cursor.eat(b'-');
        if !negative {
            cursor.eat(b'+');
        }
        let whole = cursor.digits();
        let mut fraction = &[][..];
        if cursor.eat(b'.') {
            fraction = cursor.digits();
            if fraction.is_empty() {
                return None;
            }
        }
        (!whole.is_empty()).then_some(Amount { negative, whole, fraction })
    }

    fn whole(&self) -> Option<i64> {
        let size = number(self.whole)?;
        Some(if self.negative { -size } else { size })
    }
}

/// Reads `1Y2M3DT4H5M6.5S`, the text after the `P`. Each unit occurs at most once and in this order.
fn iso_8601(text: &[u8]) -> Result<IntervalSum, Reason> {
    const DATE_UNITS: [(u8, IntervalUnit); 4] = [
        (b'Y', IntervalUnit::Year),
        (b'M', IntervalUnit::Month),
        (b'W', IntervalUnit::Week),
        (b'D', IntervalUnit::Day),
    ];
    const TIME_UNITS: [(u8, IntervalUnit); 3] =
        [(b'H', IntervalUnit::Hour), (b'M', IntervalUnit::Minute), (b'S', IntervalUnit::Second)];
    let mut cursor = Cursor(text);
    let mut sum = IntervalSum::default();
    let mut units = &DATE_UNITS[..];
    let mut in_time = false;
    while !cursor.0.is_empty() {
        if !in_time && (cursor.eat(b'T') || cursor.eat(b't')) {
            (units, in_time) = (&TIME_UNITS, true);
        }
        let amount = Amount::take(&mut cursor).ok_or(Reason::NotAnInterval)?;
        let letter = cursor.0.first().ok_or(Reason::NotAnInterval)?.to_ascii_uppercase();
        let at = units.iter().position(|(unit, _)| *unit == letter).ok_or(Reason::NotAnInterval)?;
        cursor.0 = &cursor.0[1..];
        sum.add(&amount, units[at].1)?;
        units = &units[at + 1..];
    }
    if text.is_empty() { Err(Reason::NotAnInterval) } else { Ok(sum) }
}

/// Reads Python's `str(timedelta)`: `-1 day, 23:59:59`, with a day of 24 hours. `None` if the text has no comma.
fn python(text: &[u8]) -> Result<Option<IntervalSum>, Reason> {
    let Some(comma) = text.iter().position(|byte| *byte == b',') else { return Ok(None) };
    let mut cursor = Cursor(&text[..comma]);
    let days = Amount::take(&mut cursor).filter(|days| days.fraction.is_empty()).ok_or(Reason::NotAnInterval)?;
    if !(cursor.eat_word(" days") || cursor.eat_word(" day")) || !cursor.0.is_empty() {
        return Err(Reason::NotAnInterval);
    }
    let [b' ', clock @ ..] = &text[comma + 1..] else { return Err(Reason::NotAnInterval) };
    let mut sum = clock_sum(clock, true)?.ok_or(Reason::NotAnInterval)?;
    sum.attos += full_days(days.whole())?;
    Ok(Some(sum))
}

/// Reads .NET's `TimeSpan`, `[d.]hh:mm:ss[.fffffff]`, with a day of 24 hours, and any other `H:MM:SS`.
fn dotnet(text: &[u8]) -> Result<Option<IntervalSum>, Reason> {
    let mut cursor = Cursor(text);
    let days = cursor.digits();
    if days.is_empty() || !cursor.eat(b'.') || !matches!(cursor.0, [_, _, b':', ..]) {
        return clock_sum(text, false);
    }
    let Some(mut sum) = clock_sum(cursor.0, true)? else { return Ok(None) };
    sum.attos += full_days(number(days))?;
    Ok(Some(sum))
}

fn full_days(days: Option<i64>) -> Result<i128, Reason> {
    let days = days.filter(|days| days.abs() < 1_000_000_000).ok_or(Reason::OutOfRange)?;
    Ok(i128::from(days) * i128::from(DAY) * MICRO)
}

/// Reads `H:MM:SS[.f]` without a sign. `None` for another shape. With `of_day` it must be less than 24 hours.
fn clock_sum(text: &[u8], of_day: bool) -> Result<Option<IntervalSum>, Reason> {
    let mut cursor = Cursor(text);
    let whole = cursor.digits();
    if whole.is_empty() || !cursor.eat(b':') {
        return Ok(None);
    }
    let minutes = cursor.two().filter(|_| cursor.eat(b':')).ok_or(Reason::NotAnInterval)?;
    let second = Amount::take(&mut cursor).filter(|second| second.whole.len() == 2).ok_or(Reason::NotAnInterval)?;
    let too_much =
        minutes > 59 || second.whole() > Some(59) || (of_day && number(whole).is_none_or(|hours| hours > 23));
    if !cursor.0.is_empty() || too_much {
        return Err(Reason::NotAnInterval);
    }
    let mut sum = IntervalSum::default();
    sum.add(&Amount { negative: false, whole, fraction: &[] }, IntervalUnit::Hour)?;
    sum.attos += i128::from(minutes) * 60 * ATTOS;
    sum.add(&second, IntervalUnit::Second)?;
    Ok(Some(sum))
}

/// Reads what the server prints: `1 year 2 mons -3 days +04:05:06.789`, and the same with other units in words.
fn postgres(text: &[u8]) -> Result<IntervalSum, Reason> {
    const WORDS: [(&str, IntervalUnit); 16] = [
        ("years", IntervalUnit::Year),
        ("year", IntervalUnit::Year),
        ("mons", IntervalUnit::Month),
        ("mon", IntervalUnit::Month),
        ("months", IntervalUnit::Month),
        ("month", IntervalUnit::Month),
        ("weeks", IntervalUnit::Week),
        ("week", IntervalUnit::Week),
        ("days", IntervalUnit::Day),
        ("day", IntervalUnit::Day),
        ("hours", IntervalUnit::Hour),
        ("hour", IntervalUnit::Hour),
        ("minutes", IntervalUnit::Minute),
        ("minute", IntervalUnit::Minute),
        ("seconds", IntervalUnit::Second),
        ("second", IntervalUnit::Second),
    ];
    let mut sum = IntervalSum::default();
    let mut words = text.split(|byte| *byte == b' ');
    let mut some = false;
    while let Some(word) = words.next() {
        some = true;
        let (negative, unsigned) = match word {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, word),
        };
        if let Some(clock) = clock_sum(unsigned, false)? {
            sum.attos += if negative { -clock.attos } else { clock.attos };
            if words.next().is_some() {
                return Err(Reason::NotAnInterval);
            }
            return Ok(sum);
        }
        let mut cursor = Cursor(word);
        let amount = Amount::take(&mut cursor).filter(|_| cursor.0.is_empty()).ok_or(Reason::NotAnInterval)?;
        let unit = words.next().ok_or(Reason::NotAnInterval)?;
        let found = WORDS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name.as_bytes()));
        sum.add(&amount, found.ok_or(Reason::NotAnInterval)?.1)?;
    }
    if some { Ok(sum) } else { Err(Reason::NotAnInterval) }
}
