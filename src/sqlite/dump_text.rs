//! The text of a `.sql` dump, or of one that gzip compressed.

use std::fs::{File, Metadata};
use std::io::{self, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::diagnose;
use super::error::{ErrorClass, SourceError, shown};

/// The endings of a dump's name.
const PLAIN: &str = ".sql";
const COMPRESSED: &str = ".sql.gz";

/// The first bytes of every gzip file (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Returns true if the name is that of a dump.
pub(super) fn is_dump(path: &Path) -> bool {
    ends_in(path, PLAIN) || ends_in(path, COMPRESSED)
}

fn ends_in(path: &Path, ending: &str) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    name.len() > ending.len() && name.ends_with(ending)
}

/// Opens the dump. A byte order mark before UTF-8, which some editors write, is skipped. Other encodings are refused.
///
/// # Errors
/// If the file cannot be read, or is no text.
pub(super) fn open(path: &Path) -> Result<(Box<dyn Read>, Metadata), SourceError> {
    let (file, metadata) = diagnose::open_regular(path)?;
    let text: Box<dyn Read> = match ends_in(path, COMPRESSED) {
        true => Box::new(MultiGzDecoder::new(compressed(file, path)?)),
        false => Box::new(file),
    };
    Ok((Box::new(without_mark(text, path)?), metadata))
}

/// The whole file, whose first bytes must be those of gzip.
fn compressed(mut file: File, path: &Path) -> Result<impl Read + use<>, SourceError> {
    let start = first(&mut file, GZIP.len()).map_err(|error| diagnose::from_io(path, &error))?;
    if start != GZIP {
        return Err(SourceError::new(ErrorClass::NotSqlite, shown(path), "is not compressed by gzip")
            .because("its first bytes are others")
            .advise("Give a text that is not compressed a name that ends in .sql."));
    }
    Ok(Cursor::new(start).chain(file))
}

fn without_mark(mut text: Box<dyn Read>, path: &Path) -> Result<impl Read + use<>, SourceError> {
    let start = first(&mut text, 16).map_err(|error| unreadable(path, &error))?;
    let refuse = |what: &str, advice: &str| {
        Err(SourceError::new(ErrorClass::NotSqlite, shown(path), "is not a dump").because(what).advise(advice))
    };
    if start.starts_with(super::header::MAGIC) {
        return refuse("it is a SQLite database file", "Give it a name that does not end in .sql or .sql.gz.");
    }
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return refuse("it is text in UTF-16 (PowerShell's `>` writes that)", "Save it as UTF-8.");
    }
    let start = start.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(start);
    Ok(Cursor::new(start).chain(text))
}

fn first(text: &mut impl Read, bytes: usize) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    text.by_ref().take(bytes as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// The error of reading the text. Compressed text that was cut off or changed is damaged.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> SourceError {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    match error.kind() {
        UnexpectedEof | InvalidData | InvalidInput if ends_in(path, COMPRESSED) => {
            SourceError::new(ErrorClass::Damaged, shown(path), "the compressed dump is damaged or cut off")
                .because(error.to_string())
                .advise("Copy or make the dump again; `gzip -t` checks it.")
        }
        _ => diagnose::from_io(path, error),
    }
}
