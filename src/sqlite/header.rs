//! The first hundred bytes of a database file and the frames of its `-wal`, as far as facts and diagnoses need them.
//!
//! Rows are never read here: that is SQLite's work alone.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How each database file begins.
pub(super) const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What the header of a database file says (<https://www.sqlite.org/fileformat2.html#the_database_header>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of a page.
    pub page_size: u32,
    /// Whether readers look for a `-wal`.
    pub wal: bool,
    /// Raised by each commit in rollback mode, seldom in WAL mode.
    pub change_counter: u32,
    /// Pages that the file should have; `None` where the writer did not keep the number.
    pub pages: Option<u32>,
    /// Raised by each change of the schema.
    pub schema_cookie: u32,
    /// `SQLITE_VERSION_NUMBER` of the last writer.
    pub written_by: u32,
}

impl Header {
    /// Reads the header; `None` where the file is no SQLite database.
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

    /// The bytes that the file should have, where it says so.
    pub(super) fn expected_bytes(&self) -> Option<u64> {
        self.pages.map(|pages| u64::from(pages) * u64::from(self.page_size))
    }
}

/// What a `-wal` holds: enough to tell one state of it from any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalFacts {
    /// The two salts, drawn anew each time the log begins again.
    pub salts: (u32, u32),
    /// Frames up to the last commit.
    pub frames: u64,
    /// The running checksum in the frame of the last commit.
    pub checksum: (u32, u32),
}

impl WalFacts {
    /// Reads the frames' heads, one a page; `None` where the log holds no commit.
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

/// Four bytes, big end first.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
}
