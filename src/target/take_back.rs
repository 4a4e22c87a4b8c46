//! Taking a run's rows out again, in one transaction that is committed whole or not at all.
//!
//! Which rows are the run's is known from the source and the ledger; here they are laid beside the table, compared column
//! by column and deleted. Nothing is deleted by a rule of the target's on the way: who refers to a row is looked at first.

use postgres::Transaction;

use super::batch::{copy_into, copy_sql};
use super::detach::Detached;
use super::error::{Doing, ServerError};
use super::ledger::Made;
use super::session::Session;
use crate::model::ident::{quoted, quoted_list};
use crate::model::pgtype::{ColumnType, Kind};

const TAKING: &str = "taking rows back";

/// The transaction in which a run is taken back. Dropping it leaves everything as it was.
pub struct TakingBack<'a> {
    tx: Transaction<'a>,
    run: i64,
}

/// The rows of one load, laid beside their table.
pub struct Aside<'a> {
    /// The table's schema.
    pub schema: &'a str,
    /// The table.
    pub table: &'a str,
    /// The columns that were sent and their types.
    pub columns: &'a [(String, ColumnType)],
    /// Columns that tell a row from others: a unique key's where there is one.
    pub key: &'a [String],
    /// Rows go as text.
    pub as_text: bool,
}

/// Why a row's being there forbids to take a load back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referring {
    /// The foreign key.
    pub name: String,
    /// The table that refers.
    pub child: String,
}

impl Session {
    /// Begins to take a run back. `None`: it is not there any more, or was taken over.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn begin_taking_back(&mut self, run: i64) -> Result<Option<TakingBack<'_>>, ServerError> {
        let mut tx = self.client.transaction().doing(TAKING)?;
        let sql = "SELECT 1 FROM run WHERE run = $1 AND state <> 'RolledBack' FOR UPDATE";
        let there = tx.query_opt(sql, &[&run]).doing(TAKING)?.is_some();
        Ok(there.then_some(TakingBack { tx, run }))
    }
}

impl TakingBack<'_> {
    /// Makes room beside a table for the rows of a load.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn lay_out(&mut self, what: &Aside<'_>) -> Result<(), ServerError> {
        let columns: Vec<String> = what.columns.iter().map(|(name, _)| name.clone()).collect();
        let sql = format!(
            "DROP TABLE IF EXISTS pg_temp.migrate_ours; \
             CREATE TEMPORARY TABLE migrate_ours ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA",
            quoted_list(&columns),
            what.name()
        );
        self.tx.batch_execute(&sql).doing(TAKING)
    }

    /// Lays rows beside the table.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn lay(&mut self, what: &Aside<'_>, bytes: &[u8], rows: u64) -> Result<(), ServerError> {
        let columns: Vec<String> = what.columns.iter().map(|(name, _)| name.clone()).collect();
        let to = format!("pg_temp.migrate_ours ({})", quoted_list(&columns));
        copy_into(&mut self.tx, &copy_sql(&to, what.as_text), (&to, what.as_text), bytes, rows)
    }

    /// The foreign keys by which rows that are not ours refer to the rows that were laid out.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn referring(&mut self, what: &Aside<'_>) -> Result<Vec<Referring>, ServerError> {
        self.tx.batch_execute("ANALYZE pg_temp.migrate_ours").doing(TAKING)?;
        let mut found = Vec::new();
        let keys = self.tx.query(include_str!("sql/referring.sql"), &[&what.schema, &what.table]).doing(TAKING)?;
        for key in keys {
            let (name, child): (String, String) = (key.get("name"), key.get("child"));
            let (columns, parents): (Vec<String>, Vec<String>) = (key.get("columns"), key.get("parent_columns"));
            let pairs: Vec<String> =
                columns.iter().zip(&parents).map(|(c, p)| format!("c.{} = t.{}", quoted(c), quoted(p))).collect();
            let not_ours = if key.get("to_itself") {
                format!(" AND NOT EXISTS (SELECT FROM pg_temp.migrate_ours o WHERE {})", what.same_row("c", "o"))
            } else {
                String::new()
            };
            let sql = format!(
                "SELECT EXISTS (SELECT FROM {child} c WHERE EXISTS (SELECT FROM {} t JOIN pg_temp.migrate_ours p ON {} \
                 WHERE {}){not_ours})",
                what.name(),
                what.same_row("t", "p"),
                pairs.join(" AND ")
            );
            if self.tx.query_one(&sql, &[]).doing("looking for rows that refer to ours")?.get(0) {
                found.push(Referring { name, child });
            }
        }
        Ok(found)
    }

    /// Deletes the rows that were laid out, each column compared. Gives their number.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn delete(&mut self, what: &Aside<'_>) -> Result<u64, ServerError> {
        let sql =
            format!("DELETE FROM {} t USING pg_temp.migrate_ours p WHERE {}", what.name(), what.same_row("t", "p"));
        self.tx.execute(&sql, &[]).doing(TAKING)
    }

    /// Deletes the owner's row that the run made. `false`: other rows refer to it, and it stays.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn delete_owner(&mut self, schema: &str, table: &str, key: &str, value: &str) -> Result<bool, ServerError> {
        let name = format!("{}.{}", quoted(schema), quoted(table));
        for referring in self.tx.query(include_str!("sql/referring.sql"), &[&schema, &table]).doing(TAKING)? {
            let (child, columns): (String, Vec<String>) = (referring.get("child"), referring.get("columns"));
            let parents: Vec<String> = referring.get("parent_columns");
            let pairs: Vec<String> =
                columns.iter().zip(&parents).map(|(c, p)| format!("c.{} = t.{}", quoted(c), quoted(p))).collect();
            let sql = format!(
                "SELECT EXISTS (SELECT FROM {child} c JOIN {name} t ON {} WHERE t.{}::text = $1)",
                pairs.join(" AND "),
                quoted(key)
            );
            if self.tx.query_one(&sql, &[&value]).doing(TAKING)?.get(0) {
                return Ok(false);
            }
        }
        let sql = format!("DELETE FROM {name} t WHERE t.{}::text = $1", quoted(key));
        Ok(self.tx.execute(&sql, &[&value]).doing("taking the owner's row back")? > 0)
    }

    /// Puts back an object that is off still.
    ///
    /// # Errors
    /// When the rows that are left do not allow it, the server refuses, or the connection is lost.
    pub fn put_back(&mut self, object: &Detached) -> Result<(), ServerError> {
        for statement in object.back_sql.iter().skip(object.steps) {
            self.tx.batch_execute(statement).doing(&format!("putting back {} on {}", object.object, object.table))?;
        }
        let sql = "UPDATE detached SET back = true, steps = cardinality(back_sql) WHERE run = $1 AND no = $2";
        self.tx.execute(sql, &[&self.run, &object.no]).doing(TAKING)?;
        Ok(())
    }

    /// Whether a sequence stands where the run left it, or where it was before.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn stands(&mut self, sequence: &Made) -> Result<bool, ServerError> {
        let sql = format!("SELECT last_value::text, last_value || ',' || is_called FROM {}", sequence.object);
        let row = self.tx.query_one(&sql, &[]).doing("reading a sequence")?;
        let (last, whole): (Option<String>, Option<String>) = (row.get(0), row.get(1));
        Ok(last == sequence.became || whole == sequence.was)
    }

    /// Sets sequences to where they were. The server does this at once, commit or not, so it comes last.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn wind_back(&mut self, sequences: &[Made]) -> Result<(), ServerError> {
        for made in sequences {
            let was = made.was.as_deref().and_then(|was| was.split_once(','));
            let Some((last, called)) = was else { continue };
            let sql = "SELECT setval($1::text::regclass, ($2::text)::int8, ($3::text)::boolean)";
            self.tx.execute(sql, &[&made.object, &last, &called]).doing("setting a sequence back")?;
        }
        Ok(())
    }

    /// Notes that the run was taken back, and commits.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost: then it may be taken back or not, and the ledger says which.
    pub fn commit(mut self) -> Result<(), ServerError> {
        let sql = "UPDATE run SET state = 'RolledBack', ended_at = now(), epoch = epoch + 1 WHERE run = $1";
        self.tx.execute(sql, &[&self.run]).doing(TAKING)?;
        self.tx.commit().doing(TAKING)
    }
}

impl Aside<'_> {
    fn name(&self) -> String {
        format!("{}.{}", quoted(self.schema), quoted(self.table))
    }

    /// SQL: the two rows are equal in every column; the key's columns by `=`, so that a join can hash them.
    fn same_row(&self, one: &str, other: &str) -> String {
        let terms = self.columns.iter().map(|(name, kind)| {
            let column = quoted(name);
            match (self.key.contains(name), has_equality(kind)) {
                (true, true) => format!("{one}.{column} = {other}.{column}"),
                (_, true) => format!("{one}.{column} IS NOT DISTINCT FROM {other}.{column}"),
                (_, false) => format!("{one}.{column}::text IS NOT DISTINCT FROM {other}.{column}::text"),
            }
        });
        terms.collect::<Vec<_>>().join(" AND ")
    }
}

/// Whether the type has an `=` that means the same value.
fn has_equality(kind: &ColumnType) -> bool {
    match &kind.kind {
        Kind::Json | Kind::Other => false,
        Kind::Array(element) => has_equality(element),
        _ => true,
    }
}
