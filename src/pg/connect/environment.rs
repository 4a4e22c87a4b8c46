//! The environment of the process as a value: variables, the home directory, the user, files.
//!
//! The caller fills it. Nothing under `connect` reads a variable by itself, so a test can pose as any machine. The
//! environment does not interpret its content.

use super::error::ConnectError;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Access to files for settings. [`Disk`] is the real one.
pub trait Files: Send + Sync {
    /// Reads the bytes of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Returns kind and permissions of a path. An error if the path does not exist.
    fn inspect(&self, path: &Path) -> io::Result<PathInfo>;
}

/// Kind and permissions of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathInfo {
    /// True for a regular file, after following links.
    pub plain_file: bool,
    /// The permission bits. `None` on systems without them.
    pub mode: Option<u32>,
}

/// The files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn inspect(&self, path: &Path) -> io::Result<PathInfo> {
        let metadata = std::fs::metadata(path)?;
        #[cfg(unix)]
        let mode = {
            use std::os::unix::fs::MetadataExt;
            Some(metadata.mode() & 0o7777)
        };
        #[cfg(not(unix))]
        let mode = None;
        Ok(PathInfo { plain_file: metadata.is_file(), mode })
    }
}

/// Variables, home directory, user name and files, as the caller provides them.
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    /// The directory in which `.pgpass`, `.pg_service.conf` and `.postgresql` are searched.
    pub home: Option<PathBuf>,
    /// The user name of the operating system: libpq's default for `user`.
    pub user: Option<String>,
    files: Box<dyn Files>,
}

impl Environment {
    /// Returns an environment with these variables and the files of this machine. Without a home directory, its files are
    /// not searched.
    pub fn new(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        home: Option<PathBuf>,
        user: Option<String>,
    ) -> Environment {
        Environment { variables: variables.into_iter().collect(), home, user, files: Box::new(Disk) }
    }

    /// Replaces the files.
    pub fn with_files(mut self, files: impl Files + 'static) -> Environment {
        self.files = Box::new(files);
        self
    }

    /// Returns true if the variables alone name a target, so that no connection string is needed.
    pub fn names_a_target(&self) -> bool {
        ["PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE", "PGPORT"]
            .iter()
            .any(|name| self.variables.get(&OsString::from(name)).is_some_and(|v| !v.is_empty()))
    }

    /// The access to files.
    pub fn files(&self) -> &dyn Files {
        &*self.files
    }

    /// Returns a variable's text. `Some("")` if it is set and empty, as in libpq; `None` if it is not set.
    ///
    /// # Errors
    /// If the value is not UTF-8. The message names the variable and does not repeat the value.
    pub fn variable(&self, name: &str) -> Result<Option<&str>, ConnectError> {
        match self.variables.get(&OsString::from(name)) {
            None => Ok(None),
            Some(value) => value.to_str().map(Some).ok_or_else(|| {
                ConnectError::usage(
                    name,
                    "the variable cannot be read",
                    "its value is not UTF-8",
                    "Set it to a value in UTF-8, or unset it",
                )
            }),
        }
    }
}

/// The user name of this process in the operating system's user database. No variable is read.
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
