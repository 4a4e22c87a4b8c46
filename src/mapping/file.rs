//! The sections of a mapping file, as values with their defaults.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::column::{MappedColumn, Modifiers};
use super::existing::ExistingKey;
use super::lines::KeyLines;
use super::value::{OwnerValue, WrittenValue};
use crate::model::rules::Existing;

/// A well-formed mapping.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// The mapping's name; with the target database it identifies the run.
    pub name: String,
    /// `[source]`
    pub source: SourceSection,
    /// `[target]`
    pub target: TargetSection,
    /// `[owner]`
    pub owner: Option<OwnerSection>,
    /// `[defaults]`
    pub defaults: Defaults,
    /// `[leave]`: tables and columns that stay in the source.
    pub leave: Vec<LeaveEntry>,
    /// `[sequences]`
    pub sequences: Vec<SequenceEntry>,
    /// `[load.*]` in the order of the file.
    pub loads: Vec<Load>,
    /// The line of each key in the file.
    pub lines: KeyLines,
}

/// One entry of `[leave]`.
#[derive(Clone, Debug, PartialEq)]
pub struct LeaveEntry {
    /// The source table.
    pub table: String,
    /// The column of the table; `None` for the whole table.
    pub column: Option<String>,
    /// The reason why it stays in the source.
    pub reason: String,
}

/// One entry of `[sequences]`.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceEntry {
    /// The sequence's name.
    pub name: String,
    /// The columns whose values it issues, each as `table.column`, or as `-table.column` if the column holds the negative of
    /// the issued number. None: it issues no value of a loaded row.
    pub columns: Vec<String>,
}

/// `[source]`
#[derive(Clone, Debug, Default, Deserialize)]
pub struct SourceSection {
    /// The SQLite file or `.sql` dump, relative to the mapping file.
    pub path: Option<String>,
    /// The zone of times without an offset.
    pub zone: Option<String>,
}

/// `[target]`
#[derive(Clone, Debug, Deserialize)]
pub struct TargetSection {
    /// The schema of the target's tables.
    #[serde(default = "public")]
    pub schema: String,
    /// The environment variable that holds the connection string.
    #[serde(default = "database_url")]
    pub url_env: String,
    /// The tables for `rehearse` alone, in place of the application's own migrations.
    #[serde(default)]
    pub ddl: TargetDdl,
    /// The consequence of version tables that differ.
    #[serde(default)]
    pub versions: VersionRule,
}

/// `[target] ddl`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub enum TargetDdl {
    /// Files of statements.
    Files(Vec<String>),
    /// `"auto"`: the tables of `migrate schema`.
    Auto,
}

impl Default for TargetDdl {
    fn default() -> TargetDdl {
        TargetDdl::Files(Vec::new())
    }
}

impl TryFrom<toml::Value> for TargetDdl {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<TargetDdl, String> {
        let expected = "a list of files or \"auto\" is expected".to_owned();
        if value.as_str() == Some("auto") {
            return Ok(TargetDdl::Auto);
        }
        let files = value.as_array().map(|files| files.iter().map(|file| file.as_str().map(str::to_owned)).collect());
        files.flatten().map(TargetDdl::Files).ok_or(expected)
    }
}

/// `[target] versions`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VersionRule {
    /// A difference is a warning.
    #[default]
    Warn,
    /// A difference is a refusal.
    Refuse,
}

impl Default for TargetSection {
    fn default() -> TargetSection {
        TargetSection {
            schema: public(),
            url_env: database_url(),
            ddl: TargetDdl::default(),
            versions: VersionRule::Warn,
        }
    }
}

fn public() -> String {
    "public".to_owned()
}

fn database_url() -> String {
    "DATABASE_URL".to_owned()
}

/// `[owner]`
#[derive(Clone, Debug, Deserialize)]
pub struct OwnerSection {
    /// The owner's table.
    pub table: String,
    /// The natural key; without it no row is stamped.
    #[serde(rename = "match")]
    pub natural: Option<BTreeMap<String, OwnerValue>>,
    /// The column whose value is stamped.
    #[serde(default = "id")]
    pub key: String,
    /// The other columns of a new owner row; `None`: the row must exist.
    pub create: Option<BTreeMap<String, OwnerValue>>,
    /// The column by which reports show owners.
    pub show: Option<String>,
}

fn id() -> String {
    "id".to_owned()
}

/// The treatment of tables and columns that the mapping does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unlisted {
    /// They are refused.
    #[default]
    Refuse,
    /// They are copied one to one, by name. For tables alone.
    Copy,
    /// They stay in the source and are reported.
    Leave,
}

/// The treatment of a row that cannot be loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFault {
    /// The run stops: nothing is written, or the batch is rolled back.
    #[default]
    Abort,
    /// The row is quarantined, the others are loaded.
    Quarantine,
}

/// `[defaults]`
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// The treatment of a row that cannot be loaded.
    pub on_fault: OnFault,
    /// The treatment of source tables that the mapping does not name.
    pub unlisted_tables: Unlisted,
    /// The treatment of source columns that the mapping does not name.
    pub unlisted_columns: Unlisted,
    /// The treatment of rows that a table holds before the run; `None`: such a table is refused.
    pub existing: Option<Existing>,
    /// The column that is stamped with the owner, in every table that has it and whose load states no owner.
    pub owner: Option<String>,
    /// Modifiers by the target column's name.
    pub columns: BTreeMap<String, Modifiers>,
    /// Modifiers by the target column's type.
    pub types: BTreeMap<String, Modifiers>,
    /// Modifiers of every column.
    pub modifiers: Modifiers,
}

/// The keys of `[defaults]`, next to `columns`, `types` and the modifiers.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct DefaultsKeys {
    #[serde(default)]
    pub on_fault: OnFault,
    #[serde(default)]
    pub unlisted_tables: Unlisted,
    #[serde(default)]
    pub unlisted_columns: Unlisted,
    pub existing: Option<ExistingKey>,
    pub owner: Option<String>,
}

/// `[load.NAME]`
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// The load's name, which is also that of the target and source table unless `to` and `from` name others.
    pub name: String,
    /// The origin of the rows.
    pub from: RowsFrom,
    /// The target's table.
    pub to: String,
    /// The rule for the rows' owners.
    pub owner: OwnerRule,
    /// The columns of the unique key whose collisions are skipped.
    pub conflict: Option<Vec<String>>,
    /// `when = "empty"`
    pub when_empty: bool,
    /// The treatment of rows that the table holds before the run; `None`: that of `[defaults]`.
    pub existing: Option<Existing>,
    /// The treatment of a row that cannot be loaded; `None`: that of `[defaults]`.
    pub on_fault: Option<OnFault>,
    /// `ids = "shift"`
    pub shift: bool,
    /// `triggers = "fire"`
    pub triggers_fire: bool,
    /// Modifiers of all columns of the load.
    pub modifiers: Modifiers,
    /// The columns that the mapping writes, in the order of the file.
    pub columns: Vec<(String, MappedColumn)>,
}

/// The origin of a load's rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum RowsFrom {
    /// The source table of the load's name.
    #[default]
    SameName,
    /// A table of the source.
    Table(String),
    /// A query.
    Sql(String),
    /// Rows written in the mapping.
    Rows(Vec<BTreeMap<String, WrittenValue>>),
}

/// The rule for the owners of a load's rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum OwnerRule {
    /// The mapping has no rule.
    #[default]
    Unsaid,
    /// `owner = false`
    Shared,
    /// `owner = "column"`, or a list.
    Stamped(Vec<String>),
    /// `owner = { carried = "column" }`
    Carried(String),
    /// `owner = { through = "column" }`
    Through(String),
}

/// The keys of `[load.NAME]`, next to its modifiers and columns.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct LoadKeys {
    pub from: Option<toml::Value>,
    pub to: Option<String>,
    pub owner: Option<toml::Value>,
    pub conflict: Option<Conflict>,
    pub when: Option<When>,
    pub existing: Option<ExistingKey>,
    pub on_fault: Option<OnFault>,
    pub ids: Option<Ids>,
    pub triggers: Option<Triggers>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Conflict {
    pub skip: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum When {
    Empty,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Ids {
    Shift,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Triggers {
    Off,
    Fire,
}

/// Reads `from`.
///
/// # Errors
/// The place below `from`, such as `.rows.2`, and what is wrong with it.
pub(super) fn read_from(value: toml::Value) -> Result<RowsFrom, (String, String)> {
    let expected =
        |at: &str| Err((at.to_owned(), "from is a table's name, { sql = \"...\" } or { rows = [ ... ] }".to_owned()));
    let table = match value {
        toml::Value::String(table) => return Ok(RowsFrom::Table(table)),
        toml::Value::Table(table) if table.len() == 1 => table,
        _ => return expected(""),
    };
    match table.into_iter().next() {
        Some((key, toml::Value::String(sql))) if key == "sql" => Ok(RowsFrom::Sql(sql)),
        Some((key, toml::Value::Array(rows))) if key == "rows" => {
            let row = |(n, row): (usize, toml::Value)| {
                BTreeMap::<String, WrittenValue>::deserialize(row)
                    .map_err(|e| (format!(".rows.{n}"), e.message().to_owned()))
            };
            rows.into_iter().enumerate().map(row).collect::<Result<_, _>>().map(RowsFrom::Rows)
        }
        Some((key, _)) => expected(&format!(".{key}")),
        None => expected(""),
    }
}

/// Reads the columns of one entry of `[sequences]`.
pub(super) fn read_sequence(value: toml::Value) -> Result<Vec<String>, String> {
    let columns = match value {
        toml::Value::Boolean(false) => return Ok(Vec::new()),
        toml::Value::String(column) => Some(vec![column]),
        toml::Value::Array(columns) => columns.into_iter().map(|c| c.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    columns
        .filter(|columns| !columns.is_empty())
        .ok_or_else(|| "a sequence is \"table.column\", a list of them, or false".to_owned())
}

/// Reads `owner` of a load.
pub(super) fn read_owner(value: toml::Value) -> Result<OwnerRule, String> {
    let expected = || {
        "owner is a column, a list of columns, false, { carried = \"column\" } or { through = \"column\" }".to_owned()
    };
    match value {
        toml::Value::Boolean(false) => Ok(OwnerRule::Shared),
        toml::Value::String(column) => Ok(OwnerRule::Stamped(vec![column])),
        toml::Value::Array(columns) => {
            let columns = columns.into_iter().map(|c| c.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
            columns.filter(|c| !c.is_empty()).map(OwnerRule::Stamped).ok_or_else(expected)
        }
        toml::Value::Table(mut table) if table.len() == 1 => match (table.remove("carried"), table.remove("through")) {
            (Some(toml::Value::String(column)), None) => Ok(OwnerRule::Carried(column)),
            (None, Some(toml::Value::String(column))) => Ok(OwnerRule::Through(column)),
            _ => Err(expected()),
        },
        _ => Err(expected()),
    }
}
