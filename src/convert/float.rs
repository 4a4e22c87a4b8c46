//! The reader of `real` and `double precision`: accepts the numbers that a binary floating-point type represents.
//!
//! A double is a `double precision` as it is. Any other number is accepted if the column displays the same number
//! again. The rest is rounded if the mapping allows it. Range and infinities are not a matter of rounding.

use super::decimal::{Ascii, Decimal, Literal, integer_text, shortest, trimmed, written};
use crate::model::cell::Raw;
use crate::model::fault::{Loss, LossSet, Reason};
use std::fmt::{LowerExp, Write};
use std::str::FromStr;

/// A floating-point type of the target.
pub(super) trait Float: Copy + PartialEq + LowerExp + FromStr {
    /// The number of significant decimal digits that survive in the type, except halfway between two values.
    const SURE_DIGITS: usize;
    /// Returns true if the value is too small to have that many digits.
    fn is_subnormal(self) -> bool;
    /// Returns the value nearest to a double; an infinity beyond the range.
    fn nearest(value: f64) -> Self;
    /// Returns the value as a double, which is always exact.
    fn wide(self) -> f64;
    /// Returns true if a number is exactly halfway between this value and a neighbour.
    fn is_halfway(self, number: f64) -> bool;
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
    // There is no double between two neighbouring doubles.
    fn is_halfway(self, _: f64) -> bool {
        false
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
    fn is_halfway(self, number: f64) -> bool {
        // The sum of two neighbours and its half are exact doubles.
        [self.next_up(), self.next_down()].iter().any(|next| (self.wide() + next.wide()) / 2.0 == number)
    }
}

/// Reads a floating-point number that is not NULL.
///
/// A double is accepted as a `real` if it is exactly one, or if both have the same shortest text (counted as a loss). A
/// text is accepted if the value, written with as many digits, is the same text.
pub(super) fn float<T: Float>(raw: Raw<'_>, round: bool, losses: &mut LossSet) -> Result<T, Reason> {
    match raw {
        Raw::Real(value) => {
            let near = T::nearest(value);
            if near.wide() == value {
                return Ok(near);
            }
            number_as(near, shortest(value).as_bytes(), round, losses)
        }
        Raw::Integer(value) => {
            let near = T::nearest(value as f64);
            if near.wide() as i128 == i128::from(value) {
                return Ok(near);
            }
            let text = integer_text(value);
            // An integer of 54 bits or more is rounded once, to this type, and not twice by way of a double.
            let near = text.as_str().parse().unwrap_or(near);
            number_as(near, text.as_bytes(), round, losses)
        }
        Raw::Text(text) => text_as(text, round, losses),
        Raw::Null | Raw::Blob(_) => Err(Reason::BlobInValue),
    }
}

/// Accepts `near` for the number with this text if both have the same shortest text.
fn number_as<T: Float>(near: T, text: &[u8], round: bool, losses: &mut LossSet) -> Result<T, Reason> {
    let Some(Literal::Number(number)) = Literal::parse(text) else {
        return Err(Reason::NotFinite);
    };
    in_range(near, &number)?;
    if is_number(name_of(near).as_bytes(), &number) {
        losses.add(Loss::Real);
        return Ok(near);
    }
    rounded(near, round, losses)
}

fn text_as<T: Float>(text: &[u8], round: bool, losses: &mut LossSet) -> Result<T, Reason> {
    let number = match Literal::parse(text).ok_or(Reason::NotANumber)? {
        Literal::Number(number) => number,
        Literal::NaN => return Ok(T::nearest(f64::NAN)),
        Literal::Infinite { negative: true } => return Ok(T::nearest(f64::NEG_INFINITY)),
        Literal::Infinite { negative: false } => return Ok(T::nearest(f64::INFINITY)),
    };
    let text = std::str::from_utf8(trimmed(text)).map_err(|_| Reason::NotANumber)?;
    let near: T = text.parse().map_err(|_| Reason::NotANumber)?;
    in_range(near, &number)?;
    let sure = number.len() <= T::SURE_DIGITS && !near.is_subnormal() && !is_halfway(near, text);
    if number.is_zero() || sure || brings_back(near, &number) { Ok(near) } else { rounded(near, round, losses) }
}

/// Refuses an overflow to infinity and an underflow to zero.
fn in_range<T: Float>(near: T, number: &Decimal<'_>) -> Result<(), Reason> {
    let lost = !near.wide().is_finite() || (near.wide() == 0.0 && !number.is_zero());
    if lost { Err(Reason::OutOfRange) } else { Ok(()) }
}

fn is_halfway<T: Float>(value: T, text: &str) -> bool {
    text.parse().is_ok_and(|number| value.is_halfway(number))
}

/// Returns true if a text has the same digits at the same places as a number.
fn is_number(text: &[u8], number: &Decimal<'_>) -> bool {
    matches!(Literal::parse(text), Some(Literal::Number(held)) if held.same_magnitude(number))
}

/// Returns the fewest digits that identify a value, as PostgreSQL prints it.
///
/// Rust also accepts digits that are halfway to the next value: 86951340, for which a `real` prints 8.6951344e+07. Of
/// two texts that are equally near Rust does not choose the even one.
fn name_of<T: Float>(value: T) -> Ascii<32> {
    let fewest = written(format_args!("{value:e}")).digits();
    for places in fewest.saturating_sub(1)..17 {
        let text = written(format_args!("{value:.places$e}"));
        let number = text.as_str();
        if number.parse().is_ok_and(|held: T| held == value) && !is_halfway(value, number) {
            return text;
        }
    }
    written(format_args!("{value:e}"))
}

/// Returns true if the text is the shortest text of the value, or its text with as many digits (as `%.17g` prints it).
/// The two differ if a half is rounded. 767 digits write any double in full.
fn brings_back<T: Float>(near: T, number: &Decimal<'_>) -> bool {
    let name = name_of(near);
    let Some(Literal::Number(held)) = Literal::parse(name.as_bytes()) else { return false };
    if number.len() <= held.len() {
        return held.same_magnitude(number);
    }
    let mut text = Ascii::<800>::new();
    let places = number.len() - 1;
    places <= 767 && write!(text, "{near:.places$e}").is_ok() && is_number(text.as_bytes(), number)
}

fn rounded<T>(near: T, round: bool, losses: &mut LossSet) -> Result<T, Reason> {
    if !round {
        return Err(Reason::ExcessScale);
    }
    losses.add(Loss::Round);
    Ok(near)
}
