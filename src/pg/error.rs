//! What the server refused, without anybody's values: SQLSTATE, constraint, table and column from their own fields.
//!
//! The server's DETAIL and CONTEXT carry values and are never read. Its message does for the classes of data errors, and
//! is left out there.

use std::fmt;

use postgres::error::SqlState;

/// An operation on the target that failed.
#[derive(Debug)]
pub struct ServerError {
    /// What was being done.
    pub doing: String,
    /// SQLSTATE, when the server answered.
    pub state: Option<String>,
    /// The constraint that it named.
    pub constraint: Option<String>,
    /// The table that it named.
    pub table: Option<String>,
    /// The column that it named.
    pub column: Option<String>,
    /// The domain that it named.
    pub domain: Option<String>,
    /// The server's source file that it came from: no words, so it has no language.
    pub file: Option<String>,
    /// No error of the server's: it took fewer rows than were sent, because a trigger swallowed some.
    pub swallowed: bool,
    /// The server's message, where it carries no values; else the connection's words.
    pub message: Option<String>,
    /// The connection is gone, or the server is going or coming: trying again may help.
    pub lost: bool,
}

/// SQLSTATE classes whose messages quote values: data exceptions, constraints, exceptions raised by the user's code.
const WITH_VALUES: [&str; 4] = ["22", "23", "44", "P0"];

/// What is done while the server reads values: the reader of an extension's type may quote them under any state.
pub const COPYING: &str = "copying rows";

/// SQLSTATE of a row, or of an index's entry, that is larger than a page takes.
pub const PROGRAM_LIMIT: &str = "54000";

/// SQLSTATE of an internal error, and the server's source file in which memory is handed out.
const INTERNAL: &str = "XX000";
const MEMORY: &str = "mcxt.c";

/// SQLSTATE of a value that is nested deeper than the server's stack: JSON of some thousands of levels.
pub const TOO_DEEP: &str = "54001";

/// SQLSTATE of bad SQL, and of a text that is no tsquery, tsvector or jsonpath.
const SYNTAX: &str = "42601";

/// SQLSTATE classes in which no row is to blame: connection, unsupported, transaction state, authorization, names and rights,
/// resources, limits, object state, intervention, system, configuration, internal.
const OPERATIONAL: [&str; 21] = [
    "00", "08", "0A", "25", "26", "28", "2D", "34", "3B", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "72",
    "F0", "XX",
];

impl ServerError {
    /// From the client library's error.
    pub fn of(doing: impl Into<String>, error: &postgres::Error) -> ServerError {
        let Some(db) = error.as_db_error() else {
            let lost = error.is_closed() || std::error::Error::source(error).is_some_and(|s| s.is::<std::io::Error>());
            let message = std::error::Error::source(error).map(ToString::to_string);
            return ServerError {
                message: message.or_else(|| Some(error.to_string())),
                lost,
                ..ServerError::plain(doing)
            };
        };
        let code = db.code().code();
        let doing: String = doing.into();
        let reads = doing == COPYING && [SYNTAX, INTERNAL].contains(&code);
        let quotes = reads || WITH_VALUES.iter().any(|class| code.starts_with(class));
        let ended = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW];
        ServerError {
            state: Some(code.to_owned()),
            constraint: db.constraint().map(str::to_owned),
            table: db.table().map(str::to_owned),
            column: db.column().map(str::to_owned),
            domain: db.datatype().map(str::to_owned),
            file: db.file().map(str::to_owned),
            message: (!quotes).then(|| db.message().to_owned()),
            lost: ended.contains(db.code()) || code.starts_with("08"),
            ..ServerError::plain(doing)
        }
    }

    /// An error of our own making.
    pub fn plain(doing: impl Into<String>) -> ServerError {
        ServerError {
            doing: doing.into(),
            state: None,
            constraint: None,
            table: None,
            column: None,
            domain: None,
            file: None,
            swallowed: false,
            message: None,
            lost: false,
        }
    }

    /// One with words of its own.
    pub fn said(doing: impl Into<String>, message: impl Into<String>) -> ServerError {
        ServerError { message: Some(message.into()), ..ServerError::plain(doing) }
    }

    /// Whether the server answered with this SQLSTATE.
    pub fn is(&self, state: &str) -> bool {
        self.state.as_deref() == Some(state)
    }

    /// Whether some row may be to blame, as against the operation or the server's state. A trigger may raise any state of
    /// its own, so this says what is not about rows.
    pub fn is_about_rows(&self) -> bool {
        let about = |s: &str| {
            [PROGRAM_LIMIT, TOO_DEEP, SYNTAX].contains(&s) || !OPERATIONAL.iter().any(|class| s.starts_with(class))
        };
        let is_about = || self.state.as_deref().is_some_and(about) || self.is_too_large_for_memory();
        !self.lost && (self.swallowed || is_about())
    }

    /// Whether the server was to put together more than its largest piece of memory, 1 GiB: by its state an internal error,
    /// by its cause a row that is too large.
    pub fn is_too_large_for_memory(&self) -> bool {
        self.is(INTERNAL) && self.file.as_deref() == Some(MEMORY)
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.doing)?;
        if let Some(state) = &self.state {
            write!(f, " SQLSTATE {state}")?;
        }
        for (what, name) in [("constraint", &self.constraint), ("table", &self.table), ("column", &self.column)] {
            if let Some(name) = name {
                write!(f, ", {what} {name}")?;
            }
        }
        match (&self.message, &self.state) {
            (Some(message), Some(_)) => write!(f, ", {message}"),
            (Some(message), None) => write!(f, " {message}"),
            (None, _) => Ok(()),
        }
    }
}

impl std::error::Error for ServerError {}

/// Names what was being done when the client library failed.
pub(super) trait Doing<T> {
    /// Turns the library's error into ours.
    fn doing(self, what: &str) -> Result<T, ServerError>;
}

impl<T> Doing<T> for Result<T, postgres::Error> {
    fn doing(self, what: &str) -> Result<T, ServerError> {
        super::failpoint::reach();
        self.map_err(|e| ServerError::of(what, &e))
    }
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, what: &str) -> Result<T, ServerError> {
        super::failpoint::reach();
        self.map_err(|e| match e.get_ref().and_then(|inner| inner.downcast_ref::<postgres::Error>()) {
            Some(inner) => ServerError::of(what, inner),
            None => ServerError { message: Some(e.to_string()), lost: true, ..ServerError::plain(what) },
        })
    }
}
