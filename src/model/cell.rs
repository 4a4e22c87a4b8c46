//! A value on both sides: [`Raw`] as SQLite stores it, [`Cell`] as PostgreSQL receives it.
//!
//! This file defines the forms alone. `convert` decides what a raw value means for a target type, `wire` how a cell is
//! encoded.

use std::borrow::Cow;
use std::fmt;

use super::numeric::Numeric;

/// A value as SQLite stores it, by storage class. Text is bytes, because SQLite does not guarantee UTF-8.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Raw<'a> {
    /// SQL NULL. SQLite stores a NaN as NULL, so the two cannot be distinguished.
    Null,
    /// A signed integer of up to eight bytes, whatever the column's declared type.
    Integer(i64),
    /// An IEEE double; infinities occur.
    Real(f64),
    /// Text in the stored bytes, NULs included.
    Text(&'a [u8]),
    /// A blob.
    Blob(&'a [u8]),
}

/// SQLite's five storage classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageClass {
    /// SQL NULL.
    Null,
    /// A signed integer.
    Integer,
    /// A double.
    Real,
    /// Text.
    Text,
    /// A blob.
    Blob,
}

impl fmt::Display for StorageClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StorageClass::Null => "null",
            StorageClass::Integer => "integer",
            StorageClass::Real => "real",
            StorageClass::Text => "text",
            StorageClass::Blob => "blob",
        })
    }
}

impl<'a> Raw<'a> {
    /// Returns the storage class.
    pub fn class(self) -> StorageClass {
        match self {
            Raw::Null => StorageClass::Null,
            Raw::Integer(_) => StorageClass::Integer,
            Raw::Real(_) => StorageClass::Real,
            Raw::Text(_) => StorageClass::Text,
            Raw::Blob(_) => StorageClass::Blob,
        }
    }

    /// Returns the length in bytes: the stored length for text and blobs, 8 for numbers, 0 for NULL.
    pub fn bytes(self) -> usize {
        match self {
            Raw::Null => 0,
            Raw::Integer(_) | Raw::Real(_) => 8,
            Raw::Text(b) | Raw::Blob(b) => b.len(),
        }
    }

    /// Returns a copy that owns its bytes.
    pub fn to_buf(self) -> RawBuf {
        match self {
            Raw::Null => RawBuf::Null,
            Raw::Integer(i) => RawBuf::Integer(i),
            Raw::Real(r) => RawBuf::Real(r),
            Raw::Text(b) => RawBuf::Text(b.to_vec()),
            Raw::Blob(b) => RawBuf::Blob(b.to_vec()),
        }
    }
}

/// A [`Raw`] that owns its bytes: a constant of a mapping, a key, a value in a fault file.
#[derive(Clone, Debug, PartialEq)]
pub enum RawBuf {
    /// SQL NULL.
    Null,
    /// A signed integer.
    Integer(i64),
    /// A double.
    Real(f64),
    /// Text, not necessarily UTF-8.
    Text(Vec<u8>),
    /// A blob.
    Blob(Vec<u8>),
}

impl RawBuf {
    /// Returns the borrowed form.
    pub fn as_raw(&self) -> Raw<'_> {
        match self {
            RawBuf::Null => Raw::Null,
            RawBuf::Integer(i) => Raw::Integer(*i),
            RawBuf::Real(r) => Raw::Real(*r),
            RawBuf::Text(b) => Raw::Text(b),
            RawBuf::Blob(b) => Raw::Blob(b),
        }
    }

    /// Returns text made of a Rust string.
    pub fn text(s: impl Into<String>) -> RawBuf {
        RawBuf::Text(s.into().into_bytes())
    }
}

/// A value as PostgreSQL receives it: typed, in range, at the column's scale and precision. Borrowed unless it changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    /// SQL NULL.
    Null,
    /// boolean
    Bool(bool),
    /// smallint
    Int2(i16),
    /// integer
    Int4(i32),
    /// bigint
    Int8(i64),
    /// real
    Float4(f32),
    /// double precision
    Float8(f64),
    /// numeric, already at the column's scale
    Numeric(Numeric),
    /// text, varchar, char(n) (already padded), citext, and an enum's label
    Text(Cow<'a, str>),
    /// bytea
    Bytea(Cow<'a, [u8]>),
    /// date: days since 2000-01-01; `i32::MAX` and `i32::MIN` are the infinities
    Date(i32),
    /// time without time zone: microseconds since midnight, 24:00:00 included
    Time(i64),
    /// timestamp and timestamptz: microseconds since 2000-01-01 (UTC for timestamptz); `i64::MAX` and `i64::MIN` are the infinities
    Timestamp(i64),
    /// interval: months, days and microseconds are kept apart, as the server does
    Interval {
        /// Months.
        months: i32,
        /// Days.
        days: i32,
        /// Microseconds.
        micros: i64,
    },
    /// uuid, in RFC 4122 byte order
    Uuid([u8; 16]),
    /// json: the text as the server stores it
    Json(Cow<'a, str>),
    /// jsonb: a JSON text that the server accepts
    Jsonb(Cow<'a, str>),
    /// inet
    Inet(Inet),
    /// an array of one of the above
    Array(Array<'a>),
    /// the text of a value whose type has no binary encoder here; the load uses text COPY
    Verbatim(Cow<'a, str>),
}

impl Cell<'_> {
    /// Returns the same cell without a copy of its text.
    pub fn reborrow(&self) -> Cell<'_> {
        match self {
            Cell::Text(text) => Cell::Text(Cow::Borrowed(text)),
            Cell::Bytea(bytes) => Cell::Bytea(Cow::Borrowed(bytes)),
            Cell::Json(text) => Cell::Json(Cow::Borrowed(text)),
            Cell::Jsonb(text) => Cell::Jsonb(Cow::Borrowed(text)),
            Cell::Verbatim(text) => Cell::Verbatim(Cow::Borrowed(text)),
            other => other.clone(),
        }
    }

    /// Returns the same cell with its text owned.
    pub fn into_owned(self) -> Cell<'static> {
        let keep = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Cell::Text(text) => Cell::Text(keep(text)),
            Cell::Json(text) => Cell::Json(keep(text)),
            Cell::Jsonb(text) => Cell::Jsonb(keep(text)),
            Cell::Verbatim(text) => Cell::Verbatim(keep(text)),
            Cell::Bytea(bytes) => Cell::Bytea(Cow::Owned(bytes.into_owned())),
            Cell::Array(Array { element_oid, dimensions, elements }) => Cell::Array(Array {
                element_oid,
                dimensions,
                elements: elements.into_iter().map(Cell::into_owned).collect(),
            }),
            Cell::Null => Cell::Null,
            Cell::Bool(value) => Cell::Bool(value),
            Cell::Int2(value) => Cell::Int2(value),
            Cell::Int4(value) => Cell::Int4(value),
            Cell::Int8(value) => Cell::Int8(value),
            Cell::Float4(value) => Cell::Float4(value),
            Cell::Float8(value) => Cell::Float8(value),
            Cell::Numeric(value) => Cell::Numeric(value),
            Cell::Date(day) => Cell::Date(day),
            Cell::Time(micros) => Cell::Time(micros),
            Cell::Timestamp(micros) => Cell::Timestamp(micros),
            Cell::Interval { months, days, micros } => Cell::Interval { months, days, micros },
            Cell::Uuid(uuid) => Cell::Uuid(uuid),
            Cell::Inet(inet) => Cell::Inet(inet),
        }
    }
}

/// An address with its prefix length in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inet {
    /// The address.
    pub address: std::net::IpAddr,
    /// Prefix length, 0 to 32 or 128.
    pub prefix: u8,
}

/// A rectangular array in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array<'a> {
    /// The element type's OID, which the server compares exactly.
    pub element_oid: u32,
    /// Length of each dimension; empty for `{}`.
    pub dimensions: Vec<usize>,
    /// The elements, including [`Cell::Null`].
    pub elements: Vec<Cell<'a>>,
}
