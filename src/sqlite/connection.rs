//! Connections to a database file that can read it and do nothing else, and values on their way in and out.
//!
//! Which file, and whether it may be opened at all, is decided in `diagnose`; the snapshot is begun in `snapshot`.

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

/// A connection for reading, with the log of what its SQL asked to be allowed.
pub(super) struct ReadConnection {
    pub conn: Connection,
    pub log: Arc<AuthorizerLog>,
    /// SQLite found damage. It checks a page when it comes from the file and keeps it in its cache even if it is bad:
    /// a second statement would read nonsense from it without an error.
    pub broken: Cell<bool>,
}

impl ReadConnection {
    /// Whether what is read is still of the snapshot, and checked. Some failures end the transaction.
    pub fn is_sound(&self) -> bool {
        !self.broken.get() && !self.conn.is_autocommit()
    }
}

/// Opens an existing file for reading. The path must be absolute: the SQLite built in takes one that begins with
/// `file:` for a URI whatever the flags say.
pub(super) fn open(path: &Path, wait: Duration) -> Result<Connection> {
    debug_assert!(path.is_absolute());
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(wait)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // With this on, "amuont" would be the text 'amuont' in each row instead of a column that is not there.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    // The plan of a statement, and with it the order of rows, must not depend on what is bound to it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    conn.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
    conn.execute_batch("PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0")?;
    Ok(conn)
}

/// Gives a connection the mapping's functions and, from here on, only the mapping's rights.
pub(super) fn restrict(mut conn: Connection, scalars: &[(&'static str, ScalarFunction)]) -> Result<ReadConnection> {
    functions::register(&conn, scalars)?;
    meet_virtual_tables(&conn)?;
    let log = Arc::new(AuthorizerLog::default());
    conn.authorizer(Some(mapping_rules(Arc::clone(&log))))?;
    Ok(ReadConnection { conn, log, broken: Cell::new(false) })
}

/// Has the modules of the file's virtual tables prepare the statements that they keep: rtree's write to its shadow tables,
/// which SQL of a mapping may not, and they are compiled when the table is first named. One whose module is not there, or
/// does not like its tables, is not met; naming it is an error then as it is now.
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
