//! The SQL text of a scan: a [`Select`] as a statement that reads a range of keys in the order of the rows.
//!
//! Only the text; `scan` executes it. This program's parameters begin with `$`, those of the mapping with `:`.

use rusqlite::Statement;

use super::error::{ErrorClass, Said, SourceError};
use super::schema::KeyColumn;
use super::value::BoundValue;
use crate::model::cell::{Raw, RawBuf};
use crate::model::ident::{quoted, quoted_list};
use crate::model::key::Key;
use crate::model::schema::Address;
use crate::model::select::{Expr, Relation, Select};

/// The order in which the rows of a relation are read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Walk {
    /// In the order of these columns, each an SQL expression.
    Keyed(Vec<KeyTerm>),
    /// In the order of the query, counted from 1.
    Counted,
}

/// One column of a key, as SQL.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct KeyTerm {
    /// The column as it is read.
    pub column: String,
    /// The column as it is compared and ordered by: with the key's collation.
    pub sql: String,
    /// True if rows are in descending order of the column.
    pub descending: bool,
}

impl Walk {
    /// Returns the order of this select's rows. `key` is the table's key if it has no rowid.
    pub fn of(select: &Select, key: Option<&[KeyColumn]>) -> Walk {
        match (&select.relation, &select.address, key) {
            (Relation::Table(_), Address::Rowid(name), _) => {
                // The rowid's own name is not quoted, so that it can refer to nothing else.
                let own = ["rowid", "_rowid_", "oid"].contains(&name.as_str());
                let sql = if own { name.clone() } else { quoted(name) };
                Walk::Keyed(vec![KeyTerm { column: sql.clone(), sql, descending: false }])
            }
            (Relation::Table(_), Address::Key(_), Some(key)) => Walk::Keyed(
                key.iter()
                    .map(|part| KeyTerm {
                        column: quoted(&part.name),
                        sql: match part.own {
                            true => quoted(&part.name),
                            false => format!("{} COLLATE {}", quoted(&part.name), quoted(&part.collation)),
                        },
                        descending: part.descending,
                    })
                    .collect(),
            ),
            _ => Walk::Counted,
        }
    }

    /// Returns the number of key columns with which a row begins.
    pub fn width(&self) -> usize {
        match self {
            Walk::Keyed(steps) => steps.len(),
            Walk::Counted => 0,
        }
    }
}

/// The rows of the relation that a statement reads.
#[derive(Clone, Copy, Default)]
pub(super) struct StatementRange<'a> {
    /// Exclusive.
    pub after: Option<&'a Key>,
    /// Inclusive.
    pub until: Option<&'a Key>,
    /// Only this row.
    pub only: Option<&'a Key>,
}

/// Returns the statement that reads `exprs` of the relation, keys first. A counted walk skips `$skip` rows.
pub(super) fn sql(select: &Select, walk: &Walk, exprs: &[Expr], range: StatementRange<'_>) -> String {
    let mut cells: Vec<String> = exprs.iter().map(expression).collect();
    match (&select.relation, walk) {
        (Relation::Table(table), Walk::Keyed(steps)) => {
            let cells: Vec<String> = steps.iter().map(|step| step.column.clone()).chain(cells).collect();
            let mut sql = format!("SELECT {} FROM main.{} NOT INDEXED", cells.join(", "), quoted(table));
            let mut conditions = Vec::new();
            if range.after.is_some() {
                conditions.push(beyond(steps, "after"));
            }
            if range.until.is_some() {
                conditions.push(within(steps, "until"));
            }
            if range.only.is_some() {
                conditions.push(equal(steps, "only"));
            }
            if !conditions.is_empty() {
                sql.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
            }
            sql.push_str(&format!(" ORDER BY {}", order(steps)));
            sql
        }
        (Relation::Table(table), Walk::Counted) => {
            at_least_one(&mut cells);
            format!("SELECT {} FROM main.{} NOT INDEXED LIMIT -1 OFFSET $skip", cells.join(", "), quoted(table))
        }
        (relation, _) => {
            at_least_one(&mut cells);
            format!("WITH {} SELECT {} FROM migrate_rows AS relation", derived(relation), cells.join(", "))
        }
    }
}

/// Returns the relation of SQL or of rows as a common table expression named `migrate_rows`.
///
/// The OFFSET prevents SQLite from merging it with the outer query. Therefore its order does not depend on the
/// expressions, and a skipped row is not computed.
pub(super) fn derived(relation: &Relation) -> String {
    match relation {
        Relation::Rows { columns, rows } => {
            let names = if columns.is_empty() { "migrate_nothing".to_owned() } else { quoted_list(columns) };
            let row = format!("({})", vec!["?"; columns.len()].join(", "));
            let row = if columns.is_empty() { "(NULL)".to_owned() } else { row };
            let values = if rows.is_empty() {
                format!("SELECT {} WHERE 0", vec!["NULL"; columns.len().max(1)].join(", "))
            } else {
                format!("VALUES {}", vec![row; rows.len()].join(", "))
            };
            format!(
                "migrate_given({names}) AS ({values}), \
                 migrate_rows AS (SELECT * FROM migrate_given LIMIT -1 OFFSET $skip)"
            )
        }
        Relation::Sql(sql) => {
            format!("migrate_rows AS (SELECT * FROM (\n{}\n) LIMIT -1 OFFSET $skip)", trimmed(sql))
        }
        Relation::Table(table) => {
            format!("migrate_rows AS (SELECT * FROM main.{} LIMIT -1 OFFSET $skip)", quoted(table))
        }
    }
}

/// Returns SQL of the mapping without semicolons at its end.
pub(super) fn trimmed(sql: &str) -> &str {
    sql.trim_end_matches(|c: char| c == ';' || c.is_whitespace())
}

/// Returns an expression in parentheses. The line break ends a comment in it.
pub(super) fn expression(expr: &Expr) -> String {
    match expr {
        Expr::Column(name) => quoted(name),
        Expr::Sql(sql) => format!("({sql}\n)"),
    }
}

fn at_least_one(cells: &mut Vec<String>) {
    if cells.is_empty() {
        cells.push("NULL".to_owned());
    }
}

fn order(steps: &[KeyTerm]) -> String {
    let words = steps.iter().map(|step| format!("{}{}", step.sql, if step.descending { " DESC" } else { "" }));
    words.collect::<Vec<_>>().join(", ")
}

fn equal(steps: &[KeyTerm], name: &str) -> String {
    let words = steps.iter().enumerate().map(|(n, step)| format!("{} = ${name}{n}", step.sql));
    words.collect::<Vec<_>>().join(" AND ")
}

/// Returns the condition for rows after the key.
fn beyond(steps: &[KeyTerm], name: &str) -> String {
    compare(steps, name, false)
}

/// Returns the condition for rows up to the key.
fn within(steps: &[KeyTerm], name: &str) -> String {
    compare(steps, name, true)
}

/// Compares a row's position with a key. If all columns have one direction it is a row value, for which SQLite seeks by
/// all columns. Otherwise the first column limits the seek and the rest is written as conditions.
fn compare(steps: &[KeyTerm], name: &str, before: bool) -> String {
    let operator = |step: &KeyTerm| if step.descending == before { ">" } else { "<" };
    if let [step] = steps {
        return format!("{} {}{} ${name}0", step.sql, operator(step), if before { "=" } else { "" });
    }
    if steps.windows(2).all(|pair| pair[0].descending == pair[1].descending) {
        let left: Vec<&str> = steps.iter().map(|step| step.sql.as_str()).collect();
        let right: Vec<String> = (0..steps.len()).map(|n| format!("${name}{n}")).collect();
        let equals = if before { "=" } else { "" };
        return format!("({}) {}{equals} ({})", left.join(", "), operator(&steps[0]), right.join(", "));
    }
    let mut ways: Vec<String> = (0..steps.len())
        .map(|n| {
            let mut parts: Vec<String> = Vec::new();
            if n > 0 {
                parts.push(equal(&steps[..n], name));
            }
            parts.push(format!("{} {} ${name}{n}", steps[n].sql, operator(&steps[n])));
            parts.join(" AND ")
        })
        .collect();
    if before {
        ways.push(equal(steps, name));
    }
    let bound = format!("{} {}= ${name}0", steps[0].sql, operator(&steps[0]));
    format!("{bound} AND ({})", ways.join(" OR "))
}

/// The values of the parameters of a statement.
pub(super) struct StatementValues<'a> {
    pub select: &'a Select,
    pub range: StatementRange<'a>,
    /// Rows that are skipped: in a counted walk those before it, in a keyed walk those that are skipped to find a key.
    pub skip: Option<u64>,
}

/// Binds all parameters, this program's and the mapping's. A parameter without a value is an error, never NULL.
pub(super) fn bind(statement: &mut Statement<'_>, values: &StatementValues<'_>) -> Result<(), SourceError> {
    bind_except(statement, values, |_| false)
}

/// Binds all parameters except those that are bound later.
pub(super) fn bind_except(
    statement: &mut Statement<'_>,
    values: &StatementValues<'_>,
    is_later: impl Fn(&str) -> bool,
) -> Result<(), SourceError> {
    let given: Vec<&RawBuf> = match &values.select.relation {
        Relation::Rows { columns, rows } if rows.iter().any(|row| row.len() != columns.len()) => {
            return Err(SourceError::new(ErrorClass::Other, "rows of the mapping", "differ in length"));
        }
        Relation::Rows { rows, .. } => rows.iter().flatten().collect(),
        _ => Vec::new(),
    };
    for index in 1..=statement.parameter_count() {
        let name = statement.parameter_name(index).map(str::to_owned);
        if name.as_deref().is_some_and(&is_later) {
            continue;
        }
        let value = match name.as_deref() {
            None => given.get(index - 1).map(|value| value.as_raw()),
            Some("$skip") => values.skip.map(|skip| Raw::Integer(i64::try_from(skip).unwrap_or(i64::MAX))),
            Some(name) => match name.split_at_checked(1) {
                Some((":", name)) => values.select.params.get(name).map(RawBuf::as_raw),
                Some(("$", name)) => of_key(name, values.range),
                _ => None,
            },
        };
        let Some(value) = value else { return Err(no_such_parameter(name.as_deref())) };
        bind_value(statement, index, value)?;
    }
    Ok(())
}

/// Binds one value.
pub(super) fn bind_value(statement: &mut Statement<'_>, index: usize, value: Raw<'_>) -> Result<(), SourceError> {
    statement.raw_bind_parameter(index, BoundValue(value)).map_err(|error| {
        let said = Said::of(&error);
        SourceError::new(ErrorClass::Other, "parameter", "cannot be bound").because(said.discreet())
    })
}

/// Returns a part of one of the keys: `after0`, `until1`, ...
fn of_key<'a>(name: &str, range: StatementRange<'a>) -> Option<Raw<'a>> {
    let keys = [("after", range.after), ("until", range.until), ("only", range.only)];
    keys.into_iter().find_map(|(word, key)| {
        let n: usize = name.strip_prefix(word)?.parse().ok()?;
        key?.0.get(n).map(RawBuf::as_raw)
    })
}

fn no_such_parameter(name: Option<&str>) -> SourceError {
    let name = name.unwrap_or("?");
    SourceError::new(ErrorClass::Sql, format!("parameter {name}"), "has no value")
        .because("SQL of a mapping may use :owner_... and nothing else")
        .advise("Write the value itself, or an existing parameter.")
}

/// The maximum number of values of a mapping bound to one statement. SQLite's own limit is 32,766.
pub(super) const MOST_VALUES: usize = 16_000;
