//! Opening a file that another process may have prepared: a pipe must not make the process wait, and a link must not lead to
//! a file of another user.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::geteuid;

/// Opens a file for reading. A named pipe without a writer opens at once, too; the caller refuses what is no file.
///
/// # Errors
/// If the file cannot be opened.
pub fn open_for_reading(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(flags(OFlags::NONBLOCK)).open(path)
}

/// Opens an existing pipe or device for writing. Never waits for a reader.
///
/// # Errors
/// If it belongs to another user than this one or root, if no process reads a pipe, or if it cannot be opened.
pub fn open_own_for_writing(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).custom_flags(flags(OFlags::NONBLOCK | OFlags::NOCTTY)).open(path);
    let file = file.map_err(|e| match e.raw_os_error() {
        Some(code) if code == rustix::io::Errno::NXIO.raw_os_error() => io::Error::other("no process reads the pipe"),
        _ => e,
    })?;
    if !is_own(file.metadata()?.uid()) {
        return Err(io::Error::other("it belongs to another user"));
    }
    // From here on a full pipe is waited for.
    rustix::fs::fcntl_setfl(&file, OFlags::empty())?;
    Ok(file)
}

/// Checks that a file of this name may be created, or be replaced by a rename: nothing is there, or a plain file of this user.
///
/// # Errors
/// The reason why it may not.
pub fn replaceable(path: &Path) -> io::Result<()> {
    let found = match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    let refuse = |why: &'static str| Err(io::Error::other(why));
    match found.file_type() {
        kind if kind.is_symlink() => refuse("it is a symbolic link"),
        kind if !kind.is_file() => refuse("it is not a file"),
        _ if !is_own(found.uid()) => refuse("it belongs to another user"),
        _ => Ok(()),
    }
}

/// Returns true if the path is a symbolic link that another user made.
pub fn is_link_of_another_user(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink() && !is_own(found.uid()))
}

/// Returns true for this user and for root, who may read every file anyway.
fn is_own(owner: u32) -> bool {
    owner == 0 || owner == geteuid().as_raw()
}

/// The flags as `open` takes them.
fn flags(flags: OFlags) -> i32 {
    i32::from_ne_bytes(flags.bits().to_ne_bytes())
}
