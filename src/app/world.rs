//! The world around the process: variables, folder, terminal, clock.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use chrono::{DateTime, Utc};

use crate::model::record::Refusal;
use crate::pg::connect::{Environment, system_user};

use super::ending::Ending;
use super::env_file;
use super::terminal::{columns_of, columns_of_stderr};

/// Seconds from 1970 to 2000, the epoch of PostgreSQL's timestamps.
const POSTGRES_EPOCH: i64 = 946_684_800;

/// The surroundings of the process. They are read once and passed on as a value.
#[derive(Clone)]
pub struct World {
    /// The environment variables.
    pub variables: BTreeMap<OsString, OsString>,
    /// The home directory: `$HOME`, else that of the user database.
    pub home: Option<PathBuf>,
    /// True if stdout is a terminal.
    pub stdout_is_terminal: bool,
    /// True if stderr is a terminal.
    pub stderr_is_terminal: bool,
    /// True if stdin is a terminal, so that a person can answer a question.
    pub stdin_is_terminal: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// Cores that this process may use.
    pub cores: usize,
    /// Set as soon as the process is asked to stop.
    pub asked: Arc<AtomicBool>,
    /// The name of the mapping, once it was read.
    pub mapping: Arc<OnceLock<String>>,
    /// Everything that the last message of a command needs that is cut short.
    pub ending: Arc<Ending>,
    /// The start of the process.
    pub began: Instant,
    /// The time of day at the start.
    pub now: DateTime<Utc>,
}

impl World {
    /// Reads the surroundings of this process.
    pub fn here() -> World {
        let variables: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        let columns = variables.get(&OsString::from("COLUMNS")).and_then(|c| c.to_str()).and_then(|c| c.parse().ok());
        World {
            variables,
            home: std::env::home_dir().filter(|home| !home.as_os_str().is_empty()),
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr_is_terminal: io::stderr().is_terminal(),
            stdin_is_terminal: io::stdin().is_terminal(),
            width: columns.or_else(|| columns_of(io::stdout())).unwrap_or(100),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            asked: Arc::default(),
            mapping: Arc::default(),
            ending: Arc::default(),
            began: Instant::now(),
            now: Utc::now(),
        }
    }

    /// The value of a variable. `None` if it is not set or not UTF-8.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(&OsString::from(name)).and_then(|value| value.to_str())
    }

    /// This world with the variables of `--env-file` added. A variable of the environment hides one of the file.
    ///
    /// # Errors
    /// If the file cannot be read. The error names the line and does not quote it.
    pub fn with_env_file(&self, path: &Path) -> Result<World, Refusal> {
        let place = format!("--env-file {}", path.display());
        let unread = |why: &dyn std::fmt::Display| {
            let advice = "Name the file, or leave the flag out.";
            Refusal::new(&place, format!("cannot be read; {why}"), advice)
        };
        let bytes = std::fs::read(path).map_err(|e| unread(&e))?;
        let text = String::from_utf8(bytes).map_err(|_| unread(&"it is not UTF-8"))?;
        let found = env_file::read(&text, &|name| self.variable(name).map(str::to_owned))
            .map_err(|m| Refusal::new(format!("{place}: line {}", m.line), m.syntax.what(), m.syntax.advice()))?;
        let mut world = self.clone();
        for (name, value) in found {
            world.variables.entry(name.into()).or_insert_with(|| value.into());
        }
        Ok(world)
    }

    /// Returns true if the process was asked to stop.
    pub fn is_stop_requested(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// The part of this world that connecting may use.
    pub fn environment(&self) -> Environment {
        Environment::new(self.variables.clone(), self.home.clone(), system_user())
    }

    /// The start of the process in microseconds since 2000-01-01 UTC, as PostgreSQL counts.
    pub fn now_micros(&self) -> i64 {
        self.now.timestamp_micros() - POSTGRES_EPOCH * 1_000_000
    }

    /// Seconds since the start of the process.
    pub fn elapsed(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// The columns of the terminal on stderr, as a function. `None` if stderr is no terminal, or one that erases nothing.
    pub fn bar_columns(&self) -> Option<fn() -> usize> {
        let erases = self.variable("TERM").is_none_or(|term| term != "dumb");
        (self.stderr_is_terminal && erases).then_some(columns_of_stderr)
    }
}
