//! The rows of one file of a fleet, removed again by the ids that were reserved for them.

use super::client::{Pipeline, all_replies};
use super::error::{Doing, ServerError};
use super::member::{MemberTransaction, lock, reserved_rows};
use super::rollback::{BlockingReference, ReferencingKey};
use super::row::RowValues;
use super::session::{ApplicationPath, Session};
use crate::model::fleet::{Claim, MemberIds};
use crate::model::ident::{literal, qualified, quoted};
use crate::model::ledger::Run;

const REMOVING: &str = "removing the rows of a file";

/// Rows that are removed.
#[derive(Clone, Copy, Debug)]
pub enum RemovedRows<'a> {
    /// Those with these ids.
    Reserved(&'a MemberIds),
    /// The owner's row with this key.
    Owner {
        /// The column of the key.
        column: &'a str,
        /// The key as text.
        key: &'a str,
    },
}

impl RemovedRows<'_> {
    /// The condition that the rows meet. It names its operators with their schema. `alias`: that of the table with a point, or
    /// nothing.
    fn condition(&self, alias: &str) -> String {
        match self {
            RemovedRows::Reserved(ids) => reserved_rows(alias, ids),
            // As text, which every type of a key has.
            RemovedRows::Owner { column, key } => {
                let column = format!("{alias}{}", quoted(column));
                format!("{column}::pg_catalog.text OPERATOR(pg_catalog.=) {}", literal(key))
            }
        }
    }
}

impl Session {
    /// Begins the transaction that removes a member. `None` if it has no rows, a worker works on it, or the run was taken over.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn begin_removal(&mut self, run: &Run, member: i32) -> Result<Option<MemberTransaction<'_>>, ServerError> {
        let (run, epoch) = (run.id, run.epoch);
        let lock = self.ledger.sql(&format!(
            "SELECT FROM :ledger.member m JOIN :ledger.run r ON r.run = m.run WHERE m.run = {run} AND m.member = {member} \
             AND m.rows IS NOT NULL AND (m.state <> 'Taken' OR m.lease < pg_catalog.clock_timestamp()) AND r.epoch = {epoch} AND r.state <> 'RolledBack' FOR UPDATE OF m FOR SHARE OF r"
        ));
        self.begin_removing(&lock)
    }

    /// Begins the transaction that removes the batches of a member that this worker has. `None` if another worker has it.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn begin_own_removal(&mut self, claim: &Claim) -> Result<Option<MemberTransaction<'_>>, ServerError> {
        let lock = self.ledger.sql(&lock(claim));
        self.begin_removing(&lock)
    }
}

impl MemberTransaction<'_> {
    /// Returns the triggers of a table that would run when a row is deleted.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn deleting_triggers(&mut self, schema: &str, table: &str) -> Result<Vec<String>, ServerError> {
        // Bit 3 of the type: the trigger is for DELETE.
        let sql = "SELECT tgname::text FROM pg_catalog.pg_trigger \
                   WHERE tgrelid = $1::text::pg_catalog.regclass AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 8 <> 0";
        let rows = self.client.query(sql, &[&qualified(schema, table)]).doing(REMOVING)?;
        rows.iter().map(|row| row.value(0)).collect()
    }

    /// Returns the foreign keys by which rows that stay refer to these rows, which the caller is about to delete.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn references_to(
        &mut self,
        schema: &str,
        table: &str,
        rows: &RemovedRows<'_>,
    ) -> Result<Vec<BlockingReference>, ServerError> {
        let equality = self.equality(schema, table)?;
        let found = self.client.query(ReferencingKey::QUERY, &[&schema, &table]).doing(REMOVING)?;
        let mut blocking = Vec::new();
        for row in &found {
            let key = ReferencingKey::read(row, &equality)?;
            let stays = if key.to_itself { format!(" AND NOT ({})", rows.condition("c.")) } else { String::new() };
            let sql = format!(
                "SELECT 1 FROM {} AS t JOIN {} AS c ON {} WHERE {}{stays} LIMIT 1",
                qualified(schema, table),
                key.child,
                key.joined,
                rows.condition("t.")
            );
            let refers = self.reading(|client| client.query(&sql, &[]).doing(REMOVING))?;
            if !refers.is_empty() {
                blocking.push(BlockingReference { name: key.name, child: key.child });
            }
        }
        Ok(blocking)
    }

    /// Deletes these rows. Returns their number.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn delete_rows(&mut self, schema: &str, table: &str, rows: &RemovedRows<'_>) -> Result<u64, ServerError> {
        let enter = self.application_path.set(true);
        let sql = format!("DELETE FROM {} WHERE {}", qualified(schema, table), rows.condition(""));
        let steps = Pipeline::new().script(enter).script(sql).script(ApplicationPath::leave(true));
        let replies = all_replies(steps.run(&mut self.client)).doing(REMOVING)?;
        Ok(replies.get(1).and_then(|reply| reply.counts().last().copied()).unwrap_or(0))
    }

    /// Notes that the member is removed, and commits.
    ///
    /// # Errors
    /// If the server refuses: then nothing is removed. If the connection is lost: then it may be removed or not.
    pub fn commit_removal(self, run: &Run, member: i32) -> Result<(), ServerError> {
        let note = self.ledger.sql(
            "UPDATE :ledger.member SET state = 'Removed', epoch = epoch + 1, rows = NULL, omitted = NULL, position = NULL, proved = false, made = false, at = now() \
             WHERE run = $1 AND member = $2",
        );
        self.commit_with(&note, &[&run.id, &member])
    }
}
