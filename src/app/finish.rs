//! The end of a command: verification of a finished run, or the report of a stop.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::cli::VerifyWhat;
use crate::exit::Exit;
use crate::job::Stop;
use crate::migrate::lookup_maps::ReadMaps;
use crate::model::ledger::Run;
use crate::model::record::{Activity, LoadState, Refusal, Report, RunState, StepKind};
use crate::pg::connect::Patience;
use crate::pg::ledger::LedgerView;
use crate::pg::{ServerError, Session};
use crate::plan::Plan;
use crate::report::lost_unasked;
use crate::verify::{self, KnownOwner, Lanes, Meanwhile, Subject, VerifyDepth};

use super::existing::{self, CountedLoads};
use super::owner::OwnerState;
use super::session::{Migration, Planned, run_state};
use super::{explain, fault_file, owner, record};

/// The run to verify.
pub enum VerifiedRun<'a> {
    /// A run of which nothing was written since the ledger was read.
    Known(Box<LedgerView>),
    /// The run of this process.
    Own(OwnRun<'a>),
}

/// The run of this process, and the work on the target that is left and that changes no row.
pub struct OwnRun<'a> {
    pub run: &'a Run,
    pub meanwhile: &'a Meanwhile<'a>,
}

/// Reports a stop after the first write: the ledger's view, the reason and the exit.
pub fn halted(m: &Migration<'_>, stop: Stop, session: &mut Session, planned: Planned<'_>, report: &mut Report) -> Exit {
    gather(m, session, planned, report);
    stopped(m, stop, planned.plan, report, true)
}

/// Adds the ledger's view to the report after a stop. If the target cannot be reached, the report lists no load, because
/// the state of the loads is unknown.
fn gather(m: &Migration<'_>, session: &mut Session, planned: Planned<'_>, report: &mut Report) {
    report.state = RunState::Stopped;
    let mut ledger = m.read_ledger(session);
    if ledger.is_err() {
        // A lost connection stopped the run. The target may still be there. One that serves a single connection waits for the end
        // of this one.
        session.disconnect();
        if let Ok(other) = m.reopened(Patience::FIRST) {
            *session = other;
            ledger = m.read_ledger(session);
        }
    }
    let Ok(LedgerView { run: Some(run), done, detached, .. }) = ledger else {
        report.loads.clear();
        return;
    };
    report.detached = record::detached(&detached, &planned.plan.schema);
    if report.loads.is_empty() {
        record::loads(report, planned.plan, Some(&run), &done, &[]);
    }
    // The cause of the stop may have removed the ledger, too. The report then lists no fault.
    let _ = fault_file::quarantined(m, session, planned, &run, report);
}

/// Reports a stop as refusals or faults. Returns the exit. `written`: something may have been written.
pub fn stopped(m: &Migration<'_>, stop: Stop, plan: &Plan, report: &mut Report, written: bool) -> Exit {
    let stop = m.reason(stop);
    let exit = match (&stop, written) {
        (Stop::Interrupted, _) => Exit::Interrupted,
        (_, true) => Exit::Stopped,
        (_, false) => Exit::Refused,
    };
    let reason = stop.to_string();
    match stop {
        Stop::Faults(faults) => record::faults(report, plan, &faults, m.shows_values()),
        Stop::TooManyFaults { faults, .. } => {
            record::faults(report, plan, &faults, m.shows_values());
            report.refusals.push(Refusal::new(
                "max_faults",
                reason,
                "Fix the faults that are listed, and the same command resumes the run. Or resume it with a larger --max-faults.",
            ));
        }
        Stop::Refused(refusals) => report.refusals.extend(refusals),
        other => report.refusals.push(record::stop(&other, report, written)),
    }
    exit
}

/// Verifies, ends the run, and completes the report.
pub fn finish(
    m: &Migration<'_>,
    session: &mut Session,
    planned: Planned<'_>,
    run: VerifiedRun<'_>,
    report: &mut Report,
) -> Exit {
    match verify_run(m, session, planned, run, report) {
        Ok(exit) => exit,
        Err(stop) if m.activity().writes() => halted(m, stop, session, planned, report),
        Err(stop) => stopped(m, stop, planned.plan, report, false),
    }
}

/// Reads the ledger's view of the run to verify, unless it is known, and the owner.
fn read_run<'r>(
    m: &Migration<'_>,
    session: &mut Session,
    planned: Planned<'_>,
    run: VerifiedRun<'r>,
) -> Result<(LedgerView, OwnerState, Option<OwnRun<'r>>), Stop> {
    match run {
        VerifiedRun::Known(ledger) => {
            let owner = owner::read(m, session, planned.plan, &ledger)?;
            Ok((*ledger, owner, None))
        }
        VerifiedRun::Own(own) => {
            let (ledger, owner) = owner::read_with_ledger(m, session, planned.plan, own.run)?;
            Ok((ledger, owner, Some(own)))
        }
    }
}

fn verify_run(
    m: &Migration<'_>,
    session: &mut Session,
    planned: Planned<'_>,
    run: VerifiedRun<'_>,
    report: &mut Report,
) -> Result<Exit, Stop> {
    let began = m.world().elapsed();
    let reconnect = m.reconnect();
    let (ledger, owner, own) = read_run(m, session, planned, run)?;
    let Some(run) = &ledger.run else {
        return Err(ServerError::new("reading the ledger", "the run is missing").into());
    };
    report.run = Some(run.id.to_string());
    report.owner = planned.plan.settled_owner().map(|o| record::owner(o, owner.key.clone(), owner.made));
    let mut subject = subject(m, planned, run, &ledger, &owner);
    subject.later = m.activity() == Activity::Verification || run.state == RunState::Done;
    subject.lanes.meanwhile = own.as_ref().map(|own| own.meanwhile);
    let findings = reconnect.retrying(session, |session| verify::verify(&subject, session, depth(m)))?;
    let differs = findings.differs();
    report.checks = findings.checks;
    report.sequences = findings.sequences;
    report.owners = findings.owners;
    record::loads(report, planned.plan, Some(run), &ledger.done, &[]);
    reconnect.retrying(session, |session| {
        let loaded = explain::Loaded { run, made: &ledger.made, owner: &owner, maps: &subject.maps };
        explain::misses(m, session, planned, loaded, report)
    })?;
    report.detached = record::detached(&ledger.detached, &planned.plan.schema);
    // The work that was left has reattached the rest, or it would have stopped the run.
    report.detached.iter_mut().for_each(|object| object.back |= own.is_some());
    record::left(report, planned.plan, planned.source);
    let sums = |load: &str| Some(subject.done.get(load)?.sums());
    existing::record(report, Some(run), &CountedLoads { plan: planned.plan, source: planned.source, sums: &sums });
    record::misread_texts(report, planned.plan, planned.source);
    record::step(report, StepKind::Verify, began, m.world().elapsed());
    if report.loads.iter().any(|load| load.faults > 0) {
        reconnect.retrying(session, |session| Ok(fault_file::quarantined(m, session, planned, run, report)?))?;
    }
    let complete = report.loads.iter().all(|l| !matches!(l.state, LoadState::Partial | LoadState::Planned));
    if let Some(own) = own.filter(|_| !differs && complete)
        && !reconnect.retrying(session, |session| Ok(session.end_run(own.run)?))?
    {
        return Err(Stop::Fenced);
    }
    report.state = if differs || !complete { run_state(Some(run)) } else { RunState::Done };
    let faults: u64 = report.loads.iter().map(|l| l.faults).sum();
    Ok(match (differs, complete, faults + lost_unasked(report)) {
        (true, _, _) => Exit::Differs,
        (false, false, _) => Exit::Stopped,
        (false, true, 0) => Exit::Done,
        (false, true, _) => Exit::Quarantined,
    })
}

/// The subject of the verification, for a run that just ended and leaves nothing to do.
pub fn subject<'s>(
    m: &'s Migration<'_>,
    Planned { source, plan, target }: Planned<'s>,
    run: &'s Run,
    ledger: &'s LedgerView,
    owner: &'s OwnerState,
) -> Subject<'s> {
    Subject {
        plan,
        source,
        target,
        run,
        done: &ledger.done,
        made: &ledger.made,
        detached: &ledger.detached,
        owner: KnownOwner { key: owner.key.as_deref(), made: owner.made },
        settled: &owner.settled,
        maps: ReadMaps::new(plan, &owner.settled, run.seed),
        later: false,
        show_values: m.shows_values(),
        // std draws the keys of its hash maps from the operating system.
        fresh_seed: RandomState::new().build_hasher().finish(),
        lanes: Lanes { connections: m, jobs: m.jobs(), meanwhile: None, observer: m.observer() },
    }
}

fn depth(m: &Migration<'_>) -> VerifyDepth {
    match m.work().verify {
        VerifyWhat::Full => VerifyDepth::Full,
        VerifyWhat::Counts => VerifyDepth::Counts,
        VerifyWhat::None => VerifyDepth::None,
    }
}
