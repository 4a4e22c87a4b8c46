//! A temporary table with some columns of a table of the target, and some of its indexes and exclusion constraints. The server
//! judges by it whether it would take rows, before any row is written to the target.

use postgres::Row;

use super::asked_rows::{AskedRows, TableName};
use super::client::{Pipeline, all_replies};
use super::error::{Doing, ServerError};
use super::row::RowValues;
use super::session::Session;
use crate::model::ident::{qualified, quoted};

const MAKING: &str = "making a temporary table";

const TRYING: &str = "trying rows on a temporary table";

/// A B-tree index or an exclusion constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialObject {
    /// The table.
    pub table: String,
    /// The index or the constraint.
    pub name: String,
    /// True for an exclusion constraint.
    pub is_exclusion: bool,
    /// True if it contains an expression.
    pub is_computed: bool,
    /// The text that makes it, after the name of the table. `None` if it is not understood.
    pub definition: Option<String>,
    /// The columns that it reads.
    pub columns: Vec<ColumnStorage>,
    /// True if it calls functions of the application that depend on the search path.
    pub calls_code: bool,
}

/// A column as its table stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnStorage {
    /// Its name.
    pub name: String,
    /// Its collation as SQL. Empty for the default.
    collation: String,
    /// Its storage as SQL.
    storage: String,
    /// Its compression as SQL. Empty for the server's default.
    compression: String,
}

/// A column of a temporary table.
#[derive(Clone, Debug)]
pub struct TrialColumn {
    /// The column of the target's table.
    pub stored: ColumnStorage,
    /// Its type as SQL, without a domain.
    pub kind: String,
}

/// A temporary table.
#[derive(Clone, Debug)]
pub struct TrialTable {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<TrialColumn>,
    /// Its indexes and constraints.
    pub objects: Vec<TrialObject>,
}

impl TrialObject {
    /// The object of a row of `sql/trial_objects.sql`.
    pub(super) fn of_row(row: &Row) -> Result<TrialObject, ServerError> {
        let texts = |column| row.value::<Vec<String>>(column);
        let (collations, storages, compressions) = (texts("collations")?, texts("storages")?, texts("compressions")?);
        let columns = texts("columns")?.into_iter().zip(collations).zip(storages).zip(compressions);
        let column =
            |(((name, collation), storage), compression)| ColumnStorage { name, collation, storage, compression };
        Ok(TrialObject {
            table: row.value("table_name")?,
            name: row.value("name")?,
            is_exclusion: row.value("is_exclusion")?,
            is_computed: row.value("is_computed")?,
            definition: row.value("definition")?,
            columns: columns.map(column).collect(),
            calls_code: row.value("calls_code")?,
        })
    }
}

impl TrialTable {
    fn sql_name(&self) -> String {
        format!("pg_temp.{}", quoted(&self.name))
    }

    /// Returns true if its rows stay, because later rows are compared with them.
    pub fn keeps_rows(&self) -> bool {
        self.objects.iter().any(|object| object.is_exclusion)
    }

    fn names(&self) -> String {
        self.columns.iter().map(|column| quoted(&column.stored.name)).collect::<Vec<_>>().join(", ")
    }

    /// Returns the statements that make it.
    fn made(&self) -> String {
        let name = self.sql_name();
        let column = |TrialColumn { stored, kind }: &TrialColumn| {
            let collation = match stored.collation.as_str() {
                "" => String::new(),
                collation => format!(" COLLATE {collation}"),
            };
            format!("{} {kind}{collation}", quoted(&stored.name))
        };
        let columns: Vec<String> = self.columns.iter().map(column).collect();
        let mut statements = vec![format!("CREATE TEMPORARY TABLE {name} ({})", columns.join(", "))];
        for ColumnStorage { name: column, storage, compression, .. } in self.columns.iter().map(|column| &column.stored)
        {
            let alter = format!("ALTER TABLE {name} ALTER COLUMN {}", quoted(column));
            statements.push(format!("{alter} SET STORAGE {storage}"));
            if !compression.is_empty() {
                statements.push(format!("{alter} SET COMPRESSION {compression}"));
            }
        }
        for object in &self.objects {
            let Some(definition) = &object.definition else { continue };
            statements.push(match object.is_exclusion {
                true => format!("ALTER TABLE {name} ADD CONSTRAINT {} {definition}", quoted(&object.name)),
                false => format!("CREATE INDEX {} ON {name}{definition}", quoted(&object.name)),
            });
        }
        statements.join("; ")
    }
}

impl Session {
    /// Makes a temporary table. `rows_of`: the table of the target whose rows it contains at first.
    ///
    /// # Errors
    /// If the role may not make it, the server refuses a row that is there, or the connection is lost.
    pub fn make_trial(&mut self, trial: &TrialTable, rows_of: Option<&TableName<'_>>) -> Result<(), ServerError> {
        self.write_temporary(trial.made())?;
        let Some(TableName { schema, table }) = rows_of else { return Ok(()) };
        let columns = trial.names();
        let copied =
            format!("INSERT INTO {} ({columns}) SELECT {columns} FROM {}", trial.sql_name(), qualified(schema, table));
        self.reading(|client| client.batch_execute(&copied).doing(MAKING))
    }

    /// Writes rows to a temporary table, all or none. They stay there only if later rows are compared with them.
    ///
    /// # Errors
    /// If the server refuses a row, or the connection is lost.
    pub fn try_rows(&mut self, trial: &TrialTable, rows: &AskedRows<'_>) -> Result<(), ServerError> {
        let place = rows.place();
        let value = |column: &TrialColumn| format!("(t.{})::{}", quoted(&column.stored.name), column.kind);
        let values: Vec<String> = trial.columns.iter().map(value).collect();
        let sql = format!(
            "INSERT INTO {} ({}) SELECT {} FROM {} AS t ORDER BY t.{place}",
            trial.sql_name(),
            trial.names(),
            values.join(", "),
            rows.sql(&place)
        );
        let end = if trial.keeps_rows() { "COMMIT" } else { "ROLLBACK" };
        let steps = Pipeline::new().script("BEGIN").query(sql, &rows.parameters()).script(end);
        all_replies(steps.run(&mut self.client)).doing(TRYING).map(|_| ())
    }

    /// Drops temporary tables.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn drop_trials(&mut self, trials: &[String]) -> Result<(), ServerError> {
        let drops: Vec<String> = trials.iter().map(|name| format!("DROP TABLE pg_temp.{}", quoted(name))).collect();
        if drops.is_empty() { Ok(()) } else { self.write_temporary(drops.join("; ")) }
    }

    /// Makes or drops temporary tables, also in a session that reads only.
    fn write_temporary(&mut self, statements: String) -> Result<(), ServerError> {
        let steps = Pipeline::new().script(format!("BEGIN READ WRITE; {statements}")).script("COMMIT");
        all_replies(steps.run(&mut self.client)).doing(MAKING).map(|_| ())
    }
}
