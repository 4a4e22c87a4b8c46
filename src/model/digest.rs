//! The content digest: 256 sums mod 2^128 of 128-bit row hashes, the bucket chosen by the hash itself.
//!
//! The order of rows and their keys do not matter, so lanes and unordered reading agree. Duplicates do matter, because the
//! digest adds and does not XOR. A differing bucket narrows the search to about one row in 256.

use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Number of sums in a digest.
pub const BUCKETS: usize = 256;

/// Length of a digest's written form in bytes.
pub const BYTES: usize = BUCKETS * 16;

/// The digest of a multiset of rows.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest {
    sums: Box<[u128; BUCKETS]>,
}

impl Default for Digest {
    fn default() -> Digest {
        Digest { sums: Box::new([0; BUCKETS]) }
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}

/// Returns the hash of one row's image under the run's seed.
pub fn row_hash(image: &[u8], seed: u64) -> u128 {
    xxh3_128_with_seed(image, seed)
}

/// Returns the bucket of a row's hash.
pub fn bucket(hash: u128) -> usize {
    (hash >> 120) as usize
}

impl Digest {
    /// Adds one row by its hash.
    pub fn add(&mut self, hash: u128) {
        let sum = &mut self.sums[bucket(hash)];
        *sum = sum.wrapping_add(hash);
    }

    /// Adds all rows of another digest.
    pub fn merge(&mut self, other: &Digest) {
        for (sum, more) in self.sums.iter_mut().zip(other.sums.iter()) {
            *sum = sum.wrapping_add(*more);
        }
    }

    /// Removes all rows of another digest.
    pub fn subtract(&mut self, other: &Digest) {
        for (sum, less) in self.sums.iter_mut().zip(other.sums.iter()) {
            *sum = sum.wrapping_sub(*less);
        }
    }

    /// Returns the buckets in which two digests differ.
    pub fn differing(&self, other: &Digest) -> Vec<usize> {
        (0..BUCKETS).filter(|n| self.sums[*n] != other.sums[*n]).collect()
    }

    /// Returns the written form: the sums, big-endian, in order.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.sums.iter().flat_map(|sum| sum.to_be_bytes()).collect()
    }

    /// Reads the bytes of [`Digest::to_bytes`]; `None` for any other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Digest> {
        if bytes.len() != BYTES {
            return None;
        }
        let mut digest = Digest::default();
        for (sum, bytes) in digest.sums.iter_mut().zip(bytes.as_chunks::<16>().0) {
            *sum = u128::from_be_bytes(*bytes);
        }
        Some(digest)
    }

    /// Returns the sum over all buckets: that of the hashes of all rows.
    pub fn total(&self) -> u128 {
        self.sums.iter().fold(0, |total, sum| total.wrapping_add(*sum))
    }

    /// A digest of which the sum over all buckets is known and no single one. Only its [`Digest::total`] means something.
    pub fn of_total(total: u128) -> Digest {
        let mut digest = Digest::default();
        digest.sums[0] = total;
        digest
    }

    /// Returns sixteen hexadecimal digits for people: a hash of the sums.
    pub fn short(&self) -> String {
        format!("{:016x}", (xxh3_128_with_seed(&self.to_bytes(), 0) >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(rows: &[&str]) -> Digest {
        let mut digest = Digest::default();
        rows.iter().for_each(|row| digest.add(row_hash(row.as_bytes(), 7)));
        digest
    }

    #[test]
    fn order_does_not_matter_and_duplicates_do() {
        assert_eq!(digest(&["a", "b", "c"]), digest(&["c", "a", "b"]));
        assert_ne!(digest(&["a", "b"]), digest(&["a", "b", "b"]));
        assert_ne!(digest(&["a", "a"]), digest(&[]));
    }

    #[test]
    fn parts_add_up_to_the_whole_and_survive_the_written_form() {
        let mut sum = digest(&["a"]);
        sum.merge(&digest(&["b", "c"]));
        assert_eq!(sum, digest(&["a", "b", "c"]));
        assert_eq!(Digest::from_bytes(&sum.to_bytes()), Some(sum.clone()));
        sum.subtract(&digest(&["b", "c"]));
        assert_eq!(sum, digest(&["a"]));
    }

    #[test]
    fn only_the_bucket_of_the_changed_row_differs() {
        assert!(digest(&["a", "b"]).differing(&digest(&["a", "B"])).len() <= 2);
        assert!(digest(&["a"]).differing(&digest(&["a"])).is_empty());
    }
}
