//! The source: one SQLite file, read inside one snapshot, never changed and never created.
//!
//! A [`Source`] holds the snapshot; a [`Reader`] is one connection inside it, for one thread. What a value means is not
//! decided here: cells go out by storage class and bytes. This folder alone names the SQLite library.
//!
//! The application may go on writing in WAL mode without being seen; in rollback mode its commits wait until the
//! `Source` is dropped. Beside a file in WAL mode SQLite may make a `-shm` and an empty `-wal`. Nothing else in the
//! process may open and close the file meanwhile: closing it would drop the locks (see `held`).

mod authorizer;
mod check;
mod count;
mod cut;
mod diagnose;
mod dump;
mod error;
mod functions;
mod header;
mod held;
mod lex;
mod scan;
mod schema;
mod snapshot;
mod sqlite;
pub mod stamp;
mod statement;
mod steady;
mod survey;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, Statement};

pub use authorizer::Seen;
pub use error::{ErrorClass, SourceError};
pub use functions::{Scalar, casefold};
pub use header::{Header, WalFacts};
pub use scan::Finished;
pub use stamp::Facts;

use crate::model::record::Warning;
use crate::model::schema::SourceSchema;
use count::Counted;
use error::{Said, shown};
use held::Held;
use schema::KeyColumn;
use sqlite::Lane;

/// How a source is opened.
#[derive(Clone)]
pub struct Options {
    /// How long to wait for another process's lock, or for a moment without commits.
    pub wait: Duration,
    /// Readers to begin together with the snapshot. A later one can join only while nobody has committed since.
    pub readers: usize,
    /// Functions of one argument that the mapping's SQL has besides `regexp` and `casefold`, by name.
    pub functions: Vec<(&'static str, Scalar)>,
}

impl Default for Options {
    fn default() -> Options {
        Options { wait: Duration::from_secs(5), readers: 2, functions: Vec::new() }
    }
}

/// One file, one snapshot, held until this and all its readers are dropped.
pub struct Source {
    shared: Arc<Shared>,
    schema: SourceSchema,
    facts: Facts,
    warnings: Vec<Warning>,
}

/// One connection in the snapshot.
pub struct Reader {
    shared: Arc<Shared>,
    /// Taken out by `drop` alone.
    lane: Option<Lane>,
}

/// What readers have in common. Connections come before the file and the private copy, which must outlive them.
struct Shared {
    /// What SQLite was given.
    real: PathBuf,
    /// The file for people.
    place: String,
    options: Options,
    /// The connection that stays outside of any transaction, and its number when the snapshot began.
    watch: Mutex<(Connection, i64)>,
    /// Readers that nobody has taken, or that were given back.
    idle: Mutex<Vec<Lane>>,
    /// Keys of WITHOUT ROWID tables.
    keys: HashMap<String, Vec<KeyColumn>>,
    /// What was counted; it holds as long as the snapshot does.
    counted: Counted,
    utf16: bool,
    header: Header,
    held: Held,
    /// The private copy that a dump was loaded into.
    _copy: Option<tempfile::TempDir>,
}

impl Source {
    /// Opens the file at `path`; one whose name ends in `.sql` is a dump, loaded into a private file first.
    pub fn open(path: &Path, options: &Options) -> Result<Source, SourceError> {
        if !path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("sql")) {
            return Source::open_file(path, path, options, None);
        }
        let loaded = dump::load(path, options)?;
        let mut source = Source::open_file(path, &loaded.database, options, Some(loaded.folder))?;
        source.facts = Facts {
            bytes: loaded.bytes,
            modified: loaded.modified,
            header: None,
            wal: None,
            sha256: Some(loaded.sha256),
            ..source.facts
        };
        Ok(source)
    }

    /// Opens the database file at `file`, which for people is called `path`.
    fn open_file(
        path: &Path,
        file: &Path,
        options: &Options,
        copy: Option<tempfile::TempDir>,
    ) -> Result<Source, SourceError> {
        let diagnose::Found { path: real, held, header } = diagnose::look(file)?;
        let failure = |said: &Said| diagnose::failure(&real, Some(&header), said, options.wait);
        let broken = |error: rusqlite::Error| failure(&Said::of(&error));
        // The wait is done in `begin_all`; a connection that waited by itself would keep others from beginning.
        let pause = Duration::from_millis(10);
        let watch = sqlite::open(&real, pause).map_err(broken)?;
        let lanes = (0..options.readers.max(1)).map(|_| sqlite::open(&real, pause));
        let lanes = lanes.collect::<rusqlite::Result<Vec<_>>>().map_err(broken)?;
        let all: Vec<&Connection> = lanes.iter().collect();
        let begun = snapshot::begin_all(&watch, &all, options.wait, || Facts::read(path, &real, &held));
        let (version, facts) = begun.map_err(|trouble| match trouble {
            snapshot::Trouble::Sqlite(said) => failure(&said),
            snapshot::Trouble::Restless => diagnose::restless(path, options.wait),
        })?;
        let mut facts = facts.map_err(|error| diagnose::from_io(path, &error))?;
        let read = schema::read(&lanes[0]).map_err(|trouble| match trouble {
            schema::Trouble::Sqlite(error) => broken(error),
            schema::Trouble::Name(error) => error,
        })?;
        facts.schema = read.hash;
        let warnings = survey::warnings(path, &real, &facts, &read.schema, &lanes[0]).map_err(broken)?;
        watch.busy_timeout(options.wait).map_err(broken)?;
        let idle = lanes.into_iter().map(|lane| sqlite::restrict(lane, &options.functions));
        let idle = idle.collect::<rusqlite::Result<Vec<_>>>().map_err(broken)?;
        let shared = Shared {
            place: shown(path),
            options: options.clone(),
            watch: Mutex::new((watch, version)),
            idle: Mutex::new(idle),
            keys: read.keys,
            counted: Counted::default(),
            utf16: read.utf16,
            real,
            header,
            held,
            _copy: copy,
        };
        Ok(Source { shared: Arc::new(shared), schema: read.schema, facts, warnings })
    }

    /// Tables and what else the file holds.
    pub fn schema(&self) -> &SourceSchema {
        &self.schema
    }

    /// What can be said without reading rows; as of the snapshot.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// One line of text. Equal lines mean the same source; where they differ, only digests can tell.
    pub fn stamp(&self) -> String {
        self.facts.stamp()
    }

    /// What was noticed while opening. [`Reader::losses`] finds what only a scan can.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether the path still leads to the file that is read. It may be renamed or replaced meanwhile; the snapshot
    /// stays what it is.
    pub fn is_in_place(&self) -> bool {
        self.shared.held.is_in_place()
    }

    /// A connection in the very same snapshot. Beyond [`Options::readers`] it joins only if nobody has committed since.
    pub fn reader(&self) -> Result<Reader, SourceError> {
        let idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let lane = match idle {
            Some(lane) => lane,
            None => self.shared.join()?,
        };
        Ok(Reader { shared: Arc::clone(&self.shared), lane: Some(lane) })
    }
}

impl Shared {
    /// One more connection, proved to see the same commit.
    fn join(&self) -> Result<Lane, SourceError> {
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let broken = |error: rusqlite::Error| self.failure(&Said::of(&error));
        let conn = sqlite::open(&self.real, self.options.wait).map_err(broken)?;
        snapshot::begin(&conn).map_err(broken)?;
        if snapshot::version(&watch.0).map_err(broken)? != watch.1 {
            return Err(SourceError::new(ErrorClass::Moved, &self.place, "no further reader can join the snapshot")
                .because("the file was written to since it began")
                .advise("Use fewer lanes, or stop the application first."));
        }
        sqlite::restrict(conn, &self.options.functions).map_err(broken)
    }

    fn failure(&self, said: &Said) -> SourceError {
        let mut error = diagnose::failure(&self.real, Some(&self.header), said, self.options.wait);
        error.place.clone_from(&self.place);
        error
    }
}

impl Reader {
    fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The connection; there until `drop`.
    fn lane(&self) -> Result<&Lane, SourceError> {
        self.lane.as_ref().ok_or_else(|| SourceError::new(ErrorClass::Other, &self.shared.place, "is closed"))
    }

    /// Compiles a statement of ours.
    fn prepare(&self, sql: &str) -> Result<Statement<'_>, SourceError> {
        let lane = self.lane()?;
        if !lane.is_sound() {
            return Err(SourceError::new(ErrorClass::Moved, &self.shared.place, "this reader has lost its snapshot")
                .because("an earlier statement met damage or a failure of the disk")
                .advise("Start again."));
        }
        lane.log.begin();
        lane.conn.prepare(sql).map_err(|error| {
            let seen = lane.log.take();
            self.not_compiled(&Said::of(&error), seen.refused.as_deref())
        })
    }

    /// Why a statement does not compile: the SQL is wrong or not allowed, or the file cannot be read.
    fn not_compiled(&self, said: &Said, refused: Option<&str>) -> SourceError {
        use rusqlite::ffi::{SQLITE_AUTH, SQLITE_ERROR, SQLITE_RANGE, SQLITE_TOOBIG};
        if !matches!(said.primary(), SQLITE_AUTH | SQLITE_ERROR | SQLITE_RANGE | SQLITE_TOOBIG) {
            return self.failure(said);
        }
        let error = SourceError::new(ErrorClass::Sql, "source SQL", "does not compile");
        match refused {
            Some(refused) => error
                .because(format!("SQL of a mapping may only read, and this asks for {refused}"))
                .advise("Take it out."),
            None => error.because(format!("SQLite says \"{}\"", said.words)),
        }
    }

    /// Why a statement fails while it runs, where no row is to blame.
    fn failure(&self, said: &Said) -> SourceError {
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
        if let Some(lane) = self.lane.take().filter(Lane::is_sound) {
            self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner).push(lane);
        }
    }
}
