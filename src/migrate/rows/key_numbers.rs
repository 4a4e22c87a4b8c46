//! Sets of numbers that stand for keys: exact integers, 64 neighbours in 24 bytes, or hashes in their own size.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;

/// Memory of an entry of the tree: key and value of 8 bytes, in nodes that are two thirds full.
const ENTRY: usize = 24;

/// Buckets of a sorted set. One vector of all keys would be copied when it grows: both copies would be in memory at once.
const BUCKETS: usize = 1_024;

/// Keys of a bucket that are kept apart in any case until they are merged.
const FEW: usize = 32;

/// A key that can be spread evenly over 64 bits.
pub trait Spreadable {
    fn spread(self) -> u64;
}

impl Spreadable for u64 {
    fn spread(self) -> u64 {
        // Ids are not evenly spread: one multiplication spreads them.
        self.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

impl Spreadable for u128 {
    fn spread(self) -> u64 {
        (self as u64).spread()
    }
}

/// Numbers that are not near each other, in buckets.
#[derive(Clone, Debug)]
pub struct SortedKeys<K> {
    /// None until the first key.
    buckets: Vec<KeyBucket<K>>,
    count: usize,
    bytes: usize,
}

/// Sorted numbers, and those that were added since the last merge, sorted too.
#[derive(Clone, Debug)]
struct KeyBucket<K> {
    sorted: Vec<K>,
    fresh: Vec<K>,
}

impl<K> Default for SortedKeys<K> {
    fn default() -> SortedKeys<K> {
        SortedKeys { buckets: Vec::new(), count: 0, bytes: 0 }
    }
}

impl<K: Copy + Ord> KeyBucket<K> {
    fn contains(&self, key: K) -> bool {
        self.sorted.binary_search(&key).is_ok() || self.fresh.binary_search(&key).is_ok()
    }

    fn insert(&mut self, key: K) -> bool {
        let Err(place) = self.fresh.binary_search(&key) else { return false };
        if self.sorted.binary_search(&key).is_ok() {
            return false;
        }
        self.fresh.insert(place, key);
        if self.fresh.len() >= FEW.max(self.sorted.len() / 32) {
            self.merge();
        }
        true
    }

    /// Merges the fresh numbers into the sorted ones from the end, in place.
    fn merge(&mut self) {
        let mut old = self.sorted.len();
        self.sorted.reserve_exact(self.fresh.len());
        self.sorted.extend_from_slice(&self.fresh);
        let mut end = self.sorted.len();
        while let Some(last) = self.fresh.last() {
            end -= 1;
            if old > 0 && self.sorted[old - 1] > *last {
                old -= 1;
                self.sorted[end] = self.sorted[old];
            } else {
                self.sorted[end] = *last;
                self.fresh.pop();
            }
        }
    }

    fn room(&self) -> usize {
        (self.sorted.capacity() + self.fresh.capacity()) * size_of::<K>()
    }
}

impl<K: Copy + Ord + Hash + Spreadable> SortedKeys<K> {
    /// Adds a key. Returns true if it was not there.
    pub fn insert(&mut self, key: K) -> bool {
        if self.buckets.is_empty() {
            self.buckets.resize_with(BUCKETS, || KeyBucket { sorted: Vec::new(), fresh: Vec::new() });
            self.bytes = BUCKETS * size_of::<KeyBucket<K>>();
        }
        let bucket = &mut self.buckets[bucket_of(key)];
        let before = bucket.room();
        let is_new = bucket.insert(key);
        self.bytes = self.bytes + bucket.room() - before;
        self.count += usize::from(is_new);
        is_new
    }

    pub fn contains(&self, key: K) -> bool {
        self.buckets.get(bucket_of(key)).is_some_and(|bucket| bucket.contains(key))
    }

    fn remove(&mut self, keys: &HashSet<K>) {
        for bucket in &mut self.buckets {
            bucket.sorted.retain(|key| !keys.contains(key));
            bucket.fresh.retain(|key| !keys.contains(key));
        }
        self.count = self.buckets.iter().map(|bucket| bucket.sorted.len() + bucket.fresh.len()).sum();
    }

    fn iter(&self) -> impl Iterator<Item = K> + '_ {
        self.buckets.iter().flat_map(|bucket| bucket.sorted.iter().chain(&bucket.fresh)).copied()
    }

    /// Returns the number of keys.
    fn len(&self) -> usize {
        self.count
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The bucket of a key: the first ten bits of its spread form.
fn bucket_of(key: impl Spreadable) -> usize {
    (key.spread() >> 54) as usize
}

/// A set of 64-bit numbers.
#[derive(Clone, Debug)]
pub enum KeyNumbers {
    /// A bit for each of 64 neighbours, by the number without its last six bits.
    Dense(BTreeMap<u64, u64>),
    /// Numbers that are not near each other.
    Sparse(SortedKeys<u64>),
}

impl Default for KeyNumbers {
    fn default() -> KeyNumbers {
        KeyNumbers::Dense(BTreeMap::new())
    }
}

impl KeyNumbers {
    /// Number of entries at which to check whether the numbers are near each other.
    const MANY: usize = 4_096;

    /// Adds a number. Returns true if it was not there.
    pub fn insert(&mut self, key: u64) -> bool {
        match self {
            KeyNumbers::Dense(map) => {
                let before = map.len();
                let (near, bit) = (map.entry(key >> 6).or_default(), 1 << (key & 63));
                let is_new = *near & bit == 0;
                *near |= bit;
                let looks = map.len() > before && map.len() >= KeyNumbers::MANY && map.len().is_power_of_two();
                if looks && self.len() < 4 * self.entries() {
                    let mut sparse = SortedKeys::default();
                    self.iter().for_each(|key| _ = sparse.insert(key));
                    *self = KeyNumbers::Sparse(sparse);
                }
                is_new
            }
            KeyNumbers::Sparse(keys) => keys.insert(key),
        }
    }

    pub fn contains(&self, key: u64) -> bool {
        match self {
            KeyNumbers::Dense(map) => map.get(&(key >> 6)).is_some_and(|near| near & (1 << (key & 63)) != 0),
            KeyNumbers::Sparse(keys) => keys.contains(key),
        }
    }

    pub fn remove(&mut self, keys: &HashSet<u64>) {
        match self {
            KeyNumbers::Dense(map) => {
                for key in keys {
                    if let Some(near) = map.get_mut(&(key >> 6)) {
                        *near &= !(1 << (key & 63));
                    }
                }
            }
            KeyNumbers::Sparse(sparse) => sparse.remove(keys),
        }
    }

    pub fn merge(&mut self, other: KeyNumbers) {
        if self.entries() < other.entries() {
            let mine = std::mem::replace(self, other);
            return self.merge(mine);
        }
        other.iter().for_each(|key| _ = self.insert(key));
    }

    pub fn iter(&self) -> Box<dyn Iterator<Item = u64> + '_> {
        let bits = |(high, near): (&u64, &u64)| {
            let (high, near) = (high << 6, *near);
            (0..64).filter(move |bit| near & (1 << bit) != 0).map(move |bit| high | bit)
        };
        match self {
            KeyNumbers::Dense(map) => Box::new(map.iter().flat_map(bits)),
            KeyNumbers::Sparse(keys) => Box::new(keys.iter()),
        }
    }

    /// Returns the number of keys.
    fn len(&self) -> usize {
        match self {
            KeyNumbers::Dense(map) => map.values().map(|near| near.count_ones() as usize).sum(),
            KeyNumbers::Sparse(keys) => keys.len(),
        }
    }

    fn entries(&self) -> usize {
        match self {
            KeyNumbers::Dense(map) => map.len(),
            KeyNumbers::Sparse(keys) => keys.len(),
        }
    }

    pub fn bytes(&self) -> usize {
        match self {
            KeyNumbers::Dense(map) => map.len() * ENTRY,
            KeyNumbers::Sparse(keys) => keys.bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(n: u64) -> u64 {
        n.wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(31)
    }

    #[test]
    fn a_set_contains_exactly_the_added_keys_dense_or_sparse() {
        for number in [|n: u64| n, |n: u64| n.wrapping_sub(5_000), spread, |n: u64| n * 1_000] {
            let mut keys = KeyNumbers::default();
            (0..20_000).for_each(|n| assert!(keys.insert(number(2 * n))));
            assert!((0..20_000).all(|n| !keys.insert(number(2 * n))), "each is there already");
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
            let mut keys = KeyNumbers::default();
            (0..2_000_000).for_each(|n| _ = keys.insert(number(n)));
            keys.bytes()
        };
        assert!(bytes(|n| n) < 1 << 20);
        assert!(bytes(spread) < 20 << 20);
    }
}
