//! Errors of the source, classified by remedy.
//!
//! Errors contain names of files and tables, line numbers and SQLite's own messages, and never a value of a row.
//! `diagnose` explains a result code of SQLite for a particular file.

use std::fmt;
use std::path::Path;

use rusqlite::ffi;

/// Classes of errors, by remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The path does not exist, or is not a file.
    Missing,
    /// The file is empty.
    Empty,
    /// The file is not a SQLite database.
    NotSqlite,
    /// The file looks like noise: encrypted, or something else.
    Encrypted,
    /// The file is damaged or truncated.
    Damaged,
    /// The file is in WAL mode and its `-wal` is certainly missing.
    WalMissing,
    /// Another process holds a lock, or commits faster than a snapshot can be taken.
    Busy,
    /// A hot rollback journal exists, and a reader may not play it back.
    HotJournal,
    /// WAL mode needs to write next to the file and cannot.
    ReadOnlyMedia,
    /// The operating system denies reading.
    NotAllowed,
    /// Written by a newer SQLite than the built-in one.
    TooNew,
    /// The operating system could not read or write.
    Io,
    /// SQL of the mapping or of a dump that does not compile, is not allowed, or fails.
    Sql,
    /// The file changed since the snapshot began, so that no further reader can join it.
    Moved,
    /// The process was asked to stop.
    Interrupted,
    /// Any other error.
    Other,
}

/// One error of the source: the place, the problem, the cause and the advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// The class, by remedy.
    pub class: ErrorClass,
    /// A path, a line of a dump, a table or an expression.
    pub place: String,
    /// The problem.
    pub what: String,
    /// The cause, as far as it is known; may be empty.
    pub why: String,
    /// The advice, as sentences; may be empty.
    pub advice: String,
    /// The expression of the [`Select`](crate::model::select::Select) that is to blame.
    pub expr: Option<usize>,
    /// The error is about the SQL that a mapping gives as the relation of a load.
    pub is_of_mapping_sql: bool,
}

impl SourceError {
    /// Creates an error without cause and advice.
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

    /// Sets the cause.
    pub(super) fn because(mut self, why: impl Into<String>) -> SourceError {
        self.why = why.into();
        self
    }

    /// Sets the advice.
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

/// The error of work that ended because the process was asked to stop.
pub(super) fn interrupted(place: impl Into<String>) -> SourceError {
    SourceError::new(ErrorClass::Interrupted, place, "was not read to its end").because("the process was asked to stop")
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

/// Returns a path for display: control characters and bytes that are not UTF-8 are replaced.
pub(super) fn shown(path: &Path) -> String {
    path.to_string_lossy().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The error that SQLite returned: its extended code and its message.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// The extended result code; 0 if the error is the library's own.
    pub code: i32,
    /// SQLite's message, which may quote part of the statement.
    pub words: String,
}

impl Said {
    /// Takes code and message from the library's error, but not the statement in it.
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

    /// Returns the message without text that SQLite may have quoted from a row or from a statement that contains rows.
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

    /// Returns true if a single row can be to blame: its expression failed, and the file is intact.
    pub fn blames_a_row(&self) -> bool {
        matches!(self.primary(), ffi::SQLITE_ERROR | ffi::SQLITE_TOOBIG | ffi::SQLITE_MISMATCH | ffi::SQLITE_CONSTRAINT)
    }

    /// Returns true if the statement ended because the process was asked to stop.
    pub fn is_interrupt(&self) -> bool {
        self.primary() == ffi::SQLITE_INTERRUPT
    }

    /// Returns true if waiting may help.
    pub fn is_busy(&self) -> bool {
        matches!(self.primary(), ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED | ffi::SQLITE_PROTOCOL)
    }
}
