//! Into booleans, integers, floating-point numbers, UUIDs, addresses and enum labels.
//!
//! Each function reads one value for one type, or says why it cannot. NULL does not come here, and nothing here knows
//! of `null_if`, `map` or `if_bad`.

use super::decimal::{Ascii, Decimal, Literal, integer_text, shortest, trimmed};
use crate::model::cell::{Inet, Raw};
use crate::model::fault::{Loss, LossSet, Reason};
use std::fmt::Write;
use std::net::IpAddr;

/// A boolean: 0, 1, and PostgreSQL's own words in any case between blanks; nothing else.
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

/// An integer of up to eight bytes. With `round`, decimals are rounded half away from zero.
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
    // 2^63 is a double, i64::MAX is not.
    const END: f64 = 9_223_372_036_854_775_808.0;
    if (-END..END).contains(&whole) { Ok(whole as i64) } else { Err(Reason::OutOfRange) }
}

/// Up to 18 digits with an optional minus and nothing else.
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

/// A floating-point type of the target.
pub(super) trait Float: Copy + PartialEq + std::fmt::LowerExp + std::str::FromStr {
    /// Significant decimal digits that always survive in it.
    const SURE_DIGITS: usize;
    /// Below this, in size, it holds fewer digits than that.
    fn is_subnormal(self) -> bool;
    /// The nearest value to a double; an infinity beyond the range.
    fn nearest(value: f64) -> Self;
    /// As a double, which it always is.
    fn wide(self) -> f64;
}

impl Float for f64 {
    const SURE_DIGITS: usize = 15;
    fn is_subnormal(self) -> bool {
        self.abs() < f64::MIN_POSITIVE
    }
    fn nearest(value: f64) -> f64 {
        value
    }
    fn wide(self) -> f64 {
        self
    }
}

impl Float for f32 {
    const SURE_DIGITS: usize = 6;
    fn is_subnormal(self) -> bool {
        self.abs() < f32::MIN_POSITIVE
    }
    fn nearest(value: f64) -> f32 {
        value as f32
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

/// A floating-point number. A double enters a `real` when it is one, or when both have the same shortest text
/// (counted); a text when its own number of digits brings it back. What is left is rounded by `round` alone.
pub(super) fn float<T: Float>(raw: Raw<'_>, round: bool, losses: &mut LossSet) -> Result<T, Reason> {
    match raw {
        Raw::Real(value) => {
            let near = T::nearest(value);
            if near.wide() == value {
                return Ok(near);
            }
            real_as(near, shortest(value).as_bytes(), round, losses)
        }
        Raw::Integer(value) => {
            let near = T::nearest(value as f64);
            if near.wide() as i128 == i128::from(value) {
                return Ok(near);
            }
            let text = integer_text(value);
            // An integer of 54 bits and more is rounded once, to this type, not by way of a double.
            let near = text.as_str().parse().unwrap_or(near);
            real_as(near, text.as_bytes(), round, losses)
        }
        Raw::Text(text) => text_float(text, round, losses),
        Raw::Null | Raw::Blob(_) => Err(Reason::BlobInValue),
    }
}

/// `near` stands for the number with this text, when it has the same shortest text.
fn real_as<T: Float>(near: T, text: &[u8], round: bool, losses: &mut LossSet) -> Result<T, Reason> {
    let Some(Literal::Number(number)) = Literal::parse(text) else {
        return Err(Reason::NotFinite);
    };
    in_range(near, &number)?;
    if matches!(Literal::parse(shortest(near).as_bytes()), Some(Literal::Number(held)) if held.same_magnitude(&number))
    {
        losses.add(Loss::Real);
        return Ok(near);
    }
    rounded(near, round, losses)
}

fn text_float<T: Float>(text: &[u8], round: bool, losses: &mut LossSet) -> Result<T, Reason> {
    let number = match Literal::parse(text).ok_or(Reason::NotANumber)? {
        Literal::Number(number) => number,
        Literal::NaN => return Ok(T::nearest(f64::NAN)),
        Literal::Infinite { negative: true } => return Ok(T::nearest(f64::NEG_INFINITY)),
        Literal::Infinite { negative: false } => return Ok(T::nearest(f64::INFINITY)),
    };
    let near: T =
        std::str::from_utf8(trimmed(text)).ok().and_then(|text| text.parse().ok()).ok_or(Reason::NotANumber)?;
    in_range(near, &number)?;
    if (number.len() <= T::SURE_DIGITS && !near.is_subnormal()) || number.is_zero() || brings_back(near, &number) {
        return Ok(near);
    }
    rounded(near, round, losses)
}

/// Neither an overflow to infinity nor an underflow to zero.
fn in_range<T: Float>(near: T, number: &Decimal<'_>) -> Result<(), Reason> {
    let lost = !near.wide().is_finite() || (near.wide() == 0.0 && !number.is_zero());
    if lost { Err(Reason::OutOfRange) } else { Ok(()) }
}

/// Whether the value written with as many digits as the text has is that text. 767 digits write any double in full.
fn brings_back<T: Float>(near: T, number: &Decimal<'_>) -> bool {
    let mut text = Ascii::<800>::new();
    let places = number.len().saturating_sub(1);
    if places > 767 || write!(text, "{near:.places$e}").is_err() {
        return false;
    }
    matches!(Literal::parse(text.as_bytes()), Some(Literal::Number(held)) if held.same_magnitude(number))
}

fn rounded<T>(near: T, round: bool, losses: &mut LossSet) -> Result<T, Reason> {
    if !round {
        return Err(Reason::ExcessScale);
    }
    losses.add(Loss::Round);
    Ok(near)
}

/// A UUID: 32 hexadecimal digits in any case, hyphens after any four of them, braces, `urn:uuid:`, or 16 bytes.
pub(super) fn uuid(raw: Raw<'_>) -> Result<[u8; 16], Reason> {
    match raw {
        Raw::Text(text) => uuid_text(text).ok_or(Reason::NotAUuid),
        Raw::Blob(bytes) => bytes.try_into().map_err(|_| Reason::BlobInValue),
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
            && let [b'-', behind @ ..] = rest
        {
            rest = behind;
        }
        let [high, low, behind @ ..] = rest else { return None };
        *byte = hex(*high)? << 4 | hex(*low)?;
        rest = behind;
    }
    rest.is_empty().then_some(uuid)
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

/// An address with an optional prefix length, in full: no octal, no leading zeros, no zone, nothing left out.
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

/// The label that a text is, byte for byte. The labels are in the enum's order.
pub(super) fn label<'a>(text: &[u8], labels: &'a [String]) -> Result<&'a str, Reason> {
    match labels.iter().find(|label| label.as_bytes() == text) {
        Some(label) => Ok(label),
        None if text.is_empty() => Err(Reason::EmptyString),
        None => Err(Reason::UnknownLabel),
    }
}
