//! `migrate fleet rollback`: removes the rows of some owners, or of all, each file in a transaction of its own.

use crate::cli::FleetRollback;
use crate::event::Observer;
use crate::exit::Exit;
use crate::migrate::fleet::removal::{self, MemberRemoval};
use crate::model::ledger::Run;
use crate::model::record::{Activity, CommandKind, Refusal, Report, RunState, Warning};
use crate::pg::Session;
use crate::pg::ledger::members::LoadedMember;

use super::super::failure::Failure;
use super::super::record;
use super::super::session::Migration;
use super::super::world::World;
use super::status::{inquiry, recorded};
use super::{begin, finish, lines, only};

/// Members that are read from the ledger at once.
const PAGE: i64 = 1_000;

/// Removes what was asked for.
pub fn command(args: &FleetRollback, world: &World, observer: &dyn Observer) -> Result<Report, Failure> {
    if !args.yes {
        let reason = "nothing was done; --yes was not given";
        let advice = "`migrate fleet status` says what is there. Run the same command with --yes.";
        return Err(Failure::refused(Refusal::new("fleet rollback", reason, advice)));
    }
    let m = inquiry(&args.common, &args.reporting, Activity::Rollback, world, observer)?;
    let mut report = Report::new(CommandKind::FleetRollback, &m.mapping().name);
    let (mut session, run) = recorded(&m, &mut report)?;
    begin::upgrade(&mut session).map_err(Failure::refused)?;
    let exit = match args.only.as_slice() {
        [] => all(&m, &mut session, &run, &mut report)?,
        only => some(&mut session, &run, only, &mut report)?,
    };
    finish::note(&mut session, &run, None, &mut report).map_err(Failure::refused)?;
    lines::write(world, &mut session, &run).map_err(Failure::refused)?;
    record::end(&mut report, exit);
    Ok(report)
}

/// Removes the files of these owners.
fn some(session: &mut Session, run: &Run, only: &[String], report: &mut Report) -> Result<Exit, Failure> {
    match only::members(session, run, only, report)? {
        Some(members) => remove(session, run, &members, report),
        None => Ok(Exit::Refused),
    }
}

/// Removes all files, and ends the run.
fn all(m: &Migration<'_>, session: &mut Session, run: &Run, report: &mut Report) -> Result<Exit, Failure> {
    m.lock(session, report)?;
    session.commits_may_be_lost().map_err(Failure::refused)?;
    let (mut exit, mut after) = (Exit::Done, 0);
    loop {
        let page = session.loaded_members(run.id, after, PAGE).map_err(Failure::refused)?;
        let Some(last) = page.last() else { break };
        after = last.member;
        exit = exit.and(remove(session, run, &page, report)?);
    }
    session.commits_last(run.id, after).map_err(Failure::refused)?;
    if exit == Exit::Done {
        if !session.end_removed_fleet(run).map_err(Failure::refused)? {
            let reason = "another worker loaded a file meanwhile";
            report.refusals.push(Refusal::new("target", reason, "Stop the workers, and roll back again."));
            return Ok(Exit::Stopped);
        }
        report.state = RunState::RolledBack;
    }
    Ok(exit)
}

/// Removes these members. A member that cannot be removed is a refusal, and the others are removed.
fn remove(session: &mut Session, run: &Run, members: &[LoadedMember], report: &mut Report) -> Result<Exit, Failure> {
    let (mut removed, before) = (0, report.refusals.len());
    for member in members {
        match removal::remove(session, run, member).map_err(Failure::refused)? {
            MemberRemoval::Removed(rows) => {
                removed += 1;
                let message = format!("removed: {rows} rows");
                report.warnings.push(Warning::removed(&member.path, message));
            }
            MemberRemoval::Refused(why) => {
                let advice = "Nothing of this file was removed. Resolve it, and roll back again.";
                report.refusals.push(Refusal::new(&member.path, why, advice));
            }
            MemberRemoval::Fenced => {
                let why = "a worker loads it, or another process changed its state meanwhile";
                report.refusals.push(Refusal::new(
                    &member.path,
                    why,
                    "Run the same command again when the workers have ended.",
                ));
            }
        }
    }
    Ok(match (report.refusals.len() > before, removed) {
        (false, _) => Exit::Done,
        (true, 0) => Exit::Refused,
        (true, _) => Exit::Stopped,
    })
}
