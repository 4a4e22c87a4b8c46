//! The cutover, its dry run, and verification afterwards: the same way in, a different way on.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::sync::atomic::AtomicBool;

use crate::cli::{Common, PlanArgs, Run as RunArgs, VerifyWhat, Work};
use crate::convert::{self, Settled};
use crate::event::{Event, Watch};
use crate::exit::Exit;
use crate::mapping::{Mapping, OnFault};
use crate::migrate::{self, Job, Options, Stop, ahead, until_done};
use crate::model::cell::RawBuf;
use crate::model::pgtype::ColumnType;
use crate::model::record::{Check, Refusal, Report, RunState, Warning};
use crate::model::rules::Zone;
use crate::model::schema::{Detachable, TargetSchema};
use crate::plan::{self, Detaching, Inputs, Plan, SqlFacts};
use crate::resume::{self, Decision, Wanted};
use crate::source::{self, Source};
use crate::target::connect::{ConnectError, Patience, ReadOnly, Settings, resolve};
use crate::target::detach::Detached;
use crate::target::ledger::{Judged, LoadDone, NewRun, Run};
use crate::target::{ServerError, Session};
use crate::verify::{self, Depth, Subject};

use super::inputs::{self, Found};
use super::timing::Timing;
use super::{Failure, World, faults, record};

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
            "nothing was done: neither --dry-run nor --yes was given, and nobody is here to ask. Look with --dry-run first, \
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
    record::end(&mut report, Exit::Refused);
    Ok(planned.map(|(plan, _)| plan).ok_or(Box::new(report)))
}

pub(super) fn one_mapping(common: &Common, world: &World) -> Result<Found, Failure> {
    if common.mapping.len() > 1 {
        return Err(Failure::usage("-m: several mappings go with `migrate rehearse` alone. Name one."));
    }
    inputs::mapping(common.mapping.first(), world)
}

pub(super) fn settings(
    common: &Common,
    mapping: &Mapping,
    world: &World,
    may_lack: bool,
) -> Result<Option<Settings>, Failure> {
    if may_lack && !inputs::names_a_target(common, mapping, world) {
        return Ok(None);
    }
    let given = inputs::target(common, mapping, world);
    if given.is_none() && !inputs::names_a_target(common, mapping, world) {
        return Err(Failure::usage(format!(
            "target: none was named. Name it with -t URL, or set {} or the PG* variables.",
            mapping.target.url_env
        )));
    }
    resolve(given.as_deref(), &world.environment()).map(Some).map_err(connect_failure)
}

fn connect_failure(e: ConnectError) -> Failure {
    match e {
        ConnectError::Usage(_) => Failure::usage(e.to_string()),
        e => Failure::refused(e.to_string()),
    }
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

    fn report(&self) -> Result<Report, Failure> {
        let mut report = Report::new(self.manner.command(), &self.found.mapping.name);
        report.dry_run = self.manner == Manner::Dry;
        report.warnings.extend(self.placeholders());
        let Some(source) = self.open_source(&mut report)? else { return Ok(report) };
        let mut session = self.open_target(&mut report)?;
        let exit = match &mut session {
            None => self.look(&source, None, None, &mut report)?,
            Some(session) => self.with_target(&source, session, &mut report)?,
        };
        record::end(&mut report, exit);
        Ok(report)
    }

    /// The source; a file that cannot be read is a refusal, and the report says so.
    fn open_source(&self, report: &mut Report) -> Result<Option<Source>, Failure> {
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

    fn open_target(&self, report: &mut Report) -> Result<Option<Session>, Failure> {
        let Some(settings) = &self.settings else { return Ok(None) };
        report.target = Some(settings.shown());
        for note in settings.notes() {
            report.warnings.push(Warning { place: "target".to_owned(), message: note.to_owned() });
        }
        let mut tell = |e: &ConnectError, _| self.watch.hear(Event::Retry { attempt: 1, why: e.reason() });
        let client = settings
            .connect_patiently(ReadOnly(!self.manner.writes()), Patience::FIRST, &mut tell)
            .map_err(connect_failure)?;
        Session::new(client, &self.common.ledger_schema).map(Some).map_err(|e| Failure::refused(e.to_string()))
    }

    /// The lock of this mapping in this database.
    pub(super) fn lock_key(&self) -> i64 {
        xxhash_rust::xxh3::xxh3_64(
            format!("migrate\n{}\n{}", self.common.ledger_schema, self.found.mapping.name).as_bytes(),
        ) as i64
    }

    fn with_target(&self, source: &Source, session: &mut Session, report: &mut Report) -> Result<Exit, Failure> {
        let nothing_written = |e: ServerError| Failure::refused(e.to_string());
        if self.manner.writes() {
            self.hold(session)?;
        }
        let known = self.known(session).map_err(nothing_written)?;
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
        match resume::decide(known.version, known.run.as_ref(), &known.done, &wanted) {
            Decision::Refuse(refusals) => {
                report.refusals.extend(refusals);
                report.state = state(known.run.as_ref());
                Ok(Exit::Refused)
            }
            _ if self.manner == Manner::Rollback => self.take_back(source, session, (&plan, &target), known, report),
            Decision::Verify => {
                report.warnings.push(Warning {
                    place: format!("run {}", known.run.as_ref().map_or(0, |r| r.id)),
                    message: "is done already: nothing was loaded, its rows were verified again".to_owned(),
                });
                self.finish(source, session, &plan, &target, report)
            }
            Decision::Begin if self.manner == Manner::Verify => {
                report.refusals.push(Refusal::new(
                    "target",
                    "the ledger knows no run of this mapping",
                    "Do the cutover first, or name the database in which it was done.",
                ));
                Ok(Exit::Refused)
            }
            _ if self.manner == Manner::Verify => self.finish(source, session, &plan, &target, report),
            _ if self.manner == Manner::Dry => {
                self.look(source, Some((session, &plan, &target)), known.run.as_ref(), report)
            }
            _ => self.carry_out(source, session, &plan, &target, (known, wanted), report),
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

    /// The plan and the catalogue it stands on; `None`: refused, and the report says why.
    fn plan(
        &self,
        source: &Source,
        session: Option<&mut Session>,
        known: Option<&Known>,
        report: &mut Report,
    ) -> Result<Option<(Plan, TargetSchema)>, Failure> {
        let mapping = &self.found.mapping;
        let run = known.and_then(|k| k.run.as_ref());
        let (target, detachable, expressions) = match session {
            None => (None, Vec::new(), BTreeMap::new()),
            Some(session) => {
                let failed = |e: ServerError| Failure::refused(e.to_string());
                let (target, detachable) = self.catalog(session, known).map_err(failed)?;
                let expressions = expressions(session, mapping, &target).map_err(failed)?;
                (Some(target), detachable, expressions)
            }
        };
        let env = self.env();
        let owner = self.common.owner.iter().cloned().collect();
        let now = inputs::now_text(mapping, run.map_or(self.world.now_micros(), |r| r.judged.now));
        let mut inputs = Inputs {
            source: source.schema(),
            sql: &BTreeMap::new(),
            target: target.as_ref(),
            expressions: &expressions,
            env: &env,
            owner: &owner,
            now: &now,
            detachable: &detachable,
            detaching: self.detaching(),
        };
        let sql = self.sql_facts(source, mapping, &inputs)?;
        inputs.sql = &sql;
        match plan::build(mapping, &inputs) {
            Ok(plan) => {
                report.warnings.extend(plan.warnings.iter().cloned());
                if let Err(refusals) = self.constants(&plan, run) {
                    report.refusals.extend(refusals);
                    return Ok(None);
                }
                report.owner = plan.settled_owner().map(|o| record::owner(o, None, false));
                Ok(Some((plan, target.unwrap_or_default())))
            }
            Err((refusals, warnings)) => {
                report.refusals.extend(refusals);
                report.warnings.extend(warnings);
                Ok(None)
            }
        }
    }

    /// The target's catalogue as if everything that the run took off were back and its rows were not there, and what can
    /// be taken off.
    fn catalog(
        &self,
        session: &mut Session,
        known: Option<&Known>,
    ) -> Result<(TargetSchema, Vec<Detachable>), ServerError> {
        let mut target = session.catalog(&self.found.mapping.target.schema)?;
        if let Some(run) = known.and_then(|k| k.run.as_ref()) {
            for (name, table) in &mut target.tables {
                table.has_rows = run.judged.holding.contains_key(name);
            }
        }
        if let Some(known) = known {
            migrate::detach::as_if_back(&mut target, &known.detached);
        }
        let loaded: Vec<String> = target.tables.keys().filter(|t| self.is_loaded(t)).cloned().collect();
        let detachable = session.detachable(&target.schema, &loaded)?;
        Ok((target, detachable))
    }

    fn is_loaded(&self, table: &str) -> bool {
        let copies = self.found.mapping.defaults.unlisted_tables == crate::mapping::Unlisted::Copy;
        copies || self.found.mapping.loads.iter().any(|load| load.to == table)
    }

    fn detaching(&self) -> Detaching {
        match self.work.detach {
            crate::cli::DetachWhat::Auto => Detaching::Auto,
            crate::cli::DetachWhat::Never => Detaching::Never,
            crate::cli::DetachWhat::Always => Detaching::Always,
        }
    }

    /// The variables that the mapping names; on a throw-away server those that are not set get a marked placeholder.
    pub(super) fn env(&self) -> BTreeMap<String, String> {
        let mut env = inputs::env(&self.found.mapping, self.world);
        if self.manner == Manner::Rehearse {
            for name in inputs::names(&self.found.mapping) {
                env.entry(name.clone()).or_insert_with(|| format!("placeholder-for-{name}"));
            }
        }
        env
    }

    /// The variables for which a placeholder stands.
    fn placeholders(&self) -> Vec<Warning> {
        let set = inputs::env(&self.found.mapping, self.world);
        let names = inputs::names(&self.found.mapping).into_iter();
        let unset = names.filter(|name| self.manner == Manner::Rehearse && !set.contains_key(name));
        let said = |name| Warning {
            place: format!("env {name}"),
            message: format!(
                "it is not set; placeholder-for-{name} stands for it in this rehearsal. The cutover needs it."
            ),
        };
        unset.map(said).collect()
    }

    fn constants(&self, plan: &Plan, run: Option<&Run>) -> Result<(), Vec<Refusal>> {
        if self.settings.is_none() {
            return Ok(());
        }
        ahead::prepare(plan, &self.settled(run))
    }

    fn settled(&self, run: Option<&Run>) -> Settled {
        let now = run.map_or(self.world.now_micros(), |r| r.judged.now);
        let shifts = run.map(|r| r.judged.shifts.clone()).unwrap_or_default();
        Settled { now, owner: None, shifts, env: self.env() }
    }

    /// What is settled before anything is written, the shifts of ids among it: the run's, or those that it would have. Rows
    /// that would become somebody else's are refused here.
    fn settled_on(
        &self,
        session: &mut Session,
        (plan, target): (&Plan, &TargetSchema),
        source: &Source,
        run: Option<&Run>,
    ) -> Result<Settled, Stop> {
        let mut settled = self.settled(run);
        if run.is_none() {
            settled.shifts = migrate::shift::choose(session, plan, source, target)?;
            let mistaken = migrate::persons::mistaken(session, (plan, target), source, &settled)?;
            if !mistaken.is_empty() {
                return Err(Stop::Refused(mistaken));
            }
        }
        Ok(settled)
    }

    /// What SQLite says of the mapping's SQL.
    fn sql_facts(
        &self,
        source: &Source,
        mapping: &Mapping,
        inputs: &Inputs<'_>,
    ) -> Result<BTreeMap<String, SqlFacts>, Failure> {
        let reader = source.reader().map_err(|e| Failure::refused(e.to_string()))?;
        let mut facts = BTreeMap::new();
        for (load, select) in plan::selects(mapping, inputs) {
            let checked = reader.check(&select).and_then(|columns| Ok((columns, reader.columns_read(&select)?)));
            let found = match checked {
                Ok((columns, reads)) => SqlFacts { columns, reads, mistake: None },
                Err(e) => SqlFacts { mistake: Some(e.to_string()), ..SqlFacts::default() },
            };
            facts.insert(load, found);
        }
        Ok(facts)
    }

    /// Reads and converts everything that `wanted` names, with the lookups that are known already.
    fn read_ahead(
        &self,
        source: &Source,
        session: &mut Session,
        (plan, target): (&Plan, &TargetSchema),
        (settled, wanted): (&Settled, &dyn Fn(&plan::LoadPlan) -> bool),
        report: &mut Report,
    ) -> Result<Vec<ahead::Found>, Stop> {
        let (maps, checks) = migrate::lookup::ahead(session, plan, settled)?;
        report.checks.extend(checks);
        let (watch, asked, jobs) = (self.watch, &self.world.asked, self.jobs());
        let looks = self.manner == Manner::Dry;
        ahead::Ground { plan, source, target, settled, watch, asked, jobs, maps: &maps, looks }.read(session, wanted)
    }

    /// The dry run: everything is read and converted, nothing written.
    fn look(
        &self,
        source: &Source,
        target: Option<(&mut Session, &Plan, &TargetSchema)>,
        run: Option<&Run>,
        report: &mut Report,
    ) -> Result<Exit, Failure> {
        let Some((session, plan, target)) = target else { return self.look_at_source(source, report) };
        let settled = match self.settled_on(session, (plan, target), source, run) {
            Ok(settled) => settled,
            Err(stop) => return Ok(self.stopped(stop, plan, report, false)),
        };
        if let Some(owner) = plan.settled_owner() {
            match migrate::find_owner(session, plan, &settled) {
                Ok(Some(key)) => report.owner = Some(record::owner(owner, Some(key), false)),
                Ok(None) if owner.create.is_none() && !plan.loads.iter().any(|l| l.table == owner.table) => {
                    return Ok(self.stopped(migrate::owner_absent(owner), plan, report, false));
                }
                Ok(None) => match migrate::owner_fits(plan, &settled) {
                    Err(refusals) if !plan.loads.iter().any(|l| l.table == owner.table) => {
                        report.refusals.extend(refusals);
                        return Ok(Exit::Refused);
                    }
                    _ => {}
                },
                Err(stop) => return Ok(self.stopped(stop, plan, report, false)),
            }
        }
        let began = self.world.elapsed();
        let wanted =
            |load: &plan::LoadPlan| !(load.when_empty && target.tables.get(&load.table).is_some_and(|t| t.has_rows));
        let found = match self.read_ahead(source, session, (plan, target), (&settled, &wanted), report) {
            Ok(found) => found,
            Err(stop) => return Ok(self.stopped(stop, plan, report, false)),
        };
        record::step(report, "read ahead", self.world.elapsed() - began);
        record::loads(report, plan, run, &BTreeMap::new(), &found);
        record::left(report, plan, source).map_err(|e| Failure::refused(e.to_string()))?;
        record::lost_before(report, source).map_err(|e| Failure::refused(e.to_string()))?;
        let total = self.found(source, plan, &found, report);
        report.checks.push(Check::not_checked("content", None, "a dry run writes nothing"));
        report.checks.extend(found.iter().flat_map(|load| load.unchecked.iter().cloned()));
        Ok(match (total, self.on_fault()) {
            (0, _) => Exit::Done,
            (_, OnFault::Quarantine) => Exit::Quarantined,
            (_, OnFault::Abort) => Exit::Refused,
        })
    }

    /// A dry run without a target: what of the source and the mapping can be judged alone.
    fn look_at_source(&self, source: &Source, report: &mut Report) -> Result<Exit, Failure> {
        let Some((plan, _)) = self.plan(source, None, None, report)? else { return Ok(Exit::Refused) };
        let reader = source.reader().map_err(|e| Failure::refused(e.to_string()))?;
        record::loads(report, &plan, None, &BTreeMap::new(), &[]);
        for (record, load) in report.loads.iter_mut().zip(plan.order.iter().filter_map(|n| match n {
            plan::Node::Load(n) => Some(&plan.loads[*n]),
            plan::Node::Owner => None,
        })) {
            if let crate::model::select::Relation::Table(table) = &load.select.relation {
                record.read = reader.count(table).map_err(|e| Failure::refused(e.to_string()))?;
            }
        }
        record::left(report, &plan, source).map_err(|e| Failure::refused(e.to_string()))?;
        record::lost_before(report, source).map_err(|e| Failure::refused(e.to_string()))?;
        let why = "no target was named";
        for check in ["types and values", "required columns", "owner", "rights", "rows that are there"] {
            report.checks.push(Check::not_checked(check, None, why));
        }
        Ok(Exit::Done)
    }

    /// Lanes: as many as were asked for, or as the machine has cores, but no more than the target serves.
    fn jobs(&self) -> usize {
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
    fn batch_bytes(&self) -> usize {
        let told = self.work.batch_bytes.and_then(|bytes| usize::try_from(bytes).ok());
        told.unwrap_or(BATCH_BYTES / self.jobs())
    }

    fn on_fault(&self) -> OnFault {
        match self.work.on_fault {
            Some(crate::cli::OnFault::Abort) => OnFault::Abort,
            Some(crate::cli::OnFault::Quarantine) => OnFault::Quarantine,
            None => self.found.mapping.defaults.on_fault,
        }
    }

    /// From the decision to the verified end.
    fn carry_out(
        &self,
        source: &Source,
        session: &mut Session,
        plan: &Plan,
        target: &TargetSchema,
        (known, wanted): (Known, Wanted),
        report: &mut Report,
    ) -> Result<Exit, Failure> {
        if self.asks && !self.confirmed(session, plan)? {
            return Err(Failure::refused("nothing was done: the database's name was not typed."));
        }
        let settled = match self.settled_on(session, (plan, target), source, known.run.as_ref()) {
            Ok(settled) => settled,
            Err(stop) => return Ok(self.stopped(stop, plan, report, false)),
        };
        let env = settled.env.clone();
        let resuming = known.run.is_some();
        let mut to_come: BTreeMap<String, u64> = BTreeMap::new();
        let read_ahead = self.on_fault() == OnFault::Abort && !self.work.skip_preflight;
        if !resuming && read_ahead {
            let began = self.world.elapsed();
            let wanted = |load: &plan::LoadPlan| {
                !(load.when_empty && target.tables.get(&load.table).is_some_and(|t| t.has_rows))
            };
            let found = match self.read_ahead(source, session, (plan, target), (&settled, &wanted), report) {
                Ok(found) => found,
                Err(stop) => return Ok(self.stopped(stop, plan, report, false)),
            };
            record::step(report, "read ahead", self.world.elapsed() - began);
            to_come.extend(found.iter().map(|f| (f.load.clone(), f.sums.read)));
            if found.iter().any(|f| f.fault_total > 0) {
                record::loads(report, plan, None, &BTreeMap::new(), &found);
                self.found(source, plan, &found, report);
                return Ok(Exit::Refused);
            }
        }
        if let Some(refused) = self.owner_is_there(session, plan, &settled, report) {
            return Ok(refused);
        }
        let run = match known.run {
            Some(run) => self.take_up(session, run, &wanted.loads)?,
            None => {
                let begun = until_done(&self.line(), session, |session| {
                    // An answer that was lost may have said that it had begun.
                    let run = match self.known(session)?.run {
                        Some(run) => run,
                        None => self.begin(session, plan, target, (&wanted, &settled), read_ahead)?,
                    };
                    session.note_backend(run.id, run.epoch)?;
                    Ok(run)
                });
                // The ledger may be there: a commit whose answer was lost is no refusal.
                let exit = |stop: &Stop| match stop {
                    Stop::Interrupted => Exit::Interrupted,
                    Stop::Target(e) if !e.lost => Exit::Refused,
                    _ => Exit::Stopped,
                };
                begun.map_err(|stop| Failure { exit: exit(&stop), message: stop.to_string() })?
            }
        };
        report.run = Some(run.id.to_string());
        let untouched =
            known.detached.is_empty() && known.done.values().all(|d| d.parts.iter().all(|p| p.next_batch == 1));
        if untouched && let Err(e) = self.take_off(source, session, plan, target, (&run, &mut to_come)) {
            return Ok(self.stopped(e, plan, report, true));
        }
        let so_far = known.done.values().flat_map(|d| &d.parts).map(|part| part.sums.faults).sum::<u64>();
        let job = Job {
            plan,
            source,
            target,
            options: self.options(),
            watch: self.watch,
            env: &env,
            aside: so_far.into(),
            connections: self,
            sizes: &to_come,
            asked: &self.world.asked,
            halted: AtomicBool::new(false),
        };
        let began = self.world.elapsed();
        let loaded = migrate::run(&job, session, &run);
        record::step(report, "load", self.world.elapsed() - began);
        if let Err(stop) = loaded {
            self.gather(source, session, plan, &run, report);
            return Ok(self.stopped(stop, plan, report, true));
        }
        let began = self.world.elapsed();
        let back = self
            .if_asked()
            .and_then(|()| until_done(&self.line(), session, |session| migrate::detach::put_back(&job, session, &run)));
        if let Err(stop) = back {
            self.gather(source, session, plan, &run, report);
            return Ok(self.stopped(stop, plan, report, true));
        }
        record::step(report, "put back", self.world.elapsed() - began);
        let began = self.world.elapsed();
        let set = migrate::set_sequences(&job, session, &run, source.schema(), target);
        if let Err(stop) = set.and_then(|()| self.if_asked()) {
            self.gather(source, session, plan, &run, report);
            return Ok(self.stopped(stop, plan, report, true));
        }
        record::step(report, "sequences", self.world.elapsed() - began);
        self.finish(source, session, plan, target, report)
    }

    /// Takes off what pays; how many rows are to come is known from reading ahead, else counted.
    fn take_off(
        &self,
        source: &Source,
        session: &mut Session,
        plan: &Plan,
        target: &TargetSchema,
        (run, to_come): (&Run, &mut BTreeMap<String, u64>),
    ) -> Result<(), Stop> {
        let reader = source.reader()?;
        for load in &plan.loads {
            if let crate::model::select::Relation::Table(table) = &load.select.relation
                && !to_come.contains_key(&load.name)
            {
                to_come.insert(load.name.clone(), reader.count(table)?);
            }
        }
        let rows = |table: &str| {
            plan.loads.iter().filter(|l| l.table == table).filter_map(|l| to_come.get(&l.name)).sum::<u64>()
        };
        Ok(migrate::detach::take_off(session, run, &plan.detach, target, self.detaching(), &rows)?)
    }

    /// The owner must be there or may be made; known before anything is written.
    fn owner_is_there(
        &self,
        session: &mut Session,
        plan: &Plan,
        settled: &Settled,
        report: &mut Report,
    ) -> Option<Exit> {
        let owner = plan.settled_owner()?;
        let loaded = plan.loads.iter().any(|l| l.table == owner.table);
        match migrate::find_owner(session, plan, settled) {
            Ok(Some(_)) => None,
            Ok(None) if owner.create.is_none() && !loaded => {
                Some(self.stopped(migrate::owner_absent(owner), plan, report, false))
            }
            Ok(None) => match migrate::owner_fits(plan, settled) {
                Err(refusals) if !loaded => {
                    report.refusals.extend(refusals);
                    Some(Exit::Refused)
                }
                _ => None,
            },
            Err(stop) => Some(self.stopped(stop, plan, report, false)),
        }
    }

    fn begin(
        &self,
        session: &mut Session,
        plan: &Plan,
        target: &TargetSchema,
        (wanted, settled): (&Wanted, &Settled),
        read_ahead: bool,
    ) -> Result<Run, ServerError> {
        let now = settled.now;
        let owner = inputs::owner_identity(&self.found.mapping, self.common);
        // Any number will do: it only keeps digests of equal rows in different runs apart.
        let seed = xxhash_rust::xxh3::xxh3_64(format!("{now}\n{}", std::process::id()).as_bytes());
        let mut judged = Judged { now, shifts: settled.shifts.clone(), env: wanted.env.clone(), ..Judged::default() };
        verify::before::note(&mut judged, session, (plan, target), seed)?;
        session.begin_run(&NewRun {
            mapping: &plan.name,
            owner: &owner,
            tool: env!("CARGO_PKG_VERSION"),
            seed,
            stamp: &wanted.stamp,
            catalog: &wanted.catalog,
            read_ahead,
            judged: &judged,
            loads: &wanted.loads,
        })
    }

    /// What the ledger says, into the report, after a stop. A target that is gone leaves the report without it.
    fn gather(&self, source: &Source, session: &mut Session, plan: &Plan, run: &Run, report: &mut Report) {
        let done = session.loads_done(run.id).unwrap_or_default();
        report.detached = record::detached(&session.detached(run.id).unwrap_or_default(), &plan.schema);
        record::loads(report, plan, Some(run), &done, &[]);
        let aside = faults::of_run(session, run.id).unwrap_or_default();
        self.set_aside(source, plan, &aside, report);
        report.state = RunState::Stopped;
    }

    /// A stop, as refusals or faults of the report, and the exit that it means.
    fn stopped(&self, stop: Stop, plan: &Plan, report: &mut Report, written: bool) -> Exit {
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
    fn finish(
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

/// By table and SQL: the type of an expression over the table, or why it has none.
type Expressions = BTreeMap<(String, String), Result<ColumnType, String>>;

/// What the target makes of the lookups' expressions.
fn expressions(session: &mut Session, mapping: &Mapping, target: &TargetSchema) -> Result<Expressions, ServerError> {
    let mut found = BTreeMap::new();
    for (table, sql) in plan::expressions(mapping, target) {
        let kind = session.expression_type(&target.schema, &table, &sql)?;
        found.insert((table, sql), kind);
    }
    Ok(found)
}

fn state(run: Option<&Run>) -> RunState {
    match run.map(|r| r.state.as_str()) {
        None => RunState::Planned,
        Some("Done") => RunState::Done,
        Some("RolledBack") => RunState::RolledBack,
        Some(_) => RunState::Stopped,
    }
}
