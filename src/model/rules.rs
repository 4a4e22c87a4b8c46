//! What a column's value means and which loss is allowed: the modifiers of one column, merged and checked.
//!
//! The mapping's text becomes this in `plan`; `convert` obeys it. Nothing here reads a value.

use super::cell::RawBuf;

/// The modifiers of one column in the order in which they act. The default allows nothing: what does not fit is a fault.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// How bytes that are not UTF-8 are read.
    pub charset: Option<Charset>,
    /// Whether a blob in a text column is read as text.
    pub blob_as_text: bool,
    /// Take NUL characters out of text and `\u0000` out of json. A loss.
    pub strip_nul: bool,
    /// Take white space (ASCII blank, tab, CR, LF, VT, FF) off both ends of text.
    pub trim: bool,
    /// Values that become NULL, compared with the value's text.
    pub null_if: Vec<String>,
    /// Replacements by the value's text; NULL is never mapped.
    pub map: Vec<(String, Value)>,
    /// What becomes of a value that `map` does not name; without it the value passes on as itself.
    pub map_else: Option<Value>,
    /// What a number means in a date or time.
    pub epoch: Option<Epoch>,
    /// One more textual form of a date or time, in strftime's letters.
    pub format: Option<String>,
    /// What an offset means where the target has none.
    pub offset: Option<Offset>,
    /// Which of two instants a local time means that occurs twice.
    pub overlap: Option<Overlap>,
    /// What a time without an offset means.
    pub zone: Option<Zone>,
    /// What a number means in an interval.
    pub unit: Option<Unit>,
    /// Comma-separated text is an array.
    pub array_csv: bool,
    /// Stands for text that cannot be read as the type. A loss.
    pub if_bad: Option<Value>,
    /// Round decimals and digits of a second that the target does not hold. A loss.
    pub round: bool,
    /// Cut text that is too long. A loss.
    pub truncate: bool,
    /// Stands for a reference whose parent is not there. A loss. Applied by the load, not by `convert`.
    pub if_orphan: Option<Value>,
    /// Stands for NULL at the end.
    pub if_null: Option<Value>,
}

/// A value that a mapping writes down.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A constant.
    Literal(RawBuf),
    /// SQL NULL.
    Null,
    /// The run's start; local time of the column's zone where the target has no offset.
    Now,
    /// The owner's key.
    Owner,
    /// A variable of the environment.
    Env(String),
    /// A fault: the row cannot go.
    Fault,
}

/// A legacy character set. Only sets in which every byte has one meaning are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// windows-1252; its five unassigned bytes are faults.
    Windows1252,
    /// ISO 8859-1.
    Latin1,
}

/// What a number in a date or time column counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epoch {
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Millis,
    /// Microseconds since 1970.
    Micros,
    /// Nanoseconds since 1970.
    Nanos,
    /// Julian days, rounded to milliseconds as SQLite itself does.
    Julian,
}

/// What an offset means that meets a `timestamp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offset {
    /// Convert to the column's zone.
    Zone,
    /// Keep the local time, drop the offset.
    Drop,
}

/// Which of two instants a local time means that occurs twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// The first.
    Earlier,
    /// The second.
    Later,
}

/// What a number in an interval column counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
}

/// The zone of times without an offset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Zone {
    /// A fixed offset, seconds east of UTC.
    Fixed(i32),
    /// A zone of the tz database.
    Named(chrono_tz::Tz),
}

impl Zone {
    /// Reads `UTC`, `Z`, `+05:30`, `-0800` or a tz name such as `Europe/Berlin`.
    pub fn parse(text: &str) -> Option<Zone> {
        if text == "UTC" || text == "Z" {
            return Some(Zone::Fixed(0));
        }
        let sign = match text.as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return text.parse().ok().map(Zone::Named),
        };
        let digits: String = text[1..].split(':').collect();
        if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let hours: i32 = digits[..2].parse().ok()?;
        let minutes: i32 = digits.get(2..4).map_or(Ok(0), str::parse).ok()?;
        (hours <= 15 && minutes < 60).then_some(Zone::Fixed(sign * (hours * 3600 + minutes * 60)))
    }
}
