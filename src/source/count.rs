//! Numbers of a table: how many rows, how many values, the largest integer, and where to cut it into parts.
//!
//! All of them read the table's own b-tree, never an index, which may be stale.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Reader;
use super::error::{Said, SourceError};
use super::sqlite::raw;
use super::statement::{self, Range, Values, Walk};
use crate::model::ident::quoted;
use crate::model::key::Key;
use crate::model::select::{Relation, Select};

/// Numbers that took a walk through a whole table, for whoever asks again.
#[derive(Default)]
pub(super) struct Counted {
    rows: Mutex<HashMap<String, u64>>,
    cuts: Mutex<HashMap<(String, usize), Vec<Key>>>,
}

impl Reader {
    /// Rows of a table.
    pub fn count(&self, table: &str) -> Result<u64, SourceError> {
        let known = &self.shared().counted.rows;
        if let Some(rows) = known.lock().unwrap_or_else(PoisonError::into_inner).get(table) {
            return Ok(*rows);
        }
        let counted = self.one(&format!("SELECT count(*) FROM main.{} NOT INDEXED", quoted(table)))?;
        let rows = counted.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        known.lock().unwrap_or_else(PoisonError::into_inner).insert(table.to_owned(), rows);
        Ok(rows)
    }

    /// Rows of a table in which the column is not NULL.
    pub fn count_not_null(&self, table: &str, column: &str) -> Result<u64, SourceError> {
        let sql = format!("SELECT count({}) FROM main.{} NOT INDEXED", quoted(column), quoted(table));
        Ok(self.one(&sql)?.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }

    /// The largest integer in a column, other storage classes aside; `None` where there is none.
    pub fn max_integer(&self, table: &str, column: &str) -> Result<Option<i64>, SourceError> {
        let column = quoted(column);
        self.one(&format!(
            "SELECT max({column}) FROM main.{} NOT INDEXED WHERE typeof({column}) = 'integer'",
            quoted(table)
        ))
    }

    /// The integer that a query of one row and one column gives.
    fn one(&self, sql: &str) -> Result<Option<i64>, SourceError> {
        let mut statement = self.prepare(sql)?;
        let found = statement.query_row([], |row| row.get(0));
        found.map_err(|error| self.failure(&Said::of(&error)))
    }

    /// Keys at which to cut a table into `parts` of about equal rows: each ends a part, inclusive; the last part has
    /// no end. Fewer where there are fewer rows; none where rows are addressed by ordinal. Walks the keys in order and
    /// never reckons with ids, which may be negative, huge and full of holes.
    pub fn split(&self, select: &Select, parts: usize) -> Result<Vec<Key>, SourceError> {
        let walk = self.walk(select);
        let (Relation::Table(table), Walk::Keyed(_)) = (&select.relation, &walk) else { return Ok(Vec::new()) };
        let (known, wanted) = (&self.shared().counted.cuts, (table.clone(), parts));
        if let Some(cuts) = known.lock().unwrap_or_else(PoisonError::into_inner).get(&wanted) {
            return Ok(cuts.clone());
        }
        let rows = self.count(table)?;
        let step = rows / (parts.max(1) as u64);
        let mut cuts: Vec<Key> = Vec::new();
        while step > 0 && cuts.len() + 1 < parts {
            match self.step(select, &walk, Range { after: cuts.last(), ..Range::default() }, step - 1)? {
                Some(key) => cuts.push(key),
                None => break,
            }
        }
        known.lock().unwrap_or_else(PoisonError::into_inner).insert(wanted, cuts.clone());
        Ok(cuts)
    }

    /// The key of the row that `rows` other rows of the range come before.
    pub(super) fn step(
        &self,
        select: &Select,
        walk: &Walk,
        range: Range<'_>,
        rows: u64,
    ) -> Result<Option<Key>, SourceError> {
        let sql = format!("{} LIMIT 1 OFFSET {rows}", statement::sql(select, walk, &[], range));
        let mut statement = self.prepare(&sql)?;
        statement::bind(&mut statement, &Values { select, range, skip: None })?;
        let mut found = statement.raw_query();
        let row = found.next().map_err(|error| self.failure(&Said::of(&error)))?;
        Ok(row.map(|row| Key((0..walk.width()).map(|n| raw(row.get_ref_unwrap(n)).to_buf()).collect())))
    }
}
