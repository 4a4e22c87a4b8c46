//! The rows that the ledger gets for loads before their first batch: their fingerprints and their parts.
//!
//! Both are written once. A second writer finds the rows of the first.

use postgres::Row;

use super::WRITING;
use crate::model::key::Key;
use crate::model::ledger::Run;
use crate::pg::client::{Parameter, Pipeline, Reply, all_replies};
use crate::pg::copy::Destination;
use crate::pg::error::{Doing, ServerError};
use crate::pg::lookup_rows::LookupRows;
use crate::pg::row::RowValues;
use crate::pg::session::Session;

impl Session {
    /// Updates the fingerprints of the loads. A load whose fingerprint changed has no committed batch, and its parts are
    /// deleted because the previous load was split into them. Returns false if another process resumed the run.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn replan(&mut self, run: &Run, loads: &[(String, String)]) -> Result<bool, ServerError> {
        let (names, hashes): (Vec<&str>, Vec<&str>) = loads.iter().map(|(n, h)| (n.as_str(), h.as_str())).unzip();
        let mut tx = self.client.transaction().doing(WRITING)?;
        // The run's row stays locked until the commit.
        let mine: &str = &self.ledger.sql("SELECT FROM :ledger.run WHERE run = $1 AND epoch = $2 FOR SHARE");
        if tx.query_opt(mine, &[&run.id, &run.epoch]).doing(WRITING)?.is_none() {
            return Ok(false);
        }
        let stale: &str = &self.ledger.sql(
            "DELETE FROM :ledger.part USING :ledger.load, unnest($2::text[], $3::text[]) AS now (load, plan) \
                     WHERE part.run = $1 AND load.run = $1 AND load.load = part.load AND now.load = part.load \
                     AND load.plan <> now.plan",
        );
        tx.execute(stale, &[&run.id, &names, &hashes]).doing(WRITING)?;
        let sql: &str = &self.ledger.sql(
            "INSERT INTO :ledger.load (run, load, plan) SELECT $1, * FROM unnest($2::text[], $3::text[]) \
                   ON CONFLICT (run, load) DO UPDATE SET plan = excluded.plan",
        );
        tx.execute(sql, &[&run.id, &names, &hashes]).doing(WRITING)?;
        tx.commit().doing(WRITING)?;
        Ok(true)
    }

    /// Records the parts of loads before the first of them begins: for each load the last key of each part but the last.
    /// A load that has parts already keeps them. Prepares the COPY into each of `destinations` and out of each of `lookups`,
    /// too, as [`Session::prepare_copies`] does.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn note_parts(
        &mut self,
        run: &Run,
        cuts: &[(&str, Vec<Key>)],
        destinations: &[Destination<'_>],
        lookups: &[LookupRows<'_>],
    ) -> Result<PartsNoted, ServerError> {
        let (mut loads, mut parts, mut after, mut until) = (Vec::new(), Vec::<i32>::new(), Vec::new(), Vec::new());
        for (load, cuts) in cuts {
            let cuts: Vec<Option<String>> = cuts.iter().map(|key| Some(key.written())).collect();
            loads.extend(vec![*load; cuts.len() + 1]);
            parts.extend(0..=cuts.len() as i32);
            after.extend(std::iter::once(None).chain(cuts.iter().cloned()));
            until.extend(cuts.into_iter().chain(std::iter::once(None)));
        }
        // A second process waits at the run's row and finds the parts of the first: the parts of two must never mix. So the
        // row is locked by a statement before the one that looks for parts.
        let lock = format!(
            "START TRANSACTION; SELECT FROM :ledger.run WHERE run = {} AND epoch = {} AND state = 'Running' FOR UPDATE",
            run.id, run.epoch
        );
        let sql = "WITH mine AS (SELECT FROM :ledger.run WHERE run = $1 AND epoch = $6 AND state = 'Running'), \
                   noted AS (INSERT INTO :ledger.part (run, load, part, after_key, until_key) \
                   SELECT $1, new.* FROM mine, \
                          unnest($2::text[], $3::int[], $4::text[], $5::text[]) AS new (load, part, after, until) \
                   WHERE NOT EXISTS (SELECT FROM :ledger.part known WHERE known.run = $1 AND known.load = new.load) \
                   RETURNING 1) \
                   SELECT (SELECT count(*) FROM mine), (SELECT count(*) FROM noted)";
        let parameters: [&dyn Parameter; 6] = [&run.id, &loads, &parts, &after, &until, &run.epoch];
        let steps = Pipeline::new().script(self.ledger.sql(&lock));
        let steps = steps.query(self.ledger.sql(sql), &parameters).script("COMMIT");
        let of_ledger = steps.len();
        let (steps, copies) = self.copy_steps(destinations, lookups, steps);
        let mut tx = self.client.begun_transaction();
        let mut replies = steps.run(&mut tx).into_iter();
        let answers = all_replies(replies.by_ref().take(of_ledger).collect()).doing(WRITING)?;
        tx.ended();
        self.keep_copies(copies, replies)?;
        let answers: Vec<Vec<Row>> = answers.into_iter().map(Reply::rows).collect();
        let counts = match answers.iter().flatten().next() {
            Some(row) => (row.value::<i64>(0)?, row.value::<i64>(1)?),
            None => (0, 0),
        };
        Ok(match counts {
            (0, _) => PartsNoted::Fenced,
            (_, noted) if noted == parts.len() as i64 => PartsNoted::All,
            _ => PartsNoted::SomeKnown,
        })
    }
}

/// The outcome of recording parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartsNoted {
    /// All of them are recorded.
    All,
    /// Some loads had parts already, by an attempt whose answer was lost or by another process.
    SomeKnown,
    /// Another process resumed the run.
    Fenced,
}
