//! The values that the ledger keeps: runs, loads, parts, sums, and what a run did in addition to its rows.
//!
//! Reading and writing them is the work of `pg::ledger`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::key::{Key, KeyRange};
use super::record::RunState;
use super::recorded::RecordedTable;
pub use super::sums::{LOSS_KEYS, LookupSum, LossSum, Sums};

/// The version of the ledger that this tool writes.
pub const LEDGER_VERSION: i32 = 6;

/// The epoch of the process that begins a run. Each resume raises it.
pub const FIRST_EPOCH: i32 = 1;

/// The content of the schema that is named for the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LedgerState {
    /// The schema contains no table of a ledger, or does not exist.
    #[default]
    Absent,
    /// A ledger of this version.
    Version(i32),
    /// Tables that are not those of a ledger: the sentence says why.
    Foreign(String),
    /// Objects through which another role could change the ledger, or run code when it is read or written.
    Untrusted(Vec<UntrustedObject>),
}

/// An object that forbids to use a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntrustedObject {
    /// Its kind and name.
    pub object: String,
    /// The role that owns it, that owns the code that it runs, or that may write to it.
    pub role: String,
    /// The power of that role.
    pub power: UntrustedPower,
}

/// The power of another role over a part of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UntrustedPower {
    /// It owns the object.
    Owns,
    /// Its code runs with the ledger: a trigger, a rule, a policy or a function.
    Runs,
    /// It may write to the table whose expressions are run when an object is reattached.
    Writes,
}

/// The form of a run's fingerprints. A run keeps its form until it is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Hashes over the `Debug` text of the plan, as ledgers of version 1 contain them.
    One,
    /// Hashes over explicitly written expressions.
    Two,
}

/// The fingerprints of a plan and of the tables that it loads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fingerprints {
    /// A line for each table.
    pub catalog: String,
    /// The name and the fingerprint of each load.
    pub loads: Vec<(String, String)>,
}

/// The first line of [`Run::catalog`] in the ledger, if the form is 2. A catalogue of form 1 has no such line.
const FORM_2: &str = "form 2\n";

/// Returns the text that the ledger keeps of a catalogue's fingerprint of form 2.
pub fn written_catalog(catalog: &str) -> String {
    format!("{FORM_2}{catalog}")
}

/// Reads the form and the fingerprint of a catalogue; `None` if the form is unknown.
pub fn read_catalog(written: &str) -> Option<(Form, &str)> {
    match written.strip_prefix(FORM_2) {
        Some(catalog) => Some((Form::Two, catalog)),
        None if written.starts_with("form ") => None,
        None => Some((Form::One, written)),
    }
}

/// One run as the ledger keeps it.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// `Running`, `Done` or `RolledBack`.
    pub state: RunState,
    /// Version of the migrate that began it.
    pub tool: String,
    /// Number of the process that works on it; raised at every resume.
    pub epoch: i32,
    /// Seed of the row hashes.
    pub seed: u64,
    /// The stamp that identifies the source.
    pub stamp: String,
    /// The form of the run's fingerprints.
    pub form: Form,
    /// Fingerprint of the target's tables.
    pub catalog: String,
    /// True if every row was read before the first write, and none was faulty.
    pub read_ahead: bool,
    /// Decisions that hold for the whole run.
    pub judged: Judged,
}

/// The decisions that a run makes once, before it writes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The run's start: microseconds since 2000-01-01 UTC.
    pub now: i64,
    /// Number of rows of each table of the target that held rows.
    pub holding: BTreeMap<String, u64>,
    /// Number added to the ids of each shifted table.
    #[serde(default)]
    pub shifts: BTreeMap<String, i64>,
    /// The ids that the run takes in each shifted table that other runs may load at the same time.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reserved: BTreeMap<String, IdRange>,
    /// The tables whose rows are removed first, and the number of these rows.
    #[serde(default)]
    pub replaced: BTreeMap<String, u64>,
    /// Digests of the variables that the mapping reads; never their values.
    pub env: BTreeMap<String, String>,
    /// For each table, the columns that the digests of its rows cover.
    #[serde(default)]
    pub images: BTreeMap<String, Vec<String>>,
    /// For each table that held rows, their digest in hexadecimal.
    #[serde(default)]
    pub before: BTreeMap<String, String>,
    /// Keys, references, checks, indexes and triggers of the tables, and the state of each.
    #[serde(default)]
    pub objects: Vec<Object>,
    /// For each table with columns that its image does not cover: the columns whose values each batch reads back in the
    /// server's own text form. Version 3.
    #[serde(default)]
    pub returned: BTreeMap<String, Vec<String>>,
    /// The loaded tables, the owner's, and those that lookups read, as they were when the run began. Version 3.
    #[serde(default)]
    pub tables: BTreeMap<String, RecordedTable>,
    /// The schema of the tables. Empty in a run that an earlier build began.
    #[serde(default)]
    pub schema: String,
    /// The tables that other runs may load at the same time.
    #[serde(default)]
    pub shared: BTreeSet<String>,
    /// The owner's row, if the run is a fleet, whose files may be missing when it is verified or rolled back. Version 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<JudgedFleet>,
}

/// The facts of its mapping that a fleet records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedFleet {
    /// The owner's table.
    pub owner_table: String,
    /// The column of its key.
    pub owner_key: String,
}

/// The ids that a run takes in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// The lowest.
    pub first: i64,
    /// The highest.
    pub last: i64,
}

/// A table that a run loads, and that no other run may load until it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedTable {
    /// The table.
    pub table: String,
    /// True if other runs that share it, too, may load it at the same time: every load adds to existing rows, and nothing
    /// of the table is detached.
    pub shared: bool,
}

/// Another run that is not ended and loads the same table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRun {
    /// Its number.
    pub run: i64,
    /// The name of its mapping.
    pub mapping: String,
    /// The table.
    pub table: String,
    /// True if it shares the table and has detached nothing of it.
    pub shared: bool,
}

/// A constraint, an index or a trigger of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// The table.
    pub table: String,
    /// Its name.
    pub object: String,
    /// Its definition and whether it works, as text that is only compared.
    pub state: String,
}

/// The values with which a run begins.
#[derive(Clone, Debug)]
pub struct NewRun<'a> {
    /// The mapping's name.
    pub mapping: &'a str,
    /// Natural key of the owner as text; empty without an owner.
    pub owner: &'a str,
    /// Version of this migrate.
    pub tool: &'a str,
    /// Seed of the row hashes.
    pub seed: u64,
    /// The stamp that identifies the source.
    pub stamp: &'a str,
    /// Fingerprints of form 2.
    pub fingerprints: &'a Fingerprints,
    /// True if every row was read already, and none was faulty.
    pub read_ahead: bool,
    /// Decisions that hold for the whole run.
    pub judged: &'a Judged,
}

/// One load as the ledger keeps it.
#[derive(Clone, Debug, Default)]
pub struct LoadDone {
    /// Fingerprint of the load when it began.
    pub plan: String,
    /// Its parts in order.
    pub parts: Vec<PartDone>,
}

impl LoadDone {
    /// Returns the sums over all parts.
    pub fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        self.parts.iter().for_each(|part| sums.merge(&part.sums));
        sums
    }

    /// Returns true if a batch of the load is committed.
    pub fn has_batch(&self) -> bool {
        self.parts.iter().any(|part| part.next_batch > 1)
    }
}

/// One part of a load as the ledger keeps it.
#[derive(Clone, Debug)]
pub struct PartDone {
    /// Its number.
    pub part: i32,
    /// Key of the last row before the part; `None` if the part begins with the first row.
    pub after: Option<Key>,
    /// Key of the part's last row; `None` if the part ends with the last row.
    pub until: Option<Key>,
    /// True if every row of the part is done.
    pub done: bool,
    /// Number of the next batch.
    pub next_batch: i32,
    /// The last key in a committed batch.
    pub last: Option<Key>,
    /// Sums over its batches.
    pub sums: Sums,
}

impl PartDone {
    /// Parts without batches: `cuts` has the last key of each part except the last one.
    pub fn between(cuts: Vec<Key>) -> Vec<PartDone> {
        let after = std::iter::once(None).chain(cuts.iter().cloned().map(Some));
        let until = cuts.iter().cloned().map(Some).chain(std::iter::once(None));
        let part = |(part, (after, until))| PartDone {
            part,
            after,
            until,
            done: false,
            next_batch: 1,
            last: None,
            sums: Sums::default(),
        };
        (0..).zip(after.zip(until)).map(part).collect()
    }

    /// The range of keys whose rows are committed. `None` if no batch is committed.
    pub fn committed(&self) -> Option<KeyRange<'_>> {
        let until = if self.done { self.until.as_ref() } else { self.last.as_ref() };
        (self.next_batch > 1).then_some(KeyRange { after: self.after.as_ref(), until })
    }
}

/// A row whose content on the target does not follow from the source alone. The ledger keeps its place, so that the rows
/// that were sent can be computed again exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// Its place in the source, as [`Key::written`] writes it.
    pub at: String,
    /// The column that holds the value of `if_orphan`; `None` if the row was skipped.
    pub orphan: Option<String>,
}

/// Something that a run made or moved on the target in addition to its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its kind.
    pub kind: MadeKind,
    /// Its name.
    pub object: String,
    /// Its state before the run.
    pub was: Option<String>,
    /// Its state after the run.
    pub became: Option<String>,
}

/// The kind of a [`Made`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeKind {
    /// The owner's row, which the run inserted.
    Owner,
    /// A sequence, which the run advanced.
    Sequence,
    /// A lookup, whose answers the run used.
    Lookup,
    /// A table, whose rows the run removed; `was` is their number.
    Replaced,
    /// The previous rows of the target, which the ledger no longer keeps; `was` is their number.
    Forgotten,
}

impl MadeKind {
    /// Returns the word that the ledger keeps.
    pub fn word(self) -> &'static str {
        match self {
            MadeKind::Owner => "owner",
            MadeKind::Sequence => "sequence",
            MadeKind::Lookup => "lookup",
            MadeKind::Replaced => "replaced",
            MadeKind::Forgotten => "forgotten",
        }
    }

    /// Reads [`MadeKind::word`].
    pub fn read(word: &str) -> Option<MadeKind> {
        use MadeKind::{Forgotten, Lookup, Owner, Replaced, Sequence};
        [Owner, Sequence, Lookup, Replaced, Forgotten].into_iter().find(|kind| kind.word() == word)
    }
}

/// An object that `--create` made in the target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CreatedObject {
    /// Its kind.
    pub kind: CreatedKind,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
}

/// The kind of a [`CreatedObject`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CreatedKind {
    /// A view.
    View,
    /// A table, with its sequences, constraints, indexes and triggers.
    Table,
    /// A function without arguments, which a trigger of a table calls.
    Function,
}

impl CreatedKind {
    /// Returns the word that the ledger keeps.
    pub fn word(self) -> &'static str {
        match self {
            CreatedKind::View => "view",
            CreatedKind::Table => "table",
            CreatedKind::Function => "function",
        }
    }

    /// Reads [`CreatedKind::word`].
    pub fn read(word: &str) -> Option<CreatedKind> {
        [CreatedKind::View, CreatedKind::Table, CreatedKind::Function].into_iter().find(|kind| kind.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalog_keeps_its_form() {
        assert_eq!(read_catalog("0123456789abcdef people"), Some((Form::One, "0123456789abcdef people")));
        assert_eq!(read_catalog(""), Some((Form::One, "")));
        assert_eq!(read_catalog(&written_catalog("")), Some((Form::Two, "")));
        assert_eq!(read_catalog(&written_catalog("a\nb")), Some((Form::Two, "a\nb")));
        assert_eq!(read_catalog("form 3\na"), None);
    }
}
