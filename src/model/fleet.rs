//! The values that the ledger keeps of a fleet: its files, each with its state, and the rows that each brought.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kept_rows::KeptRows;
use super::key::Key;
use super::sums::{LookupSum, LossSum, Sums};

/// The state of a member. The rows of a file that fits one batch and the state `Done` are one transaction. A larger file is written
/// in several, each together with its [`MemberPosition`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberState {
    /// No worker has taken it.
    Waiting,
    /// A worker works on it until its lease ends.
    Taken,
    /// Its rows are in the target.
    Done,
    /// The file or one of its rows cannot be loaded as it is. None of its rows are in the target.
    Quarantined,
    /// The target stopped it.
    Failed,
    /// It was done, and its rows were removed again.
    Removed,
}

impl MemberState {
    /// Every state, in the order in which a member goes through them.
    pub const ALL: [MemberState; 6] = [
        MemberState::Waiting,
        MemberState::Taken,
        MemberState::Done,
        MemberState::Quarantined,
        MemberState::Failed,
        MemberState::Removed,
    ];

    /// Returns the word that the ledger keeps.
    pub fn word(self) -> &'static str {
        match self {
            MemberState::Waiting => "Waiting",
            MemberState::Taken => "Taken",
            MemberState::Done => "Done",
            MemberState::Quarantined => "Quarantined",
            MemberState::Failed => "Failed",
            MemberState::Removed => "Removed",
        }
    }

    /// Reads [`MemberState::word`].
    pub fn read(word: &str) -> Option<MemberState> {
        MemberState::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// A part of the members, for workers that share them by number: member `n` belongs to shard `n % of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The number of the shard, from 0.
    pub index: i32,
    /// The number of shards.
    pub of: i32,
}

impl Shard {
    /// All members.
    pub const ALL: Shard = Shard { index: 0, of: 1 };
}

/// A file of a fleet that a worker has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The fleet's run.
    pub run: i64,
    /// The run's epoch as this worker knows it.
    pub run_epoch: i32,
    /// The number of the member, from 1.
    pub member: i32,
    /// Its file.
    pub path: String,
    /// The values that come with it, by name.
    pub values: BTreeMap<String, String>,
    /// Raised at each claim, so that a worker whose lease ended writes nothing.
    pub epoch: i32,
    /// True if batches of the file may be in the target.
    pub begun: bool,
}

/// The rows that a member brought into one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRows {
    /// The table.
    #[serde(rename = "t")]
    pub table: String,
    /// Their number.
    #[serde(rename = "n")]
    pub rows: u64,
    /// The sum of their hashes modulo 2^128, in hexadecimal.
    #[serde(rename = "s")]
    pub sum: String,
    /// The ids that were reserved for them. `None`: their ids come from the source, or they have none.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<MemberIds>,
}

/// The ids that were reserved for the rows of a member in one table. No other row has one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberIds {
    /// The column.
    #[serde(rename = "c")]
    pub column: String,
    /// The lowest.
    #[serde(rename = "a")]
    pub first: i64,
    /// The highest.
    #[serde(rename = "b")]
    pub last: i64,
}

/// The progress of a file that is written in several batches. The ledger keeps it until the file is done, and changes it in the
/// transaction of each batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemberPosition {
    /// The first reserved id of each range.
    #[serde(rename = "f")]
    pub first: BTreeMap<String, i64>,
    /// The next id of each range whose ids are issued row by row.
    #[serde(rename = "n", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub next: BTreeMap<String, i64>,
    /// The loads that have begun, by name.
    #[serde(rename = "l")]
    pub loads: BTreeMap<String, LoadPosition>,
}

/// The progress of one load of such a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadPosition {
    /// The number of rows read.
    #[serde(rename = "r")]
    pub read: u64,
    /// The number of rows written.
    #[serde(rename = "w")]
    pub written: u64,
    /// The sum of their hashes modulo 2^128.
    #[serde(rename = "s", with = "hexadecimal")]
    pub sum: u128,
    /// The key of the last row. `None`: the load is done.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Key>,
}

/// A sum as hexadecimal text. JSON has no number of this size.
mod hexadecimal {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::hex::{hex, unhex};

    pub fn serialize<S: Serializer>(sum: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&sum.to_be_bytes()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        let bytes = unhex(&String::deserialize(deserializer)?).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u128::from_be_bytes).ok_or_else(|| D::Error::custom("no sum"))
    }
}

/// A member of which some batches are in the target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BegunMember {
    /// The file, its owner, and its rows that are in the target.
    pub end: MemberEnd,
    /// The place of the next batch.
    pub position: MemberPosition,
}

/// Most keys that a member's line lists for a loss.
const MEMBER_LOSS_KEYS: usize = 3;

/// Everything of a member that is not in the target as its file has it. The ledger keeps it with the member's rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Omitted {
    /// The losses and lookups of each load that has any.
    #[serde(rename = "l", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub loads: BTreeMap<String, LoadOmissions>,
    /// The rows that stay in the file.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<LeftRows>,
    /// Texts that SQLite does not read as they are stored.
    #[serde(rename = "m", default, skip_serializing_if = "Vec::is_empty")]
    pub misread: Vec<MisreadTexts>,
}

/// The losses and lookups of one load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadOmissions {
    /// Its table. Empty if it has the load's name.
    #[serde(rename = "t", default, skip_serializing_if = "String::is_empty")]
    pub table: String,
    /// Losses, by column and modifier.
    #[serde(rename = "v", default, skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<LossSum>,
    /// Lookups, by column.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    pub lookups: Vec<LookupSum>,
    /// Rows that the target had before.
    #[serde(rename = "s", default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// The rows among them that differ.
    #[serde(rename = "d", default, skip_serializing_if = "KeptRows::is_empty")]
    pub kept: KeptRows,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Rows that stay in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftRows {
    /// The table of the file.
    #[serde(rename = "t")]
    pub table: String,
    /// Its column, of which the rows are those in which it has a value. `None` for the whole table.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The load whose SQL leaves them out. `None` if the mapping leaves the table or the column.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub load: Option<String>,
    /// Their number.
    #[serde(rename = "n")]
    pub rows: u64,
}

/// The texts of one column that SQLite does not read as they are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MisreadTexts {
    /// The column of the file, in words.
    #[serde(rename = "c")]
    pub place: String,
    /// Their number.
    #[serde(rename = "n")]
    pub texts: u64,
}

impl Omitted {
    /// Adds the losses and lookups of a load into a table.
    pub fn count(&mut self, load: &str, table: &str, sums: &Sums) {
        if sums.losses.is_empty() && sums.lookups.is_empty() && sums.skipped == 0 {
            return;
        }
        let mut losses = sums.losses.clone();
        losses.iter_mut().for_each(|loss| loss.keys.truncate(MEMBER_LOSS_KEYS));
        let (lookups, skipped, kept) = (sums.lookups.clone(), sums.skipped, sums.kept.clone());
        let table = if table == load { String::new() } else { table.to_owned() };
        self.loads.insert(load.to_owned(), LoadOmissions { table, losses, lookups, skipped, kept });
    }

    /// The number of values that lost something or were changed.
    pub fn values(&self) -> u64 {
        // An empty column counts whole rows.
        let losses = self.loads.values().flat_map(|load| &load.losses).filter(|loss| !loss.column.is_empty());
        losses.map(|loss| loss.count).sum()
    }

    /// The number of rows that stay in the file.
    pub fn left_rows(&self) -> u64 {
        self.left.iter().filter(|left| left.column.is_none()).map(|left| left.rows).sum()
    }
}

/// Everything that the ledger notes of a member in the transaction of its rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemberEnd {
    /// The stamp that identifies the source.
    pub stamp: String,
    /// The key of the owner's row.
    pub owner: Option<String>,
    /// True if the member made the owner's row.
    pub made: bool,
    /// Its rows, in the order in which the tables were written.
    pub rows: Vec<MemberRows>,
    /// Everything that is not in the target as the file has it.
    pub omitted: Omitted,
    /// The duration of the work in milliseconds.
    pub millis: i64,
}

/// The number of members in each state.
pub type MemberCounts = BTreeMap<MemberState, u64>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_of_a_file_has_a_frozen_form() {
        let load = |after: Option<i64>| LoadPosition { read: 3, written: 2, sum: 255, after: after.map(Key::rowid) };
        let position = MemberPosition {
            first: [("tx.id".to_owned(), 7)].into(),
            next: [("log.id".to_owned(), 9)].into(),
            loads: [("acc".to_owned(), load(None)), ("tx".to_owned(), load(Some(-4)))].into(),
        };
        let sum = "000000000000000000000000000000ff";
        let frozen = format!(
            r#"{{"f":{{"tx.id":7}},"n":{{"log.id":9}},"l":{{"acc":{{"r":3,"w":2,"s":"{sum}"}},"tx":{{"r":3,"w":2,"s":"{sum}","k":"[{{\"i\":-4}}]"}}}}}}"#
        );
        assert_eq!(serde_json::to_string(&position).expect("text"), frozen);
        assert_eq!(serde_json::from_str::<MemberPosition>(&frozen).expect("a position"), position);
        for damaged in [frozen.replace(sum, "ff"), frozen.replace("-4", "x"), frozen.replace("\"f\"", "\"g\"")] {
            assert!(serde_json::from_str::<MemberPosition>(&damaged).is_err(), "{damaged}");
        }
    }
}
