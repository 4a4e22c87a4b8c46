//! Sets of integers of bounded size: ids of rows, and values that may be ids.

use crate::migrate::rows::key_numbers::KeyNumbers;

/// Different integers, as far as they have room.
#[derive(Clone, Debug, Default)]
pub struct IdNumbers {
    numbers: KeyNumbers,
    /// The most bytes of the set.
    most: usize,
    /// True if there was no room for some of them.
    pub is_partial: bool,
}

impl IdNumbers {
    /// An empty set that takes at most this many bytes.
    pub fn within(most: usize) -> IdNumbers {
        IdNumbers { most, ..IdNumbers::default() }
    }

    pub fn add(&mut self, id: i64) {
        let key = id as u64;
        if self.numbers.bytes() < self.most {
            self.numbers.insert(key);
        } else if !self.is_partial {
            self.is_partial = !self.numbers.contains(key);
        }
    }

    pub fn merge(&mut self, other: &IdNumbers) {
        self.most = self.most.max(other.most);
        self.is_partial |= other.is_partial;
        other.numbers.iter().for_each(|key| self.add(key as i64));
    }

    pub fn contains(&self, id: i64) -> bool {
        self.numbers.contains(id as u64)
    }

    pub fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        self.numbers.iter().map(|key| key as i64)
    }
}

/// Returns the integer that a text is in the usual spelling. `None` for every other text.
pub fn integer_text(text: &[u8]) -> Option<i64> {
    // The longest integer has a sign and nineteen digits.
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_plain = matches!(digits, [b'1'..=b'9', ..] | [b'0']) && digits.len() < 20;
    if !is_plain || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_usual_spelling_is_an_integer() {
        for (text, id) in [("7", 7), ("0", 0), ("-12", -12), ("9223372036854775807", i64::MAX)] {
            assert_eq!(integer_text(text.as_bytes()), Some(id), "{text}");
        }
        for text in ["", "-", "007", " 7", "7 ", "+7", "7.0", "x7", "9223372036854775808", "99999999999999999999"] {
            assert_eq!(integer_text(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_set_without_room_is_partial_and_keeps_what_it_has() {
        let mut set = IdNumbers::within(1_000);
        (0..1_000).for_each(|n| set.add(n * 1_000));
        assert!(set.is_partial && set.contains(0) && !set.contains(999_000));
        let mut dense = IdNumbers::within(1_000);
        (0..2_000).for_each(|n| dense.add(n));
        assert!(!dense.is_partial && dense.iter().count() == 2_000);
        let mut all = IdNumbers::within(1_000);
        all.merge(&dense);
        assert!(all.contains(1_999));
    }
}
