//! What the world around the process says: variables, the home directory, the user, files.
//!
//! A value that the caller fills; nothing under `connect` reads a variable by itself, so a test can be any
//! machine. It gives no meaning to what it holds.

use super::error::ConnectError;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// How settings reach files. [`Disk`] is the real one.
pub trait Files: Send + Sync {
    /// The bytes of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Kind and permissions; an error when there is nothing at that path.
    fn look(&self, path: &Path) -> io::Result<Looked>;
}

/// What is known about a path without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looked {
    /// A regular file, after following links.
    pub plain_file: bool,
    /// The permission bits, where the system has them.
    pub mode: Option<u32>,
}

/// The files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn look(&self, path: &Path) -> io::Result<Looked> {
        let metadata = std::fs::metadata(path)?;
        #[cfg(unix)]
        let mode = {
            use std::os::unix::fs::MetadataExt;
            Some(metadata.mode() & 0o7777)
        };
        #[cfg(not(unix))]
        let mode = None;
        Ok(Looked { plain_file: metadata.is_file(), mode })
    }
}

/// Variables, home directory, user name and files, as the caller found them.
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    /// Where `.pgpass`, `.pg_service.conf` and `.postgresql` are looked for.
    pub home: Option<PathBuf>,
    /// The operating system's name of the user: libpq's default for `user`.
    pub user: Option<String>,
    files: Box<dyn Files>,
}

impl Environment {
    /// An environment with these variables and the files of this machine. Without a home directory none of its files is looked for.
    pub fn new(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        home: Option<PathBuf>,
        user: Option<String>,
    ) -> Environment {
        Environment { variables: variables.into_iter().collect(), home, user, files: Box::new(Disk) }
    }

    /// The same with other files.
    pub fn with_files(mut self, files: impl Files + 'static) -> Environment {
        self.files = Box::new(files);
        self
    }

    /// Whether the variables name a target at all, so that one without a string is meant.
    pub fn names_a_target(&self) -> bool {
        ["PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE", "PGPORT"]
            .iter()
            .any(|name| self.variables.get(&OsString::from(name)).is_some_and(|v| !v.is_empty()))
    }

    /// Reaches files.
    pub fn files(&self) -> &dyn Files {
        &*self.files
    }

    /// A variable's text. One that is set and empty is `Some("")`, as in libpq.
    ///
    /// # Errors
    /// When the value is not UTF-8; the message names the variable, not the value.
    pub fn variable(&self, name: &str) -> Result<Option<&str>, ConnectError> {
        match self.variables.get(&OsString::from(name)) {
            None => Ok(None),
            Some(value) => value.to_str().map(Some).ok_or_else(|| {
                ConnectError::usage(
                    name,
                    "the variable cannot be read",
                    "its value is not UTF-8",
                    "Set it again, or unset it",
                )
            }),
        }
    }
}

/// The name that the operating system has for the user who runs this process (its user database, no variable).
pub fn system_user() -> Option<String> {
    whoami::username().ok()
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys().collect::<Vec<_>>())
            .field("home", &self.home)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
