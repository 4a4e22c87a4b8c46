//! The record of a command: the contents of a report as values. Its JSON form (`format = 1`) is a contract.
//!
//! Every form of a report prints these values and nothing else. A reader tolerates fields that it does not know.

mod fleet;
mod forecast;
mod kind;
mod make;
mod time;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cell::StorageClass;
use super::fault::Reason;

pub use fleet::{FileLine, FleetRecord, SlowFile, UnfinishedFile};
pub use forecast::{Forecast, LockedTable};
pub use kind::{Activity, CheckKind, CommandKind, NumberedBy, StepKind, WarningKind};
pub use time::{LaneSpan, RetryRecord, StepRecord};

/// Most faults that a report lists. The fault file has all of them.
pub const FAULTS_LISTED: usize = 1_000;

/// The findings and results of a command.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Report {
    /// Version of this form: 1.
    pub format: u32,
    /// The command.
    pub command: CommandKind,
    /// True if the command may not write.
    pub dry_run: bool,
    /// The mapping's name.
    pub mapping: String,
    /// The run's id in the ledger.
    pub run: Option<String>,
    /// The end of the command.
    pub exit: ExitRecord,
    /// The source.
    pub source: SourceRecord,
    /// `host:port/database`, without a secret. `None` in a dry run without a target.
    pub target: Option<String>,
    /// The owner of the stamped rows.
    pub owner: Option<OwnerRecord>,
    /// One entry per load, in their order.
    pub loads: Vec<LoadRecord>,
    /// The run's state.
    pub state: RunState,
    /// The tables and columns that stay in the source, with the reason.
    pub left: Vec<LeftRecord>,
    /// Objects of the source that are never a load: views, virtual tables, their shadow tables.
    pub not_tables: Vec<NotTable>,
    /// Rows per owner.
    pub owners: Vec<OwnerRows>,
    /// Sequences.
    pub sequences: Vec<SequenceRecord>,
    /// Lookups.
    pub lookups: Vec<LookupRecord>,
    /// Loaded tables that held rows before the run.
    #[serde(default)]
    pub existing: Vec<HeldRecord>,
    /// Losses that the mapping allowed and that happened, and harmless changes that are counted.
    pub losses: Vec<LossRecord>,
    /// The first [`FAULTS_LISTED`] faults.
    pub faults: Vec<FaultRecord>,
    /// The number of faults.
    pub fault_total: u64,
    /// The objects that were detached for the load.
    pub detached: Vec<DetachedRecord>,
    /// Connections that were lost and restored.
    pub retries: Vec<RetryRecord>,
    /// Warnings, which stop nothing.
    pub warnings: Vec<Warning>,
    /// The checks, each with its verdict.
    pub checks: Vec<Check>,
    /// The reasons why nothing was done, all at once.
    pub refusals: Vec<Refusal>,
    /// The time of each step.
    pub steps: Vec<StepRecord>,
    /// The expected cost of the run. Only a dry run with a target has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// The files of a fleet. Only its commands have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetRecord>,
    /// The work of each lane during the load, in the order in which it began.
    #[serde(default)]
    pub timeline: Vec<LaneSpan>,
    /// The arguments that named mapping, source, target and ledger, without a secret. A following command repeats them.
    #[serde(default)]
    pub arguments: Vec<String>,
}

/// The end of a command.
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
    /// Its stamp; see `sqlite::stamp`.
    pub stamp: String,
}

/// The owner.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct OwnerRecord {
    /// Its table.
    pub table: String,
    /// Its natural key.
    #[serde(rename = "match")]
    pub natural: BTreeMap<String, String>,
    /// Its key, the stamped value. `None` until it is known.
    pub key: Option<String>,
    /// True if this run made the row.
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
    /// Its state.
    pub state: LoadState,
    /// Rows that this load wrote.
    pub written: u64,
    /// Faulty rows.
    pub faults: u64,
    /// Rows whose key existed already.
    pub skipped: u64,
    /// Lanes that worked on it.
    pub lanes: u32,
    /// Seconds after the start of the command.
    pub started: f64,
    /// Seconds that it took.
    pub seconds: f64,
}

/// The state of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadState {
    /// Nothing was written yet.
    Planned,
    /// Every row is written.
    Loaded,
    /// Some rows are written. The same command resumes.
    Partial,
    /// `when = "empty"` and the table has rows: the table is unchanged.
    NotEmpty,
}

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunState {
    /// Nothing was written.
    Planned,
    /// It is at work.
    Running,
    /// It was stopped and can be resumed.
    Stopped,
    /// Every row is written.
    Done,
    /// It was rolled back.
    RolledBack,
}

impl RunState {
    /// Reads a word of the ledger.
    pub fn read(word: &str) -> Option<RunState> {
        match word {
            "Running" => Some(RunState::Running),
            "Done" => Some(RunState::Done),
            "RolledBack" => Some(RunState::RolledBack),
            _ => None,
        }
    }
}

/// Something that stayed in the source.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct LeftRecord {
    /// The source's table.
    pub table: String,
    /// Its column. `None` for the whole table.
    pub column: Option<String>,
    /// Rows. For a column, those in which it is not NULL. `None` if they cannot be counted.
    pub rows: Option<u64>,
    /// The reason that the mapping gives.
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

/// The rows of one owner, by target table.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct OwnerRows {
    /// The owner as shown. `None` for rows without an owner.
    pub owner: Option<String>,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
}

/// One sequence.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct SequenceRecord {
    /// `schema.name`
    pub sequence: String,
    /// `table.column`; several, separated by commas; empty if it numbers no column of a load.
    pub column: String,
    /// The origin of the knowledge that it numbers the column.
    pub by: NumberedBy,
    /// Highest value in the column (lowest, for a descending sequence).
    pub max: Option<i64>,
    /// The next value of the sequence.
    pub next: Option<i64>,
    /// Same if the next value is past every value in the column, and not below the source's own counter.
    pub verdict: Verdict,
}

/// One lookup.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct LookupRecord {
    /// The load.
    pub load: String,
    /// The target column that it feeds.
    pub column: String,
    /// Each step, with its hits.
    pub steps: Vec<LookupStep>,
    /// Keys with several answers.
    pub ambiguous: u64,
    /// Rows whose key no step found.
    pub missing: u64,
    /// Keys of rows that this run quarantined.
    pub set_aside: u64,
    /// True if a miss is normal: it is counted here and listed nowhere.
    pub quiet: bool,
    /// Distinct values that no step found, at most 500,000. `None` if they were not counted: nothing is missing, a miss is
    /// normal, or the lookup's table has changed since.
    pub missing_values: Option<u64>,
    /// The first of these values, at most 100; only on request.
    pub values: Option<Vec<String>>,
}

/// One step of a lookup.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct LookupStep {
    /// The target's side.
    pub target: String,
    /// Its hits.
    pub hits: u64,
}

/// The rows that a loaded table held before the run.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct HeldRecord {
    /// The table, with its schema.
    pub table: String,
    /// The number of these rows.
    pub rows: u64,
    /// Their treatment: `append`, `replace`, `match`, `skip` or `leave`.
    pub treatment: String,
    /// The rows that equal a row of the source. `None` if rows are not compared.
    pub equal: Option<u64>,
    /// The rows that differ from a row of the source and were kept.
    pub kept: Option<u64>,
    /// The rows over which the source's values were written.
    pub written_over: Option<u64>,
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
    /// The number of values.
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
    /// Its key, if it has no rowid; only on request.
    pub key: Option<String>,
    /// The target column. `None` for a fault of the whole row.
    pub column: Option<String>,
    /// The source column's declared type.
    pub declared: Option<String>,
    /// The value's storage class.
    pub class: Option<StorageClass>,
    /// Its length.
    pub bytes: Option<u64>,
    /// The target column's type.
    pub target_type: Option<String>,
    /// The reason, a stable word.
    pub reason: Reason,
    /// The fault, the reason, and the mapping line that solves it.
    pub message: String,
    /// Rows that were refused because this one was.
    pub children: u64,
    /// The constraint that refused the row. JSON does not contain it.
    #[serde(skip)]
    pub constraint: Option<String>,
}

/// An object that was detached from the target.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct DetachedRecord {
    /// Its name.
    pub object: String,
    /// Its table.
    pub table: String,
    /// True if it is reattached.
    pub back: bool,
}

/// Something to know that stops nothing.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Warning {
    /// The place.
    pub place: String,
    /// The message, with what to do.
    pub message: String,
    /// The kind. JSON does not contain it.
    #[serde(skip)]
    pub kind: WarningKind,
}

/// A reason why nothing may be written.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Refusal {
    /// The place: a key path of the mapping, a table, a right.
    pub place: String,
    /// The problem and its cause.
    pub reason: String,
    /// The way out.
    pub advice: String,
    /// The modifier at fault; `None` if no modifier is. JSON does not contain it.
    #[serde(skip)]
    pub modifier: Option<&'static str>,
    /// True for a right that the role lacks; the advice is its GRANT. JSON does not contain it.
    #[serde(skip)]
    pub is_right: bool,
}

/// The result of one check.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Check {
    /// The kind of the check.
    pub check: CheckKind,
    /// The load or object that was checked. `None` for the whole.
    pub load: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// The reason why it was not checked, or the difference.
    pub why: Option<String>,
    /// The expected state.
    pub expected: Option<String>,
    /// The state that was found.
    pub found: Option<String>,
    /// The first rows that differ, one by one.
    pub differences: Vec<DifferingRow>,
}

/// A row that is not as it should be; of a changed one, one of its columns.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct DifferingRow {
    /// The kind of the difference.
    pub difference: Difference,
    /// `id=4711` by its unique key in the target; where that may not be shown or there is none, `source row 4711` or
    /// `target row (0,5)`.
    pub key: String,
    /// The column. `None` for the whole row.
    pub column: Option<String>,
    /// The value that should be there; only on request.
    pub expected: Option<String>,
    /// The value that is there; only on request.
    pub found: Option<String>,
}

/// The kind of a difference.
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

/// The verdict of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// As it should be.
    Same,
    /// Not as it should be.
    Differs,
    /// Not checked; `why` has the reason.
    NotChecked,
}
