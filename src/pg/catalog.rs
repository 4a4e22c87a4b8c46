//! The target's catalogue as a [`TargetSchema`]: a handful of queries, whatever the number of tables.

use std::collections::{BTreeMap, HashMap};

use postgres::{Client, Row};

use super::error::{Doing, ServerError};
use super::rights;
use crate::model::ident::quoted;
use crate::model::pgtype::{ColumnType, IntervalField, Kind, SilentChange};
use crate::model::schema::{ForeignKey, Sequence, TargetColumn, TargetSchema, TargetTable, TargetUnique};

const READING: &str = "reading the target's catalogue";

/// Typmods of `varchar`, `char` and `numeric` count from this header.
const VARHDRSZ: i32 = 4;

/// An interval's typmod holds the mask of its fields above its precision; this is the mask of all of them.
const ALL_FIELDS: i32 = 0x7fff;

/// Reads one schema, and what this role may not do there and on the ledger.
pub(super) fn read(client: &mut Client, schema: &str, ledger_schema: &str) -> Result<TargetSchema, ServerError> {
    let types = types(client, schema, &[])?;
    let rows = client.query(include_str!("sql/columns.sql"), &[&schema]).doing(READING)?;
    let rights = rights::read(client, schema, ledger_schema)?;
    let (version, encoding) = server(client)?;
    let mut found = TargetSchema { schema: schema.to_owned(), version, encoding, rights, ..TargetSchema::default() };
    let mut names: HashMap<i64, String> = HashMap::new();
    let mut numbers: HashMap<(i64, i32), String> = HashMap::new();
    for row in &rows {
        let name: String = row.get("table_name");
        let kind: String = row.get("kind");
        if kind != "r" && kind != "p" {
            if !found.views.contains(&name) {
                found.views.push(name);
            }
            continue;
        }
        let oid: i64 = row.get("table_oid");
        names.insert(oid, name.clone());
        let table = found.tables.entry(name).or_insert_with(|| table(row));
        if let Some(column) = row.get::<_, Option<String>>("column_name") {
            numbers.insert((oid, row.get("column_no")), column.clone());
            table.columns.push(column_of(row, column, &types));
        }
    }
    sequences(client, schema, &mut found, &names, &numbers)?;
    constraints(client, schema, &mut found, &names)?;
    Ok(found)
}

/// The server's version and the database's encoding.
fn server(client: &mut Client) -> Result<(u32, String), ServerError> {
    let sql = "SELECT current_setting('server_version_num')::int4, pg_catalog.getdatabaseencoding()::text";
    let row = client.query_one(sql, &[]).doing(READING)?;
    Ok((u32::try_from(row.get::<_, i32>(0)).unwrap_or(0), row.get(1)))
}

fn table(row: &Row) -> TargetTable {
    TargetTable {
        oid: row.get::<_, i64>("table_oid") as u32,
        unlogged: row.get("unlogged"),
        heirs: row.get("heirs"),
        ..TargetTable::default()
    }
}

fn column_of(row: &Row, name: String, types: &Types) -> TargetColumn {
    let shown: String = row.get("type_name");
    let (kind, type_not_null) = types.resolve(row.get("type_oid"), row.get("typmod"), &shown);
    TargetColumn {
        name,
        kind,
        not_null: row.get::<_, bool>("not_null") || type_not_null,
        has_default: row.get("has_default"),
        generated: row.get("generated"),
        sequence: None,
        draws: None,
    }
}

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
}

struct Types {
    by_oid: HashMap<i64, TypeRow>,
    /// `money` counts hundredths, in the sessions of the application too.
    money_in_cents: bool,
}

/// The type of a result column, as the protocol names it.
pub(super) fn type_of(client: &mut Client, schema: &str, oid: i64, typmod: i32) -> Result<ColumnType, ServerError> {
    let types = types(client, schema, &[oid])?;
    let sql = "SELECT pg_catalog.format_type($1::int8::oid, $2)";
    let shown: String = client.query_one(sql, &[&oid, &typmod]).doing(READING)?.get(0);
    Ok(types.resolve(oid, typmod, &shown).0)
}

fn types(client: &mut Client, schema: &str, more: &[i64]) -> Result<Types, ServerError> {
    let rows = client.query(include_str!("sql/types.sql"), &[&schema, &more]).doing(READING)?;
    let types = rows.iter().map(|row| {
        let found = TypeRow {
            name: row.get("name"),
            schema: row.get("schema"),
            kind: row.get("kind"),
            category: row.get("category"),
            base: row.get("base"),
            subtype: row.get("subtype"),
            base_typmod: row.get("base_typmod"),
            base_shown: row.get::<_, Option<String>>("base_shown").unwrap_or_default(),
            element: row.get("element"),
            not_null: row.get("not_null"),
            shown: row.get("shown"),
            labels: row.get("labels"),
            bytewise: row.get("bytewise"),
            finite: row.get("finite"),
        };
        (row.get::<_, i64>("oid"), found)
    });
    let by_oid: HashMap<i64, TypeRow> = types.collect();
    let money = by_oid.values().any(|found| found.name == "money" && found.schema == "pg_catalog");
    let money_in_cents = money && client.query_one(include_str!("sql/money.sql"), &[]).doing(READING)?.get(0);
    Ok(Types { by_oid, money_in_cents })
}

impl Types {
    /// The type behind an OID and a typmod, through any domains, and whether a domain forbids NULL.
    fn resolve(&self, oid: i64, typmod: i32, shown: &str) -> (ColumnType, bool) {
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
        (ColumnType { kind, oid: at as u32, name, domain, bytewise, finite }, not_null)
    }

    fn kind(&self, found: &TypeRow, typmod: i32, shown: &str) -> Kind {
        let length = || u32::try_from(typmod - VARHDRSZ).ok();
        let precision = || u8::try_from(typmod).unwrap_or(6).min(6);
        if found.kind == "e" {
            return Kind::Enum { labels: found.labels.clone() };
        }
        if found.category == "A" && found.element != 0 {
            let element = shown.strip_suffix("[]").unwrap_or(shown);
            let element = self.resolve(found.element, typmod, element).0;
            return Kind::Array(Box::new(ColumnType { oid: found.element as u32, ..element }));
        }
        match found.name.as_str() {
            "citext" => return Kind::Citext,
            "hstore" => return Kind::Hstore,
            _ => {}
        }
        if found.kind == "r" {
            let element = self.resolve(found.subtype, -1, "").0;
            return element.bent().map_or(Kind::Range(Box::new(element)), |how| Kind::Bent { how });
        }
        if found.kind != "b" {
            return Kind::Bent { how: SilentChange::PartsRounded };
        }
        if found.schema != "pg_catalog" {
            return Kind::Other;
        }
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
            "inet" => Kind::Inet,
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

/// Precision and scale of a numeric; the scale is signed in eleven bits.
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

fn sequences(
    client: &mut Client,
    schema: &str,
    found: &mut TargetSchema,
    names: &HashMap<i64, String>,
    numbers: &HashMap<(i64, i32), String>,
) -> Result<(), ServerError> {
    for row in client.query(include_str!("sql/sequences.sql"), &[&schema]).doing(READING)? {
        let oid: i64 = row.get("table_oid");
        let Some(column) = numbers.get(&(oid, row.get("column_no"))) else { continue };
        let table = names.get(&oid).and_then(|name| found.tables.get_mut(name));
        if let Some(column) = table.and_then(|t| t.columns.iter_mut().find(|c| c.name == *column)) {
            let counts = matches!(column.kind.kind, Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Numeric { .. });
            if !(counts && row.get("bare")) {
                column.draws = Some(row.get("name"));
                continue;
            }
            // The one that the default draws from comes last and stays.
            column.sequence = Some(Sequence {
                name: row.get("name"),
                increment: row.get("increment"),
                start: row.get("start"),
                min: row.get("min"),
                max: row.get("max"),
                owned: row.get("owned"),
            });
        }
    }
    Ok(())
}

fn constraints(
    client: &mut Client,
    schema: &str,
    found: &mut TargetSchema,
    names: &HashMap<i64, String>,
) -> Result<(), ServerError> {
    let mut tables: BTreeMap<&str, &mut TargetTable> = found.tables.iter_mut().map(|(n, t)| (n.as_str(), t)).collect();
    let mut of = |row: &Row, then: &mut dyn FnMut(&mut TargetTable)| {
        let name = names.get(&row.get::<_, i64>("table_oid")).map(String::as_str).unwrap_or_default();
        if let Some(table) = tables.get_mut(name) {
            then(table);
        }
    };
    for row in client.query(include_str!("sql/unique.sql"), &[&schema]).doing(READING)? {
        let key = TargetUnique {
            name: row.get("name"),
            columns: row.get("columns"),
            primary: row.get("is_primary"),
            nulls_equal: row.get("nulls_equal"),
            loose: row.get("loose"),
            deferrable: row.get("deferrable"),
        };
        of(&row, &mut |table| table.unique.push(key.clone()));
    }
    for row in client.query(include_str!("sql/constraints.sql"), &[&schema]).doing(READING)? {
        let is_foreign = row.get::<_, String>("kind") == "f";
        of(&row, &mut |table| {
            if is_foreign {
                table.foreign.push(foreign(&row));
            } else {
                table.checks.push((row.get("name"), row.get("definition")));
            }
        });
    }
    for row in client.query(include_str!("sql/triggers.sql"), &[&schema]).doing(READING)? {
        let enabled = row.get::<_, String>("enabled").chars().next().unwrap_or('O');
        of(&row, &mut |table| {
            table.triggers.push((row.get("name"), enabled));
            table.bending.extend(row.get::<_, bool>("bends").then(|| row.get("name")));
        });
    }
    Ok(())
}

fn foreign(row: &Row) -> ForeignKey {
    ForeignKey {
        name: row.get("name"),
        columns: row.get("columns"),
        parent_schema: row.get::<_, Option<String>>("parent_schema").unwrap_or_default(),
        parent: row.get::<_, Option<String>>("parent").unwrap_or_default(),
        parent_columns: row.get("parent_columns"),
        cascades: row.get("cascades"),
        deferrable: row.get("deferrable"),
    }
}

/// Which tables hold rows, in one query over those that may be read. (A policy of row-level security may fail, and hides
/// rows: where one applies, the table is refused anyway if it is wanted.)
pub(super) fn rows_there(client: &mut Client, found: &mut TargetSchema) -> Result<(), ServerError> {
    let rights = &found.rights;
    let may = |name: &&String| {
        let name = format!("{}.{name}", found.schema);
        let key = format!("TABLE {name}");
        // Any column will do to see whether a row is there.
        let read = rights.lack("SELECT", &key).is_none() || rights.on_columns("SELECT", &key).is_some();
        read && !rights.guarded.contains(&name)
    };
    let entered = rights.lack("USAGE", &format!("SCHEMA {}", found.schema)).is_none();
    let readable: Vec<&String> = found.tables.keys().filter(may).filter(|_| entered).collect();
    if readable.is_empty() {
        return Ok(());
    }
    let schema = quoted(&found.schema);
    let parts: Vec<String> =
        readable.iter().map(|name| format!("EXISTS (SELECT FROM {schema}.{})", quoted(name))).collect();
    let row = client.query_one(&format!("SELECT ARRAY[{}]", parts.join(", ")), &[]).doing(READING)?;
    let there: Vec<bool> = row.get(0);
    let holding: Vec<String> =
        readable.iter().zip(&there).filter(|(_, t)| **t).map(|(name, _)| (*name).clone()).collect();
    for name in holding {
        if let Some(table) = found.tables.get_mut(&name) {
            table.has_rows = true;
        }
    }
    Ok(())
}
