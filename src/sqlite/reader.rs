//! One connection in the snapshot, and the state that all connections of a source share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, Statement};

use super::connection::{self, ReadConnection};
use super::counted::Counted;
use super::error::{ErrorClass, Said, SourceError};
use super::functions::ScalarFunction;
use super::header::Header;
use super::open_file::OpenFile;
use super::schema::KeyColumn;
use super::{diagnose, snapshot};

/// Options for opening a source.
#[derive(Clone)]
pub struct SourceOptions {
    /// Maximum wait for another process's lock, or for a moment without commits.
    pub wait: Duration,
    /// Number of readers that begin together with the snapshot. A later one can join only if no commit has happened
    /// since.
    pub readers: usize,
    /// SQL functions of one argument, by name, in addition to `regexp` and `casefold`.
    pub functions: Vec<(&'static str, ScalarFunction)>,
    /// Set when the process is asked to stop. Every statement and every wait then ends with
    /// [`ErrorClass::Interrupted`].
    pub asked: Arc<AtomicBool>,
    /// Bytes of the private copy, updated while a dump is loaded into it.
    pub copied: Arc<AtomicU64>,
}

impl Default for SourceOptions {
    fn default() -> SourceOptions {
        SourceOptions {
            wait: Duration::from_secs(5),
            readers: 2,
            functions: Vec::new(),
            asked: Arc::default(),
            copied: Arc::default(),
        }
    }
}

/// Steps of SQLite's virtual machine between two checks for a stop request: about 0.1 ms, and no cost that can be measured.
const STEPS: i32 = 10_000;

impl SourceOptions {
    /// Makes the statements of a connection end when the process is asked to stop. `look` is called at each check.
    pub(super) fn stop_when_asked(
        &self,
        conn: &mut Connection,
        mut look: impl FnMut() + Send + 'static,
    ) -> rusqlite::Result<()> {
        let asked = Arc::clone(&self.asked);
        let handler = move || {
            look();
            asked.load(Ordering::Relaxed)
        };
        conn.progress_handler(STEPS, Some(handler))
    }

    /// Returns true if the process was asked to stop.
    pub(super) fn is_stop_requested(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

/// One connection in the snapshot.
pub struct Reader {
    pub(super) shared: Arc<SourceShared>,
    /// Only `drop` takes it.
    pub(super) lane: Option<ReadConnection>,
}

/// The state that all readers share. Connections are declared before the file, which must outlive them.
pub(super) struct SourceShared {
    /// The path passed to SQLite.
    pub(super) real: PathBuf,
    /// The file as it is displayed.
    pub(super) place: String,
    pub(super) options: SourceOptions,
    /// The connection that stays outside of any transaction, and its data version when the snapshot began.
    pub(super) watch: Mutex<(Connection, i64)>,
    /// Connections that no reader uses at the moment.
    pub(super) idle: Mutex<Vec<ReadConnection>>,
    /// Keys of WITHOUT ROWID tables.
    pub(super) keys: HashMap<String, Vec<KeyColumn>>,
    /// Counts, which are valid as long as the snapshot.
    pub(super) counted: Counted,
    pub(super) utf16: bool,
    pub(super) header: Header,
    pub(super) held: OpenFile,
    /// The file is the private copy of a dump. It was unlinked when all readers were open.
    pub(super) is_unlinked: bool,
}

impl SourceShared {
    /// Opens one more connection and verifies that it sees the same commit.
    pub(super) fn join(&self) -> Result<ReadConnection, SourceError> {
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let broken = |error: rusqlite::Error| self.failure(&Said::of(&error));
        if self.is_unlinked {
            return Err(SourceError::new(ErrorClass::Other, &self.place, "has no further reader")
                .because("the private copy of a dump has no name once its readers are open")
                .advise("Use fewer lanes (--jobs)."));
        }
        let mut conn = connection::open(&self.real, self.options.wait).map_err(broken)?;
        self.options.stop_when_asked(&mut conn, || {}).map_err(broken)?;
        snapshot::begin(&conn).map_err(broken)?;
        if snapshot::version(&watch.0).map_err(broken)? != watch.1 {
            return Err(SourceError::new(ErrorClass::Moved, &self.place, "no further reader can join the snapshot")
                .because("the file was written to since it began")
                .advise("Use fewer lanes, or stop the application first."));
        }
        connection::restrict(conn, &self.options.functions).map_err(broken)
    }

    pub(super) fn failure(&self, said: &Said) -> SourceError {
        let mut error = diagnose::failure(&self.real, Some(&self.header), said, self.options.wait);
        error.place.clone_from(&self.place);
        error
    }
}

impl Reader {
    /// The connection, which exists until `drop`.
    pub(super) fn lane(&self) -> Result<&ReadConnection, SourceError> {
        self.lane.as_ref().ok_or_else(|| SourceError::new(ErrorClass::Other, &self.shared.place, "is closed"))
    }

    /// Compiles a statement.
    pub(super) fn prepare(&self, sql: &str) -> Result<Statement<'_>, SourceError> {
        let lane = self.lane()?;
        if !lane.is_sound() {
            return Err(SourceError::new(ErrorClass::Moved, &self.shared.place, "this reader has lost its snapshot")
                .because("an earlier statement found damage or a disk failure")
                .advise("Start again."));
        }
        lane.log.begin();
        lane.conn.prepare(sql).map_err(|error| {
            let seen = lane.log.take();
            self.not_compiled(&Said::of(&error), seen.refused.as_deref())
        })
    }

    /// Explains why a statement does not compile: the SQL is wrong or not allowed, or the file cannot be read.
    pub(super) fn not_compiled(&self, said: &Said, refused: Option<&str>) -> SourceError {
        use rusqlite::ffi::{SQLITE_AUTH, SQLITE_ERROR, SQLITE_RANGE, SQLITE_TOOBIG};
        if !matches!(said.primary(), SQLITE_AUTH | SQLITE_ERROR | SQLITE_RANGE | SQLITE_TOOBIG) {
            return self.failure(said);
        }
        let error = SourceError::new(ErrorClass::Sql, "source SQL", "does not compile");
        match refused {
            Some(refused) => error
                .because(format!("SQL of a mapping may only read, and this asks for {refused}"))
                .advise("Remove it."),
            None => error.because(format!("SQLite says \"{}\"", said.words)),
        }
    }

    /// Explains a failure of a running statement for which no row is to blame.
    pub(super) fn failure(&self, said: &Said) -> SourceError {
        if said.primary() == rusqlite::ffi::SQLITE_AUTH {
            let seen = self.lane.as_ref().map(|lane| lane.log.take()).unwrap_or_default();
            return self.not_compiled(said, seen.refused.as_deref());
        }
        if let Some(lane) = &self.lane {
            lane.broken.set(true);
        }
        self.shared.failure(said)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(lane) = self.lane.take().filter(ReadConnection::is_sound) {
            self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner).push(lane);
        }
    }
}
