//! What can go wrong with a source, sorted by what one can do about it.
//!
//! Errors name files, tables, lines and SQLite's own words; no value of a row enters one. What a code of
//! SQLite's means for a file as it lies there is worked out in `diagnose`.

use std::fmt;
use std::path::Path;

use rusqlite::ffi;

/// Kinds of trouble, by the remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Nothing is at the path, or what is there is no file.
    Missing,
    /// The file holds no bytes.
    Empty,
    /// The file is something else.
    NotSqlite,
    /// The file looks like noise: encrypted, or something else.
    Encrypted,
    /// The file is, or was cut, damaged.
    Damaged,
    /// The file is in WAL mode and its `-wal` is certainly gone.
    WalMissing,
    /// Another process holds it, or commits faster than a snapshot can be taken.
    Busy,
    /// A rollback journal waits to be played back, which a reader may not do.
    HotJournal,
    /// WAL mode needs to write beside the file and cannot.
    ReadOnlyMedia,
    /// The operating system does not let us read it.
    NotAllowed,
    /// Written by a newer SQLite than the one built in.
    TooNew,
    /// The operating system could not read or write.
    Io,
    /// SQL that does not compile, is not allowed or fails: of the mapping, or of a dump.
    Sql,
    /// The file changed since the snapshot began, so that no further reader can join it.
    Moved,
    /// Anything else.
    Other,
}

/// One trouble with the source: where, what, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// What one can do about it, as a kind.
    pub class: ErrorClass,
    /// A path, a line of a dump, a table or an expression.
    pub place: String,
    /// What could not be done.
    pub what: String,
    /// The cause, as far as it is known; may be empty.
    pub why: String,
    /// What to do, as sentences; may be empty.
    pub advice: String,
    /// The expression of the [`Select`](crate::model::select::Select) that is to blame.
    pub expr: Option<usize>,
    /// The error is about the SQL that a mapping gives as the relation of a load.
    pub is_of_mapping_sql: bool,
}

impl SourceError {
    /// An error without a cause or an advice yet.
    pub(super) fn new(class: ErrorClass, place: impl Into<String>, what: impl Into<String>) -> SourceError {
        SourceError {
            class,
            place: place.into(),
            what: what.into(),
            why: String::new(),
            advice: String::new(),
            expr: None,
            is_of_mapping_sql: false,
        }
    }

    /// With its cause.
    pub(super) fn because(mut self, why: impl Into<String>) -> SourceError {
        self.why = why.into();
        self
    }

    /// With what to do.
    pub(super) fn advise(mut self, advice: impl Into<String>) -> SourceError {
        self.advice = advice.into();
        self
    }

    /// Blames the SQL that a mapping gives as the relation of a load, if `is`.
    pub(super) fn of_mapping_sql(mut self, is: bool) -> SourceError {
        self.is_of_mapping_sql = is;
        self
    }

    /// Blames one expression of the select.
    pub(super) fn at(mut self, expr: Option<usize>) -> SourceError {
        self.expr = expr;
        self
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        if !self.why.is_empty() {
            write!(f, "; {}", self.why)?;
        }
        f.write_str(".")?;
        if !self.advice.is_empty() {
            write!(f, " {}", self.advice)?;
        }
        Ok(())
    }
}

impl std::error::Error for SourceError {}

/// A path for people: control characters escaped, bytes that are not UTF-8 replaced.
pub(super) fn shown(path: &Path) -> String {
    path.to_string_lossy().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// What SQLite said: its code with the extension, and its words.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// The extended result code; 0 where the error is the library's own.
    pub code: i32,
    /// SQLite's message, which may quote a piece of the statement.
    pub words: String,
}

impl Said {
    /// Takes code and words out of the library's error, never the statement that it carries.
    pub fn of(error: &rusqlite::Error) -> Said {
        match error {
            rusqlite::Error::SqliteFailure(code, words) => Said {
                code: code.extended_code,
                words: words.clone().unwrap_or_else(|| ffi::code_to_str(code.extended_code).to_owned()),
            },
            rusqlite::Error::SqlInputError { error, msg, .. } => Said { code: error.extended_code, words: msg.clone() },
            other => Said { code: 0, words: other.to_string() },
        }
    }

    /// The primary result code.
    pub fn primary(&self) -> i32 {
        self.code & 0xff
    }

    /// The words without what SQLite may have quoted from a row or from a statement that holds rows.
    pub fn discreet(&self) -> &str {
        if self.words.starts_with("regexp: ") {
            return "regexp cannot read its pattern, or was given a real in place of text";
        }
        if self.words.starts_with("near \"") {
            return "syntax error";
        }
        if self.words.contains("constraint failed: ") || self.words.starts_with("not authorized") {
            return &self.words;
        }
        self.words.split_once([':', '"', '\'']).map_or(self.words.as_str(), |(head, _)| head.trim_end())
    }

    /// Whether a single row can be to blame: its expression failed, and the file is sound.
    pub fn blames_a_row(&self) -> bool {
        matches!(self.primary(), ffi::SQLITE_ERROR | ffi::SQLITE_TOOBIG | ffi::SQLITE_MISMATCH | ffi::SQLITE_CONSTRAINT)
    }

    /// Whether waiting may help.
    pub fn is_busy(&self) -> bool {
        matches!(self.primary(), ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED | ffi::SQLITE_PROTOCOL)
    }
}
