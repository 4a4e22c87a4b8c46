//! Questions to the server about rows that are not written: conditions on a row, keys that an index computes, and keys that
//! rows of the table have already.
//!
//! Rows are sent as arrays of their columns. Nothing is written; an answer is the positions of rows.

use postgres::Row;

use super::asked_rows::{AskedRows, ReadColumn, TableName};
use super::client::Client;
use super::error::{Doing, ServerError};
use super::inspect::ServerOnlyCheck;
use super::query::TypedQuery;
use super::row::RowValues;
use super::session::Session;
use super::trial::TrialObject;
use crate::model::ident::{qualified, quoted};
use crate::model::record::CheckKind;

const ASKING: &str = "asking for the constraints of rows";

const EVALUATING: &str = "evaluating the constraints of rows";

/// A condition on a row: false, or an error, means that the server would refuse the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowCondition {
    /// The table.
    pub table: String,
    /// The kind of check.
    pub kind: CheckKind,
    /// The name of the constraint, index, column or table.
    pub name: String,
    /// The condition over the table's columns.
    pub expression: String,
    /// The columns that it reads. Empty if it reads whole rows.
    pub columns: Vec<ReadColumn>,
    /// True if it calls functions of the application that depend on the search path. Then the expression is printed and
    /// evaluated under the application's path.
    pub calls_code: bool,
    /// True if it is the domain of a column.
    pub is_domain: bool,
}

/// The constraints of tables.
#[derive(Clone, Debug, Default)]
pub struct TableConstraints {
    /// The conditions on rows that the server can evaluate in advance.
    pub conditions: Vec<RowCondition>,
    /// The unique indexes whose keys the server computes, or that contain some rows only.
    pub computed: Vec<ComputedKey>,
    /// The B-tree indexes and the exclusion constraints.
    pub trial_objects: Vec<TrialObject>,
    /// The checks that only the server can make, when rows are written. A trigger is listed also if the load disables it.
    pub unseen: Vec<ServerOnlyCheck>,
    /// The reading of text by the type of each column.
    pub inputs: Vec<TextInput>,
}

/// The reading of text by the type of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextInput {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// The call of the type's input function, over the text `v`.
    pub call: String,
}

/// A unique index whose keys the server computes, or that contains some rows only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComputedKey {
    /// The table.
    pub table: String,
    /// The index.
    pub name: String,
    /// Its columns, as SQL over the table's columns.
    pub keys: Vec<String>,
    /// The condition under which it contains a row.
    pub predicate: String,
    /// True if NULL equals NULL.
    pub nulls_equal: bool,
    /// True if equal keys have equal texts.
    pub is_comparable: bool,
    /// The columns that it reads.
    pub columns: Vec<ReadColumn>,
    /// True if it calls functions of the application that depend on the search path.
    pub calls_code: bool,
}

/// A unique key that rows of the table may have already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakenKey {
    /// Over plain columns.
    Plain {
        /// The columns.
        columns: Vec<String>,
        /// True if NULL equals NULL.
        nulls_equal: bool,
    },
    /// Over expressions, or over some rows.
    Computed(ComputedKey),
}

impl TakenKey {
    /// Returns the columns that its expressions read, with their collations. Empty if it has no expressions.
    pub fn read(&self) -> &[ReadColumn] {
        match self {
            TakenKey::Plain { .. } => &[],
            TakenKey::Computed(key) => &key.columns,
        }
    }
}

impl ComputedKey {
    /// The condition under which a row has a key that another row may have.
    fn has_key(&self) -> String {
        let known = |key: &String| format!(" AND ({key}) IS NOT NULL");
        let known: String = if self.nulls_equal { String::new() } else { self.keys.iter().map(known).collect() };
        format!("({}){known}", self.predicate)
    }
}

impl Session {
    /// Reads the constraints of tables that rows can be compared with before they are written.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn table_constraints(&mut self, schema: &str, tables: &[String]) -> Result<TableConstraints, ServerError> {
        let of = |sql: &'static str| TypedQuery::new(ASKING, sql).with(&schema).with(&tables);
        let [conditions, printed, computed, trial_objects, unseen, inputs] = self.ask([
            of(include_str!("sql/row_conditions.sql")),
            // An expression must be evaluated under the search path under which it was printed.
            of(include_str!("sql/check_expressions.sql")).of_application(),
            of(include_str!("sql/computed_keys.sql")),
            of(include_str!("sql/trial_objects.sql")),
            of(include_str!("sql/server_only_checks.sql")),
            of(include_str!("sql/text_inputs.sql")),
        ])?;
        Ok(TableConstraints {
            conditions: conditions.iter().map(|row| condition(row, &printed)).collect::<Result<_, _>>()?,
            computed: computed.iter().map(computed_key).collect::<Result<_, _>>()?,
            trial_objects: trial_objects.iter().map(TrialObject::of_row).collect::<Result<_, _>>()?,
            unseen: unseen.iter().map(ServerOnlyCheck::of_row).collect::<Result<_, _>>()?,
            inputs: inputs.iter().map(text_input).collect::<Result<_, _>>()?,
        })
    }

    /// Returns the rows for which a condition is false, each with the condition, by their positions. NULL is not false.
    /// `calls_code`: the conditions are evaluated under the application's path.
    ///
    /// # Errors
    /// If evaluating a condition raises an error, or the connection is lost.
    pub fn rows_failing(
        &mut self,
        conditions: &[&str],
        rows: &AskedRows<'_>,
        calls_code: bool,
    ) -> Result<Vec<(usize, usize)>, ServerError> {
        let place = rows.place();
        let listed = conditions.iter().enumerate().map(|(n, expression)| format!("({n}, ({expression}))"));
        let sql = format!(
            "SELECT t.{place}, c.n FROM {} AS t, LATERAL (VALUES {}) AS c(n, holds) WHERE NOT c.holds ORDER BY 1, 2",
            rows.sql(&place),
            listed.collect::<Vec<_>>().join(", ")
        );
        let ask = |client: &mut Client| client.query(&sql, &rows.parameters()).doing(EVALUATING);
        let found = if calls_code { self.with_application_path(ask)? } else { ask(&mut self.client)? };
        found.iter().map(|row| Ok((position(row)?, index(row.value::<i32>(1)?.into())?))).collect()
    }

    /// Returns the hash of the key that an index computes for each row, by the rows' positions. A row without a key that
    /// another row may have is left out.
    ///
    /// # Errors
    /// If evaluating a key raises an error, or the connection is lost.
    pub fn computed_hashes(
        &mut self,
        key: &ComputedKey,
        rows: &AskedRows<'_>,
    ) -> Result<Vec<(usize, u128)>, ServerError> {
        let place = rows.place();
        let parts = key.keys.iter().map(|key| format!("pg_catalog.quote_nullable(({key})::pg_catalog.text)"));
        let half = |seed: u8| format!("pg_catalog.hashtextextended(k.key COLLATE pg_catalog.\"C\", {seed})");
        let sql = format!(
            "SELECT k.place, {}, {} FROM (SELECT t.{place} AS place, pg_catalog.concat_ws(',', {}) AS key FROM {} AS t \
             WHERE {}) AS k",
            half(0),
            half(1),
            parts.collect::<Vec<_>>().join(", "),
            rows.sql(&place),
            key.has_key()
        );
        let found = self.client.query(&sql, &rows.parameters()).doing(EVALUATING)?;
        let half = |row: &Row, column| Ok(u128::from(row.value::<i64>(column)? as u64));
        found.iter().map(|row| Ok((position(row)?, (half(row, 1)? << 64) | half(row, 2)?))).collect()
    }

    /// Returns the rows whose key a row of the table has already, each with the first such key, by their positions.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn rows_taken(
        &mut self,
        table: &TableName<'_>,
        keys: &[&TakenKey],
        rows: &AskedRows<'_>,
    ) -> Result<Vec<(usize, usize)>, ServerError> {
        let (place, equality) = (rows.place(), self.equality(table.schema, table.table)?);
        let table = qualified(table.schema, table.table);
        let taken = keys.iter().enumerate().map(|(n, key)| {
            let condition = match key {
                TakenKey::Plain { columns, nulls_equal } => {
                    let equal = |name: &String| {
                        let (here, there) = (format!("t.{}", quoted(name)), format!("x.{}", quoted(name)));
                        let equal = equality.of(name, &there, &here);
                        if *nulls_equal { format!("({equal} OR {here} IS NULL AND {there} IS NULL)") } else { equal }
                    };
                    let equal: Vec<String> = columns.iter().map(equal).collect();
                    format!("EXISTS (SELECT 1 FROM {table} AS x WHERE {})", equal.join(" AND "))
                }
                TakenKey::Computed(key) => computed_taken(key, &table),
            };
            format!("WHEN {condition} THEN {n}")
        });
        let sql = format!(
            "SELECT f.place, f.n FROM (SELECT t.{place} AS place, CASE {} END AS n FROM {} AS t) AS f WHERE f.n IS NOT NULL \
             ORDER BY 1",
            taken.collect::<Vec<_>>().join(" "),
            rows.sql(&place)
        );
        let found = self.reading(|client| client.query(&sql, &rows.parameters()).doing(EVALUATING))?;
        found.iter().map(|row| Ok((position(row)?, index(row.value::<i32>(1)?.into())?))).collect()
    }
}

/// The condition that a row of the table has the key that an index computes for the row `t`.
fn computed_taken(key: &ComputedKey, table: &str) -> String {
    let names = || (0..key.keys.len()).map(|n| format!("migrate_key{n}"));
    let listed: Vec<String> = key.keys.iter().zip(names()).map(|(sql, name)| format!("({sql}) AS {name}")).collect();
    let listed = listed.join(", ");
    let equal = |name: String| {
        let equal = format!("x.{name} OPERATOR(pg_catalog.=) n.{name}");
        if key.nulls_equal { format!("({equal} OR x.{name} IS NULL AND n.{name} IS NULL)") } else { equal }
    };
    let equal: Vec<String> = names().map(equal).collect();
    let has_key = key.has_key();
    let columns: Vec<String> =
        key.columns.iter().map(|c| format!("t.{name} AS {name}", name = quoted(&c.name))).collect();
    format!(
        "EXISTS (SELECT 1 FROM (SELECT {listed} FROM (SELECT {}) AS r WHERE {has_key}) AS n, \
         LATERAL (SELECT {listed} FROM {table} WHERE {has_key}) AS x WHERE {})",
        columns.join(", "),
        equal.join(" AND ")
    )
}

/// The position of a row from its number, which counts from 1.
fn position(row: &Row) -> Result<usize, ServerError> {
    index(row.value::<i64>(0)?.saturating_sub(1))
}

/// A number of the server's answer that counts from 0.
fn index(number: i64) -> Result<usize, ServerError> {
    usize::try_from(number).map_err(|_| ServerError::new(EVALUATING, format!("the server sent the number {number}")))
}

fn columns_read(row: &Row) -> Result<Vec<ReadColumn>, ServerError> {
    let (names, collations): (Vec<String>, Vec<String>) = (row.value("columns")?, row.value("collations")?);
    Ok(names.into_iter().zip(collations).map(|(name, collation)| ReadColumn { name, collation }).collect())
}

/// The condition of a row of `sql/row_conditions.sql`. `printed`: the rows of `sql/check_expressions.sql`.
fn condition(row: &Row, printed: &[Row]) -> Result<RowCondition, ServerError> {
    let calls_code = row.value("calls_code")?;
    let mut expression = row.value("expression")?;
    if let Some(oid) = row.value::<Option<i64>>("constraint_oid")?.filter(|_| calls_code) {
        for printed in printed {
            if printed.value::<i64>("oid")? == oid {
                expression = printed.value("expression")?;
            }
        }
    }
    Ok(RowCondition {
        table: row.value("table_name")?,
        kind: CheckKind::of(row.value("kind")?).unwrap_or(CheckKind::Constraints),
        name: row.value("name")?,
        expression,
        columns: columns_read(row)?,
        calls_code,
        is_domain: row.value("is_domain")?,
    })
}

/// The input of a row of `sql/text_inputs.sql`.
fn text_input(row: &Row) -> Result<TextInput, ServerError> {
    Ok(TextInput { table: row.value("table_name")?, column: row.value("column_name")?, call: row.value("call")? })
}

/// The index of a row of `sql/computed_keys.sql`.
fn computed_key(row: &Row) -> Result<ComputedKey, ServerError> {
    Ok(ComputedKey {
        table: row.value("table_name")?,
        name: row.value("name")?,
        keys: row.value("keys")?,
        predicate: row.value("predicate")?,
        nulls_equal: row.value("nulls_equal")?,
        is_comparable: row.value("is_comparable")?,
        columns: columns_read(row)?,
        calls_code: row.value("calls_code")?,
    })
}
