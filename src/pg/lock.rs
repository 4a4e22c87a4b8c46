//! Advisory locks of a session: one that keeps a second process from working on the same mapping, and one for each loaded
//! table that keeps a run of another mapping or ledger from loading it at the same time.
//!
//! Any role can hold such a lock, so the holder is asked for. A holder that could not do this work itself is a stranger: it
//! stops nothing, and its session is never ended.

use std::fmt;

use postgres::Row;

use super::backend::own_backend;
use super::error::{Doing, ServerError};
use super::query::TypedQuery;
use super::row::RowValues;
use super::session::{Session, TableLocks};
use crate::model::ident::{literal, qualified};
use crate::model::ledger::LoadedTable;

const LOCKING: &str = "taking the run's lock";
const LOCKING_TABLES: &str = "locking the loaded tables for the run";

/// The first key of the lock of a table. The second one is the table's OID.
const TABLE_CLASS: i32 = i32::from_be_bytes(*b"migr");

/// The session that holds a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockHolder {
    /// The number of the server's process; 0 if the session ended before it could be looked up.
    pub pid: i32,
    /// Its role.
    pub role: String,
    /// The start of its connection, as the server prints it.
    pub since: String,
    /// The address of its client; empty for a socket.
    pub from: String,
    /// True if its role could not do the work that the lock protects.
    pub is_stranger: bool,
}

/// The outcome of locking tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockedTables {
    /// The locks that other sessions hold.
    pub held: Vec<HeldLock>,
    /// The tables that must be empty and have rows.
    pub filled: Vec<String>,
}

/// The lock of a table, held by another session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLock {
    /// The table.
    pub table: String,
    /// The session.
    pub holder: LockHolder,
}

impl Session {
    /// Takes the session's lock for `key`. Returns the session that holds it if another one does.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn lock(&mut self, key: i64) -> Result<Option<LockHolder>, ServerError> {
        self.lock = Some(key);
        let mut holder = None;
        // A holder that ends before it can be looked up leaves the lock to the second attempt.
        for _ in 0..2 {
            let take = TypedQuery::new(LOCKING, "SELECT pg_catalog.pg_try_advisory_lock($1)").with(&key);
            // A session that replaces this one must be able to end it.
            let [taken, own] = self.ask([take, own_backend()])?;
            self.keep_backend(&own)?;
            if taken.first().map_or(Ok(false), |row| row.value(0))? {
                return Ok(None);
            }
            let sql = include_str!("sql/lock_holder.sql");
            holder = self.client.query_opt(sql, &[&key, &self.ledger.schema]).doing(LOCKING)?;
            if holder.is_some() {
                break;
            }
        }
        holder.as_ref().map_or(Ok(LockHolder::default()), read).map(Some)
    }

    /// Locks tables until the session ends, each for this run alone or shared. Then looks for rows in those that must be `empty`.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn lock_tables(
        &mut self,
        schema: &str,
        tables: &[LoadedTable],
        empty: &[String],
    ) -> Result<LockedTables, ServerError> {
        self.table_locks = TableLocks { schema: schema.to_owned(), tables: tables.to_vec() };
        let (names, shared): (Vec<&str>, Vec<bool>) = tables.iter().map(|t| (t.table.as_str(), t.shared)).unzip();
        let lock = TypedQuery::new(LOCKING_TABLES, include_str!("sql/lock_tables.sql"));
        let lock = lock.with(&schema).with(&names).with(&shared).with(&TABLE_CLASS);
        let mut answers = self.ask_all(std::iter::once(lock).chain(rows_query(schema, empty)))?.into_iter();
        let (refused, filled) = (answers.next().unwrap_or_default(), answers.next().unwrap_or_default());
        let names = |rows: &[Row]| rows.iter().map(|row| row.value(0)).collect::<Result<Vec<String>, _>>();
        Ok(LockedTables { held: self.holders(schema, names(&refused)?)?, filled: names(&filled)? })
    }

    /// The sessions that hold the locks of these tables.
    fn holders(&mut self, schema: &str, refused: Vec<String>) -> Result<Vec<HeldLock>, ServerError> {
        if refused.is_empty() {
            return Ok(Vec::new());
        }
        let sql = include_str!("sql/table_lock_holders.sql");
        let rows = self.client.query(sql, &[&schema, &refused, &TABLE_CLASS]).doing(LOCKING_TABLES)?;
        let held = |row: &Row| Ok(HeldLock { holder: read(row)?, table: row.value("table_name")? });
        let mut held = rows.iter().map(held).collect::<Result<Vec<HeldLock>, ServerError>>()?;
        for table in refused {
            if !held.iter().any(|held| held.table == table) {
                held.push(HeldLock { table, holder: LockHolder::default() });
            }
        }
        Ok(held)
    }

    /// Takes the locks that a lost session had. Returns the first session that holds one of them and is no stranger.
    pub(super) fn take_locks_of(&mut self, lost: &Session) -> Result<Option<LockHolder>, ServerError> {
        let holder = match lost.lock {
            Some(key) => self.lock(key)?,
            None => None,
        };
        let TableLocks { schema, tables } = &lost.table_locks;
        let held = if tables.is_empty() { Vec::new() } else { self.lock_tables(schema, tables, &[])?.held };
        Ok(holder.into_iter().chain(held.into_iter().map(|held| held.holder)).find(|holder| !holder.is_stranger))
    }
}

/// The query for those of these tables that have rows. `None` without tables.
fn rows_query<'q>(schema: &str, tables: &[String]) -> Option<TypedQuery<'q>> {
    let one =
        |table: &String| format!("SELECT {} WHERE EXISTS (SELECT 1 FROM {})", literal(table), qualified(schema, table));
    let sql = tables.iter().map(one).collect::<Vec<_>>().join(" UNION ALL ");
    (!tables.is_empty()).then(|| TypedQuery::new("looking for rows", sql).of_tables())
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LockHolder { pid, role, since, .. } = self;
        if *pid == 0 {
            return f.write_str("a session that ended meanwhile or a prepared transaction");
        }
        let from = if self.from.is_empty() { "this machine" } else { &self.from };
        write!(f, "server process {pid} of the role {role}, connected from {from} since {since}")
    }
}

fn read(row: &Row) -> Result<LockHolder, ServerError> {
    Ok(LockHolder {
        pid: row.value("pid")?,
        role: row.value("role")?,
        since: row.value("since")?,
        from: row.value("client")?,
        is_stranger: row.value("is_stranger")?,
    })
}
