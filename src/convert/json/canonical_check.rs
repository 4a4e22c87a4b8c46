//! A fast test for JSON that `jsonb` can store and that the server would print in the same bytes. It walks once and
//! allocates nothing.
//!
//! The answer true is certain. The answer false only means that the full walk (`walk`, `canonical`) must decide. Deep
//! nesting, escaped keys and `\u` escapes are always left to it.

use super::walk::{LONGEST_STRING, plain};

/// Maximum nesting for this test. Deeper text is left to the full walk.
const DEPTH: usize = 24;

/// Number of digits that `numeric` can store regardless of the position of the point.
const SURE_DIGITS: usize = 1_000;

/// An open object or array, with the place of an object's last key.
#[derive(Clone, Copy)]
struct OpenBracket {
    object: bool,
    key: (usize, usize),
}

/// Returns true if the text is exactly what the server prints for it.
pub fn is_canonical(text: &[u8]) -> bool {
    text.len() <= LONGEST_STRING && walk(text) == Some(text.len())
}

/// Returns the end of the single value with which the text begins.
fn walk(text: &[u8]) -> Option<usize> {
    let mut open = [OpenBracket { object: false, key: (0, 0) }; DEPTH];
    let mut depth = 0;
    let mut at = 0;
    loop {
        // A value, or the opening of an object or array.
        at = match *text.get(at)? {
            b'"' => string(text, at)?,
            b'-' | b'0'..=b'9' => number(text, at)?,
            b't' => word(text, at, b"true")?,
            b'f' => word(text, at, b"false")?,
            b'n' => word(text, at, b"null")?,
            b'[' if text.get(at + 1) == Some(&b']') => at + 2,
            b'{' if text.get(at + 1) == Some(&b'}') => at + 2,
            begin @ (b'[' | b'{') => {
                let place = open.get_mut(depth)?;
                *place = OpenBracket { object: begin == b'{', key: (0, 0) };
                depth += 1;
                at += 1;
                if begin == b'{' {
                    (at, place.key) = key(text, at)?;
                }
                continue;
            }
            _ => return None,
        };
        // After the value: closing brackets, or a comma and the next key.
        loop {
            let Some(top) = depth.checked_sub(1).and_then(|top| open.get_mut(top)) else { return Some(at) };
            match (*text.get(at)?, top.object) {
                (b']', false) | (b'}', true) => {
                    depth -= 1;
                    at += 1;
                }
                (b',', object) => {
                    at = blank(text, at + 1)?;
                    if object {
                        let before = &text[top.key.0..top.key.1];
                        (at, top.key) = key(text, at)?;
                        let this = &text[top.key.0..top.key.1];
                        if (before.len(), before) >= (this.len(), this) {
                            return None;
                        }
                    }
                    break;
                }
                _ => return None,
            }
        }
    }
}

fn blank(text: &[u8], at: usize) -> Option<usize> {
    (text.get(at) == Some(&b' ')).then_some(at + 1)
}

fn word(text: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    text[at..].starts_with(word).then_some(at + word.len())
}

/// Reads a key without escapes and its colon. Returns the start of its value, and the place of the key.
#[inline]
fn key(text: &[u8], at: usize) -> Option<(usize, (usize, usize))> {
    if text.get(at) != Some(&b'"') {
        return None;
    }
    let end = plain(text, at + 1);
    if text.get(end) != Some(&b'"') || text.get(end + 1) != Some(&b':') {
        return None;
    }
    Some((blank(text, end + 2)?, (at + 1, end)))
}

/// Reads a string whose escapes are only those that the server prints, without `\u`.
#[inline]
fn string(text: &[u8], at: usize) -> Option<usize> {
    let mut at = plain(text, at + 1);
    loop {
        match *text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' if matches!(text.get(at + 1), Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't')) => {
                at = plain(text, at + 2);
            }
            _ => return None,
        }
    }
}

/// Reads a number without an exponent, as `numeric` prints it.
#[inline]
fn number(text: &[u8], start: usize) -> Option<usize> {
    let digits = |mut at: usize| {
        while text.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let negative = text[start] == b'-';
    let whole = start + usize::from(negative);
    let mut at = digits(whole);
    let is_zero = text.get(whole) == Some(&b'0');
    if at == whole || is_zero && (at > whole + 1 || negative) {
        return None;
    }
    if text.get(at) == Some(&b'.') {
        let point = at + 1;
        at = digits(point);
        if at == point {
            return None;
        }
    }
    (at - start <= SURE_DIGITS && !matches!(text.get(at), Some(b'e' | b'E'))).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text_is_recognised() {
        for text in [
            "null",
            "\"a \\\"b\\\" é\"",
            "-12.50",
            "[]",
            "[1, [], {}, {\"a\": [true, false]}]",
            r#"{"a": 1, "b": {"z": 0.0}, "aa": "x"}"#,
        ] {
            assert!(is_canonical(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn other_text_is_not_canonical() {
        for text in [
            "",
            " 1",
            "1 ",
            "[1,2]",
            "[1,  2]",
            "{\"a\":1}",
            "{\"a\" : 1}",
            "{\"b\": 1, \"a\": 2}",
            "{\"a\": 1, \"a\": 2}",
            "{\"aa\": 1, \"b\": 2}",
            "-0",
            "-0.0",
            "-0.5e1",
            "01",
            "1.",
            ".5",
            "1e2",
            "\"\\/\"",
            "\"\\u00e9\"",
            "[1",
            "[1}",
            "{\"a\": 1]",
            "{1: 2}",
            "[1, ]",
            "{\"a\": }",
            "{\"a\"}",
            "tru",
            "\"\t\"",
            "\"a",
            "1 2",
            "[] []",
        ] {
            assert!(!is_canonical(text.as_bytes()), "{text}");
        }
    }
}
