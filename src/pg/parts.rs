//! What the ledger notes of loads before their first batch: what they do, and where they are cut into parts.
//!
//! Both are written once; whoever comes second finds what the first one wrote.

use super::error::{Doing, ServerError};
use super::ledger::{LoadDone, Run};
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
        let sql: &str = &self.ledger.sql(
            "INSERT INTO :ledger.load (run, load, plan) SELECT $1, * FROM unnest($2::text[], $3::text[]) \
                   ON CONFLICT (run, load) DO UPDATE SET plan = excluded.plan",
        );
        let mut tx = self.client.transaction().doing(WRITING)?;
        // Parts of a load that changed before its first batch were cut for what it was.
        let stale: &str = &self.ledger.sql(
            "DELETE FROM :ledger.part USING :ledger.load, unnest($2::text[], $3::text[]) AS now (load, plan) \
                     WHERE part.run = $1 AND load.run = $1 AND load.load = part.load AND now.load = part.load \
                     AND load.plan <> now.plan",
        );
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
        let sql: &str =
            &self.ledger.sql("UPDATE :ledger.run SET stamp = $2, read_ahead = false WHERE run = $1 AND stamp <> $2");
        self.client.execute(sql, &[&run, &stamp]).doing(WRITING)?;
        Ok(())
    }

    /// Notes the parts of loads before the first of them is begun: for each load the keys that it is cut at. Nothing
    /// changes where any are noted already. `false`: the run was taken over.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn note_parts(&mut self, run: &Run, cuts: &[(&str, Vec<Key>)]) -> Result<bool, ServerError> {
        let (mut loads, mut parts, mut after, mut until) = (Vec::new(), Vec::<i32>::new(), Vec::new(), Vec::new());
        for (load, cuts) in cuts {
            let cuts: Vec<Option<String>> = cuts.iter().map(|key| Some(key.written())).collect();
            loads.extend(vec![*load; cuts.len() + 1]);
            parts.extend(0..=cuts.len() as i32);
            after.extend(std::iter::once(None).chain(cuts.iter().cloned()));
            until.extend(cuts.into_iter().chain(std::iter::once(None)));
        }
        let mut tx = self.client.transaction().doing(WRITING)?;
        // Whoever comes second waits at the run's row and finds the parts of the first: two cuts must never mix.
        let sql: &str =
            &self.ledger.sql("SELECT FROM :ledger.run WHERE run = $1 AND epoch = $2 AND state = 'Running' FOR UPDATE");
        if tx.query_opt(sql, &[&run.id, &run.epoch]).doing(WRITING)?.is_none() {
            return Ok(false);
        }
        let sql: &str = &self.ledger.sql("INSERT INTO :ledger.part (run, load, part, after_key, until_key) \
                   SELECT $1, new.* FROM unnest($2::text[], $3::int[], $4::text[], $5::text[]) AS new (load, part, after, until) \
                   WHERE NOT EXISTS (SELECT FROM :ledger.part known WHERE known.run = $1 AND known.load = new.load)");
        tx.execute(sql, &[&run.id, &loads, &parts, &after, &until]).doing(WRITING)?;
        tx.commit().doing(WRITING)?;
        Ok(true)
    }
}

impl LoadDone {
    /// Whether any batch of it is committed.
    pub fn has_batch(&self) -> bool {
        self.parts.iter().any(|part| part.next_batch > 1)
    }
}
