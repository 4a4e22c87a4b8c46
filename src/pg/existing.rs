//! Rows that the target holds before the run: the references to them, their removal, and their restoration.
//!
//! A removed row is kept in the ledger by column, each value as the text that the server prints for it, as `pg_dump` keeps it.
//! So the ledger depends on no type and no table of the application.

use postgres::Row;

use super::citus::sequential;
use super::client::{Client, Pipeline};
use super::equality::Equality;
use super::error::{Doing, ServerError};
use super::read_back::RowImages;
use super::row::RowValues;
use super::session::{LedgerSchema, Session};
use super::triggers::{self, FiringTrigger, RowEvent};
use crate::model::ident::{literal, qualified, quoted, quoted_list};
use crate::model::ledger::Run;

const READING: &str = "looking for rows that refer to existing rows";
const REMOVING: &str = "removing existing rows";

/// A foreign key that refers to a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldReference {
    /// Its name.
    pub name: String,
    /// The schema of the referring table.
    pub child_schema: String,
    /// The referring table.
    pub child: String,
    /// The owner of the referring table, quoted.
    pub owner: String,
    /// The referring columns.
    pub columns: Vec<String>,
    /// The referenced columns, in the same order.
    pub parent_columns: Vec<String>,
}

/// A table of the target.
#[derive(Clone, Copy, Debug)]
pub struct TargetName<'a> {
    /// The schema.
    pub schema: &'a str,
    /// The table.
    pub table: &'a str,
}

impl TargetName<'_> {
    /// Returns the name as SQL.
    pub(super) fn sql(&self) -> String {
        qualified(self.schema, self.table)
    }
}

/// One of the two states that the ledger keeps of a row that a run wrote over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptSide {
    /// The row before the run.
    Was,
    /// The row as the run left it.
    Became,
}

/// The outcome of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalOutcome {
    /// The rows are removed, now or by an earlier attempt.
    Removed,
    /// The run was taken over.
    Fenced,
}

/// A column that holds a value of its own, and its type as SQL.
pub(super) struct StoredColumn {
    /// The column.
    pub name: String,
    /// The type, with its schema.
    pub type_name: String,
}

impl Session {
    /// Returns the foreign keys that refer to a table.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn references_to(&mut self, to: TargetName<'_>) -> Result<Vec<HeldReference>, ServerError> {
        let sql = include_str!("sql/held_references.sql");
        let rows = self.client.query(sql, &[&to.schema, &to.table]).doing(READING)?;
        rows.iter().map(reference).collect()
    }

    /// Counts the rows that refer to a row of a table by a foreign key.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn count_referring(&mut self, to: TargetName<'_>, by: &HeldReference) -> Result<u64, ServerError> {
        let joined = joined(&self.equality(to.schema, to.table)?, by);
        let sql = format!(
            "SELECT pg_catalog.count(*) FROM {} AS c WHERE EXISTS (SELECT 1 FROM {} AS t WHERE {joined})",
            qualified(&by.child_schema, &by.child),
            to.sql()
        );
        let row = self.reading(|client| client.query_one(&sql, &[]).doing(READING))?;
        Ok(row.value::<i64>(0)?.unsigned_abs())
    }

    /// Passes the referenced columns of each row of a table to which a row refers by a foreign key, as binary COPY sends them.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn read_referred(
        &mut self,
        to: TargetName<'_>,
        by: &HeldReference,
        row: &mut dyn FnMut(&[u8]),
    ) -> Result<u64, ServerError> {
        let joined = joined(&self.equality(to.schema, to.table)?, by);
        let sql = format!(
            "COPY (SELECT {} FROM {} AS t WHERE EXISTS (SELECT 1 FROM {} AS c WHERE {joined})) TO STDOUT (FORMAT binary)",
            quoted_list(&by.parent_columns),
            to.sql(),
            qualified(&by.child_schema, &by.child)
        );
        self.reading(|client| RowImages::begin(client.copy_out(&sql).doing(READING)?)?.each(row))
    }

    /// Returns the triggers and rules that run for an event on a table.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn firing_triggers(&mut self, of: TargetName<'_>, event: RowEvent) -> Result<Vec<FiringTrigger>, ServerError> {
        Ok(triggers::firing(&mut self.client, of.schema, &[of.table], event)?.into_iter().flatten().collect())
    }

    /// Removes all rows of these tables, in this order, and keeps them in the ledger. Does nothing if an earlier attempt did.
    ///
    /// The tables are locked first, so that no other session adds a row or a reference in between.
    ///
    /// # Errors
    /// If a row that stays refers to a row of a table by an attached foreign key, the server refuses, or the connection is
    /// lost. Then nothing is removed.
    pub fn remove_held(&mut self, run: &Run, schema: &str, tables: &[&str]) -> Result<RemovalOutcome, ServerError> {
        let sequential = sequential(self.has_citus).into_iter();
        let mut tx = self.client.transaction().doing(REMOVING)?;
        let mine: &str = &self
            .ledger
            .sql("SELECT FROM :ledger.run WHERE run = $1 AND epoch = $2 AND state = 'Running' FOR NO KEY UPDATE");
        if tx.query_opt(mine, &[&run.id, &run.epoch]).doing(REMOVING)?.is_none() {
            return Ok(RemovalOutcome::Fenced);
        }
        let done: &str = &self.ledger.sql("SELECT FROM :ledger.made WHERE run = $1 AND kind = 'replaced' LIMIT 1");
        if tx.query_opt(done, &[&run.id]).doing(REMOVING)?.is_some() {
            return Ok(RemovalOutcome::Removed);
        }
        let mut names: Vec<String> = tables.iter().map(|table| qualified(schema, table)).collect();
        names.sort();
        run_each(&mut tx, sequential)?;
        tx.batch_execute(&format!("LOCK TABLE {} IN EXCLUSIVE MODE", names.join(", "))).doing(REMOVING)?;
        let found = triggers::firing(&mut tx, schema, tables, RowEvent::Delete)?;
        let mut disabled: Vec<FiringTrigger> = found.into_iter().flatten().collect();
        disabled.dedup();
        run_each(&mut tx, disabled.iter().map(|trigger| trigger.disable_sql.as_str()))?;
        for (place, table) in tables.iter().enumerate() {
            let of = TargetName { schema, table };
            no_other_refers(&mut tx, of, &tables[..=place])?;
            let path = &self.application_path;
            let rows = path.reading(&mut tx, |tx| remove(tx, &self.ledger, run.id, of))?;
            let note: &str = &self
                .ledger
                .sql("INSERT INTO :ledger.made (run, kind, object, was) VALUES ($1, 'replaced', $2, $3::int8::text)");
            tx.execute(note, &[&run.id, &format!("{schema}.{table}"), &(rows as i64)]).doing(REMOVING)?;
        }
        // The server alters no table that has deferred checks pending.
        tx.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").doing(REMOVING)?;
        run_each(&mut tx, disabled.iter().map(|trigger| trigger.enable_sql.as_str()))?;
        tx.commit().doing(REMOVING)?;
        Ok(RemovalOutcome::Removed)
    }

    /// Passes expressions over each row of a table, as binary COPY sends them.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn read_expressions(
        &mut self,
        of: TargetName<'_>,
        exprs: &[&str],
        row: &mut dyn FnMut(&[u8]),
    ) -> Result<u64, ServerError> {
        let sql = format!("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT binary)", exprs.join(", "), of.sql());
        self.with_application_path(|client| RowImages::begin(client.copy_out(&sql).doing(READING)?)?.each(row))
    }

    /// Passes the rows of a table that a run wrote over, as binary COPY sends them: with their previous values, or with those
    /// that were written.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn read_written_over(
        &mut self,
        run: i64,
        of: TargetName<'_>,
        columns: &[String],
        side: KeptSide,
        row: &mut dyn FnMut(&[u8]),
    ) -> Result<u64, ServerError> {
        let stored = stored_columns(&mut self.client, of)?;
        let side = if side == KeptSide::Was { "was" } else { "became" };
        let value = |name: &String| {
            let column = stored.iter().find(|column| column.name == *name)?;
            Some(format!("(k.{side} OPERATOR(pg_catalog.->>) {})::{}", literal(name), column.type_name))
        };
        let values: Vec<String> = columns.iter().filter_map(value).collect();
        let sql = self.ledger.sql(&format!(
            "COPY (SELECT {} FROM :ledger.kept AS k WHERE k.run OPERATOR(pg_catalog.=) {run} \
             AND k.table_name OPERATOR(pg_catalog.=) {} AND k.became IS NOT NULL) TO STDOUT (FORMAT binary)",
            values.join(", "),
            literal(of.table)
        ));
        self.with_application_path(|client| RowImages::begin(client.copy_out(&sql).doing(READING)?)?.each(row))
    }
}

/// Runs statements in one round trip, each as a message of its own.
fn run_each<'s>(tx: &mut Client, statements: impl Iterator<Item = &'s str>) -> Result<(), ServerError> {
    let steps = statements.fold(Pipeline::new(), Pipeline::script);
    if steps.len() == 0 { Ok(()) } else { steps.rows(tx).doing(REMOVING).map(drop) }
}

/// Checks that no row refers to a row of a table, except by a detached foreign key and from tables that are `empty` by then: a
/// deletion would fail, or cascade.
fn no_other_refers(tx: &mut Client, of: TargetName<'_>, empty: &[&str]) -> Result<(), ServerError> {
    let equality = Equality::read(tx, of.schema, of.table)?;
    for row in tx.query(include_str!("sql/held_references.sql"), &[&of.schema, &of.table]).doing(READING)? {
        let by = reference(&row)?;
        if by.child_schema == of.schema && empty.contains(&by.child.as_str()) {
            continue;
        }
        let child = qualified(&by.child_schema, &by.child);
        let joined = joined(&equality, &by);
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM {child} AS c WHERE EXISTS (SELECT 1 FROM {} AS t WHERE {joined}))",
            of.sql()
        );
        if tx.query_one(&sql, &[]).doing(READING)?.value(0)? {
            let message =
                format!("rows of {child} refer to rows of {} ({}), and came after the preflight", of.table, by.name);
            return Err(ServerError::new(REMOVING, message));
        }
    }
    Ok(())
}

/// Keeps all rows of a table in the ledger and deletes them.
fn remove(tx: &mut Client, ledger: &LedgerSchema, run: i64, of: TargetName<'_>) -> Result<u64, ServerError> {
    let columns = stored_columns(tx, of)?;
    let names: Vec<String> = columns.iter().map(|column| literal(&column.name)).collect();
    let values: Vec<String> = columns.iter().map(|column| printed("t", &column.name)).collect();
    let keep = ledger.sql(&format!(
        "INSERT INTO :ledger.kept (run, table_name, was) SELECT $1, $2, \
         pg_catalog.json_object(ARRAY[{}]::pg_catalog.text[], ARRAY[{}]::pg_catalog.text[]) FROM {} AS t",
        names.join(", "),
        values.join(", "),
        of.sql()
    ));
    let kept = tx.execute(&keep, &[&run, &of.table]).doing(REMOVING)?;
    let deleted = tx.execute(&format!("DELETE FROM {}", of.sql()), &[]).doing(REMOVING)?;
    if kept != deleted {
        let message = format!("the server deleted {deleted} of {kept} rows of {}", of.table);
        return Err(ServerError::new(REMOVING, message));
    }
    Ok(deleted)
}

fn reference(row: &Row) -> Result<HeldReference, ServerError> {
    Ok(HeldReference {
        name: row.value("name")?,
        child_schema: row.value("child_schema")?,
        child: row.value("child")?,
        owner: row.value("owner")?,
        columns: row.value("columns")?,
        parent_columns: row.value("parent_columns")?,
    })
}

/// Returns the SQL of a column's value as the text that its type prints. A cast to text would drop the padding of `char(n)`, and
/// IS NOT NULL would take a row of NULLs for NULL.
pub(super) fn printed(of: &str, column: &str) -> String {
    let column = format!("{of}.{}", quoted(column));
    format!("CASE WHEN {column} IS DISTINCT FROM NULL THEN pg_catalog.format('%s', {column}) END")
}

/// Returns the columns of a table that hold a value of their own.
pub(super) fn stored_columns(client: &mut Client, of: TargetName<'_>) -> Result<Vec<StoredColumn>, ServerError> {
    let rows = client.query(include_str!("sql/stored_columns.sql"), &[&of.schema, &of.table]).doing(READING)?;
    let column = |row: &Row| Ok(StoredColumn { name: row.value("name")?, type_name: row.value("type_name")? });
    rows.iter().map(column).collect()
}

/// Returns the condition by which a row `c` refers to a row `t`.
fn joined(equality: &Equality, by: &HeldReference) -> String {
    let equal = |(column, parent): (&String, &String)| {
        equality.of(parent, &format!("c.{}", quoted(column)), &format!("t.{}", quoted(parent)))
    };
    by.columns.iter().zip(&by.parent_columns).map(equal).collect::<Vec<_>>().join(" AND ")
}
