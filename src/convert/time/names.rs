//! Spellings of dates and times with names: JavaScript's `toString`, RFC 2822 and HTTP dates. Also the words whose
//! meaning depends on when they are read.
//!
//! A weekday that contradicts the date is a fault.

use super::cursor::{Cursor, WrittenTime, day_of, number};
use crate::model::fault::Reason;
use crate::wire::calendar;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
/// Words that PostgreSQL reads as moments, most of them as a different one each day.
const SPECIAL: [&str; 10] =
    ["now", "today", "tomorrow", "yesterday", "epoch", "allballs", "infinity", "-infinity", "+infinity", "current"];
/// The zone names that RFC 2822, section 4.3, defines, and their hours.
const NAMES: [(&str, i64); 11] = [
    ("UTC", 0),
    ("GMT", 0),
    ("UT", 0),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
];

/// Returns true if the whole text is a word for a moment, in any case.
pub(super) fn is_special(text: &[u8]) -> bool {
    SPECIAL.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()))
}

/// Reads `Thu Mar 02 2023 15:04:05 GMT+0100 (CET)` and `Thu, 02 Mar 2023 15:04:05 GMT`, either without its time.
pub(super) fn read(text: &[u8]) -> Result<WrittenTime, Reason> {
    if is_special(text) {
        return Err(Reason::SpecialTime);
    }
    let mut cursor = Cursor(text);
    let weekday = index(&mut cursor, &DAYS);
    let comma = weekday.is_some() && cursor.eat(b',');
    if weekday.is_some() && !cursor.eat(b' ') {
        return Err(Reason::NotATime);
    }
    let written = if weekday.is_some() && !comma { javascript(&mut cursor)? } else { rfc2822(&mut cursor)? };
    if let (Some(weekday), Some(day)) = (weekday, written.day)
        && calendar::weekday(day) != weekday
    {
        return Err(Reason::NoSuchDate);
    }
    Ok(written)
}

/// Takes an English month name, short or long, in any case. Returns 1 to 12.
pub(super) fn month(cursor: &mut Cursor<'_>) -> Option<i64> {
    let at = index(cursor, &MONTHS)?;
    let rest = ["uary", "ruary", "ch", "il", "", "e", "y", "ust", "tember", "ober", "ember", "ember"];
    cursor.eat_word(rest.get(at as usize)?);
    Some(at + 1)
}

/// Takes an English weekday name, short or long, in any case. Returns 0 for Sunday.
pub(super) fn weekday(cursor: &mut Cursor<'_>) -> Option<i64> {
    let at = index(cursor, &DAYS)?;
    let rest = ["day", "day", "sday", "nesday", "rsday", "day", "urday"];
    cursor.eat_word(rest.get(at as usize)?);
    Some(at)
}

fn index(cursor: &mut Cursor<'_>, names: &[&str]) -> Option<i64> {
    names.iter().position(|name| cursor.eat_word(name)).map(|at| at as i64)
}

fn year(cursor: &mut Cursor<'_>) -> Result<i64, Reason> {
    let digits = cursor.digits();
    if digits.len() < 4 {
        return Err(Reason::NotATime);
    }
    match number(digits) {
        Some(0) => Err(Reason::NoSuchDate),
        Some(year) => Ok(year),
        None => Err(Reason::OutOfRange),
    }
}

fn must(taken: bool) -> Result<(), Reason> {
    if taken { Ok(()) } else { Err(Reason::NotATime) }
}

/// Reads `Mar 02 2023[ 15:04:05[ GMT+0100[ (Central European Standard Time)]]]`. The sign is that of ISO, not of POSIX.
fn javascript(cursor: &mut Cursor<'_>) -> Result<WrittenTime, Reason> {
    let month = index(cursor, &MONTHS).ok_or(Reason::NotATime)? + 1;
    must(cursor.eat(b' '))?;
    let of_month = cursor.two().ok_or(Reason::NotATime)?;
    must(cursor.eat(b' '))?;
    let day = Some(day_of(year(cursor)?, month, of_month)?);
    if cursor.0.is_empty() {
        return Ok(WrittenTime { day, ..WrittenTime::default() });
    }
    must(cursor.eat(b' '))?;
    let clock = Some(cursor.clock()?);
    if cursor.0.is_empty() {
        return Ok(WrittenTime { day, clock, offset: None });
    }
    must(cursor.eat_word(" GMT") || cursor.eat_word(" UTC"))?;
    let offset = if matches!(cursor.0, [b'+' | b'-', ..]) { cursor.offset()? } else { 0 };
    comment(cursor);
    cursor.end(WrittenTime { day, clock, offset: Some(offset) })
}

/// Reads `02 Mar 2023[ 15:04[:05][ GMT]]`, with an offset in digits or one of the names that the RFC defines.
fn rfc2822(cursor: &mut Cursor<'_>) -> Result<WrittenTime, Reason> {
    let of_month = match cursor.digits() {
        digits @ ([_] | [_, _]) => number(digits).ok_or(Reason::NotATime)?,
        _ => return Err(Reason::NotATime),
    };
    must(cursor.eat(b' '))?;
    let month = index(cursor, &MONTHS).ok_or(Reason::NotATime)? + 1;
    must(cursor.eat(b' '))?;
    let day = Some(day_of(year(cursor)?, month, of_month)?);
    if cursor.0.is_empty() {
        return Ok(WrittenTime { day, ..WrittenTime::default() });
    }
    must(cursor.eat(b' '))?;
    let clock = Some(cursor.clock()?);
    if cursor.0.is_empty() {
        return Ok(WrittenTime { day, clock, offset: None });
    }
    must(cursor.eat(b' '))?;
    let named = NAMES.iter().find(|(name, _)| cursor.eat_word(name));
    let offset = match named {
        Some((_, hours)) => hours * 3600,
        None => cursor.offset()?,
    };
    comment(cursor);
    cursor.end(WrittenTime { day, clock, offset: Some(offset) })
}

/// Takes a zone's long name in parentheses, which adds nothing to the offset.
fn comment(cursor: &mut Cursor<'_>) {
    if let [b' ', b'(', inner @ .., b')'] = cursor.0
        && !inner.contains(&b')')
    {
        cursor.0 = &[];
    }
}
