//! The keys of a parent's rows, which other rows refer to. Integers are kept as numbers, 64 neighbours in 24 bytes; all other
//! keys as 64-bit hashes of their wire bytes, 8 bytes each.
//!
//! The set is bounded: if its keys need more than [`MOST_BYTES`], it drops them and becomes [`KeySet::unknown`]. An orphan
//! among 10^9 hashed parents is overlooked with a chance below 10^-10. In both cases the server decides: a foreign key
//! refuses the orphan at once, or when it is reattached and validated. The result is an error, never a loss.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use crate::model::key::Key;
use crate::plan::Comparison;
use crate::wire::image::integer;

pub use crate::wire::image::field;

/// Maximum memory for the keys of one parent.
pub const MOST_BYTES: usize = 32 << 20;

/// Maximum number of refused parents whose place is kept, about 150 bytes each. Children of further ones are distinguished
/// from orphans too, but their parent is not named.
const MOST_PLACES: usize = 50_000;

/// Memory of an entry of the tree: key and value of 8 bytes, in nodes that are two thirds full.
const ENTRY: usize = 24;

/// The keys of present rows, and those of refused rows.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    /// Keys of rows that are on the target or will be loaded.
    pub present: KeyNumbers,
    /// Keys of refused rows.
    refused: KeyNumbers,
    /// Load and place of the first refused rows.
    places: HashMap<u64, (Arc<str>, Key)>,
    /// True if some keys are not known, or are too many to keep. Then no row counts as an orphan.
    pub unknown: bool,
}

impl KeySet {
    /// Adds the key of a row that is on the target or will be loaded.
    pub fn add(&mut self, key: impl IntoIterator<Item = u64>) {
        key.into_iter().filter(|_| !self.unknown).for_each(|key| self.present.insert(key));
        self.bound();
    }

    /// Adds the key of a refused row, and its place.
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

    /// Moves keys to the refused ones. [`KeySet::refuse`] may add their places later.
    pub fn withdraw(&mut self, keys: &HashSet<u64>) {
        self.present.remove(keys);
        keys.iter().for_each(|key| self.refused.insert(*key));
        self.bound();
    }

    /// Adds all keys of another set.
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

    /// Returns true if a row with this key was refused.
    pub fn is_refused(&self, key: u64) -> bool {
        self.refused.contains(key)
    }

    /// Returns the load and place of the refused row with this key. `None` if unknown.
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
    /// A bit for each of 64 neighbours, by the number without its last six bits.
    Dense(BTreeMap<u64, u64>),
    /// Numbers that are not near each other: sorted numbers, and those that were added since the last sort.
    Sparse { sorted: Vec<u64>, fresh: HashSet<u64, BuildHasherDefault<SpreadHasher>> },
}

impl Default for KeyNumbers {
    fn default() -> KeyNumbers {
        KeyNumbers::Dense(BTreeMap::new())
    }
}

impl KeyNumbers {
    /// Number of entries at which to check whether the numbers are near each other.
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
                    // A merge sort: it finds the sorted part and merges the rest into it.
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

    /// Returns the number of keys.
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

/// The hasher of a set of hashes, which are evenly spread already.
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
        // Ids are not evenly spread: one multiplication spreads them.
        self.0 = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// Returns the number that represents a key: the integer itself, or the hash of all other types. `None` if a field is NULL or
/// missing.
pub fn key(image: &[u8], columns: &[usize], compared: &[Comparison]) -> Option<u64> {
    if let ([column], [Comparison::Integer]) = (columns, compared) {
        let (at, length) = field(image, *column)?;
        return integer(image.get(at..at + length?)?).map(|n| n as u64);
    }
    hash(image, columns, compared).map(|hash| hash as u64)
}

/// Returns the hash of some fields of a row's image. `None` if one of them is NULL or missing.
pub fn hash(image: &[u8], columns: &[usize], compared: &[Comparison]) -> Option<u128> {
    let mut hasher = Xxh3::new();
    for (column, compared) in columns.iter().zip(compared) {
        let (at, length) = field(image, *column)?;
        feed(&mut hasher, *compared, image.get(at..at + length?)?);
    }
    Some(hasher.digest128())
}

/// Hashes one value with its length, in a form in which equal values have equal bytes.
fn feed(hasher: &mut Xxh3, compared: Comparison, bytes: &[u8]) {
    let mut put = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    match compared {
        Comparison::Integer => put(&integer(bytes).unwrap_or(0).to_be_bytes()),
        Comparison::Padded => put(bytes.trim_ascii_end()),
        Comparison::Numeric => put(&plain_numeric(bytes)),
        _ => put(bytes),
    }
}

/// Returns a numeric's wire bytes without its display scale and trailing zero groups; zero without weight and sign.
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
    fn a_set_contains_exactly_the_added_keys_dense_or_sparse() {
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
    fn a_set_over_its_bound_is_unknown_and_empty() {
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
