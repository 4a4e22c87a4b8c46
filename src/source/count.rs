//! Numbers of a table: how many rows, how many values, the largest integer, and where to cut it into parts.
//!
//! All of them read the table's own b-tree, never an index, which may be stale.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Statement;

use super::Reader;
use super::error::{Said, SourceError};
use super::sqlite::raw;
use super::statement::{self, Range, Values, Walk};
use crate::model::ident::quoted;
use crate::model::key::Key;
use crate::model::select::{Relation, Select};

/// Keys that are kept of a walk, at most: parts are equal to within the rows between two of them.
const KEPT: usize = 512;

/// Numbers that took a walk through a whole table, for whoever asks again.
#[derive(Default)]
pub(super) struct Counted {
    rows: Mutex<HashMap<String, u64>>,
    walks: Mutex<HashMap<String, Arc<Walked>>>,
}

/// What a walk through the keys of a table found: how many rows, and the key of every `every`th of them.
struct Walked {
    rows: u64,
    every: u64,
    keys: Vec<Key>,
}

impl Walked {
    /// The keys that end all parts but the last one.
    fn cuts(&self, parts: usize) -> Vec<Key> {
        let parts = parts as u64;
        if self.rows < parts {
            return Vec::new();
        }
        let places =
            (1..parts).map(|n| (self.rows / parts * n + self.rows % parts * n / parts + self.every / 2) / self.every);
        let mut cuts: Vec<Key> =
            places.filter_map(|n| self.keys.get(usize::try_from(n).ok()?.checked_sub(1)?)).cloned().collect();
        cuts.dedup();
        cuts
    }
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

    /// Rows of a table that is to be read in parts: counted by the one walk that [`Reader::split`] needs as well.
    pub fn rows(&self, table: &str, select: &Select) -> Result<u64, SourceError> {
        match self.walk(select) {
            walk @ Walk::Keyed(_) => Ok(self.walked(table, select, &walk)?.rows),
            Walk::Counted => self.count(table),
        }
    }

    /// Rows of a table in which the column is not NULL.
    pub fn count_not_null(&self, table: &str, column: &str) -> Result<u64, SourceError> {
        // The class alone: a value may be larger than SQLite hands out.
        let (table, column) = (quoted(table), quoted(column));
        let sql = format!("SELECT count(*) FROM main.{table} NOT INDEXED WHERE typeof({column}) <> 'null'");
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
    /// no end. None where there are fewer rows than parts, or where rows are addressed by ordinal. Walks the keys in order
    /// and never reckons with ids, which may be negative, huge and full of holes.
    pub fn split(&self, select: &Select, parts: usize) -> Result<Vec<Key>, SourceError> {
        match (&select.relation, self.walk(select)) {
            (Relation::Table(table), walk @ Walk::Keyed(_)) => Ok(self.walked(table, select, &walk)?.cuts(parts)),
            _ => Ok(Vec::new()),
        }
    }

    /// Walks the keys of a table, once in the life of the snapshot.
    fn walked(&self, table: &str, select: &Select, walk: &Walk) -> Result<Arc<Walked>, SourceError> {
        let shared = self.shared();
        let known = || shared.counted.walks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(walked) = known().get(table) {
            return Ok(Arc::clone(walked));
        }
        let (mut every, mut keys): (u64, Vec<Key>) = (1, Vec::new());
        let mut statement = self.stepping(select, walk, Range::default())?;
        loop {
            let range = Range { after: keys.last(), ..Range::default() };
            let Some(key) = self.stepped(&mut statement, (select, walk), range, every - 1)? else { break };
            if keys.is_empty() {
                statement = self.stepping(select, walk, Range { after: Some(&key), ..Range::default() })?;
            }
            keys.push(key);
            if keys.len() == KEPT {
                keys = keys.into_iter().skip(1).step_by(2).collect();
                every *= 2;
            }
        }
        drop(statement);
        let rows = keys.len() as u64 * every + self.behind(select, walk, keys.last())?;
        shared.counted.rows.lock().unwrap_or_else(PoisonError::into_inner).insert(table.to_owned(), rows);
        let walked = Arc::new(Walked { rows, every, keys });
        known().insert(table.to_owned(), Arc::clone(&walked));
        Ok(walked)
    }
    /// Rows behind a key.
    fn behind(&self, select: &Select, walk: &Walk, after: Option<&Key>) -> Result<u64, SourceError> {
        let range = Range { after, ..Range::default() };
        let mut statement =
            self.prepare(&format!("SELECT count(*) FROM ({})", statement::sql(select, walk, &[], range)))?;
        statement::bind(&mut statement, &Values { select, range, skip: None })?;
        let mut found = statement.raw_query();
        let row = found.next().map_err(|error| self.failure(&Said::of(&error)))?;
        let counted = row.and_then(|row| row.get::<_, i64>(0).ok());
        Ok(counted.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }

    /// The key of the row that `rows` other rows of the range come before.
    pub(super) fn step(
        &self,
        select: &Select,
        walk: &Walk,
        range: Range<'_>,
        rows: u64,
    ) -> Result<Option<Key>, SourceError> {
        self.stepped(&mut self.stepping(select, walk, range)?, (select, walk), range, rows)
    }

    /// The statement that steps over rows of ranges like this one.
    fn stepping(&self, select: &Select, walk: &Walk, range: Range<'_>) -> Result<Statement<'_>, SourceError> {
        self.prepare(&format!("{} LIMIT 1 OFFSET $skip", statement::sql(select, walk, &[], range)))
    }

    fn stepped(
        &self,
        statement: &mut Statement<'_>,
        (select, walk): (&Select, &Walk),
        range: Range<'_>,
        rows: u64,
    ) -> Result<Option<Key>, SourceError> {
        statement::bind(statement, &Values { select, range, skip: Some(rows) })?;
        let mut found = statement.raw_query();
        let row = found.next().map_err(|error| self.failure(&Said::of(&error)))?;
        Ok(row.map(|row| Key((0..walk.width()).map(|n| raw(row.get_ref_unwrap(n)).to_buf()).collect())))
    }
}
