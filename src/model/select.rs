//! What is read from the source for one load, and what a reader of it hears: a value, independent of SQLite's library.
//!
//! `plan` builds a [`Select`], `source` runs it, `migrate` and `verify` listen through a [`Sink`].

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::Serialize;

use super::cell::{Raw, RawBuf};
use super::key::Key;
use super::schema::Address;

/// One reading of the source: rows in the order of their address, cells in the order of `exprs`.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// Where the rows come from.
    pub relation: Relation,
    /// How each row is addressed; of `Sql` and `Rows` by ordinal, counted from 1.
    pub address: Address,
    /// What is read of each row.
    pub exprs: Vec<Expr>,
    /// Values of the named parameters that the mapping's SQL may use, without their colon.
    pub params: BTreeMap<String, RawBuf>,
}

/// Where rows come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Relation {
    /// A table of the source.
    Table(String),
    /// A query that SQLite runs.
    Sql(String),
    /// Rows that the mapping writes down: column names, then a value for each in each row.
    Rows {
        /// Column names.
        columns: Vec<String>,
        /// Rows, each as long as `columns`.
        rows: Vec<Vec<RawBuf>>,
    },
}

/// One cell of a row.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expr {
    /// A column of the relation, read as it is stored.
    Column(String),
    /// An expression of the mapping, evaluated by SQLite.
    Sql(String),
}

/// One row while it is being read.
pub trait Row {
    /// The cell of the n-th expression.
    fn cell(&self, n: usize) -> Raw<'_>;
    /// The row's address; builds it, so ask only where it is needed.
    fn key(&self) -> Key;
}

/// What SQLite could not compute of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The expression, where one alone is to blame.
    pub expr: Option<usize>,
    /// It is no error of the expression's: its value is larger than SQLite hands out, 1,000,000,000 bytes.
    pub too_large: bool,
}

/// Hears the rows of a [`Select`].
pub trait Sink {
    /// One row. `Break` ends the reading.
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()>;
    /// A row that SQLite could not compute: an expression of the mapping failed on it, or it is too large. Reading goes on
    /// behind it.
    fn failed(&mut self, key: Key, failed: Failed) -> ControlFlow<()>;
}
