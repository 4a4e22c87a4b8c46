//! How a way ends: the proof and the report of a run that came through, or what is said of one that was stopped.
//!
//! Part of [`Way`]; what comes before stands in `cutover` and `carrying`.

use crate::cli::VerifyWhat;
use crate::convert::Settled;
use crate::exit::Exit;
use crate::job::{Connections, Stop};
use crate::migrate;
use crate::model::cell::RawBuf;
use crate::model::ledger::{MadeKind, Run};
use crate::model::record::{LoadState, Refusal, Report, RunState, StepKind};
use crate::pg::{ServerError, Session};
use crate::plan::Plan;
use crate::verify::{self, KnownOwner, Lanes, Meanwhile, Subject, VerifyDepth};

use super::cutover::state;
use super::record;
use super::way::{Known, Manner, Planned, Way};

impl Way<'_> {
    /// What the ledger says, into the report, after a stop. A target that is gone leaves the report without it: nothing is
    /// said of loads then, since what they have done is not known.
    fn gather(&self, session: &mut Session, planned: Planned<'_>, report: &mut Report) {
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
        report.detached = record::detached(&detached, &planned.plan.schema);
        if report.loads.is_empty() {
            record::loads(report, planned.plan, Some(&run), &done, &[]);
        }
        // Whoever stopped the run may have taken the ledger away too: the report says what it can.
        let _ = self.set_aside(planned, (session, &run), report);
    }

    /// A stop behind the first write: what the ledger says of it, why, and the exit that it means.
    pub(super) fn halted(&self, stop: Stop, session: &mut Session, planned: Planned<'_>, report: &mut Report) -> Exit {
        self.gather(session, planned, report);
        self.stopped(stop, planned.plan, report, true)
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
        session: &mut Session,
        planned: Planned<'_>,
        ours: Option<(&Run, &Meanwhile<'_>)>,
        report: &mut Report,
    ) -> Exit {
        match self.prove(session, planned, ours, report) {
            Ok(exit) => exit,
            Err(stop) if self.manner.writes() => self.halted(stop, session, planned, report),
            Err(stop) => self.stopped(stop, planned.plan, report, false),
        }
    }

    fn prove(
        &self,
        session: &mut Session,
        planned: Planned<'_>,
        ours: Option<(&Run, &Meanwhile<'_>)>,
        report: &mut Report,
    ) -> Result<Exit, Stop> {
        let began = self.world.elapsed();
        let reconnect = self.reconnect();
        let known = reconnect.retrying(session, |session| Ok(self.known(session)?))?;
        let Some(run) = &known.run else {
            return Err(ServerError::new("reading the ledger", "the run is not there any more").into());
        };
        report.run = Some(run.id.to_string());
        let settled = self.settled(Some(run));
        let owner = self.owner_found(session, planned.plan, (run, &settled))?;
        let settled = Settled { owner: owner.key.clone().map(RawBuf::text), ..settled };
        report.owner = planned.plan.settled_owner().map(|o| record::owner(o, owner.key.clone(), owner.made));
        let mut subject = self.subject(planned, (run, &known), (&owner, &settled));
        subject.later = self.manner == Manner::Verify || run.state == RunState::Done;
        subject.lanes.meanwhile = ours.map(|(_, meanwhile)| meanwhile);
        let findings = reconnect.retrying(session, |session| verify::verify(&subject, session, self.depth()))?;
        let differs = findings.differs();
        report.checks = findings.checks;
        report.sequences = findings.sequences;
        report.owners = findings.owners;
        record::loads(report, planned.plan, Some(run), &known.done, &[]);
        reconnect.retrying(session, |session| self.missed(session, planned, (run, &settled), report))?;
        let detached = reconnect.retrying(session, |session| Ok(session.detached(run.id)?))?;
        report.detached = record::detached(&detached, &planned.plan.schema);
        record::left(report, planned.plan, planned.source)?;
        record::step(report, StepKind::Verify, self.world.elapsed() - began);
        reconnect.retrying(session, |session| Ok(self.set_aside(planned, (session, run), report)?))?;
        let complete = report.loads.iter().all(|l| !matches!(l.state, LoadState::Partial | LoadState::Planned));
        if let Some((ours, _)) = ours.filter(|_| !differs && complete)
            && !reconnect.retrying(session, |session| Ok(session.end_run(ours)?))?
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

    /// The owner as the target has it now. One that cannot be told is a difference for the checks to name.
    fn owner_found(&self, session: &mut Session, plan: &Plan, (run, settled): (&Run, &Settled)) -> Result<Owner, Stop> {
        let reconnect = self.reconnect();
        let key = reconnect.retrying(session, |session| match migrate::owner::find(session, plan, settled) {
            Err(Stop::Refused(_)) => Ok(None),
            found => found,
        })?;
        let made = reconnect.retrying(session, |session| Ok(session.made(run.id)?))?;
        let row = made.into_iter().find(|made| made.kind == MadeKind::Owner);
        Ok(Owner { made: row.is_some(), key: key.or_else(|| row.and_then(|made| made.became)) })
    }

    /// What is verified, as if the run had just ended and nothing were left to do beside it.
    pub(super) fn subject<'s>(
        &'s self,
        Planned { source, plan, target }: Planned<'s>,
        (run, known): (&'s Run, &'s Known),
        (owner, settled): (&'s Owner, &'s Settled),
    ) -> Subject<'s> {
        Subject {
            plan,
            source,
            target,
            run,
            done: &known.done,
            detached: &known.detached,
            owner: KnownOwner { key: owner.key.as_deref(), made: owner.made },
            settled,
            later: false,
            show_values: self.reporting.show_values,
            lanes: Lanes { connections: self, jobs: self.jobs(), meanwhile: None, observer: self.observer },
        }
    }

    fn depth(&self) -> VerifyDepth {
        match self.work.verify {
            VerifyWhat::Full => VerifyDepth::Full,
            VerifyWhat::Counts => VerifyDepth::Counts,
            VerifyWhat::None => VerifyDepth::None,
        }
    }
}

/// The owner whom rows were stamped with.
pub(super) struct Owner {
    /// The key; `None`: there is none, or none that can be told.
    pub key: Option<String>,
    /// Whether the run made the row.
    pub made: bool,
}
