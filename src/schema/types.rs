//! The types that a column could have, in the order in which they are preferred: the declaration orders them, and the stored
//! values choose among them.

use super::tokens::{SourceToken, tokens};
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::schema::{Affinity, SourceColumn};

/// The largest precision of `numeric`.
const PRECISION: u16 = 1000;

/// A type by its kind, with its OID and its name.
pub fn column_type(kind: Kind) -> ColumnType {
    let (oid, name) = match &kind {
        Kind::Bool => (16, "boolean".to_owned()),
        Kind::Int8 => (20, "bigint".to_owned()),
        Kind::Float8 => (701, "double precision".to_owned()),
        Kind::Numeric { limit: None } => (1700, "numeric".to_owned()),
        Kind::Numeric { limit: Some((precision, scale)) } => (1700, format!("numeric({precision},{scale})")),
        Kind::Bytea => (17, "bytea".to_owned()),
        Kind::Date => (1082, "date".to_owned()),
        Kind::Time { .. } => (1083, "time".to_owned()),
        Kind::Timestamp { .. } => (1114, "timestamp".to_owned()),
        Kind::Timestamptz { .. } => (1184, "timestamptz".to_owned()),
        Kind::Uuid => (2950, "uuid".to_owned()),
        Kind::Jsonb => (3802, "jsonb".to_owned()),
        _ => (25, "text".to_owned()),
    };
    ColumnType::new(kind, oid, &name)
}

/// Timestamps with and without a zone. The texts that are stored decide which one it is.
fn times() -> [Kind; 2] {
    [Kind::Timestamptz { precision: 6 }, Kind::Timestamp { precision: 6 }]
}

/// Returns the affinity. ANY has none in a STRICT table, where it keeps the text '007' next to the number 7.
pub fn affinity_of(column: &SourceColumn) -> Affinity {
    if column.declared.eq_ignore_ascii_case("ANY") { Affinity::Blob } else { column.affinity() }
}

/// Returns the types that a column of this declaration could have.
pub fn possible_types(column: &SourceColumn) -> Vec<ColumnType> {
    if column.is_rowid {
        return vec![column_type(Kind::Int8)];
    }
    let (base, arguments) = declaration(&column.declared);
    let has = |part: &str| base.contains(part);
    let mut kinds = Vec::new();
    if has("BOOL") || base == "BIT" || (base == "TINYINT" && arguments == [1]) {
        kinds.push(Kind::Bool);
    } else if matches!(base.as_str(), "UUID" | "GUID" | "UNIQUEIDENTIFIER") {
        kinds.push(Kind::Uuid);
    } else if matches!(base.as_str(), "JSON" | "JSONB") {
        kinds.push(Kind::Jsonb);
    } else if has("DATETIME") || has("TIMESTAMP") {
        kinds.extend(times());
    } else if base == "DATE" {
        kinds.push(Kind::Date);
        kinds.extend(times());
    } else if base == "TIME" {
        kinds.push(Kind::Time { precision: 6 });
    } else if has("BINARY") || base == "BYTEA" {
        kinds.push(Kind::Bytea);
    }
    let numeric = Kind::Numeric { limit: None };
    match affinity_of(column) {
        Affinity::Integer => kinds.extend([Kind::Int8, Kind::Float8, numeric]),
        Affinity::Real => kinds.extend([Kind::Float8, numeric]),
        Affinity::Numeric => {
            kinds.extend(limit(&arguments).map(|limit| Kind::Numeric { limit: Some(limit) }));
            let is_decimal = matches!(base.as_str(), "NUMERIC" | "DECIMAL" | "DEC" | "NUMBER" | "MONEY");
            kinds.extend(if is_decimal {
                [numeric, Kind::Float8].to_vec()
            } else {
                [Kind::Int8, Kind::Float8, numeric].to_vec()
            });
        }
        Affinity::Text => {}
        Affinity::Blob => kinds.extend([Kind::Bytea, Kind::Int8, Kind::Float8]),
    }
    kinds.push(Kind::Text);
    if affinity_of(column) != Affinity::Blob {
        kinds.push(Kind::Bytea);
    }
    kinds.into_iter().map(column_type).collect()
}

/// Returns the words of a declared type in capitals, and its arguments that are whole numbers.
fn declaration(declared: &str) -> (String, Vec<u16>) {
    let (mut words, mut arguments) = (Vec::new(), Vec::new());
    for token in tokens(declared).unwrap_or_default() {
        match token {
            SourceToken::Word(word) | SourceToken::DoubleQuoted(word) | SourceToken::Name(word) => {
                words.push(word.to_ascii_uppercase());
            }
            SourceToken::Number(digits) => arguments.extend(digits.parse::<u16>()),
            _ => {}
        }
    }
    (words.join(" "), arguments)
}

/// Precision and scale of `numeric`. `None` unless every version of PostgreSQL has them.
fn limit(arguments: &[u16]) -> Option<(u16, i16)> {
    let (precision, scale) = match arguments {
        [precision] => (*precision, 0),
        [precision, scale] => (*precision, *scale),
        _ => return None,
    };
    let is_valid = (1..=PRECISION).contains(&precision) && scale <= precision;
    is_valid.then_some((precision, i16::try_from(scale).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(declared: &str) -> Vec<String> {
        let column = SourceColumn { declared: declared.to_owned(), ..SourceColumn::default() };
        possible_types(&column).into_iter().map(|kind| kind.name).collect()
    }

    #[test]
    fn the_declaration_orders_the_types() {
        for (declared, expected) in [
            ("INTEGER", &["bigint", "double precision", "numeric", "text", "bytea"][..]),
            ("UNSIGNED BIG INT", &["bigint", "double precision", "numeric", "text", "bytea"]),
            ("tinyint(1)", &["boolean", "bigint", "double precision", "numeric", "text", "bytea"]),
            ("DECIMAL(10, 2)", &["numeric(10,2)", "numeric", "double precision", "text", "bytea"]),
            ("DECIMAL(2, 10)", &["numeric", "double precision", "text", "bytea"]),
            ("varchar(20)", &["text", "bytea"]),
            ("DATE", &["date", "timestamptz", "timestamp", "bigint", "double precision", "numeric", "text", "bytea"]),
            ("float", &["double precision", "numeric", "text", "bytea"]),
            ("json", &["jsonb", "bigint", "double precision", "numeric", "text", "bytea"]),
            ("", &["bytea", "bigint", "double precision", "text"]),
            ("ANY", &["bytea", "bigint", "double precision", "text"]),
        ] {
            assert_eq!(types(declared), expected, "{declared}");
        }
    }
}
