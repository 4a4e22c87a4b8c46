//! The sums over batches that the ledger keeps: counts, digests, losses and lookups.

use serde::{Deserialize, Serialize};

use super::digest::{self, Digest};
use super::kept_rows::KeptRows;

/// The sums over batches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// Rows read.
    pub read: u64,
    /// Rows written.
    pub written: u64,
    /// Rows skipped because the target held their key.
    pub skipped: u64,
    /// Rows that could not be loaded.
    pub faults: u64,
    /// Digest of the rows written.
    pub digest: Digest,
    /// Digest of the rows written, in the server's own text form of the columns of `Judged::returned`.
    pub returned: Digest,
    /// Rows written that were not read back for that digest.
    pub unreturned: u64,
    /// Losses, by column and modifier.
    pub losses: Vec<LossSum>,
    /// Lookups, by column.
    pub lookups: Vec<LookupSum>,
    /// The rows of the target that differ, in a table that all owners of a fleet share.
    pub kept: KeptRows,
}

/// The results of the lookups of one column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LookupSum {
    /// The target column.
    pub column: String,
    /// Rows that each step found.
    pub hits: Vec<u64>,
    /// Rows for which a step found several answers and no step found exactly one.
    pub ambiguous: u64,
    /// Rows that no step found.
    pub missing: u64,
    /// Rows that refer to a quarantined row.
    #[serde(default)]
    pub set_aside: u64,
}

/// The number of losses of one kind in one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossSum {
    /// The target column.
    pub column: String,
    /// The modifier's word.
    pub modifier: String,
    /// Number of values.
    pub count: u64,
    /// Keys of the first values, as rowids.
    pub keys: Vec<String>,
}

/// Most keys that a loss lists.
pub const LOSS_KEYS: usize = 20;

impl Sums {
    /// Returns the written form of the digests: that of the rows sent, and after it that of the rows returned if all of them
    /// were read back.
    pub fn digests(&self) -> Vec<u8> {
        let mut bytes = self.digest.to_bytes();
        if self.written > 0 && self.unreturned == 0 {
            bytes.extend(self.returned.to_bytes());
        }
        bytes
    }

    /// Reads the bytes of [`Sums::digests`]; the counts must be known. Returns false for any other bytes.
    pub fn read_digests(&mut self, bytes: &[u8]) -> bool {
        let (sent, returned) = bytes.split_at(bytes.len().min(digest::BYTES));
        self.unreturned = if returned.is_empty() { self.written } else { 0 };
        let returned = if returned.is_empty() { Some(Digest::default()) } else { Digest::from_bytes(returned) };
        match (Digest::from_bytes(sent), returned) {
            (Some(sent), Some(returned)) => (self.digest, self.returned) = (sent, returned),
            _ => return false,
        }
        true
    }

    /// Adds the counts, digest, losses and lookups of other batches.
    pub fn merge(&mut self, other: &Sums) {
        self.read += other.read;
        self.written += other.written;
        self.skipped += other.skipped;
        self.faults += other.faults;
        self.digest.merge(&other.digest);
        self.returned.merge(&other.returned);
        self.unreturned += other.unreturned;
        other.losses.iter().for_each(|loss| self.lose(loss));
        other.lookups.iter().for_each(|lookup| self.look_up(lookup));
        for (column, rows) in &other.kept {
            self.kept.entry(column.clone()).or_default().merge(rows);
        }
    }

    /// Adds the results of lookups.
    pub fn look_up(&mut self, more: &LookupSum) {
        let found = self.lookups.iter().position(|l| l.column == more.column);
        let at = found.unwrap_or_else(|| {
            self.lookups.push(LookupSum { column: more.column.clone(), ..LookupSum::default() });
            self.lookups.len() - 1
        });
        let sum = &mut self.lookups[at];
        sum.hits.resize(sum.hits.len().max(more.hits.len()), 0);
        sum.hits.iter_mut().zip(&more.hits).for_each(|(sum, more)| *sum += more);
        sum.ambiguous += more.ambiguous;
        sum.missing += more.missing;
        sum.set_aside += more.set_aside;
    }

    /// Adds one row to the losses. An empty column means the whole row.
    pub fn add_loss(&mut self, column: &str, modifier: &str, key: Option<String>) {
        let (column, modifier) = (column.to_owned(), modifier.to_owned());
        self.lose(&LossSum { column, modifier, count: 1, keys: key.into_iter().collect() });
    }

    fn lose(&mut self, more: &LossSum) {
        match self.losses.iter_mut().find(|l| l.column == more.column && l.modifier == more.modifier) {
            Some(loss) => {
                loss.count += more.count;
                let room = LOSS_KEYS.saturating_sub(loss.keys.len());
                loss.keys.extend(more.keys.iter().take(room).cloned());
            }
            None => self.losses.push(more.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_one_and_of_two_forms_are_read_as_written() {
        let digest = |row: &str| {
            let mut digest = Digest::default();
            digest.add(digest::row_hash(row.as_bytes(), 7));
            digest
        };
        let sent = Sums { written: 2, unreturned: 2, digest: digest("a"), ..Sums::default() };
        let returned = Sums { unreturned: 0, returned: digest("b"), ..sent.clone() };
        for sums in [sent, returned] {
            let mut read = Sums { written: 2, ..Sums::default() };
            assert!(read.read_digests(&sums.digests()));
            assert_eq!(read, sums);
        }
        assert!(!Sums::default().read_digests(&[0; digest::BYTES + 1]));
    }
}
