//! Loads with their parts and the sums over their committed batches.

use std::collections::BTreeMap;

use postgres::Row;
use serde::de::DeserializeOwned;

use super::READING;
use crate::model::key::Key;
use crate::model::ledger::{LoadDone, PartDone, Sums};
use crate::pg::batch::BatchId;
use crate::pg::error::{Doing, ServerError};
use crate::pg::query::TypedQuery;
use crate::pg::row::RowValues;
use crate::pg::session::{LedgerSchema, Session};

/// The queries for the loads of a run, their parts and their batches. `run`: the run as SQL.
pub(super) fn queries<'q>(ledger: &LedgerSchema, run: &str) -> [TypedQuery<'q>; 3] {
    [
        "SELECT load, plan FROM :ledger.load WHERE run = :run",
        "SELECT load, part, after_key, until_key, done FROM :ledger.part WHERE run = :run ORDER BY load, part",
        "SELECT load, part, batch, last_key, read, written, skipped, faults, digest, losses::text, lookups::text \
               FROM :ledger.batch WHERE run = :run ORDER BY load, part, batch",
    ]
    .map(|sql| TypedQuery::new(READING, ledger.sql(&sql.replace(":run", run))))
}

/// The loads that the answers to these queries describe.
pub(super) fn loads(answers: [Vec<Row>; 3]) -> Result<BTreeMap<String, LoadDone>, ServerError> {
    let [loads, parts, batches] = answers;
    let mut found: BTreeMap<String, LoadDone> = BTreeMap::new();
    for row in &loads {
        found.insert(row.kept(0)?, LoadDone { plan: row.kept(1)?, parts: Vec::new() });
    }
    for row in &parts {
        found.entry(row.kept(0)?).or_default().parts.push(PartDone {
            part: row.kept(1)?,
            after: key(row.kept(2)?)?,
            until: key(row.kept(3)?)?,
            done: row.kept(4)?,
            next_batch: 1,
            last: None,
            sums: Sums::default(),
        });
    }
    for row in &batches {
        let load = found.entry(row.kept(0)?).or_default();
        let number: i32 = row.kept(1)?;
        if let Some(part) = load.parts.iter_mut().find(|p| p.part == number) {
            part.next_batch = row.kept::<i32>(2)?.saturating_add(1);
            part.last = key(row.kept(3)?)?.or(part.last.take());
            part.sums.merge(&sums(row, 4)?);
        }
    }
    Ok(found)
}

impl Session {
    /// Returns the loads of a run, by name.
    ///
    /// # Errors
    /// If the server refuses, the connection is lost, or the ledger holds a value that this version cannot read.
    pub fn loads_done(&mut self, run: i64) -> Result<BTreeMap<String, LoadDone>, ServerError> {
        let queries = queries(&self.ledger, "$1").map(|query| query.with(&run));
        loads(self.ask(queries)?)
    }

    /// Returns one load of a run; `None` if the ledger does not know it.
    ///
    /// # Errors
    /// Those of [`Session::loads_done`].
    pub fn load_done(&mut self, run: i64, load: &str) -> Result<Option<LoadDone>, ServerError> {
        let queries = queries(&self.ledger, "$1 AND load = $2").map(|query| query.with(&run).with(&load));
        Ok(loads(self.ask(queries)?)?.remove(load))
    }

    /// Reads the last key and the sums of a committed batch.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn committed_batch(&mut self, id: &BatchId<'_>) -> Result<Option<(Option<Key>, Sums)>, ServerError> {
        let sql: &str = &self.ledger.sql(
            "SELECT last_key, read, written, skipped, faults, digest, losses::text, lookups::text FROM :ledger.batch \
                   WHERE run = $1 AND load = $2 AND part = $3 AND batch = $4",
        );
        let row = self.client.query_opt(sql, &[&id.run, &id.load, &id.part, &id.batch]).doing(READING)?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some((key(row.kept(0)?)?, sums(&row, 1)?)))
    }

    /// Returns the ids that were drawn for each row of a load, or of one part of it, in the order in which the rows were
    /// sent: one id for each of `columns` issued columns.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn issued_rows(
        &mut self,
        run: i64,
        load: &str,
        part: Option<i32>,
        columns: usize,
    ) -> Result<Vec<Vec<i64>>, ServerError> {
        let sql: &str = &self.ledger.sql(
            "SELECT issued FROM :ledger.batch WHERE run = $1 AND load = $2 AND part = coalesce($3, part) \
                   AND issued IS NOT NULL ORDER BY part, batch",
        );
        let rows = self.client.query(sql, &[&run, &load, &part]).doing(READING)?;
        let mut issued = Vec::new();
        for row in &rows {
            issued.extend(row.kept::<Vec<i64>>(0)?.chunks(columns.max(1)).map(<[i64]>::to_vec));
        }
        Ok(issued)
    }
}

fn key(text: Option<String>) -> Result<Option<Key>, ServerError> {
    let unreadable = || ServerError::of_ledger("the ledger contains a key that this version cannot read");
    text.map(|text| Key::read(&text).ok_or_else(unreadable)).transpose()
}

/// Reads the sums of a batch's row: counts, digest, losses and lookups from column `at` on.
fn sums(row: &Row, at: usize) -> Result<Sums, ServerError> {
    let count = |n: usize| row.kept::<i64>(at + n).map(i64::unsigned_abs);
    let mut sums = Sums {
        read: count(0)?,
        written: count(1)?,
        skipped: count(2)?,
        faults: count(3)?,
        losses: list("batch.losses", row.kept(at + 5)?)?,
        lookups: list("batch.lookups", row.kept(at + 6)?)?,
        ..Sums::default()
    };
    let digests: Option<Vec<u8>> = row.kept(at + 4)?;
    match digests.is_none_or(|bytes| sums.read_digests(&bytes)) {
        true => Ok(sums),
        false => Err(ServerError::of_ledger("the ledger contains a digest that this version cannot read")),
    }
}

fn list<T: DeserializeOwned>(column: &str, json: Option<String>) -> Result<Vec<T>, ServerError> {
    let unreadable = |e: serde_json::Error| ServerError::of_ledger(format!("{column}: {e}"));
    json.map_or_else(|| Ok(Vec::new()), |text| serde_json::from_str(&text).map_err(unreadable))
}
