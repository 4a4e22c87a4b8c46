//! `migrate fleet`: many files with one mapping, each with an owner of its own, in one run that any number of processes share.

mod begin;
mod dry_run;
mod expand;
mod file;
mod finish;
mod heartbeat;
mod lines;
mod omitted;
mod only;
mod owner_sql;
mod plans;
mod request;
mod rollback;
mod sources;
mod status;
mod worker;

use crate::cli::{DetachWhat, Fleet, FleetCommand, Work};
use crate::event::Observer;
use crate::exit::Exit;
use crate::fleet::sources::owned;
use crate::mapping::Mapping;
use crate::model::record::{Activity, CommandKind, Refusal, Report};
use crate::model::rules::Value;
use crate::pg::Session;

use request::{FleetRequest, no_target};

use super::failure::Failure;
use super::session::{Migration, Request};
use super::timing::Timing;
use super::world::World;
use super::{inputs, plan, record};

/// `migrate fleet`, with or without a subcommand.
pub fn command(args: &Fleet, world: &World, observer: &dyn Observer) -> Result<Report, Failure> {
    match &args.command {
        Some(FleetCommand::Status(args)) => status::status(args, world, observer),
        Some(FleetCommand::Verify(args)) => status::verify(args, world, observer),
        Some(FleetCommand::Rollback(args)) => rollback::command(args, world, observer),
        None => work(args, world, observer),
    }
}

fn work(args: &Fleet, world: &World, observer: &dyn Observer) -> Result<Report, Failure> {
    let sources = args.sources.as_ref().ok_or_else(|| {
        Failure::usage_of("--sources", "none were named", "Name the files: --sources 'tenants/*.db', or a manifest.")
    })?;
    for (flag, is_given) in [("-s", args.common.source.is_some()), ("--owner", !args.common.owner.is_empty())] {
        if is_given {
            return Err(Failure::usage_of(flag, "a fleet takes files and owners from --sources", "Leave it out."));
        }
    }
    if !args.dry_run && !args.yes {
        let reason = "nothing was done; neither --dry-run nor --yes was given";
        return Err(Failure::refused(Refusal::new(
            "fleet",
            reason,
            "Check with --dry-run first, then run it with --yes.",
        )));
    }
    let file = inputs::one_mapping(&args.common, world)?;
    let mut files = sources::read(sources, args.owner_from.as_deref(), world).map_err(Failure::refused)?;
    let activity = if args.dry_run { Activity::DryRun } else { Activity::Cutover };
    let work = Work { detach: DetachWhat::Never, jobs: Some(1), ..Work::default() };
    let request = Request { common: &args.common, reporting: &args.reporting, work, activity, asks: false };
    let timing = Timing::new(world, observer);
    let m = Migration::new(request, file, world, &timing)?.of_fleet();
    if let Some(sql) = &args.owner_sql {
        owner_sql::add(&mut files, sql, &m)?;
    }
    owned(&files, &names(m.mapping()), &format!("--sources {sources}")).map_err(Failure::refused)?;
    let mut report = Report::new(CommandKind::Fleet, &m.mapping().name);
    report.dry_run = args.dry_run;
    let mut session = m.open_target(&mut report)?.ok_or_else(no_target)?;
    let exit = run(FleetRequest { m: &m, args, files: &files }, &mut session, &mut report)?;
    plan::add_lines(&m, &mut report);
    record::end(&mut report, exit);
    timing.complete(&mut report);
    Ok(report)
}

/// The columns of the owner's natural key whose values come with the files.
fn names(mapping: &Mapping) -> Vec<&str> {
    let natural = mapping.owner.iter().flat_map(|owner| owner.natural.iter().flatten());
    natural.filter(|(_, written)| written.0 == Value::Member).map(|(name, _)| name.as_str()).collect()
}

fn run(request: FleetRequest<'_>, session: &mut Session, report: &mut Report) -> Result<Exit, Failure> {
    match request.args.dry_run {
        true => dry_run::check(request, session, report),
        false => {
            let Some(fleet) = begin::begin(request, session, report)? else { return Ok(Exit::Refused) };
            let ended = worker::carry_out(request, fleet, session, report);
            ended.or_else(|failure| after_begin(request, failure, report))
        }
    }
}

/// The exit of a worker that failed after the fleet had begun. Files may be loaded, each as a whole.
fn after_begin(request: FleetRequest<'_>, failure: Failure, report: &mut Report) -> Result<Exit, Failure> {
    if failure.exit != Exit::Refused {
        return Err(failure);
    }
    report.refusals.extend(failure.problems);
    Ok(if request.m.check_stop().is_err() { Exit::Interrupted } else { Exit::Stopped })
}
