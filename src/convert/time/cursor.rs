//! The parts of a written date or time, taken one by one from the front of a text.
//!
//! These parts are common to all spellings. A part that is malformed is a fault; no part is guessed.

use crate::model::fault::Reason;
use crate::wire::calendar::{self, DAY, SECOND};

/// The parts of a written date or time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WrittenTime {
    /// Days since 2000-01-01.
    pub day: Option<i64>,
    /// The time of day.
    pub clock: Option<Clock>,
    /// Seconds east of UTC.
    pub offset: Option<i64>,
}

/// A time of day.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Clock {
    /// Microseconds since midnight, up to and including 24:00:00.
    pub micros: i64,
    /// The digits after the microseconds.
    pub beyond: Beyond,
}

/// The digits of a second after the sixth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Beyond {
    /// No digits, or zeros.
    #[default]
    Nothing,
    /// Less than half a microsecond.
    Less,
    /// Half a microsecond or more.
    Half,
}

/// The part of a text that is still to be read.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    /// Takes one byte if it equals `byte`.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        match self.0 {
            [first, rest @ ..] if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// Takes a word, in any case.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        match self.0.split_at_checked(word.len()) {
            Some((first, rest)) if first.eq_ignore_ascii_case(word.as_bytes()) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// Takes two digits.
    pub(super) fn two(&mut self) -> Option<i64> {
        match self.0 {
            [a @ b'0'..=b'9', b @ b'0'..=b'9', rest @ ..] => {
                self.0 = rest;
                Some(i64::from(a - b'0') * 10 + i64::from(b - b'0'))
            }
            _ => None,
        }
    }

    /// Takes all digits that follow.
    pub(super) fn digits(&mut self) -> &'a [u8] {
        let (digits, rest) = self.0.split_at(self.0.iter().take_while(|b| b.is_ascii_digit()).count());
        self.0 = rest;
        digits
    }

    /// Returns what was read, if the text ends.
    pub(super) fn end(&self, written: WrittenTime) -> Result<WrittenTime, Reason> {
        if self.0.is_empty() { Ok(written) } else { Err(Reason::NotATime) }
    }

    /// Takes `20230302` if a `T` and a time follow. Digits alone may be any number.
    pub(super) fn basic_date(&mut self) -> Option<Result<i64, Reason>> {
        if self.0.get(8) != Some(&b'T') || !self.0[..8].iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut two = || self.two();
        let (century, year, month, day) = (two()?, two()?, two()?, two()?);
        Some(day_of(century * 100 + year, month, day))
    }

    /// Takes `2023-03-02`, `12024-01-01`, `+012024-01-01`, `-0044-03-15` (45 BC), or one of PostgreSQL's years BC.
    pub(super) fn date(&mut self, before_christ: bool) -> Result<i64, Reason> {
        let sign = if self.eat(b'-') { -1 } else { i64::from(self.eat(b'+')) };
        let year = self.digits();
        let mut part = || if self.eat(b'-') { self.two() } else { None };
        let (Some(month), Some(day)) = (part(), part()) else {
            return Err(Reason::NotATime);
        };
        if year.len() < 4 || self.0.first().is_some_and(u8::is_ascii_digit) || (sign != 0 && before_christ) {
            return Err(Reason::NotATime);
        }
        let year = number(year).ok_or(Reason::OutOfRange)?;
        match year {
            // A written year of zero is a missing date ('0000-00-00'), not 1 BC.
            0 => Err(Reason::NoSuchDate),
            _ if before_christ => day_of(1 - year, month, day),
            _ if sign < 0 => day_of(-year, month, day),
            _ => day_of(year, month, day),
        }
    }

    /// Takes `15:04`, `15:04:05` or `15:04:05.999999999`.
    pub(super) fn clock(&mut self) -> Result<Clock, Reason> {
        let hour = self.two().ok_or(Reason::NotATime)?;
        if !self.eat(b':') {
            return Err(Reason::NotATime);
        }
        let minute = self.two().ok_or(Reason::NotATime)?;
        let more = self.eat(b':');
        self.seconds(hour, minute, more)
    }

    /// Takes `1504`, `150405` or `150405.999999999`.
    pub(super) fn basic_clock(&mut self) -> Result<Clock, Reason> {
        let hour = self.two().ok_or(Reason::NotATime)?;
        let minute = self.two().ok_or(Reason::NotATime)?;
        let more = self.0.first().is_some_and(u8::is_ascii_digit);
        self.seconds(hour, minute, more)
    }

    fn seconds(&mut self, hour: i64, minute: i64, more: bool) -> Result<Clock, Reason> {
        let second = if more { self.two().ok_or(Reason::NotATime)? } else { 0 };
        let mut clock = clock_of(hour, minute, second);
        if more && (self.eat(b'.') || self.eat(b',')) {
            let digits = self.digits();
            if digits.is_empty() {
                return Err(Reason::NotATime);
            }
            clock = clock.and_then(|clock| with_fraction(clock, digits));
        }
        if self.0.first().is_some_and(u8::is_ascii_digit) { Err(Reason::NotATime) } else { clock }
    }

    /// Takes what may follow a time: `Z`, ` UTC`, ` GMT` or an offset. An offset may be followed by Go's zone name and
    /// clock reading.
    pub(super) fn tail(&mut self) -> Result<WrittenTime, Reason> {
        if self.0.is_empty() {
            return Ok(WrittenTime::default());
        }
        let apart = self.eat(b' ');
        if self.eat(b'Z') || self.eat(b'z') || self.eat_word("UTC") || self.eat_word("GMT") {
            return Ok(WrittenTime { offset: Some(0), ..WrittenTime::default() });
        }
        let offset = self.offset()?;
        if apart && self.eat(b' ') {
            self.go_name()?;
        }
        Ok(WrittenTime { offset: Some(offset), ..WrittenTime::default() })
    }

    /// Takes `+05:30`, `-0800`, `+01` or `+00:53:28` and returns seconds east of UTC.
    pub(super) fn offset(&mut self) -> Result<i64, Reason> {
        let sign = match (self.eat(b'-'), self.eat(b'+')) {
            (true, false) => -1,
            (false, true) => 1,
            _ => return Err(Reason::NotATime),
        };
        let hours = self.two().ok_or(Reason::NotATime)?;
        let colon = self.eat(b':');
        let minutes = match self.two() {
            Some(minutes) => minutes,
            None if colon => return Err(Reason::NotATime),
            None => 0,
        };
        let seconds = if colon && self.eat(b':') { self.two().ok_or(Reason::NotATime)? } else { 0 };
        if self.0.first().is_some_and(u8::is_ascii_digit) {
            return Err(Reason::NotATime);
        }
        if hours > 15 || minutes > 59 || seconds > 59 {
            return Err(Reason::NoSuchDate);
        }
        Ok(sign * (hours * 3600 + minutes * 60 + seconds))
    }

    /// Takes the suffix of Go's `time.String()`: the zone again, as name or digits, and optionally a reading of the
    /// monotonic clock, `m=+0.012`.
    fn go_name(&mut self) -> Result<(), Reason> {
        if !self.0.starts_with(b"m=") {
            let signed = self.eat(b'+') || self.eat(b'-');
            let wanted = |b: &&u8| if signed { b.is_ascii_digit() } else { b.is_ascii_alphabetic() };
            let count = self.0.iter().take_while(wanted).count();
            if count < 2 {
                return Err(Reason::NotATime);
            }
            self.0 = &self.0[count..];
            if self.0.is_empty() {
                return Ok(());
            }
            if !self.eat(b' ') {
                return Err(Reason::NotATime);
            }
        }
        if !self.eat_word("m=") || !(self.eat(b'+') || self.eat(b'-')) || self.digits().is_empty() {
            return Err(Reason::NotATime);
        }
        if self.eat(b'.') && self.digits().is_empty() { Err(Reason::NotATime) } else { Ok(()) }
    }
}

/// Returns up to 18 digits as a number.
pub(super) fn number(digits: &[u8]) -> Option<i64> {
    (digits.len() <= 18).then(|| digits.iter().fold(0, |value, b| value * 10 + i64::from(b - b'0')))
}

/// Returns the day of a date. A year beyond every type is out of range; other impossible dates do not exist.
pub(super) fn day_of(year: i64, month: i64, day: i64) -> Result<i64, Reason> {
    if year.abs() > 10_000_000 {
        return Err(Reason::OutOfRange);
    }
    calendar::day(year, month as u32, day as u32).ok_or(Reason::NoSuchDate)
}

/// Returns a time of day. 24:00:00 is valid, 24:00:01 is not.
pub(super) fn clock_of(hour: i64, minute: i64, second: i64) -> Result<Clock, Reason> {
    let micros = (hour * 3600 + minute * 60 + second) * SECOND;
    if hour <= 24 && minute <= 59 && second == 60 {
        return Err(Reason::LeapSecond);
    }
    if hour > 24 || minute > 59 || second > 59 || micros > DAY {
        return Err(Reason::NoSuchDate);
    }
    Ok(Clock { micros, beyond: Beyond::Nothing })
}

/// Adds the digits after the point of a second; there is at least one.
pub(super) fn with_fraction(mut clock: Clock, digits: &[u8]) -> Result<Clock, Reason> {
    let mut unit = SECOND;
    for digit in digits.iter().take(6) {
        unit /= 10;
        clock.micros += i64::from(digit - b'0') * unit;
    }
    if let Some(surplus) = digits.get(6..)
        && surplus.iter().any(|digit| *digit != b'0')
    {
        clock.beyond = if surplus[0] >= b'5' { Beyond::Half } else { Beyond::Less };
    }
    if clock.micros > DAY || (clock.micros == DAY && clock.beyond != Beyond::Nothing) {
        return Err(Reason::NoSuchDate);
    }
    Ok(clock)
}
