//! One reader per type: which of the conversions a column takes, and what all of them have in common.
//!
//! Size, the empty string and the choice by type stand here; what a value means stands in the file of its type.

use super::array::Arrays;
use super::decimal::{integer_text, real_text};
use super::interval::Intervals;
use super::json::Jsons;
use super::numeric::Numerics;
use super::text::{self, MOST_BYTES, Texts};
use super::time::{Sort, Times};
use super::time_format::Format;
use super::{by_server, float, owned, scalar, time_text};
use crate::model::cell::{Cell, Raw};
use crate::model::fault::{LossSet, Reason};
use crate::model::pgtype::{ColumnType, IntervalField, Kind};
use crate::model::rules::{Rules, Zone};
use std::borrow::Cow;

/// How a column's values are read.
#[derive(Clone, Debug)]
pub(super) enum Reader {
    Bool,
    Int2 { round: bool },
    Int4 { round: bool },
    Int8 { round: bool },
    Float4 { round: bool },
    Float8 { round: bool },
    Numeric(Numerics),
    Text(Texts),
    Bytea,
    Time(Times),
    Interval(Intervals),
    Uuid,
    Json(Jsons),
    Inet,
    Enum { labels: Vec<String> },
    Array(Box<Arrays>),
    Money(Numerics),
    Timetz { precision: u8, zone: Option<Zone> },
    Hstore,
    Tsvector,
    Cidr,
    Geometry,
    Range(Box<Reader>),
    Other,
}

impl Reader {
    /// The reader of a column; the error says what is wrong with the format of its rules.
    pub(super) fn new(column: &ColumnType, rules: &Rules) -> Result<Reader, String> {
        let round = rules.round;
        let texts = |limit: Option<u32>, pad| {
            let limit = limit.map(|limit| limit as usize);
            Reader::Text(Texts { limit, bytewise: column.bytewise, pad, truncate: rules.truncate })
        };
        Ok(match &column.kind {
            Kind::Bool => Reader::Bool,
            Kind::Int2 => Reader::Int2 { round },
            Kind::Int4 => Reader::Int4 { round },
            Kind::Int8 => Reader::Int8 { round },
            Kind::Float4 => Reader::Float4 { round },
            Kind::Float8 => Reader::Float8 { round },
            Kind::Numeric { limit } => Reader::Numeric(Numerics { limit: *limit, finite: column.finite, round }),
            Kind::Text | Kind::Citext => texts(None, false),
            Kind::Varchar { limit } => texts(*limit, false),
            Kind::Char { width } => texts(Some(*width), true),
            Kind::Bytea => Reader::Bytea,
            Kind::Date => times(Sort::Date, 6, rules)?,
            Kind::Time { precision } => times(Sort::Time, *precision, rules)?,
            Kind::Timestamp { precision } => times(Sort::Local, *precision, rules)?,
            Kind::Timestamptz { precision } => times(Sort::Instant, *precision, rules)?,
            Kind::Interval { precision } => intervals(*precision, IntervalField::Second, rules),
            Kind::IntervalOf { least, precision } => intervals(*precision, *least, rules),
            Kind::Uuid => Reader::Uuid,
            Kind::Json => Reader::Json(Jsons { binary: false, strip_nul: rules.strip_nul }),
            Kind::Jsonb => Reader::Json(Jsons { binary: true, strip_nul: rules.strip_nul }),
            Kind::Inet => Reader::Inet,
            Kind::Enum { labels } => Reader::Enum { labels: labels.clone() },
            Kind::Array(element) => Reader::Array(Box::new(Arrays::new(element, rules)?)),
            Kind::Money => Reader::Money(Numerics { limit: Some(by_server::MONEY), finite: true, round }),
            Kind::Timetz { precision } => Reader::Timetz { precision: *precision, zone: rules.zone },
            Kind::Hstore => Reader::Hstore,
            Kind::Tsvector => Reader::Tsvector,
            Kind::Cidr => Reader::Cidr,
            Kind::Geometry => Reader::Geometry,
            Kind::Range(element) => Reader::Range(Box::new(Reader::new(element, rules)?)),
            Kind::Bent { .. } | Kind::Other => Reader::Other,
        })
    }

    /// Reads a value; NULL does not come here.
    pub(super) fn read<'a>(&'a self, raw: Raw<'a>, losses: &mut LossSet) -> Result<Cell<'a>, Reason> {
        if raw.bytes() > MOST_BYTES {
            return Err(Reason::TooLarge);
        }
        if matches!(raw, Raw::Text(b"")) && !self.takes_empty() {
            return Err(Reason::EmptyString);
        }
        match self {
            Reader::Bool => scalar::boolean(raw).map(Cell::Bool),
            Reader::Int2 { round } => narrow(scalar::integer(raw, *round, losses)?).map(Cell::Int2),
            Reader::Int4 { round } => narrow(scalar::integer(raw, *round, losses)?).map(Cell::Int4),
            Reader::Int8 { round } => scalar::integer(raw, *round, losses).map(Cell::Int8),
            Reader::Float4 { round } => float::float(raw, *round, losses).map(Cell::Float4),
            Reader::Float8 { round } => float::float(raw, *round, losses).map(Cell::Float8),
            Reader::Numeric(numerics) => numerics.read(raw, losses).map(Cell::Numeric),
            Reader::Text(texts) => texts.read(raw, losses).map(Cell::Text),
            Reader::Bytea => bytea(raw),
            Reader::Time(times) => times.read(raw, losses),
            Reader::Interval(intervals) => intervals.read(raw, losses),
            Reader::Uuid => scalar::uuid(raw).map(Cell::Uuid),
            Reader::Json(jsons) => jsons.read(raw, losses),
            Reader::Inet => scalar::inet(raw).map(Cell::Inet),
            Reader::Enum { labels } => label(raw, labels),
            Reader::Array(arrays) => arrays.read(raw, losses),
            Reader::Money(numerics) => by_server::money(raw, numerics, losses),
            Reader::Timetz { precision, zone } => by_server::timetz(raw, *precision, *zone),
            Reader::Hstore => by_server::hstore(raw),
            Reader::Tsvector => by_server::tsvector(raw),
            Reader::Cidr => by_server::cidr(raw),
            Reader::Geometry => by_server::geometry(raw),
            Reader::Range(element) => by_server::range(raw, element, losses),
            Reader::Other => verbatim(raw),
        }
    }

    /// The run's start, in microseconds since 2000-01-01 UTC. Where the type is no date or time, its text in ISO 8601
    /// is read instead.
    pub(super) fn now(&self, now: i64) -> Result<Cell<'static>, Reason> {
        match self {
            Reader::Time(times) => times.now(now),
            reader => {
                let text = time_text::iso(now);
                reader.read(Raw::Text(text.as_bytes()), &mut LossSet::default()).map(owned)
            }
        }
    }

    fn takes_empty(&self) -> bool {
        matches!(
            self,
            Reader::Text(_) | Reader::Bytea | Reader::Enum { .. } | Reader::Hstore | Reader::Tsvector | Reader::Other
        )
    }
}

fn intervals(precision: u8, least: IntervalField, rules: &Rules) -> Reader {
    Reader::Interval(Intervals { precision, least, unit: rules.unit, round: rules.round })
}

fn times(sort: Sort, precision: u8, rules: &Rules) -> Result<Reader, String> {
    Ok(Reader::Time(Times {
        sort,
        precision,
        zone: rules.zone,
        overlap: rules.overlap,
        offset: rules.offset,
        epoch: rules.epoch,
        format: rules.format.as_deref().map(Format::parse).transpose()?,
        round: rules.round,
        truncate: rules.truncate,
    }))
}

fn narrow<T: TryFrom<i64>>(value: i64) -> Result<T, Reason> {
    T::try_from(value).map_err(|_| Reason::OutOfRange)
}

/// Bytes as they are; of text, its own bytes.
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

/// A type without an encoder of its own: the server reads the text.
fn verbatim(raw: Raw<'_>) -> Result<Cell<'_>, Reason> {
    match raw {
        Raw::Text(bytes) => text::checked(bytes).map(|text| Cell::Verbatim(Cow::Borrowed(text))),
        Raw::Null | Raw::Blob(_) => Err(Reason::NotForServer),
        number => Ok(Cell::Verbatim(Cow::Owned(text::number_text(number)))),
    }
}
