//! The meaning of a column's values and the allowed losses: the modifiers of one column, merged and checked.
//!
//! `plan` makes the rules from the mapping's text; `convert` obeys them. Nothing here reads a value.

use super::cell::RawBuf;
use super::named_zone::NamedZone;

/// The modifiers of one column in the order in which they act. The default allows nothing: a value that does not fit is a fault.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// The character set of bytes that are not UTF-8.
    pub charset: Option<Charset>,
    /// True if a blob in a text column is read as text.
    pub blob_as_text: bool,
    /// Remove NUL characters from text and `\u0000` from json. A loss.
    pub strip_nul: bool,
    /// Remove white space (ASCII blank, tab, CR, LF, VT, FF) at both ends of text.
    pub trim: bool,
    /// Values that become NULL, compared with the value's text.
    pub null_if: Vec<String>,
    /// Replacements by the value's text; NULL is never mapped.
    pub map: Vec<(String, Value)>,
    /// The value used for a value that `map` does not contain; `None`: the value is kept.
    pub map_else: Option<Value>,
    /// The unit of a number in a date or time column.
    pub epoch: Option<Epoch>,
    /// One more textual form of a date or time, in strftime's letters.
    pub format: Vec<String>,
    /// The treatment of an offset if the target has none.
    pub offset: Option<Offset>,
    /// The choice between the two instants of a local time that occurs twice.
    pub overlap: Option<Overlap>,
    /// The zone of times without an offset.
    pub zone: Option<Zone>,
    /// The unit of a number in an interval column.
    pub unit: Option<Unit>,
    /// The day from which a date in an interval column counts, in days since 2000-01-01.
    pub since: Option<i32>,
    /// Comma-separated text is an array.
    pub array_csv: bool,
    /// A blob is an array of such numbers.
    pub packed: Option<PackedNumbers>,
    /// The order of the bytes of a UUID that is a blob. `None`: as RFC 4122 has it, which the values must prove.
    pub uuid_bytes: Option<UuidBytes>,
    /// Replaces text that cannot be read as the type. A loss.
    pub if_bad: Option<Value>,
    /// Round excess decimals and digits of a second. A loss.
    pub round: bool,
    /// Cut text that is too long. A loss.
    pub truncate: bool,
    /// Replaces a reference without a parent. A loss. The load applies it, not `convert`.
    pub if_orphan: Option<Value>,
    /// Leave out a row whose reference has no parent. A loss. The load applies it, not `convert`.
    pub drop_orphan: bool,
    /// Replaces NULL as the last step.
    pub if_null: Option<Value>,
}

/// A value that a mapping writes.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A constant.
    Literal(RawBuf),
    /// SQL NULL.
    Null,
    /// The run's start; the local time of the column's zone if the target has no offset.
    Now,
    /// The owner's key.
    Owner,
    /// An environment variable.
    Env(String),
    /// The value that comes with each file of a fleet, under the name of the column.
    Member,
    /// A fault: the row cannot be loaded.
    Fault,
}

/// The treatment of rows that a table of the target holds before the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Existing {
    /// They stay next to the new rows.
    Append,
    /// They are removed. The ledger keeps them, and a rollback restores them.
    Replace,
    /// A row of the source with the same natural key is the same row.
    Match {
        /// The columns of the natural key. `None`: those of the table's only unique key.
        key: Option<Vec<String>>,
        /// The treatment of a row that differs in other columns. `None`: it is a fault.
        differ: Option<Differ>,
    },
}

impl Existing {
    /// Returns the word that the mapping and the report use.
    pub fn word(&self) -> &'static str {
        match self {
            Existing::Append => "append",
            Existing::Replace => "replace",
            Existing::Match { .. } => "match",
        }
    }
}

/// The side whose values a row keeps if source and target differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Differ {
    /// The source's values are written over those of the target.
    Source,
    /// The target's values stay.
    Target,
}

/// A legacy character set. Only sets in which every byte has one meaning are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// windows-1252; its five unassigned bytes are faults.
    Windows1252,
    /// ISO 8859-1.
    Latin1,
}

/// The unit of a number in a date or time column.
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

/// The treatment of an offset for a `timestamp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offset {
    /// Convert to the column's zone.
    Zone,
    /// Keep the local time, drop the offset.
    Drop,
}

/// The choice between the two instants of a local time that occurs twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// The first.
    Earlier,
    /// The second.
    Later,
}

/// The order of the bytes of a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UuidBytes {
    /// That of its text.
    Rfc,
    /// The first three parts have the lowest byte first.
    Dotnet,
}

/// The form of numbers that a blob contains one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedNumbers {
    /// The kind of each number.
    pub kind: PackedKind,
    /// Bytes of each number: 1, 2, 4 or 8.
    pub width: usize,
    /// The first byte is the lowest.
    pub is_little: bool,
}

/// The kind of a packed number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackedKind {
    /// IEEE floating point.
    Float,
    /// A signed integer.
    Signed,
    /// An unsigned integer.
    Unsigned,
}

impl PackedNumbers {
    /// The words of the mapping.
    pub const WORDS: [&'static str; 14] = [
        "f32le", "f32be", "f64le", "f64be", "i8", "i16le", "i16be", "i32le", "i32be", "i64le", "i64be", "u8", "u16le",
        "u32le",
    ];

    /// Returns the form of a word. `None` if there is none.
    pub fn of(word: &str) -> Option<PackedNumbers> {
        let kind = match word.get(..1)? {
            "f" => PackedKind::Float,
            "i" => PackedKind::Signed,
            _ => PackedKind::Unsigned,
        };
        let known = PackedNumbers::WORDS.contains(&word);
        let bits = word[1..].trim_end_matches(['l', 'b', 'e']).parse::<usize>().ok()?;
        known.then_some(PackedNumbers { kind, width: bits / 8, is_little: !word.ends_with("be") })
    }

    /// Returns the word of the mapping.
    pub fn word(self) -> &'static str {
        PackedNumbers::WORDS.into_iter().find(|word| PackedNumbers::of(word) == Some(self)).unwrap_or_default()
    }
}

/// The unit of a number in an interval column.
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
    Named(NamedZone),
}

impl Zone {
    /// Reads `UTC`, `Z`, `+05:30`, `-0800` or a tz name such as `Europe/Berlin`; `None` for any other text.
    pub fn parse(text: &str) -> Option<Zone> {
        if text == "UTC" || text == "Z" {
            return Some(Zone::Fixed(0));
        }
        let sign = match text.as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return NamedZone::find(text).map(Zone::Named),
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
