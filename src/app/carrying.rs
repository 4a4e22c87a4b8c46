//! From the decision to go on to the last row: what is noted, taken off, loaded and put back, in this order.
//!
//! Part of [`Way`]; what comes before stands in `cutover`, what follows in `ending`.

use std::collections::BTreeMap;

use crate::convert::Settled;
use crate::exit::Exit;
use crate::job::{Job, Stop};
use crate::mapping::OnFault;
use crate::migrate;
use crate::model::ledger::{Judged, NewRun, Run};
use crate::model::record::{Report, StepKind};
use crate::model::select::Relation;
use crate::pg::{ServerError, Session};
use crate::resume::Wanted;

use super::inputs;
use super::way::{Known, Planned, Way};
use super::{Failure, record};

/// About how many rows each load has.
type Sizes = BTreeMap<String, u64>;

impl Way<'_> {
    /// From the decision to the verified end.
    pub(super) fn carry_out(
        &self,
        session: &mut Session,
        planned: Planned<'_>,
        (known, wanted): (Known, Wanted),
        report: &mut Report,
    ) -> Result<Exit, Failure> {
        if self.asks {
            self.confirm(session, planned.plan)?;
        }
        let (settled, stale) = match self.settled_on(session, planned, known.run.as_ref()) {
            Ok(settled) => settled,
            Err(stop) => return Ok(self.stopped(stop, planned.plan, report, known.run.is_some())),
        };
        report.warnings.extend(stale);
        let mut sizes = Sizes::new();
        if known.run.is_none() && self.reads_ahead() {
            match self.nothing_at_fault(session, planned, &settled, report) {
                Ok(Some(read)) => sizes = read,
                Ok(None) => return Ok(Exit::Refused),
                Err(stop) => return Ok(self.stopped(stop, planned.plan, report, false)),
            }
        }
        if let Err(refused) = self.owner_is_there(session, planned, &settled, report) {
            return Ok(refused);
        }
        let untouched =
            known.detached.is_empty() && known.done.values().all(|d| d.parts.iter().all(|p| p.next_batch == 1));
        let quarantined: u64 = known.done.values().flat_map(|d| &d.parts).map(|part| part.sums.faults).sum();
        let run = match known.run {
            Some(run) => self.take_up(session, run, (&wanted.stamp, &wanted.loads))?,
            None => match self.begin(session, planned, (&wanted, &settled)) {
                Ok(run) => run,
                Err(stop) => {
                    // The ledger may be there: a commit whose answer was lost is no refusal.
                    let may_be_there = !matches!(&stop, Stop::Target(e) if !e.lost);
                    return Ok(self.stopped(stop, planned.plan, report, may_be_there));
                }
            },
        };
        report.run = Some(run.id.to_string());
        if untouched && let Err(stop) = self.detach_objects(session, planned, &run, &mut sizes) {
            return Ok(self.halted(stop, session, planned, report));
        }
        let job = Job { quarantined: quarantined.into(), ..self.job(planned, &settled.env, &sizes) };
        if let Err(stop) = self.move_rows(&job, session, &run, report) {
            return Ok(self.halted(stop, session, planned, report));
        }
        let validate =
            |session: &mut Session, lanes: usize| migrate::indexes::detach::validate(&job, session, &run, lanes);
        Ok(self.finish(session, planned, Some((&run, &validate)), report))
    }

    /// Whether everything is read before the first row is written: where a fault is to leave nothing behind.
    fn reads_ahead(&self) -> bool {
        self.on_fault() == OnFault::Abort && !self.work.skip_preflight
    }

    /// Reads everything ahead. Gives how many rows each load has; `None` where there are faults, and the report has them.
    fn nothing_at_fault(
        &self,
        session: &mut Session,
        planned: Planned<'_>,
        settled: &Settled,
        report: &mut Report,
    ) -> Result<Option<Sizes>, Stop> {
        let (found, maps) = self.read_ahead(session, planned, settled, report)?;
        if found.iter().all(|f| f.fault_total == 0) {
            return Ok(Some(found.iter().map(|f| (f.load.clone(), f.sums.read)).collect()));
        }
        record::loads(report, planned.plan, None, &BTreeMap::new(), &found);
        self.missed_ahead(planned, (&found, &maps), settled, report)?;
        self.found(planned, &found, report);
        Ok(None)
    }

    /// Begins the run in the ledger, once, however often the connection is lost meanwhile.
    fn begin(
        &self,
        session: &mut Session,
        planned: Planned<'_>,
        (wanted, settled): (&Wanted, &Settled),
    ) -> Result<Run, Stop> {
        self.reconnect().retrying(session, |session| {
            // An answer that was lost may have said that it had begun.
            let run = match self.known(session)?.run {
                Some(run) => run,
                None => self.note_run(session, planned, (wanted, settled))?,
            };
            session.note_backend(run.id, run.epoch)?;
            Ok(run)
        })
    }

    fn note_run(
        &self,
        session: &mut Session,
        Planned { plan, target, .. }: Planned<'_>,
        (wanted, settled): (&Wanted, &Settled),
    ) -> Result<Run, ServerError> {
        let now = settled.now;
        let owner = inputs::owner_identity(&self.found.mapping, self.common);
        // Any number will do: it only keeps digests of equal rows in different runs apart.
        let seed = xxhash_rust::xxh3::xxh3_64(format!("{now}\n{}", std::process::id()).as_bytes());
        let mut judged = Judged { now, shifts: settled.shifts.clone(), env: wanted.env.clone(), ..Judged::default() };
        migrate::baseline::record(&mut judged, session, plan, target, seed)?;
        session.begin_run(&NewRun {
            mapping: &plan.name,
            owner: &owner,
            tool: env!("CARGO_PKG_VERSION"),
            seed,
            stamp: &wanted.stamp,
            catalog: &wanted.catalog,
            read_ahead: self.reads_ahead(),
            judged: &judged,
            loads: &wanted.loads,
        })
    }

    /// Takes off what pays; about how many rows are to come is known from reading ahead, else from the source.
    fn detach_objects(
        &self,
        session: &mut Session,
        Planned { source, plan, target }: Planned<'_>,
        run: &Run,
        sizes: &mut Sizes,
    ) -> Result<(), Stop> {
        let reader = source.reader()?;
        for load in &plan.loads {
            if let Relation::Table(table) = &load.select.relation
                && !sizes.contains_key(&load.name)
            {
                sizes.insert(load.name.clone(), reader.about(table, &load.select)?);
            }
        }
        let rows = |table: &str| {
            plan.loads.iter().filter(|l| l.table == table).filter_map(|l| sizes.get(&l.name)).sum::<u64>()
        };
        let to_come = migrate::indexes::detach::ToCome {
            how: self.detaching(),
            rows: &rows,
            reader: &reader,
            loads: &plan.loads,
        };
        migrate::indexes::detach::detach_objects((&self.reconnect(), session), run, &plan.detach, target, &to_come)
    }

    /// The rows over, what was taken off back, the sequences set; what each took, into the report.
    fn move_rows(&self, job: &Job<'_>, session: &mut Session, run: &Run, report: &mut Report) -> Result<(), Stop> {
        self.step(StepKind::Load, report, || migrate::run(job, session, run))?;
        self.if_asked()?;
        self.step(StepKind::Reattach, report, || {
            self.reconnect().retrying(session, |session| migrate::indexes::detach::reattach(job, session, run))
        })?;
        self.step(StepKind::Sequences, report, || migrate::sequences::set_sequences(job, session, run))?;
        self.if_asked()
    }

    /// Does a step of the run; how long it took, into the report.
    pub(super) fn step<T>(&self, step: StepKind, report: &mut Report, work: impl FnOnce() -> T) -> T {
        let began = self.world.elapsed();
        let done = work();
        record::step(report, step, self.world.elapsed() - began);
        done
    }
}
