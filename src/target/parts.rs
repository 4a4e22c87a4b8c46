//! What the ledger notes of loads before their first batch: what they do, and where they are cut into parts.
//!
//! Both are written once; whoever comes second finds what the first one wrote.

use super::error::{Doing, ServerError};
use super::ledger::Run;
use super::session::Session;
use crate::model::key::Key;

const WRITING: &str = "writing the ledger";

impl Session {
    /// Brings the hashes of loads up to date that have no committed batch yet.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn replan(&mut self, run: i64, loads: &[(String, String)]) -> Result<(), ServerError> {
        let (names, hashes): (Vec<&str>, Vec<&str>) = loads.iter().map(|(n, h)| (n.as_str(), h.as_str())).unzip();
        let sql = "INSERT INTO load (run, load, plan) SELECT $1, * FROM unnest($2::text[], $3::text[]) \
                   ON CONFLICT (run, load) DO UPDATE SET plan = excluded.plan";
        let mut tx = self.client.transaction().doing(WRITING)?;
        // Parts of a load that changed before its first batch were cut for what it was.
        let stale = "DELETE FROM part USING load, unnest($2::text[], $3::text[]) AS now (load, plan) \
                     WHERE part.run = $1 AND load.run = $1 AND load.load = part.load AND now.load = part.load \
                     AND load.plan <> now.plan";
        tx.execute(stale, &[&run, &names, &hashes]).doing(WRITING)?;
        tx.execute(sql, &[&run, &names, &hashes]).doing(WRITING)?;
        tx.commit().doing(WRITING)
    }

    /// Notes that the source is known by another stamp now, with the same rows as far as any were committed; what reading
    /// ahead found holds no more then.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn restamp(&mut self, run: i64, stamp: &str) -> Result<(), ServerError> {
        let sql = "UPDATE run SET stamp = $2, read_ahead = false WHERE run = $1 AND stamp <> $2";
        self.client.execute(sql, &[&run, &stamp]).doing(WRITING)?;
        Ok(())
    }

    /// Notes the parts of a load before the first of them is begun. Nothing changes where any are noted already.
    /// `false`: the run was taken over.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn note_parts(&mut self, run: &Run, load: &str, cuts: &[Key]) -> Result<bool, ServerError> {
        let cuts: Vec<String> = cuts.iter().map(Key::written).collect();
        let mut tx = self.client.transaction().doing(WRITING)?;
        // Whoever comes second waits at the load's row and finds the parts of the first: two cuts must never mix.
        let sql = "SELECT l.load FROM run r JOIN load l ON l.run = r.run \
                   WHERE r.run = $1 AND r.epoch = $2 AND r.state = 'Running' AND l.load = $3 FOR SHARE OF r FOR UPDATE OF l";
        if tx.query_opt(sql, &[&run.id, &run.epoch, &load]).doing(WRITING)?.is_none() {
            return Ok(false);
        }
        let sql = "SELECT FROM part WHERE run = $1 AND load = $2 LIMIT 1";
        if tx.query_opt(sql, &[&run.id, &load]).doing(WRITING)?.is_some() {
            return Ok(true);
        }
        for n in 0..=cuts.len() {
            let (after, until) = (n.checked_sub(1).map(|n| &cuts[n]), cuts.get(n));
            let sql = "INSERT INTO part (run, load, part, after_key, until_key) VALUES ($1, $2, $3, $4, $5)";
            tx.execute(sql, &[&run.id, &load, &(n as i32), &after, &until]).doing(WRITING)?;
        }
        tx.commit().doing(WRITING)?;
        Ok(true)
    }
}
