//! Decimal numbers and doubles as sign, digits and the position of the point. Numbers of every type are read through
//! this form.
//!
//! No value passes through a double on its way, and none is rounded while it is read. The reader of the target type
//! interprets the digits.

use std::fmt::{self, Write};

/// The content of a numeric text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Literal<'a> {
    /// A number.
    Number(Decimal<'a>),
    /// `NaN`, in any case.
    NaN,
    /// `Infinity` or `inf`, in any case, with an optional sign.
    Infinite {
        /// Less than zero.
        negative: bool,
    },
}

/// A decimal number of any length: `0.d1d2d3... * 10^point`, in which the first and the last digit are not zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Decimal<'a> {
    /// Less than zero; also true for `-0`.
    pub negative: bool,
    /// The number of digits before the point; negative if zeros follow the point. Zero for zero.
    pub point: i64,
    /// The number of decimals as written, including trailing zeros: two for `1.10`, none for `1e3`. May be negative.
    pub scale: i64,
    // The digits are the concatenation of these two. Both are empty for zero.
    head: &'a [u8],
    tail: &'a [u8],
}

/// Returns the text without ASCII white space (blank, tab, CR, LF, VT, FF) at both ends.
pub(super) fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t'..=b'\r', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'..=b'\r'] = text {
        text = rest;
    }
    text
}

impl<'a> Literal<'a> {
    /// Parses a decimal number with optional sign, point and exponent, or a word for NaN or an infinity, between ASCII
    /// white space. `None` for anything else: hexadecimal, thousands separators, other digits.
    pub(super) fn parse(text: &'a [u8]) -> Option<Literal<'a>> {
        let text = trimmed(text);
        let (negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        match rest.first()? {
            b'0'..=b'9' | b'.' => Decimal::unsigned(negative, rest).map(Literal::Number),
            _ if rest.eq_ignore_ascii_case(b"infinity") || rest.eq_ignore_ascii_case(b"inf") => {
                Some(Literal::Infinite { negative })
            }
            _ if text.eq_ignore_ascii_case(b"nan") => Some(Literal::NaN),
            _ => None,
        }
    }
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|b| b.is_ascii_digit()).count())
}

fn without_leading_zeros(text: &[u8]) -> &[u8] {
    &text[text.iter().take_while(|b| **b == b'0').count()..]
}

fn without_trailing_zeros(text: &[u8]) -> &[u8] {
    &text[..text.len() - text.iter().rev().take_while(|b| **b == b'0').count()]
}

impl<'a> Decimal<'a> {
    fn unsigned(negative: bool, text: &'a [u8]) -> Option<Decimal<'a>> {
        let (whole, rest) = digits(text);
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => digits(rest),
            _ => (&[][..], rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', rest @ ..] => exponent(rest)?,
            _ => return None,
        };
        Some(Decimal::from_parts(negative, whole, fraction, exponent))
    }

    /// Creates the number `whole.fraction * 10^exponent`. Both parts contain only ASCII digits.
    pub(super) fn from_parts(negative: bool, whole: &'a [u8], fraction: &'a [u8], exponent: i64) -> Decimal<'a> {
        let scale = fraction.len() as i64 - exponent;
        let mut head = without_leading_zeros(whole);
        let mut tail = fraction;
        let mut point = head.len() as i64 + exponent;
        if head.is_empty() {
            tail = without_leading_zeros(fraction);
            point -= (fraction.len() - tail.len()) as i64;
        }
        tail = without_trailing_zeros(tail);
        if tail.is_empty() {
            head = without_trailing_zeros(head);
        }
        if head.is_empty() && tail.is_empty() {
            point = 0;
        }
        Decimal { negative, point, scale, head, tail }
    }

    /// Returns the number of digits. The first and the last digit are not zero.
    pub(super) fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// Returns true if the number is zero.
    pub(super) fn is_zero(&self) -> bool {
        self.head.is_empty() && self.tail.is_empty()
    }

    /// Returns the digit at an index, 0 to 9; zero after the last digit.
    pub(super) fn digit(&self, at: usize) -> u8 {
        let byte = match at.checked_sub(self.head.len()) {
            None => self.head[at],
            Some(at) => self.tail.get(at).copied().unwrap_or(b'0'),
        };
        byte - b'0'
    }

    /// Returns true if the value needs more than `scale` decimals. With a negative scale: if it has digits in the
    /// places before the point that the scale omits.
    pub(super) fn exceeds(&self, scale: i64) -> bool {
        !self.is_zero() && self.len() as i64 - self.point > scale
    }

    /// Returns true if two numbers have the same digits at the same places. Signs are not compared.
    pub(super) fn same_magnitude(&self, other: &Decimal<'_>) -> bool {
        self.len() == other.len()
            && self.point == other.point
            && (0..self.len()).all(|at| self.digit(at) == other.digit(at))
    }

    /// Returns the value times `10^shift`, rounded half away from zero to an integer, and true if rounding changed it.
    /// `None` if the result exceeds 38 digits.
    pub(super) fn scaled(&self, shift: i64) -> Option<(i128, bool)> {
        let keep = self.point.saturating_add(shift);
        if keep < 0 {
            return Some((0, !self.is_zero()));
        }
        if keep > 38 && !self.is_zero() {
            return None;
        }
        let mut value: i128 = 0;
        for at in 0..if self.is_zero() { 0 } else { keep as usize } {
            value = value * 10 + i128::from(self.digit(at));
        }
        let changed = self.len() as i64 > keep;
        if changed && self.digit(keep as usize) >= 5 {
            value += 1;
        }
        Some((if self.negative { -value } else { value }, changed))
    }
}

// A larger exponent makes no difference: no type represents such a value or any of its neighbours.
const MOST: i64 = 1 << 40;

fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if rest.is_empty() || !rest.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = rest.iter().fold(0i64, |value, b| (value * 10 + i64::from(b - b'0')).min(MOST));
    Some(if negative { -value } else { value })
}

/// ASCII text of bounded length on the stack. Text that does not fit is an error of `write!`.
#[derive(Clone, Copy)]
pub(super) struct Ascii<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Ascii<N> {
    pub(super) fn new() -> Ascii<N> {
        Ascii { bytes: [0; N], len: 0 }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Returns the number of decimal digits before an exponent.
    pub(super) fn digits(&self) -> usize {
        self.as_bytes().iter().take_while(|byte| **byte != b'e').filter(|byte| byte.is_ascii_digit()).count()
    }

    pub(super) fn as_str(&self) -> &str {
        // Only whole strings are ever appended.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl<const N: usize> Write for Ascii<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// Returns the fewest digits that restore the same double, as `d.ddde-x`. Of two such texts that are equally near,
/// returns the even one, as PostgreSQL, Python and JavaScript do. Rust itself chooses the upper one.
pub(super) fn shortest(value: f64) -> Ascii<32> {
    let text = written(format_args!("{value:e}"));
    let places = text.digits().saturating_sub(1);
    // Two decimals with fewer digits are never equally near to one double.
    if places < 15 {
        return text;
    }
    let even = written(format_args!("{value:.places$e}"));
    if even.as_str().parse() == Ok(value) { even } else { text }
}

/// Formats a number. 24 characters have room for 17 digits, sign, point and a three-digit exponent.
pub(super) fn written(text: fmt::Arguments<'_>) -> Ascii<32> {
    let mut out = Ascii::new();
    let _ = out.write_fmt(text);
    out
}

/// Returns a double as the fewest digits that restore it, in SQLite's form (`42.0`, `0.1`, `1.0e+20`, `Inf`). Up to 15
/// digits this is SQLite's own text; SQLite would truncate longer ones.
pub(super) fn real_text(value: f64) -> Ascii<32> {
    if !value.is_finite() {
        return written(format_args!("{}", if value > 0.0 { "Inf" } else { "-Inf" }));
    }
    let text = shortest(value);
    let (mantissa, power) = text.as_str().split_once('e').unwrap_or_default();
    let power: i32 = power.parse().unwrap_or_default();
    if (0..15).contains(&power) {
        return fixed(mantissa, power as usize);
    }
    let (sign, size) = match mantissa.strip_prefix('-') {
        Some(size) => ("-", size),
        None => ("", mantissa),
    };
    let (whole, fraction) = size.split_once('.').unwrap_or((size, "0"));
    if (-4..0).contains(&power) {
        let fraction = if fraction == "0" { "" } else { fraction };
        let zeros = &"000"[..(-power - 1) as usize];
        return written(format_args!("{sign}0.{zeros}{whole}{fraction}"));
    }
    let direction = if power < 0 { '-' } else { '+' };
    written(format_args!("{sign}{whole}.{fraction}e{direction}{:02}", power.abs()))
}

/// Moves the point of `-1.2345` by `power` places to the right, and keeps at least one decimal.
fn fixed(mantissa: &str, power: usize) -> Ascii<32> {
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    match fraction.split_at_checked(power) {
        Some((moved, "")) => written(format_args!("{whole}{moved}.0")),
        Some((moved, rest)) => written(format_args!("{whole}{moved}.{rest}")),
        None => written(format_args!("{whole}{fraction}{}.0", &"00000000000000"[fraction.len()..power])),
    }
}

/// Formats an integer.
pub(super) fn integer_text(value: i64) -> Ascii<32> {
    written(format_args!("{value}"))
}
