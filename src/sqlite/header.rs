//! The first hundred bytes of a database file and the frames of its `-wal`, as far as facts and diagnoses need them.
//!
//! Rows are read only by SQLite itself.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The first bytes of each database file.
pub(super) const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The header of a database file (<https://www.sqlite.org/fileformat2.html#the_database_header>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Page size in bytes.
    pub page_size: u32,
    /// True if readers use a `-wal`.
    pub wal: bool,
    /// Incremented by each commit in rollback mode, rarely in WAL mode.
    pub change_counter: u32,
    /// The number of pages that the file should have. `None` if the writer did not maintain it.
    pub pages: Option<u32>,
    /// Incremented by each change of the schema.
    pub schema_cookie: u32,
    /// `SQLITE_VERSION_NUMBER` of the last writer.
    pub written_by: u32,
}

impl Header {
    /// Parses the header. `None` if the file is not a SQLite database.
    pub(super) fn of(bytes: &[u8]) -> Option<Header> {
        if bytes.len() < 100 || !bytes.starts_with(MAGIC) {
            return None;
        }
        let page_size = match u32::from(u16::from_be_bytes([bytes[16], bytes[17]])) {
            1 => 65536,
            size => size,
        };
        let (change_counter, valid_for) = (word(bytes, 24), word(bytes, 92));
        Some(Header {
            page_size,
            wal: bytes[19] == 2,
            change_counter,
            pages: Some(word(bytes, 28)).filter(|pages| *pages > 0 && change_counter == valid_for),
            schema_cookie: word(bytes, 40),
            written_by: word(bytes, 96),
        })
    }

    /// Returns the size that the file should have. `None` if the header does not contain it.
    pub(super) fn expected_bytes(&self) -> Option<u64> {
        self.pages.map(|pages| u64::from(pages) * u64::from(self.page_size))
    }
}

/// The state of a `-wal`: enough to distinguish it from any other state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalFacts {
    /// The two salts, which are new each time the log is restarted.
    pub salts: (u32, u32),
    /// Number of frames up to the last commit.
    pub frames: u64,
    /// The running checksum in the frame of the last commit.
    pub checksum: (u32, u32),
}

impl WalFacts {
    /// Reads the header of each frame. `None` if the log contains no commit.
    pub(super) fn of(file: &File) -> io::Result<Option<WalFacts>> {
        let bytes = file.metadata()?.len();
        if bytes < 32 {
            return Ok(None);
        }
        let mut head = [0; 32];
        file.read_exact_at(&mut head, 0)?;
        let page_size = u64::from(word(&head, 8));
        if word(&head, 0) & !1 != 0x377f_0682 || !(512..=65536).contains(&page_size) {
            return Ok(None);
        }
        let salts = (word(&head, 16), word(&head, 20));
        let mut last = None;
        let mut frame = [0; 24];
        for n in 0..(bytes - 32) / (page_size + 24) {
            file.read_exact_at(&mut frame, 32 + n * (page_size + 24))?;
            if (word(&frame, 8), word(&frame, 12)) != salts {
                break;
            }
            if word(&frame, 4) != 0 {
                let checksum = (word(&frame, 16), word(&frame, 20));
                last = Some(WalFacts { salts, frames: n + 1, checksum });
            }
        }
        Ok(last)
    }
}

/// Returns a big-endian integer of four bytes.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
}
