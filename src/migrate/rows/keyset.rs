//! The keys of a parent's rows, which other rows refer to. Integers are kept as numbers, 64 neighbours in 24 bytes; all other
//! keys as 64-bit hashes of their wire bytes, 8 bytes each.
//!
//! All sets share one memory. A set that must give up its part drops its keys and becomes [`KeySet::unknown`]. An orphan
//! among 10^9 hashed parents is overlooked with a chance below 10^-10. In both cases the server decides: a foreign key
//! refuses the orphan at once, or when it is reattached and validated. The result is an error, never a loss. Where the foreign key
//! would accept a row of another owner, [`KeySet::range`] has the ids between which it finds only rows of this one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use crate::job::{KeyMemory, KeyRoom};
use crate::migrate::rows::key_numbers::KeyNumbers;
use crate::model::key::Key;
use crate::model::ledger::IdRange;
use crate::plan::{ComparedKey, Comparison};
use crate::wire::image::integer;

pub use crate::wire::image::field;

/// Maximum number of refused parents whose place is kept. Children of further ones are distinguished from orphans too, but
/// their parent is not named.
const MOST_PLACES: usize = 50_000;

/// Memory of one of these places.
const PLACE: usize = 150;

/// The keys of present rows, and those of refused rows.
#[derive(Debug, Default)]
pub struct KeySet {
    /// Keys of rows that are on the target or will be loaded.
    pub present: KeyNumbers,
    /// Keys of refused rows.
    refused: KeyNumbers,
    /// Load and place of the first refused rows.
    places: HashMap<u64, (Arc<str>, Key)>,
    /// True if some keys are not known, or are too many to keep. Then no row counts as an orphan.
    pub unknown: bool,
    /// True if the keys were too many to keep.
    pub is_too_large: bool,
    /// If the keys are integers that are unknown: all of them lie in this range, and a row outside of it is an orphan.
    pub range: Option<IdRange>,
    room: KeyRoom,
}

impl KeySet {
    /// Makes the first set of a key.
    pub fn within(memory: &KeyMemory) -> KeySet {
        KeySet { room: memory.room(), ..KeySet::default() }
    }

    /// Makes another set of the same key, to merge it into this one later.
    pub fn sibling(&self) -> KeySet {
        KeySet { room: self.room.sibling(), ..KeySet::default() }
    }

    /// Returns a copy, which takes as much memory again.
    pub fn copy(&self) -> KeySet {
        let mut copy = KeySet {
            present: self.present.clone(),
            refused: self.refused.clone(),
            places: self.places.clone(),
            unknown: self.unknown,
            is_too_large: self.is_too_large,
            range: self.range,
            room: self.room.sibling(),
        };
        copy.bound();
        copy
    }

    /// Adds the key of a row that is on the target or will be loaded.
    pub fn add(&mut self, key: impl IntoIterator<Item = u64>) {
        key.into_iter().filter(|_| !self.unknown).for_each(|key| _ = self.present.insert(key));
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
        if self.unknown {
            return;
        }
        self.present.remove(keys);
        keys.iter().for_each(|key| _ = self.refused.insert(*key));
        self.bound();
    }

    /// Adds all keys of another set.
    pub fn merge(&mut self, mut other: KeySet) {
        self.is_too_large |= other.is_too_large;
        if self.unknown || other.unknown {
            return self.forget();
        }
        self.present.merge(std::mem::take(&mut other.present));
        self.refused.merge(std::mem::take(&mut other.refused));
        let room = MOST_PLACES.saturating_sub(self.places.len());
        self.places.extend(std::mem::take(&mut other.places).into_iter().take(room));
        // The keys are in one account: first returned by one set, then taken by the other.
        drop(other);
        self.bound();
    }

    /// Notes that the set is only read from here on.
    pub fn settle(&mut self) {
        if !self.room.settle() && !self.unknown {
            self.is_too_large = true;
            self.forget();
        }
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
        let bytes = self.present.bytes() + self.refused.bytes() + self.places.len() * PLACE;
        if !self.unknown && !self.room.holds(bytes) {
            self.is_too_large = true;
            self.forget();
        }
    }

    /// Drops all keys.
    fn forget(&mut self) {
        self.unknown = true;
        self.present = KeyNumbers::default();
        self.refused = KeyNumbers::default();
        self.places = HashMap::new();
        self.room.holds(0);
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

/// Returns the hash of a unique key in a row's image. `None` if no other row can have the same key.
pub fn unique_hash(image: &[u8], key: &ComparedKey) -> Option<u128> {
    match key.nulls_equal {
        true => hash_with_nulls(image, &key.columns, &key.compared),
        false => hash(image, &key.columns, &key.compared),
    }
}

/// Returns the hash of some fields of a row's image, in which NULL equals NULL. `None` if a field is missing.
fn hash_with_nulls(image: &[u8], columns: &[usize], compared: &[Comparison]) -> Option<u128> {
    let mut hasher = Xxh3::new();
    for (column, compared) in columns.iter().zip(compared) {
        match field(image, *column)? {
            // No value has this length.
            (_, None) => hasher.update(&u64::MAX.to_be_bytes()),
            (at, Some(length)) => feed(&mut hasher, *compared, image.get(at..at + length)?),
        }
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

    #[test]
    fn null_equals_null_only_where_the_key_says_so() {
        let row = |cells: &[Cell<'_>]| {
            let mut row = vec![0, 2];
            cells.iter().for_each(|cell| binary::field(cell, &mut row));
            row
        };
        let (columns, compared) = ([0, 1], [Comparison::Integer, Comparison::Text]);
        let with_null = row(&[Cell::Int4(1), Cell::Null]);
        assert_eq!(hash(&with_null, &columns, &compared), None);
        let hashed = |row: &[u8]| hash_with_nulls(row, &columns, &compared);
        assert!(hashed(&with_null).is_some());
        assert_eq!(hashed(&with_null), hashed(&row(&[Cell::Int8(1), Cell::Null])));
        assert_ne!(hashed(&with_null), hashed(&row(&[Cell::Int4(1), Cell::Text("".into())])));
    }

    #[test]
    fn a_set_over_its_bound_is_unknown_and_empty() {
        let spread = |n: u64| n.wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(31);
        let memory = KeyMemory::default();
        let mut set = KeySet::within(&memory);
        (0..5_000_000).for_each(|n| set.add([spread(n)]));
        assert!(set.unknown && set.is_too_large);
        assert_eq!(set.present.bytes(), 0);
        let mut other = KeySet::within(&memory);
        other.merge(set);
        assert!(other.unknown && other.is_too_large);
        let mut few = KeySet::within(&memory);
        few.add([1]);
        other.merge(few);
        assert!(other.unknown && !other.present.contains(1));
    }

    #[test]
    fn the_sets_of_all_keys_have_one_bound() {
        let spread = |n: u64| n.wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(31);
        let memory = KeyMemory::default();
        let mut sets: Vec<KeySet> = (0..4).map(|_| KeySet::within(&memory)).collect();
        for n in 0..2_000_000 {
            sets.iter_mut().for_each(|set| set.add([spread(n)]));
        }
        let bytes: usize = sets.iter().map(|set| set.present.bytes()).sum();
        assert!(bytes <= crate::job::MOST_BYTES + (1 << 20), "{bytes}");
        let known = sets.iter().filter(|set| !set.unknown).count();
        assert!((1..4).contains(&known), "{known} sets are left");
    }
}
