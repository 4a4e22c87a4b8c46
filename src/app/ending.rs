//! How a way ends: the proof and the report of a run that came through, or what is said of one that was stopped.
//!
//! Part of [`Way`]; what was typed and how it all begins stands in `cutover`.

use crate::cli::VerifyWhat;
use crate::convert::Settled;
use crate::exit::Exit;
use crate::migrate::{self, Stop, until_done};
use crate::model::cell::RawBuf;
use crate::model::record::{Refusal, Report, RunState};
use crate::model::schema::TargetSchema;
use crate::plan::Plan;
use crate::source::Source;
use crate::target::Session;
use crate::target::ledger::Run;
use crate::verify::{self, Depth, Subject};

use super::cutover::{Manner, Way, state};
use super::{Failure, faults, record};

impl Way<'_> {
    /// What the ledger says, into the report, after a stop. A target that is gone leaves the report without it.
    pub(super) fn gather(&self, source: &Source, session: &mut Session, plan: &Plan, run: &Run, report: &mut Report) {
        let done = session.loads_done(run.id).unwrap_or_default();
        report.detached = record::detached(&session.detached(run.id).unwrap_or_default(), &plan.schema);
        record::loads(report, plan, Some(run), &done, &[]);
        let aside = faults::of_run(session, run.id).unwrap_or_default();
        self.set_aside(source, plan, &aside, report);
        report.state = RunState::Stopped;
    }

    /// A stop, as refusals or faults of the report, and the exit that it means.
    pub(super) fn stopped(&self, stop: Stop, plan: &Plan, report: &mut Report, written: bool) -> Exit {
        let exit = match (&stop, written) {
            (Stop::Interrupted, _) => Exit::Interrupted,
            (_, true) => Exit::Stopped,
            (_, false) => Exit::Refused,
        };
        match stop {
            Stop::Faults(faults) => record::faults(report, plan, &faults, faults.len() as u64, self.common.show_values),
            Stop::TooManyFaults { most, faults } => {
                record::faults(report, plan, &faults, faults.len() as u64, self.common.show_values);
                report.refusals.push(Refusal::new(
                    "max_faults",
                    format!("more than {most} rows cannot go as they are, which is what --max-faults bears"),
                    "Solve the faults that are listed, or raise --max-faults; the same command goes on from there.",
                ));
            }
            Stop::Refused(refusals) => report.refusals.extend(refusals),
            other => report.refusals.push(record::stop(&other, report, written)),
        }
        exit
    }

    /// Verifies, ends the run, and completes the report.
    pub(super) fn finish(
        &self,
        source: &Source,
        session: &mut Session,
        plan: &Plan,
        target: &TargetSchema,
        report: &mut Report,
    ) -> Result<Exit, Failure> {
        let began = self.world.elapsed();
        let exit = if self.manner.writes() { Exit::Stopped } else { Exit::Refused };
        let stopped = |stop: Stop| Failure { exit, message: stop.to_string() };
        let line = self.line();
        let known = until_done(&line, session, |session| Ok(self.known(session)?)).map_err(stopped)?;
        let Some(run) = &known.run else {
            return Err(Failure { exit: Exit::Bug, message: "the run is not in the ledger any more".to_owned() });
        };
        report.run = Some(run.id.to_string());
        let settled = self.settled(Some(run));
        let key = migrate::find_owner(session, plan, &settled).ok().flatten();
        let made = until_done(&line, session, |session| Ok(session.made(run.id)?)).map_err(stopped)?;
        let owner_row = made.iter().find(|m| m.kind == "owner");
        let owner_made = owner_row.is_some();
        let key = key.or_else(|| owner_row.and_then(|m| m.became.clone()));
        let settled = Settled { owner: key.clone().map(RawBuf::text), ..settled };
        report.owner = plan.settled_owner().map(|o| record::owner(o, key.clone(), owner_made));
        let subject = Subject {
            plan,
            source,
            target,
            run,
            done: &known.done,
            detached: &known.detached,
            owner_made,
            owner: key.as_deref(),
            settled: &settled,
            later: self.manner == Manner::Verify || run.state == "Done",
            connections: self,
            jobs: self.jobs(),
            show_values: self.common.show_values,
            watch: self.watch,
        };
        let depth = match self.work.verify {
            VerifyWhat::Full => Depth::Full,
            VerifyWhat::Counts => Depth::Counts,
            VerifyWhat::None => Depth::None,
        };
        let found = until_done(&line, session, |session| verify::verify(&subject, session, depth));
        let findings = found.map_err(stopped)?;
        let differs = findings.differs();
        report.checks = findings.checks;
        report.sequences = findings.sequences;
        report.owners = findings.owners;
        record::loads(report, plan, Some(run), &known.done, &[]);
        report.detached = record::detached(&known.detached, &plan.schema);
        record::left(report, plan, source).map_err(|e| Failure { exit: Exit::Stopped, message: e.to_string() })?;
        record::step(report, "verify", self.world.elapsed() - began);
        let aside = faults::of_run(session, run.id).map_err(|e| stopped(Stop::Target(e)))?;
        self.set_aside(source, plan, &aside, report);
        let complete = report.loads.iter().all(|l| {
            l.state != crate::model::record::LoadState::Partial && l.state != crate::model::record::LoadState::Planned
        });
        if self.manner.writes() && !differs && complete {
            until_done(&line, session, |session| Ok(session.end_run(run.id)?)).map_err(stopped)?;
        }
        report.state = if differs || !complete { state(Some(run)) } else { RunState::Done };
        let faults: u64 = report.loads.iter().map(|l| l.faults).sum();
        Ok(match (differs, complete, faults) {
            (true, _, _) => Exit::Differs,
            (false, false, _) => Exit::Stopped,
            (false, true, 0) => Exit::Done,
            (false, true, _) => Exit::Quarantined,
        })
    }
}
