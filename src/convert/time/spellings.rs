//! The built-in spellings of dates and times in digits: ISO 8601 with its extended years, as SQLite, PostgreSQL, Python,
//! Rails, Go and .NET write it.
//!
//! This file only recognises the spelling. The caller applies the column's zone, precision and range. Spellings with
//! names of months are in `names`, those that a mapping defines in `format`.

use super::cursor::{Cursor, WrittenTime};
use super::names;
use crate::convert::decimal::trimmed;
use crate::model::fault::Reason;
use crate::wire::calendar::{self, DAY, SECOND};

/// Reads any built-in spelling. Faults: `NotATime`, `NoSuchDate`, `LeapSecond`, `SpecialTime`, `OutOfRange`.
pub fn read(text: &[u8]) -> Result<WrittenTime, Reason> {
    let text = trimmed(text);
    let mut cursor = Cursor(text);
    match text {
        [b'0'..=b'9', b'0'..=b'9', b':', ..] => {
            let clock = Some(cursor.clock()?);
            let tail = cursor.tail()?;
            cursor.end(WrittenTime { clock, ..tail })
        }
        [b'+' | b'-', b'I' | b'i', ..] => names::read(text),
        [_, _, b' ', b'A'..=b'Z' | b'a'..=b'z', ..] | [_, b' ', b'A'..=b'Z' | b'a'..=b'z', ..] => names::read(text),
        [b'0'..=b'9' | b'+' | b'-', ..] => numbers(text),
        [] => Err(Reason::NotATime),
        _ => names::read(text),
    }
}

fn numbers(text: &[u8]) -> Result<WrittenTime, Reason> {
    let (text, before_christ) = match text {
        [rest @ .., b' ', b'B' | b'b', b'C' | b'c'] => (rest, true),
        [rest @ .., b' ', b'A' | b'a', b'D' | b'd'] => (rest, false),
        _ => (text, false),
    };
    let mut cursor = Cursor(text);
    let basic = cursor.basic_date();
    let colons = basic.is_none();
    let day = match basic {
        Some(day) => day?,
        None => cursor.date(before_christ)?,
    };
    if cursor.0.is_empty() {
        return Ok(WrittenTime { day: Some(day), ..WrittenTime::default() });
    }
    if !(cursor.eat(b'T') || cursor.eat(b' ') || cursor.eat(b't')) {
        return Err(Reason::NotATime);
    }
    let clock = Some(if colons { cursor.clock()? } else { cursor.basic_clock()? });
    let tail = cursor.tail()?;
    cursor.end(WrittenTime { day: Some(day), clock, ..tail })
}

/// Formats microseconds since 2000-01-01 UTC as `2024-01-31T12:34:56.123456Z`.
pub fn iso(micros: i64) -> String {
    let (year, month, day) = calendar::date(micros.div_euclid(DAY));
    let of_day = micros.rem_euclid(DAY);
    let second = of_day / SECOND;
    let (hour, minute, fraction) = (second / 3600, second / 60 % 60, of_day % SECOND);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}.{fraction:06}Z", second % 60)
}
