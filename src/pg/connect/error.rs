//! Errors of connecting, classified by what can be done next.
//!
//! Messages read `place: what; why. Do this.` No message contains a password, or a piece of a connection string that
//! could be a password. Retries and exit codes are decided elsewhere.

use crate::pg::sqlstate;
use crate::text::message;
use std::fmt;

/// The parts of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The place: `connection string`, `PGPORT`, `target host:port/database`.
    pub place: String,
    /// The failure.
    pub what: String,
    /// The cause, in the words of the server or the system if there are any.
    pub why: String,
    /// The advice: one or more sentences without the last full stop.
    pub advice: String,
    /// The server's SQLSTATE. `None` if no server answered.
    pub sqlstate: Option<String>,
}

impl Problem {
    /// Returns a problem without a SQLSTATE.
    pub(super) fn new(
        place: impl Into<String>,
        what: impl Into<String>,
        why: impl Into<String>,
        advice: impl Into<String>,
    ) -> Problem {
        let why = message(&why.into()).into_owned();
        Problem { place: place.into(), what: what.into(), why, advice: advice.into(), sqlstate: None }
    }

    /// Adds the server's code.
    pub(super) fn with_sqlstate(mut self, code: impl Into<String>) -> Problem {
        self.sqlstate = Some(code.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        if !self.why.is_empty() {
            write!(f, "; {}", self.why.trim_end_matches('.'))?;
        }
        f.write_str(".")?;
        if !self.advice.is_empty() {
            // An SQL statement ends with a semicolon.
            let stop = if self.advice.ends_with(';') { "" } else { "." };
            write!(f, " {}{stop}", self.advice.trim_end_matches('.'))?;
        }
        Ok(())
    }
}

/// An error of connecting. The variant says what can be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// A string, a variable or a file of settings cannot be read. Nothing was tried.
    Usage(Box<Problem>),
    /// No server answered: connection refused, no such host, timeout. A later attempt may succeed.
    Unreachable(Box<Problem>),
    /// The server is not ready: 57P03, or the connection was cut while it was made, as by a host that starts on demand.
    /// Waiting helps.
    Waking(Box<Problem>),
    /// The server does not admit this user: wrong or missing password, no entry in its `pg_hba.conf`.
    Password(Box<Problem>),
    /// Encryption failed, or would not prove what was requested: certificate, protocol, channel binding.
    Tls(Box<Problem>),
    /// The address is a transaction pooler, through which a session does not keep its settings.
    Pooler(Box<Problem>),
    /// The server answered with another error; `sqlstate` has its code.
    Other(Box<Problem>),
}

impl ConnectError {
    /// The parts of the message.
    pub fn problem(&self) -> &Problem {
        match self {
            ConnectError::Usage(p)
            | ConnectError::Unreachable(p)
            | ConnectError::Waking(p)
            | ConnectError::Password(p)
            | ConnectError::Tls(p)
            | ConnectError::Pooler(p)
            | ConnectError::Other(p) => p,
        }
    }

    /// A stable kebab-case word for reports.
    pub fn reason(&self) -> &'static str {
        match self {
            ConnectError::Usage(_) => "connection-settings",
            ConnectError::Unreachable(_) => "unreachable",
            ConnectError::Waking(_) => "waking",
            ConnectError::Password(_) => "not-admitted",
            ConnectError::Tls(_) => "tls",
            ConnectError::Pooler(_) => "pooler",
            ConnectError::Other(_) => "connection",
        }
    }

    /// The server's SQLSTATE. `None` if no server answered.
    pub fn sqlstate(&self) -> Option<&str> {
        self.problem().sqlstate.as_deref()
    }

    /// Returns true if the same attempt may succeed a little later without any change.
    pub fn retry_may_help(&self) -> bool {
        match self {
            ConnectError::Unreachable(_) | ConnectError::Waking(_) => true,
            ConnectError::Other(p) => p.sqlstate.as_deref().is_some_and(|code| {
                [sqlstate::TOO_MANY_CONNECTIONS, sqlstate::ADMIN_SHUTDOWN, sqlstate::CRASH_SHUTDOWN].contains(&code)
                    || code.starts_with(sqlstate::CLASS_CONNECTION)
            }),
            _ => false,
        }
    }

    /// The error of a connection that was open and broke. A later attempt may succeed.
    pub fn lost(what: impl Into<String>, why: impl Into<String>) -> ConnectError {
        ConnectError::Unreachable(Box::new(Problem::new(
            "target",
            what,
            why,
            "Run the same command again: it resumes the run",
        )))
    }

    /// Adds the outcome of an earlier attempt to the cause.
    pub(super) fn also(mut self, earlier: &str) -> ConnectError {
        let (ConnectError::Usage(problem)
        | ConnectError::Unreachable(problem)
        | ConnectError::Waking(problem)
        | ConnectError::Password(problem)
        | ConnectError::Tls(problem)
        | ConnectError::Pooler(problem)
        | ConnectError::Other(problem)) = &mut self;
        problem.why = match problem.why.as_str() {
            "" => earlier.to_owned(),
            why => format!("{why} ({earlier})"),
        };
        self
    }

    /// The error of a setting that cannot be used.
    pub(super) fn usage(
        place: impl Into<String>,
        what: impl Into<String>,
        why: impl Into<String>,
        advice: impl Into<String>,
    ) -> ConnectError {
        ConnectError::Usage(Box::new(Problem::new(place, what, why, advice)))
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem().fmt(f)
    }
}

impl std::error::Error for ConnectError {}
