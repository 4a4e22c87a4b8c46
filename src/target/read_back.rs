//! Reading rows back as the server's own bytes, to compare them with what was sent.

use std::io::Read;

use super::error::{Doing, ServerError};
use super::session::Session;
use crate::model::ident::{quoted, quoted_list};
use crate::wire::binary;

const READING: &str = "reading rows back";

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
        let mut stream = Images::begin(self.client.copy_out(&sql).doing(READING)?)?;
        let mut rows = 0;
        while let Some(image) = stream.next()? {
            row(image);
            rows += 1;
        }
        Ok(rows)
    }
}

/// The rows of a binary COPY out of the server, one by one.
pub(super) struct Images<R> {
    reader: R,
    buffer: Vec<u8>,
}

impl<R: Read> Images<R> {
    /// Reads the header.
    pub(super) fn begin(mut reader: R) -> Result<Images<R>, ServerError> {
        let mut header = [0; 19];
        reader.read_exact(&mut header).doing(READING)?;
        if header[..11] != binary::HEADER[..11] {
            return Err(ServerError::said(READING, "what came is not binary COPY"));
        }
        Ok(Images { reader, buffer: Vec::new() })
    }

    /// The next row's image, or `None` behind the trailer.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, ServerError> {
        self.buffer.clear();
        self.take(2)?;
        let count = i16::from_be_bytes([self.buffer[0], self.buffer[1]]);
        if count < 0 {
            let mut rest = [0; 1];
            let more = self.reader.read(&mut rest).doing(READING)?;
            return if more == 0 { Ok(None) } else { Err(ServerError::said(READING, "bytes follow the trailer")) };
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
            .map_err(|e| ServerError { lost: true, ..ServerError::said(READING, format!("the rows ended early: {e}")) })
    }
}
