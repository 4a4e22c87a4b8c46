//! The values that the ledger keeps of a fleet: its files, each with its state, and the rows that each brought.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sums::{LookupSum, LossSum, Sums};

/// The state of a member. A member is never loaded in part: its rows and the state `Done` are one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberState {
    /// No worker has taken it.
    Waiting,
    /// A worker works on it until its lease ends.
    Taken,
    /// Its rows are in the target.
    Done,
    /// The file or one of its rows cannot be loaded as it is.
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
    /// Losses, by column and modifier.
    #[serde(rename = "v", default, skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<LossSum>,
    /// Lookups, by column.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    pub lookups: Vec<LookupSum>,
    /// Rows that the target had before.
    #[serde(rename = "s", default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
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
    /// Adds the losses and lookups of a load.
    pub fn count(&mut self, load: &str, sums: &Sums) {
        if sums.losses.is_empty() && sums.lookups.is_empty() && sums.skipped == 0 {
            return;
        }
        let mut losses = sums.losses.clone();
        losses.iter_mut().for_each(|loss| loss.keys.truncate(MEMBER_LOSS_KEYS));
        self.loads
            .insert(load.to_owned(), LoadOmissions { losses, lookups: sums.lookups.clone(), skipped: sums.skipped });
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
