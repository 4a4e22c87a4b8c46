//! Reading rows back as the server's own bytes, to compare them with what was sent; by several connections at once, each a
//! stretch of a table, in one state of the database.
//!
//! What the bytes mean is not known here.

use std::collections::BTreeMap;
use std::io::BufRead;

use super::error::{Doing, ServerError};
use super::session::Session;
use crate::model::ident::{quoted, quoted_list};
use crate::wire::binary;

const READING: &str = "reading rows back";
const HOLDING: &str = "holding one state of the database";

/// Which rows are read back.
#[derive(Clone, Debug)]
pub struct ReadBack<'a> {
    /// The schema.
    pub schema: &'a str,
    /// The table.
    pub table: &'a str,
    /// The columns of a row's image, in order.
    pub columns: &'a [String],
    /// A condition of SQL; none for all rows.
    pub only: Option<String>,
}

impl Session {
    /// Hands every row's image to `row`. Gives the number of rows.
    ///
    /// # Errors
    /// When the server refuses, the connection is lost, or the stream ends without its trailer.
    pub fn read_back(&mut self, what: &ReadBack<'_>, row: &mut dyn FnMut(&[u8])) -> Result<u64, ServerError> {
        let only = what.only.as_ref().map_or_else(String::new, |condition| format!(" WHERE {condition}"));
        let sql = format!(
            "COPY (SELECT {} FROM {}.{}{only}) TO STDOUT (FORMAT binary)",
            quoted_list(what.columns),
            quoted(what.schema),
            quoted(what.table)
        );
        Images::begin(self.client.copy_out(&sql).doing(READING)?)?.each(row)
    }

    /// Begins a transaction that reads one state of the database until [`Session::let_go`]. Gives the name by which others
    /// join it; only where `shared`, since a server that serves one connection may not know how to.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn hold_state(&mut self, shared: bool) -> Result<Option<String>, ServerError> {
        self.client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").doing(HOLDING)?;
        if !shared {
            return Ok(None);
        }
        Ok(Some(self.client.query_one("SELECT pg_export_snapshot()", &[]).doing(HOLDING)?.get(0)))
    }

    /// Begins a transaction that reads the state that another session holds.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn join_state(&mut self, name: &str) -> Result<(), ServerError> {
        let sql = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}",
            crate::model::ident::literal(name)
        );
        self.client.batch_execute(&sql).doing(HOLDING)?;
        Ok(())
    }

    /// Ends what [`Session::hold_state`] began.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn let_go(&mut self) -> Result<(), ServerError> {
        self.client.batch_execute("ROLLBACK").doing(HOLDING)
    }

    /// Keeps these tables from being rewritten while a state is held, and gives the number of blocks of each that can be
    /// read in stretches.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn blocks(&mut self, schema: &str, tables: &[&str]) -> Result<BTreeMap<String, u64>, ServerError> {
        if tables.is_empty() {
            return Ok(BTreeMap::new());
        }
        // Holds the lock that reading takes. LOCK TABLE would ask for the right on the whole table.
        let look = |table: &&str| format!("SELECT FROM {}.{} LIMIT 0", quoted(schema), quoted(table));
        let locks: Vec<String> = tables.iter().map(look).collect();
        self.client.batch_execute(&locks.join("; ")).doing(HOLDING)?;
        let rows = self.client.query(include_str!("sql/blocks.sql"), &[&schema, &tables]).doing(HOLDING)?;
        Ok(rows.iter().map(|row| (row.get(0), row.get::<_, i64>(1).unsigned_abs())).collect())
    }
}

/// The condition for a stretch of a table: from a block on, up to another; without one, to the end.
pub fn stretch(from: u64, until: Option<u64>) -> String {
    let until = until.map_or_else(String::new, |block| format!(" AND ctid < '({block},0)'::tid"));
    format!("ctid >= '({from},0)'::tid{until}")
}

/// The rows of a binary COPY out of the server, one by one.
pub(super) struct Images<R> {
    reader: R,
    buffer: Vec<u8>,
}

impl<R: BufRead> Images<R> {
    /// Reads the header.
    pub(super) fn begin(mut reader: R) -> Result<Images<R>, ServerError> {
        let mut header = [0; 19];
        reader.read_exact(&mut header).doing(READING)?;
        if header[..11] != binary::HEADER[..11] {
            return Err(ServerError::new(READING, "what came is not binary COPY"));
        }
        Ok(Images { reader, buffer: Vec::new() })
    }

    /// Hands every row's image to `row`. Gives the number of rows.
    pub(super) fn each(mut self, row: &mut dyn FnMut(&[u8])) -> Result<u64, ServerError> {
        let mut rows = 0;
        loop {
            // The server sends a row as one message, so nearly always all of it is there.
            let chunk = self.reader.fill_buf().doing(READING)?;
            if let Some(length) = row_length(chunk) {
                row(&chunk[..length]);
                self.reader.consume(length);
            } else {
                match self.assembled()? {
                    Some(image) => row(image),
                    None => return Ok(rows),
                }
            }
            rows += 1;
        }
    }

    /// The next row's image, put together; `None` behind the trailer.
    fn assembled(&mut self) -> Result<Option<&[u8]>, ServerError> {
        self.buffer.clear();
        self.take(2)?;
        let count = i16::from_be_bytes([self.buffer[0], self.buffer[1]]);
        if count < 0 {
            let mut rest = [0; 1];
            let more = self.reader.read(&mut rest).doing(READING)?;
            return if more == 0 { Ok(None) } else { Err(ServerError::new(READING, "bytes follow the trailer")) };
        }
        for _ in 0..count {
            let at = self.buffer.len();
            self.take(4)?;
            let length = i32::from_be_bytes(self.buffer[at..at + 4].try_into().unwrap_or_default());
            if let Ok(length) = usize::try_from(length) {
                self.take(length)?;
            }
        }
        Ok(Some(&self.buffer))
    }

    fn take(&mut self, bytes: usize) -> Result<(), ServerError> {
        let at = self.buffer.len();
        self.buffer.resize(at + bytes, 0);
        self.reader
            .read_exact(&mut self.buffer[at..])
            .map_err(|e| ServerError::new(READING, format!("the rows ended early: {e}")).lost())
    }
}

/// How long the row is that these bytes begin with; none where it is not whole, or the end.
fn row_length(bytes: &[u8]) -> Option<usize> {
    let count = i16::from_be_bytes(bytes.get(..2)?.try_into().ok()?);
    let mut at = 2;
    for _ in 0..usize::try_from(count).ok()? {
        let length = i32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?);
        at += 4 + usize::try_from(length).unwrap_or(0);
    }
    (at <= bytes.len()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, Cursor};

    /// Two rows, one of them with a NULL, as COPY sends them.
    fn stream(end: &[u8]) -> Vec<u8> {
        let mut bytes = binary::HEADER.to_vec();
        bytes.extend_from_slice(b"\0\x01\0\0\0\x03abc\0\x02\xff\xff\xff\xff\0\0\0\x01d");
        bytes.extend_from_slice(end);
        bytes
    }

    fn rows(bytes: Vec<u8>, at_once: usize) -> Result<Vec<Vec<u8>>, ServerError> {
        let images = Images::begin(BufReader::with_capacity(at_once, Cursor::new(bytes)))?;
        let mut rows = Vec::new();
        images.each(&mut |image| rows.push(image.to_vec()))?;
        Ok(rows)
    }

    #[test]
    fn rows_are_the_same_however_the_stream_is_cut() {
        let whole = rows(stream(binary::TRAILER), 4096).expect("rows");
        assert_eq!(whole, [b"\0\x01\0\0\0\x03abc".to_vec(), b"\0\x02\xff\xff\xff\xff\0\0\0\x01d".to_vec()]);
        for at_once in 1..40 {
            assert_eq!(rows(stream(binary::TRAILER), at_once).expect("rows"), whole, "{at_once} bytes at once");
        }
    }

    #[test]
    fn a_stream_without_its_trailer_is_an_error() {
        assert!(rows(stream(b""), 4096).is_err_and(|e| e.lost));
        assert!(rows(stream(b"\xff\xff\0"), 4096).is_err());
    }
}
