//! The two schemas as values: what the source's file holds and what the target's catalogue says.
//!
//! Reading them is the work of `source` and `target`; judging them against a mapping is `plan`'s.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::pgtype::ColumnType;

/// What the source holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SourceSchema {
    /// Ordinary tables, by name.
    pub tables: BTreeMap<String, SourceTable>,
    /// What is there and is never a load: views, virtual tables and their shadows.
    pub others: Vec<(String, OtherKind)>,
}

/// Something in the source that is not a table of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OtherKind {
    /// A view.
    View,
    /// A virtual table.
    Virtual,
    /// A table that a virtual table keeps its content in.
    Shadow,
}

impl OtherKind {
    /// What it is, in words.
    pub fn words(self) -> &'static str {
        match self {
            OtherKind::View => "view",
            OtherKind::Virtual => "virtual table",
            OtherKind::Shadow => "shadow table",
        }
    }
}

/// One table of the source.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SourceTable {
    /// Its columns in order, generated ones included.
    pub columns: Vec<SourceColumn>,
    /// How its rows are addressed.
    pub address: Address,
    /// The value of its `sqlite_sequence` row, if there is one.
    pub counter: Option<i64>,
    /// Unique keys, the primary key among them: the columns, and whether all compare as BINARY.
    pub unique: Vec<SourceUnique>,
}

/// A unique key of the source.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SourceUnique {
    /// Column names.
    pub columns: Vec<String>,
    /// No collation but BINARY, no expression, no WHERE.
    pub plain: bool,
}

/// How rows of a table of the source are found again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Address {
    /// By rowid, under the first of its names that no column hides.
    Rowid(String),
    /// By the primary key of a WITHOUT ROWID table.
    Key(Vec<String>),
    /// Not at all: every name of the rowid is a column. Read in one transaction, addressed by ordinal.
    #[default]
    Ordinal,
}

/// One column of the source.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SourceColumn {
    /// Its name.
    pub name: String,
    /// As declared; may be empty.
    pub declared: String,
    /// Declared NOT NULL.
    pub not_null: bool,
    /// Is the rowid under a name of its own (INTEGER PRIMARY KEY).
    pub is_rowid: bool,
}

impl SourceColumn {
    /// The affinity that SQLite derives from the declared type.
    pub fn affinity(&self) -> Affinity {
        let declared = self.declared.to_ascii_uppercase();
        let has = |part: &str| declared.contains(part);
        if has("INT") {
            Affinity::Integer
        } else if has("CHAR") || has("CLOB") || has("TEXT") {
            Affinity::Text
        } else if declared.is_empty() || has("BLOB") {
            Affinity::Blob
        } else if has("REAL") || has("FLOA") || has("DOUB") {
            Affinity::Real
        } else {
            Affinity::Numeric
        }
    }
}

/// SQLite's column affinities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Affinity {
    /// INTEGER
    Integer,
    /// TEXT
    Text,
    /// BLOB, once called NONE
    Blob,
    /// REAL
    Real,
    /// NUMERIC
    Numeric,
}

/// What the target's catalogue says of one schema.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TargetSchema {
    /// The schema's name.
    pub schema: String,
    /// Tables, by name. Partitions are not among them, their root is.
    pub tables: BTreeMap<String, TargetTable>,
    /// Views, materialized views and foreign tables: never targets.
    pub views: Vec<String>,
    /// `server_version_num`.
    pub version: u32,
    /// The database's encoding as the server names it, such as `UTF8`; empty without a server.
    #[serde(skip)]
    pub encoding: String,
    /// What the connected role may not do.
    #[serde(skip)]
    pub rights: Rights,
}

/// What the connected role may not do, of all that any command could want; by default nothing is forbidden.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rights {
    /// The role, quoted.
    pub role: String,
    /// Rights that it lacks: on the database, on schemas, on tables and sequences.
    pub lacking: Vec<Lack>,
    /// By right and table (as [`Lack::key`] names it), where the right is lacking on the table and held on some of its
    /// columns: all of its columns.
    pub by_column: BTreeMap<(String, String), Vec<ColumnRight>>,
    /// Rights that it lacks on the ledger, or where the ledger would be made.
    pub ledger: Vec<Lack>,
    /// Tables whose row-level security applies to it, as `schema.table`.
    pub guarded: Vec<String>,
    /// Triggers that run for INSERT, on tables of an owner that it is no member of.
    pub strangers: Vec<Strangers>,
}

/// Triggers that the role may not switch off.
#[derive(Clone, Debug, PartialEq)]
pub struct Strangers {
    /// `schema.table`
    pub table: String,
    /// Its owner, quoted.
    pub owner: String,
    /// Their names, with commas between them.
    pub triggers: String,
}

/// One right that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// What it is missing on, by its plain name: `TABLE public.user`. A sequence by its quoted one.
    pub key: String,
    /// The same as GRANT writes it: `TABLE public."user"`.
    pub on: String,
    /// Such as `INSERT`.
    pub right: String,
}

/// A right on one column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnRight {
    /// The column.
    pub name: String,
    /// The same as GRANT writes it.
    pub quoted: String,
    /// Whether it is held.
    pub held: bool,
}

impl Rights {
    /// The right on what has this key, if it is missing.
    pub fn lack(&self, right: &str, key: &str) -> Option<&Lack> {
        self.lacking.iter().find(|lack| lack.right == right && lack.key == key)
    }

    /// The columns of a table and the right on each, where it is lacking on the table and held on some column.
    pub fn on_columns(&self, right: &str, key: &str) -> Option<&[ColumnRight]> {
        self.by_column.get(&(right.to_owned(), key.to_owned())).map(Vec::as_slice)
    }
}

/// One table of the target.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TargetTable {
    /// Its OID.
    pub oid: u32,
    /// Columns in order, dropped ones left out.
    pub columns: Vec<TargetColumn>,
    /// Unique constraints and unique indexes without a WHERE or an expression; the primary key first.
    pub unique: Vec<TargetUnique>,
    /// Foreign keys of this table.
    pub foreign: Vec<ForeignKey>,
    /// CHECK constraints: name and definition.
    pub checks: Vec<(String, String)>,
    /// User triggers that are enabled: name, and how (`O`, `A`, `R`).
    pub triggers: Vec<(String, char)>,
    /// Those of them that run before each row goes in, and may change it.
    #[serde(skip)]
    pub bending: Vec<String>,
    /// Whether at least one row is there (of no run of ours).
    pub has_rows: bool,
    /// A crash of the server empties it, or a partition of it.
    pub unlogged: bool,
    /// Tables that inherit from it, partitions not among them: whoever reads it reads their rows too.
    pub heirs: Vec<String>,
}

/// One column of the target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// NOT NULL, its domain's included.
    pub not_null: bool,
    /// Has a default (a serial's included).
    pub has_default: bool,
    /// The server computes it: never sent.
    pub generated: bool,
    /// The sequence that numbers it: its default is the number drawn from it, or it owns it.
    pub sequence: Option<Sequence>,
    /// A sequence, quoted, from which its default makes a value of its own.
    pub draws: Option<String>,
}

/// A sequence behind a column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sequence {
    /// Schema and name, quoted: what `nextval` takes.
    pub name: String,
    /// Step; negative for a descending one.
    pub increment: i64,
    /// The first value it hands out.
    pub start: i64,
    /// Lower bound.
    pub min: i64,
    /// Upper bound.
    pub max: i64,
    /// Whether the column owns it.
    pub owned: bool,
}

/// A unique key of the target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetUnique {
    /// The constraint's or index's name.
    pub name: String,
    /// Columns.
    pub columns: Vec<String>,
    /// Is the primary key.
    pub primary: bool,
    /// NULLs count as equal (PostgreSQL 15 and later).
    pub nulls_equal: bool,
    /// Its collation takes different texts for equal.
    #[serde(default)]
    pub loose: bool,
    /// Checked at the end of a statement or transaction, so that no row can be skipped by it.
    #[serde(default)]
    pub deferrable: bool,
}

/// A foreign key of the target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: String,
    /// Referencing columns.
    pub columns: Vec<String>,
    /// Schema of the referenced table.
    pub parent_schema: String,
    /// The referenced table.
    pub parent: String,
    /// Referenced columns.
    pub parent_columns: Vec<String>,
    /// `ON DELETE CASCADE`.
    pub cascades: bool,
    /// Checked at commit, or can be.
    pub deferrable: bool,
}

/// Something that can be taken off a table of the target for the load and put back exactly as it was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detachable {
    /// The table.
    pub table: String,
    /// The trigger's, constraint's or index's name.
    pub object: String,
    /// What it is.
    pub kind: DetachKind,
    /// Its columns, where it stands over plain ones; an expression is an empty name.
    pub columns: Vec<String>,
    /// The statements that take it off.
    pub off: Vec<String>,
    /// The statements that put it back, in order.
    pub back: Vec<String>,
    /// Why it has to stay, whatever the mapping says.
    pub stays: Option<String>,
    /// Its OID.
    pub oid: i64,
    /// OIDs of the foreign keys that stand on it.
    pub needed_by: Vec<i64>,
    /// Columns that may make a row too large for it.
    pub sized: Vec<String>,
}

/// What a [`Detachable`] is, in the order in which they go: what stands on others first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DetachKind {
    /// A user trigger: switched off, not dropped.
    Trigger,
    /// A foreign key.
    Foreign,
    /// An index that is not unique.
    Index,
    /// A unique constraint or index.
    Unique,
    /// The primary key.
    Primary,
}

impl DetachKind {
    /// The word that the ledger and the catalogue query use.
    pub fn word(self) -> &'static str {
        match self {
            DetachKind::Trigger => "trigger",
            DetachKind::Foreign => "foreign",
            DetachKind::Index => "index",
            DetachKind::Unique => "unique",
            DetachKind::Primary => "primary",
        }
    }

    /// Reads [`DetachKind::word`].
    pub fn read(word: &str) -> Option<DetachKind> {
        use DetachKind::{Foreign, Index, Primary, Trigger, Unique};
        [Trigger, Foreign, Index, Unique, Primary].into_iter().find(|kind| kind.word() == word)
    }
}

impl SourceTable {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&SourceColumn> {
        self.columns.iter().find(|c| c.name == name)
    }
}

impl TargetTable {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&TargetColumn> {
        self.columns.iter().find(|c| c.name == name)
    }
}
