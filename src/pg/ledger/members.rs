//! The members of a fleet: its files, which workers take, and what became of each.

use std::collections::BTreeMap;

use postgres::Row;

use super::{READING, WRITING};
use crate::model::fleet::{Claim, MemberCounts, MemberRows, MemberState, Omitted, Shard};
use crate::model::ident::{qualified, quoted};
use crate::model::ledger::Run;
use crate::model::record::UnfinishedFile;
use crate::pg::client::{Parameter, Pipeline};
use crate::pg::error::{Doing, ServerError};
use crate::pg::row::RowValues;
use crate::pg::session::Session;

/// A member whose rows are in the target: all of them, or those of the batches so far.
#[derive(Clone, Debug)]
pub struct LoadedMember {
    /// Its number.
    pub member: i32,
    /// Its file.
    pub path: String,
    /// The key of its owner's row.
    pub owner: Option<String>,
    /// True if the member made the owner's row.
    pub made: bool,
    /// Its rows, by table.
    pub rows: Vec<MemberRows>,
    /// Everything that is not in the target as the file has it.
    pub omitted: Omitted,
    /// True if they were read back after their commit.
    pub proved: bool,
    /// The duration of the work in milliseconds.
    pub millis: i64,
    /// True if all rows of its file are there.
    pub is_done: bool,
}

/// The members of a fleet by their progress.
#[derive(Clone, Debug, Default)]
pub struct FleetProgress {
    /// The number of members in each state.
    pub counts: MemberCounts,
    /// Seconds until the first lease ends. `None` if no member is taken.
    pub lease: Option<f64>,
}

impl Session {
    /// Adds files to a fleet, each with the values that come with it as JSON, except files that it has. Returns the number of
    /// files that were added.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn register_members(&mut self, run: &Run, files: &[(String, String)]) -> Result<u64, ServerError> {
        let (paths, values): (Vec<&str>, Vec<&str>) = files.iter().map(|(p, v)| (p.as_str(), v.as_str())).unzip();
        let lock = self.ledger.sql(&format!(
            "START TRANSACTION; SELECT FROM :ledger.run WHERE run = {} AND state = 'Running' FOR UPDATE",
            run.id
        ));
        let sql = self.ledger.sql(include_str!("../sql/register_members.sql"));
        let parameters: [&dyn Parameter; 3] = [&run.id, &paths, &values];
        let mut tx = self.client.begun_transaction();
        tx.batch_execute(&lock).doing(WRITING)?;
        let added = tx.execute(&sql, &parameters).doing(WRITING)?;
        tx.commit().doing(WRITING)?;
        Ok(added)
    }

    /// Lets the run of a fleet that is done begin again if it gets new files, or if members of these states are to be tried again.
    /// Returns true if it works now. The time of its end stays: [`Session::has_ended`].
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn reopen_fleet(&mut self, run: &Run, paths: &[&str], states: &[MemberState]) -> Result<bool, ServerError> {
        let words: Vec<&str> = states.iter().map(|state| state.word()).collect();
        let sql = self.ledger.sql(
            "UPDATE :ledger.run SET state = 'Running' WHERE run = $1 AND state = 'Done' AND ( \
             EXISTS (SELECT FROM :ledger.member m WHERE m.run = $1 AND m.state = ANY ($3::text[])) \
             OR EXISTS (SELECT FROM unnest($2::text[]) AS f (path) \
             WHERE NOT EXISTS (SELECT FROM :ledger.member m WHERE m.run = $1 AND m.path = f.path)))",
        );
        Ok(self.client.execute(&sql, &[&run.id, &paths, &words]).doing(WRITING)? > 0)
    }

    /// Ends a fleet whose members are all done or removed. Returns false if another worker has added a file, or has the run.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn end_fleet(&mut self, run: &Run) -> Result<bool, ServerError> {
        let sql = self.ledger.sql(
            "UPDATE :ledger.run SET state = 'Done', ended_at = now() WHERE run = $1 AND epoch = $2 AND state = 'Running' \
             AND NOT EXISTS (SELECT FROM :ledger.member m WHERE m.run = $1 AND m.state NOT IN ('Done', 'Removed'))",
        );
        Ok(self.client.execute(&sql, &[&run.id, &run.epoch]).doing(WRITING)? > 0)
    }

    /// Notes that no file of a fleet waits any more, and some are quarantined: from now on the application may work with the others.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn note_end_with_quarantined(&mut self, run: &Run) -> Result<(), ServerError> {
        let sql = self
            .ledger
            .sql("UPDATE :ledger.run SET ended_at = now() WHERE run = $1 AND epoch = $2 AND state = 'Running'");
        self.client.execute(&sql, &[&run.id, &run.epoch]).doing(WRITING)?;
        Ok(())
    }

    /// Returns true if a fleet has been at its end before, even if it works on further files now.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn has_ended(&mut self, run: i64) -> Result<bool, ServerError> {
        let sql = self.ledger.sql("SELECT FROM :ledger.run WHERE run = $1 AND ended_at IS NOT NULL");
        Ok(!self.client.query(&sql, &[&run]).doing(READING)?.is_empty())
    }

    /// Returns the number of owners' rows that a fleet made and that are still there.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn made_owners(&mut self, run: &Run, table: &str, key: &str) -> Result<u64, ServerError> {
        // A join: Citus takes no subquery over a table of its own that refers to a local one.
        let sql = self.ledger.sql(&format!(
            "SELECT count(*) FROM :ledger.member AS m JOIN {} AS o ON o.{}::text = m.owner_key \
             WHERE m.run = $1 AND m.made",
            qualified(&run.judged.schema, table),
            quoted(key)
        ));
        let rows = self.reading(|client| client.query_one(&sql, &[&run.id]).doing(READING))?;
        Ok(rows.kept::<i64>(0)?.unsigned_abs())
    }

    /// Takes up to `most` members that wait, or whose worker did not come back before its lease ended, for `seconds`.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn claim_members(
        &mut self,
        run: &Run,
        shard: Shard,
        most: i64,
        lease: &MemberLease<'_>,
    ) -> Result<Vec<Claim>, ServerError> {
        let sql = self.ledger.sql(include_str!("../sql/claim_members.sql"));
        let (worker, seconds) = (lease.worker, lease.seconds);
        let parameters: [&dyn Parameter; 6] = [&run.id, &shard.index, &shard.of, &most, &worker, &seconds];
        let rows = self.client.query(&sql, &parameters).doing(WRITING)?;
        let claim = |row: &Row| {
            Ok(Claim {
                run: run.id,
                run_epoch: run.epoch,
                member: row.kept(0)?,
                path: row.kept(1)?,
                values: json("member.owner", &row.kept::<String>(2)?)?,
                epoch: row.kept(3)?,
                begun: row.kept(4)?,
            })
        };
        let mut claims = rows.iter().map(claim).collect::<Result<Vec<Claim>, ServerError>>()?;
        claims.sort_by_key(|claim| claim.member);
        Ok(claims)
    }

    /// Renews the lease of members that are still this worker's. Never waits: a member whose row is locked is in a transaction,
    /// and no other worker takes it before that ends.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn renew_leases(&mut self, claims: &[Claim], seconds: i32) -> Result<(), ServerError> {
        let Some(first) = claims.first() else { return Ok(()) };
        let (members, epochs): (Vec<i32>, Vec<i32>) = claims.iter().map(|claim| (claim.member, claim.epoch)).unzip();
        let sql = self.ledger.sql(
            "WITH mine AS (SELECT m.member FROM :ledger.member m JOIN unnest($2::int[], $3::int[]) AS claim (member, epoch) \
             ON m.member = claim.member AND m.epoch = claim.epoch \
             WHERE m.run = $1 AND m.state = 'Taken' FOR UPDATE OF m SKIP LOCKED) \
             UPDATE :ledger.member m SET lease = clock_timestamp() + pg_catalog.make_interval(secs => $4) \
             FROM mine WHERE m.run = $1 AND m.member = mine.member",
        );
        self.client.execute(&sql, &[&first.run, &members, &epochs, &seconds]).doing(WRITING)?;
        Ok(())
    }

    /// Ends the work on a member that is not done, with its reason. `Waiting` returns it to the other workers. Batches that are in the
    /// target stay there. Does nothing if another worker has taken it over.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn end_member(&mut self, claim: &Claim, state: MemberState, reason: &str) -> Result<(), ServerError> {
        let sql = self.ledger.sql(
            "UPDATE :ledger.member SET state = $4, reason = $5, lease = NULL, at = now() \
             WHERE run = $1 AND member = $2 AND epoch = $3 AND state = 'Taken'",
        );
        let word = state.word();
        self.client.execute(&sql, &[&claim.run, &claim.member, &claim.epoch, &word, &reason]).doing(WRITING)?;
        Ok(())
    }

    /// Returns true if the member is done by this claim. A crash of the server may have lost a commit that did not wait for the disk.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn is_member_done(&mut self, claim: &Claim) -> Result<bool, ServerError> {
        let sql = self
            .ledger
            .sql("SELECT FROM :ledger.member WHERE run = $1 AND member = $2 AND epoch = $3 AND state = 'Done'");
        Ok(!self.client.query(&sql, &[&claim.run, &claim.member, &claim.epoch]).doing(READING)?.is_empty())
    }

    /// Notes that the rows of a member were read back and are those that were sent.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn prove_member(&mut self, claim: &Claim) -> Result<(), ServerError> {
        let sql = self.ledger.sql(
            "UPDATE :ledger.member SET proved = true WHERE run = $1 AND member = $2 AND epoch = $3 AND state = 'Done'",
        );
        self.client.execute(&sql, &[&claim.run, &claim.member, &claim.epoch]).doing(WRITING)?;
        Ok(())
    }

    /// Lets members of a state wait again, so that a worker tries them once more. Returns their number.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn retry_members(&mut self, run: &Run, state: MemberState) -> Result<u64, ServerError> {
        let sql = self.ledger.sql(
            "UPDATE :ledger.member SET state = 'Waiting', reason = NULL WHERE run = $1 AND state = $2 \
             AND EXISTS (SELECT FROM :ledger.run r WHERE r.run = $1 AND r.state = 'Running')",
        );
        let word = state.word();
        self.client.execute(&sql, &[&run.id, &word]).doing(WRITING)
    }

    /// Counts the members of a fleet by their state.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn fleet_progress(&mut self, run: i64) -> Result<FleetProgress, ServerError> {
        let sql = self.ledger.sql(
            "SELECT state, count(*), \
                    extract(epoch FROM min(lease) FILTER (WHERE state = 'Taken') - clock_timestamp())::float8 \
             FROM :ledger.member WHERE run = $1 GROUP BY state",
        );
        let rows = self.client.query(&sql, &[&run]).doing(READING)?;
        let mut found = FleetProgress::default();
        for row in &rows {
            let state = state(&row.kept::<String>(0)?)?;
            found.counts.insert(state, row.kept::<i64>(1)?.unsigned_abs());
            found.lease = found.lease.or(row.kept(2)?);
        }
        Ok(found)
    }

    /// Returns up to `most` members that are quarantined or failed, in their order.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn unfinished_members(&mut self, run: i64, most: i64) -> Result<Vec<UnfinishedFile>, ServerError> {
        let sql = self.ledger.sql(
            "SELECT path, state, coalesce(reason, '') FROM :ledger.member \
             WHERE run = $1 AND state IN ('Quarantined', 'Failed') ORDER BY member LIMIT $2",
        );
        let rows = self.client.query(&sql, &[&run, &most]).doing(READING)?;
        let member = |row: &Row| {
            let state = state(&row.kept::<String>(1)?)?.word().to_lowercase();
            Ok(UnfinishedFile { path: row.kept(0)?, state, reason: row.kept(2)? })
        };
        rows.iter().map(member).collect()
    }

    /// Returns up to `most` members that have rows in the target, in their order, those after the member `after`.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn loaded_members(&mut self, run: i64, after: i32, most: i64) -> Result<Vec<LoadedMember>, ServerError> {
        let sql = self.ledger.sql(
            "SELECT member, path, owner_key, made, rows::text, proved, millis, \
             pg_catalog.to_jsonb(m) ->> 'omitted', state = 'Done' FROM :ledger.member m \
             WHERE run = $1 AND rows IS NOT NULL AND member > $2 ORDER BY member LIMIT $3",
        );
        let rows = self.client.query(&sql, &[&run, &after, &most]).doing(READING)?;
        rows.iter().map(loaded).collect()
    }

    /// Returns the members that have rows in the target and with which this value came: under the name `column`, or under any name.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn loaded_members_of(
        &mut self,
        run: i64,
        column: Option<&str>,
        value: &str,
    ) -> Result<Vec<LoadedMember>, ServerError> {
        let sql = self.ledger.sql(
            "SELECT member, path, owner_key, made, rows::text, proved, millis, \
             pg_catalog.to_jsonb(m) ->> 'omitted', state = 'Done' FROM :ledger.member m \
             WHERE run = $1 AND rows IS NOT NULL AND EXISTS (SELECT FROM jsonb_each_text(m.owner) AS e \
             WHERE e.value = $3::text AND ($2::text IS NULL OR e.key = $2::text)) ORDER BY member",
        );
        let rows = self.client.query(&sql, &[&run, &column, &value]).doing(READING)?;
        rows.iter().map(loaded).collect()
    }

    /// Notes that all rows of a fleet are removed. Returns false if a member has rows, or another process has the run.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn end_removed_fleet(&mut self, run: &Run) -> Result<bool, ServerError> {
        let sql = self.ledger.sql(
            "UPDATE :ledger.run SET state = 'RolledBack', ended_at = now() WHERE run = $1 AND epoch = $2 \
             AND NOT EXISTS (SELECT FROM :ledger.member m WHERE m.run = $1 AND m.rows IS NOT NULL)",
        );
        Ok(self.client.execute(&sql, &[&run.id, &run.epoch]).doing(WRITING)? > 0)
    }

    /// Records the first free id of each of these tables for the members to come. A range never goes back, and continues
    /// after ids that the application has taken meanwhile.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn open_ranges(&mut self, run: i64, first: &BTreeMap<String, i64>) -> Result<(), ServerError> {
        let (tables, ids): (Vec<&str>, Vec<i64>) = first.iter().map(|(table, id)| (table.as_str(), *id)).unzip();
        let sql = self.ledger.sql(
            "INSERT INTO :ledger.range AS r (run, table_name, next) SELECT $1, * FROM unnest($2::text[], $3::int8[]) \
             ON CONFLICT (run, table_name) DO UPDATE SET next = EXCLUDED.next WHERE r.next < EXCLUDED.next",
        );
        self.client.execute(&sql, &[&run, &tables, &ids]).doing(WRITING)?;
        Ok(())
    }

    /// Reserves a number of ids in each of these tables, and returns the first one of each. The ids of a member that brings no
    /// row remain a gap.
    ///
    /// # Errors
    /// If the server refuses, a table has no range, or the connection is lost.
    pub fn reserve_ids(
        &mut self,
        run: i64,
        wanted: &BTreeMap<String, i64>,
    ) -> Result<BTreeMap<String, i64>, ServerError> {
        if wanted.is_empty() {
            return Ok(BTreeMap::new());
        }
        let sql = self
            .ledger
            .sql("UPDATE :ledger.range SET next = next + $3 WHERE run = $1 AND table_name = $2 RETURNING next - $3");
        let mut steps = Pipeline::new();
        for (table, ids) in wanted {
            // Each statement is a transaction of its own: no worker holds the range of one table while it waits for another.
            steps = steps.query(sql.clone(), &[&run, table, ids]);
        }
        let answers = steps.rows(&mut self.client).doing(WRITING)?;
        let missing = |table: &String| ServerError::of_ledger(format!("range: there is none of {table}"));
        let firsts = wanted.keys().zip(&answers);
        firsts.map(|(table, rows)| Ok((table.clone(), rows.first().ok_or_else(|| missing(table))?.kept(0)?))).collect()
    }

    /// Returns the next free id of each table with a range.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn ranges(&mut self, run: i64) -> Result<BTreeMap<String, i64>, ServerError> {
        let sql = self.ledger.sql("SELECT table_name, next FROM :ledger.range WHERE run = $1");
        let rows = self.client.query(&sql, &[&run]).doing(READING)?;
        rows.iter().map(|row| Ok((row.kept(0)?, row.kept(1)?))).collect()
    }
}

/// A worker, and the time for which it takes members.
#[derive(Clone, Copy, Debug)]
pub struct MemberLease<'a> {
    /// The worker, for people: host and process.
    pub worker: &'a str,
    /// The seconds after which another worker may take them.
    pub seconds: i32,
}

/// A member with rows. A ledger of version 5 has no column `omitted`: its rows as JSON have no such key.
fn loaded(row: &Row) -> Result<LoadedMember, ServerError> {
    Ok(LoadedMember {
        member: row.kept(0)?,
        path: row.kept(1)?,
        owner: row.kept(2)?,
        made: row.kept(3)?,
        rows: json("member.rows", row.kept::<Option<String>>(4)?.as_deref().unwrap_or("[]"))?,
        proved: row.kept(5)?,
        millis: row.kept(6)?,
        omitted: json("member.omitted", row.kept::<Option<String>>(7)?.as_deref().unwrap_or("{}"))?,
        is_done: row.kept(8)?,
    })
}

pub(super) fn state(word: &str) -> Result<MemberState, ServerError> {
    MemberState::read(word).ok_or_else(|| ServerError::of_ledger(format!("member.state: there is no state `{word}`")))
}

pub(in crate::pg) fn json<T: serde::de::DeserializeOwned>(column: &str, text: &str) -> Result<T, ServerError> {
    serde_json::from_str(text).map_err(|e| ServerError::of_ledger(format!("{column}: {e}")))
}
