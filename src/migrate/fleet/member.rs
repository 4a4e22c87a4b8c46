//! The rows of one file, and the transaction that writes them together with the file's line in the ledger.

use std::collections::BTreeMap;

use crate::convert::Settled;
use crate::convert::row::RowEncoder;
use crate::job::{Options, Stop};
use crate::mapping::OnFault;
use crate::migrate::load::{BatchWriter, Loader, fill_ids};
use crate::migrate::rows::batch::Batch;
use crate::migrate::{lookup_maps, owner};
use crate::model::cell::RawBuf;
use crate::model::digest::Digest;
use crate::model::fleet::{Claim, MemberEnd, MemberRows};
use crate::model::hex::hex;
use crate::model::key::{Key, KeyRange};
use crate::model::ledger::Run;
use crate::model::schema::TargetSchema;
use crate::pg::Session;
use crate::pg::copy::Destination;
use crate::pg::member::MemberTransaction;
use crate::plan::{Feed, LoadPlan, Node, Plan, Shifted};
use crate::sqlite::Source;

use super::ids::{self, ReservedIds};
use super::own_keys::FileKeys;

/// The most rows of a piece that is sent at once, and its most bytes.
const PIECE: Options =
    Options { jobs: 1, batch_rows: 50_000, batch_bytes: 4 << 20, on_fault: OnFault::Abort, max_faults: None };

/// A file that is written.
#[derive(Clone, Copy)]
pub struct MemberWork<'a> {
    /// The plan for files of this schema.
    pub plan: &'a Plan,
    /// The target's catalogue.
    pub target: &'a TargetSchema,
    /// The fleet's run.
    pub run: &'a Run,
    /// The file.
    pub source: &'a Source,
    /// The constants of the run, with the values that come with the file.
    pub settled: &'a Settled,
    /// The milliseconds since the work began.
    pub millis: &'a dyn Fn() -> i64,
}

/// The rows of one table while they are sent.
#[derive(Default)]
struct TableSums {
    rows: u64,
    digest: Digest,
}

impl MemberWork<'_> {
    /// Writes all rows of the file in one transaction. `None` if another worker has taken the file over, or the run has ended.
    ///
    /// # Errors
    /// The reason for which nothing was written. If the connection was lost, the transaction may be committed or not.
    pub fn write(&self, session: &mut Session, claim: &Claim) -> Result<Option<MemberEnd>, Stop> {
        let wanted = ids::wanted(self.plan, self.source, self.settled)?;
        let counts = wanted.iter().map(|want| (want.range(), want.count)).collect();
        let mut reserved = ReservedIds::new(&wanted, &session.reserve_ids(self.run.id, &counts)?);
        let Some(mut tx) = session.begin_member(claim)? else { return Ok(None) };
        let settled = Settled { shifts: reserved.shifts.clone(), ..self.settled.clone() };
        let (owner, made) = self.owner(&mut tx, &settled)?;
        let settled = Settled { owner: owner.clone().map(RawBuf::text), ..settled };
        let keys = FileKeys::read(self.plan, self.target, self.source, &settled)?;
        let mut sent: Vec<(&str, TableSums)> = Vec::new();
        for node in &self.plan.order {
            if let Node::Load(n) = node {
                let load = &self.plan.loads[*n];
                let at = sent.iter().position(|(table, _)| *table == load.table).unwrap_or_else(|| {
                    sent.push((&load.table, TableSums::default()));
                    sent.len() - 1
                });
                let rows = &mut sent[at].1;
                self.send(&mut tx, load, &settled, MemberRowsSent { keys: &keys, ids: &mut reserved, rows })?;
            }
        }
        let rows = sent.into_iter().filter(|(_, sent)| sent.rows > 0).map(|(table, sent)| MemberRows {
            table: table.to_owned(),
            rows: sent.rows,
            sum: hex(&sent.digest.total().to_be_bytes()),
            ids: self.reserved_column(table).and_then(|column| reserved.range(&column)),
        });
        let end = MemberEnd { stamp: self.source.stamp(), owner, made, rows: rows.collect(), millis: (self.millis)() };
        tx.commit(claim, &end)?;
        Ok(Some(end))
    }

    /// The column of a table whose ids are reserved.
    fn reserved_column(&self, table: &str) -> Option<Shifted> {
        ids::columns(self.plan).into_iter().find(|column| column.table == table)
    }

    /// Finds the owner's row, or makes it. Returns its key, and true if it was made.
    fn owner(&self, tx: &mut MemberTransaction<'_>, settled: &Settled) -> Result<(Option<String>, bool), Stop> {
        let Some(plan) = self.plan.settled_owner() else { return Ok((None, false)) };
        if let Some(key) = owner::find(tx, self.plan, settled)? {
            return Ok((Some(key), false));
        }
        if plan.create.is_none() {
            return Err(owner::absent(plan));
        }
        let cells = owner::cells(plan, settled).map_err(Stop::Refused)?;
        let key = tx.insert_owner(&self.plan.schema, &plan.table, &plan.key, &cells)?;
        Ok((Some(key), true))
    }

    /// Sends the rows of one load.
    fn send(
        &self,
        tx: &mut MemberTransaction<'_>,
        load: &LoadPlan,
        settled: &Settled,
        to: MemberRowsSent<'_>,
    ) -> Result<(), Stop> {
        let (plan, seed) = (self.plan, self.run.seed);
        let encoder = self.encoder(tx, load, settled)?;
        let columns = load.sent_columns();
        let destination = Destination {
            schema: &plan.schema,
            table: &load.table,
            columns: &columns,
            as_text: load.as_text,
            skipped: None,
            nulls_equal: false,
        };
        let guards = to.keys.guards(load, settled)?;
        let reader = self.source.reader()?;
        let writer = CopyWriter { tx, destination, load, seed, to, is_begun: false };
        let mut loader = Loader::new(Batch::new(load, &encoder, &guards), writer);
        reader.scan(&load.select, KeyRange::ALL, &mut loader).map_err(|e| Stop::reading(load, e))?;
        let (writer, stop) = loader.finish();
        match stop {
            Some(stop) => Err(stop),
            None if writer.is_begun => Ok(writer.tx.end_rows()?),
            None => Ok(()),
        }
    }

    /// The encoder of a load's rows, which also makes the images that the proof compares.
    fn encoder(&self, session: &mut Session, load: &LoadPlan, settled: &Settled) -> Result<RowEncoder, Stop> {
        let seed = self.run.seed;
        let maps = lookup_maps::current(session, self.plan, load, settled, seed)?;
        let image = self.run.judged.images.get(&load.table);
        let binary = load.as_text.then(|| LoadPlan { as_text: false, ..load.clone() });
        let binary = match &binary {
            Some(binary) => Some((binary, lookup_maps::current(session, self.plan, binary, settled, seed)?)),
            None => None,
        };
        RowEncoder::new(load, settled, &maps)
            .and_then(|encoder| {
                encoder.proving(load, settled, binary.as_ref().map(|(load, maps)| (*load, maps)), image)
            })
            .map_err(Stop::Refused)
    }

    /// Reads and converts all rows of the file, and writes nothing. Returns the number of rows of each table.
    ///
    /// # Errors
    /// The reason for which the file cannot be loaded.
    pub fn read(&self, session: &mut Session) -> Result<BTreeMap<String, u64>, Stop> {
        let wanted = ids::wanted(self.plan, self.source, self.settled)?;
        // Any ids of the right number do: nothing is sent.
        let first = wanted.iter().map(|want| (want.range(), want.lowest.unwrap_or(1))).collect();
        let mut reserved = ReservedIds::new(&wanted, &first);
        let found = owner::find(session, self.plan, self.settled)?;
        if let Some(plan) = self.plan.settled_owner().filter(|_| found.is_none()) {
            if plan.create.is_none() {
                return Err(owner::absent(plan));
            }
            owner::cells(plan, self.settled).map_err(Stop::Refused)?;
        }
        let is_known = found.is_some();
        let shifts = reserved.shifts.clone();
        let settled = Settled { owner: found.map(RawBuf::text), shifts, ..self.settled.clone() };
        let keys = FileKeys::read(self.plan, self.target, self.source, &settled)?;
        let mut rows = BTreeMap::new();
        for load in &self.plan.loads {
            // The key of an owner that is not made yet is unknown, and the column takes any.
            let mut load = load.clone();
            load.columns.iter_mut().filter(|c| c.feed == Feed::Owner).for_each(|c| c.not_null &= is_known);
            let encoder = self.encoder(session, &load, &settled)?;
            let counter = RowCounter { reserved: &mut reserved, rows: 0 };
            let guards = keys.guards(&load, &settled)?;
            let mut loader = Loader::new(Batch::new(&load, &encoder, &guards), counter);
            self.source
                .reader()?
                .scan(&load.select, KeyRange::ALL, &mut loader)
                .map_err(|e| Stop::reading(&load, e))?;
            let (counter, stop) = loader.finish();
            if let Some(stop) = stop {
                return Err(stop);
            }
            *rows.entry(load.table.clone()).or_default() += counter.rows;
        }
        Ok(rows)
    }
}

/// The reserved ids for the rows of a table, and their sums.
struct MemberRowsSent<'m> {
    keys: &'m FileKeys,
    ids: &'m mut ReservedIds,
    rows: &'m mut TableSums,
}

/// Sends the rows of one load in pieces of one COPY.
struct CopyWriter<'w, 's> {
    tx: &'w mut MemberTransaction<'s>,
    destination: Destination<'w>,
    load: &'w LoadPlan,
    seed: u64,
    to: MemberRowsSent<'w>,
    is_begun: bool,
}

impl BatchWriter for CopyWriter<'_, '_> {
    type End = Stop;

    fn interruption(&self, _: &Batch<'_>) -> Option<Stop> {
        None
    }

    fn is_full(&self, batch: &Batch<'_>) -> bool {
        batch.is_full(&PIECE)
    }

    fn write(&mut self, batch: &mut Batch<'_>, _: Option<Key>) -> Result<(), Stop> {
        whole(batch)?;
        if batch.rows() > 0 {
            if !std::mem::replace(&mut self.is_begun, true) {
                self.tx.begin_copy(&self.destination)?;
            }
            issue(self.load, batch, self.to.ids)?;
            let sums = batch.sums(&[], self.seed);
            self.tx.send(&batch.bytes, batch.rows())?;
            self.to.rows.rows += sums.written;
            self.to.rows.digest.merge(&sums.digest);
        }
        batch.clear();
        Ok(())
    }
}

/// Counts the rows of one load.
struct RowCounter<'m> {
    reserved: &'m mut ReservedIds,
    rows: u64,
}

impl BatchWriter for RowCounter<'_> {
    type End = Stop;

    fn interruption(&self, _: &Batch<'_>) -> Option<Stop> {
        None
    }

    fn is_full(&self, batch: &Batch<'_>) -> bool {
        batch.is_full(&PIECE)
    }

    fn write(&mut self, batch: &mut Batch<'_>, _: Option<Key>) -> Result<(), Stop> {
        whole(batch)?;
        issue(batch.load, batch, self.reserved)?;
        self.rows += batch.rows();
        batch.clear();
        Ok(())
    }
}

/// Returns the faults of a piece. A file with one is not loaded.
fn whole(batch: &mut Batch<'_>) -> Result<(), Stop> {
    if batch.refused == 0 { Ok(()) } else { Err(Stop::Faults(std::mem::take(&mut batch.faults))) }
}

/// Writes reserved ids into the rows of a piece.
fn issue(load: &LoadPlan, batch: &mut Batch<'_>, ids: &mut ReservedIds) -> Result<(), Stop> {
    let is_issued = |column: &&crate::plan::ColumnPlan| matches!(column.feed, Feed::Issued(_));
    let columns: Vec<&String> = load.columns.iter().filter(is_issued).map(|column| &column.name).collect();
    let draw = |_: &[&str], count: usize| {
        Ok(columns.iter().map(|column| ids.issue(&load.table, column, count)).collect::<Vec<_>>())
    };
    fill_ids(batch, draw)?;
    Ok(())
}
