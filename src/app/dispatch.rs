//! The commands that end in a report. All share one way: open both sides, make the plan, compare it with the ledger, and
//! carry out what the command and the ledger decide together.

use crate::cli::{CutoverArgs, Rollback, Verify, Work};
use crate::event::Observer;
use crate::exit::Exit;
use crate::model::record::{Activity, Refusal, Report, Warning};
use crate::pg::Session;
use crate::resume::{self, Decision, RunIdentity};
use crate::sqlite::Source;

use super::create::Creation;
use super::failure::Failure;
use super::finish::{VerifiedRun, finish};
use super::session::{Migration, Planned, Request, run_state};
use super::situation::{Situation, comparable};
use super::timing::Timing;
use super::world::World;
use super::{create, cutover, dropped_tables, dry_run, explain, inputs, plan, record, rollback};

/// `migrate` without a subcommand.
pub fn cutover(args: &CutoverArgs, world: &World, observer: &dyn Observer) -> Result<Report, Failure> {
    let file = inputs::one_mapping(&args.common, world)?;
    let activity = if args.dry_run { Activity::DryRun } else { Activity::Cutover };
    let asks = activity == Activity::Cutover && !args.yes;
    if args.create {
        create::require_auto(&file.mapping, asks)?;
    }
    if asks && !world.stdin_is_terminal {
        let reason = "nothing was done; neither --dry-run nor --yes was given, and stdin is no terminal to ask on";
        let advice = "Check with --dry-run first, then run it with --yes.";
        return Err(Failure::refused(Refusal::new("run", reason, advice)));
    }
    let work = args.work.clone();
    let request = Request { common: &args.common, reporting: &args.reporting, work, activity, asks };
    report(Migration::new(request, file, world, observer)?.creating_tables(args.create))
}

/// `migrate verify`
pub fn verify(args: &Verify, world: &World, observer: &dyn Observer) -> Result<Report, Failure> {
    let file = inputs::one_mapping(&args.common, world)?;
    let (work, activity) = (Work::default(), Activity::Verification);
    let request = Request { common: &args.common, reporting: &args.reporting, work, activity, asks: false };
    report(Migration::new(request, file, world, observer)?)
}

/// `migrate rollback`
pub fn rollback(args: &Rollback, world: &World, observer: &dyn Observer) -> Result<Report, Failure> {
    let file = inputs::one_mapping(&args.common, world)?;
    if !args.yes && !world.stdin_is_terminal {
        let reason = "nothing was done; --yes was not given, and stdin is no terminal to ask on";
        let advice = "`migrate status` lists what a rollback removes.";
        return Err(Failure::refused(Refusal::new("rollback", reason, advice)));
    }
    let work = Work { take_over: args.take_over, ..Work::default() };
    let (activity, asks) = (Activity::Rollback, !args.yes);
    let request = Request { common: &args.common, reporting: &args.reporting, work, activity, asks };
    report(Migration::new(request, file, world, observer)?)
}

/// Carries out the command, and returns its report with times.
pub fn report(m: Migration<'_>) -> Result<Report, Failure> {
    let timing = Timing::new(m.world(), m.observer());
    let mut report = untimed(&m.observed_by(&timing))?;
    timing.complete(&mut report);
    Ok(report)
}

fn untimed(m: &Migration<'_>) -> Result<Report, Failure> {
    let mut report = Report::new(m.activity().command(), &m.mapping().name);
    report.dry_run = m.activity() == Activity::DryRun;
    report.warnings.extend(plan::placeholders(m));
    let source = m.open_source(&mut report)?;
    let mut session = m.open_target(&mut report)?;
    let exit = match &mut session {
        None => dry_run::without_target(m, &source, &mut report)?,
        Some(session) => with_target(m, &source, session, &mut report)?,
    };
    plan::add_lines(m, &mut report);
    record::end(&mut report, exit);
    Ok(report)
}

fn with_target(
    m: &Migration<'_>,
    source: &Source,
    session: &mut Session,
    report: &mut Report,
) -> Result<Exit, Failure> {
    if m.activity().writes() {
        m.lock(session, report)?;
    }
    if m.creates_tables() {
        match create::tables(m, source, session, report)? {
            Creation::Ended(exit) => return Ok(exit),
            Creation::Created => {
                let exit = with_tables(m, source, session, report);
                return create::end(m, session, report, exit);
            }
            Creation::Unneeded => {}
        }
    }
    with_tables(m, source, session, report)
}

fn with_tables(
    m: &Migration<'_>,
    source: &Source,
    session: &mut Session,
    report: &mut Report,
) -> Result<Exit, Failure> {
    let found = plan::look(m, source, session)?;
    if let Some(refusal) = resume::unusable(&found.ledger.state) {
        report.refusals.push(refusal);
        return Ok(Exit::Refused);
    }
    let run = found.ledger.run.as_ref();
    if plan::verifies_later_schema(m, source, run) {
        report.checks.extend(dropped_tables::checks(m, source, found.ledger.done.keys()));
        if !report.checks.is_empty() {
            report.state = run_state(run);
            return Ok(Exit::Differs);
        }
    }
    let Some((plan, target)) = plan::make(m, source, Some(&found), report)? else {
        return Ok(Exit::Refused);
    };
    let ledger = found.ledger;
    let planned = Planned { source, plan: &plan, target: &target };
    let identity = RunIdentity::of(&plan, &target, &source.stamp(), &inputs::env(m.mapping(), m.world()));
    let situation = Situation { planned, ledger, identity };
    if m.activity().writes() {
        let refusals = m.lock_tables(session, &situation, report)?;
        if !refusals.is_empty() {
            report.refusals.extend(refusals);
            return Ok(Exit::Refused);
        }
    }
    let Some(comparable) = comparable(m, session, &situation, report)? else {
        return Ok(Exit::Refused);
    };
    let ledger = &situation.ledger;
    let decision = resume::decide(&ledger.state, ledger.run.as_ref(), &ledger.done, &comparable);
    let exit = carry_out(m, session, decision, situation, report);
    explain::name_duplicates(m, session, planned, report);
    exit
}

/// Carries out the decision, as far as the command allows it.
fn carry_out(
    m: &Migration<'_>,
    session: &mut Session,
    decision: Decision,
    situation: Situation<'_>,
    report: &mut Report,
) -> Result<Exit, Failure> {
    let Situation { planned, ledger, .. } = &situation;
    match (decision, m.activity()) {
        (Decision::Refuse(refusals), _) => {
            report.refusals.extend(refusals);
            report.state = run_state(ledger.run.as_ref());
            Ok(Exit::Refused)
        }
        (_, Activity::Rollback) => rollback::carry_out(m, session, situation, report),
        (Decision::Begin, Activity::Verification) => {
            report.refusals.push(Refusal::new(
                "target",
                "the ledger contains no run of this mapping",
                "Run the cutover first, or name the database in which it was run.",
            ));
            Ok(Exit::Refused)
        }
        (_, Activity::Verification) => {
            let Situation { planned, ledger, .. } = situation;
            Ok(finish(m, session, planned, VerifiedRun::Known(Box::new(ledger)), report))
        }
        (Decision::Verify, _) => {
            report.warnings.push(Warning::new(
                format!("run {}", ledger.run.as_ref().map_or(0, |r| r.id)),
                "is done already: nothing was loaded, its rows were verified again",
            ));
            let Situation { planned, ledger, .. } = situation;
            Ok(finish(m, session, planned, VerifiedRun::Known(Box::new(ledger)), report))
        }
        (_, Activity::DryRun) => dry_run::with_target(m, session, *planned, ledger.run.as_ref(), report),
        (_, Activity::Cutover | Activity::Rehearsal) => cutover::carry_out(m, session, situation, report),
    }
}
