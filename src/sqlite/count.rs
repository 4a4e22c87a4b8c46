//! Counts of a table: rows, values, the largest integer, and the key after a number of rows.
//!
//! All counts read the table's own b-tree, never an index, which may be stale. `partition` estimates the number of rows
//! faster.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use rusqlite::{Row, Statement};

use super::error::{ErrorClass, Said, SourceError};
use super::reader::Reader;
use super::source::Source;
use super::statement::{self, StatementRange, StatementValues, Walk};
use super::value::raw;
use crate::model::ident::quoted;
use crate::model::key::Key;
use crate::model::schema::SourceSchema;
use crate::model::select::Select;

/// The expression that is 1 in a row in which the column is not NULL. Reads only the class, because a value may be larger than
/// SQLite returns.
pub fn is_value(column: &str) -> String {
    format!("typeof({}) <> 'null'", quoted(column))
}

impl Source {
    /// Notes the number of values of a column that are not NULL, if they were counted in a reading of all rows.
    pub fn know_values(&self, table: &str, column: &str, values: u64) {
        let mut known = self.shared.counted.values.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((table.to_owned(), column.to_owned()), values);
    }
}

impl Reader {
    /// Returns the number of rows of a table.
    pub fn count(&self, table: &str) -> Result<u64, SourceError> {
        let known = &self.shared.counted.rows;
        if let Some(rows) = known.lock().unwrap_or_else(PoisonError::into_inner).get(table) {
            return Ok(*rows);
        }
        let counted = self.one(&format!("SELECT count(*) FROM main.{} NOT INDEXED", quoted(table)))?;
        let rows = counted.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        known.lock().unwrap_or_else(PoisonError::into_inner).insert(table.to_owned(), rows);
        Ok(rows)
    }

    /// Returns the names of the tables that have no rows. A table that SQLite cannot read counts as one with rows.
    pub(super) fn tables_without_rows(&self, schema: &SourceSchema) -> Result<BTreeSet<String>, SourceError> {
        let mut empty = BTreeSet::new();
        for table in schema.tables.keys() {
            match self.one(&format!("SELECT EXISTS (SELECT 1 FROM main.{} NOT INDEXED)", quoted(table))) {
                Ok(Some(0)) => _ = empty.insert(table.clone()),
                Err(e) if e.class == ErrorClass::Interrupted => return Err(e),
                _ => {}
            }
        }
        Ok(empty)
    }

    /// Returns the number of rows of a table in which the column is not NULL.
    pub fn count_not_null(&self, table: &str, column: &str) -> Result<u64, SourceError> {
        let known = self.shared.counted.values.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(values) = known.get(&(table.to_owned(), column.to_owned())) {
            return Ok(*values);
        }
        drop(known);
        let sql = format!("SELECT count(*) FROM main.{} NOT INDEXED WHERE {}", quoted(table), is_value(column));
        Ok(self.one(&sql)?.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }

    /// Returns the largest value of class integer in a column. `None` if there is none.
    pub fn max_integer(&self, table: &str, column: &str) -> Result<Option<i64>, SourceError> {
        let column = quoted(column);
        self.one(&format!(
            "SELECT max({column}) FROM main.{} NOT INDEXED WHERE typeof({column}) = 'integer'",
            quoted(table)
        ))
    }

    /// Returns the texts that a query with one column returns, each once, without NULLs.
    pub fn texts(&self, sql: &str) -> Result<BTreeSet<String>, SourceError> {
        let mut statement = self.prepare(sql)?;
        let found = statement.query_map([], |row| row.get::<_, Option<String>>(0));
        let texts: Result<Vec<Option<String>>, _> = found.and_then(Iterator::collect);
        Ok(texts.map_err(|error| self.failure(&Said::of(&error)))?.into_iter().flatten().collect())
    }

    /// Returns the integer that a query with one row and one column returns.
    pub(super) fn one(&self, sql: &str) -> Result<Option<i64>, SourceError> {
        let mut statement = self.prepare(sql)?;
        let found = statement.query_row([], |row| row.get(0));
        found.map_err(|error| self.failure(&Said::of(&error)))
    }

    /// Returns the key of the row after the first `rows` rows of the range.
    pub(super) fn step(
        &self,
        select: &Select,
        walk: &Walk,
        range: StatementRange<'_>,
        rows: u64,
    ) -> Result<Option<Key>, SourceError> {
        let values = StatementValues { select, range, skip: Some(rows) };
        self.stepped(&mut self.stepping(select, walk, range)?, &values, walk.width())
    }

    /// Prepares the statement that skips rows in ranges like this one.
    pub(super) fn stepping(
        &self,
        select: &Select,
        walk: &Walk,
        range: StatementRange<'_>,
    ) -> Result<Statement<'_>, SourceError> {
        self.prepare(&format!("{} LIMIT 1 OFFSET $skip", statement::sql(select, walk, &[], range)))
    }

    pub(super) fn stepped(
        &self,
        statement: &mut Statement<'_>,
        values: &StatementValues<'_>,
        width: usize,
    ) -> Result<Option<Key>, SourceError> {
        statement::bind(statement, values)?;
        let mut found = statement.raw_query();
        let row = found.next().map_err(|error| self.failure(&Said::of(&error)))?;
        Ok(row.map(|row| key_of(row, width)))
    }
}

/// Returns the key in the first columns of a row.
pub(super) fn key_of(row: &Row<'_>, width: usize) -> Key {
    Key((0..width).map(|n| raw(row.get_ref_unwrap(n)).to_buf()).collect())
}
