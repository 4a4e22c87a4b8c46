//! Defaults that are literals or the current time, as the type of their column has them.

use super::compared::ComparedSql;
use super::expression::{
    BinaryOperator, OVERFLOW, Scope, SqlExpr, UnaryOperator, ValueSort, current_default, current_epoch, expression,
};
use super::literals::{number, value};
use super::names::text_literal;
use super::stored::TriedColumn;
use super::tokens::{SourceToken, sql, tokens};
use crate::convert::{Converter, Settled};
use crate::model::cell::{Cell, RawBuf};
use crate::model::fault::{Loss, LossSet};
use crate::model::hex::hex;
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::rules::Rules;

/// The default of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultSql {
    /// SQL of PostgreSQL that always has the same value.
    Sql(String),
    /// SQL of PostgreSQL whose value is the time or random.
    Changing(String),
    /// NULL, which every column without a default has.
    Null,
}

impl DefaultSql {
    /// Returns the SQL.
    pub fn into_sql(self) -> String {
        match self {
            DefaultSql::Sql(sql) | DefaultSql::Changing(sql) => sql,
            DefaultSql::Null => "NULL".to_owned(),
        }
    }

    /// Returns both sides of its comparison with the default of the source. `None` if its value changes.
    pub fn compared(&self, source: &str, kind: &ColumnType) -> Option<ComparedSql> {
        let DefaultSql::Sql(target) = self else { return None };
        let tokens: Vec<SourceToken> = match tokens(source)?.as_slice() {
            // SQLite takes a single word for a text.
            [word @ SourceToken::Word(name)] if !word.is_word("TRUE") && !word.is_word("FALSE") => {
                vec![SourceToken::Text(name.clone())]
            }
            [SourceToken::Name(name)] => vec![SourceToken::Text(name.clone())],
            all => all.to_vec(),
        };
        Some(ComparedSql::default(&sql(&tokens, &[]), target, kind))
    }
}

/// Returns the default for PostgreSQL. `scope`: one without columns.
///
/// # Errors
/// The reason for which the column cannot have it.
pub fn default_sql(default: &str, kind: &ColumnType, scope: &Scope) -> Result<DefaultSql, String> {
    let tokens = tokens(default).ok_or("its text cannot be read")?;
    let word = match tokens.as_slice() {
        [SourceToken::Word(word)] => word.to_ascii_uppercase(),
        _ => String::new(),
    };
    match word.as_str() {
        "NULL" => Ok(DefaultSql::Null),
        "CURRENT_TIMESTAMP" | "CURRENT_DATE" | "CURRENT_TIME" => {
            let function = match word.as_str() {
                "CURRENT_DATE" => "date",
                "CURRENT_TIME" => "time",
                _ => "datetime",
            };
            let found = current_default(&SqlExpr::Call(function.to_owned(), Vec::new()), &kind.kind).ok().flatten();
            let why = || format!("{word} is a text, which a column of {} does not hold", kind.name);
            found.map(DefaultSql::Changing).ok_or_else(why)
        }
        _ => match value(&tokens) {
            Some(value) => constant(&value, kind).map(DefaultSql::Sql).ok_or_else(|| {
                format!("a column of {} does not hold its value without a rule of the mapping", kind.name)
            }),
            None => computed(&tokens, kind, scope),
        },
    }
}

/// Returns true if SQL is the current time as a number in another unit than the stored numbers of a column.
pub fn is_other_unit(sql: &str, stored: &TriedColumn, kind: &ColumnType) -> bool {
    let unit = tokens(sql).and_then(|tokens| current_epoch(&expression(&tokens).ok()?));
    let epochs = stored.epochs(&kind.kind);
    unit.is_some_and(|unit| !epochs.is_empty() && !epochs.contains(&unit))
}

/// Returns a default that is an expression.
fn computed(tokens: &[SourceToken], kind: &ColumnType, scope: &Scope) -> Result<DefaultSql, String> {
    let expression = expression(tokens)?;
    if let Some(current) = current_default(&expression, &kind.kind)? {
        return Ok(DefaultSql::Changing(current));
    }
    let found = scope.translate(&expression)?;
    if ValueSort::of(&kind.kind) != Some(found.sort) {
        return Err(format!("its value has another form in a column of {}", kind.name));
    }
    if found.can_overflow && whole_number(&expression).is_none() {
        return Err(OVERFLOW.to_owned());
    }
    Ok(DefaultSql::Sql(format!("({})", found.sql)))
}

/// Returns the value of arithmetic on literal numbers, if each step of it is within the range of its type.
fn whole_number(expression: &SqlExpr) -> Option<i64> {
    match expression {
        SqlExpr::Integer(number) => Some(*number),
        SqlExpr::Unary(UnaryOperator::Minus, operand) => whole_number(operand)?.checked_neg(),
        SqlExpr::Binary(operator, left, right) => {
            let (left, right) = (whole_number(left)?, whole_number(right)?);
            match operator {
                BinaryOperator::Add => left.checked_add(right),
                BinaryOperator::Subtract => left.checked_sub(right),
                BinaryOperator::Multiply => left.checked_mul(right),
                BinaryOperator::Divide => left.checked_div(right),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Returns a value as a literal of a type. `None` if the type does not hold it as it is.
pub fn constant(value: &RawBuf, kind: &ColumnType) -> Option<String> {
    let converter = Converter::new(kind, &Rules::default(), &Settled::default()).ok()?;
    let mut losses = LossSet::default();
    let cell = converter.convert(value.as_raw(), &mut losses).ok()?;
    if losses.contains(Loss::FloatNoise) {
        return None;
    }
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(text_literal);
    match (&kind.kind, value, cell) {
        (Kind::Bool, _, Cell::Bool(value)) => Some(value.to_string()),
        (Kind::Int8, _, Cell::Int8(value)) => Some(value.to_string()),
        (Kind::Float8 | Kind::Numeric { .. }, RawBuf::Integer(value), _) => Some(value.to_string()),
        (Kind::Float8 | Kind::Numeric { .. }, RawBuf::Real(value), _) => Some(format!("{value:?}")),
        (Kind::Float8 | Kind::Numeric { .. }, RawBuf::Text(digits), _) => {
            let digits = std::str::from_utf8(digits).ok()?;
            match number(
                digits.trim().trim_start_matches(['-', '+']),
                if digits.trim().starts_with('-') { "-" } else { "" },
            )? {
                RawBuf::Integer(value) => Some(value.to_string()),
                RawBuf::Real(value) => Some(format!("{value:?}")),
                _ => None,
            }
        }
        (Kind::Text, RawBuf::Integer(value), _) => Some(format!("'{value}'")),
        (Kind::Text, RawBuf::Text(bytes), _) => text(bytes),
        (Kind::Bytea, RawBuf::Blob(bytes), _) => Some(format!("'\\x{}'", hex(bytes))),
        (Kind::Text | Kind::Bytea, _, _) => None,
        (_, RawBuf::Text(bytes), _) => text(bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::types::column_type;

    fn sql(default: &str, kind: Kind) -> Result<DefaultSql, String> {
        default_sql(default, &column_type(kind), &Scope::default())
    }

    fn is(default: &str, kind: Kind, expected: &str) {
        let found = sql(default, kind).map(DefaultSql::into_sql);
        assert_eq!(found.as_deref(), Ok(expected), "{default}");
    }

    #[test]
    fn literals_have_the_form_of_their_type() {
        let numeric = || Kind::Numeric { limit: Some((10, 2)) };
        for (default, expected) in [("1", "true"), ("'0'", "false"), ("'t'", "true"), ("FALSE", "false")] {
            is(default, Kind::Bool, expected);
        }
        for (default, expected) in [("0x1F", "31"), ("- 5", "-5"), ("+3", "3"), ("1_000", "1000"), ("'7'", "7")] {
            is(default, Kind::Int8, expected);
        }
        for (default, expected) in [(".5", "0.5"), ("5.", "5.0"), ("1e5", "100000.0"), ("0", "0")] {
            is(default, Kind::Float8, expected);
        }
        is("9.75", numeric(), "9.75");
        is("\"abc\"", Kind::Text, "'abc'");
        is("'it''s'", Kind::Text, "'it''s'");
        is("5", Kind::Text, "'5'");
        is("x'00ff'", Kind::Bytea, "'\\x00ff'");
        is("'[]'", Kind::Jsonb, "'[]'");
        assert_eq!(sql("NULL", Kind::Int8), Ok(DefaultSql::Null));
    }

    #[test]
    fn a_default_that_the_type_does_not_hold_is_refused() {
        for (default, kind) in [
            ("2", Kind::Bool),
            ("'abc'", Kind::Int8),
            ("1.5", Kind::Int8),
            ("1.0", Kind::Text),
            ("x'00'", Kind::Text),
            ("0", Kind::Timestamptz { precision: 6 }),
            ("'2024-01-01 10:00:00'", Kind::Timestamptz { precision: 6 }),
            ("'{'", Kind::Jsonb),
            ("random()", Kind::Int8),
            ("CURRENT_TIMESTAMP", Kind::Int8),
        ] {
            assert!(sql(default, kind).is_err(), "{default}");
        }
    }

    #[test]
    fn the_current_time_and_random_digits_have_the_form_of_their_type() {
        let (zoned, plain) = (Kind::Timestamptz { precision: 6 }, Kind::Timestamp { precision: 6 });
        is("datetime('now')", zoned.clone(), "now()");
        is("datetime('now')", plain, "(now() AT TIME ZONE 'UTC')");
        is("unixepoch()", zoned, "now()");
        is("date('now')", Kind::Date, "(now() AT TIME ZONE 'UTC')::date");
        let written = "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')";
        is("strftime('%Y-%m-%dT%H:%M:%fZ', 'now')", Kind::Text, written);
        let seconds = "floor(extract(epoch from now()))::bigint";
        is("CAST(strftime('%s','now') AS INTEGER)", Kind::Int8, seconds);
        is("unixepoch() * 1000", Kind::Int8, &format!("{seconds} * 1000"));
        is("lower(hex(randomblob(16)))", Kind::Uuid, "gen_random_uuid()");
        is("'r' || 'x'", Kind::Text, "('r' || 'x')");
        for (default, kind) in
            [("datetime('now','localtime')", Kind::Text), ("random()", Kind::Int8), ("1 + 1", Kind::Text)]
        {
            assert!(sql(default, kind).is_err(), "{default}");
        }
    }
}
