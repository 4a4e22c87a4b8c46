//! The reader of each type: it selects the conversion of a column and does the checks that are common to all types.
//!
//! The common checks are the size limit and the empty string. The meaning of a value is decided in the file of its
//! type.

use super::array::{ArrayReader, ElementReader};
use super::decimal::{integer_text, real_text};
use super::json::JsonReader;
use super::numeric::NumericReader;
use super::settled::Settled;
use super::since::SinceReader;
use super::text::{self, MOST_BYTES, TextReader};
use super::time::{self, IntervalReader, TimeReader, TimeType};
use super::{by_server, float, scalar};
use crate::model::cell::{Cell, Raw};
use crate::model::fault::{LossSet, Reason};
use crate::model::pgtype::{ColumnType, IntervalField, Kind};
use crate::model::rules::{Rules, UuidBytes, Zone};
use crate::wire::calendar::DAY;
use std::borrow::Cow;

/// The reader of one column, by the column's type.
#[derive(Clone, Debug)]
pub(super) enum TypeReader {
    Bool,
    Int2 { round: bool },
    Int4 { round: bool },
    Int8 { round: bool },
    Float4 { round: bool },
    Float8 { round: bool },
    Numeric(NumericReader),
    Text(TextReader),
    Bytea,
    Time(TimeReader),
    Interval(IntervalReader),
    Since(Box<SinceReader>),
    Uuid { order: UuidBytes },
    Json(JsonReader),
    Inet,
    Enum { labels: Vec<String> },
    Array { arrays: ArrayReader, element: Box<TypeReader> },
    Money(NumericReader),
    Timetz { precision: u8, zone: Option<Zone> },
    Hstore,
    Tsvector,
    InetAsText,
    Cidr,
    Geometry,
    Range(Box<TypeReader>),
    Other,
}

impl TypeReader {
    /// Creates the reader of a column. The error describes a mistake in the format of its rules.
    pub(super) fn new(column: &ColumnType, rules: &Rules) -> Result<TypeReader, String> {
        let round = rules.round;
        let texts = |limit: Option<u32>, pad| {
            let limit = limit.map(|limit| limit as usize);
            TypeReader::Text(TextReader { limit, bytewise: column.bytewise, pad, truncate: rules.truncate })
        };
        Ok(match &column.kind {
            Kind::Bool => TypeReader::Bool,
            Kind::Int2 => TypeReader::Int2 { round },
            Kind::Int4 => TypeReader::Int4 { round },
            Kind::Int8 => TypeReader::Int8 { round },
            Kind::Float4 => TypeReader::Float4 { round },
            Kind::Float8 => TypeReader::Float8 { round },
            Kind::Numeric { limit } => {
                TypeReader::Numeric(NumericReader { limit: *limit, finite: column.finite, round })
            }
            Kind::Text | Kind::Citext => texts(None, false),
            Kind::Varchar { limit } => texts(*limit, false),
            Kind::Char { width } => texts(Some(*width), true),
            Kind::Bytea => TypeReader::Bytea,
            Kind::Date => TypeReader::Time(TimeReader::new(TimeType::Date, 6, rules)?),
            Kind::Time { precision } => TypeReader::Time(TimeReader::new(TimeType::Time, *precision, rules)?),
            Kind::Timestamp { precision } => TypeReader::Time(TimeReader::new(TimeType::Local, *precision, rules)?),
            Kind::Timestamptz { precision } => TypeReader::Time(TimeReader::new(TimeType::Instant, *precision, rules)?),
            Kind::Interval { precision } => intervals(*precision, IntervalField::Second, rules)?,
            Kind::IntervalOf { least, precision } => intervals(*precision, *least, rules)?,
            Kind::Uuid => TypeReader::Uuid { order: rules.uuid_bytes.unwrap_or(UuidBytes::Rfc) },
            Kind::Json => TypeReader::Json(JsonReader { binary: false, strip_nul: rules.strip_nul }),
            Kind::Jsonb => TypeReader::Json(JsonReader { binary: true, strip_nul: rules.strip_nul }),
            Kind::Inet => TypeReader::Inet,
            Kind::Enum { labels } => TypeReader::Enum { labels: labels.clone() },
            Kind::Array(element) => TypeReader::Array {
                arrays: ArrayReader::new(element, rules),
                element: Box::new(TypeReader::new(element, rules)?),
            },
            Kind::Money => TypeReader::Money(NumericReader { limit: Some(by_server::MONEY), finite: true, round }),
            Kind::Timetz { precision } => TypeReader::Timetz { precision: *precision, zone: rules.zone },
            Kind::Hstore => TypeReader::Hstore,
            Kind::Tsvector => TypeReader::Tsvector,
            Kind::InetAsText => TypeReader::InetAsText,
            Kind::Cidr => TypeReader::Cidr,
            Kind::Geometry => TypeReader::Geometry,
            Kind::Range(element) => TypeReader::Range(Box::new(TypeReader::new(element, rules)?)),
            Kind::Bent { .. } | Kind::Other => TypeReader::Other,
        })
    }

    /// The same reader, which notes the times that the server reads otherwise.
    pub(super) fn doubting(self, settled: &Settled) -> TypeReader {
        match self {
            TypeReader::Time(times) => TypeReader::Time(times.doubting(settled)),
            TypeReader::Array { arrays, element } => {
                TypeReader::Array { arrays, element: Box::new(element.doubting(settled)) }
            }
            TypeReader::Range(element) => TypeReader::Range(Box::new(element.doubting(settled))),
            other => other,
        }
    }

    /// Reads a value that is not NULL.
    pub(super) fn read<'a>(&'a self, raw: Raw<'a>, losses: &mut LossSet) -> Result<Cell<'a>, Reason> {
        if raw.bytes() > MOST_BYTES {
            return Err(Reason::TooLarge);
        }
        if matches!(raw, Raw::Text(b"")) && !self.takes_empty() {
            return Err(Reason::EmptyString);
        }
        match self {
            TypeReader::Bool => scalar::boolean(raw).map(Cell::Bool),
            TypeReader::Int2 { round } => narrow(scalar::integer(raw, *round, losses)?).map(Cell::Int2),
            TypeReader::Int4 { round } => narrow(scalar::integer(raw, *round, losses)?).map(Cell::Int4),
            TypeReader::Int8 { round } => scalar::integer(raw, *round, losses).map(Cell::Int8),
            TypeReader::Float4 { round } => float::float(raw, *round, losses).map(Cell::Float4),
            TypeReader::Float8 { round } => float::float(raw, *round, losses).map(Cell::Float8),
            TypeReader::Numeric(numerics) => numerics.read(raw, losses).map(Cell::Numeric),
            TypeReader::Text(texts) => texts.read(raw, losses).map(Cell::Text),
            TypeReader::Bytea => bytea(raw),
            TypeReader::Time(times) => times.read(raw, losses),
            TypeReader::Interval(intervals) => intervals.read(raw, losses),
            TypeReader::Since(dates) => dates.read(raw, losses),
            TypeReader::Uuid { order } => scalar::uuid(raw, *order).map(Cell::Uuid),
            TypeReader::Json(jsons) => jsons.read(raw, losses),
            TypeReader::Inet => scalar::inet(raw).map(Cell::Inet),
            TypeReader::Enum { labels } => label(raw, labels),
            TypeReader::Array { arrays, element } => arrays.read(raw, &**element, losses),
            TypeReader::Money(numerics) => by_server::money(raw, numerics, losses),
            TypeReader::Timetz { precision, zone } => by_server::timetz(raw, *precision, *zone),
            TypeReader::Hstore => by_server::hstore(raw),
            TypeReader::Tsvector => by_server::tsvector(raw),
            TypeReader::InetAsText => by_server::inet(raw),
            TypeReader::Cidr => by_server::cidr(raw),
            TypeReader::Geometry => by_server::geometry(raw),
            TypeReader::Range(element) => by_server::range(raw, &**element, losses),
            TypeReader::Other => verbatim(raw),
        }
    }

    /// Returns the start of the run, given in microseconds since 2000-01-01 UTC. A type that is no date or time reads
    /// it from its text in ISO 8601.
    pub(super) fn now(&self, now: i64) -> Result<Cell<'static>, Reason> {
        match self {
            TypeReader::Time(times) => times.now(now),
            reader => {
                let text = time::iso(now);
                reader.read(Raw::Text(text.as_bytes()), &mut LossSet::default()).map(Cell::into_owned)
            }
        }
    }

    fn takes_empty(&self) -> bool {
        matches!(
            self,
            TypeReader::Text(_)
                | TypeReader::Bytea
                | TypeReader::Enum { .. }
                | TypeReader::Hstore
                | TypeReader::Tsvector
                | TypeReader::Other
        )
    }
}

impl ElementReader for TypeReader {
    fn read_element<'a>(&'a self, raw: Raw<'a>, losses: &mut LossSet) -> Result<Cell<'a>, Reason> {
        self.read(raw, losses)
    }
}

fn intervals(precision: u8, least: IntervalField, rules: &Rules) -> Result<TypeReader, String> {
    let intervals = IntervalReader { precision, least, unit: rules.unit, round: rules.round };
    let Some(day) = rules.since else { return Ok(TypeReader::Interval(intervals)) };
    let times = TimeReader::new(TimeType::Local, precision, rules)?;
    Ok(TypeReader::Since(Box::new(SinceReader { start: i64::from(day) * DAY, times, intervals })))
}

fn narrow<T: TryFrom<i64>>(value: i64) -> Result<T, Reason> {
    T::try_from(value).map_err(|_| Reason::OutOfRange)
}

/// Returns the bytes of a blob or of a text.
fn bytea(raw: Raw<'_>) -> Result<Cell<'_>, Reason> {
    match raw {
        Raw::Text(bytes) | Raw::Blob(bytes) => Ok(Cell::Bytea(Cow::Borrowed(bytes))),
        _ => Err(Reason::NotForServer),
    }
}

fn label<'a>(raw: Raw<'a>, labels: &'a [String]) -> Result<Cell<'a>, Reason> {
    let found = match raw {
        Raw::Text(text) => scalar::label(text, labels)?,
        Raw::Integer(value) => scalar::label(integer_text(value).as_bytes(), labels)?,
        Raw::Real(value) => scalar::label(real_text(value).as_bytes(), labels)?,
        Raw::Null | Raw::Blob(_) => return Err(Reason::BlobInText),
    };
    Ok(Cell::Text(Cow::Borrowed(found)))
}

/// Returns the text of a type that has no binary encoder. The server parses the text.
fn verbatim(raw: Raw<'_>) -> Result<Cell<'_>, Reason> {
    match raw {
        Raw::Text(bytes) => text::checked(bytes).map(|text| Cell::Verbatim(Cow::Borrowed(text))),
        Raw::Null | Raw::Blob(_) => Err(Reason::NotForServer),
        number => Ok(Cell::Verbatim(Cow::Owned(text::number_text(number)))),
    }
}
