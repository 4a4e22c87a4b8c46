//! Readers of booleans, integers, UUIDs, addresses and enum labels.
//!
//! Each function reads one value that is not NULL for one type, or returns the reason why it cannot. The modifiers
//! `null_if`, `map` and `if_bad` are applied elsewhere.

use super::decimal::{Literal, trimmed};
use crate::model::cell::{Inet, Raw};
use crate::model::fault::{Loss, LossSet, Reason};
use crate::model::rules::UuidBytes;
use std::net::IpAddr;

/// Reads a boolean: 0, 1, or one of PostgreSQL's own words in any case, with optional surrounding blanks.
pub(super) fn boolean(raw: Raw<'_>) -> Result<bool, Reason> {
    match raw {
        Raw::Integer(0) => Ok(false),
        Raw::Integer(1) => Ok(true),
        Raw::Real(0.0) => Ok(false),
        Raw::Real(1.0) => Ok(true),
        Raw::Text(text) => boolean_word(trimmed(text)),
        Raw::Blob(_) => Err(Reason::BlobInValue),
        Raw::Real(value) if !value.is_finite() => Err(Reason::NotFinite),
        _ => Err(Reason::NotABoolean),
    }
}

fn boolean_word(text: &[u8]) -> Result<bool, Reason> {
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()));
    if is(&["1", "t", "true", "y", "yes", "on"]) {
        Ok(true)
    } else if is(&["0", "f", "false", "n", "no", "off"]) {
        Ok(false)
    } else {
        Err(Reason::NotABoolean)
    }
}

/// Reads an integer of up to eight bytes. With `round`, decimals are rounded half away from zero.
pub(super) fn integer(raw: Raw<'_>, round: bool, losses: &mut LossSet) -> Result<i64, Reason> {
    match raw {
        Raw::Integer(value) => Ok(value),
        Raw::Real(value) => real_integer(value, round, losses),
        Raw::Text(text) => match plain_integer(text) {
            Some(value) => Ok(value),
            None => text_integer(text, round, losses),
        },
        Raw::Null | Raw::Blob(_) => Err(Reason::BlobInValue),
    }
}

fn real_integer(value: f64, round: bool, losses: &mut LossSet) -> Result<i64, Reason> {
    if !value.is_finite() {
        return Err(Reason::NotFinite);
    }
    let whole = value.round();
    if whole != value {
        if !round {
            return Err(Reason::NotIntegral);
        }
        losses.add(Loss::Round);
    }
    // 2^63 is exactly representable as a double, i64::MAX is not.
    const END: f64 = 9_223_372_036_854_775_808.0;
    if (-END..END).contains(&whole) { Ok(whole as i64) } else { Err(Reason::OutOfRange) }
}

/// Parses up to 18 digits with an optional minus and nothing else.
fn plain_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if !(1..=18).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().fold(0i64, |value, b| value * 10 + i64::from(b - b'0'));
    Some(if negative { -size } else { size })
}

fn text_integer(text: &[u8], round: bool, losses: &mut LossSet) -> Result<i64, Reason> {
    let Literal::Number(number) = Literal::parse(text).ok_or(Reason::NotANumber)? else {
        return Err(Reason::NotFinite);
    };
    let Some((value, changed)) = number.scaled(0) else {
        return Err(Reason::OutOfRange);
    };
    if changed && !round {
        return Err(Reason::NotIntegral);
    }
    let value = i64::try_from(value).map_err(|_| Reason::OutOfRange)?;
    if changed {
        losses.add(Loss::Round);
    }
    Ok(value)
}

/// Reads a UUID: 32 hexadecimal digits in any case, or 16 bytes. Allows hyphens after each group of four digits, braces
/// and the prefix `urn:uuid:`.
pub(super) fn uuid(raw: Raw<'_>, order: UuidBytes) -> Result<[u8; 16], Reason> {
    match raw {
        Raw::Text(text) => uuid_text(text).ok_or(Reason::NotAUuid),
        Raw::Blob(bytes) => {
            let mut uuid: [u8; 16] = bytes.try_into().map_err(|_| Reason::BlobInValue)?;
            if order == UuidBytes::Dotnet {
                uuid[..4].reverse();
                uuid[4..6].reverse();
                uuid[6..8].reverse();
            }
            Ok(uuid)
        }
        _ => Err(Reason::NumberInUuid),
    }
}

fn uuid_text(text: &[u8]) -> Option<[u8; 16]> {
    let digits = match text {
        [b'{', inner @ .., b'}'] => inner,
        _ if text.len() > 9 && text[..9].eq_ignore_ascii_case(b"urn:uuid:") => &text[9..],
        _ => text,
    };
    let mut uuid = [0u8; 16];
    let mut rest = digits;
    for (at, byte) in uuid.iter_mut().enumerate() {
        if at > 0
            && at % 2 == 0
            && let [b'-', after @ ..] = rest
        {
            rest = after;
        }
        let [high, low, after @ ..] = rest else { return None };
        *byte = hex(*high)? << 4 | hex(*low)?;
        rest = after;
    }
    rest.is_empty().then_some(uuid)
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

/// Reads an address with an optional prefix length. Refuses octal numbers, leading zeros, zones and abbreviated
/// addresses.
pub(super) fn inet(raw: Raw<'_>) -> Result<Inet, Reason> {
    let text = match raw {
        Raw::Text(text) => std::str::from_utf8(text).map_err(|_| Reason::NotAnInet)?,
        Raw::Blob(_) => return Err(Reason::BlobInValue),
        _ => return Err(Reason::NotAnInet),
    };
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| Reason::NotAnInet)?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => most,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0')) => {
            digits.parse().ok().filter(|bits| *bits <= most).ok_or(Reason::NotAnInet)?
        }
        Some(_) => return Err(Reason::NotAnInet),
    };
    Ok(Inet { address, prefix })
}

/// Returns the label that equals the text byte for byte. The labels are in the order of the enum.
pub(super) fn label<'a>(text: &[u8], labels: &'a [String]) -> Result<&'a str, Reason> {
    match labels.iter().find(|label| label.as_bytes() == text) {
        Some(label) => Ok(label),
        None if text.is_empty() => Err(Reason::EmptyString),
        None => Err(Reason::UnknownLabel),
    }
}
