//! From the decision to go on to the last row: what is noted, taken off, loaded and put back, in this order.
//!
//! Part of [`Way`]; what comes before stands in `cutover`.

use std::collections::BTreeMap;

use crate::convert::Settled;
use crate::exit::Exit;
use crate::mapping::OnFault;
use crate::migrate::{self, Job, Stop, until_done};
use crate::model::record::Report;
use crate::model::schema::TargetSchema;
use crate::plan::Plan;
use crate::resume::Wanted;
use crate::source::Source;
use crate::target::ledger::{Judged, NewRun, Run};
use crate::target::{ServerError, Session};
use crate::verify::{self};

use super::inputs::{self};
use super::way::{Known, Way};
use super::{Failure, record};

impl Way<'_> {
    /// From the decision to the verified end.
    pub(super) fn carry_out(
        &self,
        source: &Source,
        session: &mut Session,
        plan: &Plan,
        target: &TargetSchema,
        (known, wanted): (Known, Wanted),
        report: &mut Report,
    ) -> Result<Exit, Failure> {
        if self.asks {
            self.confirm(session, plan)?;
        }
        let (settled, stale) = match self.settled_on(session, (plan, target), source, known.run.as_ref()) {
            Ok(settled) => settled,
            Err(stop) => return Ok(self.stopped(stop, plan, report, known.run.is_some())),
        };
        report.warnings.extend(stale);
        let env = settled.env.clone();
        let resuming = known.run.is_some();
        let mut to_come: BTreeMap<String, u64> = BTreeMap::new();
        let read_ahead = self.on_fault() == OnFault::Abort && !self.work.skip_preflight;
        if !resuming && read_ahead {
            let (found, maps) = match self.read_ahead(source, session, (plan, target), &settled, report) {
                Ok(found) => found,
                Err(stop) => return Ok(self.stopped(stop, plan, report, false)),
            };
            to_come.extend(found.iter().map(|f| (f.load.clone(), f.sums.read)));
            if found.iter().any(|f| f.fault_total > 0) {
                record::loads(report, plan, None, &BTreeMap::new(), &found);
                if let Err(stop) = self.missed_ahead(source, plan, (&found, &maps), &settled, report) {
                    return Ok(self.stopped(stop, plan, report, false));
                }
                self.found(source, plan, &found, report);
                return Ok(Exit::Refused);
            }
        }
        if let Err(refused) = self.owner_is_there(session, (plan, target), &settled, report) {
            return Ok(refused);
        }
        let run = match known.run {
            Some(run) => self.take_up(session, run, (&wanted.stamp, &wanted.loads))?,
            None => {
                let begun = until_done(&self.line(), session, |session| {
                    // An answer that was lost may have said that it had begun.
                    let run = match self.known(session)?.run {
                        Some(run) => run,
                        None => self.begin(session, plan, target, (&wanted, &settled), read_ahead)?,
                    };
                    session.note_backend(run.id, run.epoch)?;
                    Ok(run)
                });
                match begun {
                    Ok(run) => run,
                    Err(stop) => {
                        // The ledger may be there: a commit whose answer was lost is no refusal.
                        let may_be_there = !matches!(&stop, Stop::Target(e) if !e.lost);
                        return Ok(self.stopped(stop, plan, report, may_be_there));
                    }
                }
            }
        };
        report.run = Some(run.id.to_string());
        let untouched =
            known.detached.is_empty() && known.done.values().all(|d| d.parts.iter().all(|p| p.next_batch == 1));
        if untouched && let Err(e) = self.take_off(source, session, plan, target, (&run, &mut to_come)) {
            return Ok(self.halted(e, (source, session), plan, report));
        }
        let so_far = known.done.values().flat_map(|d| &d.parts).map(|part| part.sums.faults).sum::<u64>();
        let job = Job { aside: so_far.into(), ..self.job((source, plan, target), &env, &to_come) };
        let began = self.world.elapsed();
        let loaded = migrate::run(&job, session, &run);
        record::step(report, "load", self.world.elapsed() - began);
        if let Err(stop) = loaded {
            return Ok(self.halted(stop, (source, session), plan, report));
        }
        let began = self.world.elapsed();
        let back = self
            .if_asked()
            .and_then(|()| until_done(&self.line(), session, |session| migrate::detach::put_back(&job, session, &run)));
        if let Err(stop) = back {
            return Ok(self.halted(stop, (source, session), plan, report));
        }
        record::step(report, "put back", self.world.elapsed() - began);
        let began = self.world.elapsed();
        let set = migrate::set_sequences(&job, session, &run);
        if let Err(stop) = set.and_then(|()| self.if_asked()) {
            return Ok(self.halted(stop, (source, session), plan, report));
        }
        record::step(report, "sequences", self.world.elapsed() - began);
        let validate = |session: &mut Session, lanes: usize| migrate::detach::validate(&job, session, &run, lanes);
        Ok(self.finish(source, session, (plan, target), Some((&run, &validate)), report))
    }

    /// Takes off what pays; how many rows are to come is known from reading ahead, else counted.
    pub(super) fn take_off(
        &self,
        source: &Source,
        session: &mut Session,
        plan: &Plan,
        target: &TargetSchema,
        (run, to_come): (&Run, &mut BTreeMap<String, u64>),
    ) -> Result<(), Stop> {
        let reader = source.reader()?;
        for load in &plan.loads {
            if let crate::model::select::Relation::Table(table) = &load.select.relation
                && !to_come.contains_key(&load.name)
            {
                to_come.insert(load.name.clone(), reader.rows(table, &load.select)?);
            }
        }
        let rows = |table: &str| {
            plan.loads.iter().filter(|l| l.table == table).filter_map(|l| to_come.get(&l.name)).sum::<u64>()
        };
        let with = (&self.line(), session);
        migrate::detach::take_off(with, run, &plan.detach, target, self.detaching(), &rows)
    }

    pub(super) fn begin(
        &self,
        session: &mut Session,
        plan: &Plan,
        target: &TargetSchema,
        (wanted, settled): (&Wanted, &Settled),
        read_ahead: bool,
    ) -> Result<Run, ServerError> {
        let now = settled.now;
        let owner = inputs::owner_identity(&self.found.mapping, self.common);
        // Any number will do: it only keeps digests of equal rows in different runs apart.
        let seed = xxhash_rust::xxh3::xxh3_64(format!("{now}\n{}", std::process::id()).as_bytes());
        let mut judged = Judged { now, shifts: settled.shifts.clone(), env: wanted.env.clone(), ..Judged::default() };
        verify::before::note(&mut judged, session, (plan, target), seed)?;
        session.begin_run(&NewRun {
            mapping: &plan.name,
            owner: &owner,
            tool: env!("CARGO_PKG_VERSION"),
            seed,
            stamp: &wanted.stamp,
            catalog: &wanted.catalog,
            read_ahead,
            judged: &judged,
            loads: &wanted.loads,
        })
    }
}
