//! The keys of a parent's rows, as 128-bit hashes of their wire bytes: what children refer to.
//!
//! Some 20 to 40 bytes a key. Two different keys among 10^9 share a hash with a chance below 10^-20, and then a foreign key
//! that is off is still validated when it goes back: an orphan that slipped through is an error, never a loss.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::Xxh3;

use crate::model::key::Key;
use crate::plan::Compared;

/// Keys that are there, and those of rows that were refused.
#[derive(Clone, Debug, Default)]
pub(super) struct KeySet {
    /// Keys of rows that are there or will be.
    pub there: HashSet<u128, BuildHasherDefault<AsItIs>>,
    /// Keys of rows that were refused: their load and where they are in it.
    pub refused: HashMap<u128, (String, Key)>,
    /// Some keys cannot be known yet, so nothing can be missed here.
    pub open: bool,
}

/// Hashes are spread already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().take(8).for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}

/// The hash of some fields of a row's image; `None` where one of them is NULL, or is not there.
pub(super) fn hash(image: &[u8], columns: &[usize], compared: &[Compared]) -> Option<u128> {
    let mut hasher = Xxh3::new();
    for (column, compared) in columns.iter().zip(compared) {
        let (at, length) = field(image, *column)?;
        feed(&mut hasher, *compared, image.get(at..at + length?)?);
    }
    Some(hasher.digest128())
}

/// Where the n-th field of a binary row begins behind its length, and the length; none for NULL.
pub(super) fn field(image: &[u8], n: usize) -> Option<(usize, Option<usize>)> {
    let mut at = 2;
    for _ in 0..n {
        let length = i32::from_be_bytes(image.get(at..at + 4)?.try_into().ok()?);
        at += 4 + usize::try_from(length).unwrap_or(0);
    }
    let length = i32::from_be_bytes(image.get(at..at + 4)?.try_into().ok()?);
    Some((at + 4, usize::try_from(length).ok()))
}

/// Feeds one value in the form in which equal values have equal bytes, with its length.
fn feed(hasher: &mut Xxh3, compared: Compared, bytes: &[u8]) {
    let mut put = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    match compared {
        Compared::Integer => {
            let value = match *bytes {
                [a, b] => i64::from(i16::from_be_bytes([a, b])),
                [a, b, c, d] => i64::from(i32::from_be_bytes([a, b, c, d])),
                _ => bytes.try_into().map_or(0, i64::from_be_bytes),
            };
            put(&value.to_be_bytes());
        }
        Compared::Padded => put(bytes.trim_ascii_end()),
        Compared::Numeric => put(&plain_numeric(bytes)),
        _ => put(bytes),
    }
}

/// A numeric's wire bytes without its display scale and without zero groups at its end; zero without weight and sign.
fn plain_numeric(bytes: &[u8]) -> Vec<u8> {
    let Some((head, mut groups)) = bytes.split_at_checked(8) else { return bytes.to_vec() };
    while let Some(rest) = groups.strip_suffix(&[0, 0]) {
        groups = rest;
    }
    let sign = &head[4..6];
    if groups.is_empty() && sign != [0xC0, 0] && sign != [0xD0, 0] && sign != [0xF0, 0] {
        return Vec::new();
    }
    [&head[2..6], groups].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cell::Cell;
    use crate::model::numeric::{Numeric, Sign};
    use crate::wire::binary;

    fn one(cell: &Cell<'_>, compared: Compared) -> Option<u128> {
        let mut row = vec![0, 1];
        binary::field(cell, &mut row);
        hash(&row, &[0], &[compared])
    }

    #[test]
    fn equal_values_have_one_hash_whatever_their_width_scale_or_padding() {
        assert_eq!(one(&Cell::Int4(-7), Compared::Integer), one(&Cell::Int8(-7), Compared::Integer));
        assert_ne!(one(&Cell::Int4(-7), Compared::Integer), one(&Cell::Int8(7), Compared::Integer));
        assert_eq!(one(&Cell::Text("a  ".into()), Compared::Padded), one(&Cell::Text("a".into()), Compared::Padded));
        assert_ne!(one(&Cell::Text("a  ".into()), Compared::Text), one(&Cell::Text("a".into()), Compared::Text));
        let short = Numeric::new(Sign::Plus, 0, 0, &[12]);
        let long = Numeric::new(Sign::Plus, 0, 2, &[12, 0]);
        assert_eq!(one(&Cell::Numeric(short), Compared::Numeric), one(&Cell::Numeric(long), Compared::Numeric));
        assert_eq!(one(&Cell::Null, Compared::Integer), None);
    }
}
