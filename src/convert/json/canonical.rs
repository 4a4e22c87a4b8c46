//! The text that the server prints for a `jsonb` value, so that the text sent equals the text read back, byte for byte.
//!
//! Keys are sorted by length, then by bytes; the last of equal keys wins. Separators are `, ` and `: `. Numbers are
//! printed as `numeric` does, and escapes are used only where the server uses them. The text was validated before.
//! Depth uses no stack.

use super::walk;
use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;

/// A member of an object that is still open.
struct Member {
    /// The decoded key, a range of `CanonicalWriter::keys`.
    key: Range<usize>,
    /// The member's text in the output, `"key": value`.
    at: Range<usize>,
}

/// An object or array that is still open.
struct Frame {
    object: bool,
    /// The first member, an index of `CanonicalWriter::members`.
    first: usize,
}

/// Buffers that are kept between values, so that a text that is already canonical needs no allocation.
#[derive(Default)]
struct CanonicalWriter {
    out: Vec<u8>,
    /// The members of an object in their original order, while they are sorted.
    was: Vec<u8>,
    keys: Vec<u8>,
    members: Vec<Member>,
    frames: Vec<Frame>,
}

/// Memory that is kept between values, in bytes.
const KEPT: usize = 1 << 20;

thread_local! {
    static SCRATCH: RefCell<CanonicalWriter> = RefCell::default();
}

/// Returns the canonical text of a valid JSON text that `jsonb` can store.
pub fn canonical(text: Cow<'_, str>) -> Cow<'_, str> {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.write(text.as_bytes());
        let found = if scratch.out == text.as_bytes() {
            text
        } else {
            // Only whole strings and ASCII were written, so this is UTF-8.
            std::str::from_utf8(&scratch.out).map_or(text, |out| Cow::Owned(out.to_owned()))
        };
        scratch.out.shrink_to(KEPT);
        scratch.was.shrink_to(KEPT);
        scratch.keys.shrink_to(KEPT);
        found
    })
}

impl CanonicalWriter {
    fn write(&mut self, text: &[u8]) {
        self.out.clear();
        self.keys.clear();
        self.members.clear();
        self.frames.clear();
        let mut at = 0;
        let mut key_next = false;
        while let Some(byte) = text.get(at) {
            at += 1;
            match byte {
                b'{' | b'[' => {
                    self.out.push(*byte);
                    key_next = *byte == b'{';
                    self.frames.push(Frame { object: key_next, first: self.members.len() });
                }
                b'}' | b']' => self.close(*byte),
                b',' => {
                    self.end_member();
                    self.out.extend_from_slice(b", ");
                    key_next = self.frames.last().is_some_and(|f| f.object);
                }
                b':' => self.out.extend_from_slice(b": "),
                b'"' => {
                    let (length, escaped) = string_length(&text[at..]);
                    self.string(&text[at..at + length], escaped, key_next);
                    key_next = false;
                    at += length + 1;
                }
                b'-' | b'0'..=b'9' => {
                    let rest = &text[at - 1..];
                    let length =
                        rest.iter().take_while(|b| matches!(b, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'));
                    let length = length.count();
                    number(&rest[..length], &mut self.out);
                    at += length - 1;
                }
                b' ' | b'\t' | b'\n' | b'\r' => {}
                letter => {
                    let word: &[u8] = match letter {
                        b't' => b"true",
                        b'f' => b"false",
                        _ => b"null",
                    };
                    self.out.extend_from_slice(word);
                    at += word.len() - 1;
                }
            }
        }
    }

    fn string(&mut self, inside: &[u8], escaped: bool, key: bool) {
        let at = self.out.len();
        self.out.push(b'"');
        let start = self.keys.len();
        match (escaped, key) {
            (false, false) => self.out.extend_from_slice(inside),
            (false, true) => {
                self.out.extend_from_slice(inside);
                self.keys.extend_from_slice(inside);
            }
            (true, _) => {
                decode(inside, &mut self.keys);
                escape(&self.keys[start..], &mut self.out);
                if !key {
                    self.keys.truncate(start);
                }
            }
        }
        self.out.push(b'"');
        if key {
            self.members.push(Member { key: start..self.keys.len(), at: at..at });
        }
    }

    fn end_member(&mut self) {
        let end = self.out.len();
        if let Some(frame) = self.frames.last()
            && frame.object
            && let Some(member) = self.members[frame.first..].last_mut()
        {
            member.at.end = end;
        }
    }

    fn close(&mut self, byte: u8) {
        self.end_member();
        let Some(frame) = self.frames.pop() else { return };
        if let Some(first) = self.members.get(frame.first) {
            let (body, key) = (first.at.start, first.key.start);
            let keys = &self.keys;
            let order = |a: &Member, b: &Member| {
                let (a, b) = (&keys[a.key.clone()], &keys[b.key.clone()]);
                (a.len(), a).cmp(&(b.len(), b))
            };
            let members = &mut self.members[frame.first..];
            if !members.is_sorted_by(|a, b| order(a, b).is_lt()) {
                members.sort_by(order);
                let was = &mut self.was;
                was.clear();
                was.extend_from_slice(&self.out[body..]);
                self.out.truncate(body);
                for same in members.chunk_by(|a, b| order(a, b).is_eq()) {
                    if self.out.len() > body {
                        self.out.extend_from_slice(b", ");
                    }
                    if let Some(last) = same.last() {
                        self.out.extend_from_slice(&was[last.at.start - body..last.at.end - body]);
                    }
                }
            }
            self.keys.truncate(key);
        }
        self.members.truncate(frame.first);
        self.out.push(byte);
    }
}

/// Returns the bytes of a string up to its closing quote, and true if it contains an escape.
fn string_length(text: &[u8]) -> (usize, bool) {
    let mut escaped = false;
    let mut at = 0;
    loop {
        at = walk::plain(text, at);
        match text.get(at) {
            Some(b'\\') => {
                escaped = true;
                at += 2;
            }
            _ => return (at, escaped),
        }
    }
}

/// Appends the decoded content of a string with escapes, in UTF-8.
fn decode(mut rest: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = rest.iter().position(|b| *b == b'\\') {
        out.extend_from_slice(&rest[..at]);
        let mut length = 2;
        match rest.get(at + 1) {
            Some(b'b') => out.push(8),
            Some(b'f') => out.push(12),
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b't') => out.push(b'\t'),
            Some(b'u') => {
                let (point, taken) = point(&rest[at..]);
                out.extend_from_slice(point.encode_utf8(&mut [0; 4]).as_bytes());
                length = taken;
            }
            Some(other) => out.push(*other),
            None => {}
        }
        rest = rest.get(at + length..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// Returns the character of a `\u` escape or of a surrogate pair of them, and the number of bytes read.
fn point(text: &[u8]) -> (char, usize) {
    let unit = |at: usize| {
        let digits = text.get(at + 2..at + 6).filter(|_| text[at..].starts_with(b"\\u"))?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    match (unit(0), unit(6)) {
        (Some(high @ 0xd800..=0xdbff), Some(low @ 0xdc00..=0xdfff)) => {
            (char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).unwrap_or_default(), 12)
        }
        (Some(unit), _) => (char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
        (None, _) => (char::REPLACEMENT_CHARACTER, 6),
    }
}

/// Appends a string as the server's `escape_json` prints it.
fn escape(said: &[u8], out: &mut Vec<u8>) {
    for byte in said {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=31 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            other => out.push(*other),
        }
    }
}

/// Appends a number as `numeric` prints it: no exponent, decimals as written, zero without a sign.
fn number(text: &[u8], out: &mut Vec<u8>) {
    // A number without an exponent is kept as it is, except for the sign of zero.
    let negative_zero = text.starts_with(b"-") && !text.iter().any(|b| matches!(b, b'1'..=b'9'));
    if !negative_zero && !text.iter().any(|b| matches!(b, b'e' | b'E')) {
        return out.extend_from_slice(text);
    }
    let (sign, text) = text.strip_prefix(b"-").map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = match text.iter().position(|b| matches!(b, b'e' | b'E')) {
        None => (text, 0),
        Some(at) => {
            let exponent = std::str::from_utf8(&text[at + 1..]).ok().and_then(|e| e.parse::<i64>().ok());
            (&text[..at], exponent.unwrap_or(0))
        }
    };
    let written = mantissa.iter().position(|b| *b == b'.').map_or(0, |at| mantissa.len() - at - 1) as i64;
    let mut digits: Vec<u8> = mantissa.iter().copied().filter(u8::is_ascii_digit).collect();
    let decimals = usize::try_from(written - exponent).unwrap_or(0);
    let zero = digits.iter().all(|b| *b == b'0');
    if !zero {
        digits.resize(digits.len() + usize::try_from(exponent - written).unwrap_or(0), b'0');
    }
    if digits.len() <= decimals {
        let lead = decimals + 1 - digits.len();
        digits.splice(0..0, std::iter::repeat_n(b'0', lead));
    }
    let (whole, rest) = digits.split_at(digits.len() - decimals);
    let lead = whole.iter().take_while(|b| **b == b'0').count().min(whole.len() - 1);
    if sign && !zero {
        out.push(b'-');
    }
    out.extend_from_slice(&whole[lead..]);
    if decimals > 0 {
        out.push(b'.');
        out.extend_from_slice(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        canonical(Cow::Borrowed(text)).into_owned()
    }

    #[test]
    fn keys_are_sorted_by_length_then_bytes_and_the_last_duplicate_wins() {
        assert_eq!(of(r#"{"bb":1,"a":2,"c":{"z":[],"y":{}},"a":3}"#), r#"{"a": 3, "c": {"y": {}, "z": []}, "bb": 1}"#);
        assert_eq!(of(r#"{"\u0061":1,"a":2}"#), r#"{"a": 2}"#);
        assert_eq!(of(r#"{"é":1,"zz":2,"b":3}"#), r#"{"b": 3, "zz": 2, "é": 1}"#);
    }

    #[test]
    fn numbers_are_printed_as_numeric_prints_them() {
        let cases = [
            ("1e2", "100"),
            ("1.5e1", "15"),
            ("1.50e1", "15.0"),
            ("12e-1", "1.2"),
            ("-1e-3", "-0.001"),
            ("-0", "0"),
            ("-0.0", "0.0"),
            ("0e5", "0"),
            ("0.00e1", "0.0"),
            ("1.0", "1.0"),
            ("100.25E+1", "1002.5"),
            ("-12.5e-5", "-0.000125"),
        ];
        for (written, printed) in cases {
            assert_eq!(of(written), printed, "{written}");
        }
    }

    #[test]
    fn strings_keep_only_the_escapes_that_the_server_writes() {
        assert_eq!(of(r#""\/\u00e9\u0041\t\u0001\"\\\ud83d\ude00""#), "\"/éA\\t\\u0001\\\"\\\\😀\"");
    }

    #[test]
    fn a_canonical_text_is_returned_unchanged_and_depth_uses_no_stack() {
        assert!(matches!(canonical(Cow::Borrowed(r#"{"a": [1, null, true]}"#)), Cow::Borrowed(_)));
        let deep = "[".repeat(200_000) + &"]".repeat(200_000);
        assert!(matches!(canonical(Cow::Borrowed(&deep)), Cow::Borrowed(_)));
    }
}
