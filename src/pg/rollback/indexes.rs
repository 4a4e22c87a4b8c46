//! Foreign keys that refer to deleted rows: detached for the duration of a rollback, or served by an index.
//!
//! For each deleted row the server looks for rows that refer to it. Without an index it reads the whole referring table, the
//! rows that the rollback itself deleted from it included, because they stay in the table until the commit.

use std::collections::BTreeMap;

use postgres::Row;

use super::transaction::{OpenRollback, ROLLING_BACK};
use crate::model::schema::Detachable;
use crate::pg::client::Pipeline;
use crate::pg::error::{Doing, ServerError};
use crate::pg::row::RowValues;

/// The query for the foreign keys to a table `$2` of the schema `$1` whose columns no index serves.
pub(super) const UNINDEXED: &str = include_str!("../sql/unindexed_references.sql");

/// Blocks that the server would read without an index, from which an index is worth the lock on the referring table.
const WORTH_BLOCKS: u64 = 10_000;

/// An index that exists only within a rollback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollbackIndex {
    drop_sql: String,
}

impl OpenRollback<'_> {
    /// Detaches foreign keys that are as the catalogue lists them. The caller reattaches them. Returns false if the server
    /// refused, for example because another session holds a lock for too long: then all of them are still attached.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn try_detach(&mut self, keys: &[&Detachable]) -> Result<bool, ServerError> {
        let statements: Vec<&str> = keys.iter().flat_map(|key| &key.detach_sql).map(String::as_str).collect();
        if statements.is_empty() { Ok(true) } else { self.try_sql(&statements) }
    }

    /// Lists, for each of these tables, the foreign keys to it whose columns no index serves.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn unindexed_references(
        &mut self,
        schema: &str,
        deleted: &BTreeMap<&str, u64>,
    ) -> Result<Vec<Vec<Row>>, ServerError> {
        let mut steps = Pipeline::new();
        for table in deleted.keys() {
            steps = steps.query(UNINDEXED, &[&schema, table]);
        }
        steps.rows(&mut self.tx).doing(ROLLING_BACK)
    }

    /// Creates the indexes that deleting this many rows of each table needs, unless they exist or this role may not create
    /// them. The rollback is slower then. `found`: the keys without an index.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn index_references(
        &mut self,
        found: &[Vec<Row>],
        deleted: &BTreeMap<&str, u64>,
    ) -> Result<Vec<RollbackIndex>, ServerError> {
        let mut created = Vec::new();
        for (rows, row) in
            deleted.values().zip(found).flat_map(|(rows, found)| found.iter().map(move |row| (rows, row)))
        {
            let blocks = row.value::<i64>("blocks")?.unsigned_abs();
            if row.value("is_ours")?
                && blocks.saturating_mul(*rows) >= WORTH_BLOCKS
                && self.try_sql(&[row.value("index_sql")?])?
            {
                created.push(RollbackIndex { drop_sql: row.value("drop_sql")? });
            }
        }
        Ok(created)
    }

    /// Drops such an index. No deferred check may be pending, because the index serves these checks too.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn drop_index(&mut self, index: &RollbackIndex) -> Result<(), ServerError> {
        self.tx.batch_execute(&index.drop_sql).doing(ROLLING_BACK)
    }

    /// Runs statements under a savepoint, each as a message of its own. Returns false if the server refused one.
    fn try_sql(&mut self, statements: &[&str]) -> Result<bool, ServerError> {
        self.tx.batch_execute("SAVEPOINT migrate_mark").doing(ROLLING_BACK)?;
        let steps = statements.iter().copied().fold(Pipeline::new(), Pipeline::script);
        let (done, then) = match steps.rows(&mut self.tx).doing(ROLLING_BACK) {
            Ok(_) => (true, "RELEASE SAVEPOINT migrate_mark"),
            Err(e) if e.lost => return Err(e),
            Err(_) => (false, "ROLLBACK TO SAVEPOINT migrate_mark; RELEASE SAVEPOINT migrate_mark"),
        };
        self.tx.batch_execute(then).doing(ROLLING_BACK)?;
        Ok(done)
    }
}
