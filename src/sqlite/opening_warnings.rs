//! The warnings that opening a file gives: conditions that do not stop a run, and that cost no scan to notice.

use std::path::Path;

use rusqlite::Connection;

use super::diagnose;
use super::error::{Said, shown};
use super::stamp::SourceFacts;
use crate::model::ident::quoted;
use crate::model::record::Warning;
use crate::model::schema::SourceSchema;

/// The warnings about data that opening has read anyway.
pub(super) struct OpeningWarnings {
    pub found: Vec<Warning>,
    /// False if the connection found damage and must not be used again.
    pub is_sound: bool,
}

/// Returns the warnings about data that opening has read anyway. A table that cannot be read is a warning here: only a
/// load of it is an error.
pub(super) fn warnings(
    path: &Path,
    real: &Path,
    facts: &SourceFacts,
    schema: &SourceSchema,
    conn: &Connection,
) -> OpeningWarnings {
    let mut warnings = OpeningWarnings { found: Vec::new(), is_sound: true };
    if facts.header.as_ref().is_some_and(|header| header.wal) && facts.wal.is_none() {
        warnings.found.push(without_wal(path, real));
    }
    for (name, table) in &schema.tables {
        let Some(counter) = table.counter else { continue };
        let Some(id) = table.columns.iter().find(|column| column.is_rowid) else { continue };
        let sql = format!("SELECT max({}) FROM main.{} NOT INDEXED", quoted(&id.name), quoted(name));
        let message = match conn.query_row(&sql, [], |row| row.get::<_, Option<i64>>(0)) {
            Ok(Some(max)) if max > counter => {
                format!("sqlite_sequence says {counter} and the largest {} is {max}; the larger one counts.", id.name)
            }
            Ok(_) => continue,
            Err(error) => {
                warnings.is_sound = false;
                format!("its largest {} is unknown; SQLite says \"{}\".", id.name, Said::of(&error).discreet())
            }
        };
        warnings.found.push(Warning::new(format!("source table `{name}`"), message));
    }
    warnings
}

/// Warns about a file in WAL mode without its log. A cleanly stopped application leaves such a file, but so does a copy
/// that omitted the log.
fn without_wal(path: &Path, real: &Path) -> Warning {
    let log = diagnose::next_to(real, "-wal");
    let message = format!(
        "the file is in WAL mode and its log {} holds nothing. That is right if the application was stopped \
         first; if this is a copy of a file in use, copy the -wal too: the latest commits are in it.",
        shown(Path::new(log.file_name().unwrap_or_default()))
    );
    Warning::new(shown(path), message)
}
