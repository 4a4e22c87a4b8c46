//! The record of a run: what the report says, as values. Its JSON form (`format = 1`) is a contract.
//!
//! Terminal, JSON and the other reports print these and nothing else. A reader tolerates fields that it does not know.

mod kind;
mod make;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cell::StorageClass;
use super::fault::Reason;

pub use kind::{Activity, CheckKind, CommandKind, StepKind};

/// How many faults a report lists; all of them are in the fault file.
pub const FAULTS_LISTED: usize = 1_000;

/// Everything that a command found and did.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Report {
    /// Version of this form: 1.
    pub format: u32,
    /// The command.
    pub command: CommandKind,
    /// Nothing was to be written.
    pub dry_run: bool,
    /// The mapping's name.
    pub mapping: String,
    /// The run's id in the ledger.
    pub run: Option<String>,
    /// How it ended.
    pub exit: ExitRecord,
    /// The source.
    pub source: SourceRecord,
    /// `host:port/database`, without a secret; none in a dry run without a target.
    pub target: Option<String>,
    /// The owner of the stamped rows.
    pub owner: Option<OwnerRecord>,
    /// One entry a load, in the order in which they ran.
    pub loads: Vec<LoadRecord>,
    /// The run's state.
    pub state: RunState,
    /// What stayed behind, and why.
    pub left: Vec<LeftRecord>,
    /// What is in the source and is never a load: views, virtual tables, their shadows.
    pub not_tables: Vec<NotTable>,
    /// Rows per owner.
    pub owners: Vec<OwnerRows>,
    /// Sequences.
    pub sequences: Vec<SequenceRecord>,
    /// Lookups.
    pub lookups: Vec<LookupRecord>,
    /// Losses that the mapping allowed and that happened, and harmless changes that are counted.
    pub losses: Vec<LossRecord>,
    /// The first [`FAULTS_LISTED`] faults.
    pub faults: Vec<FaultRecord>,
    /// How many there were.
    pub fault_total: u64,
    /// What was taken off the target for the load, and whether it is back.
    pub detached: Vec<DetachedRecord>,
    /// Connections that were lost and made again.
    pub retries: Vec<RetryRecord>,
    /// What an operator should know and that stops nothing.
    pub warnings: Vec<Warning>,
    /// What was checked at the end, each with its verdict.
    pub checks: Vec<Check>,
    /// Why nothing was done; all reasons at once.
    pub refusals: Vec<Refusal>,
    /// What took how long.
    pub steps: Vec<StepRecord>,
}

/// How a command ended.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct ExitRecord {
    /// The process's exit status.
    pub code: i32,
    /// Its name.
    pub name: String,
}

/// The source's file.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub struct SourceRecord {
    /// As given.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// What it is recognised by; see `source::stamp`.
    pub stamp: String,
}

/// The owner.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct OwnerRecord {
    /// Its table.
    pub table: String,
    /// The natural key by which it was found.
    #[serde(rename = "match")]
    pub natural: BTreeMap<String, String>,
    /// Its key, the value that is stamped; none while it is not settled.
    pub key: Option<String>,
    /// This run made the row.
    pub made: bool,
}

/// One load.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct LoadRecord {
    /// The load's name.
    pub load: String,
    /// The source table, `sql` or `rows`.
    pub source: String,
    /// `schema.table`.
    pub target: String,
    /// Rows read.
    pub read: u64,
    /// The target table's class in the words of the design.
    pub class: String,
    /// How far it came.
    pub state: LoadState,
    /// Rows that are in the target by this load.
    pub written: u64,
    /// Rows that could not go.
    pub faults: u64,
    /// Rows whose key was there already.
    pub skipped: u64,
    /// Lanes that worked on it.
    pub lanes: u32,
    /// Seconds after the start of the command.
    pub started: f64,
    /// Seconds that it took.
    pub seconds: f64,
}

/// How far a load came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadState {
    /// Nothing was written yet.
    Planned,
    /// All of it is there.
    Loaded,
    /// Some of it is there; the same command goes on.
    Partial,
    /// `when = "empty"` and the table holds rows: left as it was.
    NotEmpty,
}

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunState {
    /// Nothing was written.
    Planned,
    /// It is at work.
    Running,
    /// It was stopped and can go on.
    Stopped,
    /// All is there.
    Done,
    /// It was taken back.
    RolledBack,
}

impl RunState {
    /// The state that the ledger's word says.
    pub fn of(word: &str) -> RunState {
        match word {
            "Done" => RunState::Done,
            "RolledBack" => RunState::RolledBack,
            _ => RunState::Running,
        }
    }
}

/// Something that stayed in the source.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct LeftRecord {
    /// The source's table.
    pub table: String,
    /// Its column; none for the whole table.
    pub column: Option<String>,
    /// Rows; of a column those in which it is not NULL.
    pub rows: u64,
    /// The mapping's words.
    pub reason: String,
}

/// Something in the source that is not a table of rows.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct NotTable {
    /// Its name.
    pub name: String,
    /// `view`, `virtual` or `shadow`.
    pub kind: String,
}

/// How many rows belong to one owner, by target table.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct OwnerRows {
    /// The owner as shown; none for rows without an owner.
    pub owner: Option<String>,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
}

/// One sequence.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct SequenceRecord {
    /// `schema.name`
    pub sequence: String,
    /// `table.column`
    pub column: String,
    /// Highest value in the column (lowest, for a descending sequence).
    pub max: Option<i64>,
    /// What the sequence hands out next.
    pub next: Option<i64>,
    /// Whether that is past every value there and not below the source's own counter.
    pub verdict: Verdict,
}

/// One lookup.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct LookupRecord {
    /// The load.
    pub load: String,
    /// The target column that it feeds.
    pub column: String,
    /// Each step and how often it hit.
    pub steps: Vec<LookupStep>,
    /// Keys with several answers.
    pub ambiguous: u64,
    /// Rows whose key no step found.
    pub missing: u64,
    /// Keys of rows of this run that were set aside.
    pub set_aside: u64,
    /// Such a miss is normal: it is counted here and listed nowhere.
    pub quiet: bool,
    /// How many different values none found, 500,000 standing for more; none where it was not looked at: nothing is
    /// missing, or that is normal, or the table that was looked into has changed since.
    pub missing_values: Option<u64>,
    /// The first of these values, at most 100; only on request.
    pub values: Option<Vec<String>>,
}

/// One step of a lookup.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct LookupStep {
    /// The target's side.
    pub target: String,
    /// How often it hit.
    pub hits: u64,
}

/// A loss that the mapping allowed, or a harmless change, counted.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct LossRecord {
    /// The load.
    pub load: String,
    /// The target column.
    pub column: String,
    /// The modifier.
    pub modifier: String,
    /// How many values.
    pub count: u64,
    /// Rowids of the first ones; other keys only on request.
    pub keys: Vec<String>,
}

/// One fault.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct FaultRecord {
    /// The load.
    pub load: String,
    /// `schema.table` of the target.
    pub table: String,
    /// The row's rowid, or its ordinal in a derived relation.
    pub rowid: Option<i64>,
    /// Its key where it has no rowid; only on request.
    pub key: Option<String>,
    /// The target column; none for a fault of the whole row.
    pub column: Option<String>,
    /// The source column's declared type.
    pub declared: Option<String>,
    /// The value's storage class.
    pub class: Option<StorageClass>,
    /// Its length.
    pub bytes: Option<u64>,
    /// The target column's type.
    pub target_type: Option<String>,
    /// Stable word.
    pub reason: Reason,
    /// What, why, and the mapping line that solves it.
    pub message: String,
    /// Rows that were refused because this one was.
    pub children: u64,
    /// The constraint that refused the row. JSON does not contain it.
    #[serde(skip)]
    pub constraint: Option<String>,
}

/// Something that was taken off the target.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct DetachedRecord {
    /// Its name.
    pub object: String,
    /// Its table.
    pub table: String,
    /// It is as it was.
    pub back: bool,
}

/// A connection that was lost and made again.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct RetryRecord {
    /// Seconds after the start.
    pub at: f64,
    /// SQLSTATE, or what the connection said.
    pub why: String,
}

/// Something to know that stops nothing.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Warning {
    /// Where.
    pub place: String,
    /// The message, with what to do.
    pub message: String,
    /// The kind. JSON does not contain it.
    #[serde(skip)]
    pub kind: WarningKind,
}

/// The kind of a warning, for the headline of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WarningKind {
    /// Something to know.
    #[default]
    Note,
    /// Something that a run made is still on the target after the rollback.
    Stays,
}

/// A reason why nothing may be written.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Refusal {
    /// Where: the mapping's key path, a table, a right.
    pub place: String,
    /// What and why.
    pub reason: String,
    /// The way out.
    pub advice: String,
    /// The modifier at fault; `None` if no modifier is. JSON does not contain it.
    #[serde(skip)]
    pub modifier: Option<&'static str>,
}

/// The result of one check.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Check {
    /// The kind of the check.
    pub check: CheckKind,
    /// The load or object that was checked; none for the whole.
    pub load: Option<String>,
    /// What came out.
    pub verdict: Verdict,
    /// Why it was not checked, or what differs.
    pub why: Option<String>,
    /// What should be there.
    pub expected: Option<String>,
    /// What is there.
    pub found: Option<String>,
    /// The first rows that differ, each told apart.
    pub differences: Vec<DifferingRow>,
}

/// A row that is not as it should be; of a changed one, one of its columns.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct DifferingRow {
    /// In which way.
    pub difference: Difference,
    /// `id=4711` by its unique key in the target; where that may not be shown or there is none, `source row 4711` or
    /// `target row (0,5)`.
    pub key: String,
    /// The column; none for the whole row.
    pub column: Option<String>,
    /// The value that should be there; only on request.
    pub expected: Option<String>,
    /// The value that is there; only on request.
    pub found: Option<String>,
}

/// How a row differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Difference {
    /// It should be there.
    Missing,
    /// It should not be there.
    Extra,
    /// A value of it is another.
    Changed,
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// As it should be.
    Same,
    /// Not as it should be.
    Differs,
    /// Not looked at; the reason stands beside it.
    NotChecked,
}

/// How long a step took.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct StepRecord {
    /// The step.
    pub step: StepKind,
    /// Wall clock.
    pub seconds: f64,
}
