//! A `.sql` or `.sql.gz` dump as a source. It is run, statement by statement, into a private SQLite file that is deleted with the
//! [`Source`].
//!
//! It runs under an authorizer: a dump may create and fill tables, and may not access other files. A dump that rolls
//! back or does not end its transaction is refused, because its rows would be missing.
//!
//! [`Source`]: super::Source

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use rusqlite::{Connection, OpenFlags};

use super::authorizer::{AuthorizerLog, dump_rules};
use super::error::{ErrorClass, Said, SourceError, interrupted, shown};
use super::lex::{self, DumpStatement, DumpStatements};
use super::reader::SourceOptions;
use super::{dump_text, functions};
use crate::private::PrivateFolder;

/// A dump that was loaded.
pub(super) struct LoadedDump {
    /// Deleted when dropped.
    pub folder: PrivateFolder,
    pub database: PathBuf,
    pub bytes: u64,
    pub modified: Option<SystemTime>,
    /// SHA-256 of the text, in hex.
    pub sha256: String,
}

/// Loads the dump at `path`.
pub(super) fn load(path: &Path, options: &SourceOptions) -> Result<LoadedDump, SourceError> {
    let (text, metadata) = dump_text::open(path)?;
    let (bytes, modified) = (metadata.len(), metadata.modified().ok());
    let private = |error: std::io::Error| {
        SourceError::new(ErrorClass::Io, shown(path), "cannot be loaded")
            .because(format!("no private file could be created in {}: {error}", std::env::temp_dir().display()))
            .advise("Set TMPDIR to a folder with room.")
    };
    let folder = PrivateFolder::new().map_err(private)?;
    let database = folder.path().join("source.db");
    let loading = DumpLoader { place: shown(path), log: Arc::new(AuthorizerLog::default()) };
    let conn = loading.connect(&database, options)?;
    let mut statements = DumpStatements::new(text);
    while let Some(statement) = statements.next().map_err(|error| dump_text::unreadable(path, &error))? {
        if options.is_stop_requested() {
            return Err(interrupted(loading.line(statement.line)));
        }
        loading.run(&conn, statement)?;
    }
    if !conn.is_autocommit() {
        return Err(SourceError::new(ErrorClass::Damaged, loading.line(statements.line()), "the dump is cut off")
            .because("it begins a transaction and does not commit it")
            .advise("Dump again, and check that the dump ends in COMMIT."));
    }
    let sha256 = statements.sum();
    if std::fs::metadata(&database).is_ok_and(|metadata| metadata.len() == 0) {
        return Err(SourceError::new(ErrorClass::Empty, loading.place, "the dump creates nothing")
            .advise("Check the path, and whether the dump was completed."));
    }
    conn.close().map_err(|(_, error)| loading.failed(1, &Said::of(&error)))?;
    Ok(LoadedDump { folder, database, bytes, modified, sha256 })
}

/// The comments of sqlite3 in a dump of a damaged database.
const ERROR_COMMENTS: [&str; 2] = ["/****** CORRUPTION ERROR", "/****** ERROR: "];

/// The context of loading one dump.
struct DumpLoader {
    place: String,
    log: Arc<AuthorizerLog>,
}

impl DumpLoader {
    /// Creates the private database. It is fast because it need not survive a crash.
    fn connect(&self, database: &Path, options: &SourceOptions) -> Result<Connection, SourceError> {
        let open = || -> rusqlite::Result<Connection> {
            let flags =
                OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let mut conn = Connection::open_with_flags(database, flags)?;
            // Same settings as the sqlite3 shell: foreign keys are not checked, and a row that violates a CHECK is
            // loaded.
            conn.execute_batch(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE; \
                 PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;",
            )?;
            functions::register(&conn, &options.functions)?;
            conn.authorizer(Some(dump_rules(Arc::clone(&self.log))))?;
            let (copied, path) = (Arc::clone(&options.copied), database.to_owned());
            options.stop_when_asked(&mut conn, move || {
                if let Ok(metadata) = std::fs::metadata(&path) {
                    copied.store(metadata.len(), Ordering::Relaxed);
                }
            })?;
            Ok(conn)
        };
        open().map_err(|error| {
            SourceError::new(ErrorClass::Io, &self.place, "cannot be loaded")
                .because(format!("the private file {} cannot be written: {}", shown(database), Said::of(&error).words))
                .advise("Set TMPDIR to a folder with room.")
        })
    }

    /// Runs one statement and discards its result.
    fn run(&self, conn: &Connection, statement: DumpStatement) -> Result<(), SourceError> {
        let DumpStatement { text, line, whole } = statement;
        let is_utf8 = || {
            let encoding = conn.query_row("PRAGMA encoding", [], |row| row.get::<_, String>(0));
            encoding.is_ok_and(|encoding| encoding == "UTF-8")
        };
        let Ok(text) = lex::as_utf8(text, is_utf8) else {
            return Err(SourceError::new(ErrorClass::Sql, self.line(line), "cannot be read as text")
                .because("bytes that are not UTF-8, or a NUL, are in a place where they cannot be converted")
                .advise("Name the SQLite file itself, or save the dump as UTF-8."));
        };
        self.words(&text, line, whole)?;
        let outcome = (|| {
            let mut compiled = conn.prepare(&text)?;
            let mut rows = compiled.raw_query();
            while rows.next()?.is_some() {}
            Ok(())
        })();
        outcome.map_err(|error| self.failed(line, &Said::of(&error)))
    }

    /// Refuses a statement whose first word shows that the dump is incomplete or is not SQL.
    fn words(&self, text: &str, line: u64, whole: bool) -> Result<(), SourceError> {
        let word = lex::first_word(text).to_ascii_uppercase();
        if word == "ROLLBACK" {
            return Err(SourceError::new(
                ErrorClass::Damaged,
                self.line(line),
                "the dump rolls itself back (ROLLBACK)",
            )
            .because("sqlite3 ends a dump so when it met errors in the database")
            .advise("Name the SQLite file itself, or repair it with `sqlite3 FILE .recover`."));
        }
        let statement = lex::after_comments(text);
        let comments = text.strip_suffix(statement).unwrap_or_default();
        if ERROR_COMMENTS.iter().any(|comment| comments.contains(comment)) {
            return Err(SourceError::new(ErrorClass::Damaged, self.line(line), "the dump reports an error before it")
                .because("sqlite3 writes such a comment where it could not read rows, which are missing")
                .advise(
                    "Repair the database with `sqlite3 FILE .recover`. Where the missing rows do not matter, remove the \
                     comment.",
                ));
        }
        if statement.starts_with('.') {
            return Err(SourceError::new(ErrorClass::Sql, self.line(line), "is not SQL")
                .because("a line that begins with a dot is a command of the sqlite3 shell")
                .advise("Remove it."));
        }
        if !whole {
            return Err(SourceError::new(ErrorClass::Damaged, self.line(line), "the last statement does not end")
                .because("the dump is cut off, a quote is not closed, or a semicolon is missing")
                .advise("Dump again, or complete the statement."));
        }
        Ok(())
    }

    /// Describes a failed statement. Text that SQLite quotes from it may be a row and is omitted.
    fn failed(&self, line: u64, said: &Said) -> SourceError {
        let place = self.line(line);
        if let Some(refused) = self.log.take().refused {
            return SourceError::new(ErrorClass::Sql, place, format!("{refused} is not allowed in a dump"))
                .because("a dump may create tables and fill them, and reach no other file")
                .advise("Remove the statement.");
        }
        match said.primary() {
            rusqlite::ffi::SQLITE_INTERRUPT => interrupted(place),
            rusqlite::ffi::SQLITE_FULL | rusqlite::ffi::SQLITE_IOERR => {
                SourceError::new(ErrorClass::Io, place, "could not be loaded")
                    .because(format!("SQLite says \"{}\"", said.discreet()))
                    .advise("Set TMPDIR to a folder with room.")
            }
            _ => SourceError::new(ErrorClass::Sql, place, "SQLite refuses the statement")
                .because(format!("it says \"{}\"", said.discreet()))
                .advise("Correct the dump, or name the SQLite file itself."),
        }
    }

    fn line(&self, line: u64) -> String {
        format!("{} line {line}", self.place)
    }
}
