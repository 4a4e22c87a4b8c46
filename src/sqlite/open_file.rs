//! A database file that this process keeps open beside SQLite, to read its header and to see whether the path still leads to it.
//!
//! Closing any descriptor of a file drops all POSIX locks that the process has on it
//! (<https://www.sqlite.org/howtocorrupt.html>, 2.2), SQLite's among them. So a descriptor of ours lives longer than
//! every connection to the same file, of whichever `Source`.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Inode = (u64, u64);
/// Files by inode, each with the number of its holders; made with the first.
type OpenFiles = Option<HashMap<Inode, (Arc<File>, usize)>>;

/// Files that are held now, with how often.
static HELD: Mutex<OpenFiles> = Mutex::new(None);

/// A file, held open until the last holder of it in this process is gone.
pub(super) struct OpenFile {
    path: PathBuf,
    inode: Inode,
    /// Taken out by `drop` alone.
    file: Option<Arc<File>>,
}

impl OpenFile {
    /// Opens the file, or joins those who hold it already.
    pub fn open(path: &Path) -> io::Result<OpenFile> {
        let mut table = table();
        let held = table.get_or_insert_default();
        let metadata = std::fs::metadata(path)?;
        let inode = (metadata.dev(), metadata.ino());
        if let Some((file, holders)) = held.get_mut(&inode) {
            *holders += 1;
            return Ok(OpenFile { path: path.to_owned(), inode, file: Some(Arc::clone(file)) });
        }
        let file = Arc::new(File::open(path)?);
        let metadata = file.metadata()?;
        let inode = (metadata.dev(), metadata.ino());
        if let Some((other, holders)) = held.get_mut(&inode) {
            // The path was changed in between to a file that is held: rather lose a descriptor than the locks.
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

    /// The first bytes of the file, at most `most` of them.
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

    /// Whether the path still leads to this very file.
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
        // Closed before the table is unlocked, so before anybody may open the file anew and lock it.
        self.file = None;
    }
}

fn table() -> MutexGuard<'static, OpenFiles> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}
