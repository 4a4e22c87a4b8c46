//! Files that a command creates for the user: written as a whole, and never over a file that is there.

use std::io::Write;
use std::path::Path;

use crate::model::record::Refusal;
use crate::private::{self, Draft, FinalMode};

use super::failure::Failure;

/// A file to create.
pub struct NewFile<'a> {
    pub path: &'a Path,
    /// The flag that names it.
    pub flag: &'static str,
    /// True to replace an existing file.
    pub force: bool,
    /// The first part of the name of the incomplete file.
    pub draft: &'static str,
    /// The way out if the file exists.
    pub advice: String,
}

impl NewFile<'_> {
    /// Refuses a file that exists.
    pub fn check(&self) -> Result<(), Failure> {
        let is_there = !self.force && self.path.symlink_metadata().is_ok();
        if is_there { Err(self.already_there()) } else { Ok(()) }
    }

    fn place(&self) -> String {
        format!("{} {}", self.flag, self.path.display())
    }

    fn already_there(&self) -> Failure {
        let reason = "the file exists, and nothing was written";
        Failure::refused(Refusal::new(self.place(), reason, self.advice.clone()))
    }

    /// Writes the file as a whole, next to its place, and renames it: a full disk or a kill leaves the previous text. A pipe or
    /// a device is written to as it is.
    pub fn write(&self, text: &str) -> Result<(), Failure> {
        let is_special = self.force && std::fs::metadata(self.path).is_ok_and(|found| !found.is_file());
        let written = if is_special {
            private::open_own_for_writing(self.path).and_then(|mut file| file.write_all(text.as_bytes()))
        } else {
            self.replace(text)
        };
        written.map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists => self.already_there(),
            _ => {
                let reason = format!("cannot be written; {e}");
                Failure::refused(Refusal::new(self.place(), reason, format!("Name another file with {}.", self.flag)))
            }
        })
    }

    fn replace(&self, text: &str) -> std::io::Result<()> {
        // The file that a link of this user names is replaced, and not the link.
        let is_link = !private::is_link_of_another_user(self.path) && self.path.is_symlink();
        let place = if self.force && is_link { self.path.canonicalize()? } else { self.path.to_owned() };
        private::replaceable(&place)?;
        private::remove_drafts(&place, self.draft);
        let mut draft = Draft::next_to(&place, self.draft)?;
        draft.file()?.write_all(text.as_bytes())?;
        if self.force { draft.persist(&place, FinalMode::Usual) } else { draft.persist_new(&place) }
    }
}
