//! Places in the file system that only this user may read, and that are removed on every way out of the process.
//!
//! [`PrivateFolder`] and [`Draft`] register themselves here. Dropping them removes them. [`remove_all`] removes the rest when
//! the process ends without unwinding, as after a signal. Only `kill -9` leaves them. [`leftovers`](fn@leftovers) finds those of a dead
//! process: each place is locked for as long as its process lives, and the kernel releases the lock with the process.

mod draft;
mod folder;
mod leftovers;
mod open;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use draft::{Draft, FinalMode};
pub use folder::PrivateFolder;
pub use leftovers::{Leftover, leftovers, remove_drafts};
pub use open::{is_link_of_another_user, open_for_reading, open_own_for_writing, replaceable};

/// Work that must be done before a folder is removed, such as stopping the server in it.
pub type BeforeRemoval = Arc<dyn Fn(&Path) + Send + Sync>;

/// A registered file or folder.
struct PrivatePlace {
    path: PathBuf,
    before: Option<BeforeRemoval>,
}

/// The places of this process.
struct PrivatePlaces {
    places: Vec<PrivatePlace>,
    /// The process is ending: nothing may be created any more.
    closed: bool,
}

static PLACES: Mutex<PrivatePlaces> = Mutex::new(PrivatePlaces { places: Vec::new(), closed: false });

fn table() -> MutexGuard<'static, PrivatePlaces> {
    PLACES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Creates a place and registers it, in one step: [`remove_all`] either finds it or prevents it.
fn register<T>(create: impl FnOnce() -> io::Result<(T, PathBuf)>) -> io::Result<T> {
    let mut table = table();
    if table.closed {
        return Err(io::Error::from(io::ErrorKind::Interrupted));
    }
    let (made, path) = create()?;
    table.places.push(PrivatePlace { path, before: None });
    Ok(made)
}

/// Sets the work that is done before the place is removed.
fn set_before(path: &Path, before: BeforeRemoval) {
    if let Some(place) = table().places.iter_mut().find(|place| place.path == path) {
        place.before = Some(before);
    }
}

/// Removes a place. It stays registered until it is removed, so that a signal meanwhile finds it.
fn remove(path: &Path) {
    let before = table().places.iter().find(|place| place.path == path).and_then(|place| place.before.clone());
    erase(path, before);
    table().places.retain(|place| place.path != path);
}

/// Forgets a place that was removed or has its final name.
fn forget(path: &Path) {
    table().places.retain(|place| place.path != path);
}

/// Removes every place of this process. Later attempts to create one fail.
pub fn remove_all() {
    let places: Vec<PrivatePlace> = {
        let mut table = table();
        table.closed = true;
        std::mem::take(&mut table.places)
    };
    for place in places {
        erase(&place.path, place.before);
    }
}

/// Creates a file without a name, which only this process can open.
///
/// # Errors
/// If the folder for temporary files is missing, full or not writable.
pub fn unnamed_file() -> io::Result<File> {
    tempfile::tempfile()
}

/// Attempts to remove a folder in which another process may still create files.
const REMOVALS: u32 = 5;

fn erase(path: &Path, before: Option<BeforeRemoval>) {
    if let Some(before) = before {
        before(path);
    }
    for _ in 0..REMOVALS {
        let removed = match std::fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
            Ok(_) => std::fs::remove_file(path),
            Err(_) => return,
        };
        if removed.is_ok() {
            return;
        }
    }
}
