//! The source as a whole: opens the file or the dump, takes the snapshot, and creates readers of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use sha2::{Digest, Sha256};

use super::counted::Counted;
use super::error::{Said, SourceError, interrupted, shown};
use super::reader::{Reader, SourceOptions, SourceShared};
use super::stamp::SourceFacts;
use super::{connection, diagnose, dump, dump_text, opening_warnings, schema, snapshot};
use crate::model::hex::hex;
use crate::model::record::Warning;
use crate::model::schema::SourceSchema;
use crate::private::PrivateFolder;

/// Readers of a dump's copy beyond [`SourceOptions::readers`]: none can be opened once the copy is unlinked.
const SPARE_READERS: usize = 4;

/// One snapshot of one file, held until this and all its readers are dropped.
pub struct Source {
    pub(super) shared: Arc<SourceShared>,
    schema: SourceSchema,
    facts: SourceFacts,
    warnings: Vec<Warning>,
}

impl Source {
    /// Opens the file at `path`. A file whose name ends in `.sql` or `.sql.gz` is a dump and is first loaded into a private file.
    pub fn open(path: &Path, options: &SourceOptions) -> Result<Source, SourceError> {
        if !dump_text::is_dump(path) {
            return Source::open_file(path, path, options, None);
        }
        let loaded = dump::load(path, options)?;
        let mut source = Source::open_file(path, &loaded.database, options, Some(loaded.folder))?;
        source.facts = SourceFacts {
            bytes: loaded.bytes,
            modified: loaded.modified,
            header: None,
            wal: None,
            sha256: Some(loaded.sha256),
            ..source.facts
        };
        Ok(source)
    }

    /// Opens the database file at `file`, which is displayed as `path`.
    fn open_file(
        path: &Path,
        file: &Path,
        options: &SourceOptions,
        copy: Option<PrivateFolder>,
    ) -> Result<Source, SourceError> {
        let diagnose::DatabaseFile { path: real, held, header } = diagnose::look(file)?;
        let failure = |said: &Said| diagnose::failure(&real, Some(&header), said, options.wait);
        let broken = |error: rusqlite::Error| failure(&Said::of(&error));
        // `begin_all` does the waiting. A connection that waited by itself would prevent the others from beginning.
        let pause = Duration::from_millis(10);
        let watch = connection::open(&real, pause).map_err(broken)?;
        let spare = if copy.is_some() { SPARE_READERS } else { 0 };
        let lanes = (0..options.readers.max(1) + spare).map(|_| {
            let mut lane = connection::open(&real, pause)?;
            options.stop_when_asked(&mut lane, || {}).map(|()| lane)
        });
        let mut lanes = lanes.collect::<rusqlite::Result<Vec<_>>>().map_err(broken)?;
        let all: Vec<&Connection> = lanes.iter().collect();
        let begun =
            snapshot::begin_all(&watch, &all, options.wait, &options.asked, || SourceFacts::read(path, &real, &held));
        let (version, facts) = begun.map_err(|trouble| match trouble {
            snapshot::SnapshotFailure::Sqlite(said) => failure(&said),
            snapshot::SnapshotFailure::Restless => diagnose::restless(path, options.wait),
            snapshot::SnapshotFailure::Interrupted => interrupted(shown(path)),
        })?;
        let mut facts = facts.map_err(|error| diagnose::from_io(path, &error))?;
        let read = schema::read(&lanes[0]).map_err(|trouble| match trouble {
            schema::SchemaFailure::Sqlite(error) => broken(error),
            schema::SchemaFailure::Name(error) => error,
        })?;
        facts.schema = read.hash;
        let warnings = opening_warnings::warnings(path, &real, &facts, &read.schema, &lanes[0]);
        if !warnings.is_sound {
            lanes.remove(0);
        }
        watch.busy_timeout(options.wait).map_err(broken)?;
        let idle = lanes.into_iter().map(|lane| connection::restrict(lane, &options.functions));
        let idle = idle.collect::<rusqlite::Result<Vec<_>>>().map_err(broken)?;
        let shared = SourceShared {
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
            is_unlinked: copy.is_some(),
        };
        // From here on not even `kill -9` leaves rows of a dump in a file: every reader is open.
        drop(copy);
        Ok(Source { shared: Arc::new(shared), schema: read.schema, facts, warnings: warnings.found })
    }

    /// The tables and other objects of the file.
    pub fn schema(&self) -> &SourceSchema {
        &self.schema
    }

    /// The facts that are known without reading rows, as of the snapshot.
    pub fn facts(&self) -> &SourceFacts {
        &self.facts
    }

    /// Returns the stamp, one line of text. Equal stamps mean the same source; if they differ, only digests can decide.
    pub fn stamp(&self) -> String {
        self.facts.stamp()
    }

    /// The warnings noticed while opening. [`Reader::half_surrogates`] finds those that need a scan.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Returns true if the path still leads to the file that is read. The file may be renamed or replaced meanwhile;
    /// the snapshot is not affected.
    pub fn is_in_place(&self) -> bool {
        self.shared.held.is_in_place()
    }

    /// Returns a connection in the same snapshot. Beyond [`SourceOptions::readers`] it can join only if no commit has
    /// happened since.
    pub fn reader(&self) -> Result<Reader, SourceError> {
        let idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let lane = match idle {
            Some(lane) => lane,
            None => self.shared.join()?,
        };
        Ok(Reader { shared: Arc::clone(&self.shared), lane: Some(lane) })
    }

    /// Returns the names of the tables that have no rows.
    ///
    /// # Errors
    /// If the process was asked to stop.
    pub fn tables_without_rows(&self) -> Result<BTreeSet<String>, SourceError> {
        self.reader()?.tables_without_rows(&self.schema)
    }

    /// Returns true if the source was not written to since the snapshot began. The snapshot itself does not see later
    /// writes.
    pub fn is_as_it_was(&self) -> Result<bool, SourceError> {
        let broken = |error: std::io::Error| diagnose::from_io(&self.facts.path, &error);
        if let Some(sum) = &self.facts.sha256 {
            let now = std::fs::metadata(&self.facts.path).map_err(broken)?;
            if (now.len(), now.modified().ok()) == (self.facts.bytes, self.facts.modified) {
                return Ok(true);
            }
            let text = std::fs::read(&self.facts.path).map_err(broken)?;
            let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
            return Ok(hex(&Sha256::digest(text)) == *sum);
        }
        let watch = self.shared.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let version = snapshot::version(&watch.0).map_err(|error| self.shared.failure(&Said::of(&error)))?;
        Ok(version == watch.1 && self.is_in_place())
    }
}
