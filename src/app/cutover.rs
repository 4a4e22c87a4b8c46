//! The cutover, its dry run, its plan, and verification afterwards: the same way in, a different way on.

use std::io::{BufRead, Write};

use crate::cli::{PlanArgs, Reporting, Run as RunArgs, Verify, Work};
use crate::event::Observer;
use crate::exit::Exit;
use crate::model::ledger::Run;
use crate::model::record::{CommandKind, Refusal, Report, RunState, Warning};
use crate::pg::{ServerError, Session};
use crate::plan::{self, Plan, Purpose};
use crate::resume::{self, Decision, Wanted};
use crate::sqlite::Source;

use super::timing::Timing;
use super::way::{Known, Manner, Planned, Typed, Way, one_mapping};
use super::{Failure, World, inputs, record};

/// `migrate` without a subcommand.
pub fn run(args: &RunArgs, world: &World, observer: &dyn Observer) -> Result<Report, Failure> {
    let found = one_mapping(&args.common, world)?;
    let manner = if args.dry_run { Manner::Dry } else { Manner::Cutover };
    let asks = manner == Manner::Cutover && !args.yes;
    if asks && !world.stdin_is_terminal {
        let reason = "nothing was done; neither --dry-run nor --yes was given, and stdin is no terminal to ask on";
        let advice = "Check with --dry-run first, then run it with --yes.";
        return Err(Failure::refused(Refusal::new("run", reason, advice)));
    }
    let typed = Typed { common: &args.common, reporting: &args.reporting, work: args.work.clone() };
    Way { asks, ..Way::new(typed, (manner, found), world, observer)? }.go()
}

/// `migrate verify`
pub fn verify(args: &Verify, world: &World, observer: &dyn Observer) -> Result<Report, Failure> {
    let found = one_mapping(&args.common, world)?;
    let typed = Typed { common: &args.common, reporting: &args.reporting, work: Work::default() };
    Way::new(typed, (Manner::Verify, found), world, observer)?.go()
}

/// `migrate plan`: the plan, or the report of its refusals.
pub fn plan(args: &PlanArgs, world: &World, observer: &dyn Observer) -> Result<Result<Plan, Box<Report>>, Failure> {
    let found = one_mapping(&args.common, world)?;
    let work = Work { detach: args.detach, ..Work::default() };
    let typed = Typed { common: &args.common, reporting: &Reporting::default(), work };
    let way = Way::new(typed, (Manner::Dry, found), world, observer)?;
    let mut report = Report::new(CommandKind::Plan, &way.found.mapping.name);
    report.dry_run = true;
    let source = way.open_source(&mut report)?;
    let mut target = way.open_target(&mut report)?;
    let planned = way.plan(&source, target.as_mut(), None, &mut report)?;
    way.name_lines(&mut report);
    record::end(&mut report, Exit::Refused);
    Ok(planned.map(|(plan, _)| plan).ok_or(Box::new(report)))
}

impl Way<'_> {
    /// Goes all the way and reports it.
    pub fn go(self) -> Result<Report, Failure> {
        let timing = Timing::new(self.world, self.observer);
        let mut report = Way { observer: &timing, ..self }.report()?;
        timing.complete(&mut report);
        Ok(report)
    }

    fn report(&self) -> Result<Report, Failure> {
        let mut report = Report::new(self.manner.command(), &self.found.mapping.name);
        report.dry_run = self.manner == Manner::Dry;
        report.warnings.extend(self.placeholders());
        let source = self.open_source(&mut report)?;
        let mut session = self.open_target(&mut report)?;
        let exit = match &mut session {
            None => self.look_at_source(&source, &mut report)?,
            Some(session) => self.with_target(&source, session, &mut report)?,
        };
        self.name_lines(&mut report);
        record::end(&mut report, exit);
        Ok(report)
    }

    /// Gives each refusal and warning that is about the mapping its line there.
    fn name_lines(&self, report: &mut Report) {
        let lines = &self.found.mapping.lines;
        report.refusals.iter_mut().for_each(|refusal| refusal.place = lines.shown(&refusal.place));
        report.warnings.iter_mut().for_each(|warning| warning.place = lines.shown(&warning.place));
    }

    /// From the connection to the end: what the ledger knows, what is planned, and what both together mean.
    fn with_target(&self, source: &Source, session: &mut Session, report: &mut Report) -> Result<Exit, Failure> {
        if self.manner.writes() {
            self.hold(session)?;
        }
        let known = self.known_so_far(session).map_err(Failure::refused)?;
        if let Some(newer) = resume::newer(known.version) {
            report.refusals.push(newer);
            return Ok(Exit::Refused);
        }
        let Some((plan, target)) = self.plan(source, Some(session), Some(&known), report)? else {
            return Ok(Exit::Refused);
        };
        let wanted = Wanted::of(&plan, &target, &source.stamp(), &inputs::env(&self.found.mapping, self.world));
        let planned = Planned { source, plan: &plan, target: &target };
        let Some(held) = self.held_against(&wanted, session, planned, (&known, report))? else {
            return Ok(Exit::Refused);
        };
        let exit = match (resume::decide(known.version, known.run.as_ref(), &known.done, &held), self.manner) {
            (Decision::Refuse(refusals), _) => {
                report.refusals.extend(refusals);
                report.state = state(known.run.as_ref());
                Ok(Exit::Refused)
            }
            (_, Manner::Rollback) => self.take_back(session, planned, known, report),
            (Decision::Begin, Manner::Verify) => {
                report.refusals.push(Refusal::new(
                    "target",
                    "the ledger knows no run of this mapping",
                    "Do the cutover first, or name the database in which it was done.",
                ));
                Ok(Exit::Refused)
            }
            (_, Manner::Verify) => Ok(self.finish(session, planned, None, report)),
            (Decision::Verify, _) => {
                report.warnings.push(Warning::new(
                    format!("run {}", known.run.as_ref().map_or(0, |r| r.id)),
                    "is done already: nothing was loaded, its rows were verified again",
                ));
                Ok(self.finish(session, planned, None, report))
            }
            (_, Manner::Dry) => self.look(session, planned, known.run.as_ref(), report),
            (_, Manner::Cutover | Manner::Rehearse) => self.carry_out(session, planned, (known, wanted), report),
        };
        self.name_earlier(session, planned, report);
        exit
    }

    /// What the ledger knows. One that this role may not read is refused later, with the plan's other refusals.
    fn known_so_far(&self, session: &mut Session) -> Result<Known, ServerError> {
        let rights = session.rights(&self.found.mapping.target.schema)?;
        match plan::ledger_rights(&rights, Purpose::Verify).as_slice() {
            [] => self.known(session),
            _ => Ok(Known::default()),
        }
    }

    /// What is wanted, as it is held against the ledger: where the source was written to since the run began and still
    /// makes what was committed of it, with the stamp of then. `None`: it does not, and the report says so.
    fn held_against(
        &self,
        wanted: &Wanted,
        session: &mut Session,
        planned: Planned<'_>,
        (known, report): (&Known, &mut Report),
    ) -> Result<Option<Wanted>, Failure> {
        let mut held = wanted.clone();
        let Some(run) = &known.run else { return Ok(Some(held)) };
        if self.manner == Manner::Verify {
            // What moved since is for the checks to say, row by row and object by object.
            held.stamp.clone_from(&run.stamp);
            held.catalog.clone_from(&run.catalog);
        }
        if held.stamp == run.stamp {
            return Ok(Some(held));
        }
        let again = self.reconnect().retrying(session, |session| self.source_again(session, planned, known, report));
        match again.map_err(Failure::refused)? {
            // Of another schema or another dump the decision says what is to be said.
            None => {}
            Some(refusals) if refusals.is_empty() => held.stamp.clone_from(&run.stamp),
            Some(refusals) => {
                report.refusals.extend(refusals);
                report.state = state(known.run.as_ref());
                return Ok(None);
            }
        }
        Ok(Some(held))
    }

    /// Shows the plan and asks for the database's name.
    ///
    /// # Errors
    /// When another word was typed, or none.
    pub(super) fn confirm(&self, session: &mut Session, plan: &Plan) -> Result<(), Failure> {
        let database = session.database_name().map_err(Failure::refused)?;
        eprint!("{}\nType the database's name ({database}) to go on: ", plan::text(plan));
        let _ = std::io::stderr().flush();
        let mut typed = String::new();
        let _ = std::io::stdin().lock().read_line(&mut typed);
        if typed.trim() == database {
            return Ok(());
        }
        let place = if self.manner == Manner::Rollback { "rollback" } else { "run" };
        Err(Failure::refused(Refusal::new(place, "nothing was done; the database's name was not typed", "")))
    }
}

/// How a run stands, as the report says it.
pub(super) fn state(run: Option<&Run>) -> RunState {
    match run.map(|run| run.state) {
        None => RunState::Planned,
        Some(RunState::Running) => RunState::Stopped,
        Some(state) => state,
    }
}
