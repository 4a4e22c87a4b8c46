//! The values that are read from the source for one load, independent of SQLite's library.
//!
//! `plan` builds a [`Select`], `sqlite` runs it, `migrate` and `verify` receive its rows through a [`Sink`].

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::Serialize;

use super::cell::{Raw, RawBuf};
use super::key::Key;
use super::schema::Address;

/// One reading of the source: rows in the order of their address, cells in the order of `exprs`.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// The origin of the rows.
    pub relation: Relation,
    /// The way to address each row; `Sql` and `Rows` use ordinals, counted from 1.
    pub address: Address,
    /// The expressions that are read of each row.
    pub exprs: Vec<Expr>,
    /// Values of the named parameters that the mapping's SQL may use, without their colon.
    pub params: BTreeMap<String, RawBuf>,
}

/// The origin of rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Relation {
    /// A table of the source.
    Table(String),
    /// A query that SQLite runs.
    Sql(String),
    /// Rows written in the mapping: column names, then a value for each in each row.
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
    /// Returns the cell of the n-th expression.
    fn cell(&self, n: usize) -> Raw<'_>;
    /// Returns the row's key. Builds it on each call, so call it only if it is needed.
    fn key(&self) -> Key;
}

/// A row that SQLite could not compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The expression at fault; `None` if no single expression is.
    pub expr: Option<usize>,
    /// True if the expression is correct but its value exceeds SQLite's limit of 1,000,000,000 bytes.
    pub too_large: bool,
}

/// Receives the rows of a [`Select`].
pub trait Sink {
    /// Receives one row. `Break` ends the reading.
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()>;
    /// Receives a row that SQLite could not compute: an expression of the mapping failed, or the row is too large. Reading
    /// continues after it.
    fn failed(&mut self, key: Key, failed: Failed) -> ControlFlow<()>;
}

/// The answer of a sink that wants further rows.
pub const CONTINUE: ControlFlow<()> = ControlFlow::Continue(());
