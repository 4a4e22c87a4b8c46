//! The keys of a parent's rows: what children refer to. Integers are held as they are, 64 neighbours in 24 bytes; all
//! others as 64-bit hashes of their wire bytes, 8 bytes each.
//!
//! Bounded: keys that need more than [`MOST_BYTES`] are let go, and the set says that it knows nothing ([`KeySet::open`]).
//! An orphan among 10^9 hashed parents is overlooked with a chance below 10^-10. Both leave it to the server: a foreign
//! key that is on refuses it, one that is off is validated when it goes back. An error, never a loss.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use crate::model::key::Key;
use crate::plan::Comparison;

/// The most that the keys of one parent may take in memory.
pub const MOST_BYTES: usize = 32 << 20;

/// Refused parents whose place is known, some 150 bytes each. Children of further ones are told from orphans, and their
/// parent is not named.
const MOST_PLACES: usize = 50_000;

/// What an entry of a tree costs: key and value of 8 bytes, in nodes that are two thirds full.
const ENTRY: usize = 24;

/// KeyNumbers that are there, and those of rows that were refused.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    /// KeyNumbers of rows that are there or will be.
    pub present: KeyNumbers,
    /// KeyNumbers of rows that were refused.
    refused: KeyNumbers,
    /// Of the first ones of them: their load and where they are in it.
    places: HashMap<u64, (Arc<str>, Key)>,
    /// Some keys cannot be known yet, or are too many to hold: nothing can be missed here.
    pub unknown: bool,
}

impl KeySet {
    /// Takes in the key of a row that is there or will be.
    pub fn add(&mut self, key: impl IntoIterator<Item = u64>) {
        key.into_iter().filter(|_| !self.unknown).for_each(|key| self.present.insert(key));
        self.bound();
    }

    /// Takes in the key of a row that was refused, and where that is.
    pub fn refuse(&mut self, key: u64, load: &Arc<str>, at: Key) {
        if self.unknown {
            return;
        }
        if self.places.len() < MOST_PLACES {
            self.places.entry(key).or_insert_with(|| (Arc::clone(load), at));
        }
        self.refused.insert(key);
        self.bound();
    }

    /// Takes keys out whose rows turned out to be refused; [`KeySet::refuse`] may say later where they are.
    pub fn withdraw(&mut self, keys: &HashSet<u64>) {
        self.present.remove(keys);
        keys.iter().for_each(|key| self.refused.insert(*key));
        self.bound();
    }

    /// Takes in all that another set holds.
    pub fn merge(&mut self, other: KeySet) {
        self.unknown |= other.unknown;
        if self.unknown {
            *self = KeySet { unknown: true, ..KeySet::default() };
            return;
        }
        self.present.merge(other.present);
        self.refused.merge(other.refused);
        let room = MOST_PLACES.saturating_sub(self.places.len());
        self.places.extend(other.places.into_iter().take(room));
        self.bound();
    }

    /// Whether a row with this key was refused.
    pub fn is_refused(&self, key: u64) -> bool {
        self.refused.contains(key)
    }

    /// Load and place of the refused row with this key, where it is known.
    pub fn place(&self, key: u64) -> Option<(String, Key)> {
        self.places.get(&key).map(|(load, at)| (load.to_string(), at.clone()))
    }

    fn bound(&mut self) {
        if !self.unknown && self.present.bytes() + self.refused.bytes() > MOST_BYTES {
            *self = KeySet { unknown: true, ..KeySet::default() };
        }
    }
}

/// A set of 64-bit numbers.
#[derive(Clone, Debug)]
pub enum KeyNumbers {
    /// By the number without its last six bits: which of these 64 neighbours are in the set.
    Dense(BTreeMap<u64, u64>),
    /// Numbers that are not near each other: sorted, and those that came since.
    Sparse { sorted: Vec<u64>, fresh: HashSet<u64, BuildHasherDefault<SpreadHasher>> },
}

impl Default for KeyNumbers {
    fn default() -> KeyNumbers {
        KeyNumbers::Dense(BTreeMap::new())
    }
}

impl KeyNumbers {
    /// Entries from which on it is looked whether they are near each other.
    const MANY: usize = 4_096;

    pub fn insert(&mut self, key: u64) {
        match self {
            KeyNumbers::Dense(map) => {
                let before = map.len();
                *map.entry(key >> 6).or_default() |= 1 << (key & 63);
                let looks = map.len() > before && map.len() >= KeyNumbers::MANY && map.len().is_power_of_two();
                if looks && self.len() < 4 * self.entries() {
                    *self = KeyNumbers::Sparse { sorted: self.iter().collect(), fresh: HashSet::default() };
                }
            }
            KeyNumbers::Sparse { sorted, fresh } => {
                if sorted.binary_search(&key).is_err() {
                    fresh.insert(key);
                }
                if fresh.len() >= KeyNumbers::MANY.max(sorted.len() / 8) {
                    sorted.reserve_exact(fresh.len());
                    sorted.extend(fresh.drain());
                    // Finds what is sorted already and merges the rest into it.
                    sorted.sort();
                }
            }
        }
    }

    pub fn contains(&self, key: u64) -> bool {
        match self {
            KeyNumbers::Dense(map) => map.get(&(key >> 6)).is_some_and(|near| near & (1 << (key & 63)) != 0),
            KeyNumbers::Sparse { sorted, fresh } => fresh.contains(&key) || sorted.binary_search(&key).is_ok(),
        }
    }

    fn remove(&mut self, keys: &HashSet<u64>) {
        match self {
            KeyNumbers::Dense(map) => {
                for key in keys {
                    if let Some(near) = map.get_mut(&(key >> 6)) {
                        *near &= !(1 << (key & 63));
                    }
                }
            }
            KeyNumbers::Sparse { sorted, fresh } => {
                sorted.retain(|key| !keys.contains(key));
                fresh.retain(|key| !keys.contains(key));
            }
        }
    }

    fn merge(&mut self, other: KeyNumbers) {
        if self.entries() < other.entries() {
            let mine = std::mem::replace(self, other);
            return self.merge(mine);
        }
        other.iter().for_each(|key| self.insert(key));
    }

    fn iter(&self) -> Box<dyn Iterator<Item = u64> + '_> {
        let bits = |(high, near): (&u64, &u64)| {
            let (high, near) = (high << 6, *near);
            (0..64).filter(move |bit| near & (1 << bit) != 0).map(move |bit| high | bit)
        };
        match self {
            KeyNumbers::Dense(map) => Box::new(map.iter().flat_map(bits)),
            KeyNumbers::Sparse { sorted, fresh } => Box::new(sorted.iter().chain(fresh).copied()),
        }
    }

    /// How many are in it.
    fn len(&self) -> usize {
        match self {
            KeyNumbers::Dense(map) => map.values().map(|near| near.count_ones() as usize).sum(),
            KeyNumbers::Sparse { .. } => self.entries(),
        }
    }

    fn entries(&self) -> usize {
        match self {
            KeyNumbers::Dense(map) => map.len(),
            KeyNumbers::Sparse { sorted, fresh } => sorted.len() + fresh.len(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            KeyNumbers::Dense(map) => map.len() * ENTRY,
            KeyNumbers::Sparse { sorted, fresh } => sorted.capacity() * 8 + fresh.capacity() * 9,
        }
    }
}

/// Hashes are spread already.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpreadHasher(u64);

impl Hasher for SpreadHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, key: u64) {
        // Ids are not: one multiplication spreads them.
        self.0 = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// What a reference is known by: an integer itself, of all else the hash; `None` where a field is NULL, or not there.
pub fn key(image: &[u8], columns: &[usize], compared: &[Comparison]) -> Option<u64> {
    if let ([column], [Comparison::Integer]) = (columns, compared) {
        let (at, length) = field(image, *column)?;
        return Some(integer(image.get(at..at + length?)?) as u64);
    }
    hash(image, columns, compared).map(|hash| hash as u64)
}

/// The hash of some fields of a row's image; `None` where one of them is NULL, or is not there.
pub fn hash(image: &[u8], columns: &[usize], compared: &[Comparison]) -> Option<u128> {
    let mut hasher = Xxh3::new();
    for (column, compared) in columns.iter().zip(compared) {
        let (at, length) = field(image, *column)?;
        feed(&mut hasher, *compared, image.get(at..at + length?)?);
    }
    Some(hasher.digest128())
}

/// Where the n-th field of a binary row begins behind its length, and the length; none for NULL.
pub fn field(image: &[u8], n: usize) -> Option<(usize, Option<usize>)> {
    let mut at = 2;
    for _ in 0..n {
        let length = i32::from_be_bytes(image.get(at..at + 4)?.try_into().ok()?);
        at += 4 + usize::try_from(length).unwrap_or(0);
    }
    let length = i32::from_be_bytes(image.get(at..at + 4)?.try_into().ok()?);
    Some((at + 4, usize::try_from(length).ok()))
}

/// Feeds one value in the form in which equal values have equal bytes, with its length.
fn feed(hasher: &mut Xxh3, compared: Comparison, bytes: &[u8]) {
    let mut put = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    match compared {
        Comparison::Integer => put(&integer(bytes).to_be_bytes()),
        Comparison::Padded => put(bytes.trim_ascii_end()),
        Comparison::Numeric => put(&plain_numeric(bytes)),
        _ => put(bytes),
    }
}

fn integer(bytes: &[u8]) -> i64 {
    match *bytes {
        [a, b] => i64::from(i16::from_be_bytes([a, b])),
        [a, b, c, d] => i64::from(i32::from_be_bytes([a, b, c, d])),
        _ => bytes.try_into().map_or(0, i64::from_be_bytes),
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

    fn one(cell: &Cell<'_>, compared: Comparison) -> Option<u128> {
        let mut row = vec![0, 1];
        binary::field(cell, &mut row);
        hash(&row, &[0], &[compared])
    }

    #[test]
    fn equal_values_have_one_hash_whatever_their_width_scale_or_padding() {
        assert_eq!(one(&Cell::Int4(-7), Comparison::Integer), one(&Cell::Int8(-7), Comparison::Integer));
        assert_ne!(one(&Cell::Int4(-7), Comparison::Integer), one(&Cell::Int8(7), Comparison::Integer));
        assert_eq!(
            one(&Cell::Text("a  ".into()), Comparison::Padded),
            one(&Cell::Text("a".into()), Comparison::Padded)
        );
        assert_ne!(one(&Cell::Text("a  ".into()), Comparison::Text), one(&Cell::Text("a".into()), Comparison::Text));
        let short = Numeric::new(Sign::Plus, 0, 0, &[12]);
        let long = Numeric::new(Sign::Plus, 0, 2, &[12, 0]);
        assert_eq!(one(&Cell::Numeric(short), Comparison::Numeric), one(&Cell::Numeric(long), Comparison::Numeric));
        assert_eq!(one(&Cell::Null, Comparison::Integer), None);
    }

    fn spread(n: u64) -> u64 {
        n.wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(31)
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else_near_or_far() {
        for number in [|n: u64| n, |n: u64| n.wrapping_sub(5_000), spread, |n: u64| n * 1_000] {
            let mut keys = KeyNumbers::default();
            (0..20_000).for_each(|n| keys.insert(number(2 * n)));
            keys.remove(&(0..20_000).step_by(10).map(|n| number(2 * n)).collect());
            for n in 0..40_000 {
                assert_eq!(keys.contains(number(n)), n % 2 == 0 && n % 20 != 0, "{n}");
            }
            assert_eq!(keys.iter().count(), 18_000);
        }
    }

    #[test]
    fn two_million_ids_take_a_megabyte_and_as_many_hashes_twenty() {
        let bytes = |number: fn(u64) -> u64| {
            let mut set = KeySet::default();
            (0..2_000_000).for_each(|n| set.add([number(n)]));
            assert!(!set.unknown);
            set.present.bytes()
        };
        assert!(bytes(|n| n) < 1 << 20);
        assert!(bytes(spread) < 20 << 20);
    }

    #[test]
    fn a_set_beyond_its_bound_says_that_it_knows_nothing_and_holds_nothing() {
        let mut set = KeySet::default();
        (0..5_000_000).for_each(|n| set.add([spread(n)]));
        assert!(set.unknown);
        assert_eq!(set.present.entries(), 0);
        let mut other = KeySet::default();
        other.merge(set);
        assert!(other.unknown);
        other.merge(KeySet { present: KeyNumbers::Dense(BTreeMap::from([(1, 1)])), ..KeySet::default() });
        assert!(other.unknown && other.present.entries() == 0);
    }
}
