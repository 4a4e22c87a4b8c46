//! The two schemas as values: the content of the source's file and the target's catalogue.
//!
//! `sqlite` and `pg` read them; `plan` compares them with a mapping.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::pgtype::ColumnType;
use super::placement::Placement;

/// The schema of the source.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SourceSchema {
    /// Ordinary tables, by name.
    pub tables: BTreeMap<String, SourceTable>,
    /// Objects that are never a load: views, virtual tables and their shadow tables.
    pub others: Vec<(String, OtherKind)>,
}

/// The kind of an object in the source that is not an ordinary table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OtherKind {
    /// A view.
    View,
    /// A virtual table.
    Virtual,
    /// A table in which a virtual table stores its content.
    Shadow,
}

impl OtherKind {
    /// Returns the kind in words.
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
    /// The way to address its rows.
    pub address: Address,
    /// The value of its `sqlite_sequence` row; `None` if it has no such row.
    pub counter: Option<i64>,
    /// Unique keys, including the primary key.
    pub unique: Vec<SourceUnique>,
}

/// A unique key of the source.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SourceUnique {
    /// Column names.
    pub columns: Vec<String>,
    /// True if all columns compare as BINARY and the key has no expression and no WHERE.
    pub plain: bool,
}

/// The way to find a row of a source table again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Address {
    /// By rowid, under the first of its names that no column hides.
    Rowid(String),
    /// By the primary key of a WITHOUT ROWID table.
    Key(Vec<String>),
    /// Not addressable, because columns hide every name of the rowid. Read in one transaction, addressed by ordinal.
    #[default]
    Ordinal,
}

/// One column of the source.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SourceColumn {
    /// Its name.
    pub name: String,
    /// The declared type; may be empty.
    pub declared: String,
    /// Declared NOT NULL.
    pub not_null: bool,
    /// True if the column is an alias of the rowid (INTEGER PRIMARY KEY).
    pub is_rowid: bool,
    /// The table to which a foreign key of this column alone refers.
    pub refers: Option<String>,
    /// True if the values are computed when they are read. Only the application may be able to do that.
    #[serde(skip)]
    pub is_virtual: bool,
}

impl SourceColumn {
    /// Returns the affinity that SQLite derives from the declared type.
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
    /// BLOB, formerly NONE
    Blob,
    /// REAL
    Real,
    /// NUMERIC
    Numeric,
}

/// One schema of the target's catalogue.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TargetSchema {
    /// The schema's name.
    pub schema: String,
    /// Tables, by name. A partitioned table is listed, its partitions are not.
    pub tables: BTreeMap<String, TargetTable>,
    /// Views, materialized views and foreign tables: never targets.
    pub views: Vec<String>,
    /// `server_version_num`.
    pub version: u32,
    /// Every sequence of the schema, by its name.
    #[serde(skip)]
    pub sequences: BTreeMap<String, SchemaSequence>,
    /// The database's encoding as the server writes it, such as `UTF8`; empty without a server.
    #[serde(skip)]
    pub encoding: String,
    /// The rights that the connected role lacks.
    #[serde(skip)]
    pub rights: Rights,
    /// The database's event triggers that are enabled and run for DDL.
    #[serde(skip)]
    pub event_triggers: Vec<String>,
    /// The tables that are not local, by name. Empty on a server without Citus.
    #[serde(skip)]
    pub distributed: BTreeMap<String, Placement>,
}

/// The rights that the connected role lacks, of all that any command could need. By default it lacks none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rights {
    /// The role, quoted.
    pub role: String,
    /// Missing rights on the database, on schemas, on tables and sequences.
    pub lacking: Vec<Lack>,
    /// All columns of a table, by right and table (as [`Lack::key`] writes it), if the role lacks the right on the table and
    /// holds it on some of its columns.
    pub by_column: BTreeMap<(String, String), Vec<ColumnRight>>,
    /// Missing rights on the ledger, or on the place where the ledger would be created.
    pub ledger: Vec<Lack>,
    /// Tables whose row-level security applies to the role, as `schema.table`.
    pub guarded: Vec<String>,
    /// Triggers that run for INSERT, on tables whose owner's rights the role does not have.
    pub strangers: Vec<Strangers>,
}

/// Triggers that the role may not disable.
#[derive(Clone, Debug, PartialEq)]
pub struct Strangers {
    /// `schema.table`
    pub table: String,
    /// The table's owner, quoted.
    pub owner: String,
    /// The triggers' names, separated by commas.
    pub triggers: String,
}

/// One right that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The object by its plain name: `TABLE public.user`. A sequence by its quoted name.
    pub key: String,
    /// The object as GRANT writes it: `TABLE public."user"`.
    pub on: String,
    /// The right, such as `INSERT`.
    pub right: String,
}

/// A right on one column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnRight {
    /// The column's name.
    pub name: String,
    /// The column as GRANT writes it.
    pub quoted: String,
    /// True if the role holds the right.
    pub held: bool,
}

impl Rights {
    /// Returns the right on the object with this key if it is missing.
    pub fn lack(&self, right: &str, key: &str) -> Option<&Lack> {
        self.lacking.iter().find(|lack| lack.right == right && lack.key == key)
    }

    /// Returns all columns of a table with the right on each, if the role lacks it on the table and holds it on some column.
    pub fn on_columns(&self, right: &str, key: &str) -> Option<&[ColumnRight]> {
        self.by_column.get(&(right.to_owned(), key.to_owned())).map(Vec::as_slice)
    }
}

/// One table of the target.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TargetTable {
    /// Its OID.
    pub oid: u32,
    /// Columns in order, without dropped ones.
    pub columns: Vec<TargetColumn>,
    /// Unique constraints and unique indexes without a WHERE or an expression; the primary key first.
    pub unique: Vec<TargetUnique>,
    /// Foreign keys of this table.
    pub foreign: Vec<ForeignKey>,
    /// CHECK constraints: name and definition.
    pub checks: Vec<(String, String)>,
    /// Enabled user triggers: name and mode (`O`, `A`, `R`).
    pub triggers: Vec<(String, char)>,
    /// The enabled triggers that run before each row is inserted and may change it.
    #[serde(skip)]
    pub bending: Vec<String>,
    /// Its rules that keep an INSERT with ON CONFLICT from being planned: those for INSERT that are enabled, and all for UPDATE.
    #[serde(skip)]
    pub rules: Vec<String>,
    /// The enabled triggers that run when a row is inserted.
    #[serde(skip)]
    pub inserting: Vec<String>,
    /// True if the table has at least one row that no run of this tool wrote.
    pub has_rows: bool,
    /// True if the table or a partition of it is UNLOGGED: a crash of the server empties it.
    pub unlogged: bool,
    /// Tables that inherit from it, without partitions: a query of the table reads their rows too.
    pub heirs: Vec<String>,
    /// If this is a table as a run recorded it: its columns now, unless they are as recorded.
    #[serde(skip)]
    pub altered: Vec<TargetColumn>,
}

/// One column of the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// NOT NULL, its domain's included.
    pub not_null: bool,
    /// True if the column has a default, including that of a serial.
    pub has_default: bool,
    /// True if the server computes the column, so it is never sent.
    pub generated: bool,
    /// The sequence that numbers the column: its default is the sequence's next number, or it owns the sequence.
    pub sequence: Option<Sequence>,
    /// A sequence, quoted, from which its default derives a value.
    pub draws: Option<String>,
    /// The sequences, quoted, from which defaults of the table's partitions draw. A ledger does not keep them.
    #[serde(skip)]
    pub drawn_in_partitions: Vec<String>,
}

/// The sequence of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    /// Schema and name, quoted: the argument of `nextval`.
    pub name: String,
    /// The increment; negative for a descending sequence.
    pub increment: i64,
    /// The first number of the sequence.
    pub start: i64,
    /// Lower bound.
    pub min: i64,
    /// Upper bound.
    pub max: i64,
    /// True if the column owns the sequence.
    pub owned: bool,
}

/// A sequence of the schema.
#[derive(Clone, Debug, PartialEq)]
pub struct SchemaSequence {
    /// The sequence.
    pub sequence: Sequence,
    /// True if no column owns it and no default draws from it.
    pub is_free: bool,
}

/// A unique key of the target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetUnique {
    /// The constraint's or index's name.
    pub name: String,
    /// Columns.
    pub columns: Vec<String>,
    /// True for the primary key.
    pub primary: bool,
    /// True if NULLs count as equal (PostgreSQL 15 and later).
    pub nulls_equal: bool,
    /// True if its collation treats different texts as equal.
    #[serde(default)]
    pub loose: bool,
    /// True if the key is checked at the end of a statement or transaction, so that no row can be skipped by it.
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
    /// True if the key is checked at commit, or can be.
    pub deferrable: bool,
    /// `MATCH FULL`: NULL in some columns of a reference is an error.
    #[serde(default)]
    pub match_full: bool,
    /// True if all its triggers fire in an ordinary session.
    #[serde(default)]
    pub is_enforced: bool,
}

/// An object that can be detached from a table of the target for the load and reattached unchanged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detachable {
    /// The table.
    pub table: String,
    /// The trigger's, constraint's or index's name.
    pub object: String,
    /// The object's kind.
    pub kind: DetachKind,
    /// The columns of its index or key; an expression is an empty name.
    pub columns: Vec<String>,
    /// The statements that detach it.
    pub detach_sql: Vec<String>,
    /// The statements that reattach it, in order.
    pub reattach_sql: Vec<String>,
    /// The reason why it must stay attached, regardless of the mapping; `None` if it may be detached.
    pub kept_because: Option<String>,
    /// Its OID.
    pub oid: i64,
    /// OIDs of the foreign keys that depend on it.
    pub needed_by: Vec<i64>,
    /// Columns whose values may make a row too large for it.
    pub sized: Vec<String>,
}

/// The kind of a [`Detachable`], in the order of detaching: dependent objects first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DetachKind {
    /// A user trigger, which is disabled and not dropped.
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
    /// Returns the word that the ledger and the catalogue query use.
    pub fn word(self) -> &'static str {
        match self {
            DetachKind::Trigger => "trigger",
            DetachKind::Foreign => "foreign",
            DetachKind::Index => "index",
            DetachKind::Unique => "unique",
            DetachKind::Primary => "primary",
        }
    }

    /// Reads a word of [`DetachKind::word`]; `None` for any other word.
    pub fn read(word: &str) -> Option<DetachKind> {
        use DetachKind::{Foreign, Index, Primary, Trigger, Unique};
        [Trigger, Foreign, Index, Unique, Primary].into_iter().find(|kind| kind.word() == word)
    }
}

impl SourceTable {
    /// Returns the column of this name.
    pub fn column(&self, name: &str) -> Option<&SourceColumn> {
        self.columns.iter().find(|c| c.name == name)
    }
}

impl TargetSchema {
    /// Returns the placement of a table's rows.
    pub fn placement(&self, table: &str) -> &Placement {
        self.distributed.get(table).unwrap_or(&Placement::Local)
    }

    /// Returns true if a unique key over these columns of a table counts NULLs as equal.
    pub fn equates_nulls(&self, table: &str, columns: &[String]) -> bool {
        let is_over = |key: &TargetUnique| {
            key.columns.len() == columns.len() && key.columns.iter().all(|name| columns.contains(name))
        };
        self.tables.get(table).is_some_and(|table| table.unique.iter().any(|key| key.nulls_equal && is_over(key)))
    }
}

impl TargetTable {
    /// Returns the columns that the table has now.
    pub fn present_columns(&self) -> &[TargetColumn] {
        if self.altered.is_empty() { &self.columns } else { &self.altered }
    }

    /// Returns the column of this name.
    pub fn column(&self, name: &str) -> Option<&TargetColumn> {
        self.columns.iter().find(|c| c.name == name)
    }
}
