//! The tables of PostgreSQL as a value, before they are text, and the fate of each object of the source.

use serde::Serialize;

use super::compared::ComparedSql;
use super::expression::{ColumnOrigin, OwnerOfRow};
use super::source_comments::CommentDdl;
use crate::model::pgtype::ColumnType;
use crate::text::count;

/// A function that PostgreSQL has from version 13 on.
pub const RANDOM: &str = "gen_random_uuid()";

/// An action of foreign keys that PostgreSQL has from version 15 on.
const SET_NULL: &str = "ON DELETE SET NULL (column)";

/// Columns that every table of PostgreSQL has already.
pub const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];

/// The proposed tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ddl {
    /// The tables, in the order of their names.
    pub tables: Vec<TableDdl>,
    /// The views, each after those that it reads.
    pub views: Vec<ViewDdl>,
    /// Every object of the source with its fate.
    pub objects: Vec<ObjectFate>,
    /// The translated expressions.
    pub expressions: Vec<ExpressionPair>,
}

/// An expression that both engines compute, or a default.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpressionPair {
    /// The table.
    pub table: String,
    /// The kind of the object to which it belongs.
    pub kind: ObjectKind,
    /// The name of this object, as its fate has it.
    pub name: String,
    /// Both sides. `None` if they cannot be compared.
    pub compared: Option<ComparedSql>,
}

/// One table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableDdl {
    /// Its name.
    pub name: String,
    /// The rows of the source's table.
    pub rows: u64,
    /// Its columns.
    pub columns: Vec<ColumnDdl>,
    /// Its primary key and its unique constraints.
    pub keys: Vec<KeyDdl>,
    /// Its CHECK constraints.
    pub checks: Vec<CheckDdl>,
    /// Its indexes.
    pub indexes: Vec<IndexDdl>,
    /// Its foreign keys.
    pub foreign: Vec<ForeignDdl>,
    /// Its triggers.
    pub triggers: Vec<TriggerDdl>,
    /// True if the source has no such table: it is the table of owners.
    pub is_new: bool,
    /// Its place in a distributed PostgreSQL. `None`: the tables are not distributed.
    pub distribution: Option<Distribution>,
    /// The column that names the owner of a row. `None`: the rows have no owner.
    pub owner: Option<OwnerOfRow>,
    /// Sentences about the table as a whole.
    pub notes: Vec<String>,
    /// The comments of the source.
    pub comments: Vec<CommentDdl>,
}

/// The place of a table in a distributed PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Every node has all rows.
    Reference,
    /// The rows of one value of this column are on one node.
    By(String),
}

/// A view.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ViewDdl {
    /// Its name.
    pub name: String,
    /// The column that names the owner of a row, in addition to those of the source's view.
    pub owner: Option<String>,
    /// The other columns.
    pub columns: Vec<ViewColumn>,
    /// The SQL of its query.
    pub sql: String,
}

/// A column of a view.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewColumn {
    /// Its name.
    pub name: String,
    /// Both sides of its comparison, as a value of the view. `None`: its values have another form in SQLite.
    pub compared: Option<ComparedSql>,
    /// Its type.
    pub kind: ColumnType,
    /// The column of a table that it passes on.
    pub origin: Option<ColumnOrigin>,
}

/// A CHECK constraint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckDdl {
    /// The constraint's name. `None`: the one that PostgreSQL gives it.
    pub name: Option<String>,
    /// The SQL of its condition.
    pub sql: String,
}

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDdl {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ColumnType,
    /// NOT NULL.
    pub not_null: bool,
    /// The SQL of its default.
    pub default: Option<String>,
    /// The identity of the column. `None`: its values are not numbered.
    pub identity: Option<IdentityDdl>,
    /// The SQL from which PostgreSQL computes it.
    pub generated: Option<String>,
    /// The reason for its type.
    pub why: String,
}

/// The identity of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityDdl {
    /// The first number. `None`: 1.
    pub start: Option<i64>,
    /// The name of its sequence. `None`: the one that PostgreSQL gives it.
    pub sequence: Option<String>,
}

/// A primary key or a unique constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDdl {
    /// The constraint's name. `None`: the one that PostgreSQL gives it.
    pub name: Option<String>,
    /// True for the primary key.
    pub primary: bool,
    /// The columns.
    pub columns: Vec<String>,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexDdl {
    /// Its name.
    pub name: String,
    /// True if it is unique.
    pub is_unique: bool,
    /// Its parts as SQL.
    pub parts: Vec<String>,
    /// Its columns, if it has no expression and no condition.
    pub columns: Option<Vec<String>>,
    /// The SQL of its condition.
    pub condition: Option<String>,
}

/// A foreign key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignDdl {
    /// The constraint's name. `None`: the one that PostgreSQL gives it.
    pub name: Option<String>,
    /// The referring columns.
    pub columns: Vec<String>,
    /// The table to which it refers.
    pub parent: String,
    /// The columns to which it refers.
    pub parent_columns: Vec<String>,
    /// The action of ON UPDATE. Empty: NO ACTION.
    pub on_update: String,
    /// The action of ON DELETE. Empty: NO ACTION.
    pub on_delete: String,
    /// The columns that ON DELETE SET NULL changes. Empty: all of them.
    pub on_delete_columns: Vec<String>,
    /// DEFERRABLE.
    pub is_deferrable: bool,
    /// INITIALLY DEFERRED.
    pub is_deferred: bool,
}

/// A trigger that notes the time of an update.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TriggerDdl {
    /// Its name.
    pub name: String,
    /// The columns of UPDATE OF. Empty: every update.
    pub of: Vec<String>,
    /// The operator that the new and the old value of the column must satisfy. `None`: any values.
    pub only_if: Option<&'static str>,
    /// The column that gets the time.
    pub column: String,
    /// The SQL of the time.
    pub value: String,
    /// The same in the source.
    pub source: String,
    /// The name of its function. Under the trigger's own name, a function of the server could be meant, such as `now`.
    pub function: String,
}

/// The kind of an object of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectKind {
    /// A table.
    Table,
    /// A column.
    Column,
    /// NOT NULL, which the source does not state.
    NotNull,
    /// The default of a column.
    Default,
    /// The expression of a generated column.
    Generated,
    /// A primary key.
    PrimaryKey,
    /// A unique constraint.
    Unique,
    /// A CHECK constraint.
    Check,
    /// A foreign key.
    ForeignKey,
    /// An index.
    Index,
    /// A view.
    View,
    /// A trigger.
    Trigger,
    /// A virtual table.
    VirtualTable,
}

impl ObjectKind {
    /// Returns the kind in words.
    pub fn words(self) -> &'static str {
        match self {
            ObjectKind::Table => "table",
            ObjectKind::Column => "column",
            ObjectKind::NotNull => "NOT NULL",
            ObjectKind::Default => "default",
            ObjectKind::Generated => "generated column",
            ObjectKind::PrimaryKey => "primary key",
            ObjectKind::Unique => "unique constraint",
            ObjectKind::Check => "CHECK",
            ObjectKind::ForeignKey => "foreign key",
            ObjectKind::Index => "index",
            ObjectKind::View => "view",
            ObjectKind::Trigger => "trigger",
            ObjectKind::VirtualTable => "virtual table",
        }
    }
}

/// The fate of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// PostgreSQL has the same.
    Kept,
    /// PostgreSQL has another object with the same effect on the stored rows.
    Changed,
    /// PostgreSQL does not have it.
    LeftOut,
}

impl ObjectProof {
    /// Returns the result in words.
    pub fn words(self) -> String {
        match self {
            ObjectProof::EqualRows(rows) => format!("equal on {}", count(rows, "row", "rows")),
            ObjectProof::Equal => "equal".to_owned(),
            ObjectProof::NotCompared => "not compared".to_owned(),
        }
    }
}

/// An object of the source with its fate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ObjectFate {
    /// The table to which it belongs. `None` for a table, a view or a virtual table.
    pub table: Option<String>,
    /// Its kind.
    pub kind: ObjectKind,
    /// Its name, or a description if it has none.
    pub name: String,
    /// The fate.
    pub fate: Fate,
    /// The change, or the reason why it is left out. Empty: it is kept.
    pub why: String,
    /// The SQL that is left out. Empty: none, or none of its own.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sql: String,
    /// The result of the proof. `None`: nothing was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<ObjectProof>,
}

/// Makes the fates of the objects of one table.
pub struct FateNotes<'a> {
    /// The table.
    pub table: &'a str,
}

impl FateNotes<'_> {
    /// An object that PostgreSQL has.
    pub fn kept(&self, kind: ObjectKind, name: &str) -> ObjectFate {
        let (table, name) = (Some(self.table.to_owned()), name.to_owned());
        ObjectFate { table, kind, name, fate: Fate::Kept, why: String::new(), sql: String::new(), proof: None }
    }

    /// An object that PostgreSQL has in another form.
    pub fn changed(&self, kind: ObjectKind, name: &str, why: impl Into<String>) -> ObjectFate {
        ObjectFate { fate: Fate::Changed, why: why.into(), ..self.kept(kind, name) }
    }

    /// An object that PostgreSQL does not have.
    pub fn left_out(&self, kind: ObjectKind, name: &str, why: impl Into<String>) -> ObjectFate {
        ObjectFate { fate: Fate::LeftOut, why: why.into(), ..self.kept(kind, name) }
    }
}

/// The result of a comparison of values that both engines compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectProof {
    /// The values are equal on this number of rows.
    EqualRows(u64),
    /// The values of a default are equal.
    Equal,
    /// A value changes with the time or is random, or its type has another form in SQLite.
    NotCompared,
}

impl Ddl {
    /// Returns the oldest version of PostgreSQL that has everything.
    pub fn oldest(&self) -> u32 {
        match self.newest_need() {
            Some(SET_NULL) => 15,
            Some(_) => 13,
            None => 12,
        }
    }

    /// Returns what the oldest version that is supported does not have. `None`: it has everything.
    pub fn newest_need(&self) -> Option<&'static str> {
        let foreign = || self.tables.iter().flat_map(|table| &table.foreign);
        let defaults =
            || self.tables.iter().flat_map(|table| &table.columns).filter_map(|column| column.default.as_ref());
        if foreign().any(|foreign| !foreign.on_delete_columns.is_empty()) {
            Some(SET_NULL)
        } else {
            defaults().any(|default| default.contains(RANDOM)).then_some(RANDOM)
        }
    }

    /// Returns the objects to which an expression belongs.
    pub fn objects_of<'o>(&'o mut self, pair: &'o ExpressionPair) -> impl Iterator<Item = &'o mut ObjectFate> {
        self.objects.iter_mut().filter(|object| {
            object.kind == pair.kind && object.name == pair.name && object.table.as_ref() == Some(&pair.table)
        })
    }

    /// Returns the number of objects with a fate.
    pub fn count(&self, fate: Fate) -> usize {
        self.objects.iter().filter(|object| object.fate == fate).count()
    }
}

impl TableDdl {
    /// Returns the column of this name, in any case of ASCII letters, as SQLite compares names.
    pub fn column(&self, name: &str) -> Option<&ColumnDdl> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// Returns true if a column of this name is generated.
    pub fn is_generated(&self, name: &str) -> bool {
        self.column(name).is_some_and(|column| column.generated.is_some())
    }

    /// Returns true if expressions rely on the types of its columns.
    pub fn has_expressions(&self) -> bool {
        !self.checks.is_empty()
            || self.columns.iter().any(|column| column.generated.is_some())
            || self.indexes.iter().any(|index| index.columns.is_none())
    }

    /// Returns true if the columns are a key to which a foreign key can refer.
    pub fn has_key(&self, columns: &[String]) -> bool {
        let same = |key: &[String]| key.len() == columns.len() && key.iter().all(|name| columns.contains(name));
        self.keys.iter().any(|key| same(&key.columns))
            || self.indexes.iter().any(|index| index.is_unique && index.columns.as_deref().is_some_and(same))
    }
}
