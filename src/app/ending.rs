//! How a way ends: the proof and the report of a run that came through, or what is said of one that was stopped.
//!
//! Part of [`Way`]; what comes before stands in `cutover` and `carrying`.

use crate::cli::VerifyWhat;
use crate::convert::Settled;
use crate::exit::Exit;
use crate::migrate::{self, Connections, Stop, until_done};
use crate::model::cell::RawBuf;
use crate::model::record::{Refusal, Report, RunState};
use crate::model::schema::TargetSchema;
use crate::plan::Plan;
use crate::source::Source;
use crate::target::ledger::Run;
use crate::target::{ServerError, Session};
use crate::verify::{self, Depth, Meanwhile, Subject};

use super::cutover::state;
use super::record;
use super::way::{Known, Manner, Way};

impl Way<'_> {
    /// What the ledger says, into the report, after a stop. A target that is gone leaves the report without it: nothing is
    /// said of loads then, since what they have done is not known.
    fn gather(&self, source: &Source, session: &mut Session, plan: &Plan, report: &mut Report) {
        report.state = RunState::Stopped;
        let mut known = self.known(session);
        if let (Err(_), Ok(again)) = (&known, self.another()) {
            // The connection was what stopped it; the target may still be there.
            *session = again;
            known = self.known(session);
        }
        let Ok(Known { run: Some(run), done, detached, .. }) = known else {
            report.loads.clear();
            return;
        };
        report.detached = record::detached(&detached, &plan.schema);
        if report.loads.is_empty() {
            record::loads(report, plan, Some(&run), &done, &[]);
        }
        // Whoever stopped the run may have taken the ledger away too: the report says what it can.
        let _ = self.set_aside(source, plan, (session, &run), report);
    }

    /// A stop behind the first write: what the ledger says of it, why, and the exit that it means.
    pub(super) fn halted(
        &self,
        stop: Stop,
        (source, session): (&Source, &mut Session),
        plan: &Plan,
        report: &mut Report,
    ) -> Exit {
        self.gather(source, session, plan, report);
        self.stopped(stop, plan, report, true)
    }

    /// A stop, as refusals or faults of the report, and the exit that it means.
    pub(super) fn stopped(&self, stop: Stop, plan: &Plan, report: &mut Report, written: bool) -> Exit {
        let exit = match (&stop, written) {
            (Stop::Interrupted, _) => Exit::Interrupted,
            (_, true) => Exit::Stopped,
            (_, false) => Exit::Refused,
        };
        let said = stop.to_string();
        match stop {
            Stop::Faults(faults) => {
                record::faults(report, plan, &faults, faults.len() as u64, self.reporting.show_values)
            }
            Stop::TooManyFaults { faults, .. } => {
                record::faults(report, plan, &faults, faults.len() as u64, self.reporting.show_values);
                report.refusals.push(Refusal::new(
                    "max_faults",
                    said,
                    "Solve the faults that are listed, or raise --max-faults; the same command goes on from there.",
                ));
            }
            Stop::Refused(refusals) => report.refusals.extend(refusals),
            other => report.refusals.push(record::stop(&other, report, written)),
        }
        exit
    }

    /// Verifies, ends the run, and completes the report. `ours`: the run as this process works on it, and what is left to do
    /// on the target that no row changes by.
    pub(super) fn finish(
        &self,
        source: &Source,
        session: &mut Session,
        (plan, target): (&Plan, &TargetSchema),
        ours: Option<(&Run, &Meanwhile<'_>)>,
        report: &mut Report,
    ) -> Exit {
        match self.prove(source, session, (plan, target), ours, report) {
            Ok(exit) => exit,
            Err(stop) if self.manner.writes() => self.halted(stop, (source, session), plan, report),
            Err(stop) => self.stopped(stop, plan, report, false),
        }
    }

    fn prove(
        &self,
        source: &Source,
        session: &mut Session,
        (plan, target): (&Plan, &TargetSchema),
        ours: Option<(&Run, &Meanwhile<'_>)>,
        report: &mut Report,
    ) -> Result<Exit, Stop> {
        let began = self.world.elapsed();
        let line = self.line();
        let known = until_done(&line, session, |session| Ok(self.known(session)?))?;
        let Some(run) = &known.run else {
            return Err(ServerError::said("reading the ledger", "the run is not there any more").into());
        };
        report.run = Some(run.id.to_string());
        let settled = self.settled(Some(run));
        // One that cannot be told is a difference for the checks to name.
        let key = until_done(&line, session, |session| match migrate::find_owner(session, plan, &settled) {
            Err(Stop::Refused(_)) => Ok(None),
            found => found,
        })?;
        let made = until_done(&line, session, |session| Ok(session.made(run.id)?))?;
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
            meanwhile: ours.map(|(_, meanwhile)| meanwhile),
            show_values: self.reporting.show_values,
            watch: self.watch,
        };
        let depth = match self.work.verify {
            VerifyWhat::Full => Depth::Full,
            VerifyWhat::Counts => Depth::Counts,
            VerifyWhat::None => Depth::None,
        };
        let found = until_done(&line, session, |session| verify::verify(&subject, session, depth));
        let findings = found?;
        let differs = findings.differs();
        report.checks = findings.checks;
        report.sequences = findings.sequences;
        report.owners = findings.owners;
        record::loads(report, plan, Some(run), &known.done, &[]);
        until_done(&line, session, |session| self.missed(source, session, plan, (run, &settled), report))?;
        let detached = until_done(&line, session, |session| Ok(session.detached(run.id)?))?;
        report.detached = record::detached(&detached, &plan.schema);
        record::left(report, plan, source)?;
        record::step(report, "verify", self.world.elapsed() - began);
        until_done(&line, session, |session| Ok(self.set_aside(source, plan, (session, run), report)?))?;
        let complete = report.loads.iter().all(|l| {
            l.state != crate::model::record::LoadState::Partial && l.state != crate::model::record::LoadState::Planned
        });
        if let Some((ours, _)) = ours.filter(|_| !differs && complete)
            && !until_done(&line, session, |session| Ok(session.end_run(ours)?))?
        {
            return Err(Stop::Fenced);
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
