//! A failed operation on the target: SQLSTATE, constraint, table and column from the fields of the server's answer.
//!
//! The server's DETAIL and CONTEXT quote values and are never read. Its message quotes values in some classes of errors;
//! there it is left out.

use std::fmt;

use super::{sqlstate, sqlstate_names};
use crate::text;

/// An operation on the target that failed.
#[derive(Debug, Default)]
pub struct ServerError {
    /// The operation that failed.
    pub operation: Operation,
    /// SQLSTATE; `None` if the server did not answer.
    pub state: Option<String>,
    /// The constraint that the server named.
    pub constraint: Option<String>,
    /// The table that the server named.
    pub table: Option<String>,
    /// The column that the server named.
    pub column: Option<String>,
    /// The domain that the server named.
    pub domain: Option<String>,
    /// The server's source file that raised the error. Unlike the message it does not depend on the server's language.
    pub file: Option<String>,
    /// The server reported no error but took fewer rows than were sent, because a trigger swallowed some.
    pub swallowed: bool,
    /// The server's message if it quotes no values; without an answer of the server, the client library's message.
    pub message: Option<String>,
    /// The connection is lost, or the server is stopping or starting: trying again may help.
    pub lost: bool,
    /// The operator's way out, if this program knows one.
    pub advice: Option<String>,
}

/// An operation on the target. The kinds that decide what to do about a failure have a variant of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The server reads values of rows. The input function of an extension's type may quote them under any SQLSTATE.
    CopyRows,
    /// An object that was detached for the load is re-created.
    Reattach {
        /// The object's name.
        object: String,
        /// The object's table.
        table: String,
    },
    /// Any other operation, in words.
    Other(String),
}

impl Default for Operation {
    fn default() -> Operation {
        Operation::Other(String::new())
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::CopyRows => f.write_str("copying rows"),
            Operation::Reattach { object, table } => write!(f, "reattaching {object} on {table}"),
            Operation::Other(words) => f.write_str(words),
        }
    }
}

impl From<&str> for Operation {
    fn from(words: &str) -> Operation {
        Operation::Other(words.to_owned())
    }
}

impl From<&Operation> for Operation {
    fn from(operation: &Operation) -> Operation {
        operation.clone()
    }
}

/// The words for everything that reads the ledger.
pub(super) const READING_LEDGER: &str = "reading the ledger";

/// The way out of a ledger that another program changed.
const RESTORE_LEDGER: &str = "No version of migrate writes this: another program changed the ledger, or only a part of it was \
    restored. Restore its tables from a backup. With another `--ledger-schema` a run begins that knows nothing of this one.";

/// SQLSTATE classes whose messages quote values: data exceptions, constraints, exceptions raised by the user's code.
const QUOTING_VALUES: [&str; 4] = ["22", "23", "44", "P0"];

/// The server's source file that allocates memory.
const MEMORY_FILE: &str = "mcxt.c";

/// SQLSTATE classes that no row can cause: connection, unsupported, transaction state, authorization, names and rights,
/// resources, limits, object state, intervention, system, configuration, internal.
const OPERATIONAL: [&str; 21] = [
    "00", "08", "0A", "25", "26", "28", "2D", "34", "3B", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "72",
    "F0", "XX",
];

/// SQLSTATEs of those classes that a row can cause all the same.
const OPERATIONAL_BUT_FROM_ROWS: [&str; 3] =
    [sqlstate::PROGRAM_LIMIT_EXCEEDED, sqlstate::STATEMENT_TOO_COMPLEX, sqlstate::SYNTAX_ERROR];

impl ServerError {
    /// Converts the client library's error.
    pub fn from_client(operation: impl Into<Operation>, error: &postgres::Error) -> ServerError {
        let operation = operation.into();
        let Some(answer) = error.as_db_error() else {
            let cause = std::error::Error::source(error);
            return ServerError {
                message: Some(cause.map_or_else(|| error.to_string(), ToString::to_string)),
                lost: error.is_closed() || cause.is_some_and(|cause| cause.is::<std::io::Error>()),
                operation,
                ..ServerError::default()
            };
        };
        let code = answer.code().code();
        let reads_values = operation == Operation::CopyRows;
        let quotes = (reads_values && [sqlstate::SYNTAX_ERROR, sqlstate::INTERNAL_ERROR].contains(&code))
            || QUOTING_VALUES.iter().any(|class| code.starts_with(class));
        let ended = [sqlstate::ADMIN_SHUTDOWN, sqlstate::CRASH_SHUTDOWN, sqlstate::CANNOT_CONNECT_NOW];
        ServerError {
            operation,
            state: Some(code.to_owned()),
            constraint: answer.constraint().map(str::to_owned),
            table: answer.table().map(str::to_owned),
            column: answer.column().map(str::to_owned),
            domain: answer.datatype().map(str::to_owned),
            file: answer.file().map(str::to_owned),
            message: (!quotes).then(|| text::message(answer.message()).into_owned()),
            lost: ended.contains(&code) || code.starts_with(sqlstate::CLASS_CONNECTION),
            swallowed: false,
            advice: None,
        }
    }

    /// Makes an error of this program's own.
    pub fn new(operation: impl Into<Operation>, message: impl Into<String>) -> ServerError {
        ServerError { operation: operation.into(), message: Some(message.into()), ..ServerError::default() }
    }

    /// Makes the error of a ledger that contains something that no version of this tool writes.
    pub(super) fn of_ledger(message: impl Into<String>) -> ServerError {
        ServerError::new(READING_LEDGER, message).advise(RESTORE_LEDGER)
    }

    /// The same error with the way out.
    pub(super) fn advise(self, advice: impl Into<String>) -> ServerError {
        ServerError { advice: Some(advice.into()), ..self }
    }

    /// The same error with the connection lost.
    pub(super) fn lost(self) -> ServerError {
        ServerError { lost: true, ..self }
    }

    /// The same error for rows that a trigger or another session's row swallowed.
    pub(super) fn swallowed(self) -> ServerError {
        ServerError { swallowed: true, ..self }
    }

    /// The error without the operation: SQLSTATE, the named objects, the message.
    pub fn answer(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.state.as_deref().map(sqlstate_names::shown));
        for (what, name) in [("constraint", &self.constraint), ("table", &self.table), ("column", &self.column)] {
            parts.extend(name.as_ref().map(|name| format!("{what} {name}")));
        }
        parts.extend(self.message.clone());
        parts.join(", ")
    }

    /// Returns true if the server answered with this SQLSTATE.
    fn is(&self, state: &str) -> bool {
        self.state.as_deref() == Some(state)
    }

    /// Returns true if a lock was not granted in time.
    pub fn is_lock_wait(&self) -> bool {
        self.is(sqlstate::LOCK_NOT_AVAILABLE)
    }

    /// Returns true if the statement was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.is(sqlstate::QUERY_CANCELED)
    }

    /// Returns true if two rows have the same unique key.
    pub fn is_unique_violation(&self) -> bool {
        self.is(sqlstate::UNIQUE_VIOLATION)
    }

    /// Returns true if trying again may help: the connection is lost, an old transaction still holds a lock that is
    /// needed, or two lanes waited for each other over rows with the same key.
    pub fn retry_may_help(&self) -> bool {
        self.lost || self.is_lock_wait() || self.is(sqlstate::DEADLOCK_DETECTED)
    }

    /// Returns true if a row was changed after the transaction had begun, which may not see the change.
    pub fn is_concurrent_change(&self) -> bool {
        self.is(sqlstate::SERIALIZATION_FAILURE)
    }

    /// Returns true if the rows in the table do not allow a detached object to be re-created.
    pub fn is_reattach_refused_by_rows(&self) -> bool {
        matches!(self.operation, Operation::Reattach { .. }) && self.is_about_rows()
    }

    /// Returns true if a row may be the cause. A trigger may raise any SQLSTATE, so this excludes only the SQLSTATEs that
    /// speak of the operation or of the server.
    pub fn is_about_rows(&self) -> bool {
        let from_rows = |state: &str| {
            OPERATIONAL_BUT_FROM_ROWS.contains(&state) || !OPERATIONAL.iter().any(|class| state.starts_with(class))
        };
        let is_caused = || self.state.as_deref().is_some_and(from_rows) || self.is_too_large_for_memory();
        !self.lost && (self.swallowed || is_caused())
    }

    /// Returns true if the server needed more than 1 GiB in one allocation. Its SQLSTATE is an internal error; its cause
    /// is a row that is too large.
    pub fn is_too_large_for_memory(&self) -> bool {
        self.is(sqlstate::INTERNAL_ERROR) && self.file.as_deref() == Some(MEMORY_FILE)
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.answer())
    }
}

impl std::error::Error for ServerError {}

/// Adds to the client library's error the operation that failed.
pub(super) trait Doing<T> {
    /// Converts the library's error into a [`ServerError`].
    fn doing(self, operation: impl Into<Operation>) -> Result<T, ServerError>;
}

impl<T> Doing<T> for Result<T, postgres::Error> {
    fn doing(self, operation: impl Into<Operation>) -> Result<T, ServerError> {
        super::failpoint::reach();
        self.map_err(|e| ServerError::from_client(operation, &e))
    }
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, operation: impl Into<Operation>) -> Result<T, ServerError> {
        super::failpoint::reach();
        self.map_err(|e| match e.get_ref().and_then(|inner| inner.downcast_ref::<postgres::Error>()) {
            Some(inner) => ServerError::from_client(operation, inner),
            None => ServerError::new(operation, e.to_string()).lost(),
        })
    }
}
