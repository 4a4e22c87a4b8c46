//! `migrate fleet status` and `migrate fleet verify`: what the ledger and the target have of a fleet. Neither needs its files.

use crate::cli::Common;
use crate::cli::{FleetInquiry, FleetVerify, Reporting, Work};
use crate::event::{Event, Observer};
use crate::exit::Exit;
use crate::migrate::fleet::proof;
use crate::model::ledger::Run;
use crate::model::record::{Activity, CommandKind, Refusal, Report, RunState, StepKind, Verdict, Warning};
use crate::pg::Session;
use crate::resume;

use super::super::failure::Failure;
use super::super::session::{Migration, Request};
use super::super::world::World;
use super::super::{inputs, record};
use super::request::no_target;
use super::{finish, lines, only};

/// `migrate fleet status`
pub fn status(args: &FleetInquiry, world: &World, observer: &dyn Observer) -> Result<Report, Failure> {
    let m = inquiry(&args.common, &args.reporting, Activity::Verification, world, observer)?;
    let mut report = Report::new(CommandKind::FleetStatus, &m.mapping().name);
    let (mut session, run) = recorded(&m, &mut report)?;
    finish::note(&mut session, &run, None, &mut report).map_err(Failure::refused)?;
    lines::write(world, &mut session, &run).map_err(Failure::refused)?;
    record::end(&mut report, Exit::Done);
    Ok(report)
}

/// `migrate fleet verify`
pub fn verify(args: &FleetVerify, world: &World, observer: &dyn Observer) -> Result<Report, Failure> {
    let m = inquiry(&args.common, &args.reporting, Activity::Verification, world, observer)?;
    let mut report = Report::new(CommandKind::FleetVerify, &m.mapping().name);
    let (mut session, run) = recorded(&m, &mut report)?;
    if !args.only.is_empty() {
        let exit = some(&mut session, &run, &args.only, &mut report)?;
        record::end(&mut report, exit);
        return Ok(report);
    }
    let began = world.elapsed();
    observer.on_event(Event::Step(StepKind::Verify));
    let compared = finish::compared(&mut session, &run).map_err(Failure::refused)?;
    report.checks = compared.checks;
    report.loads = finish::tables(&run, &compared.sums);
    record::step(&mut report, StepKind::Verify, began, world.elapsed());
    finish::note(&mut session, &run, None, &mut report).map_err(Failure::refused)?;
    lines::write(world, &mut session, &run).map_err(Failure::refused)?;
    let differs = report.checks.iter().any(|check| check.verdict == Verdict::Differs);
    let unfinished = report.fleet.as_ref().is_some_and(|fleet| fleet.waiting + fleet.taken + fleet.failed > 0);
    let quarantined = report.fleet.as_ref().is_some_and(|fleet| fleet.quarantined > 0);
    let exit = match (differs, unfinished, quarantined) {
        (true, _, _) => Exit::Differs,
        (_, true, _) => Exit::Stopped,
        (_, _, true) => Exit::Quarantined,
        _ => Exit::Done,
    };
    let exit = finish::with_losses(exit, &report);
    record::end(&mut report, exit);
    Ok(report)
}

/// Compares the rows of these owners' files with those that were sent.
fn some(session: &mut Session, run: &Run, owners: &[String], report: &mut Report) -> Result<Exit, Failure> {
    let Some(members) = only::members(session, run, owners, report)? else { return Ok(Exit::Refused) };
    for member in &members {
        report.checks.extend(proof::again(session, run, member).map_err(Failure::refused)?);
        if !member.is_done {
            let message = "further rows of the file are not in the target yet; those of its first batches are compared";
            report.warnings.push(Warning::new(&member.path, message));
        }
    }
    let differs = report.checks.iter().any(|check| check.verdict == Verdict::Differs);
    Ok(match members.iter().all(|member| member.is_done) {
        _ if differs => Exit::Differs,
        true => Exit::Done,
        false => Exit::Stopped,
    })
}

/// A migration that asks the ledger about a fleet.
pub fn inquiry<'a>(
    common: &'a Common,
    reporting: &'a Reporting,
    activity: Activity,
    world: &'a World,
    observer: &'a dyn Observer,
) -> Result<Migration<'a>, Failure> {
    let file = inputs::one_mapping(common, world)?;
    let request = Request { common, reporting, work: Work::default(), activity, asks: false };
    Ok(Migration::new(request, file, world, observer)?.of_fleet())
}

/// The fleet's run, and a session to ask about it.
pub fn recorded(m: &Migration<'_>, report: &mut Report) -> Result<(Session, Run), Failure> {
    let mut session = m.open_target(report)?.ok_or_else(no_target)?;
    let ledger = m.read_ledger(&mut session).map_err(Failure::refused)?;
    if let Some(refusal) = resume::unusable(&ledger.state) {
        return Err(Failure::refused(refusal));
    }
    let Some(run) = ledger.run.filter(|run| run.judged.fleet.is_some()) else {
        let reason = "the ledger contains no fleet of this mapping";
        let advice = "Run `migrate fleet --yes` first, or name the database in which it was run.";
        return Err(Failure::refused(Refusal::new("target", reason, advice)));
    };
    report.run = Some(run.id.to_string());
    report.state = if run.state == RunState::Done { RunState::Done } else { RunState::Stopped };
    Ok((session, run))
}
