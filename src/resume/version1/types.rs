//! The target's types, sequences and tables, as ledgers of version 1 have them.

use super::debug::{list, option, record, text, texts, variant};
use crate::model::pgtype::{ColumnType, IntervalField, Kind, SilentChange};
use crate::model::schema::{ForeignKey, Sequence, TargetColumn, TargetTable, TargetUnique};

pub fn column_type(of: &ColumnType) -> String {
    let ColumnType { kind: values, oid, name, domain, bytewise, finite } = of;
    record(
        "ColumnType",
        [
            ("kind", kind(values)),
            ("oid", oid.to_string()),
            ("name", text(name)),
            ("domain", option(domain.as_deref().map(text))),
            ("bytewise", bytewise.to_string()),
            ("finite", finite.to_string()),
        ],
    )
}

/// The first OID of a type that a database itself created (`FirstNormalObjectId` in the server's source).
const FIRST_OWN_OID: u32 = 16_384;

/// Returns true if the text of a type contains the OID of a type that this database created.
pub fn is_own(of: &ColumnType) -> bool {
    let element = match &of.kind {
        Kind::Array(element) | Kind::Range(element) => Some(element),
        _ => None,
    };
    of.oid >= FIRST_OWN_OID || element.is_some_and(|element| is_own(element))
}

fn kind(values: &Kind) -> String {
    let digits = |name: &str, precision: &u8| record(name, [("precision", precision.to_string())]);
    match values {
        Kind::Bool => "Bool".to_owned(),
        Kind::Int2 => "Int2".to_owned(),
        Kind::Int4 => "Int4".to_owned(),
        Kind::Int8 => "Int8".to_owned(),
        Kind::Float4 => "Float4".to_owned(),
        Kind::Float8 => "Float8".to_owned(),
        Kind::Numeric { limit } => {
            let limit = limit.map(|(precision, scale)| variant("", [precision.to_string(), scale.to_string()]));
            record("Numeric", [("limit", option(limit))])
        }
        Kind::Text => "Text".to_owned(),
        Kind::Varchar { limit } => record("Varchar", [("limit", option(limit.map(|limit| limit.to_string())))]),
        Kind::Char { width } => record("Char", [("width", width.to_string())]),
        Kind::Citext => "Citext".to_owned(),
        Kind::Bytea => "Bytea".to_owned(),
        Kind::Date => "Date".to_owned(),
        Kind::Time { precision } => digits("Time", precision),
        Kind::Timestamp { precision } => digits("Timestamp", precision),
        Kind::Timestamptz { precision } => digits("Timestamptz", precision),
        Kind::Interval { precision } => digits("Interval", precision),
        Kind::IntervalOf { least, precision } => {
            record("IntervalOf", [("least", interval_field(*least).to_owned()), ("precision", precision.to_string())])
        }
        Kind::Uuid => "Uuid".to_owned(),
        Kind::Json => "Json".to_owned(),
        Kind::Jsonb => "Jsonb".to_owned(),
        Kind::Inet => "Inet".to_owned(),
        Kind::Enum { labels } => record("Enum", [("labels", texts(labels))]),
        Kind::Array(element) => variant("Array", [column_type(element)]),
        Kind::Money => "Money".to_owned(),
        Kind::Timetz { precision } => digits("Timetz", precision),
        Kind::Range(element) => variant("Range", [column_type(element)]),
        Kind::Hstore => "Hstore".to_owned(),
        Kind::Tsvector => "Tsvector".to_owned(),
        Kind::InetAsText => "InetAsText".to_owned(),
        Kind::Cidr => "Cidr".to_owned(),
        Kind::Geometry => "Geometry".to_owned(),
        Kind::Bent { how } => record("Bent", [("how", text(silent_change(*how)))]),
        Kind::Other => "Other".to_owned(),
    }
}

fn interval_field(field: IntervalField) -> &'static str {
    match field {
        IntervalField::Year => "Year",
        IntervalField::Month => "Month",
        IntervalField::Day => "Day",
        IntervalField::Hour => "Hour",
        IntervalField::Minute => "Minute",
        IntervalField::Second => "Second",
    }
}

/// Returns the sentence of version 1, word for word.
fn silent_change(how: SilentChange) -> &'static str {
    match how {
        SilentChange::CurrencyUnit => "counts it in a unit that lc_monetary says, here not in hundredths",
        SilentChange::CutTo63Bytes => "cuts it to 63 bytes",
        SilentChange::CutToOneByte => "cuts it to one byte",
        SilentChange::EightBytesOfSix => "makes eight bytes of six",
        SilentChange::Computed => "computes it from what is written",
        SilentChange::PartsRounded => "rounds and cuts its parts",
        SilentChange::Internal => "reads it as it needs it itself",
    }
}

pub fn sequence(from: &Sequence) -> String {
    let Sequence { name, increment, start, min, max, owned } = from;
    record(
        "Sequence",
        [
            ("name", text(name)),
            ("increment", increment.to_string()),
            ("start", start.to_string()),
            ("min", min.to_string()),
            ("max", max.to_string()),
            ("owned", owned.to_string()),
        ],
    )
}

/// Writes a table without its OID, its rows and rights on it.
pub fn table_text(schema: &str, table: &TargetTable) -> String {
    let TargetTable {
        oid: _,
        columns,
        unique,
        foreign,
        checks,
        triggers,
        bending: _,
        inserting: _,
        has_rows: _,
        unlogged: _,
        heirs: _,
        rules: _,
        altered: _,
    } = table;
    let mut lines = vec![schema.to_owned()];
    lines.extend(columns.iter().map(|column| {
        let TargetColumn { name, kind, not_null, has_default, generated, sequence, draws: _, drawn_in_partitions: _ } =
            column;
        let domain = option(kind.domain.as_deref().map(text));
        let sequence = option(sequence.as_ref().map(|sequence| text(&sequence.name)));
        format!("{name} {} {domain} {not_null} {has_default} {generated} {sequence}", kind.name)
    }));
    lines.push(format!(
        "{} {} {} {}",
        list(unique.iter().map(unique_key)),
        list(foreign.iter().map(foreign_key)),
        list(checks.iter().map(|(name, definition)| variant("", [text(name), text(definition)]))),
        list(triggers.iter().map(|(name, enabled)| variant("", [text(name), format!("{enabled:?}")]))),
    ));
    lines.join("\n")
}

fn unique_key(key: &TargetUnique) -> String {
    let TargetUnique { name, columns, primary, nulls_equal, loose, deferrable } = key;
    record(
        "TargetUnique",
        [
            ("name", text(name)),
            ("columns", texts(columns)),
            ("primary", primary.to_string()),
            ("nulls_equal", nulls_equal.to_string()),
            ("loose", loose.to_string()),
            ("deferrable", deferrable.to_string()),
        ],
    )
}

fn foreign_key(key: &ForeignKey) -> String {
    let ForeignKey {
        name,
        columns,
        parent_schema,
        parent,
        parent_columns,
        cascades,
        deferrable,
        match_full: _,
        is_enforced: _,
    } = key;
    record(
        "ForeignKey",
        [
            ("name", text(name)),
            ("columns", texts(columns)),
            ("parent_schema", text(parent_schema)),
            ("parent", text(parent)),
            ("parent_columns", texts(parent_columns)),
            ("cascades", cascades.to_string()),
            ("deferrable", deferrable.to_string()),
        ],
    )
}
