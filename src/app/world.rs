//! The world around the process: variables, folder, terminal, clock, signals, stdout and stderr.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Context;
use chrono::{DateTime, Utc};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

use crate::exit::Exit;
use crate::model::record::Refusal;
use crate::pg::connect::{Environment, system_user};

use super::env_file;

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
            width: columns.unwrap_or(100),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            asked: Arc::default(),
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

    /// Listens to SIGINT and SIGTERM, and to SIGHUP unless the process was started to outlive its terminal. The first
    /// signal sets `asked`, which lanes check between rows. The second ends the process, which is as safe as `kill -9`.
    pub fn listen_to_signals(&self) -> anyhow::Result<()> {
        let mut signals = vec![SIGINT, SIGTERM];
        if !is_ignored(SIGHUP) {
            signals.push(SIGHUP);
        }
        for signal in signals {
            // In this order, the second signal finds the flag set and ends the process.
            flag::register_conditional_shutdown(signal, i32::from(Exit::Interrupted.code()), Arc::clone(&self.asked))
                .and_then(|_| flag::register(signal, Arc::clone(&self.asked)))
                .with_context(|| format!("signal {signal}"))?;
        }
        // A file that reaches its size limit fails the write, like a full disk. The signal must not end the process.
        flag::register(SIGXFSZ, Arc::default()).context("SIGXFSZ")?;
        Ok(())
    }
}

/// Returns true if the parent ignores this signal for the process, as `nohup` does. False if that cannot be read.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (signal - 1)) != 0
}

/// Prints a message on stderr. A closed stderr is ignored.
pub fn say(message: &str) {
    let _ = writeln!(io::stderr().lock(), "migrate: {message}");
}

/// Prints a result on stdout. A closed pipe is ignored, because the exit code reports the result as well. Returns false,
/// after a message on stderr, if stdout cannot be written.
pub fn print(text: &str) -> bool {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            say(&format!("stdout: cannot be written ({e}). Run the command again: a finished run is only verified."));
            false
        }
        _ => true,
    }
}

/// Prints a result on stdout. Returns the exit, or an internal error if stdout cannot be written.
pub fn print_with(text: &str, exit: Exit) -> Exit {
    if print(text) { exit } else { exit.and(Exit::Bug) }
}
