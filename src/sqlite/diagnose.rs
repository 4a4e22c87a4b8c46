//! Explains why a file cannot be opened or read, and what to do.
//!
//! Examines the file and the files next to it. Changes nothing and does not use SQLite.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::ffi;

use super::error::{ErrorClass, Said, SourceError, interrupted, shown};
use super::header::Header;
use super::open_file::OpenFile;

/// A file that may be opened, kept open, with its header.
pub(super) struct DatabaseFile {
    /// Absolute path without symbolic links, as passed to SQLite.
    pub path: PathBuf,
    pub held: OpenFile,
    pub header: Header,
}

/// Checks, before SQLite opens it, that the file exists, is not empty and is a database.
pub(super) fn look(path: &Path) -> Result<DatabaseFile, SourceError> {
    let place = shown(path);
    regular_file(path)?;
    let real = std::fs::canonicalize(path).map_err(|error| from_io(path, &error))?;
    let held = OpenFile::open(&real).map_err(|error| from_io(path, &error))?;
    let start = held.start(4096).map_err(|error| from_io(path, &error))?;
    let Some(header) = Header::of(&start) else { return Err(not_sqlite(&place, &start)) };
    if real.as_os_str().len() > 500 {
        return Err(SourceError::new(ErrorClass::Other, place, "cannot be opened")
            .because("its full path is longer than the 500 bytes that SQLite takes")
            .advise("Use a shorter path, for example by moving its folder."));
    }
    Ok(DatabaseFile { path: real, held, header })
}

/// Refuses a path that is missing, is not a file, or is an empty file.
fn regular_file(path: &Path) -> Result<(), SourceError> {
    let metadata = std::fs::metadata(path).map_err(|error| from_io(path, &error))?;
    is_regular(path, &metadata)
}

/// Opens a file that is neither empty nor a folder, a pipe or a device. Never waits for a writer of a pipe, not even if the
/// path changes meanwhile.
pub(super) fn open_regular(path: &Path) -> Result<(File, Metadata), SourceError> {
    regular_file(path)?;
    let file = crate::private::open_for_reading(path).map_err(|error| from_io(path, &error))?;
    let metadata = file.metadata().map_err(|error| from_io(path, &error))?;
    is_regular(path, &metadata)?;
    Ok((file, metadata))
}

fn is_regular(path: &Path, metadata: &Metadata) -> Result<(), SourceError> {
    if !metadata.is_file() {
        let kind = if metadata.is_dir() { "it is a folder" } else { "it is a device, a pipe or a socket" };
        return Err(SourceError::new(ErrorClass::Missing, shown(path), "is not a file")
            .because(kind)
            .advise("Name the database file itself."));
    }
    if metadata.len() == 0 {
        return Err(SourceError::new(ErrorClass::Empty, shown(path), "is empty (0 bytes)")
            .because("SQLite would take it for a database without tables")
            .advise("Check the path, and whether the copy was completed."));
    }
    Ok(())
}

/// Describes an error of the operating system at a path.
pub(super) fn from_io(path: &Path, error: &io::Error) -> SourceError {
    let place = shown(path);
    match error.kind() {
        io::ErrorKind::NotFound if path.is_symlink() => SourceError::new(ErrorClass::Missing, place, "no such file")
            .because("the target of the symbolic link does not exist")
            .advise("Check the path."),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            SourceError::new(ErrorClass::Missing, place, "no such file").advise("Check the path; nothing was created.")
        }
        io::ErrorKind::PermissionDenied => SourceError::new(ErrorClass::NotAllowed, place, "cannot be read")
            .because("the operating system does not allow it")
            .advise("Give this user the right to read the file and its folder."),
        _ => SourceError::new(ErrorClass::Io, place, "cannot be read").because(error.to_string()),
    }
}

/// Describes a file without SQLite's magic by its first bytes.
fn not_sqlite(place: &str, start: &[u8]) -> SourceError {
    let other = |what: &str, advice: &str| {
        SourceError::new(ErrorClass::NotSqlite, place, "is not a SQLite database").because(what).advise(advice)
    };
    let formats: [(&[u8], &str); 8] = [
        (b"\x1f\x8b", "gzip"),
        (b"PK\x03\x04", "zip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\xfd7zXZ", "xz"),
        (b"BZh", "bzip2"),
        (b"7z\xbc\xaf", "7z"),
        (b"PGDMP", "pg_dump"),
        (b"** This file contains an SQLite 2", "SQLite 2"),
    ];
    if let Some((_, format)) = formats.iter().find(|(magic, _)| start.starts_with(magic)) {
        return other(&format!("it is a file of the format {format}"), "Unpack or convert it first.");
    }
    if start.starts_with(super::header::MAGIC) {
        return SourceError::new(ErrorClass::Damaged, place, "is damaged")
            .because(format!("it ends after {} bytes, within its own header", start.len()))
            .advise("Copy it again, or take a backup.");
    }
    let is_text = std::str::from_utf8(&start[..start.len().min(1024)]).is_ok_and(|text| !text.contains('\0'));
    let upper = start.to_ascii_uppercase();
    let says = |word: &[u8]| upper.windows(word.len()).any(|window| window == word);
    if is_text && (says(b"CREATE TABLE") || says(b"BEGIN TRANSACTION")) {
        return other("it looks like SQL text", "Give the dump a name that ends in .sql.");
    }
    if start.len() >= 1024 && entropy(start) > 7.0 {
        return SourceError::new(ErrorClass::Encrypted, place, "is not a SQLite database that can be read")
            .because("it has no SQLite header and its bytes look like noise: encrypted (SQLCipher?), or something else")
            .advise("Decrypt it first; SQLCipher does so with `sqlcipher_export`.");
    }
    other("it does not begin with SQLite's 16 bytes", "Check the path.")
}

/// Returns Shannon's entropy in bits per byte. 4,096 random bytes have about 7.95, text and code less than 6.5.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let total = bytes.len() as f64;
    counts.iter().filter(|n| **n > 0).map(|n| f64::from(*n) / total).map(|p| -p * p.log2()).sum()
}

/// Returns the path next to `path` with an ending appended: `-wal`, `-shm`, `-journal`.
pub(super) fn next_to(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

/// Returns the length of the file next to `path`. `None` if there is no such file.
pub(super) fn bytes_next_to(path: &Path, ending: &str) -> Option<u64> {
    std::fs::metadata(next_to(path, ending)).ok().map(|metadata| metadata.len())
}

/// Explains a failure of SQLite by the state of the file.
pub(super) fn failure(path: &Path, header: Option<&Header>, said: &Said, waited: Duration) -> SourceError {
    let place = shown(path);
    let error = |class, what: &str| SourceError::new(class, place.clone(), what);
    let wal = header.is_some_and(|header| header.wal);
    match (said.primary(), said.code) {
        (ffi::SQLITE_INTERRUPT, _) => interrupted(place),
        (_, ffi::SQLITE_READONLY_ROLLBACK) => hot_journal(path),
        (ffi::SQLITE_READONLY | ffi::SQLITE_CANTOPEN, _)
            if !wal && bytes_next_to(path, "-journal").unwrap_or(0) > 0 =>
        {
            hot_journal(path)
        }
        (ffi::SQLITE_READONLY | ffi::SQLITE_CANTOPEN, _) if wal => error(
            ErrorClass::ReadOnlyMedia,
            "cannot be read in its folder",
        )
        .because("it is in WAL mode, in which even a reader must create or write the -shm next to it, and that failed")
        .advise(
            "Copy the file, with its -wal if there is one, to a folder that this user may write to, and use the copy.",
        ),
        (ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED | ffi::SQLITE_PROTOCOL, _) => busy(&place, waited),
        (ffi::SQLITE_NOTADB, _) => error(ErrorClass::Damaged, "is damaged")
            .because(format!("it begins like a SQLite database, but the rest is not one ({})", said.discreet()))
            .advise("Copy it again, take a backup, or decrypt it first."),
        (ffi::SQLITE_CORRUPT, _) => damaged(path, header, said),
        (ffi::SQLITE_ERROR, _) if said.words.contains("unsupported file format") => too_new(&place, header, said),
        (ffi::SQLITE_IOERR, _) => error(ErrorClass::Io, "cannot be read")
            .because(format!("SQLite says \"{}\" (code {})", said.discreet(), said.code))
            .advise("Check the disk or the network file system, or copy the file and read the copy."),
        (ffi::SQLITE_FULL, _) => error(ErrorClass::Io, "cannot be read")
            .because("there is no room for SQLite's temporary files")
            .advise("Make room, or set SQLITE_TMPDIR to a folder with room."),
        (ffi::SQLITE_PERM | ffi::SQLITE_CANTOPEN, _) => error(ErrorClass::NotAllowed, "cannot be opened")
            .because(format!("SQLite says \"{}\" (code {})", said.discreet(), said.code))
            .advise("Check the rights on the file and its folder."),
        _ => error(ErrorClass::Other, "cannot be read").because(format!(
            "SQLite says \"{}\" (code {})",
            said.discreet(),
            said.code
        )),
    }
}

/// The file was locked for longer than the wait.
pub(super) fn busy(place: &str, waited: Duration) -> SourceError {
    SourceError::new(ErrorClass::Busy, place, "cannot be read now")
        .because(format!("another process holds a lock on it, and it was not released within {waited:.1?}"))
        .advise("Stop the application that writes to it, and start again.")
}

/// The file was committed to all the time.
pub(super) fn restless(path: &Path, waited: Duration) -> SourceError {
    SourceError::new(ErrorClass::Busy, shown(path), "no snapshot could be taken")
        .because(format!(
            "during {waited:.1?}, another process committed in each attempt to open all readers on one snapshot"
        ))
        .advise("Stop the application that writes to it, and start again.")
}

fn hot_journal(path: &Path) -> SourceError {
    SourceError::new(ErrorClass::HotJournal, shown(path), "cannot be read as it is")
        .because(format!(
            "a crashed write left {}, without which the file is half written, and a reader may not play it back",
            shown(&next_to(path, "-journal"))
        ))
        .advise(
            "Copy both files and open the copy once for writing (`sqlite3 COPY \"SELECT 1 FROM sqlite_schema\"`), \
             then use the copy; do not delete the journal.",
        )
}

fn damaged(path: &Path, header: Option<&Header>, said: &Said) -> SourceError {
    let place = shown(path);
    if said.words.starts_with("malformed database schema") {
        if header.is_some_and(|header| header.written_by > rusqlite::version_number().unsigned_abs()) {
            return too_new(&place, header, said);
        }
        return SourceError::new(ErrorClass::Damaged, place, "its schema cannot be read")
            .because(format!("SQLite says \"{}\"", said.words))
            .advise("Repair the schema, or take a backup.");
    }
    if header.is_some_and(|header| header.wal) && bytes_next_to(path, "-wal").unwrap_or(0) == 0 {
        return SourceError::new(ErrorClass::WalMissing, place, "is not whole")
            .because("it is in WAL mode, there is no -wal with content next to it, and its pages do not fit together")
            .advise("Copy the -wal too, or stop the application first so that it empties its log.");
    }
    let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let why = match header.and_then(Header::expected_bytes) {
        Some(expected) if bytes < expected => {
            format!("it is cut off: its header says {expected} bytes, and there are {bytes}")
        }
        _ => format!("SQLite says \"{}\"", said.discreet()),
    };
    SourceError::new(ErrorClass::Damaged, place, "is damaged")
        .because(why)
        .advise("Copy it again, take a backup, or save what can be saved with `sqlite3 FILE .recover`.")
}

fn too_new(place: &str, header: Option<&Header>, said: &Said) -> SourceError {
    let number = header.map_or(0, |header| header.written_by);
    let writer = format!("{}.{}.{}", number / 1_000_000, number / 1000 % 1000, number % 1000);
    SourceError::new(ErrorClass::TooNew, place, format!("uses features of SQLite newer than {}", rusqlite::version()))
        .because(format!("it was last written by {writer}, and SQLite says \"{}\"", said.words))
        .advise("Dump it with the sqlite3 of that version, or use a newer migrate.")
}
