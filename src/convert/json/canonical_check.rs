//! Whether a text is JSON that `jsonb` holds and that the server would print in these very bytes: one walk, nothing kept.
//!
//! `true` is a promise; `false` says only that the full walk (`walk`, `canonical`) has to look: deep nesting, escaped
//! keys and `\u` escapes are left to it.

use super::walk::{LONGEST_STRING, plain};

/// Nesting that is looked at here; what is deeper is left to the full walk.
const DEPTH: usize = 24;

/// Digits of a number that `numeric` holds wherever its point is.
const SURE_DIGITS: usize = 1_000;

/// An object or array that is open; of an object, where its last key stands.
#[derive(Clone, Copy)]
struct OpenBracket {
    object: bool,
    key: (usize, usize),
}

/// Whether the text is what the server prints for it.
pub fn is_canonical(text: &[u8]) -> bool {
    text.len() <= LONGEST_STRING && walk(text) == Some(text.len())
}

/// The place behind the one value that the text begins with.
fn walk(text: &[u8]) -> Option<usize> {
    let mut open = [OpenBracket { object: false, key: (0, 0) }; DEPTH];
    let mut depth = 0;
    let mut at = 0;
    loop {
        // A value; of an object or array, its opening.
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
        // Behind it: the ends of what is open, or a comma and the next one's key.
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

/// A key without escapes and its colon: the place of its value, and where it stands itself.
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

/// A string with no escapes but those that the server writes itself, save `\u`.
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

/// A number without an exponent, as `numeric` prints it.
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
    fn what_the_server_prints_is_known_for_it() {
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
    fn what_it_would_print_otherwise_or_refuse_is_not() {
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
