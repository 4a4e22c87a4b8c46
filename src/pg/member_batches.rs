//! A file of a fleet that is written in several batches: each one is a transaction with the file's position in the ledger.

use super::client::Parameter;
use super::error::{Doing, READING_LEDGER, ServerError};
use super::ledger::members::json;
use super::member::{MemberTransaction, WRITING, lock};
use super::row::RowValues;
use super::session::Session;
use crate::model::fleet::{BegunMember, Claim, MemberEnd, MemberState};

impl Session {
    /// Returns the batches of a member that are in the target. `None` if there are none, or another worker has the member.
    ///
    /// # Errors
    /// If the server refuses, the connection is lost, or the ledger contains a value that this version cannot read.
    pub fn begun_member(&mut self, claim: &Claim) -> Result<Option<BegunMember>, ServerError> {
        let sql = self.ledger.sql(
            "SELECT position::text, stamp, owner_key, made, rows::text, omitted::text, millis FROM :ledger.member \
             WHERE run = $1 AND member = $2 AND epoch = $3 AND state = 'Taken' AND position IS NOT NULL",
        );
        let rows = self.client.query(&sql, &[&claim.run, &claim.member, &claim.epoch]).doing(READING_LEDGER)?;
        let Some(row) = rows.first() else { return Ok(None) };
        let end = MemberEnd {
            stamp: row.kept(1)?,
            owner: row.kept(2)?,
            made: row.kept(3)?,
            rows: json("member.rows", &row.kept::<String>(4)?)?,
            omitted: json("member.omitted", &row.kept::<String>(5)?)?,
            millis: row.kept(6)?,
        };
        Ok(Some(BegunMember { end, position: json("member.position", &row.kept::<String>(0)?)? }))
    }
}

impl MemberTransaction<'_> {
    /// Ends the COPY that is open, checks what was deferred, commits the rows with the place of the next batch, and begins the next
    /// transaction. The member stays with this worker for so many seconds. Returns false if another worker has taken it over.
    ///
    /// # Errors
    /// If the server refuses: then the batch is not written. If the connection is lost: then it may be committed or not, and
    /// [`Session::begun_member`] finds out.
    pub fn commit_batch(&mut self, claim: &Claim, begun: &BegunMember, seconds: i32) -> Result<bool, ServerError> {
        self.end_copy()?;
        let unwritable = |e: serde_json::Error| ServerError::new(WRITING, e.to_string());
        let rows = serde_json::to_string(&begun.end.rows).map_err(unwritable)?;
        let omitted = serde_json::to_string(&begun.end.omitted).map_err(unwritable)?;
        let position = serde_json::to_string(&begun.position).map_err(unwritable)?;
        // As the last one, it runs under the application's search path.
        let note = self.session.ledger.sql(
            "UPDATE :ledger.member SET stamp = $4, owner_key = $5, made = made OR $6, \
             rows = ($7::pg_catalog.text)::pg_catalog.jsonb, omitted = ($8::pg_catalog.text)::pg_catalog.jsonb, \
             position = ($9::pg_catalog.text)::pg_catalog.jsonb, millis = $10, \
             lease = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) pg_catalog.make_interval(secs => $11), \
             at = pg_catalog.now() WHERE (run, member, epoch) OPERATOR(pg_catalog.=) ($1, $2, $3)",
        );
        let MemberEnd { stamp, owner, made, millis, .. } = &begun.end;
        let parameters: [&dyn Parameter; 11] =
            [&claim.run, &claim.member, &claim.epoch, stamp, owner, made, &rows, &omitted, &position, millis, &seconds];
        self.commit_noting(&note, &parameters)?;
        let lock = self.session.ledger.sql(&lock(claim));
        self.lock(&lock)
    }

    /// Notes that the batches of the member are removed, and commits. `Taken`: this worker begins it again.
    ///
    /// # Errors
    /// If the server refuses: then nothing is removed. If the connection is lost: then they may be removed or not.
    pub fn commit_without_rows(self, claim: &Claim, state: MemberState, reason: &str) -> Result<(), ServerError> {
        let note = self.session.ledger.sql(
            "UPDATE :ledger.member SET state = $4, reason = $5, rows = NULL, omitted = NULL, position = NULL, made = false, \
             owner_key = NULL, stamp = NULL, at = pg_catalog.now() \
             WHERE (run, member, epoch) OPERATOR(pg_catalog.=) ($1, $2, $3)",
        );
        let word = state.word();
        self.commit_with(&note, &[&claim.run, &claim.member, &claim.epoch, &word, &reason])
    }
}
