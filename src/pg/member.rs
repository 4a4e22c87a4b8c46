//! One file of a fleet: its rows, or those of a batch of them, and its line in the ledger are one transaction.

use std::ops::{Deref, DerefMut};

use super::batch::CHECKING_ROWS;
use super::client::{CopyIn, Parameter, Pipeline, all_replies};
use super::copy::{CopyTarget, Destination, begun, send_slices};
use super::error::{Doing, Operation, ServerError};
use super::owner::{ColumnValue, insertion};
use super::row::RowValues;
use super::session::Session;
use crate::model::fleet::{Claim, MemberEnd, MemberIds};
use crate::model::ident::quoted;

pub(super) const WRITING: &str = "writing a file of the fleet";

/// The transaction of a member. Dropping it rolls back.
pub struct MemberTransaction<'s> {
    pub(super) session: &'s mut Session,
    copy: Option<OpenCopy>,
    pub(super) is_open: bool,
}

/// A COPY that takes rows.
struct OpenCopy {
    copy: CopyIn,
    to: CopyTarget,
    rows: u64,
}

impl Session {
    /// Lets commits of this session not wait for the disk. A crash of the server then loses the last ones as a whole and in their
    /// order, each with its part of the ledger. [`Session::commits_last`] makes all of them last.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn commits_may_be_lost(&mut self) -> Result<(), ServerError> {
        self.client.batch_execute("SET synchronous_commit = off").doing(WRITING)
    }

    /// Makes all commits of this session last, and lets each one wait for the disk from now on. `member`: any member of the
    /// run.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn commits_last(&mut self, run: i64, member: i32) -> Result<(), ServerError> {
        // Only a transaction that has written something waits for the disk.
        let sql = format!("UPDATE :ledger.member SET at = at WHERE run = {run} AND member = {member}");
        let sql = self.ledger.sql(&sql);
        let replies = Pipeline::new().script("RESET synchronous_commit").query(sql, &[]).run(&mut self.client);
        all_replies(replies).doing(WRITING)?;
        Ok(())
    }

    /// Begins the transaction of a member. `None` if another worker has taken the member over, or the run has ended.
    ///
    /// The member's row is locked until the transaction ends, so that no other worker takes it while rows are on their way. If the
    /// commit does not wait for the disk, a crash of the server loses the rows and the ledger's line together, and the member
    /// waits again.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn begin_member(&mut self, claim: &Claim) -> Result<Option<MemberTransaction<'_>>, ServerError> {
        let lock = self.ledger.sql(&lock(claim));
        let mut transaction = MemberTransaction { session: self, copy: None, is_open: true };
        Ok(transaction.lock(&lock)?.then_some(transaction))
    }
}

impl Session {
    /// Begins a transaction that removes rows, with a statement that locks the row of a member. `None` if there is no such row. All
    /// its statements see the target as the first one does: a row that was changed or came to refer to one meanwhile is an error.
    pub(super) fn begin_removing(&mut self, lock: &str) -> Result<Option<MemberTransaction<'_>>, ServerError> {
        let mut transaction = MemberTransaction { session: self, copy: None, is_open: true };
        let begun = transaction.begin(&format!("START TRANSACTION ISOLATION LEVEL REPEATABLE READ; {lock}"))?;
        Ok(begun.then_some(transaction))
    }
}

/// The statement that locks the row of a member that is still this worker's, in a run that works.
pub(super) fn lock(Claim { run, run_epoch, member, epoch, .. }: &Claim) -> String {
    format!(
        "SELECT FROM :ledger.member m JOIN :ledger.run r ON r.run = m.run \
         WHERE m.run = {run} AND m.member = {member} AND m.epoch = {epoch} AND m.state = 'Taken' \
         AND r.epoch = {run_epoch} AND r.state = 'Running' FOR UPDATE OF m FOR SHARE OF r"
    )
}

/// The condition that exactly the rows with reserved ids meet. It names its operators with their schema. `alias`: that of the
/// table with a point, or nothing.
pub fn reserved_rows(alias: &str, MemberIds { column, first, last }: &MemberIds) -> String {
    let column = format!("{alias}{}", quoted(column));
    format!("{column} OPERATOR(pg_catalog.>=) {first} AND {column} OPERATOR(pg_catalog.<=) {last}")
}

impl MemberTransaction<'_> {
    /// Begins a transaction on the server with a statement that locks one row. Returns false if there is no such row.
    pub(super) fn lock(&mut self, lock: &str) -> Result<bool, ServerError> {
        self.begin(&format!("START TRANSACTION; {lock}"))
    }

    fn begin(&mut self, sql: &str) -> Result<bool, ServerError> {
        self.is_open = true;
        let begun = self.session.client.simple_query(sql).doing(WRITING)?;
        let found = begun.into_iter().filter_map(|message| match message {
            postgres::SimpleQueryMessage::CommandComplete(rows) => Some(rows),
            _ => None,
        });
        Ok(found.last() == Some(1))
    }

    /// Inserts the owner's row. Returns its key.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn insert_owner(
        &mut self,
        schema: &str,
        table: &str,
        key: &str,
        columns: &[ColumnValue<'_>],
    ) -> Result<String, ServerError> {
        let enter = self.session.application_path.set(true);
        let steps = Pipeline::new().script(enter).query(insertion(schema, table, key, columns), &[]);
        let rows = steps.rows(&mut self.session.client).doing("creating the owner")?.concat();
        match rows.as_slice() {
            [row] => row.value(0),
            rows => Err(ServerError::new("creating the owner", format!("the server inserted {} rows", rows.len()))),
        }
    }

    /// Begins a COPY, and ends the one before.
    ///
    /// # Errors
    /// If the server refuses a row of the COPY before, or the connection is lost.
    pub fn begin_copy(&mut self, into: &Destination<'_>) -> Result<(), ServerError> {
        let to = into.straight();
        let sql = to.sql();
        // While a COPY is open, the server takes no other message. So its end is sent before a statement is prepared.
        let known = match self.session.prepared.known(&sql) {
            Some(known) => known,
            None => {
                self.end_copy()?;
                self.session.prepared.get(&mut self.session.client, &sql).doing(Operation::CopyRows)?
            }
        };
        let before = self.copy.take();
        let Session { client, application_path, .. } = &mut *self.session;
        let mut steps = Pipeline::new();
        let expected = before.as_ref().map(|open| (open.to.clone(), open.rows));
        if let Some(OpenCopy { copy, .. }) = before {
            steps = steps.end_copy(copy);
        }
        let (replies, copy) = steps.script(application_path.set(true)).run_and_copy(client, &known);
        let replies = all_replies(replies).doing(Operation::CopyRows)?;
        if let (Some((to, rows)), Some(reply)) = (expected, replies.first()) {
            to.compare(reply.counts().last().copied().unwrap_or(0), rows)?;
        }
        let mut copy = begun(copy)?;
        to.begin(client, &mut copy)?;
        self.copy = Some(OpenCopy { copy, to, rows: 0 });
        Ok(())
    }

    /// Ends the COPY that is open, if there is one.
    ///
    /// # Errors
    /// If the server refuses a row, or the connection is lost.
    pub fn end_copy(&mut self) -> Result<(), ServerError> {
        let Some(OpenCopy { copy, to, rows }) = self.copy.take() else { return Ok(()) };
        let replies = Pipeline::new().end_copy(copy).run(&mut self.session.client);
        let replies = all_replies(replies).doing(Operation::CopyRows)?;
        let taken = replies.first().and_then(|reply| reply.counts().last().copied());
        to.compare(taken.unwrap_or(0), rows)
    }

    /// Sends rows of the COPY that is open.
    ///
    /// # Errors
    /// If the connection is lost. A refused row is reported with the end of the COPY.
    pub fn send(&mut self, bytes: &[u8], rows: u64) -> Result<(), ServerError> {
        let Some(open) = &mut self.copy else { return Err(ServerError::new(WRITING, "no COPY is open")) };
        open.rows += rows;
        send_slices(&mut self.session.client, &mut open.copy, bytes)
    }

    /// Sends the bytes after the last row of the COPY that is open.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn end_rows(&mut self) -> Result<(), ServerError> {
        let Some(open) = &mut self.copy else { return Ok(()) };
        open.to.end(&mut self.session.client, &mut open.copy)
    }

    /// Ends the last COPY, checks what was deferred, and commits the rows with the member's line in the ledger.
    ///
    /// # Errors
    /// If the server refuses: then nothing is written. If the connection is lost: then the member may be committed or not, and
    /// the next worker that takes it finds out, because a member that is done is taken by none.
    pub fn commit(mut self, claim: &Claim, end: &MemberEnd) -> Result<(), ServerError> {
        self.end_copy()?;
        let unwritable = |e: serde_json::Error| ServerError::new(WRITING, e.to_string());
        let rows = serde_json::to_string(&end.rows).map_err(unwritable)?;
        let omitted = serde_json::to_string(&end.omitted).map_err(unwritable)?;
        // Runs under the application's search path, under which its deferred triggers run with the commit.
        let sql = self.session.ledger.sql(
            "UPDATE :ledger.member SET state = 'Done', stamp = $4, owner_key = $5, \
             made = made OR $6, rows = ($7::pg_catalog.text)::pg_catalog.jsonb, millis = $8, reason = NULL, lease = NULL, \
             omitted = ($9::pg_catalog.text)::pg_catalog.jsonb, position = NULL, proved = false, at = pg_catalog.now() \
             WHERE (run, member, epoch) OPERATOR(pg_catalog.=) ($1, $2, $3)",
        );
        let MemberEnd { stamp, owner, made, millis, .. } = end;
        let parameters: [&dyn Parameter; 9] =
            [&claim.run, &claim.member, &claim.epoch, stamp, owner, made, &rows, millis, &omitted];
        self.commit_with(&sql, &parameters)
    }

    /// Checks what was deferred, changes the member's row, and commits.
    pub(super) fn commit_with(mut self, note: &str, parameters: &[&dyn Parameter]) -> Result<(), ServerError> {
        self.commit_noting(note, parameters)
    }

    /// Checks what was deferred, changes the member's row, and commits. Nothing may follow but [`MemberTransaction::lock`].
    pub(super) fn commit_noting(&mut self, note: &str, parameters: &[&dyn Parameter]) -> Result<(), ServerError> {
        let steps = Pipeline::new().script("SET CONSTRAINTS ALL IMMEDIATE").query(note, parameters).script("COMMIT");
        let replies = steps.run(&mut self.session.client);
        // With three answers the transaction has ended, one way or the other.
        self.is_open = replies.len() < 3;
        for (reply, doing) in replies.into_iter().zip([CHECKING_ROWS, WRITING, "committing a file of the fleet"]) {
            reply.doing(doing)?;
        }
        Ok(())
    }
}

impl Drop for MemberTransaction<'_> {
    fn drop(&mut self) {
        // Before the rollback, which waits for the end of the COPY.
        drop(self.copy.take());
        if self.is_open {
            // If the connection is lost, the server rolls back by itself.
            let _ = self.session.client.batch_execute("ROLLBACK");
        }
    }
}

impl Deref for MemberTransaction<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session
    }
}

impl DerefMut for MemberTransaction<'_> {
    fn deref_mut(&mut self) -> &mut Session {
        self.session
    }
}
