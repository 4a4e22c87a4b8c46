//! Private places of a process that was killed. A place whose lock can be taken belongs to no process any more.

use std::fs::File;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::geteuid;

use super::folder::PREFIX;

/// The last part of the name of a draft.
pub(super) const DRAFT_ENDING: &str = ".part";

/// A private folder of a process that was killed, locked by this process until it is removed.
pub struct Leftover {
    path: PathBuf,
    /// The user whom the folder belongs to. A rehearsal by root leaves one of the server's user.
    owner: u32,
    _lock: File,
}

impl Leftover {
    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of the user whom it belongs to.
    pub fn owner(&self) -> u32 {
        self.owner
    }

    /// Removes the folder with everything in it. Returns true if it is removed.
    pub fn remove(self) -> bool {
        std::fs::remove_dir_all(&self.path).is_ok()
    }
}

/// Finds the private folders in the folder for temporary files whose processes were killed. A user sees their own folders.
/// Root sees those of every user: the rehearsal's server of root runs as another user.
pub fn leftovers() -> Vec<Leftover> {
    let Ok(listed) = std::fs::read_dir(std::env::temp_dir()) else { return Vec::new() };
    let named = listed.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    named.filter_map(|entry| dead(&entry.path(), OFlags::DIRECTORY)).collect()
}

/// Removes incomplete files that killed processes left next to `place`.
pub fn remove_drafts(place: &Path, prefix: &str) {
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(prefix)
            && name.ends_with(DRAFT_ENDING)
            && let Some(draft) = dead(&entry.path(), OFlags::empty())
        {
            let _ = std::fs::remove_file(&draft.path);
        }
    }
}

/// Opens and locks a place of a dead process. `None` if its process lives, if it is another user's, or if others may read it:
/// then this program did not make it.
fn dead(path: &Path, kind: OFlags) -> Option<Leftover> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | kind;
    let flags = i32::from_ne_bytes(flags.bits().to_ne_bytes());
    let lock = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let found = lock.metadata().ok()?;
    let user = geteuid().as_raw();
    let is_private = found.mode() & 0o077 == 0 && (found.is_dir() || found.is_file());
    if !is_private || (found.uid() != user && user != 0) {
        return None;
    }
    lock.try_lock().ok()?;
    Some(Leftover { path: path.to_owned(), owner: found.uid(), _lock: lock })
}
