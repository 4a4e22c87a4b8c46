//! Escapes in JSON strings: decodes strings, so that equal keys have equal bytes whatever their spelling.
//!
//! Works on strings that `walk` has found valid.

use std::borrow::Cow;

/// Returns the code unit of the `\u` escape at the start of a text.
pub(super) fn unit(text: &[u8]) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = text else { return None };
    let digits = digits.first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | (*digit as char).to_digit(16)?))
}

/// The decoded content of a string as bytes of UTF-8. Half a surrogate pair is a number of its own. Used to compare
/// keys of valid strings.
pub(super) struct Letters<'a> {
    rest: &'a [u8],
    character: [u8; 4],
    pending: std::ops::Range<usize>,
}

impl Letters<'_> {
    /// Decodes a string that is given without its quotes.
    pub(super) fn new(text: &[u8]) -> Letters<'_> {
        Letters { rest: text, character: [0; 4], pending: 0..0 }
    }

    /// Returns all letters as bytes. Half a surrogate pair keeps only its low byte: enough for a hash, not to compare
    /// keys.
    pub(super) fn bytes(self) -> Vec<u8> {
        self.map(|letter| letter as u8).collect()
    }

    fn take(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    fn unicode(&mut self, first: u32) -> Option<u32> {
        self.take(6);
        let point = match (first, unit(self.rest)) {
            (0xd800..=0xdbff, Some(second @ 0xdc00..=0xdfff)) => {
                self.take(6);
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            _ => first,
        };
        let Some(character) = char::from_u32(point) else { return Some(point) };
        self.pending = 0..character.encode_utf8(&mut self.character).len();
        self.next()
    }
}

impl Iterator for Letters<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if let Some(at) = self.pending.next() {
            return Some(u32::from(self.character[at]));
        }
        if let Some(unit) = unit(self.rest) {
            return self.unicode(unit);
        }
        let (byte, length) = match self.rest {
            [] => return None,
            [b'\\', b'b', ..] => (8, 2),
            [b'\\', b't', ..] => (9, 2),
            [b'\\', b'n', ..] => (10, 2),
            [b'\\', b'f', ..] => (12, 2),
            [b'\\', b'r', ..] => (13, 2),
            [b'\\', other, ..] => (*other, 2),
            [byte, ..] => (*byte, 1),
        };
        self.take(length);
        Some(u32::from(byte))
    }
}

/// Returns a valid text without its `\u0000`.
pub(super) fn without_nul(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let escape = &rest[at..];
        // An escaped character has at least one byte and is ASCII.
        let length = if escape.starts_with("\\u") { 6 } else { 2 };
        let (before, after) = (&rest[..at], &escape[length.min(escape.len())..]);
        out.push_str(before);
        if !escape.starts_with("\\u0000") {
            out.push_str(&escape[..escape.len() - after.len()]);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Decodes a valid string that is given without its quotes. `None` if it contains half a surrogate pair.
pub fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('\\') {
        return Some(Cow::Borrowed(text));
    }
    let bytes: Option<Vec<u8>> = Letters::new(text.as_bytes()).map(|letter| u8::try_from(letter).ok()).collect();
    String::from_utf8(bytes?).ok().map(Cow::Owned)
}
