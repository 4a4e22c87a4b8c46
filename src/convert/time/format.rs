//! Spellings of dates and times that a mapping defines with the letters of strftime, such as `%d/%m/%Y %H:%M`.
//!
//! Fields are read as numbers and English names, independent of any locale. The letters have their meaning of Python
//! and C: `%Y %y %m %d %e %H %I %M %S %p %b %B %a %A %j %z %f %F %T %D %R %%`. `%f` is the digits of a fraction
//! (`%S.%f`), `%y` is 1969 to 2068. White space matches one or more blanks; any other character matches itself.

use super::cursor::{Clock, Cursor, WrittenTime, clock_of, day_of, number, with_fraction};
use super::names;
use crate::model::fault::Reason;
use crate::wire::calendar;

/// A parsed format.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TimeFormat {
    items: Vec<FormatItem>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum FormatItem {
    Byte(u8),
    Blanks,
    Year,
    ShortYear,
    Month,
    MonthName,
    Day,
    DayOfYear,
    Weekday,
    Hour,
    Hour12,
    Minute,
    Second,
    Fraction,
    Half,
    Offset,
}

/// The fields found in one text.
#[derive(Clone, Copy, Default)]
struct FormatFields<'a> {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    weekday: Option<i64>,
    hour: Option<i64>,
    hour12: Option<i64>,
    afternoon: Option<bool>,
    minute: Option<i64>,
    second: Option<i64>,
    fraction: &'a [u8],
    offset: Option<i64>,
}

impl TimeFormat {
    /// Parses a format. The error names an unknown letter, or fields that make neither a date nor a time.
    pub(super) fn parse(text: &str) -> Result<TimeFormat, String> {
        let mut items = Vec::new();
        let mut letters = text.bytes();
        while let Some(byte) = letters.next() {
            match byte {
                b'%' => {
                    let letter = letters.next().ok_or("it ends in `%`")?;
                    let found = letter_items(letter);
                    items.extend(found.ok_or_else(|| format!("`%{}` is not known", char::from(letter)))?);
                }
                b' ' | b'\t' if items.last() == Some(&FormatItem::Blanks) => {}
                b' ' | b'\t' => items.push(FormatItem::Blanks),
                other => items.push(FormatItem::Byte(other)),
            }
        }
        let format = TimeFormat { items };
        format.whole()?;
        Ok(format)
    }

    fn whole(&self) -> Result<(), String> {
        let has = |item| self.items.contains(&item);
        let year = has(FormatItem::Year) || has(FormatItem::ShortYear);
        let day = (has(FormatItem::Month) || has(FormatItem::MonthName)) && has(FormatItem::Day)
            || has(FormatItem::DayOfYear);
        let part =
            has(FormatItem::Month) || has(FormatItem::MonthName) || has(FormatItem::Day) || has(FormatItem::DayOfYear);
        let hour = has(FormatItem::Hour) || (has(FormatItem::Hour12) && has(FormatItem::Half));
        let finer =
            has(FormatItem::Minute) || has(FormatItem::Second) || has(FormatItem::Hour12) || has(FormatItem::Half);
        if (year || part) && !(year && day) {
            return Err("a date needs year, month and day".into());
        }
        if finer && !hour {
            return Err("a time needs `%H`, or `%I` and `%p`".into());
        }
        if (has(FormatItem::Second) && !has(FormatItem::Minute))
            || (has(FormatItem::Fraction) && !has(FormatItem::Second))
        {
            return Err("a part of a time is left out between two others".into());
        }
        if year || hour { Ok(()) } else { Err("it names neither a date nor a time".into()) }
    }

    /// Reads a whole text. `NotATime` if the text has another shape.
    pub(super) fn read(&self, text: &[u8]) -> Result<WrittenTime, Reason> {
        let mut cursor = Cursor(text);
        let mut fields = FormatFields::default();
        for item in &self.items {
            fields.take(*item, &mut cursor).ok_or(Reason::NotATime)?;
        }
        if !cursor.0.is_empty() {
            return Err(Reason::NotATime);
        }
        Ok(WrittenTime { day: fields.date()?, clock: fields.clock()?, offset: fields.offset })
    }
}

fn letter_items(letter: u8) -> Option<&'static [FormatItem]> {
    Some(match letter {
        b'Y' => &[FormatItem::Year],
        b'y' => &[FormatItem::ShortYear],
        b'm' => &[FormatItem::Month],
        b'b' | b'B' | b'h' => &[FormatItem::MonthName],
        b'd' | b'e' => &[FormatItem::Day],
        b'j' => &[FormatItem::DayOfYear],
        b'a' | b'A' => &[FormatItem::Weekday],
        b'H' => &[FormatItem::Hour],
        b'I' => &[FormatItem::Hour12],
        b'M' => &[FormatItem::Minute],
        b'S' => &[FormatItem::Second],
        b'f' => &[FormatItem::Fraction],
        b'p' | b'P' => &[FormatItem::Half],
        b'z' => &[FormatItem::Offset],
        b'%' => &[FormatItem::Byte(b'%')],
        b'F' => &[FormatItem::Year, FormatItem::Byte(b'-'), FormatItem::Month, FormatItem::Byte(b'-'), FormatItem::Day],
        b'D' => {
            &[FormatItem::Month, FormatItem::Byte(b'/'), FormatItem::Day, FormatItem::Byte(b'/'), FormatItem::ShortYear]
        }
        b'T' => {
            &[FormatItem::Hour, FormatItem::Byte(b':'), FormatItem::Minute, FormatItem::Byte(b':'), FormatItem::Second]
        }
        b'R' => &[FormatItem::Hour, FormatItem::Byte(b':'), FormatItem::Minute],
        _ => return None,
    })
}

/// Takes up to `most` digits.
fn some_digits(cursor: &mut Cursor<'_>, most: usize) -> Option<i64> {
    let count = cursor.0.iter().take(most).take_while(|b| b.is_ascii_digit()).count();
    let (digits, rest) = cursor.0.split_at(count);
    cursor.0 = rest;
    if digits.is_empty() { None } else { number(digits) }
}

impl<'a> FormatFields<'a> {
    fn take(&mut self, item: FormatItem, cursor: &mut Cursor<'a>) -> Option<()> {
        match item {
            FormatItem::Byte(byte) => return cursor.eat(byte).then_some(()),
            FormatItem::Blanks => {
                let blanks = cursor.0.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
                cursor.0 = &cursor.0[blanks..];
                return (blanks > 0).then_some(());
            }
            FormatItem::Year => self.year = Some(four(cursor)?),
            FormatItem::ShortYear => {
                self.year = Some(cursor.two().map(|year| if year < 69 { 2000 + year } else { 1900 + year })?)
            }
            FormatItem::Month => self.month = Some(some_digits(cursor, 2)?),
            FormatItem::MonthName => self.month = Some(names::month(cursor)?),
            FormatItem::Day => {
                // `%e` pads with a blank.
                cursor.eat(b' ');
                self.day = Some(some_digits(cursor, 2)?);
            }
            FormatItem::DayOfYear => self.day_of_year = Some(some_digits(cursor, 3)?),
            FormatItem::Weekday => self.weekday = Some(names::weekday(cursor)?),
            FormatItem::Hour => self.hour = Some(some_digits(cursor, 2)?),
            FormatItem::Hour12 => self.hour12 = Some(some_digits(cursor, 2)?),
            FormatItem::Minute => self.minute = Some(some_digits(cursor, 2)?),
            FormatItem::Second => self.second = Some(some_digits(cursor, 2)?),
            FormatItem::Fraction => {
                self.fraction = cursor.digits();
                return (!self.fraction.is_empty()).then_some(());
            }
            FormatItem::Half => self.afternoon = Some(half(cursor)?),
            FormatItem::Offset => self.offset = Some(if cursor.eat(b'Z') { 0 } else { cursor.offset().ok()? }),
        }
        Some(())
    }

    fn date(&self) -> Result<Option<i64>, Reason> {
        let Some(year) = self.year else { return Ok(None) };
        let day = match (self.month, self.day, self.day_of_year) {
            (Some(month), Some(day), _) => day_of(year, month, day)?,
            (_, _, Some(of_year)) => day_of(year, 1, 1)? + of_year - 1,
            _ => return Err(Reason::NotATime),
        };
        // Redundant fields must agree with each other.
        let of_year =
            self.day_of_year.is_none_or(|of_year| day_of(year, 1, 1).is_ok_and(|first| first + of_year - 1 == day));
        let weekday = self.weekday.is_none_or(|weekday| calendar::weekday(day) == weekday);
        let exists = year != 0 && of_year && weekday && calendar::date(day).0 == year;
        if exists { Ok(Some(day)) } else { Err(Reason::NoSuchDate) }
    }

    fn clock(&self) -> Result<Option<Clock>, Reason> {
        let hour = match (self.hour, self.hour12, self.afternoon) {
            (hour, Some(hour12 @ 1..=12), Some(afternoon)) => {
                let meant = hour12 % 12 + if afternoon { 12 } else { 0 };
                if hour.is_some_and(|hour| hour != meant) {
                    return Err(Reason::NoSuchDate);
                }
                meant
            }
            (Some(hour), None, None) => hour,
            (Some(hour), None, Some(afternoon)) if (hour >= 12) == afternoon => hour,
            (None, None, None) => return Ok(None),
            _ => return Err(Reason::NoSuchDate),
        };
        let clock = clock_of(hour, self.minute.unwrap_or(0), self.second.unwrap_or(0))?;
        if self.fraction.is_empty() { Ok(Some(clock)) } else { with_fraction(clock, self.fraction).map(Some) }
    }
}

/// Takes exactly four digits, so that `%Y%m%d` is unambiguous.
fn four(cursor: &mut Cursor<'_>) -> Option<i64> {
    Some(cursor.two()? * 100 + cursor.two()?)
}

fn half(cursor: &mut Cursor<'_>) -> Option<bool> {
    if cursor.eat_word("AM") {
        Some(false)
    } else if cursor.eat_word("PM") {
        Some(true)
    } else {
        None
    }
}
