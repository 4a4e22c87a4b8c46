//! The definitions of the source's objects as SQLite keeps them: the facts from which tables of PostgreSQL are made.
//!
//! A cutover needs none of them; it reads [`super::schema::SourceSchema`].

use std::collections::BTreeMap;

/// The definitions of all objects of the source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceDefinitions {
    /// Ordinary tables, by name.
    pub tables: BTreeMap<String, TableDefinition>,
    /// Views.
    pub views: Vec<ViewDefinition>,
    /// Triggers.
    pub triggers: Vec<TriggerDefinition>,
    /// True if the file stores its texts in UTF-16, by whose bytes SQLite then orders them.
    pub is_utf16: bool,
}

/// An object with the SQL that created it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamedSql {
    /// Its name.
    pub name: String,
    /// The SQL as the application wrote it.
    pub sql: String,
}

/// A view of the source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ViewDefinition {
    /// Name and SQL.
    pub named: NamedSql,
    /// The names of its columns. Empty: SQLite cannot read the view.
    pub columns: Vec<String>,
}

/// A trigger of the source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TriggerDefinition {
    /// The table or view to which it belongs.
    pub table: String,
    /// Name and SQL.
    pub named: NamedSql,
}

/// The definition of one table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableDefinition {
    /// The SQL as the application wrote it. Empty if the file has none.
    pub sql: String,
    /// Columns in order, generated ones included.
    pub columns: Vec<ColumnDefinition>,
    /// Indexes, including those of its keys, in the order of their names.
    pub indexes: Vec<IndexDefinition>,
    /// Foreign keys, in the order in which they are written.
    pub foreign: Vec<ForeignDefinition>,
}

/// The definition of one column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: String,
    /// The declared type; may be empty.
    pub declared: String,
    /// Declared NOT NULL.
    pub not_null: bool,
    /// The SQL of its default.
    pub default: Option<String>,
    /// Its place in the primary key, from 1. 0: it is not part of it.
    pub in_key: usize,
    /// True if SQLite computes it.
    pub is_generated: bool,
}

/// The origin of an index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IndexOrigin {
    /// CREATE INDEX.
    #[default]
    Statement,
    /// A UNIQUE constraint.
    Unique,
    /// The primary key.
    PrimaryKey,
}

/// The definition of one index.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IndexDefinition {
    /// Its name.
    pub name: String,
    /// The origin.
    pub origin: IndexOrigin,
    /// True if it is unique.
    pub is_unique: bool,
    /// True if it has a WHERE.
    pub is_partial: bool,
    /// The SQL of CREATE INDEX. Empty for the index of a key.
    pub sql: String,
    /// Its parts in order.
    pub parts: Vec<IndexPart>,
}

/// One part of an index.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IndexPart {
    /// The column. `None`: an expression.
    pub column: Option<String>,
    /// The collation, in capitals.
    pub collation: String,
    /// True for DESC.
    pub is_descending: bool,
}

/// The definition of one foreign key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForeignDefinition {
    /// The referring columns.
    pub columns: Vec<String>,
    /// The table to which it refers, in the spelling of the reference.
    pub parent: String,
    /// The columns to which it refers. Empty: the primary key.
    pub parent_columns: Vec<String>,
    /// The action of ON UPDATE, in capitals.
    pub on_update: String,
    /// The action of ON DELETE, in capitals.
    pub on_delete: String,
}
