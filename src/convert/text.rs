//! The reader of `text`, `varchar(n)`, `char(n)` and `citext`. The text must be UTF-8 without NUL and fit the column's
//! limit of characters. In a database with encoding SQL_ASCII the limit counts bytes.
//!
//! Text is not normalised and no blank is dropped. Surplus blanks at the end count as characters, although the server
//! would silently remove them. Legacy character sets are decoded in this file; `prepare` decides which values need it.

use super::decimal::{integer_text, real_text};
use crate::model::cell::Raw;
use crate::model::fault::{Loss, LossSet, Reason};
use crate::model::rules::Charset;
use std::borrow::Cow;

/// PostgreSQL's limit for one value: 1 GiB less its header.
pub(super) const MOST_BYTES: usize = 0x3fff_ffff - 4;

/// A column of character strings.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextReader {
    /// The limit of `varchar(n)` and `char(n)`, in characters.
    pub limit: Option<usize>,
    /// The limit counts bytes.
    pub bytewise: bool,
    /// Pads with blanks, as `char(n)` does.
    pub pad: bool,
    /// The modifier `truncate`.
    pub truncate: bool,
}

impl TextReader {
    /// Returns true if a text of this many ASCII characters is sent unchanged.
    pub(super) fn takes(&self, characters: usize) -> bool {
        !self.pad && characters <= self.limit.unwrap_or(MOST_BYTES)
    }

    /// Reads a value that is not NULL.
    pub(super) fn read<'a>(&self, raw: Raw<'a>, losses: &mut LossSet) -> Result<Cow<'a, str>, Reason> {
        let text = match raw {
            Raw::Text(bytes) => Cow::Borrowed(checked(bytes)?),
            Raw::Null | Raw::Blob(_) => return Err(Reason::BlobInText),
            number => Cow::Owned(number_text(number)),
        };
        let Some(limit) = self.limit else { return Ok(text) };
        // A character has at least one byte, so most texts need no counting.
        let length = if text.len() > limit || self.pad { self.length(&text) } else { 0 };
        if length > limit {
            if !self.truncate {
                return Err(Reason::TooLong);
            }
            losses.add(Loss::Truncate);
            return Ok(self.cut(text, limit));
        }
        if self.pad && length < limit { Ok(padded(&text, limit - length)) } else { Ok(text) }
    }

    fn length(&self, text: &str) -> usize {
        if self.bytewise || text.is_ascii() { text.len() } else { text.chars().count() }
    }

    /// Returns the first characters of the text, as many as the column can store.
    fn cut<'a>(&self, text: Cow<'a, str>, limit: usize) -> Cow<'a, str> {
        let end = if self.bytewise {
            text.floor_char_boundary(limit)
        } else {
            text.char_indices().nth(limit).map_or(text.len(), |(at, _)| at)
        };
        match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[..end]),
            Cow::Owned(mut text) => {
                text.truncate(end);
                Cow::Owned(text)
            }
        }
    }
}

fn padded(text: &str, blanks: usize) -> Cow<'static, str> {
    let mut out = String::with_capacity(text.len() + blanks);
    out.push_str(text);
    out.extend(std::iter::repeat_n(' ', blanks));
    Cow::Owned(out)
}

/// Returns the bytes as text that PostgreSQL accepts: strict UTF-8 (no surrogates, no overlong forms) without NUL.
pub(super) fn checked(bytes: &[u8]) -> Result<&str, Reason> {
    let text = std::str::from_utf8(bytes).map_err(|_| Reason::NotUtf8)?;
    if !is_plain_ascii(bytes) && bytes.contains(&0) { Err(Reason::NulInText) } else { Ok(text) }
}

/// Returns true if the text is ASCII without NUL. Tests eight bytes at a time.
#[inline]
pub(super) fn is_plain_ascii(text: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // In a word without high bits, subtracting one from each byte sets the high bit of a zero byte.
    let odd = |chunk: &[u8; 8]| {
        let word = u64::from_le_bytes(*chunk);
        (word | word.wrapping_sub(ONES)) & HIGH
    };
    let (chunks, rest) = text.as_chunks::<8>();
    match text.last_chunk::<8>() {
        Some(last) => chunks.iter().fold(odd(last), |found, chunk| found | odd(chunk)) == 0,
        None => rest.iter().all(|byte| (1..0x80).contains(byte)),
    }
}

/// Returns the text of a number: an integer in decimal, a double in the fewest digits that restore it, in SQLite's form
/// (`42.0`, `1.0e+20`). Empty if the value is not a number.
pub(super) fn number_text(raw: Raw<'_>) -> String {
    match raw {
        Raw::Integer(value) => integer_text(value).as_str().to_owned(),
        Raw::Real(value) => real_text(value).as_str().to_owned(),
        Raw::Null | Raw::Text(_) | Raw::Blob(_) => String::new(),
    }
}

/// Decodes bytes of a legacy character set. `None` if a byte has no meaning in it.
pub(super) fn decoded(bytes: &[u8], charset: Charset) -> Option<String> {
    bytes
        .iter()
        .map(|byte| match (charset, byte) {
            (Charset::Windows1252, 0x80..=0x9f) => WINDOWS_1252[usize::from(byte - 0x80)],
            _ => Some(char::from(*byte)),
        })
        .collect()
}

/// Bytes 80 to 9F of windows-1252, as in the Unicode Consortium's CP1252.TXT.
const WINDOWS_1252: [Option<char>; 32] = [
    Some('\u{20ac}'),
    None,
    Some('\u{201a}'),
    Some('\u{0192}'),
    Some('\u{201e}'),
    Some('\u{2026}'),
    Some('\u{2020}'),
    Some('\u{2021}'),
    Some('\u{02c6}'),
    Some('\u{2030}'),
    Some('\u{0160}'),
    Some('\u{2039}'),
    Some('\u{0152}'),
    None,
    Some('\u{017d}'),
    None,
    None,
    Some('\u{2018}'),
    Some('\u{2019}'),
    Some('\u{201c}'),
    Some('\u{201d}'),
    Some('\u{2022}'),
    Some('\u{2013}'),
    Some('\u{2014}'),
    Some('\u{02dc}'),
    Some('\u{2122}'),
    Some('\u{0161}'),
    Some('\u{203a}'),
    Some('\u{0153}'),
    None,
    Some('\u{017e}'),
    Some('\u{0178}'),
];
