//! A file that is written under another name, next to its final place, and gets its final name when it is complete.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// The mode of a complete file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinalMode {
    /// 0600.
    Private,
    /// The mode of the file that it replaces, or that of any new file.
    Usual,
}

/// An incomplete file: new, mode 0600, locked while its process lives, removed unless it gets its final name.
#[derive(Debug)]
pub struct Draft {
    /// `None` once it has its final name.
    file: Option<NamedTempFile>,
    path: PathBuf,
    /// The mode that any new file gets here.
    usual: u32,
}

impl Draft {
    /// Creates an empty file in the folder of `place`. `prefix`: the first part of its name.
    ///
    /// # Errors
    /// If the folder is missing or not writable, or if the process is ending.
    pub fn next_to(place: &Path, prefix: &str) -> io::Result<Draft> {
        let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        super::register(|| {
            let mut builder = tempfile::Builder::new();
            builder.prefix(prefix).suffix(super::leftovers::DRAFT_ENDING);
            // The process's umask decides the mode. It is read from the file, which is still empty.
            let file = builder.permissions(Permissions::from_mode(0o666)).tempfile_in(folder)?;
            let usual = file.as_file().metadata()?.mode() & 0o777;
            file.as_file().set_permissions(Permissions::from_mode(0o600))?;
            // A file system without locks serves, too. What a killed process leaves there is then not found.
            let _unsupported = file.as_file().try_lock();
            let path = file.path().to_owned();
            Ok((Draft { file: Some(file), path: path.clone(), usual }, path))
        })
    }

    /// The open file.
    ///
    /// # Errors
    /// If it has its final name already.
    pub fn file(&mut self) -> io::Result<&mut File> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        self.file.as_mut().map(NamedTempFile::as_file_mut).ok_or_else(missing)
    }

    /// Gives the file its final mode and name. A file of that name is replaced.
    ///
    /// # Errors
    /// If the file cannot be written to the disk or renamed. A previous file is unchanged.
    pub fn persist(mut self, place: &Path, mode: FinalMode) -> io::Result<()> {
        let Some(file) = self.file.take() else { return Ok(()) };
        file.as_file().sync_all()?;
        if mode == FinalMode::Usual {
            let replaced = std::fs::metadata(place).map(|found| found.mode() & 0o777);
            file.as_file().set_permissions(Permissions::from_mode(replaced.unwrap_or(self.usual)))?;
        }
        file.persist(place).map(drop).map_err(|e| e.error)
    }

    /// Gives the file the usual mode and its final name, which no file may have.
    ///
    /// # Errors
    /// If the file cannot be written to the disk or renamed, or if there is a file of that name.
    pub fn persist_new(mut self, place: &Path) -> io::Result<()> {
        let Some(file) = self.file.take() else { return Ok(()) };
        file.as_file().sync_all()?;
        file.as_file().set_permissions(Permissions::from_mode(self.usual))?;
        file.persist_noclobber(place).map(drop).map_err(|e| e.error)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        self.file = None;
        super::forget(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_draft_is_private_and_the_complete_file_keeps_the_mode_of_the_one_it_replaces() {
        let folder = tempfile::tempdir().expect("a folder");
        let mode = |path: &Path| std::fs::metadata(path).expect("a file").mode() & 0o777;
        let place = folder.path().join("report.md");
        std::fs::write(&place, "old").expect("written");
        std::fs::set_permissions(&place, Permissions::from_mode(0o640)).expect("a mode");
        let mut draft = Draft::next_to(&place, ".draft-").expect("a draft");
        assert_eq!(mode(&draft.path), 0o600);
        draft.file().and_then(|file| file.write_all(b"new")).expect("written");
        draft.persist(&place, FinalMode::Usual).expect("renamed");
        assert_eq!((mode(&place), std::fs::read_to_string(&place).expect("read")), (0o640, "new".to_owned()));
        Draft::next_to(&place, ".draft-").expect("a draft").persist(&place, FinalMode::Private).expect("renamed");
        assert_eq!(mode(&place), 0o600);
        drop(Draft::next_to(&place, ".draft-").expect("a draft"));
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "an incomplete draft is removed");
    }

    #[test]
    fn drafts_of_dead_processes_are_removed_and_those_of_living_ones_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("report.md");
        let living = Draft::next_to(&place, ".draft-").expect("a draft");
        let dead = folder.path().join(".draft-dead.part");
        std::fs::write(&dead, "rows").expect("written");
        std::fs::set_permissions(&dead, Permissions::from_mode(0o600)).expect("a mode");
        crate::private::remove_drafts(&place, ".draft-");
        assert!(!dead.exists() && living.path.exists());
    }
}
