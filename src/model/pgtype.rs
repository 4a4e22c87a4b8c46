//! The types of the target's columns, as the catalogue describes them: OID, typmod, labels, element, base of a domain.
//!
//! `convert` knows which values each type accepts.

use serde::{Deserialize, Serialize};

/// The type of one target column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnType {
    /// The kind of its values; for a domain, that of its base type.
    pub kind: Kind,
    /// OID of the base type, for a domain that of its base. An array's element keeps its own OID, even that of a domain,
    /// because the server writes it into the array.
    pub oid: u32,
    /// The name as the server writes it, typmod included: `numeric(10,2)`, `character varying(50)`, `public.mood`.
    pub name: String,
    /// Name of the domain; `None` if the column's type is not a domain.
    pub domain: Option<String>,
    /// True if lengths count bytes, not characters: the database's encoding is SQL_ASCII.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bytewise: bool,
    /// True if the type accepts no infinity, not even as `numeric` without a limit: the server is older than PostgreSQL 14.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub finite: bool,
}

/// The kind of values in a column of the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// boolean
    Bool,
    /// smallint
    Int2,
    /// integer
    Int4,
    /// bigint
    Int8,
    /// real
    Float4,
    /// double precision
    Float8,
    /// numeric; unconstrained without `limit`
    Numeric {
        /// Precision and scale; the scale may be negative (PostgreSQL 15 and later).
        limit: Option<(u16, i16)>,
    },
    /// text
    Text,
    /// varchar, with its limit if it has one
    Varchar {
        /// Characters, or bytes.
        limit: Option<u32>,
    },
    /// char(n), padded with blanks
    Char {
        /// Characters, or bytes.
        width: u32,
    },
    /// citext, by name since its OID is the extension's
    Citext,
    /// bytea
    Bytea,
    /// date
    Date,
    /// time without time zone; digits of a second, 0 to 6
    Time {
        /// Digits of a second.
        precision: u8,
    },
    /// timestamp without time zone; digits of a second, 0 to 6
    Timestamp {
        /// Digits of a second.
        precision: u8,
    },
    /// timestamp with time zone; digits of a second, 0 to 6
    Timestamptz {
        /// Digits of a second.
        precision: u8,
    },
    /// interval without a restriction of its fields
    Interval {
        /// Digits of a second.
        precision: u8,
    },
    /// interval with restricted fields: whole units of the smallest field
    IntervalOf {
        /// The smallest field.
        least: IntervalField,
        /// Digits of a second.
        precision: u8,
    },
    /// uuid
    Uuid,
    /// json
    Json,
    /// jsonb
    Jsonb,
    /// inet
    Inet,
    /// an enum with its labels in order
    Enum {
        /// The labels, byte for byte.
        labels: Vec<String>,
    },
    /// an array of the element type; the type does not fix the number of dimensions
    Array(Box<ColumnType>),
    /// money in hundredths, by text COPY like all kinds that follow
    Money,
    /// time with time zone; digits of a second, 0 to 6
    Timetz {
        /// Digits of a second.
        precision: u8,
    },
    /// a range of the element type
    Range(Box<ColumnType>),
    /// hstore, by name since its OID is the extension's: the server keeps each key once
    Hstore,
    /// tsvector: the server keeps 255 positions of a word, none above 16,383
    Tsvector,
    /// inet on a server that numbers address families in a way of its own on the wire, such as the one inside the process
    InetAsText,
    /// cidr: an address whose bits after the prefix are zero
    Cidr,
    /// point, lseg, box, path, polygon, circle: doubles between brackets
    Geometry,
    /// a type whose text the server cuts, rounds or wraps silently
    Bent {
        /// The server's change to the value.
        how: SilentChange,
    },
    /// any other type: the server accepts its text unchanged or refuses it
    Other,
}

/// A change that the server makes to a value's text without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SilentChange {
    /// `money` in a currency whose unit is not the hundredth.
    CurrencyUnit,
    /// `name`.
    CutTo63Bytes,
    /// `"char"`.
    CutToOneByte,
    /// `macaddr8`.
    EightBytesOfSix,
    /// `line`.
    Computed,
    /// Composite types and multiranges.
    PartsRounded,
    /// Any other type of `pg_catalog`.
    Internal,
}

impl SilentChange {
    /// Returns the predicate of a sentence whose subject is the server.
    pub fn words(self) -> &'static str {
        match self {
            SilentChange::CurrencyUnit => "counts it in the unit of lc_monetary, here not in hundredths",
            SilentChange::CutTo63Bytes => "cuts it to 63 bytes",
            SilentChange::CutToOneByte => "cuts it to one byte",
            SilentChange::EightBytesOfSix => "extends six bytes to eight",
            SilentChange::Computed => "recomputes it from the written value",
            SilentChange::PartsRounded => "rounds and cuts its parts",
            SilentChange::Internal => "reads it in an internal form",
        }
    }
}

/// The smallest field of an interval with restricted fields; the server cuts off smaller fields.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntervalField {
    /// Whole years.
    Year,
    /// Whole months.
    Month,
    /// Whole days.
    Day,
    /// Whole hours.
    Hour,
    /// Whole minutes.
    Minute,
    /// Seconds, with their digits.
    Second,
}

impl ColumnType {
    /// Returns a type of this name, without a domain and without a server's peculiarities.
    pub fn new(kind: Kind, oid: u32, name: &str) -> ColumnType {
        ColumnType { kind, oid, name: name.to_owned(), domain: None, bytewise: false, finite: false }
    }

    /// Returns true if values of this type have a binary encoder here.
    pub fn is_binary(&self) -> bool {
        match &self.kind {
            Kind::Money | Kind::Timetz { .. } | Kind::Range(_) | Kind::Hstore | Kind::Tsvector => false,
            Kind::InetAsText | Kind::Cidr | Kind::Geometry | Kind::Bent { .. } | Kind::Other => false,
            Kind::Array(element) => element.is_binary(),
            _ => true,
        }
    }

    /// Returns what the server does silently to text of this type; `None` if it changes nothing.
    pub fn bent(&self) -> Option<SilentChange> {
        match &self.kind {
            Kind::Bent { how } => Some(*how),
            Kind::Array(element) => element.bent(),
            _ => None,
        }
    }

    /// Returns true if values are character strings. An enum's label is not.
    pub fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Varchar { .. } | Kind::Char { .. } | Kind::Citext)
    }

    /// Returns the type as a person reads it: the domain's name if it has one.
    pub fn shown(&self) -> &str {
        self.domain.as_deref().unwrap_or(&self.name)
    }
}
