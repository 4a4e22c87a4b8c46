//! PostgreSQL's `numeric` as a value: base-10000 digits, weight, sign and display scale, as on the wire.
//!
//! `convert` reads text and doubles into it and rounds. No decimal crate covers this type's range.

/// Base-10000 digits held without an allocation: at least 40 decimal digits, whatever their alignment.
pub const INLINE_DIGITS: usize = 12;

/// A `numeric` value. `digits` has no leading or trailing zero group; zero has no digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numeric {
    /// Sign, or one of the special values.
    pub sign: Sign,
    /// Exponent of the first digit group: its value is `digits[0] * 10000^weight`.
    pub weight: i16,
    /// Decimal digits after the point that are shown, 0 to 16383.
    pub scale: u16,
    digits: Digits,
}

/// Sign of a numeric, and the values that are not numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Zero and above.
    Plus,
    /// Below zero.
    Minus,
    /// Not a number.
    NaN,
    /// Positive infinity (PostgreSQL 14 and later, unconstrained columns only).
    Infinity,
    /// Negative infinity.
    MinusInfinity,
}

#[derive(Clone, Debug)]
enum Digits {
    Inline { len: u8, groups: [i16; INLINE_DIGITS] },
    Heap(Vec<i16>),
}

impl PartialEq for Digits {
    fn eq(&self, other: &Digits) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Digits {}

impl Digits {
    fn as_slice(&self) -> &[i16] {
        match self {
            Digits::Inline { len, groups } => &groups[..usize::from(*len)],
            Digits::Heap(groups) => groups,
        }
    }
}

impl Numeric {
    /// Returns a number made of base-10000 groups (each 0 to 9999), most significant first.
    /// Zero groups at both ends are dropped; the sign of zero is plus.
    pub fn new(sign: Sign, weight: i16, scale: u16, groups: &[i16]) -> Numeric {
        let lead = groups.iter().take_while(|g| **g == 0).count();
        let groups = &groups[lead..];
        let tail = groups.iter().rev().take_while(|g| **g == 0).count();
        let groups = &groups[..groups.len() - tail];
        if groups.is_empty() {
            return Numeric {
                sign: Sign::Plus,
                weight: 0,
                scale,
                digits: Digits::Inline { len: 0, groups: [0; INLINE_DIGITS] },
            };
        }
        let digits = if groups.len() <= INLINE_DIGITS {
            let mut inline = [0; INLINE_DIGITS];
            inline[..groups.len()].copy_from_slice(groups);
            Digits::Inline { len: groups.len() as u8, groups: inline }
        } else {
            Digits::Heap(groups.to_vec())
        };
        // A value of the server's range has at most 32768 groups, so the shift cannot overflow there.
        Numeric { sign, weight: weight.wrapping_sub(lead as i16), scale, digits }
    }

    /// Returns NaN or an infinity.
    pub fn special(sign: Sign) -> Numeric {
        Numeric { sign, weight: 0, scale: 0, digits: Digits::Inline { len: 0, groups: [0; INLINE_DIGITS] } }
    }

    /// Returns the base-10000 groups, most significant first, without zero groups at either end.
    pub fn groups(&self) -> &[i16] {
        self.digits.as_slice()
    }
}
