//! The ledger: what is done, kept in the target beside the data that it speaks of.
//!
//! Here it is read and its runs are begun and ended; the row of a batch is written with its data in `batch`.

use std::collections::{BTreeMap, HashSet};

use postgres::Row;
use serde::{Deserialize, Serialize};

use super::error::{Doing, ServerError};
use super::session::Session;
use crate::model::ident::quoted;
use crate::model::key::Key;
use crate::model::record::RunState;
use crate::wire::digest::Digest;

pub use super::made::Made;

/// The version of the ledger's tables that this tool writes.
pub const VERSION: i32 = 1;

const READING: &str = "reading the ledger";
const WRITING: &str = "writing the ledger";

/// One run as the ledger knows it.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// `Running`, `Done` or `RolledBack`.
    pub state: RunState,
    /// Version of the tool that began it.
    pub tool: String,
    /// Raised at every take-over.
    pub epoch: i32,
    /// Of the row hashes.
    pub seed: u64,
    /// What the source is recognised by.
    pub stamp: String,
    /// Hash of the target's tables.
    pub catalog: String,
    /// Everything was read and converted before anything was written.
    pub read_ahead: bool,
    /// What was decided once.
    pub judged: Judged,
}

/// What a run decides once, before anything is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The run's start: microseconds since 2000-01-01 UTC.
    pub now: i64,
    /// Tables of the target that held rows, and how many.
    pub holding: BTreeMap<String, u64>,
    /// What is added to the ids of each shifted table.
    #[serde(default)]
    pub shifts: BTreeMap<String, i64>,
    /// Digests of the variables that the mapping reads; never their values.
    pub env: BTreeMap<String, String>,
    /// Of each table, the columns whose bytes its rows' digests are taken over.
    #[serde(default)]
    pub images: BTreeMap<String, Vec<String>>,
    /// Of each table that held rows, their digest, as hexadecimal.
    #[serde(default)]
    pub before: BTreeMap<String, String>,
    /// Keys, references, checks, indexes and triggers of the tables, and the state of each.
    #[serde(default)]
    pub objects: Vec<Object>,
}

/// Something that hangs on a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// The table.
    pub table: String,
    /// Its name.
    pub object: String,
    /// What it is and whether it works, as text to be compared.
    pub state: String,
}

/// What a new run is begun with.
#[derive(Clone, Debug)]
pub struct NewRun<'a> {
    /// The mapping's name.
    pub mapping: &'a str,
    /// Natural key of the owner as text; empty without one.
    pub owner: &'a str,
    /// Version of this tool.
    pub tool: &'a str,
    /// Of the row hashes.
    pub seed: u64,
    /// What the source is recognised by.
    pub stamp: &'a str,
    /// Hash of the target's tables.
    pub catalog: &'a str,
    /// Everything was read and converted before.
    pub read_ahead: bool,
    /// What was decided.
    pub judged: &'a Judged,
    /// Each load's name and hash.
    pub loads: &'a [(String, String)],
}

/// What the ledger says of one load.
#[derive(Clone, Debug, Default)]
pub struct LoadDone {
    /// Hash of what the load did when it was begun.
    pub plan: String,
    /// Its parts in order.
    pub parts: Vec<PartDone>,
}

/// What the ledger says of one part of a load.
#[derive(Clone, Debug)]
pub struct PartDone {
    /// Its number.
    pub part: i32,
    /// It begins behind this key.
    pub after: Option<Key>,
    /// It ends with this key.
    pub until: Option<Key>,
    /// Nothing of it remains.
    pub done: bool,
    /// Number of the next batch.
    pub next_batch: i32,
    /// The last key that a committed batch holds.
    pub last: Option<Key>,
    /// Sums over its batches.
    pub sums: Sums,
}

/// What batches add up to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// Rows read.
    pub read: u64,
    /// Rows written.
    pub written: u64,
    /// Rows whose key was there.
    pub skipped: u64,
    /// Rows that could not go.
    pub faults: u64,
    /// Digest of the rows written.
    pub digest: Digest,
    /// Losses, by column and modifier.
    pub losses: Vec<LossSum>,
    /// Lookups, by column.
    pub lookups: Vec<LookupSum>,
}

/// What became of the lookups of one column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LookupSum {
    /// The target column.
    pub column: String,
    /// Rows that each step found.
    pub hits: Vec<u64>,
    /// Rows for which steps found several answers and none found one.
    pub ambiguous: u64,
    /// Rows that no step found.
    pub missing: u64,
    /// Rows that mean one that was set aside.
    #[serde(default)]
    pub set_aside: u64,
}

/// How often one loss happened in one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossSum {
    /// The target column.
    pub column: String,
    /// The modifier's word.
    pub modifier: String,
    /// How many values.
    pub count: u64,
    /// Keys of the first ones, as rowids.
    pub keys: Vec<String>,
}

/// How many keys a loss names.
pub const LOSS_KEYS: usize = 20;

impl Sums {
    /// Adds another one's counts, digest and losses.
    pub fn merge(&mut self, other: &Sums) {
        self.read += other.read;
        self.written += other.written;
        self.skipped += other.skipped;
        self.faults += other.faults;
        self.digest.merge(&other.digest);
        other.losses.iter().for_each(|loss| self.lose(loss));
        other.lookups.iter().for_each(|lookup| self.look_up(lookup));
    }

    /// Adds what became of lookups.
    pub fn look_up(&mut self, more: &LookupSum) {
        let found = self.lookups.iter().position(|l| l.column == more.column);
        let at = found.unwrap_or_else(|| {
            self.lookups.push(LookupSum { column: more.column.clone(), ..LookupSum::default() });
            self.lookups.len() - 1
        });
        let sum = &mut self.lookups[at];
        sum.hits.resize(sum.hits.len().max(more.hits.len()), 0);
        sum.hits.iter_mut().zip(&more.hits).for_each(|(sum, more)| *sum += more);
        sum.ambiguous += more.ambiguous;
        sum.missing += more.missing;
        sum.set_aside += more.set_aside;
    }

    fn lose(&mut self, more: &LossSum) {
        match self.losses.iter_mut().find(|l| l.column == more.column && l.modifier == more.modifier) {
            Some(loss) => {
                loss.count += more.count;
                let room = LOSS_KEYS.saturating_sub(loss.keys.len());
                loss.keys.extend(more.keys.iter().take(room).cloned());
            }
            None => self.losses.push(more.clone()),
        }
    }
}

impl Session {
    /// The version of the ledger that is there, if one is.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn ledger_version(&mut self) -> Result<Option<i32>, ServerError> {
        let name = format!("{}.ledger", quoted(&self.ledger.schema));
        let there: bool = self.client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&name]).doing(READING)?.get(0);
        if !there {
            return Ok(None);
        }
        Ok(Some(
            self.client.query_one(&*self.ledger.sql("SELECT version FROM :ledger.ledger"), &[]).doing(READING)?.get(0),
        ))
    }

    /// The run of this mapping and owner that was not taken back, if there is one.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn find_run(&mut self, mapping: &str, owner: &str) -> Result<Option<Run>, ServerError> {
        let sql: &str = &self.ledger.sql(
            "SELECT run, state, tool, epoch, seed, stamp, catalog, read_ahead, judged::text FROM :ledger.run \
                   WHERE mapping = $1 AND owner = $2 AND state <> 'RolledBack'",
        );
        let row = self.client.query_opt(sql, &[&mapping, &owner]).doing(READING)?;
        row.map(|row| run(&row)).transpose()
    }

    /// Begins a run: the ledger's schema and tables where they are missing, the run, its loads, in one transaction.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn begin_run(&mut self, new: &NewRun<'_>) -> Result<Run, ServerError> {
        let (make, there) = (self.ledger_version()?.is_none(), self.has_schema(&self.ledger.schema.clone())?);
        let mut tx = self.client.transaction().doing(WRITING)?;
        if make {
            // IF NOT EXISTS would ask for the right to make it even where it is there.
            let schema = if there { String::new() } else { format!("CREATE SCHEMA {};", quoted(&self.ledger.schema)) };
            tx.batch_execute(&(schema + &self.ledger.sql(include_str!("sql/ledger.sql"))))
                .doing("creating the ledger")?;
        }
        let judged = serde_json::to_string(new.judged).map_err(|e| ServerError::new(WRITING, e.to_string()))?;
        let sql: &str = &self.ledger.sql(
            "INSERT INTO :ledger.run (mapping, owner, tool, state, seed, stamp, catalog, read_ahead, judged) \
                   VALUES ($1, $2, $3, 'Running', $4, $5, $6, $7, ($8::text)::jsonb) RETURNING run",
        );
        let seed = new.seed as i64;
        let row = tx
            .query_one(
                sql,
                &[&new.mapping, &new.owner, &new.tool, &seed, &new.stamp, &new.catalog, &new.read_ahead, &judged],
            )
            .doing(WRITING)?;
        let id: i64 = row.get(0);
        let (names, hashes): (Vec<&str>, Vec<&str>) = new.loads.iter().map(|(n, h)| (n.as_str(), h.as_str())).unzip();
        tx.execute(
            &*self
                .ledger
                .sql("INSERT INTO :ledger.load (run, load, plan) SELECT $1, * FROM unnest($2::text[], $3::text[])"),
            &[&id, &names, &hashes],
        )
        .doing(WRITING)?;
        tx.commit().doing(WRITING)?;
        Ok(Run {
            id,
            state: RunState::Running,
            tool: new.tool.to_owned(),
            epoch: 1,
            seed: new.seed,
            stamp: new.stamp.to_owned(),
            catalog: new.catalog.to_owned(),
            read_ahead: new.read_ahead,
            judged: new.judged.clone(),
        })
    }

    /// What the ledger says of each load of a run.
    ///
    /// # Errors
    /// When the server refuses, the connection is lost, or the ledger holds what this tool did not write.
    pub fn loads_done(&mut self, run: i64) -> Result<BTreeMap<String, LoadDone>, ServerError> {
        self.done(run, None)
    }

    /// The same of one load, with the same errors.
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
        let sql: &str = &self.ledger.sql("SELECT load, part, after_key, until_key, done FROM :ledger.part WHERE run = $1 AND load = coalesce($2, load) ORDER BY load, part");
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

    /// Ends a run: all is there. `false`: it was taken over or taken back, and whether all is there is not ours to say.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn end_run(&mut self, run: &Run) -> Result<bool, ServerError> {
        let sql: &str = &self.ledger.sql(
            "UPDATE :ledger.run SET state = 'Done', ended_at = now() WHERE run = $1 AND epoch = $2 AND state = 'Running'",
        );
        if self.client.execute(sql, &[&run.id, &run.epoch]).doing(WRITING)? > 0 {
            return Ok(true);
        }
        // An answer that was lost may have said so before.
        let sql: &str = &self.ledger.sql("SELECT FROM :ledger.run WHERE run = $1 AND epoch = $2 AND state = 'Done'");
        Ok(self.client.query_opt(sql, &[&run.id, &run.epoch]).doing(READING)?.is_some())
    }

    /// The ids that were drawn for each row of a load, or of one part of it, in the order in which its rows were sent:
    /// one for each of `columns` issued columns.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
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

    /// The places in the source of the rows of a load that were set aside, as [`Key::written`] writes them.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn set_aside_rows(&mut self, run: i64, load: &str) -> Result<HashSet<String>, ServerError> {
        let sql: &str = &self.ledger.sql(
            "SELECT DISTINCT coalesce(fault ->> 'at', '[{\"i\":' || (fault ->> 'rowid') || '}]') FROM :ledger.fault \
                   WHERE run = $1 AND load = $2",
        );
        let rows = self.client.query(sql, &[&run, &load]).doing(READING)?;
        Ok(rows.iter().filter_map(|r| r.get::<_, Option<String>>(0)).collect())
    }
}

fn run(row: &Row) -> Result<Run, ServerError> {
    let judged: String = row.get(8);
    Ok(Run {
        id: row.get(0),
        state: RunState::of(row.get(1)),
        tool: row.get(2),
        epoch: row.get(3),
        seed: row.get::<_, i64>(4) as u64,
        stamp: row.get(5),
        catalog: row.get(6),
        read_ahead: row.get(7),
        judged: serde_json::from_str(&judged).map_err(|e| ServerError::new(READING, format!("run.judged: {e}")))?,
    })
}

fn key(text: Option<String>) -> Result<Option<Key>, ServerError> {
    text.map(|t| Key::read(&t).ok_or_else(|| ServerError::new(READING, "a key there is none of this tool's")))
        .transpose()
}

/// The sums in a batch's row: counts, digest, losses and lookups from column `at` on.
pub(super) fn sums(row: &Row, at: usize) -> Result<Sums, ServerError> {
    let count = |n: usize| row.get::<_, i64>(at + n).unsigned_abs();
    let digest: Option<Vec<u8>> = row.get(at + 4);
    let digest = match digest {
        None => Digest::default(),
        Some(bytes) => Digest::from_bytes(&bytes)
            .ok_or_else(|| ServerError::new(READING, "a digest there is none of this tool's"))?,
    };
    let losses: Option<String> = row.get(at + 5);
    let losses = match losses {
        None => Vec::new(),
        Some(text) => {
            serde_json::from_str(&text).map_err(|e| ServerError::new(READING, format!("batch.losses: {e}")))?
        }
    };
    let lookups: Option<String> = row.get(at + 6);
    let lookups = match lookups {
        None => Vec::new(),
        Some(text) => {
            serde_json::from_str(&text).map_err(|e| ServerError::new(READING, format!("batch.lookups: {e}")))?
        }
    };
    Ok(Sums { lookups, read: count(0), written: count(1), skipped: count(2), faults: count(3), digest, losses })
}
