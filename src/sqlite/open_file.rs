//! A database file that this process keeps open in addition to SQLite, to read its header and to check that the path
//! still leads to it.
//!
//! Closing any descriptor of a file drops all POSIX locks that the process has on it
//! (<https://www.sqlite.org/howtocorrupt.html>, 2.2), including SQLite's. Therefore this descriptor lives longer than
//! every connection to the same file, of any `Source`.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Inode = (u64, u64);
/// Open files by inode, each with its number of holders. `None` before the first.
type OpenFiles = Option<HashMap<Inode, (Arc<File>, usize)>>;

/// The files that are open now.
static HELD: Mutex<OpenFiles> = Mutex::new(None);

/// A file that stays open until its last holder in this process is dropped.
pub(super) struct OpenFile {
    path: PathBuf,
    inode: Inode,
    /// Only `drop` takes it.
    file: Option<Arc<File>>,
}

impl OpenFile {
    /// Opens the file, or joins the holders of the same file.
    pub fn open(path: &Path) -> io::Result<OpenFile> {
        let mut table = table();
        let held = table.get_or_insert_default();
        let metadata = std::fs::metadata(path)?;
        let inode = (metadata.dev(), metadata.ino());
        if let Some((file, holders)) = held.get_mut(&inode) {
            *holders += 1;
            return Ok(OpenFile { path: path.to_owned(), inode, file: Some(Arc::clone(file)) });
        }
        let file = Arc::new(crate::private::open_for_reading(path)?);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no longer a file"));
        }
        let inode = (metadata.dev(), metadata.ino());
        if let Some((other, holders)) = held.get_mut(&inode) {
            // The path changed in between to a file that is already open. Leaking a descriptor is better than dropping
            // the locks.
            std::mem::forget(file);
            *holders += 1;
            return Ok(OpenFile { path: path.to_owned(), inode, file: Some(Arc::clone(other)) });
        }
        held.insert(inode, (Arc::clone(&file), 1));
        Ok(OpenFile { path: path.to_owned(), inode, file: Some(file) })
    }

    /// The open file.
    pub fn file(&self) -> io::Result<&File> {
        self.file.as_deref().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    /// Returns the first bytes of the file, at most `most`.
    pub fn start(&self, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; most];
        let mut read = 0;
        while read < most {
            match self.file()?.read_at(&mut bytes[read..], read as u64)? {
                0 => break,
                n => read += n,
            }
        }
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Returns true if the path still leads to this file.
    pub fn is_in_place(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) == self.inode)
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let mut table = table();
        let Some(held) = table.as_mut() else { return };
        if let Some((_, holders)) = held.get_mut(&self.inode) {
            *holders -= 1;
            if *holders == 0 {
                held.remove(&self.inode);
            }
        }
        // Closed before the table is unlocked, so that no other thread can open and lock the file before that.
        self.file = None;
    }
}

fn table() -> MutexGuard<'static, OpenFiles> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}
