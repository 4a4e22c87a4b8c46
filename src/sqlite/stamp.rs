//! Identifies the source: facts of the file, and a stamp, a line of text that stays the same as long as the file is not
//! written to.
//!
//! Equal stamps are a fast proof. If stamps differ, the content may still be the same; only digests can decide.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::diagnose;
use super::header::{Header, WalFacts};
use super::open_file::OpenFile;

/// The facts about a source that are known without reading its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFacts {
    /// The path as it was given.
    pub path: PathBuf,
    /// Length of the file, without its `-wal`.
    pub bytes: u64,
    /// Time of the last write.
    pub modified: Option<SystemTime>,
    /// The header of the database file. `None` for a dump.
    pub header: Option<Header>,
    /// The state of the `-wal`. `None` if it contains no commit.
    pub wal: Option<WalFacts>,
    /// SHA-256 of a dump's text, in hex.
    pub sha256: Option<String>,
    /// SHA-256 of the SQL of the whole schema, in hex.
    pub schema: String,
}

impl SourceFacts {
    /// Reads the facts of a database file. The hash of its schema is filled in later.
    pub(super) fn read(path: &Path, real: &Path, held: &OpenFile) -> std::io::Result<SourceFacts> {
        let metadata = held.file()?.metadata()?;
        // Locks are held on the `-shm`, never on the `-wal`, so the `-wal` can be opened and closed freely.
        let wal = match std::fs::File::open(diagnose::next_to(real, "-wal")) {
            Ok(file) => WalFacts::of(&file)?,
            Err(_) => None,
        };
        Ok(SourceFacts {
            path: path.to_owned(),
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
            header: Header::of(&held.start(100)?),
            wal,
            sha256: None,
            schema: String::new(),
        })
    }

    /// Returns the stamp. Equal stamps mean the same source.
    pub(super) fn stamp(&self) -> String {
        if let Some(sum) = &self.sha256 {
            return format!("sql sha256:{sum}");
        }
        let since = self.modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let (change, cookie) = self.header.as_ref().map_or((0, 0), |h| (h.change_counter, h.schema_cookie));
        let wal = self.wal.as_ref().map_or_else(
            || "none".to_owned(),
            |wal| {
                let (salts, sums) = (wal.salts, wal.checksum);
                format!("{:08x}{:08x}-{}-{:08x}{:08x}", salts.0, salts.1, wal.frames, sums.0, sums.1)
            },
        );
        format!(
            "sqlite schema:{} bytes:{} modified:{}.{:09} change:{change} cookie:{cookie} wal:{wal}",
            self.schema,
            self.bytes,
            since.as_secs(),
            since.subsec_nanos()
        )
    }
}
/// Returns true if two stamps are those of database files with the same schema. The stamp of a dump has no schema.
pub fn have_same_schema(then: &str, now: &str) -> bool {
    schema_of(then).is_some_and(|schema| Some(schema) == schema_of(now))
}

/// Returns the hash of the schema in a stamp that [`SourceFacts::stamp`] wrote.
fn schema_of(stamp: &str) -> Option<&str> {
    stamp.strip_prefix("sqlite ")?.split(' ').find_map(|word| word.strip_prefix("schema:"))
}

#[cfg(test)]
mod tests {
    use super::have_same_schema;

    #[test]
    fn only_stamps_of_files_with_one_schema_are_alike() {
        assert!(have_same_schema("sqlite schema:a bytes:1", "sqlite schema:a bytes:2"));
        assert!(!have_same_schema("sqlite schema:a bytes:1", "sqlite schema:b bytes:1"));
        assert!(!have_same_schema("sql sha256:a", "sql sha256:b"));
    }
}
