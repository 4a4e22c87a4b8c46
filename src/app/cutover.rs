//! The cutover, its dry run, and verification afterwards: the same way in, a different way on.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use crate::cli::{Common, PlanArgs, Run as RunArgs, Work};
use crate::convert::{self};
use crate::event::Watch;
use crate::exit::Exit;
use crate::mapping::OnFault;
use crate::migrate::{self, Options};
use crate::model::record::{Refusal, Report, RunState, Warning};
use crate::model::rules::Zone;
use crate::plan::{self, Plan, Purpose};
use crate::resume::{self, Decision, Wanted};
use crate::source::{self, Source};
use crate::target::connect::{ReadOnly, Settings};
use crate::target::detach::Detached;
use crate::target::ledger::{LoadDone, Run};
use crate::target::{ServerError, Session};

use super::inputs::{self, Found};
use super::reach::{self, Door, settings};
use super::timing::Timing;
use super::{Failure, World, record};

/// Most rows of a batch, unless told otherwise.
const BATCH_ROWS: u64 = 50_000;

/// Most bytes in memory over all lanes, unless told otherwise.
const BATCH_BYTES: usize = 24 << 20;

/// How one command goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Look at everything, write nothing.
    Dry,
    /// Do it.
    Cutover,
    /// Compare again.
    Verify,
    /// Do it on a throw-away server.
    Rehearse,
    /// Take it out again.
    Rollback,
}

impl Manner {
    pub(super) fn writes(self) -> bool {
        matches!(self, Manner::Cutover | Manner::Rehearse | Manner::Rollback)
    }

    fn command(self) -> &'static str {
        match self {
            Manner::Dry | Manner::Cutover => "migrate",
            Manner::Verify => "verify",
            Manner::Rehearse => "rehearse",
            Manner::Rollback => "rollback",
        }
    }
}

/// `migrate` without a subcommand.
pub fn run(args: &RunArgs, world: &World, watch: &dyn Watch) -> Result<Report, Failure> {
    let found = one_mapping(&args.common, world)?;
    let manner = if args.dry_run { Manner::Dry } else { Manner::Cutover };
    let asks = manner == Manner::Cutover && !args.yes;
    if asks && !world.stdin_is_terminal {
        return Err(Failure::refused(
            "run: nothing was done; neither --dry-run nor --yes was given, and nobody is here to ask. Look with --dry-run first, \
             then do it with --yes.",
        ));
    }
    let settings = settings(&args.common, &found.mapping, world, manner == Manner::Dry)?;
    let way = Way {
        common: &args.common,
        work: &args.work,
        manner,
        asks,
        settings,
        found,
        world,
        watch,
        connections: usize::MAX,
    };
    way.go()
}

/// `migrate verify`
pub fn verify(common: &Common, world: &World, watch: &dyn Watch) -> Result<Report, Failure> {
    let found = one_mapping(common, world)?;
    let settings = settings(common, &found.mapping, world, false)?;
    let work = Work::default();
    let manner = Manner::Verify;
    Way { common, work: &work, manner, asks: false, settings, found, world, watch, connections: usize::MAX }.go()
}

/// `migrate plan`: the plan, or the report of its refusals.
pub fn plan(args: &PlanArgs, world: &World, watch: &dyn Watch) -> Result<Result<Plan, Box<Report>>, Failure> {
    let common = &args.common;
    let found = one_mapping(common, world)?;
    let settings = settings(common, &found.mapping, world, true)?;
    let work = Work { detach: args.detach, ..Work::default() };
    let manner = Manner::Dry;
    let way = Way { common, work: &work, manner, asks: false, settings, found, world, watch, connections: usize::MAX };
    let mut report = Report::new("plan", &way.found.mapping.name);
    report.dry_run = true;
    let source = match way.open_source(&mut report)? {
        Some(source) => source,
        None => return Ok(Err(Box::new(report))),
    };
    let mut target = way.open_target(&mut report)?;
    let planned = way.plan(&source, target.as_mut(), None, &mut report)?;
    way.name_lines(&mut report);
    record::end(&mut report, Exit::Refused);
    Ok(planned.map(|(plan, _)| plan).ok_or(Box::new(report)))
}

pub(super) fn one_mapping(common: &Common, world: &World) -> Result<Found, Failure> {
    if common.mapping.len() > 1 {
        return Err(Failure::usage("-m: several mappings go with `migrate rehearse` alone. Name one."));
    }
    inputs::mapping(common.mapping.first(), world)
}

/// One mapping on its way through a command.
pub struct Way<'a> {
    pub common: &'a Common,
    pub work: &'a Work,
    pub manner: Manner,
    pub asks: bool,
    pub settings: Option<Settings>,
    pub found: Found,
    pub world: &'a World,
    pub watch: &'a dyn Watch,
    /// How many connections the target serves at once.
    pub connections: usize,
}

/// A run of the ledger and what its loads have done.
#[derive(Default)]
pub(super) struct Known {
    pub version: Option<i32>,
    pub run: Option<Run>,
    pub done: BTreeMap<String, LoadDone>,
    pub detached: Vec<Detached>,
}

impl Way<'_> {
    /// Goes all the way and reports it.
    pub fn go(self) -> Result<Report, Failure> {
        let timing = Timing::new(self.world, self.watch);
        let mut report = Way { watch: &timing, ..self }.report()?;
        timing.complete(&mut report);
        Ok(report)
    }

    pub(super) fn report(&self) -> Result<Report, Failure> {
        let mut report = Report::new(self.manner.command(), &self.found.mapping.name);
        report.dry_run = self.manner == Manner::Dry;
        report.warnings.extend(self.placeholders());
        let Some(source) = self.open_source(&mut report)? else { return Ok(report) };
        let mut session = self.open_target(&mut report)?;
        let exit = match &mut session {
            None => self.look(&source, None, None, &mut report)?,
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

    /// The source; a file that cannot be read is a refusal, and the report says so.
    pub(super) fn open_source(&self, report: &mut Report) -> Result<Option<Source>, Failure> {
        let path = inputs::source(self.common, &self.found)?;
        let zone = self.found.mapping.source.zone.as_deref().and_then(Zone::parse);
        let ts: source::Scalar = std::sync::Arc::new(move |raw| convert::time_as_text(raw, zone));
        let functions = vec![("ts", ts)];
        let options = source::Options { readers: self.jobs() + 1, functions, ..source::Options::default() };
        match Source::open(&path, &options) {
            Ok(source) => {
                record::source(report, &source, &path.display().to_string());
                Ok(Some(source))
            }
            Err(e) => Err(Failure::refused(e.to_string())),
        }
    }

    pub(super) fn open_target(&self, report: &mut Report) -> Result<Option<Session>, Failure> {
        let Some(settings) = &self.settings else { return Ok(None) };
        report.target = Some(settings.shown());
        report.warnings.extend(reach::notes(settings));
        reach::first(&self.door(settings)).map(Some)
    }

    /// The way in to the target.
    pub(super) fn door<'d>(&'d self, settings: &'d Settings) -> Door<'d> {
        Door {
            settings,
            common: self.common,
            schema: &self.found.mapping.target.schema,
            read_only: ReadOnly(!self.manner.writes()),
            watch: self.watch,
            asked: &self.world.asked,
        }
    }

    /// The lock of this mapping in this database.
    pub(super) fn lock_key(&self) -> i64 {
        xxhash_rust::xxh3::xxh3_64(
            format!("migrate\n{}\n{}", self.common.ledger_schema, self.found.mapping.name).as_bytes(),
        ) as i64
    }

    pub(super) fn with_target(
        &self,
        source: &Source,
        session: &mut Session,
        report: &mut Report,
    ) -> Result<Exit, Failure> {
        let nothing_written = |e: ServerError| Failure::refused(e.to_string());
        if self.manner.writes() {
            self.hold(session)?;
        }
        // A ledger that this role may not read is refused with the plan's other refusals.
        let rights = session.rights(&self.found.mapping.target.schema).map_err(nothing_written)?;
        let known = match plan::ledger_rights(&rights, Purpose::Verify).as_slice() {
            [] => self.known(session).map_err(nothing_written)?,
            _ => Known::default(),
        };
        if let Some(newer) = resume::newer(known.version) {
            report.refusals.push(newer);
            return Ok(Exit::Refused);
        }
        let Some((plan, target)) = self.plan(source, Some(session), Some(&known), report)? else {
            return Ok(Exit::Refused);
        };
        let env = inputs::env(&self.found.mapping, self.world);
        let mut wanted = Wanted::of(&plan, &target, &source.stamp(), &env);
        if let Some(run) = known.run.as_ref().filter(|_| self.manner == Manner::Verify) {
            // What moved since is for the checks to say, row by row and object by object.
            wanted.stamp.clone_from(&run.stamp);
            wanted.catalog.clone_from(&run.catalog);
        }
        let stamp = wanted.stamp.clone();
        if let Some(run) = known.run.as_ref().filter(|run| run.stamp != stamp) {
            let again = migrate::until_done(&self.line(), session, |session| {
                self.source_again(source, session, (&plan, &target), &known, report)
            });
            match again.map_err(|stop| Failure::refused(stop.to_string()))? {
                Some(refusals) if !refusals.is_empty() => {
                    report.refusals.extend(refusals);
                    report.state = state(known.run.as_ref());
                    return Ok(Exit::Refused);
                }
                Some(_) => wanted.stamp.clone_from(&run.stamp),
                None => {}
            }
        }
        match resume::decide(known.version, known.run.as_ref(), &known.done, &wanted) {
            Decision::Refuse(refusals) => {
                report.refusals.extend(refusals);
                report.state = state(known.run.as_ref());
                Ok(Exit::Refused)
            }
            _ if self.manner == Manner::Rollback => self.take_back(source, session, (&plan, &target), known, report),
            Decision::Verify if self.manner != Manner::Verify => {
                report.warnings.push(Warning {
                    place: format!("run {}", known.run.as_ref().map_or(0, |r| r.id)),
                    message: "is done already: nothing was loaded, its rows were verified again".to_owned(),
                });
                Ok(self.finish(source, session, (&plan, &target), None, report))
            }
            Decision::Begin if self.manner == Manner::Verify => {
                report.refusals.push(Refusal::new(
                    "target",
                    "the ledger knows no run of this mapping",
                    "Do the cutover first, or name the database in which it was done.",
                ));
                Ok(Exit::Refused)
            }
            _ if self.manner == Manner::Verify => Ok(self.finish(source, session, (&plan, &target), None, report)),
            _ if self.manner == Manner::Dry => {
                self.look(source, Some((session, &plan, &target)), known.run.as_ref(), report)
            }
            _ => self.carry_out(source, session, &plan, &target, (known, Wanted { stamp, ..wanted }), report),
        }
    }

    pub(super) fn known(&self, session: &mut Session) -> Result<Known, ServerError> {
        let version = session.ledger_version()?;
        let owner = inputs::owner_identity(&self.found.mapping, self.common);
        let run = match version {
            Some(v) if v <= crate::target::ledger::VERSION => session.find_run(&self.found.mapping.name, &owner)?,
            _ => None,
        };
        let (done, detached) = match &run {
            Some(run) => (session.loads_done(run.id)?, session.detached(run.id)?),
            None => (BTreeMap::new(), Vec::new()),
        };
        Ok(Known { version, run, done, detached })
    }

    /// Lanes: as many as were asked for, or as the machine has cores, but no more than the target serves.
    pub(super) fn jobs(&self) -> usize {
        self.work.jobs.unwrap_or(self.world.cores).clamp(1, self.connections)
    }

    pub(super) fn options(&self) -> Options {
        Options {
            jobs: self.jobs(),
            batch_rows: self.work.batch_rows.unwrap_or(BATCH_ROWS),
            batch_bytes: self.batch_bytes(),
            on_fault: self.on_fault(),
            max_faults: self.work.max_faults,
        }
    }

    /// Most bytes of a batch in each lane.
    pub(super) fn batch_bytes(&self) -> usize {
        let told = self.work.batch_bytes.and_then(|bytes| usize::try_from(bytes).ok());
        told.unwrap_or(BATCH_BYTES / self.jobs())
    }

    pub(super) fn on_fault(&self) -> OnFault {
        match self.work.on_fault {
            Some(crate::cli::OnFault::Abort) => OnFault::Abort,
            Some(crate::cli::OnFault::Quarantine) => OnFault::Quarantine,
            None => self.found.mapping.defaults.on_fault,
        }
    }

    /// Shows the plan and asks for the database's name.
    pub(super) fn confirmed(&self, session: &mut Session, plan: &Plan) -> Result<bool, Failure> {
        let database = session.database().map_err(|e| Failure::refused(e.to_string()))?;
        eprint!("{}\nType the database's name ({database}) to go on: ", plan::text(plan));
        let _ = std::io::stderr().flush();
        let mut typed = String::new();
        let _ = std::io::stdin().lock().read_line(&mut typed);
        Ok(typed.trim() == database)
    }
}

pub(super) fn state(run: Option<&Run>) -> RunState {
    match run.map(|r| r.state.as_str()) {
        None => RunState::Planned,
        Some("Done") => RunState::Done,
        Some("RolledBack") => RunState::RolledBack,
        Some(_) => RunState::Stopped,
    }
}
