//! A dump's text, cut into statements as it streams by: strings, comments and trigger bodies may hold semicolons.
//!
//! The rules are those of `sqlite3_complete` (<https://www.sqlite.org/c3ref/complete.html>). No statement is understood here.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use crate::model::hex::hex;

/// One statement with the line that it begins on.
pub(super) struct DumpStatement {
    /// Its bytes, comments before it included, the semicolon too.
    pub text: Vec<u8>,
    /// The line of its first word, from 1.
    pub line: u64,
    /// Whether its semicolon came; else the text ended before it.
    pub whole: bool,
}

/// What the next byte stands in.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Nothing,
    /// A literal or a name that this byte ends.
    Quote(u8),
    LineComment,
    BlockComment,
}

/// What a word is for the question whether a semicolon ends a statement.
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

/// The states of `sqlite3_complete`, its numbers in its order.
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

/// Cuts a text into statements and sums it up on the way.
pub(super) struct DumpStatements<R> {
    input: R,
    /// What was read of the input, and how much of it was taken.
    chunk: Vec<u8>,
    taken: usize,
    sum: Sha256,
    line: u64,
    inside: Inside,
    before: u8,
    state: u8,
    word: Vec<u8>,
    text: Vec<u8>,
    /// Line of the first byte of the statement that is neither blank nor comment; 0 before it came.
    first: u64,
}

impl<R: Read> DumpStatements<R> {
    /// Begins at the first line.
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

    /// SHA-256 of what was read so far, in hex.
    pub fn sum(&self) -> String {
        hex(&self.sum.clone().finalize())
    }

    /// The line that was reached.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next statement; `None` at the end of the text.
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

    /// Reads on; false at the end.
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

    /// The statement that ends here, unless there is nothing but blanks, comments and a semicolon.
    fn cut(&mut self, whole: bool) -> Option<DumpStatement> {
        let text = std::mem::take(&mut self.text);
        let line = std::mem::take(&mut self.first);
        self.state = START;
        (line > 0).then_some(DumpStatement { text, line, whole })
    }

    /// Takes one byte; true where it is a semicolon that ends a statement.
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
            // A doubled quote ends one literal and begins the next: for this question that is the same.
            Inside::Quote(end) => {
                if byte == end {
                    self.inside = Inside::Nothing;
                }
            }
            Inside::Nothing => return self.outside(before, byte),
        }
        false
    }

    /// A byte outside of literals and comments.
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

/// A statement as UTF-8. A string literal whose bytes are not, or that holds a NUL, is written as a blob that is cast to
/// text: the same bytes in a database whose encoding is UTF-8. `Err` where such bytes stand outside of string literals.
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
        let (literal, behind) = literal(&rest[start..]).ok_or(())?;
        if std::str::from_utf8(&literal).is_ok() && !literal.contains(&0) {
            out.extend_from_slice(&rest[start..rest.len() - behind.len()]);
        } else {
            out.extend_from_slice(format!("CAST(x'{}' AS TEXT)", hex(&literal)).as_bytes());
        }
        rest = behind;
    }
    out.extend_from_slice(rest);
    String::from_utf8(out).ok().filter(|text| !text.contains('\0')).ok_or(())
}

/// Where the next string literal begins, comments and quoted names passed over.
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

/// The content of the literal that the text begins with, and what stands behind it.
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

/// The first word behind blanks and comments.
pub(super) fn first_word(sql: &str) -> &str {
    behind_comments(sql).split(|c: char| !c.is_alphanumeric()).next().unwrap_or("")
}

/// What stands behind the blanks and comments that SQL begins with.
pub(super) fn behind_comments(sql: &str) -> &str {
    let mut rest = sql.trim_start();
    loop {
        let behind = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n')
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/")
        } else {
            return rest;
        };
        rest = behind.map_or("", |(_, rest)| rest).trim_start();
    }
}
