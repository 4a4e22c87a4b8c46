//! One snapshot of the database that several connections read, each a range of a table's blocks.

use std::collections::BTreeMap;

use super::error::{Doing, ServerError};
use super::query::TypedQuery;
use super::read_back::ReadBack;
use super::row::RowValues;
use super::session::Session;
use crate::model::ident::{literal, qualified};

const HOLDING: &str = "holding a snapshot of the database";

impl Session {
    /// Begins a transaction that reads one snapshot until [`Session::end_snapshot`]. Returns the name by which other
    /// sessions join it if it is `shared`. A server that serves a single connection may not know how to export a snapshot.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn begin_snapshot(&mut self, shared: bool) -> Result<Option<String>, ServerError> {
        // Only reads follow, and an error of this script is theirs.
        self.client.send_with_next("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        if !shared {
            return Ok(None);
        }
        self.client.query_one("SELECT pg_export_snapshot()", &[]).doing(HOLDING)?.value(0).map(Some)
    }

    /// Begins a transaction that reads another session's snapshot.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn join_snapshot(&mut self, name: &str) -> Result<(), ServerError> {
        let sql =
            format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}", literal(name));
        self.client.batch_execute(&sql).doing(HOLDING)?;
        Ok(())
    }

    /// Ends the transaction that [`Session::begin_snapshot`] or [`Session::join_snapshot`] began, with the next statement.
    pub fn end_snapshot(&mut self) {
        self.client.send_with_next("ROLLBACK");
    }

    /// Keeps these tables from being rewritten while the snapshot is read, and prepares the statement that reads each of them
    /// whole. Returns the number of blocks of each table that can be read in ranges.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn block_counts(&mut self, schema: &str, whole: &[ReadBack<'_>]) -> Result<BTreeMap<String, u64>, ServerError> {
        if whole.is_empty() {
            return Ok(BTreeMap::new());
        }
        let tables: Vec<&str> = whole.iter().map(|read| read.table).collect();
        // Takes the lock that reading takes. LOCK TABLE would require the right on the whole table.
        let read = |table: &&str| format!("SELECT 1 FROM {} WHERE false", qualified(schema, table));
        let locks: Vec<String> = tables.iter().map(read).collect();
        let queries = vec![
            TypedQuery::new(HOLDING, locks.join(" UNION ALL ")).of_tables(),
            TypedQuery::new(HOLDING, include_str!("sql/heap_blocks.sql")).with(&schema).with(&tables),
        ];
        let answers = self.ask_and_prepare_to_read_back(queries, whole)?;
        let rows = answers.iter().skip(1).flatten();
        rows.map(|row| Ok((row.value(0)?, row.value::<i64>(1)?.unsigned_abs()))).collect()
    }
}

/// The SQL condition for a range of a table's blocks: from a block up to another one, or to the end if `until` is `None`.
pub fn block_range(from: u64, until: Option<u64>) -> String {
    let until = until
        .map_or_else(String::new, |block| format!(" AND ctid OPERATOR(pg_catalog.<) '({block},0)'::pg_catalog.tid"));
    format!("ctid OPERATOR(pg_catalog.>=) '({from},0)'::pg_catalog.tid{until}")
}
