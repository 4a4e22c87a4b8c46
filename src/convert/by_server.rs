//! Types that are sent as text and parsed by the server: money, times of day with a zone, networks, hstore, tsvector,
//! ranges and geometry.
//!
//! The server silently rounds, guesses and wraps such text, so it only receives text that is exact. Each part is read
//! by the reader of its own type and then written again. The meaning of the whole is left to the server.

use super::array::ElementReader;
use super::array_text::{BLANKS, blanks_off};
use super::float;
use super::numeric::NumericReader;
use super::scalar;
use super::text;
use super::time::{self, Beyond};
use crate::model::cell::{Cell, Raw};
use crate::model::fault::{LossSet, Reason};
use crate::model::numeric::Sign;
use crate::model::rules::Zone;
use crate::wire::text::literal;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Precision and scale of money: 64 bits that count hundredths.
pub(super) const MONEY: (u16, i16) = (19, 2);

/// Reads money, in the form that the server parses in locale C.
pub(super) fn money(raw: Raw<'_>, numerics: &NumericReader, losses: &mut LossSet) -> Result<Cell<'static>, Reason> {
    let number = numerics.read(raw, losses)?;
    if !matches!(number.sign, Sign::Plus | Sign::Minus) {
        return Err(Reason::NotFinite);
    }
    let text = literal(&Cell::Numeric(number));
    let cents: i128 = text.replace('.', "").parse().map_err(|_| Reason::OutOfRange)?;
    i64::try_from(cents).map_err(|_| Reason::OutOfRange)?;
    Ok(Cell::Verbatim(Cow::Owned(text)))
}

/// Reads a time of day with its offset. Without an offset the zone's offset applies, provided that it is the same on
/// every day.
pub(super) fn timetz(raw: Raw<'_>, precision: u8, zone: Option<Zone>) -> Result<Cell<'static>, Reason> {
    let text = match raw {
        Raw::Text(text) => text,
        Raw::Null | Raw::Blob(_) => return Err(Reason::BlobInValue),
        _ => return Err(Reason::NumberInTime),
    };
    let written = time::read(text)?;
    if written.day.is_some() {
        return Err(Reason::DateInTime);
    }
    let clock = written.clock.ok_or(Reason::NotATime)?;
    let offset = match (written.offset, zone) {
        (Some(offset), _) => offset,
        (None, Some(Zone::Fixed(offset))) => i64::from(offset),
        (None, _) => return Err(Reason::NoZone),
    };
    let step = 10_i64.pow(6 - u32::from(precision.min(6)));
    if clock.beyond != Beyond::Nothing || clock.micros % step != 0 {
        return Err(Reason::ExcessPrecision);
    }
    let (sign, east) = (if offset < 0 { '-' } else { '+' }, offset.abs());
    let time = literal(&Cell::Time(clock.micros));
    let text = format!("{time}{sign}{:02}:{:02}:{:02}", east / 3600, east / 60 % 60, east % 60);
    Ok(Cell::Verbatim(Cow::Owned(text)))
}

/// Reads an address as the encoder of `inet` does.
pub(super) fn inet(raw: Raw<'_>) -> Result<Cell<'static>, Reason> {
    Ok(Cell::Verbatim(Cow::Owned(literal(&Cell::Inet(scalar::inet(raw)?)))))
}

/// Reads a network. Stricter than the server, which reads both `10` and `010.0.0.0/8` as 10.0.0.0/8.
pub(super) fn cidr(raw: Raw<'_>) -> Result<Cell<'static>, Reason> {
    let network = scalar::inet(raw)?;
    let (bits, width) = match network.address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let host_bits = u128::MAX.checked_shl(width - u32::from(network.prefix)).unwrap_or(0);
    if bits & !host_bits != 0 {
        return Err(Reason::NotAnInet);
    }
    Ok(Cell::Verbatim(Cow::Owned(literal(&Cell::Inet(network)))))
}

/// Reads an hstore. The server silently keeps only one of two equal keys, and reports malformed text with an error of
/// its own.
pub(super) fn hstore(raw: Raw<'_>) -> Result<Cell<'_>, Reason> {
    let Raw::Text(bytes) = raw else { return Err(Reason::NotForServer) };
    let text = text::checked(bytes)?;
    let (mut keys, mut rest) = (BTreeSet::new(), blanks_off(text));
    while !rest.is_empty() {
        let (key, after) = pair(rest).ok_or(Reason::NotAnHstore)?;
        if !keys.insert(key) {
            return Err(Reason::RepeatedKey);
        }
        rest = after;
    }
    Ok(Cell::Verbatim(Cow::Borrowed(text)))
}

/// Returns the key of an hstore's first pair, and the text after the pair and its comma.
fn pair(text: &str) -> Option<(String, &str)> {
    let (key, rest) = word(text, '=')?;
    let (_, rest) = word(blanks_off(blanks_off(rest).strip_prefix("=>")?), ',')?;
    match blanks_off(rest) {
        "" => Some((key, "")),
        rest => rest.strip_prefix(',').map(|rest| (key, blanks_off(rest))),
    }
}

/// Returns a quoted word, or the characters up to a blank or `end`, and the text after it.
fn word(text: &str, end: char) -> Option<(String, &str)> {
    let (mut out, quoted) = (String::new(), text.starts_with('"'));
    let mut characters = text.char_indices().skip(usize::from(quoted));
    let ends = |c: char| c == end || BLANKS.contains(&c);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => out.push(characters.next()?.1),
            '"' if quoted => return Some((out, &text[at + 1..])),
            other if !quoted && ends(other) => return (!out.is_empty()).then(|| (out, &text[at..])),
            other => out.push(other),
        }
    }
    (!quoted && !out.is_empty()).then_some((out, ""))
}

/// The last position in a tsvector. <https://www.postgresql.org/docs/current/textsearch-limitations.html>
const LAST_POSITION: u32 = 16_383;

/// The number of positions of one word that the server keeps.
const MOST_POSITIONS: usize = 255;

/// Reads a tsvector. The server silently lowers positions beyond the last one and drops positions beyond its limit per
/// word. If a position occurs with two weights, it keeps the heavier one.
pub(super) fn tsvector(raw: Raw<'_>) -> Result<Cell<'_>, Reason> {
    let Raw::Text(bytes) = raw else { return Err(Reason::NotForServer) };
    let text = text::checked(bytes)?;
    let mut words: BTreeMap<String, BTreeMap<u32, char>> = BTreeMap::new();
    let mut rest = blanks_off(text);
    while !rest.is_empty() {
        let (word, after) = lexeme(rest).ok_or(Reason::NotATsvector)?;
        let places = words.entry(word).or_default();
        rest = after.strip_prefix(':').unwrap_or(after);
        if rest.len() < after.len() {
            let end = rest.find(|c| BLANKS.contains(&c)).unwrap_or(rest.len());
            for place in rest[..end].split(',') {
                let digits = place.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '*');
                let place = (digits.parse().map_err(|_| Reason::NotATsvector)?, weight(&place[digits.len()..])?);
                if place.0 == 0 {
                    return Err(Reason::NotATsvector);
                }
                if place.0 > LAST_POSITION || *places.entry(place.0).or_insert(place.1) != place.1 {
                    return Err(if place.0 > LAST_POSITION { Reason::OutOfRange } else { Reason::RepeatedKey });
                }
            }
            rest = &rest[end..];
        }
        if places.len() > MOST_POSITIONS {
            return Err(Reason::TooLong);
        }
        rest = blanks_off(rest);
    }
    Ok(Cell::Verbatim(Cow::Borrowed(text)))
}

/// Returns the weight that follows a position. A position without one has the lightest weight.
fn weight(written: &str) -> Result<char, Reason> {
    match written {
        "" | "D" | "d" => Ok('D'),
        "A" | "a" | "*" => Ok('A'),
        "B" | "b" => Ok('B'),
        "C" | "c" => Ok('C'),
        _ => Err(Reason::NotATsvector),
    }
}

/// Returns a word of a tsvector and the text after it. A quoted word doubles its quotes; any other ends at a blank or a
/// colon.
fn lexeme(text: &str) -> Option<(String, &str)> {
    let (mut out, quoted) = (String::new(), text.starts_with('\''));
    let mut characters = text.char_indices().skip(usize::from(quoted)).peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => out.push(characters.next()?.1),
            '\'' if quoted && characters.next_if(|(_, next)| *next == '\'').is_none() => {
                return Some((out, &text[at + 1..]));
            }
            other if !quoted && (other == ':' || BLANKS.contains(&other)) => {
                return (!out.is_empty()).then(|| (out, &text[at..]));
            }
            other => out.push(other),
        }
    }
    (!quoted && !out.is_empty()).then_some((out, ""))
}

/// Reads doubles between brackets and commas. Each must be a double whose shortest text has the same digits.
pub(super) fn geometry(raw: Raw<'_>) -> Result<Cell<'_>, Reason> {
    let Raw::Text(bytes) = raw else { return Err(Reason::NotForServer) };
    let text = text::checked(bytes)?;
    let is_between = |c: char| c.is_ascii_whitespace() || "()[]{}<>,".contains(c);
    for number in text.split(is_between).filter(|part| !part.is_empty()) {
        float::float::<f64>(Raw::Text(number.as_bytes()), false, &mut LossSet::default())?;
    }
    Ok(Cell::Verbatim(Cow::Borrowed(text)))
}

/// Reads a range. Its bounds are read as values of the element type.
pub(super) fn range(raw: Raw<'_>, element: &impl ElementReader, losses: &mut LossSet) -> Result<Cell<'static>, Reason> {
    let Raw::Text(bytes) = raw else { return Err(Reason::NotForServer) };
    let text = text::checked(bytes)?.trim_matches(|c: char| c.is_ascii_whitespace());
    if text.eq_ignore_ascii_case("empty") {
        return Ok(Cell::Verbatim(Cow::Borrowed("empty")));
    }
    let inner =
        text.strip_prefix(['[', '(']).and_then(|rest| rest.strip_suffix([']', ')'])).ok_or(Reason::NotARange)?;
    let (lower, rest) = bound(inner)?;
    let (upper, rest) = bound(rest.strip_prefix(',').ok_or(Reason::NotARange)?)?;
    if !rest.is_empty() {
        return Err(Reason::NotARange);
    }
    let mut out = text[..1].to_owned();
    out.push_str(&written(lower, element, losses)?);
    out.push(',');
    out.push_str(&written(upper, element, losses)?);
    out.push_str(&text[text.len() - 1..]);
    Ok(Cell::Verbatim(Cow::Owned(out)))
}

/// Returns a bound up to the comma or the end, without quotes and backslashes, and the text after it. The bound is
/// `None` if it is infinite.
fn bound(text: &str) -> Result<(Option<String>, &str), Reason> {
    let (mut out, mut quoted, mut any) = (String::new(), false, false);
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            ',' if !quoted => return Ok((any.then_some(out), &text[at..])),
            '"' if quoted && characters.next_if(|(_, next)| *next == '"').is_some() => out.push('"'),
            '"' => quoted = !quoted,
            '\\' => out.push(characters.next().ok_or(Reason::NotARange)?.1),
            '(' | ')' | '[' | ']' if !quoted => return Err(Reason::NotARange),
            other => out.push(other),
        }
        any = true;
    }
    if quoted { Err(Reason::NotARange) } else { Ok((any.then_some(out), "")) }
}

/// Returns a bound in the form that the server parses.
fn written(bound: Option<String>, element: &impl ElementReader, losses: &mut LossSet) -> Result<String, Reason> {
    let Some(bound) = bound else { return Ok(String::new()) };
    let cell = element.read_element(Raw::Text(bound.as_bytes()), losses)?;
    Ok(format!("\"{}\"", literal(&cell).replace('\\', "\\\\").replace('"', "\\\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_end_where_the_server_ends_them() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(bound("1,5"), Ok((some("1"), ",5")));
        assert_eq!(bound(",5"), Ok((None, ",5")));
        assert_eq!(bound("\"a,\"\"b\\\"\"x"), Ok((some("a,\"b\"x"), "")));
        assert_eq!(bound("\"\","), Ok((some(""), ",")));
        assert_eq!(bound("1]"), Err(Reason::NotARange));
        assert_eq!(bound("\"1"), Err(Reason::NotARange));
    }
}
