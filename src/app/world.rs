//! The world around the process: variables, folder, terminal, clock. Looked at once and handed down as a value.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use chrono::{DateTime, Utc};

use crate::pg::connect::{Environment, system_user};

use super::{Failure, env_file};

/// Seconds from 1970 to 2000, PostgreSQL's own zero.
const POSTGRES_EPOCH: i64 = 946_684_800;

/// What the process finds around itself.
#[derive(Clone)]
pub struct World {
    /// The variables.
    pub variables: BTreeMap<OsString, OsString>,
    /// The user's home directory: `$HOME`, or what the user database says.
    pub home: Option<PathBuf>,
    /// stdout is a terminal.
    pub stdout_is_terminal: bool,
    /// stderr is a terminal.
    pub stderr_is_terminal: bool,
    /// stdin is a terminal: somebody can be asked.
    pub stdin_is_terminal: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// Cores that this process may use.
    pub cores: usize,
    /// Set when the process is asked to stop.
    pub asked: Arc<AtomicBool>,
    /// When the process began.
    pub began: Instant,
    /// What time it was then.
    pub now: DateTime<Utc>,
}

impl World {
    /// The world as it is here.
    pub fn here() -> World {
        let variables: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        let columns = variables.get(&OsString::from("COLUMNS")).and_then(|c| c.to_str()).and_then(|c| c.parse().ok());
        World {
            variables,
            home: std::env::home_dir().filter(|home| !home.as_os_str().is_empty()),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            width: columns.unwrap_or(100),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            asked: Arc::default(),
            began: Instant::now(),
            now: Utc::now(),
        }
    }

    /// A variable's text; one that is not UTF-8 counts as not set.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(&OsString::from(name)).and_then(|value| value.to_str())
    }

    /// This world with the variables of `--env-file` beside its own; where both have one, its own counts.
    ///
    /// # Errors
    /// When the file cannot be read; its line is named and not repeated.
    pub fn with_env_file(&self, path: &Path) -> Result<World, Failure> {
        let shown = path.display();
        let place = format!("--env-file {shown}");
        let unread = |why: &dyn std::fmt::Display| {
            let advice = "Name the file, or leave the flag out.";
            Failure::usage_of(&place, format!("cannot be read; {why}"), advice)
        };
        let bytes = std::fs::read(path).map_err(|e| unread(&e))?;
        let text = String::from_utf8(bytes).map_err(|_| unread(&"it is not UTF-8"))?;
        let found = env_file::read(&text, &|name| self.variable(name).map(str::to_owned))
            .map_err(|m| Failure::usage_of(&format!("{place}: line {}", m.line), m.syntax.what(), m.syntax.advice()))?;
        let mut world = self.clone();
        for (name, value) in found {
            world.variables.entry(name.into()).or_insert_with(|| value.into());
        }
        Ok(world)
    }

    /// What the connection may know of this world.
    pub fn environment(&self) -> Environment {
        Environment::new(self.variables.clone(), self.home.clone(), system_user())
    }

    /// The run's start as PostgreSQL counts: microseconds since 2000-01-01 UTC.
    pub fn now_micros(&self) -> i64 {
        self.now.timestamp_micros() - POSTGRES_EPOCH * 1_000_000
    }

    /// Seconds since the process began.
    pub fn elapsed(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}
