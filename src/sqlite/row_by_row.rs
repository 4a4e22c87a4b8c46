//! Reads a query of the mapping row by row, once several of its rows failed.
//!
//! SQLite cannot continue a statement after an error, and a query has no key to seek: each restart computes all rows
//! before the failed one again. Here the query is a statement of its own that never evaluates the mapping's expressions.
//! They are evaluated by a second statement over one row, to which the cells of each row are bound.
//!
//! That is exact because a cell keeps its storage class and its bytes, and the column of the one row gets the affinity and
//! the collation of the query's column. Both are read from the compiled comparison of the column with a parameter, for the
//! query and for the one row. If they cannot be read or differ, the query is not read row by row.

use std::ops::ControlFlow;

use rusqlite::Statement;

use super::current::{Current, key_of};
use super::error::{ErrorClass, Said, SourceError};
use super::reader::Reader;
use super::statement::{self, StatementRange, StatementValues};
use super::value::raw;
use crate::model::ident::{quoted, quoted_list};
use crate::model::schema::Affinity;
use crate::model::select::{Expr, Failed, Relation, Select, Sink};

/// The rule by which SQLite compares a column with a value.
#[derive(PartialEq)]
struct ColumnComparison {
    /// `None` for an expression.
    affinity: Option<Affinity>,
    collation: String,
}

/// Reads the affinity from the fifth operand of a comparison: SQLite's `SQLITE_AFF_` constants. `Some(None)` for an
/// expression, which has none.
fn affinity(p5: i64) -> Option<Option<Affinity>> {
    Some(match p5 & 0x47 {
        0x40 => None,
        0x41 => Some(Affinity::Blob),
        0x42 => Some(Affinity::Text),
        0x43 => Some(Affinity::Numeric),
        0x44 => Some(Affinity::Integer),
        0x45 => Some(Affinity::Real),
        _ => return None,
    })
}

/// Returns a query without rows whose column has this affinity.
fn query_of(affinity: Option<Affinity>) -> &'static str {
    match affinity {
        None => "SELECT NULL WHERE 0",
        Some(Affinity::Blob) => "SELECT CAST(NULL AS BLOB) WHERE 0",
        Some(Affinity::Text) => "SELECT CAST(NULL AS TEXT) WHERE 0",
        Some(Affinity::Numeric) => "SELECT CAST(NULL AS NUMERIC) WHERE 0",
        Some(Affinity::Integer) => "SELECT CAST(NULL AS INTEGER) WHERE 0",
        Some(Affinity::Real) => "SELECT CAST(NULL AS REAL) WHERE 0",
    }
}

/// The relation of one row: the n-th column is the parameter `$cell<n>`, unconverted.
fn one_row(names: &[String], comparisons: &[ColumnComparison]) -> String {
    let cells: Vec<String> = comparisons
        .iter()
        .enumerate()
        .map(|(n, ColumnComparison { affinity, collation })| {
            // A compound query in place of a value has the value of its first row and the affinity of its last SELECT.
            let cell = format!("(SELECT $cell{n} UNION ALL {})", query_of(*affinity));
            if collation == "BINARY" { cell } else { format!("{cell} COLLATE {}", quoted(collation)) }
        })
        .collect();
    format!("migrate_rows({}) AS (SELECT {} LIMIT -1 OFFSET $skip)", quoted_list(names), cells.join(", "))
}

/// The evaluation of a select's expressions over one row.
pub(super) struct RowByRow<'r> {
    reader: &'r Reader,
    select: &'r Select,
    relation: String,
    /// Number of the query's columns.
    columns: usize,
    all: Statement<'r>,
    /// A statement for each single expression, compiled when a row fails.
    single: Vec<Option<Statement<'r>>>,
}

/// The end of a row by row reading.
pub(super) enum RowByRowEnd {
    /// No row is left.
    All,
    /// The sink returned `Break`.
    Stopped,
    /// The query itself failed after this many rows in all.
    QueryFailed(u64),
}

impl<'r> RowByRow<'r> {
    /// Prepares the reading. `None` if the select cannot be evaluated exactly over one row.
    ///
    /// # Errors
    /// If the query does not compile, or the file cannot be read.
    pub fn new(reader: &'r Reader, select: &'r Select) -> Result<Option<RowByRow<'r>>, SourceError> {
        let Relation::Sql(_) = &select.relation else { return Ok(None) };
        // A text that is half a surrogate pair would not survive the way through a parameter.
        if reader.shared.utf16 || select.exprs.iter().any(names_all_rows) {
            return Ok(None);
        }
        let names = reader.relation_columns(select)?;
        let query = statement::derived(&select.relation);
        let Some(comparisons) = comparisons(reader, select, &query, &names)? else { return Ok(None) };
        let relation = one_row(&names, &comparisons);
        if self::comparisons(reader, select, &relation, &names)?.is_none_or(|own| own != comparisons) {
            return Ok(None);
        }
        let all = compile(reader, select, &relation, &select.exprs)?;
        let single = select.exprs.iter().map(|_| None).collect();
        Ok(Some(RowByRow { reader, select, relation, columns: names.len(), all, single }))
    }

    /// Sends the rows after the first `skip` rows to the sink. `last`: the ordinal of the last row.
    ///
    /// # Errors
    /// If the file cannot be read, or the process is asked to stop.
    pub fn run(&mut self, skip: u64, last: Option<u64>, sink: &mut dyn Sink) -> Result<RowByRowEnd, SourceError> {
        let sql = format!("WITH {} SELECT * FROM migrate_rows", statement::derived(&self.select.relation));
        let mut query = self.reader.prepare(&sql)?;
        let range = StatementRange::default();
        let values = StatementValues { select: self.select, range, skip: Some(skip) };
        statement::bind(&mut query, &values)?;
        let mut rows = query.raw_query();
        let mut ordinal = skip;
        while last.is_none_or(|last| ordinal < last) {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => break,
                Err(error) => {
                    let said = Said::of(&error);
                    if said.blames_a_row() {
                        return Ok(RowByRowEnd::QueryFailed(ordinal));
                    }
                    return Err(self.reader.failure(&said));
                }
            };
            ordinal += 1;
            if self.row(row, ordinal, sink)?.is_break() {
                return Ok(RowByRowEnd::Stopped);
            }
        }
        Ok(RowByRowEnd::All)
    }

    /// Evaluates the expressions of one row of the query.
    fn row(
        &mut self,
        row: &rusqlite::Row<'_>,
        ordinal: u64,
        sink: &mut dyn Sink,
    ) -> Result<ControlFlow<()>, SourceError> {
        bind_cells(&mut self.all, row, self.columns)?;
        let said = {
            let mut computed = self.all.raw_query();
            match computed.next() {
                Ok(Some(computed)) => return Ok(sink.row(&Current { row: computed, width: 0, ordinal })),
                Ok(None) => return Err(SourceError::new(ErrorClass::Other, "source query", "lost a row")),
                Err(error) => Said::of(&error),
            }
        };
        if !said.blames_a_row() {
            return Err(self.reader.failure(&said));
        }
        let failed = Failed { expr: self.blame(row)?, too_large: said.primary() == rusqlite::ffi::SQLITE_TOOBIG };
        Ok(sink.failed(key_of(ordinal), failed))
    }

    /// Returns the expression that fails on a row. `None` if only all of them together fail.
    fn blame(&mut self, row: &rusqlite::Row<'_>) -> Result<Option<usize>, SourceError> {
        for n in 0..self.select.exprs.len() {
            let expr = std::slice::from_ref(&self.select.exprs[n]);
            if self.single[n].is_none() {
                self.single[n] = Some(compile(self.reader, self.select, &self.relation, expr)?);
            }
            let Some(statement) = &mut self.single[n] else { continue };
            bind_cells(statement, row, self.columns)?;
            let outcome = statement.raw_query().next().map(|_| ()).map_err(|error| Said::of(&error));
            match outcome {
                Ok(()) => {}
                Err(said) if said.blames_a_row() => return Ok(Some(n)),
                Err(said) => return Err(self.reader.failure(&said)),
            }
        }
        Ok(None)
    }
}

/// Returns true if an expression may read the query itself and not only its row.
fn names_all_rows(expr: &Expr) -> bool {
    matches!(expr, Expr::Sql(sql) if sql.to_ascii_lowercase().contains("migrate_rows"))
}

/// Compiles expressions over the relation of one row.
fn compile<'r>(
    reader: &'r Reader,
    select: &Select,
    relation: &str,
    exprs: &[Expr],
) -> Result<Statement<'r>, SourceError> {
    let cells: Vec<String> = exprs.iter().map(statement::expression).collect();
    let cells = if cells.is_empty() { "NULL".to_owned() } else { cells.join(", ") };
    let mut statement = reader.prepare(&format!("WITH {relation} SELECT {cells} FROM migrate_rows AS relation"))?;
    bind_rest(&mut statement, select)?;
    Ok(statement)
}

/// Binds all parameters except the cells, which change from row to row, and the probe, which stays NULL.
fn bind_rest(statement: &mut Statement<'_>, select: &Select) -> Result<(), SourceError> {
    let values = StatementValues { select, range: StatementRange::default(), skip: Some(0) };
    statement::bind_except(statement, &values, |name| name.starts_with("$cell") || name == "$probe")
}

/// Binds the cells of a row to a statement over one row. A cell that no expression reads has no parameter.
fn bind_cells(statement: &mut Statement<'_>, row: &rusqlite::Row<'_>, columns: usize) -> Result<(), SourceError> {
    for n in 0..columns {
        let index = statement.parameter_index(&format!("$cell{n}")).ok().flatten();
        if let Some(index) = index {
            statement::bind_value(statement, index, raw(row.get_ref_unwrap(n)))?;
        }
    }
    Ok(())
}

/// Reads the comparison of each column of a relation from the compiled statement `column = $probe`. `None` if one of them is
/// not recognised.
fn comparisons(
    reader: &Reader,
    select: &Select,
    relation: &str,
    names: &[String],
) -> Result<Option<Vec<ColumnComparison>>, SourceError> {
    let mut found = Vec::new();
    for name in names {
        let sql = format!("EXPLAIN WITH {relation} SELECT {} = $probe FROM migrate_rows AS relation", quoted(name));
        let mut statement = reader.prepare(&sql)?;
        let Ok(Some(probe)) = statement.parameter_index("$probe") else { return Ok(None) };
        bind_rest(&mut statement, select)?;
        match comparison(statement, probe) {
            Ok(Some(comparison)) => found.push(comparison),
            Ok(None) => return Ok(None),
            Err(error) => return Err(reader.failure(&Said::of(&error))),
        }
    }
    Ok(Some(found))
}

/// Finds the comparison with the parameter `probe` among the instructions that EXPLAIN lists. `None` unless there is one.
fn comparison(mut statement: Statement<'_>, probe: usize) -> rusqlite::Result<Option<ColumnComparison>> {
    let mut instructions: Vec<Instruction> = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        instructions.push(Instruction {
            name: row.get(1)?,
            operands: [row.get(2)?, row.get(3)?, row.get(4)?],
            collation: row.get(5)?,
            flags: row.get(6)?,
        });
    }
    let loads: Vec<&Instruction> =
        instructions.iter().filter(|i| i.name == "Variable" && usize::try_from(i.operands[0]) == Ok(probe)).collect();
    let [load] = loads.as_slice() else { return Ok(None) };
    let register = load.operands[1];
    let is_comparison = |i: &&Instruction| {
        ["Eq", "Ne"].contains(&i.name.as_str()) && (i.operands[0] == register || i.operands[2] == register)
    };
    let compares: Vec<&Instruction> = instructions.iter().filter(is_comparison).collect();
    let [compare] = compares.as_slice() else { return Ok(None) };
    let affinity = affinity(compare.flags);
    let collation = compare.collation.as_deref().and_then(|text| text.rsplit_once('-')).map(|(name, _)| name);
    Ok(affinity
        .zip(collation)
        .map(|(affinity, collation)| ColumnComparison { affinity, collation: collation.to_owned() }))
}

/// One instruction of a compiled statement.
struct Instruction {
    name: String,
    operands: [i64; 3],
    /// The fourth operand: of a comparison, the collation and the encoding, such as `NOCASE-8`.
    collation: Option<String>,
    /// The fifth operand.
    flags: i64,
}
