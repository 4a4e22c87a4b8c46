//! Moments on the time line: a day and the microseconds of that day, and numbers that count time.

use crate::convert::decimal::{Literal, integer_text, shortest, trimmed};
use crate::convert::numeric::is_noise;
use crate::model::cell::{Cell, Raw};
use crate::model::fault::{Loss, LossSet, Reason};
use crate::wire::calendar::{DAY, FIRST_DAY, LAST_DAY, LAST_STAMP_DAY, SECOND};

/// A day since 2000-01-01 and the microseconds since its midnight, less than a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    pub day: i64,
    pub micros: i64,
}

impl Moment {
    pub(super) fn new(day: i64, micros: i64) -> Moment {
        Moment { day: day + micros.div_euclid(DAY), micros: micros.rem_euclid(DAY) }
    }

    pub(super) fn east(self, seconds: i64) -> Moment {
        Moment::new(self.day, self.micros + seconds * SECOND)
    }
}

/// Returns a number in units of `10^-digits` seconds as microseconds, with at most `precision` digits of a second. A
/// double's surplus digits are noise if rounding changes the double by no more than noise.
pub(super) fn count(raw: Raw<'_>, digits: u8, precision: u8, round: bool, losses: &mut LossSet) -> Result<i64, Reason> {
    let made;
    let text = match raw {
        Raw::Text(digits) => digits,
        Raw::Real(value) => {
            made = shortest(value);
            made.as_bytes()
        }
        Raw::Integer(value) => {
            made = integer_text(value);
            made.as_bytes()
        }
        _ => return Err(Reason::NotANumber),
    };
    let Some(Literal::Number(number)) = Literal::parse(text) else {
        return Err(Reason::NotANumber);
    };
    let shift = i64::from(precision) - i64::from(digits);
    let (value, changed) = number.scaled(shift).ok_or(Reason::OutOfRange)?;
    if changed {
        match raw {
            Raw::Real(real) if is_noise(real.abs(), &number, shift) => losses.add(Loss::FloatNoise),
            _ if round => losses.add(Loss::Round),
            _ => return Err(Reason::ExcessPrecision),
        }
    }
    let micros = value.checked_mul(10i128.pow(6 - u32::from(precision.min(6))));
    micros.and_then(|micros| i64::try_from(micros).ok()).ok_or(Reason::OutOfRange)
}

/// Returns true for the digits of a number, with an optional sign and decimals: a column of TEXT affinity stores a number so.
pub(super) fn is_count(text: &[u8]) -> bool {
    let text = trimmed(text);
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let points = digits.iter().filter(|byte| **byte == b'.').count();
    digits.first().is_some_and(u8::is_ascii_digit)
        && points <= 1
        && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

pub(super) fn date(day: i64) -> Result<Cell<'static>, Reason> {
    if !(FIRST_DAY..=LAST_DAY).contains(&day) {
        return Err(Reason::OutOfRange);
    }
    i32::try_from(day).map(Cell::Date).map_err(|_| Reason::OutOfRange)
}

pub(super) fn stamp(moment: Moment) -> Result<Cell<'static>, Reason> {
    if !(FIRST_DAY..=LAST_STAMP_DAY).contains(&moment.day) {
        return Err(Reason::OutOfRange);
    }
    Ok(Cell::Timestamp(moment.day * DAY + moment.micros))
}
