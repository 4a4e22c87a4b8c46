//! The types of columns and expressions: OID and typmod resolved through domains, arrays and ranges.

use std::collections::HashMap;

use postgres::Row;

use super::error::ServerError;
use super::query::TypedQuery;
use super::row::RowValues;
use super::session::Session;
use crate::model::pgtype::{ColumnType, IntervalField, Kind, SilentChange};

const READING: &str = "reading the target's catalogue";

/// The offset of the typmods of `varchar`, `char` and `numeric`: the size of the server's value header.
const VARHDRSZ: i32 = 4;

/// The mask of all fields in an interval's typmod, which holds the mask above the precision.
const ALL_FIELDS: i32 = 0x7fff;

struct TypeRow {
    name: String,
    schema: String,
    kind: String,
    category: String,
    base: i64,
    subtype: i64,
    base_typmod: i32,
    base_shown: String,
    element: i64,
    not_null: bool,
    shown: String,
    labels: Vec<String>,
    bytewise: bool,
    finite: bool,
    /// `inet` with the address families of Linux on the wire, which this program encodes.
    encodes_inet: bool,
}

/// A type after its domains are resolved.
pub(super) struct ResolvedType {
    /// The type.
    pub column: ColumnType,
    /// A domain forbids NULL.
    pub not_null: bool,
}

/// The types of a schema by OID.
pub(super) struct TypeTable {
    by_oid: HashMap<i64, TypeRow>,
    /// True if `money` counts hundredths, in the application's sessions too.
    money_in_cents: bool,
}

impl TypeTable {
    /// The query for every type that a column of the schema, or an expression of one of the types `more`, can have.
    pub(super) fn query<'q>(schema: &'q &str, more: &'q Vec<i64>) -> TypedQuery<'q> {
        TypedQuery::new(READING, include_str!("sql/types.sql")).with(schema).with(more)
    }

    /// The types that the answer to [`TypeTable::query`] describes. Asks the server once more if one of them is `money`.
    pub(super) fn of_rows(rows: &[Row], session: &mut Session) -> Result<TypeTable, ServerError> {
        let mut by_oid: HashMap<i64, TypeRow> = HashMap::new();
        for row in rows {
            let found = TypeRow {
                name: row.value("name")?,
                schema: row.value("schema")?,
                kind: row.value("kind")?,
                category: row.value("category")?,
                base: row.value("base")?,
                subtype: row.value("subtype")?,
                base_typmod: row.value("base_typmod")?,
                base_shown: row.value::<Option<String>>("base_shown")?.unwrap_or_default(),
                element: row.value("element")?,
                not_null: row.value("not_null")?,
                shown: row.value("shown")?,
                labels: row.value("labels")?,
                bytewise: row.value("bytewise")?,
                finite: row.value("finite")?,
                encodes_inet: row.value("encodes_inet")?,
            };
            by_oid.insert(row.value("oid")?, found);
        }
        let mut money_in_cents = false;
        if by_oid.values().any(|found| found.name == "money" && found.schema == "pg_catalog") {
            let [rows] = session.ask([TypedQuery::new(READING, include_str!("sql/money_in_cents.sql"))])?;
            money_in_cents = rows.first().map_or(Ok(false), |row| row.value(0))?;
        }
        Ok(TypeTable { by_oid, money_in_cents })
    }

    /// Resolves an OID and a typmod through any domains.
    pub(super) fn resolve(&self, oid: i64, typmod: i32, shown: &str) -> ResolvedType {
        let (mut at, mut modifier, mut name) = (oid, typmod, shown.to_owned());
        let (mut domain, mut not_null) = (None, false);
        while let Some(found) = self.by_oid.get(&at).filter(|t| t.kind == "d") {
            domain.get_or_insert_with(|| found.shown.clone());
            not_null |= found.not_null;
            (at, modifier, name) = (found.base, found.base_typmod, found.base_shown.clone());
        }
        let kind = self.by_oid.get(&at).map_or(Kind::Other, |found| self.kind(found, modifier, &name));
        let is = |what: fn(&TypeRow) -> bool| self.by_oid.get(&at).is_some_and(what);
        let (bytewise, finite) = (is(|found| found.bytewise), is(|found| found.finite));
        ResolvedType { column: ColumnType { kind, oid: at as u32, name, domain, bytewise, finite }, not_null }
    }

    fn kind(&self, found: &TypeRow, typmod: i32, shown: &str) -> Kind {
        if found.kind == "e" {
            return Kind::Enum { labels: found.labels.clone() };
        }
        if found.category == "A" && found.element != 0 {
            let element = shown.strip_suffix("[]").unwrap_or(shown);
            let element = self.resolve(found.element, typmod, element).column;
            return Kind::Array(Box::new(ColumnType { oid: found.element as u32, ..element }));
        }
        match found.name.as_str() {
            "citext" => return Kind::Citext,
            "hstore" => return Kind::Hstore,
            _ => {}
        }
        if found.kind == "r" {
            let element = self.resolve(found.subtype, -1, "").column;
            return element.bent().map_or(Kind::Range(Box::new(element)), |how| Kind::Bent { how });
        }
        if found.kind != "b" {
            return Kind::Bent { how: SilentChange::PartsRounded };
        }
        if found.schema == "pg_catalog" { self.built_in_kind(found, typmod) } else { Kind::Other }
    }

    fn built_in_kind(&self, found: &TypeRow, typmod: i32) -> Kind {
        let length = || u32::try_from(typmod - VARHDRSZ).ok();
        let precision = || u8::try_from(typmod).unwrap_or(6).min(6);
        match found.name.as_str() {
            "bool" => Kind::Bool,
            "int2" => Kind::Int2,
            "int4" => Kind::Int4,
            "int8" => Kind::Int8,
            "float4" => Kind::Float4,
            "float8" => Kind::Float8,
            "numeric" => Kind::Numeric { limit: numeric_limit(typmod) },
            "text" => Kind::Text,
            "varchar" => Kind::Varchar { limit: length() },
            "bpchar" => length().map_or(Kind::Text, |width| Kind::Char { width }),
            "bytea" => Kind::Bytea,
            "date" => Kind::Date,
            "time" => Kind::Time { precision: precision() },
            "timestamp" => Kind::Timestamp { precision: precision() },
            "timestamptz" => Kind::Timestamptz { precision: precision() },
            "interval" => interval(typmod),
            "uuid" => Kind::Uuid,
            "json" => Kind::Json,
            "jsonb" => Kind::Jsonb,
            "inet" if found.encodes_inet => Kind::Inet,
            "inet" => Kind::InetAsText,
            "cidr" => Kind::Cidr,
            "tsvector" => Kind::Tsvector,
            "timetz" => Kind::Timetz { precision: precision() },
            "money" if self.money_in_cents => Kind::Money,
            "point" | "lseg" | "box" | "path" | "polygon" | "circle" => Kind::Geometry,
            "bit" | "varbit" | "macaddr" | "xml" | "tsquery" | "jsonpath" | "pg_lsn" => Kind::Other,
            "money" => Kind::Bent { how: SilentChange::CurrencyUnit },
            "name" => Kind::Bent { how: SilentChange::CutTo63Bytes },
            "char" => Kind::Bent { how: SilentChange::CutToOneByte },
            "macaddr8" => Kind::Bent { how: SilentChange::EightBytesOfSix },
            "line" => Kind::Bent { how: SilentChange::Computed },
            _ => Kind::Bent { how: SilentChange::Internal },
        }
    }
}

/// Precision and scale of a numeric. The scale is a signed number of eleven bits.
fn numeric_limit(typmod: i32) -> Option<(u16, i16)> {
    let packed = typmod.checked_sub(VARHDRSZ).filter(|p| *p >= 0)?;
    let scale = (packed & 0x7ff) as i16;
    let scale = if scale >= 1024 { scale - 2048 } else { scale };
    Some(((packed >> 16) as u16, scale))
}

/// The bits of fields in an interval's typmod (`INTERVAL_MASK` in the server's source), the smallest field first.
const FIELDS: [(i32, IntervalField); 6] = [
    (1 << 12, IntervalField::Second),
    (1 << 11, IntervalField::Minute),
    (1 << 10, IntervalField::Hour),
    (1 << 3, IntervalField::Day),
    (1 << 1, IntervalField::Month),
    (1 << 2, IntervalField::Year),
];

fn interval(typmod: i32) -> Kind {
    if typmod < 0 {
        return Kind::Interval { precision: 6 };
    }
    let (fields, precision) = (typmod >> 16 & 0x7fff, typmod & 0xffff);
    let precision = u8::try_from(precision).unwrap_or(6).min(6);
    match FIELDS.iter().find(|(bit, _)| fields & bit != 0) {
        Some((_, least)) if fields != ALL_FIELDS => Kind::IntervalOf { least: *least, precision },
        _ => Kind::Interval { precision },
    }
}
