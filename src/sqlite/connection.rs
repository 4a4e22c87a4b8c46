//! Connections that can only read a database file.
//!
//! `diagnose` decides if a file may be opened; `snapshot` begins the snapshot.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, Result};

use super::authorizer::{AuthorizerLog, mapping_rules};
use super::functions::{self, ScalarFunction};
use crate::model::ident::quoted;

/// A connection for reading, with the log of its SQL.
pub(super) struct ReadConnection {
    pub conn: Connection,
    pub log: Arc<AuthorizerLog>,
    /// SQLite found damage. It checks a page when it reads it from the file, but keeps even a bad page in its cache. A
    /// second statement would read nonsense from the cache without an error.
    pub broken: Cell<bool>,
}

impl ReadConnection {
    /// Returns true if the connection still reads the snapshot, and checked pages. Some failures end the transaction.
    pub fn is_sound(&self) -> bool {
        !self.broken.get() && !self.conn.is_autocommit()
    }
}

/// Opens an existing file for reading. The path must be absolute, because the built-in SQLite treats a path that begins
/// with `file:` as a URI regardless of the flags.
pub(super) fn open(path: &Path, wait: Duration) -> Result<Connection> {
    debug_assert!(path.is_absolute());
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(wait)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Without this, "amuont" would be the text 'amuont' in each row instead of a missing column.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    // The query plan, and with it the order of rows, must not depend on bound values.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    conn.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
    // The last pragma concerns `PRAGMA integrity_check`: rows that violate a CHECK are read as they are.
    conn.execute_batch(
        "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; \
         PRAGMA ignore_check_constraints = ON",
    )?;
    Ok(conn)
}

/// Registers the mapping's functions and restricts the connection to the mapping's rights.
pub(super) fn restrict(mut conn: Connection, scalars: &[(&'static str, ScalarFunction)]) -> Result<ReadConnection> {
    functions::register(&conn, scalars)?;
    meet_virtual_tables(&conn)?;
    let log = Arc::new(AuthorizerLog::default());
    conn.authorizer(Some(mapping_rules(Arc::clone(&log))))?;
    Ok(ReadConnection { conn, log, broken: Cell::new(false) })
}

/// Makes the modules of the file's virtual tables prepare their internal statements, which they compile at the first
/// use of the table. rtree prepares writes to its shadow tables, which SQL of a mapping may not.
///
/// A table whose module is missing or fails is skipped; using it is an error either way.
fn meet_virtual_tables(conn: &Connection) -> Result<()> {
    let mut names = conn.prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'virtual'")?;
    let mut rows = names.query([])?;
    while let Some(row) = rows.next()? {
        if let Ok(name) = row.get_ref(0)?.as_str() {
            let _unmet = conn.prepare(&format!("SELECT * FROM main.{}", quoted(name)));
        }
    }
    Ok(())
}
