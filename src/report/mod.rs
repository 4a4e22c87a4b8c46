//! Reports: one record, drawn for a terminal, for programs, for a change ticket, and for the people who sign.
//!
//! The ending of a file decides its form. The file is opened before the run, so that a bad path fails at once. It gets
//! its name only when it is complete. This module neither reads the environment nor asks about the terminal.

mod action_items;
mod fleet;
mod headline;
mod html;
pub mod json;
mod markdown;
mod next;
mod section;
mod sections;
mod summary;
mod table;
mod terminal;
mod tone;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::model::record::{Refusal, Report};
use crate::private::{self, Draft, FinalMode};
use crate::text::printable;

pub use next::{CREATES, GIVEN_SERVER, after_forget, after_init, after_plan, after_status};
pub use summary::lost_unasked;
pub use terminal::{Style, render as terminal};

/// The first part of the name of an incomplete report.
const DRAFT: &str = ".migrate-report-";

/// A form that a file can have.
#[derive(Debug)]
pub struct Format {
    /// The file's ending, without its dot.
    pub ending: &'static str,
    /// The whole file for the reports of one command, of which there are several only with several mappings.
    pub render: fn(&[Report]) -> anyhow::Result<String>,
}

/// All forms.
pub const FORMATS: [Format; 3] = [
    Format { ending: "json", render: json::render },
    Format { ending: "html", render: |reports| Ok(html::render(reports)) },
    Format { ending: "md", render: |reports| Ok(markdown::render(reports)) },
];

impl Format {
    /// The form that a file's ending asks for.
    pub fn of(path: &Path) -> Option<&'static Format> {
        let ending = path.extension()?.to_str()?.to_lowercase();
        FORMATS.iter().find(|f| f.ending == ending)
    }
}

/// The ending of a file that gets lines while the command works, one for each file of a fleet.
const LINES: &str = "ndjson";

/// A report's file that cannot be written. Reads `path: what; why. Do this.`
#[derive(Debug)]
pub struct FileError {
    path: PathBuf,
    what: String,
    advice: &'static str,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.to_string_lossy();
        write!(f, "report {}: {}. {}", printable(&path), printable(&self.what), self.advice)
    }
}

impl std::error::Error for FileError {}

impl FileError {
    /// The error as a problem of a report.
    pub fn problem(&self) -> Refusal {
        let path = self.path.to_string_lossy();
        Refusal::new(format!("report {}", printable(&path)), printable(&self.what), self.advice)
    }
}

/// The file of a report, opened and still empty, next to its final place.
#[derive(Debug)]
pub struct ReportFile {
    /// The path as it was asked for.
    path: PathBuf,
    /// The path with links resolved.
    place: PathBuf,
    draft: Draft,
    /// `None` for a file of lines.
    format: Option<&'static Format>,
    /// The error of a line that could not be written.
    failed: Option<io::Error>,
}

impl ReportFile {
    /// Opens a file for a report. An existing file stays until the report is whole.
    ///
    /// # Errors
    /// If the ending names no form, the path is a folder, or its folder is missing or may not be written to.
    pub fn open(path: &Path) -> Result<ReportFile, FileError> {
        let error = |what: String, advice| FileError { path: path.to_owned(), what, advice };
        let format = Format::of(path);
        if format.is_none() && !path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(LINES)) {
            return Err(error("its ending names no form".to_owned(), "Use .json, .html or .md."));
        }
        if path.exists() && !path.is_file() {
            return Err(error("it is not a file".to_owned(), "Name a file."));
        }
        if private::is_link_of_another_user(path) {
            let what = "it is a symbolic link of another user".to_owned();
            return Err(error(what, "Name the file itself, or a folder that only you may write to."));
        }
        let cannot = |e: io::Error| {
            error(format!("cannot be written; {e}"), "Name a folder that is there and that you may write to.")
        };
        let place = resolved(path).map_err(cannot)?;
        private::remove_drafts(&place, DRAFT);
        let draft = Draft::next_to(&place, DRAFT).map_err(cannot)?;
        Ok(ReportFile { path: path.to_owned(), place, draft, format, failed: None })
    }

    /// Returns true for a file of lines, which the command adds while it works.
    pub fn takes_lines(&self) -> bool {
        self.format.is_none()
    }

    /// Adds lines. An error is returned by [`ReportFile::write`].
    pub fn add_lines(&mut self, lines: &str) {
        if self.failed.is_none() {
            self.failed = self.draft.file().and_then(|file| file.write_all(lines.as_bytes())).err();
        }
    }

    /// Writes the reports of a command and gives the file its final name.
    ///
    /// # Errors
    /// If the disk is full or the folder was removed. A previous file at the path is unchanged.
    pub fn write(mut self, reports: &[Report]) -> Result<(), FileError> {
        let draw = |draft: &mut Draft| -> anyhow::Result<()> {
            let Some(format) = self.format else { return Ok(()) };
            Ok(draft.file()?.write_all((format.render)(reports)?.as_bytes())?)
        };
        let lines = self.failed.take().map_or(Ok(()), |e| Err(e.into()));
        let written = lines
            .and_then(|()| draw(&mut self.draft))
            .and_then(|()| Ok(self.draft.persist(&self.place, FinalMode::Usual)?));
        written.map_err(|e| FileError {
            path: self.path,
            what: format!("could not be written; {e:#}"),
            advice: "Only the report is missing: it is printed above, and `migrate verify` makes a new one.",
        })
    }
}

/// Opens every file that was asked for, or returns everything that is wrong with them.
///
/// # Errors
/// One for each path that cannot hold a report or that was given twice.
pub fn open_all(paths: &[PathBuf]) -> Result<Vec<ReportFile>, Vec<FileError>> {
    let mut files = Vec::new();
    let mut errors = Vec::new();
    for path in paths {
        match ReportFile::open(path) {
            Ok(file) if files.iter().any(|f: &ReportFile| f.place == file.place) => errors.push(FileError {
                path: path.clone(),
                what: "it was asked for twice".to_owned(),
                advice: "Name it once.",
            }),
            Ok(file) => files.push(file),
            Err(e) => errors.push(e),
        }
    }
    if errors.is_empty() { Ok(files) } else { Err(errors) }
}

/// The path with every link on the way resolved, so that the draft is in the folder of the file that it replaces.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    if path.exists() {
        return path.canonicalize();
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(folder.canonicalize()?.join(path.file_name().unwrap_or_default()))
}
