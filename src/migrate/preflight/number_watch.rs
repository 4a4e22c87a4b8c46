//! Counts the numbers in the columns of the source for which a number is a reason to warn: columns whose values may have been
//! changed when they were stored, and columns that feed a date. Counts the values of columns that stay in the source, too, and the
//! texts that SQLite does not read as they are stored. The preflight counts them in the rows that it reads anyway.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::column_numbers::ColumnNumbers;
use crate::model::record::Warning;
use crate::model::schema::SourceSchema;
use crate::model::select::{Expr, Relation};
use crate::plan::{LoadPlan, Plan};
use crate::sqlite::{Source, SourceError, is_value};

use super::range::LoadPreflight;
use super::source_numbers::SourceNumbers;
use super::{lost_values, time_units};

/// Most columns of one statement. SQLite's default limit is 2,000, and a key comes on top.
const MOST_COLUMNS: usize = 1_900;

/// The columns to count.
#[derive(Clone, Debug, Default)]
pub struct NumberWatch {
    /// By table of the source.
    wanted: BTreeMap<String, BTreeSet<String>>,
    /// By load: the positions of the columns among its expressions. One load of a table has them.
    cells: BTreeMap<String, Vec<WatchedCell>>,
    /// The columns that stay in the source, by table.
    left: BTreeMap<String, BTreeSet<String>>,
    /// The columns whose texts are examined, each with the expression that is 1 for a text that SQLite misreads, by table.
    texts: BTreeMap<String, Vec<(String, String)>>,
}

#[derive(Clone, Debug)]
struct WatchedCell {
    column: String,
    cell: usize,
    counts: WatchedValues,
}

#[derive(Clone, Copy, Debug)]
enum WatchedValues {
    /// The numbers of the column.
    Numbers,
    /// The cell is 1 where the column is not NULL.
    Present,
    /// The cell is 1 where the column holds text that SQLite misreads.
    Misread,
}

impl NumberWatch {
    /// Returns the columns to count for a plan. Tables and columns that stay in the source are left out.
    pub fn of(plan: &Plan, source: &SourceSchema) -> NumberWatch {
        let mut watch = NumberWatch::of_left(plan);
        for (name, table) in &source.tables {
            let stays =
                |column: Option<&str>| plan.left.iter().any(|l| l.table == *name && l.column.as_deref() == column);
            if stays(None) {
                continue;
            }
            let columns = table.columns.iter().filter(|column| !stays(Some(&column.name)));
            let suspects = columns.filter(|column| lost_values::is_suspect(column));
            watch.wanted.insert(name.clone(), suspects.map(|column| column.name.clone()).collect());
        }
        for load in &plan.loads {
            let Relation::Table(table) = &load.select.relation else { continue };
            let dated = time_units::dated_columns(load).map(|dated| dated.source.to_owned());
            watch.wanted.entry(table.clone()).or_default().extend(dated);
        }
        watch.wanted.retain(|_, columns| !columns.is_empty());
        watch
    }

    /// Returns the columns that stay in the source, whose values every report counts.
    pub fn of_left(plan: &Plan) -> NumberWatch {
        let mut watch = NumberWatch::default();
        for left in &plan.left {
            let columns = watch.left.entry(left.table.clone()).or_default();
            columns.extend(left.column.clone());
        }
        watch
    }

    /// Adds the texts of a file in UTF-16, except those of tables and columns that stay in the source.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn with_texts(mut self, plan: &Plan, source: &Source) -> Result<NumberWatch, SourceError> {
        for (name, table) in &source.schema().tables {
            let stays =
                |column: Option<&str>| plan.left.iter().any(|l| l.table == *name && l.column.as_deref() == column);
            let columns = table.columns.iter().filter(|column| !column.is_virtual && !stays(Some(&column.name)));
            let columns: Vec<&str> = columns.map(|column| column.name.as_str()).collect();
            let tests = if stays(None) { Vec::new() } else { source.reader()?.half_surrogate_sql(&columns)? };
            let names = columns.into_iter().map(str::to_owned);
            self.texts.insert(name.clone(), names.zip(tests).collect());
        }
        Ok(self)
    }

    /// Adds the columns that the plan does not read to its loads, after all other expressions, except those that a reading would
    /// have to compute.
    pub fn add_to(&mut self, plan: &mut Plan, source: &SourceSchema) {
        let mut watched = BTreeSet::new();
        for load in plan.loads.iter_mut().filter(|load| !load.when_empty) {
            let Relation::Table(table) = &load.select.relation else { continue };
            let none = BTreeSet::new();
            let (columns, left) = (self.wanted.get(table).unwrap_or(&none), self.left.get(table).unwrap_or(&none));
            let texts = self.texts.get(table).map(Vec::as_slice).unwrap_or_default();
            let added = columns.len() + left.len() + texts.len();
            if added > 0 && load.select.exprs.len() + added <= MOST_COLUMNS && watched.insert(table.clone()) {
                let is_virtual = |column: &str| {
                    source.tables.get(table).and_then(|t| t.column(column)).is_some_and(|column| column.is_virtual)
                };
                let exprs = &mut load.select.exprs;
                let cells = columns.iter().filter_map(|column| watched_cell(exprs, column, is_virtual(column)));
                let mut cells: Vec<WatchedCell> = cells.collect();
                cells.extend(left.iter().filter(|column| !is_virtual(column)).map(|column| {
                    exprs.push(Expr::Sql(is_value(column)));
                    WatchedCell { column: column.clone(), cell: exprs.len() - 1, counts: WatchedValues::Present }
                }));
                cells.extend(texts.iter().map(|(column, test)| {
                    exprs.push(Expr::Sql(test.clone()));
                    WatchedCell { column: column.clone(), cell: exprs.len() - 1, counts: WatchedValues::Misread }
                }));
                self.cells.insert(load.name.clone(), cells);
            }
        }
    }

    /// Returns the positions of the watched columns of a load, in a fixed order.
    pub fn cells_of(&self, load: &str) -> Vec<usize> {
        self.cells.get(load).map_or_else(Vec::new, |cells| cells.iter().map(|watched| watched.cell).collect())
    }

    /// Returns the counts: those of the rows that were found, and those of the columns that no load read. Notes the number of
    /// values of the columns that stay in the source.
    pub fn counts(&self, loads: &[LoadPlan], found: &[LoadPreflight], source: &Source) -> SourceNumbers {
        let mut all = SourceNumbers::default();
        for (load, cells) in &self.cells {
            let relation = loads.iter().find(|plan| plan.name == *load).map(|plan| &plan.select.relation);
            let found = found.iter().find(|found| found.load == *load);
            let (Some(Relation::Table(table)), Some(found)) = (relation, found) else { continue };
            if found.lacks_rows {
                continue;
            }
            for (WatchedCell { column, counts, .. }, numbers) in cells.iter().zip(&found.numbers) {
                match counts {
                    WatchedValues::Present => source.know_values(table, column, numbers.nonzero),
                    WatchedValues::Misread => source.know_half_surrogates(table, column, numbers.nonzero),
                    WatchedValues::Numbers => {
                        _ = all.counted.entry(table.clone()).or_default().insert(column.clone(), *numbers)
                    }
                }
            }
        }
        for (table, columns) in &self.wanted {
            let counted = all.counted.entry(table.clone()).or_default();
            let missing: Vec<&str> =
                columns.iter().map(String::as_str).filter(|column| !counted.contains_key(*column)).collect();
            match counts_of(source, table, &missing) {
                Ok(counts) => counted.extend(missing.iter().map(|column| (*column).to_owned()).zip(counts)),
                Err(error) => {
                    let message = format!("what its values lost before this run cannot be determined: {error}");
                    all.unreadable.push(Warning::new(format!("source table `{table}`"), message));
                }
            }
        }
        all
    }
}

/// Returns the position of a column among the expressions. Adds it unless it `is_virtual`.
fn watched_cell(exprs: &mut Vec<Expr>, column: &str, is_virtual: bool) -> Option<WatchedCell> {
    let expr = Expr::Column(column.to_owned());
    let known = exprs.iter().position(|read| *read == expr);
    if known.is_none() && is_virtual {
        return None;
    }
    let cell = known.unwrap_or(exprs.len());
    if known.is_none() {
        exprs.push(expr);
    }
    Some(WatchedCell { column: column.to_owned(), cell, counts: WatchedValues::Numbers })
}

fn counts_of(source: &Source, table: &str, columns: &[&str]) -> Result<Vec<ColumnNumbers>, SourceError> {
    let reader = source.reader()?;
    let mut counts = Vec::new();
    for columns in columns.chunks(MOST_COLUMNS) {
        counts.extend(reader.column_numbers(table, columns)?);
    }
    Ok(counts)
}
