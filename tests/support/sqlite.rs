//! SQLite files, made on the spot from SQL: the repository has no binary database.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::tool::Place;

/// A file in which this SQL has been run.
pub fn file(place: &Place, name: &str, sql: &str) -> PathBuf {
    let path = place.path(name);
    let db = Connection::open(&path).expect("a SQLite file");
    db.execute_batch(sql).unwrap_or_else(|e| panic!("{name}: {e}"));
    db.close().expect("a closed SQLite file");
    path
}

/// A file in which a script of the repository has been run.
pub fn of(place: &Place, name: &str, script: &str) -> PathBuf {
    file(place, name, &super::read_repo(script))
}

/// Opens a file for an independent reading.
pub fn open(path: &Path) -> Connection {
    Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a SQLite file")
}
