//! A private temporary folder: mode 0700, locked while its process lives, removed when dropped.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::BeforeRemoval;

/// The first part of the name of a private folder. [`leftovers`](fn@super::leftovers) recognises it.
pub(super) const PREFIX: &str = "migrate-private-";

/// The first part of the name until the folder is locked. No other process looks at such a folder.
const UNLOCKED: &str = "migrate-making-";

/// A folder in the folder for temporary files. Only its owner may enter it.
pub struct PrivateFolder {
    path: PathBuf,
    /// Locked. Closed by the kernel when the process ends, however it ends.
    _lock: File,
}

impl PrivateFolder {
    /// Creates a folder. Its path has no symbolic link.
    ///
    /// # Errors
    /// If the folder for temporary files is missing, full or not writable, or if the process is ending.
    pub fn new() -> io::Result<PrivateFolder> {
        super::register(|| {
            let within = std::env::temp_dir().canonicalize()?;
            let made = tempfile::Builder::new()
                .prefix(UNLOCKED)
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(&within)?;
            let lock = File::open(made.path())?;
            // A file system without locks serves, too. What a killed process leaves there is then not found.
            let _unsupported = lock.try_lock();
            let name = made.path().file_name().unwrap_or_default().to_string_lossy();
            let path = within.join(format!("{PREFIX}{}", name.trim_start_matches(UNLOCKED)));
            std::fs::rename(made.path(), &path)?;
            // The name is new; nothing is left to remove under the old one.
            let _renamed = made.keep();
            Ok((PrivateFolder { path: path.clone(), _lock: lock }, path))
        })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sets work that is done before the folder is removed, such as stopping a server in it.
    pub fn before_removal(&self, work: BeforeRemoval) {
        super::set_before(&self.path, work);
    }

    /// Removes the folder early. Files that are open in it can still be read.
    pub fn unlink(&self) {
        super::remove(&self.path);
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        super::remove(&self.path);
    }
}
