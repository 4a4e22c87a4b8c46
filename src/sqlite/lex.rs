//! Splits the text of a dump into statements while it is read. Strings, comments and trigger bodies may contain
//! semicolons.
//!
//! The rules are those of `sqlite3_complete` (<https://www.sqlite.org/c3ref/complete.html>). Statements are not
//! interpreted.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use crate::model::hex::hex;

/// One statement with its line number.
pub(super) struct DumpStatement {
    /// Its bytes, including comments before it and the semicolon.
    pub text: Vec<u8>,
    /// The line of its first word, from 1.
    pub line: u64,
    /// True if the statement ends with a semicolon; false if the text ended before it.
    pub whole: bool,
}

/// The context of the next byte.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Nothing,
    /// A literal or a name that this byte ends.
    Quote(u8),
    LineComment,
    BlockComment,
}

/// The kind of a word, as far as it decides if a semicolon ends a statement.
#[derive(Clone, Copy)]
enum DumpToken {
    Semicolon,
    Other,
    Explain,
    Create,
    Temp,
    Trigger,
    End,
}

/// The first state of `sqlite3_complete`; numbers and order are its own.
const START: u8 = 1;
/// Rows: state; columns: [`DumpToken`].
const NEXT: [[u8; 7]; 8] = [
    [1, 2, 3, 4, 2, 2, 2],
    [1, 2, 3, 4, 2, 2, 2],
    [1, 2, 2, 2, 2, 2, 2],
    [1, 3, 2, 4, 2, 2, 2],
    [1, 2, 2, 2, 4, 5, 2],
    [6, 5, 5, 5, 5, 5, 5],
    [6, 5, 5, 5, 5, 5, 7],
    [1, 5, 5, 5, 5, 5, 5],
];

/// Bytes read at once.
const CHUNK: usize = 1 << 16;

/// Splits a text into statements and computes its hash.
pub(super) struct DumpStatements<R> {
    input: R,
    /// The bytes read from the input, and how many of them were consumed.
    chunk: Vec<u8>,
    taken: usize,
    sum: Sha256,
    line: u64,
    inside: Inside,
    before: u8,
    state: u8,
    word: Vec<u8>,
    text: Vec<u8>,
    /// Line of the first byte of the statement that is neither blank nor comment; 0 before that byte.
    first: u64,
}

impl<R: Read> DumpStatements<R> {
    /// Starts at the first line.
    pub fn new(input: R) -> DumpStatements<R> {
        DumpStatements {
            input,
            chunk: Vec::new(),
            taken: 0,
            sum: Sha256::new(),
            line: 1,
            inside: Inside::Nothing,
            before: b' ',
            state: START,
            word: Vec::new(),
            text: Vec::new(),
            first: 0,
        }
    }

    /// SHA-256 of the bytes read so far, in hex.
    pub fn sum(&self) -> String {
        hex(&self.sum.clone().finalize())
    }

    /// The current line.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Returns the next statement. `None` at the end of the text.
    pub fn next(&mut self) -> io::Result<Option<DumpStatement>> {
        loop {
            while let Some(byte) = self.chunk.get(self.taken).copied() {
                self.taken += 1;
                if self.eat(byte)
                    && let Some(statement) = self.cut(true)
                {
                    return Ok(Some(statement));
                }
            }
            if !self.fill()? {
                self.end_word();
                return Ok(self.cut(false));
            }
        }
    }

    /// Reads the next chunk. Returns false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        self.chunk.resize(CHUNK, 0);
        self.taken = 0;
        let read = loop {
            match self.input.read(&mut self.chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome?,
            }
        };
        self.chunk.truncate(read);
        self.sum.update(&self.chunk);
        Ok(read > 0)
    }

    /// Returns the statement that ends at this byte. `None` if it contains only blanks, comments and a semicolon.
    fn cut(&mut self, whole: bool) -> Option<DumpStatement> {
        let text = std::mem::take(&mut self.text);
        let line = std::mem::take(&mut self.first);
        self.state = START;
        (line > 0).then_some(DumpStatement { text, line, whole })
    }

    /// Consumes one byte. Returns true if it is a semicolon that ends a statement.
    fn eat(&mut self, byte: u8) -> bool {
        self.text.push(byte);
        if byte == b'\n' {
            self.line += 1;
        }
        let before = std::mem::replace(&mut self.before, byte);
        match self.inside {
            Inside::LineComment => {
                if byte == b'\n' {
                    self.inside = Inside::Nothing;
                }
            }
            Inside::BlockComment => {
                if before == b'*' && byte == b'/' {
                    self.inside = Inside::Nothing;
                    self.before = b' ';
                }
            }
            // A doubled quote ends one literal and begins the next, which makes no difference for finding the end.
            Inside::Quote(end) => {
                if byte == end {
                    self.inside = Inside::Nothing;
                }
            }
            Inside::Nothing => return self.outside(before, byte),
        }
        false
    }

    /// Consumes a byte outside of literals and comments.
    fn outside(&mut self, before: u8, byte: u8) -> bool {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80 {
            if self.word.is_empty() && self.first == 0 {
                self.first = self.line;
            }
            if self.word.len() < 16 {
                self.word.push(byte.to_ascii_lowercase());
            }
            return false;
        }
        self.end_word();
        match (before, byte) {
            (b'-', b'-') => self.inside = Inside::LineComment,
            (b'/', b'*') => {
                self.inside = Inside::BlockComment;
                self.before = b' ';
            }
            (_, b'\'' | b'"' | b'`') => {
                self.inside = Inside::Quote(byte);
                self.token(DumpToken::Other);
            }
            (_, b'[') => {
                self.inside = Inside::Quote(b']');
                self.token(DumpToken::Other);
            }
            (_, b';') => {
                self.token(DumpToken::Semicolon);
                return self.state == START;
            }
            (_, b' ' | b'\t' | b'\r' | b'\n' | 0x0c | b'-' | b'/') => {}
            _ => self.token(DumpToken::Other),
        }
        false
    }

    fn end_word(&mut self) {
        let token = match self.word.as_slice() {
            [] => return,
            b"explain" => DumpToken::Explain,
            b"create" => DumpToken::Create,
            b"temp" | b"temporary" => DumpToken::Temp,
            b"trigger" => DumpToken::Trigger,
            b"end" => DumpToken::End,
            _ => DumpToken::Other,
        };
        self.word.clear();
        self.token(token);
    }

    fn token(&mut self, token: DumpToken) {
        if self.first == 0 && !matches!(token, DumpToken::Semicolon) {
            self.first = self.line;
        }
        self.state = NEXT[usize::from(self.state)][token as usize];
    }
}

/// Returns a statement as UTF-8. A string literal that contains a NUL or is not UTF-8 is written as a blob that is cast
/// to text, which is the same bytes in a UTF-8 database. `Err` if such bytes are outside of string literals.
pub(super) fn as_utf8(text: Vec<u8>, is_utf8_database: impl Fn() -> bool) -> Result<String, ()> {
    let text = match String::from_utf8(text) {
        Ok(text) if !text.contains('\0') => return Ok(text),
        Ok(text) => text.into_bytes(),
        Err(error) => error.into_bytes(),
    };
    if !is_utf8_database() {
        return Err(());
    }
    let mut out: Vec<u8> = Vec::with_capacity(text.len() * 2);
    let mut rest = text.as_slice();
    while let Some(start) = literal_start(rest) {
        out.extend_from_slice(&rest[..start]);
        let (literal, after) = literal(&rest[start..]).ok_or(())?;
        if std::str::from_utf8(&literal).is_ok() && !literal.contains(&0) {
            out.extend_from_slice(&rest[start..rest.len() - after.len()]);
        } else {
            out.extend_from_slice(format!("CAST(x'{}' AS TEXT)", hex(&literal)).as_bytes());
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    String::from_utf8(out).ok().filter(|text| !text.contains('\0')).ok_or(())
}

/// Returns the start of the next string literal. Skips comments and quoted names.
fn literal_start(text: &[u8]) -> Option<usize> {
    let mut n = 0;
    while let Some(byte) = text.get(n) {
        let skip_to = |end: &[u8]| {
            let rest = &text[n + 1..];
            rest.windows(end.len()).position(|window| window == end).map_or(text.len(), |at| n + 1 + at + end.len())
        };
        n = match (byte, text.get(n + 1)) {
            (b'\'', _) => return Some(n),
            (b'"' | b'`', _) => skip_to(&[*byte]),
            (b'[', _) => skip_to(b"]"),
            (b'-', Some(b'-')) => skip_to(b"\n"),
            (b'/', Some(b'*')) => skip_to(b"*/"),
            _ => n + 1,
        };
    }
    None
}

/// Returns the content of the literal with which the text begins, and the text after it.
fn literal(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut content = Vec::new();
    let mut n = 1;
    loop {
        match (text.get(n)?, text.get(n + 1)) {
            (b'\'', Some(b'\'')) => {
                content.push(b'\'');
                n += 2;
            }
            (b'\'', _) => return Some((content, &text[n + 1..])),
            (byte, _) => {
                content.push(*byte);
                n += 1;
            }
        }
    }
}

/// Returns the first word after blanks and comments.
pub(super) fn first_word(sql: &str) -> &str {
    after_comments(sql).split(|c: char| !c.is_alphanumeric()).next().unwrap_or("")
}

/// Returns the SQL after the blanks and comments with which it begins.
pub(super) fn after_comments(sql: &str) -> &str {
    let mut rest = sql.trim_start();
    loop {
        let after = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n')
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/")
        } else {
            return rest;
        };
        rest = after.map_or("", |(_, rest)| rest).trim_start();
    }
}
