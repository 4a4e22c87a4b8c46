//! The sections of a mapping file, as values with their defaults.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::column::{Column, Modifiers};
use super::read::Lines;
use super::value::Written;

/// One mapping, well formed.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// With the target database, the run's identity.
    pub name: String,
    /// `[source]`
    pub source: Source,
    /// `[target]`
    pub target: Target,
    /// `[owner]`
    pub owner: Option<OwnerSection>,
    /// `[defaults]`
    pub defaults: Defaults,
    /// `[leave]`: table, column of it if one is named, reason.
    pub leave: Vec<(String, Option<String>, String)>,
    /// `[load.*]` in the order of the file.
    pub loads: Vec<Load>,
    /// The line of each key.
    pub lines: Lines,
}

/// `[source]`
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Source {
    /// The SQLite file or `.sql` dump, relative to the mapping file.
    pub path: Option<String>,
    /// What a time without an offset means.
    pub zone: Option<String>,
}

/// `[target]`
#[derive(Clone, Debug, Deserialize)]
pub struct Target {
    /// The schema of the tables.
    #[serde(default = "public")]
    pub schema: String,
    /// The variable that holds the connection string.
    #[serde(default = "database_url")]
    pub url_env: String,
    /// For `rehearse` alone: what the application's own migrations would have made.
    #[serde(default)]
    pub ddl: Vec<String>,
}

impl Default for Target {
    fn default() -> Target {
        Target { schema: public(), url_env: database_url(), ddl: Vec::new() }
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
    /// Natural key; without it nothing is stamped.
    #[serde(rename = "match")]
    pub natural: Option<BTreeMap<String, Written>>,
    /// The column that is stamped.
    #[serde(default = "id")]
    pub key: String,
    /// Its other columns when it has to be made.
    pub create: Option<BTreeMap<String, Written>>,
    /// The column by which reports name owners.
    pub show: Option<String>,
}

fn id() -> String {
    "id".to_owned()
}

/// What to do with what the mapping does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unlisted {
    /// A refusal.
    #[default]
    Refuse,
    /// One to one, by name. Tables alone.
    Copy,
    /// Left behind and reported.
    Leave,
}

/// What happens to a row that cannot go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFault {
    /// Nothing is written, or the batch is rolled back.
    #[default]
    Abort,
    /// It is set aside, the others go.
    Quarantine,
}

/// `[defaults]`
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// What happens to a row that cannot go.
    pub on_fault: OnFault,
    /// Tables of the source that nobody takes.
    pub unlisted_tables: Unlisted,
    /// Columns of the source that nobody takes.
    pub unlisted_columns: Unlisted,
    /// By name of the target's column.
    pub columns: BTreeMap<String, Modifiers>,
    /// By the target column's type.
    pub types: BTreeMap<String, Modifiers>,
    /// For every column.
    pub modifiers: Modifiers,
}

/// The keys of `[defaults]` beside `columns` and `types`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct DefaultsKeys {
    #[serde(default)]
    pub on_fault: OnFault,
    #[serde(default)]
    pub unlisted_tables: Unlisted,
    #[serde(default)]
    pub unlisted_columns: Unlisted,
}

/// `[load.NAME]`
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// Its name; target and source table unless `to` and `from` say otherwise.
    pub name: String,
    /// Where the rows come from.
    pub from: RowsFrom,
    /// The target's table.
    pub to: String,
    /// Whose the rows are.
    pub owner: OwnerRule,
    /// The unique key whose collisions are skipped.
    pub conflict: Option<Vec<String>>,
    /// `when = "empty"`
    pub when_empty: bool,
    /// `existing = "append"`
    pub append: bool,
    /// `ids = "shift"`
    pub shift: bool,
    /// `triggers = "fire"`
    pub triggers_fire: bool,
    /// Modifiers of the whole load.
    pub modifiers: Modifiers,
    /// Its columns, as far as they are written, in the order of the file.
    pub columns: Vec<(String, Column)>,
}

/// Where a load's rows come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum RowsFrom {
    /// The source's table of the load's name.
    #[default]
    SameName,
    /// A table of the source.
    Table(String),
    /// A query.
    Sql(String),
    /// Rows written down.
    Rows(Vec<BTreeMap<String, Written>>),
}

/// Whose a load's rows are.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum OwnerRule {
    /// Nothing is written.
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

/// The keys of `[load.NAME]` beside its modifiers and columns.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct LoadKeys {
    pub from: Option<toml::Value>,
    pub to: Option<String>,
    pub owner: Option<toml::Value>,
    pub conflict: Option<Conflict>,
    pub when: Option<When>,
    pub existing: Option<Existing>,
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
pub(super) enum Existing {
    Append,
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
/// The place below `from`, such as `.rows.2`, and what is wrong there.
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
                BTreeMap::<String, Written>::deserialize(row)
                    .map_err(|e| (format!(".rows.{n}"), e.message().to_owned()))
            };
            rows.into_iter().enumerate().map(row).collect::<Result<_, _>>().map(RowsFrom::Rows)
        }
        Some((key, _)) => expected(&format!(".{key}")),
        None => expected(""),
    }
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
