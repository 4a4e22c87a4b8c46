//! Reading rows back as the server's own bytes, to compare them with the bytes that were sent.
//!
//! This file does not interpret the bytes.

use std::io::BufRead;

use postgres::{Row, Statement};

use super::error::{Doing, ServerError};
use super::query::TypedQuery;
use super::session::Session;
use crate::model::ident::{qualified, quoted_list};
use crate::wire::binary;

const READING: &str = "reading rows back";

/// The rows to read back.
#[derive(Clone, Debug)]
pub struct ReadBack<'a> {
    /// The schema.
    pub schema: &'a str,
    /// The table.
    pub table: &'a str,
    /// The columns of a row's image, in order.
    pub columns: &'a [String],
    /// A condition in SQL, whose operators name their schema; `None` for all rows.
    pub only: Option<String>,
}

impl ReadBack<'_> {
    fn sql(&self) -> String {
        let only = self.only.as_ref().map_or_else(String::new, |condition| format!(" WHERE {condition}"));
        let (columns, table) = (quoted_list(self.columns), qualified(self.schema, self.table));
        format!("COPY (SELECT {columns} FROM {table}{only}) TO STDOUT (FORMAT binary)")
    }
}

impl Session {
    /// Passes every row's image to `row`. Returns the number of rows.
    ///
    /// # Errors
    /// If the server refuses, the connection is lost, or the stream ends without its trailer.
    pub fn read_back(&mut self, what: &ReadBack<'_>, row: &mut dyn FnMut(&[u8])) -> Result<u64, ServerError> {
        let sql = what.sql();
        let statement = self.prepared.known(&sql);
        self.reading(|client| {
            let stream = match &statement {
                Some(statement) => client.copy_prepared_out(statement),
                None => client.copy_out(&sql),
            };
            RowImages::begin(stream.doing(READING)?)?.each(row)
        })
    }

    /// Passes the image of every row of these small tables to `row`, with the place of its table. All tables are asked for at
    /// once. Returns the number of rows of each.
    ///
    /// # Errors
    /// If the server refuses, the connection is lost, or a stream ends without its trailer.
    pub fn read_back_all(
        &mut self,
        all: &[ReadBack<'_>],
        row: &mut dyn FnMut(usize, &[u8]),
    ) -> Result<Vec<u64>, ServerError> {
        self.prepare_to_read_back(all)?;
        let known: Option<Vec<Statement>> = all.iter().map(|what| self.prepared.known(&what.sql())).collect();
        let statements = known.ok_or_else(|| ServerError::new(READING, "a statement is not prepared"))?;
        self.reading(|client| {
            let mut copies = client.copies_out(&statements);
            let mut rows = Vec::new();
            while let Some(stream) = copies.next() {
                let place = rows.len();
                rows.push(RowImages::begin(stream.doing(READING)?)?.each(&mut |image| row(place, image))?);
            }
            Ok(rows)
        })
    }

    /// Prepares the statements of several reads in one round trip, so that each read itself costs one.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn prepare_to_read_back(&mut self, all: &[ReadBack<'_>]) -> Result<(), ServerError> {
        self.ask_and_prepare_to_read_back(Vec::new(), all).map(drop)
    }

    /// Sends queries together with the preparation of the statements of several reads. Returns the rows of each query.
    pub(super) fn ask_and_prepare_to_read_back(
        &mut self,
        queries: Vec<TypedQuery<'_>>,
        all: &[ReadBack<'_>],
    ) -> Result<Vec<Vec<Row>>, ServerError> {
        let unknown: Vec<String> =
            all.iter().map(ReadBack::sql).filter(|sql| self.prepared.known(sql).is_none()).collect();
        let (answers, statements) = self.ask_and_prepare(queries, &unknown)?;
        for (sql, statement) in unknown.into_iter().zip(statements) {
            self.prepared.keep(sql, &statement);
        }
        Ok(answers)
    }
}

/// The rows of a binary COPY out of the server, one by one.
pub(super) struct RowImages<R> {
    reader: R,
    buffer: Vec<u8>,
}

impl<R: BufRead> RowImages<R> {
    /// Reads the header.
    pub(super) fn begin(mut reader: R) -> Result<RowImages<R>, ServerError> {
        let mut header = [0; 19];
        reader.read_exact(&mut header).doing(READING)?;
        if header[..11] != binary::HEADER[..11] {
            return Err(ServerError::new(READING, "the server sent a stream that is not binary COPY"));
        }
        Ok(RowImages { reader, buffer: Vec::new() })
    }

    /// Passes every row's image to `row`. Returns the number of rows.
    pub(super) fn each(mut self, row: &mut dyn FnMut(&[u8])) -> Result<u64, ServerError> {
        let mut rows = 0;
        loop {
            // The server sends a row as one message, so nearly always the whole row is in the buffer.
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

    /// Assembles the next row's image; `None` after the trailer.
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

/// The length of the row at the start of these bytes; `None` if the row is incomplete, or at the trailer.
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
        let images = RowImages::begin(BufReader::with_capacity(at_once, Cursor::new(bytes)))?;
        let mut rows = Vec::new();
        images.each(&mut |image| rows.push(image.to_vec()))?;
        Ok(rows)
    }

    #[test]
    fn rows_are_the_same_for_every_buffer_size() {
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
