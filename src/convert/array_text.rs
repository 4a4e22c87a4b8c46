//! Parses the spellings of arrays into brackets and elements: JSON, PostgreSQL's literals, comma-separated text.
//!
//! The caller interprets the elements and checks the shape of the whole. Text that is not exactly one of these
//! spellings is `NotAnArray`.

use super::json::{self, unescaped};
use crate::model::fault::Reason;
use std::borrow::Cow;

/// A token of an array.
pub(super) enum ArrayToken<'a> {
    /// `[` or `{`.
    Open,
    /// `]` or `}`.
    Close,
    /// One element.
    Element(ArrayElement<'a>),
}

/// An element before it is read as its type.
pub(super) enum ArrayElement<'a> {
    /// JSON's null, or PostgreSQL's unquoted `NULL`.
    Null,
    /// A JSON number, digit by digit.
    Number(&'a str),
    /// Any other text, without quotes and escapes.
    Text(Cow<'a, str>),
}

type Take<'t, 'a> = &'t mut dyn FnMut(ArrayToken<'a>) -> Result<(), Reason>;

/// Parses a JSON array. With `of_json`, each element of the outer array is passed on as JSON.
pub(super) fn json<'a>(text: &'a str, of_json: bool, take: Take<'_, 'a>) -> Result<(), Reason> {
    json::check(text.as_bytes(), false).map_err(|_| Reason::NotAnArray)?;
    let mut depth = 0;
    let mut rest = text;
    // The text is valid, so commas and white space carry no further information.
    while let Some(at) = rest.find(|c: char| !matches!(c, ' ' | '\t' | '\n' | '\r' | ',')) {
        rest = &rest[at..];
        let first = rest.as_bytes()[0];
        let opens = first == b'[' && (depth == 0 || !of_json);
        if opens || first == b']' {
            take(if opens { ArrayToken::Open } else { ArrayToken::Close })?;
            depth = if opens { depth + 1 } else { depth - 1 };
            rest = &rest[1..];
            continue;
        }
        let (value, after) = rest.split_at(value_end(rest));
        take(ArrayToken::Element(json_element(value, of_json)?))?;
        rest = after;
    }
    Ok(())
}

/// Returns the end of the value with which a valid text starts.
fn value_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut quoted) = (0, 0usize, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' if depth == 0 => return at,
            b']' | b'}' => depth -= 1,
            b',' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

fn json_element(value: &str, of_json: bool) -> Result<ArrayElement<'_>, Reason> {
    Ok(match value.as_bytes() {
        b"null" => ArrayElement::Null,
        _ if of_json => ArrayElement::Text(Cow::Borrowed(value)),
        [b'"', .., b'"'] => ArrayElement::Text(unescaped(&value[1..value.len() - 1]).ok_or(Reason::LoneSurrogate)?),
        [b'-' | b'0'..=b'9', ..] => ArrayElement::Number(value),
        [b'{', ..] => return Err(Reason::NotAnArray),
        _ => ArrayElement::Text(Cow::Borrowed(value)),
    })
}

/// Parses PostgreSQL's literal, `{a,"b,c",NULL,{...}}`, with the type's own separator. Explicit lower bounds are not
/// accepted.
pub(super) fn literal<'a>(text: &'a str, comma: char, take: Take<'_, 'a>) -> Result<(), Reason> {
    let mut rest = blanks_off(text);
    let mut depth = 0usize;
    // `value`: a value must follow. `fresh`: the bracket is still empty.
    let (mut value, mut fresh) = (true, false);
    while let Some(first) = rest.as_bytes().first() {
        if depth == 0 && (*first != b'{' || !value) {
            return Err(Reason::NotAnArray);
        }
        match first {
            b'{' if value => {
                take(ArrayToken::Open)?;
                (depth, fresh) = (depth + 1, true);
                rest = &rest[1..];
            }
            b'}' if !value || fresh => {
                take(ArrayToken::Close)?;
                (depth, value, fresh) = (depth - 1, false, false);
                rest = &rest[1..];
            }
            byte if !value && char::from(*byte) == comma => {
                (value, fresh) = (true, false);
                rest = &rest[1..];
            }
            _ if value => {
                let (element, after) = literal_element(rest, comma)?;
                take(ArrayToken::Element(element))?;
                (value, fresh) = (false, false);
                rest = after;
            }
            _ => return Err(Reason::NotAnArray),
        }
        rest = blanks_off(rest);
    }
    if depth == 0 && !value { Ok(()) } else { Err(Reason::NotAnArray) }
}

/// The characters that the server treats as blanks between words.
pub(super) const BLANKS: [char; 6] = [' ', '\t', '\n', '\r', '\u{b}', '\u{c}'];

pub(super) fn blanks_off(text: &str) -> &str {
    text.trim_start_matches(BLANKS)
}

fn literal_element(text: &str, comma: char) -> Result<(ArrayElement<'_>, &str), Reason> {
    if let Some(inner) = text.strip_prefix('"') {
        let end = quote_end(inner).ok_or(Reason::NotAnArray)?;
        return Ok((ArrayElement::Text(without_backslashes(&inner[..end])), &inner[end + 1..]));
    }
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = !escaped && (matches!(byte, b'}' | b'{' | b'"') || char::from(byte) == comma);
        escaped = !escaped && byte == b'\\';
        ends
    });
    let end = end.ok_or(Reason::NotAnArray)?;
    let (word, after) = text.split_at(end);
    if after.starts_with(['{', '"']) {
        return Err(Reason::NotAnArray);
    }
    let word = unquoted(word);
    match word {
        "" => Err(Reason::NotAnArray),
        word if word.eq_ignore_ascii_case("null") => Ok((ArrayElement::Null, after)),
        word => Ok((ArrayElement::Text(without_backslashes(word)), after)),
    }
}

/// Returns a word without surrounding blanks, but keeps an escaped blank at its end.
fn unquoted(word: &str) -> &str {
    let word = blanks_off(word);
    let kept = word.trim_end_matches(BLANKS);
    let escapes = kept.bytes().rev().take_while(|byte| *byte == b'\\').count();
    if escapes % 2 == 1 { word.get(..kept.len() + 1).unwrap_or(word) } else { kept }
}

fn quote_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = !escaped && byte == b'"';
        escaped = !escaped && byte == b'\\';
        ends
    })
}

fn without_backslashes(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.extend(characters.next()),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// Parses one record of comma-separated text as in RFC 4180: quotes around a whole field, doubled inside it. Blanks
/// belong to their field unless they are trimmed.
pub(super) fn csv<'a>(text: &'a str, trim: bool, take: Take<'_, 'a>) -> Result<(), Reason> {
    take(ArrayToken::Open)?;
    let mut rest = Some(text);
    while let Some(field) = rest {
        let start = if trim { blanks_off(field) } else { field };
        let (value, after) = match start.strip_prefix('"') {
            Some(inner) => csv_quoted(inner)?,
            None => {
                let (value, after) = start.split_at(start.find(',').unwrap_or(start.len()));
                if value.contains('"') {
                    return Err(Reason::NotAnArray);
                }
                let kept = if trim { value.trim_end_matches(BLANKS) } else { value };
                (Cow::Borrowed(kept), after)
            }
        };
        take(ArrayToken::Element(ArrayElement::Text(value)))?;
        let after = if trim { blanks_off(after) } else { after };
        rest = match after.strip_prefix(',') {
            None if after.is_empty() => None,
            None => return Err(Reason::NotAnArray),
            next => next,
        };
    }
    take(ArrayToken::Close)
}

fn csv_quoted(text: &str) -> Result<(Cow<'_, str>, &str), Reason> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut doubled = false;
    loop {
        at += bytes[at..].iter().position(|byte| *byte == b'"').ok_or(Reason::NotAnArray)?;
        if bytes.get(at + 1) != Some(&b'"') {
            break;
        }
        doubled = true;
        at += 2;
    }
    let value = &text[..at];
    let value = if doubled { Cow::Owned(value.replace("\"\"", "\"")) } else { Cow::Borrowed(value) };
    Ok((value, &text[at + 1..]))
}
