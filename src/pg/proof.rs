//! The proof of translated expressions: PostgreSQL computes each of them on every row, and compares it with the value that SQLite
//! computed, which a column of the same row holds. The target is a throw-away one.

use super::error::{Doing, ServerError};
use super::query::TypedQuery;
use super::row::RowValues;
use super::session::Session;
use crate::model::ident::{qualified, quoted};

const PROVING: &str = "comparing translated expressions";
const MAKING: &str = "making the tables of the proof";

/// Labels of rows that are returned.
const LISTED: usize = 10;

/// Rows that are compared at a time if the server refuses to compute an expression on some row.
const PAGE: usize = 1_000;

/// An expression of PostgreSQL, and the column with the value of SQLite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedExpression {
    /// The column.
    pub column: String,
    /// The expression.
    pub sql: String,
}

impl ProvedExpression {
    fn same(&self) -> String {
        format!("{} IS NOT DISTINCT FROM ({})", quoted(&self.column), self.sql)
    }
}

/// A table whose rows are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedTable<'a> {
    /// Its schema.
    pub schema: &'a str,
    /// Its name.
    pub table: &'a str,
    /// The column that names a row. `None`: no row has a name.
    pub label: Option<&'a str>,
}

/// A view, and a table with the rows that it has in SQLite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedView<'a> {
    /// The schema of both.
    pub schema: &'a str,
    /// The view.
    pub view: &'a str,
    /// The table.
    pub table: &'a str,
    /// For each column of the table, the expression over the view.
    pub columns: &'a [ProvedExpression],
}

/// The rows by which a view differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewDifference {
    /// The rows that it has in SQLite.
    pub rows: u64,
    /// Those that SQLite alone has.
    pub only_in_sqlite: u64,
    /// Those that PostgreSQL alone has.
    pub only_in_postgresql: u64,
}

/// The rows on which an expression has another value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DifferingValues {
    /// Their number.
    pub count: u64,
    /// The names of the first ones.
    pub labels: Vec<String>,
    /// The error with which PostgreSQL refuses to compute the first of them.
    pub error: Option<String>,
}

/// The result of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableProof {
    /// Its rows.
    pub rows: u64,
    /// The result of each expression.
    pub expressions: Vec<DifferingValues>,
}

impl Session {
    /// Runs statements in a transaction that is rolled back.
    ///
    /// # Errors
    /// If the server refuses one, or the connection is lost.
    pub fn accepts(&mut self, statements: &str) -> Result<(), ServerError> {
        let ran = self.client.batch_execute(&format!("RESET search_path;\nBEGIN;\n{statements}")).doing(MAKING);
        if ran.as_ref().is_err_and(|e| e.lost) {
            return ran;
        }
        self.client.batch_execute("ROLLBACK").doing(MAKING)?;
        self.set_own_path()?;
        ran
    }

    /// Runs statements under the search path of a new session.
    ///
    /// # Errors
    /// If the server refuses one, or the connection is lost.
    pub fn run_statements(&mut self, statements: &str) -> Result<(), ServerError> {
        let ran = self.client.batch_execute(&format!("RESET search_path;\n{statements}")).doing(MAKING);
        if ran.as_ref().is_err_and(|e| e.lost) {
            return ran;
        }
        self.set_own_path()?;
        ran
    }

    /// Compares every row of a table.
    ///
    /// # Errors
    /// If the connection is lost, or the server refuses for a reason that no row has.
    pub fn prove(
        &mut self,
        table: &ProvedTable<'_>,
        expressions: &[ProvedExpression],
    ) -> Result<TableProof, ServerError> {
        let place = qualified(table.schema, table.table);
        match self.count_differences(&place, expressions) {
            Ok(TableProof { rows, expressions: mut found }) => {
                for (found, expression) in found.iter_mut().zip(expressions).filter(|(found, _)| found.count > 0) {
                    found.labels = self.labels(&place, table.label, &format!("NOT ({})", expression.same()))?;
                }
                Ok(TableProof { rows, expressions: found })
            }
            Err(e) if e.is_about_rows() && expressions.len() == 1 => {
                let rows = self.count_differences(&place, &[])?.rows;
                let mut found = Vec::new();
                for expression in expressions {
                    found.push(self.row_by_row(table, expression, &e)?);
                }
                Ok(TableProof { rows, expressions: found })
            }
            Err(e) if e.is_about_rows() => {
                let mut all = TableProof::default();
                for expression in expressions {
                    let TableProof { rows, expressions } = self.prove(table, std::slice::from_ref(expression))?;
                    all.rows = rows;
                    all.expressions.extend(expressions);
                }
                Ok(all)
            }
            Err(e) => Err(e),
        }
    }

    /// Compares the rows of a view, in any order.
    ///
    /// # Errors
    /// If the server refuses to compute a row, or the connection is lost.
    pub fn prove_rows(&mut self, view: &ProvedView<'_>) -> Result<ViewDifference, ServerError> {
        let list = |side: &dyn Fn(&ProvedExpression) -> String| -> String {
            view.columns.iter().map(side).collect::<Vec<_>>().join(", ")
        };
        let columns = list(&|one| quoted(&one.column));
        let (table, own) = (qualified(view.schema, view.table), qualified(view.schema, view.view));
        let computed = list(&|one| format!("({})", one.sql));
        let sql = format!(
            "WITH found AS (SELECT {columns}, 1 AS side_of_row FROM {table} UNION ALL SELECT {computed}, -1 FROM {own}), \
             differing AS (SELECT sum(side_of_row) AS n FROM found GROUP BY {columns} HAVING sum(side_of_row) <> 0) \
             SELECT (SELECT count(*) FROM {table}), coalesce(sum(n) FILTER (WHERE n > 0), 0)::bigint, \
                    coalesce(-sum(n) FILTER (WHERE n < 0), 0)::bigint FROM differing"
        );
        let [rows] = self.ask([TypedQuery::new(PROVING, sql)])?;
        let row = rows.first().ok_or_else(|| ServerError::new(PROVING, "the server sent no row"))?;
        let number = |n: usize| row.value::<i64>(n).map(i64::unsigned_abs);
        Ok(ViewDifference { rows: number(0)?, only_in_sqlite: number(1)?, only_in_postgresql: number(2)? })
    }

    /// Counts the rows, and those on which each expression differs.
    fn count_differences(&mut self, place: &str, expressions: &[ProvedExpression]) -> Result<TableProof, ServerError> {
        let counts = expressions.iter().map(|one| format!("count(*) FILTER (WHERE NOT ({}))", one.same()));
        let counts: Vec<String> = counts.collect();
        let sql = format!("SELECT count(*), ARRAY[{}]::bigint[] FROM {place}", counts.join(", "));
        let [rows] = self.ask([TypedQuery::new(PROVING, sql)])?;
        let row = rows.first().ok_or_else(|| ServerError::new(PROVING, "the server sent no row"))?;
        let counts: Vec<i64> = row.value(1)?;
        let differing = |count: i64| DifferingValues { count: count.unsigned_abs(), ..DifferingValues::default() };
        let expressions = counts.into_iter().map(differing).collect();
        Ok(TableProof { rows: row.value::<i64>(0)?.unsigned_abs(), expressions })
    }

    /// Returns the names of the first rows under a condition.
    fn labels(&mut self, place: &str, label: Option<&str>, only: &str) -> Result<Vec<String>, ServerError> {
        let Some(label) = label.map(quoted) else { return Ok(Vec::new()) };
        let sql = format!("SELECT {label} FROM {place} WHERE {only} AND {label} IS NOT NULL LIMIT {LISTED}");
        let [rows] = self.ask([TypedQuery::new(PROVING, sql)])?;
        rows.iter().map(|row| row.value(0)).collect()
    }

    /// Compares an expression that the server refuses to compute on some row.
    fn row_by_row(
        &mut self,
        table: &ProvedTable<'_>,
        expression: &ProvedExpression,
        refused: &ServerError,
    ) -> Result<DifferingValues, ServerError> {
        let mut found = DifferingValues { error: Some(refused.answer()), ..DifferingValues::default() };
        let (place, mut after) = (qualified(table.schema, table.table), "(0,0)".to_owned());
        loop {
            let sql = format!("SELECT ctid::text FROM {place} WHERE ctid > '{after}'::tid ORDER BY ctid LIMIT {PAGE}");
            let [rows] = self.ask([TypedQuery::new(PROVING, sql)])?;
            let rows: Vec<String> = rows.iter().map(|row| row.value(0)).collect::<Result<_, _>>()?;
            let Some(last) = rows.last() else { return Ok(found) };
            after.clone_from(last);
            self.add_differing(table, expression, &rows, &mut found)?;
        }
    }

    /// Adds those of these rows on which the expression differs or fails: halves of them until none fails, or one alone. (The
    /// server inside the process catches no exception of PL/pgSQL.)
    fn add_differing(
        &mut self,
        table: &ProvedTable<'_>,
        expression: &ProvedExpression,
        rows: &[String],
        found: &mut DifferingValues,
    ) -> Result<(), ServerError> {
        let places = rows.join("', '");
        let label = table.label.map_or_else(|| "NULL::text".to_owned(), quoted);
        let of_rows = format!(
            "SELECT {label} FROM {} WHERE ctid = ANY (ARRAY['{places}']::tid[])",
            qualified(table.schema, table.table)
        );
        let labels = match self.ask([TypedQuery::new(PROVING, format!("{of_rows} AND NOT ({})", expression.same()))]) {
            Err(e) if e.is_about_rows() && rows.len() > 1 => {
                let (first, second) = rows.split_at(rows.len() / 2);
                self.add_differing(table, expression, first, found)?;
                return self.add_differing(table, expression, second, found);
            }
            Err(e) if e.is_about_rows() => self.ask([TypedQuery::new(PROVING, of_rows)])?,
            answer => answer?,
        };
        let [labels] = labels;
        found.count += labels.len() as u64;
        for row in labels.iter().take(LISTED.saturating_sub(found.labels.len())) {
            found.labels.extend(row.value::<Option<String>>(0)?);
        }
        Ok(())
    }
}
