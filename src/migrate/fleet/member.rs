//! The rows of one file, and the transactions that write them together with the file's line in the ledger.

use std::collections::BTreeMap;

use crate::convert::Settled;
use crate::convert::row::RowEncoder;
use crate::job::Stop;
use crate::migrate::existing::compare::HeldComparison;
use crate::migrate::{lookup_maps, owner};
use crate::model::cell::RawBuf;
use crate::model::fleet::{BegunMember, Claim, MemberEnd, Omitted};
use crate::model::ledger::Run;
use crate::model::schema::TargetSchema;
use crate::pg::Session;
use crate::pg::member::MemberTransaction;
use crate::plan::{Feed, LoadPlan, Plan};
use crate::sqlite::Source;

use super::batches::{self, BatchSize, WrittenFile, WrittenFrom};
use super::ids::{self, ReservedIds};
use super::own_keys::FileKeys;
use super::rows::FileRows;
use super::{omitted, removal, shared};

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
    /// The size of a batch. A larger file is written in several transactions.
    pub size: BatchSize,
    /// The milliseconds since the work began.
    pub millis: &'a dyn Fn() -> i64,
    /// Returns true when the process was asked to stop.
    pub is_asked: &'a dyn Fn() -> bool,
}

impl MemberWork<'_> {
    /// Writes all rows of the file that are not in the target. `None` if another worker has taken the file over, or the run has ended.
    ///
    /// # Errors
    /// The reason for which no more was written. If the connection was lost, the last transaction may be committed or not.
    pub fn write(&self, session: &mut Session, claim: &Claim) -> Result<Option<MemberEnd>, Stop> {
        let begun = self.begun(session, claim)?;
        let wanted = ids::wanted(self.plan, self.source, self.settled)?;
        let ids = match &begun {
            Some(begun) => ReservedIds::resumed(&wanted, &begun.position),
            None => {
                let counts = wanted.iter().map(|want| (want.range(), want.count)).collect();
                ReservedIds::new(&wanted, &session.reserve_ids(self.run.id, &counts)?)
            }
        };
        let Some(mut tx) = session.begin_member(claim)? else { return Ok(None) };
        if claim.begun && tx.begun_member(claim)? != begun {
            // The commit of a lost connection has arrived meanwhile. No other one can: the connection is known to have ended.
            drop(tx);
            return self.write(session, claim);
        }
        let stamp = self.source.stamp();
        let mut file = WrittenFile::new(self.written_from(claim, &stamp), ids);
        let settled = Settled { shifts: file.ids.shifts.clone(), ..self.settled.clone() };
        match begun {
            Some(begun) => file.resume(&begun),
            None => (file.owner, file.made) = self.owner(&mut tx, &settled)?,
        }
        let settled = Settled { owner: file.owner.clone().map(RawBuf::text), ..settled };
        let keys = FileKeys::read(self.plan, self.target, self.source, &settled, &file.ids)?;
        for load in batches::loads(self.plan, self.target) {
            if !file.is_done(load) {
                self.write_load(&mut tx, load, &keys, &settled, &mut file)?;
            }
        }
        let end = file.end(omitted::of(self.plan, self.source, &file.sums())?);
        tx.commit(claim, &end)?;
        Ok(Some(end))
    }

    /// The batches of the file that are in the target. If it is another file now, they are removed.
    fn begun(&self, session: &mut Session, claim: &Claim) -> Result<Option<BegunMember>, Stop> {
        let begun = if claim.begun { session.begun_member(claim)? } else { None };
        match begun {
            Some(begun) if begun.end.stamp != self.source.stamp() => {
                removal::start_over(session, self.run, claim, &begun)?;
                Ok(None)
            }
            begun => Ok(begun),
        }
    }

    fn written_from<'a>(&'a self, claim: &'a Claim, stamp: &'a str) -> WrittenFrom<'a> {
        let MemberWork { plan, target, size, millis, is_asked, .. } = *self;
        WrittenFrom { plan, target, claim, stamp, size, millis, is_asked }
    }

    fn write_load(
        &self,
        tx: &mut MemberTransaction<'_>,
        load: &LoadPlan,
        keys: &FileKeys,
        settled: &Settled,
        file: &mut WrittenFile<'_>,
    ) -> Result<(), Stop> {
        let is_shared = shared::is_shared(load);
        if is_shared || load.lookups().next().is_some() {
            // While a COPY is open, the server takes no other message.
            tx.end_copy()?;
        }
        if is_shared {
            let sums = shared::compared(tx, &self.comparison(settled), load)?;
            return file.end_load(tx, load, sums);
        }
        let encoder = self.encoder(tx, load, settled)?;
        let rows = FileRows { source: self.source, load, seed: self.run.seed, guards: keys.guards(load, settled)? };
        rows.send(tx, &self.plan.schema, &encoder, file)
    }

    fn comparison<'a>(&'a self, settled: &'a Settled) -> HeldComparison<'a> {
        HeldComparison { plan: self.plan, target: self.target, source: self.source, settled }
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
        let keys = FileKeys::read(self.plan, self.target, self.source, &settled, &reserved)?;
        let mut sums = BTreeMap::new();
        for load in batches::loads(self.plan, self.target) {
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
