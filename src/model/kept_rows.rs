//! The rows of a table that all owners of a fleet share and that some file has otherwise. Each one counts once, however many files
//! differ from it.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::hex::{hex, unhex};

/// The rows of the target that differ in a column, by the column's name.
pub type KeptRows = BTreeMap<String, RowHashes>;

/// Rows by the hashes of their natural keys. In the ledger: sixteen hexadecimal digits for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowHashes(BTreeSet<u64>);

impl RowHashes {
    /// Adds a row.
    pub fn add(&mut self, row: u64) {
        self.0.insert(row);
    }

    /// Adds rows. Returns the number of those that are new.
    pub fn merge(&mut self, rows: &RowHashes) -> u64 {
        let before = self.0.len();
        self.0.extend(&rows.0);
        (self.0.len() - before) as u64
    }
}

impl Serialize for RowHashes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|row| row.to_be_bytes()).collect();
        serializer.serialize_str(&hex(&bytes))
    }
}

impl<'de> Deserialize<'de> for RowHashes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RowHashes, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = unhex(&text).ok_or_else(|| D::Error::custom("no hexadecimal text"))?;
        let (rows, rest) = bytes.as_chunks::<8>();
        match rest {
            [] => Ok(RowHashes(rows.iter().map(|row| u64::from_be_bytes(*row)).collect())),
            _ => Err(D::Error::custom("no hashes of rows")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_written_and_count_once() {
        let mut rows = RowHashes::default();
        [7, u64::MAX, 7].into_iter().for_each(|row| rows.add(row));
        let text = serde_json::to_string(&rows).expect("text");
        assert_eq!(text, "\"0000000000000007ffffffffffffffff\"");
        let read: RowHashes = serde_json::from_str(&text).expect("rows");
        assert_eq!(read, rows);
        let mut all = RowHashes::default();
        all.add(7);
        assert_eq!((all.merge(&rows), all.merge(&rows)), (1, 0));
        assert!(serde_json::from_str::<RowHashes>("\"00\"").is_err());
    }
}
