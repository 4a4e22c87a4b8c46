//! The reader of `numeric`: integers, decimal text of any length, and doubles by their shortest text, in base 10000.
//!
//! Rounds only if the mapping allows it, or if a double's surplus digits are arithmetic noise. Rounding is half away
//! from zero, on the decimal digits. It never uses a binary expansion or the server's own 15-digit cast.

use super::decimal::{Ascii, Decimal, Literal, shortest};
use crate::model::cell::Raw;
use crate::model::fault::{Loss, LossSet, Reason};
use crate::model::numeric::{Numeric, Sign};
use std::fmt::Write;

/// The maximum number of decimals of any `numeric`.
const MOST_DECIMALS: i64 = 16383;
/// The maximum number of digits before the point of an unconstrained `numeric`.
const MOST_DIGITS: i64 = 131_072;
/// A decimal that is this close to a double, relatively, is the intended result of the double's arithmetic.
pub(super) const NOISE: f64 = 1.0 / (1u64 << 48) as f64;
/// Below this limit a decimal of 15 digits and the nearest double identify each other, so no text is needed.
const FIFTEEN_DIGITS: f64 = 1e15;

const POW10: [u64; 20] = {
    let mut powers = [1; 20];
    let mut at = 1;
    while at < 20 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// A `numeric` column, with its limit and its rounding.
#[derive(Clone, Copy, Debug)]
pub(super) struct NumericReader {
    /// Precision and scale.
    pub limit: Option<(u16, i16)>,
    /// The server has no infinite `numeric`, not even without a limit.
    pub finite: bool,
    /// The modifier `round`.
    pub round: bool,
}

impl NumericReader {
    /// Reads a value that is not NULL.
    pub(super) fn read(&self, raw: Raw<'_>, losses: &mut LossSet) -> Result<Numeric, Reason> {
        match raw {
            Raw::Integer(value) => self.integer(value, losses),
            Raw::Real(value) => self.real(value, losses),
            Raw::Text(text) => self.text(text, losses),
            Raw::Null | Raw::Blob(_) => Err(Reason::BlobInValue),
        }
    }

    fn integer(&self, value: i64, losses: &mut LossSet) -> Result<Numeric, Reason> {
        let (negative, size) = (value < 0, value.unsigned_abs());
        if self.limit.is_none_or(|(_, scale)| scale >= 0) {
            return self.small(negative, size, 0, 0);
        }
        let mut text = Ascii::<32>::new();
        let _ = write!(text, "{size}");
        self.decimal(&Decimal::from_parts(negative, text.as_bytes(), &[], 0), losses)
    }

    fn real(&self, value: f64, losses: &mut LossSet) -> Result<Numeric, Reason> {
        if !value.is_finite() {
            return self.infinite(value < 0.0);
        }
        if let Some(found) = self.near_real(value, losses) {
            return found;
        }
        let text = shortest(value);
        let Some(Literal::Number(number)) = Literal::parse(text.as_bytes()) else {
            return Err(Reason::NotFinite);
        };
        if let Some((_, scale)) = self.limit
            && number.exceeds(i64::from(scale))
            && is_noise(value.abs(), &number, i64::from(scale))
        {
            let numeric = self.fits(build(&number, i64::from(scale), scale.max(0) as u16))?;
            losses.add(Loss::FloatNoise);
            return Ok(numeric);
        }
        self.decimal(&number, losses)
    }

    /// Reads a double of at most 15 digits by arithmetic only. `None` if the double needs its text.
    ///
    /// The decimal that divides back to exactly this double is its shortest text, because no other decimal of 15 digits
    /// is nearer.
    fn near_real(&self, value: f64, losses: &mut LossSet) -> Option<Result<Numeric, Reason>> {
        let size = value.abs();
        let (first, last) = match self.limit {
            Some((_, scale)) => (usize::try_from(scale).ok()?, usize::try_from(scale).ok()?),
            None => (0, 6),
        };
        for (decimals, power) in POW10.iter().enumerate().take(last.min(15) + 1).skip(first) {
            let power = *power as f64;
            let scaled = size * power + 0.5;
            if scaled >= FIFTEEN_DIGITS {
                return None;
            }
            let whole = scaled as u64;
            let back = whole as f64 / power;
            if back == size {
                return Some(self.small(value < 0.0, whole, decimals, decimals));
            }
            if self.limit.is_some() && (back - size).abs() <= size * NOISE {
                losses.add(Loss::FloatNoise);
                return Some(self.small(value < 0.0, whole, decimals, decimals));
            }
        }
        None
    }

    fn text(&self, text: &[u8], losses: &mut LossSet) -> Result<Numeric, Reason> {
        if let Some((negative, size, decimals)) = plain(text)
            && let Some(found) = self.plain(negative, size, decimals)
        {
            return found;
        }
        match Literal::parse(text).ok_or(Reason::NotANumber)? {
            Literal::Number(number) => self.decimal(&number, losses),
            Literal::NaN => Ok(Numeric::special(Sign::NaN)),
            Literal::Infinite { negative } => self.infinite(negative),
        }
    }

    /// Returns `size / 10^decimals` as it was written. `None` if the scale must be checked digit by digit.
    fn plain(&self, negative: bool, mut size: u64, mut decimals: usize) -> Option<Result<Numeric, Reason>> {
        let written = decimals;
        if let Some((_, scale)) = self.limit {
            let scale = usize::try_from(scale).ok()?;
            while decimals > scale && size.is_multiple_of(10) {
                (size, decimals) = (size / 10, decimals - 1);
            }
            if decimals > scale {
                return None;
            }
        }
        (decimals <= 16).then(|| self.small(negative, size, decimals, written))
    }

    /// Returns `size / 10^decimals`, with at most 16 decimals and no more than the column's scale.
    fn small(&self, negative: bool, size: u64, decimals: usize, written: usize) -> Result<Numeric, Reason> {
        let mut scale = written as u16;
        if let Some((precision, column)) = self.limit {
            let most = i64::from(precision) - i64::from(column) + decimals as i64;
            let fits = match usize::try_from(most) {
                Ok(most) => POW10.get(most).is_none_or(|power| size < *power),
                Err(_) => size == 0,
            };
            if !fits {
                return Err(Reason::PrecisionOverflow);
            }
            scale = column as u16;
        }
        Ok(from_scaled(negative, size, decimals, scale))
    }

    fn infinite(&self, negative: bool) -> Result<Numeric, Reason> {
        match self.limit {
            limit if self.finite || limit.is_some() => Err(Reason::NotFinite),
            _ if negative => Ok(Numeric::special(Sign::MinusInfinity)),
            _ => Ok(Numeric::special(Sign::Infinity)),
        }
    }

    fn decimal(&self, number: &Decimal<'_>, losses: &mut LossSet) -> Result<Numeric, Reason> {
        let (scale, shown, too_large) = match self.limit {
            Some((precision, scale)) => {
                (i64::from(scale), scale.max(0) as u16, number.point > i64::from(precision) - i64::from(scale))
            }
            None => (MOST_DECIMALS, number.scale.clamp(0, MOST_DECIMALS) as u16, number.point > MOST_DIGITS),
        };
        if too_large && !number.is_zero() {
            return Err(self.overflow());
        }
        let surplus = number.exceeds(scale);
        if surplus && !self.round {
            return Err(Reason::ExcessScale);
        }
        let numeric = self.fits(build(number, scale, shown))?;
        if surplus {
            losses.add(Loss::Round);
        }
        Ok(numeric)
    }

    fn overflow(&self) -> Reason {
        if self.limit.is_some() { Reason::PrecisionOverflow } else { Reason::OutOfRange }
    }

    /// Checks the precision. Rounding may carry into one more digit.
    fn fits(&self, numeric: Numeric) -> Result<Numeric, Reason> {
        let most = match self.limit {
            Some((precision, scale)) => i64::from(precision) - i64::from(scale),
            None => MOST_DIGITS,
        };
        let Some(first) = numeric.groups().first() else { return Ok(numeric) };
        let digits = i64::from(first.unsigned_abs().ilog10()) + 1 + 4 * i64::from(numeric.weight);
        if digits > most { Err(self.overflow()) } else { Ok(numeric) }
    }
}

/// Splits `-12.34` into sign, 1234 and 2. `None` if the text is more complex or has more than 19 digits.
fn plain(text: &[u8]) -> Option<(bool, u64, usize)> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if rest.len() > 20 {
        return None;
    }
    let (mut size, mut point, mut count) = (0u64, None, 0);
    for byte in rest {
        match byte {
            b'0'..=b'9' => {
                size = size.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                count += 1;
            }
            b'.' if point.is_none() => point = Some(count),
            _ => return None,
        }
    }
    ((1..=19).contains(&count)).then_some((negative, size, point.map_or(0, |point| count - point)))
}

fn sign(negative: bool) -> Sign {
    if negative { Sign::Minus } else { Sign::Plus }
}

/// Builds `size / 10^decimals`; at most 16 decimals.
fn from_scaled(negative: bool, size: u64, decimals: usize, shown: u16) -> Numeric {
    let mut groups = [0i16; 9];
    let fraction_groups = decimals.div_ceil(4);
    let (mut whole, mut fraction) = (size / POW10[decimals], size % POW10[decimals]);
    fraction *= POW10[4 * fraction_groups - decimals];
    for at in (5..5 + fraction_groups).rev() {
        groups[at] = (fraction % 10_000) as i16;
        fraction /= 10_000;
    }
    let mut at = 5;
    while whole > 0 {
        at -= 1;
        groups[at] = (whole % 10_000) as i16;
        whole /= 10_000;
    }
    Numeric::new(sign(negative), 4 - at as i16, shown, &groups[at..5 + fraction_groups])
}

/// Builds a decimal in base 10000, rounded half away from zero at `scale`. The caller has limited its size.
fn build(number: &Decimal<'_>, scale: i64, shown: u16) -> Numeric {
    if number.is_zero() {
        return Numeric::new(Sign::Plus, 0, shown, &[]);
    }
    let cut = number.point + scale;
    let keep = cut.clamp(0, number.len() as i64) as usize;
    let up = cut >= 0 && (cut as usize) < number.len() && number.digit(cut as usize) >= 5;
    // One extra group in front, for the carry.
    let weight = (number.point - 1).div_euclid(4) + 1;
    let lead = (4 * (weight + 1) - number.point) as usize;
    let count = (lead + keep).div_ceil(4);
    let (mut few, mut many) = ([0i16; 16], Vec::new());
    let groups = match few.get_mut(..count) {
        Some(groups) => groups,
        None => {
            many.resize(count, 0);
            &mut many[..]
        }
    };
    for at in 0..keep {
        let group = &mut groups[(lead + at) / 4];
        *group = *group * 10 + i16::from(number.digit(at));
    }
    let missing = 4 * count - lead - keep;
    groups[count - 1] *= POW10[missing] as i16;
    if up {
        carry(groups, POW10[missing] as i16);
    }
    Numeric::new(sign(number.negative), weight as i16, shown, groups)
}

fn carry(groups: &mut [i16], unit: i16) {
    let mut add = unit;
    for group in groups.iter_mut().rev() {
        *group += add;
        if *group < 10_000 {
            return;
        }
        *group -= 10_000;
        add = 1;
    }
}

/// Returns true if rounding a double to `scale` decimals changes it by no more than noise. `value` is not negative.
pub(super) fn is_noise(value: f64, number: &Decimal<'_>, scale: i64) -> bool {
    let kept = number.point + scale;
    let mut text = Ascii::<40>::new();
    let written = match kept {
        1..=17 => write!(text, "{value:.*e}", kept as usize - 1),
        0 if number.digit(0) >= 5 => write!(text, "1e{}", number.point),
        _ => return false,
    };
    let rounded: f64 = match (written, text.as_str().parse()) {
        (Ok(()), Ok(rounded)) => rounded,
        _ => return false,
    };
    (rounded - value).abs() <= value * NOISE
}

/// Returns a number as a column with this limit prints it; digests of the source are compared with this text.
#[cfg(test)]
pub(super) fn shown(numeric: &Numeric) -> String {
    match numeric.sign {
        Sign::NaN => return "NaN".into(),
        Sign::Infinity => return "Infinity".into(),
        Sign::MinusInfinity => return "-Infinity".into(),
        Sign::Plus | Sign::Minus => {}
    }
    let group = |at: i32| {
        let index = i32::from(numeric.weight) - at;
        usize::try_from(index).ok().and_then(|index| numeric.groups().get(index)).copied().unwrap_or(0)
    };
    let mut text: String = (0..=i32::from(numeric.weight).max(0)).rev().map(|at| format!("{:04}", group(at))).collect();
    text = text.trim_start_matches('0').to_string();
    if text.is_empty() {
        text.push('0');
    }
    let scale = usize::from(numeric.scale);
    if scale > 0 {
        let fraction_groups: String = (1..=scale.div_ceil(4) as i32).map(|at| format!("{:04}", group(-at))).collect();
        text = format!("{text}.{}", &fraction_groups[..scale]);
    }
    if numeric.sign == Sign::Minus { format!("-{text}") } else { text }
}
