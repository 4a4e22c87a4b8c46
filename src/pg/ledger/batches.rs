//! Loads with their parts and the sums over their committed batches.

use std::collections::BTreeMap;

use postgres::Row;
use serde::de::DeserializeOwned;

use super::READING;
use crate::model::key::Key;
use crate::model::ledger::{LoadDone, PartDone, Sums};
use crate::pg::batch::BatchId;
use crate::pg::error::{Doing, ServerError};
use crate::pg::session::Session;

impl Session {
    /// Returns the loads of a run, by name.
    ///
    /// # Errors
    /// If the server refuses, the connection is lost, or the ledger holds a value that this version cannot read.
    pub fn loads_done(&mut self, run: i64) -> Result<BTreeMap<String, LoadDone>, ServerError> {
        self.done(run, None)
    }

    /// Returns one load of a run; `None` if the ledger does not know it.
    ///
    /// # Errors
    /// Those of [`Session::loads_done`].
    pub fn load_done(&mut self, run: i64, load: &str) -> Result<Option<LoadDone>, ServerError> {
        Ok(self.done(run, Some(load))?.remove(load))
    }

    fn done(&mut self, run: i64, load: Option<&str>) -> Result<BTreeMap<String, LoadDone>, ServerError> {
        let mut loads: BTreeMap<String, LoadDone> = BTreeMap::new();
        let sql: &str =
            &self.ledger.sql("SELECT load, plan FROM :ledger.load WHERE run = $1 AND load = coalesce($2, load)");
        for row in self.client.query(sql, &[&run, &load]).doing(READING)? {
            loads.insert(row.get(0), LoadDone { plan: row.get(1), parts: Vec::new() });
        }
        let sql: &str = &self.ledger.sql(
            "SELECT load, part, after_key, until_key, done FROM :ledger.part \
                   WHERE run = $1 AND load = coalesce($2, load) ORDER BY load, part",
        );
        for row in self.client.query(sql, &[&run, &load]).doing(READING)? {
            let load = loads.entry(row.get(0)).or_default();
            load.parts.push(PartDone {
                part: row.get(1),
                after: key(row.get(2))?,
                until: key(row.get(3))?,
                done: row.get(4),
                next_batch: 1,
                last: None,
                sums: Sums::default(),
            });
        }
        let sql: &str = &self.ledger.sql(
            "SELECT load, part, batch, last_key, read, written, skipped, faults, digest, losses::text, lookups::text \
                   FROM :ledger.batch WHERE run = $1 AND load = coalesce($2, load) ORDER BY load, part, batch",
        );
        for row in self.client.query(sql, &[&run, &load]).doing(READING)? {
            let load = loads.entry(row.get(0)).or_default();
            let number: i32 = row.get(1);
            if let Some(part) = load.parts.iter_mut().find(|p| p.part == number) {
                part.next_batch = row.get::<_, i32>(2) + 1;
                part.last = key(row.get(3))?.or(part.last.take());
                part.sums.merge(&sums(&row, 4)?);
            }
        }
        Ok(loads)
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
        let last: Option<String> = row.get(0);
        Ok(Some((last.as_deref().and_then(Key::read), sums(&row, 1)?)))
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
        let ids = |row: &Row| row.get::<_, Vec<i64>>(0);
        Ok(rows
            .iter()
            .flat_map(|row| ids(row).chunks(columns.max(1)).map(<[i64]>::to_vec).collect::<Vec<_>>())
            .collect())
    }
}

fn key(text: Option<String>) -> Result<Option<Key>, ServerError> {
    let unreadable = || ServerError::new(READING, "the ledger contains a key that this version cannot read");
    text.map(|text| Key::read(&text).ok_or_else(unreadable)).transpose()
}

/// Reads the sums of a batch's row: counts, digest, losses and lookups from column `at` on.
fn sums(row: &Row, at: usize) -> Result<Sums, ServerError> {
    let count = |n: usize| row.get::<_, i64>(at + n).unsigned_abs();
    let unreadable = || ServerError::new(READING, "the ledger contains a digest that this version cannot read");
    let mut sums = Sums {
        read: count(0),
        written: count(1),
        skipped: count(2),
        faults: count(3),
        losses: list("batch.losses", row.get(at + 5))?,
        lookups: list("batch.lookups", row.get(at + 6))?,
        ..Sums::default()
    };
    let digests: Option<Vec<u8>> = row.get(at + 4);
    match digests.is_none_or(|bytes| sums.read_digests(&bytes)) {
        true => Ok(sums),
        false => Err(unreadable()),
    }
}

fn list<T: DeserializeOwned>(column: &str, json: Option<String>) -> Result<Vec<T>, ServerError> {
    let unreadable = |e: serde_json::Error| ServerError::new(READING, format!("{column}: {e}"));
    json.map_or_else(|| Ok(Vec::new()), |text| serde_json::from_str(&text).map_err(unreadable))
}
