//! Triggers and rules that run for an event on a table, and that are disabled while this program changes rows that are not part
//! of the load.

use postgres::Row;

use super::client::{Client, Pipeline};
use super::error::{Doing, ServerError};
use super::row::RowValues;

const READING: &str = "looking for triggers";

/// An event for which triggers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowEvent {
    /// Rows are inserted.
    Insert,
    /// Rows are deleted.
    Delete,
    /// Rows are updated.
    Update,
}

impl RowEvent {
    /// The event's bit in `pg_trigger.tgtype`.
    pub(super) fn bit(self) -> i32 {
        match self {
            RowEvent::Insert => 4,
            RowEvent::Delete => 8,
            RowEvent::Update => 16,
        }
    }
}

/// A trigger or a rule that runs for an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiringTrigger {
    /// The table or partition that has it, quoted, with its schema.
    pub table: String,
    /// Its name.
    pub object: String,
    /// True if this role may disable it.
    pub is_ours: bool,
    /// The owner of the table, quoted.
    pub owner: String,
    pub(super) disable_sql: String,
    pub(super) enable_sql: String,
}

/// Returns the enabled triggers and rules that run for an event on rows of each of these tables, in one round trip.
pub(super) fn firing(
    client: &mut Client,
    schema: &str,
    tables: &[&str],
    event: RowEvent,
) -> Result<Vec<Vec<FiringTrigger>>, ServerError> {
    firing_of_rows(&add_firing(Pipeline::new(), &schema, tables, &event.bit()).rows(client).doing(READING)?)
}

/// Adds the query for the triggers and rules of each of these tables. `bit`: that of the event.
pub(super) fn add_firing<'p>(
    steps: Pipeline<'p>,
    schema: &'p &'p str,
    tables: &'p [&'p str],
    bit: &'p i32,
) -> Pipeline<'p> {
    let sql = include_str!("sql/firing_triggers.sql");
    tables.iter().fold(steps, |steps, table| steps.query(sql, &[schema, table, bit]))
}

/// The triggers and rules of each table that the answers describe.
pub(super) fn firing_of_rows(found: &[Vec<Row>]) -> Result<Vec<Vec<FiringTrigger>>, ServerError> {
    let trigger = |row: &Row| {
        Ok(FiringTrigger {
            table: row.value("table_name")?,
            object: row.value("object")?,
            is_ours: row.value("is_ours")?,
            owner: row.value("owner")?,
            disable_sql: row.value("disable_sql")?,
            enable_sql: row.value("enable_sql")?,
        })
    };
    found.iter().map(|rows| rows.iter().map(trigger).collect()).collect()
}
