//! The files that a glob matches.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::fleet::sources::{Component, Glob, limited, shown};
use crate::model::record::Refusal;

/// The endings of the files that SQLite keeps next to a database.
const SIDECARS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The flag that holds the glob.
const PLACE: &str = "--sources";

/// The paths of the files that the glob matches, in order.
///
/// A link to a file or a folder is followed, but `**` enters no folder through a link, so that it ends. A folder, a device and
/// a pipe are no files. A `-wal`, `-shm` or `-journal` next to the file to which it belongs is part of it.
///
/// # Errors
/// Every folder that cannot be read, every link to nothing, and every path that is not UTF-8.
pub fn paths(glob: &Glob) -> Result<Vec<String>, Vec<Refusal>> {
    let steps = glob.components().iter().map(GlobStep::of).collect::<Result<Vec<_>, _>>().map_err(|e| {
        vec![Refusal::new(PLACE, format!("cannot be used; {e}"), "Write a shorter glob, or a manifest.")]
    })?;
    let mut expansion = Expansion { found: BTreeSet::new(), refusals: Vec::new() };
    expansion.walk(Path::new(if glob.is_absolute() { "/" } else { "" }), &steps);
    let mut paths = Vec::with_capacity(expansion.found.len());
    for path in &expansion.found {
        match path.to_str() {
            Some(path) => paths.push(path.to_owned()),
            None => expansion.refusals.push(not_utf8(path)),
        }
    }
    if expansion.refusals.is_empty() { Ok(paths) } else { Err(limited(expansion.refusals, PLACE)) }
}

fn not_utf8(path: &Path) -> Refusal {
    let advice = "Rename it, or make a symbolic link to it whose path is UTF-8, and name the link in a manifest.";
    Refusal::new(PLACE, format!("the path `{}` is not UTF-8", shown(path.as_os_str().as_bytes())), advice)
}

/// A component that is ready to be compared with names.
enum GlobStep<'g> {
    Exact(&'g str),
    Matching { expression: Regex, takes_hidden: bool },
    AnyDepth,
}

impl GlobStep<'_> {
    fn of(component: &Component) -> Result<GlobStep<'_>, regex::Error> {
        Ok(match component {
            Component::Exact(name) => GlobStep::Exact(name),
            Component::Matching { expression, takes_hidden } => GlobStep::Matching {
                expression: Regex::new(&format!(r"\A(?:{expression})\z"))?,
                takes_hidden: *takes_hidden,
            },
            Component::AnyDepth => GlobStep::AnyDepth,
        })
    }
}

struct Expansion {
    found: BTreeSet<PathBuf>,
    refusals: Vec<Refusal>,
}

impl Expansion {
    /// Adds the files below a folder that the steps lead to.
    fn walk(&mut self, folder: &Path, steps: &[GlobStep<'_>]) {
        let Some((step, rest)) = steps.split_first() else { return };
        match step {
            GlobStep::Exact(name) => self.enter(&folder.join(name), rest),
            GlobStep::Matching { expression, takes_hidden } => {
                for entry in self.entries(folder) {
                    let name = entry.file_name();
                    let is_taken = *takes_hidden || !is_hidden(&entry);
                    // A byte that is not UTF-8 is one character, so that the file is found and refused.
                    if is_taken && expression.is_match(&name.to_string_lossy()) {
                        self.enter(&folder.join(name), rest);
                    }
                }
            }
            GlobStep::AnyDepth => {
                self.walk(folder, rest);
                for entry in self.entries(folder) {
                    // The type of a link is that of the link.
                    if !is_hidden(&entry) && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                        self.walk(&folder.join(entry.file_name()), steps);
                    }
                }
            }
        }
    }

    /// Continues at a path that matched: with its entries, or at the end of the steps with the file itself.
    fn enter(&mut self, path: &Path, rest: &[GlobStep<'_>]) {
        match fs::metadata(path) {
            Ok(metadata) if !rest.is_empty() && metadata.is_dir() => self.walk(path, rest),
            Ok(metadata) if rest.is_empty() && metadata.is_file() && !is_sidecar(path) => {
                self.found.insert(path.to_owned());
            }
            Ok(_) => {}
            Err(e) if is_nothing(&e) && fs::symlink_metadata(path).is_err() => {}
            Err(e) => self.refuse(path, &e),
        }
    }

    /// The entries of a folder. None if it is no folder.
    fn entries(&mut self, folder: &Path) -> Vec<DirEntry> {
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let entries = fs::read_dir(here).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        entries.unwrap_or_else(|e| {
            if !is_nothing(&e) {
                self.refuse(here, &e);
            }
            Vec::new()
        })
    }

    fn refuse(&mut self, path: &Path, error: &io::Error) {
        let path = shown(path.as_os_str().as_bytes());
        let (reason, advice) = match error.kind() {
            ErrorKind::NotFound => {
                ("is a link to nothing".to_owned(), "Remove the link, or write a glob that leaves it out.")
            }
            ErrorKind::PermissionDenied => (
                "cannot be read; the operating system does not allow it".to_owned(),
                "Give this user the right to read it, or write a glob that leaves it out.",
            ),
            _ => (format!("cannot be read; {error}"), "Write a glob that leaves it out, or a manifest."),
        };
        self.refusals.push(Refusal::new(format!("{PLACE}: {path}"), reason, advice));
    }
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_bytes().starts_with(b".")
}

/// Returns true for a file that SQLite keeps next to a database that is there.
fn is_sidecar(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let of = |ending: &&str| {
        name.strip_suffix(*ending).is_some_and(|of| !of.is_empty() && path.with_file_name(of).is_file())
    };
    SIDECARS.iter().any(of)
}
