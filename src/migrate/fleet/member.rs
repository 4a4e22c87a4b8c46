//! The rows of one file, and the transaction that writes them together with the file's line in the ledger.

use std::collections::BTreeMap;

use crate::convert::Settled;
use crate::convert::row::RowEncoder;
use crate::job::Stop;
use crate::migrate::existing::compare::HeldComparison;
use crate::migrate::{lookup_maps, owner};
use crate::model::cell::RawBuf;
use crate::model::fleet::{Claim, MemberEnd, MemberRows, Omitted};
use crate::model::hex::hex;
use crate::model::ledger::Run;
use crate::model::schema::TargetSchema;
use crate::model::sums::Sums;
use crate::pg::Session;
use crate::pg::member::MemberTransaction;
use crate::plan::{Feed, LoadPlan, Node, Plan, Shifted};
use crate::sqlite::Source;

use super::ids::{self, ReservedIds};
use super::omitted;
use super::own_keys::FileKeys;
use super::rows::FileRows;
use super::shared;

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
        let mut sums = BTreeMap::new();
        for load in self.loads() {
            let is_shared = shared::is_shared(load);
            if is_shared || load.lookups().next().is_some() {
                // While a COPY is open, the server takes no other message.
                tx.end_copy()?;
            }
            if is_shared {
                sums.insert(load.name.as_str(), shared::compared(&mut tx, &self.comparison(&settled), load)?);
                continue;
            }
            let encoder = self.encoder(&mut tx, load, &settled)?;
            let rows =
                FileRows { source: self.source, load, seed: self.run.seed, guards: keys.guards(load, &settled)? };
            sums.insert(load.name.as_str(), rows.send(&mut tx, &self.plan.schema, &encoder, &mut reserved)?);
        }
        let omitted = omitted::of(self.plan, self.source, &sums)?;
        let (rows, stamp, millis) = (self.brought(&sums, &reserved), self.source.stamp(), (self.millis)());
        let end = MemberEnd { stamp, owner, made, rows, omitted, millis };
        tx.commit(claim, &end)?;
        Ok(Some(end))
    }

    /// The rows of each table, in the order in which the tables were written. Tables without rows are left out.
    fn brought(&self, sums: &BTreeMap<&str, Sums>, reserved: &ReservedIds) -> Vec<MemberRows> {
        let mut tables: Vec<(&str, Sums)> = Vec::new();
        for load in self.loads() {
            let Some(sums) = sums.get(load.name.as_str()).filter(|sums| sums.written > 0) else { continue };
            match tables.iter_mut().find(|(table, _)| *table == load.table) {
                Some((_, all)) => all.merge(sums),
                None => tables.push((&load.table, sums.clone())),
            }
        }
        let rows = tables.into_iter().map(|(table, sums)| MemberRows {
            table: table.to_owned(),
            rows: sums.written,
            sum: hex(&sums.digest.total().to_be_bytes()),
            ids: self.reserved_column(table).and_then(|column| reserved.range(&column)),
        });
        rows.collect()
    }

    /// The loads in the order in which they are written.
    fn loads(&self) -> impl Iterator<Item = &LoadPlan> {
        let load = |node: &Node| match node {
            Node::Load(n) => self.plan.loads.get(*n),
            Node::Owner => None,
        };
        self.plan.order.iter().filter_map(load)
    }

    fn comparison<'a>(&'a self, settled: &'a Settled) -> HeldComparison<'a> {
        HeldComparison { plan: self.plan, target: self.target, source: self.source, settled }
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

    /// Reads and converts all rows of the file, and writes nothing.
    ///
    /// # Errors
    /// The reason for which the file cannot be loaded.
    pub fn read(&self, session: &mut Session) -> Result<MemberRead, Stop> {
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
        let mut sums = BTreeMap::new();
        for load in self.loads() {
            if shared::is_shared(load) {
                sums.insert(load.name.as_str(), shared::compared(session, &self.comparison(&settled), load)?);
                continue;
            }
            // The key of an owner that is not made yet is unknown, and the column takes any.
            let mut unowned = load.clone();
            unowned.columns.iter_mut().filter(|c| c.feed == Feed::Owner).for_each(|c| c.not_null &= is_known);
            let encoder = self.encoder(session, &unowned, &settled)?;
            let guards = keys.guards(&unowned, &settled)?;
            let rows = FileRows { source: self.source, load: &unowned, seed: self.run.seed, guards };
            sums.insert(load.name.as_str(), rows.count(&encoder, &mut reserved)?);
        }
        let omitted = omitted::of(self.plan, self.source, &sums)?;
        let rows = sums.iter().map(|(load, sums)| ((*load).to_owned(), sums.written)).collect();
        Ok(MemberRead { rows, omitted })
    }
}

/// A file that was read and not written.
#[derive(Clone, Debug, Default)]
pub struct MemberRead {
    /// The number of rows of each load.
    pub rows: BTreeMap<String, u64>,
    /// Everything that will not arrive as the file has it.
    pub omitted: Omitted,
}
