//! Tests of the source, each with a real file in a folder of its own.
//!
//! This file contains the shared helpers: creating files, reading a whole select, and printing cells in SQLite's
//! notation.

mod dumps;
mod failing_rows;
mod files;
mod keys;
mod mapping_sql;
mod schemas;
mod snapshots;
mod values;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::{Finished, Reader, Source, SourceError, SourceOptions};
use crate::model::cell::{Raw, RawBuf};
use crate::model::hex::hex;
use crate::model::key::{Key, KeyRange};
use crate::model::schema::Address;
use crate::model::select::{Expr, Failed, Relation, Row, Select, Sink};

/// Creates a folder with a database `source.db`, from this SQL.
fn database(sql: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("source.db");
    write(&path, sql);
    (folder, path)
}

/// Runs SQL on a database file; creates the file if it does not exist.
fn write(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

fn quick() -> SourceOptions {
    SourceOptions { wait: Duration::from_millis(200), ..SourceOptions::default() }
}

fn open(path: &Path) -> Source {
    Source::open(path, &quick()).unwrap()
}

/// Returns class and message of the error of an open that must fail.
fn refusal(path: &Path) -> (super::ErrorClass, String) {
    let error = Source::open(path, &quick()).err().expect("it must not open");
    (error.class, error.to_string())
}

/// Returns a select of a table's columns by name, addressed as in the schema.
fn select(source: &Source, table: &str, columns: &[&str]) -> Select {
    Select {
        relation: Relation::Table(table.to_owned()),
        address: source.schema().tables[table].address.clone(),
        exprs: columns.iter().map(|column| Expr::Column((*column).to_owned())).collect(),
        params: BTreeMap::new(),
    }
}

/// Returns a select of SQL expressions over a table.
fn select_sql(source: &Source, table: &str, exprs: &[&str]) -> Select {
    let exprs = exprs.iter().map(|sql| Expr::Sql((*sql).to_owned())).collect();
    Select { exprs, ..select(source, table, &[]) }
}

/// Returns a select over a relation that is not a table.
fn derived(relation: Relation, exprs: &[Expr]) -> Select {
    Select { relation, address: Address::Ordinal, exprs: exprs.to_vec(), params: BTreeMap::new() }
}

/// Returns the number of numbers in each column of a table.
fn numbers(source: &Source, table: &str) -> Vec<u64> {
    let columns: Vec<&str> = source.schema().tables[table].columns.iter().map(|column| column.name.as_str()).collect();
    let counts = source.reader().unwrap().column_numbers(table, &columns).unwrap();
    counts.iter().map(|numbers| numbers.all).collect()
}

fn column(name: &str) -> Expr {
    Expr::Column(name.to_owned())
}

fn sql(text: &str) -> Expr {
    Expr::Sql(text.to_owned())
}

/// A sink that keeps all rows.
#[derive(Default)]
struct Kept {
    cells: usize,
    rows: Vec<Vec<String>>,
    keys: Vec<Key>,
    failed: Vec<(Key, Option<usize>)>,
    most: Option<usize>,
}

impl Sink for Kept {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.rows.push((0..self.cells).map(|n| said(row.cell(n))).collect());
        self.keys.push(row.key());
        if self.most == Some(self.rows.len()) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn failed(&mut self, key: Key, failed: Failed) -> ControlFlow<()> {
        self.failed.push((key, failed.expr));
        ControlFlow::Continue(())
    }
}

/// Reads a range.
fn range(reader: &Reader, select: &Select, after: Option<&Key>, until: Option<&Key>) -> Result<Kept, SourceError> {
    let mut kept = Kept { cells: select.exprs.len(), ..Kept::default() };
    assert_eq!(reader.scan(select, KeyRange { after, until }, &mut kept)?, Finished::All);
    Ok(kept)
}

/// Reads all rows.
fn all(source: &Source, select: &Select) -> Kept {
    range(&source.reader().unwrap(), select, None, None).unwrap()
}

/// Returns the rows of a table's columns.
fn rows(source: &Source, table: &str, columns: &[&str]) -> Vec<Vec<String>> {
    all(source, &select(source, table, columns)).rows
}

/// Formats a cell in SQLite's notation. Text that is not UTF-8 is printed as hex after a `t`.
fn said(cell: Raw<'_>) -> String {
    match cell {
        Raw::Null => "NULL".to_owned(),
        Raw::Integer(i) => i.to_string(),
        Raw::Real(r) => format!("{r:?}"),
        Raw::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => format!("'{text}'"),
            Err(_) => format!("t'{}'", hex(bytes)),
        },
        Raw::Blob(bytes) => format!("x'{}'", hex(bytes)),
    }
}

fn text_key(parts: &[&str]) -> Key {
    Key(parts.iter().map(|part| RawBuf::text(*part)).collect())
}
