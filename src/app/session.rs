//! One migration: the inputs of a command for one mapping, its connections, its run lock, and the ledger's view of its run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::cli::{self, Common, Reporting, Work};
use crate::convert::{self, Settled};
use crate::event::Observer;
use crate::job::{Job, KeyMemory, Options, Reconnect, Stop};
use crate::mapping::{Mapping, OnFault};
use crate::model::ledger::Run;
use crate::model::record::{Activity, Report, RunState, StepKind};
use crate::model::rules::Zone;
use crate::model::schema::TargetSchema;
use crate::pg::connect::{ConnectError, Patience, ReadOnly, Settings};
use crate::pg::ledger::{LedgerView, RunName};
use crate::pg::owner::OwnerQuery;
use crate::pg::{OwnerFound, ServerError, Session};
use crate::plan::{LoadPlan, Plan};
use crate::sqlite::{self, Source};

use super::connect::{self, Connector};
use super::ending::Leaves;
use super::failure::Failure;
use super::growth;
use super::inputs::{self, MappingFile};
use super::record;
use super::world::World;

/// Default of `--batch-rows`.
const BATCH_ROWS: u64 = 50_000;

/// Default of `--batch-bytes`, over all lanes.
const BATCH_BYTES: usize = 24 << 20;

/// The arguments of a command for one mapping.
pub struct Request<'a> {
    pub common: &'a Common,
    pub reporting: &'a Reporting,
    pub work: Work,
    pub activity: Activity,
    /// True if a person must confirm the command before anything is written.
    pub asks: bool,
}

/// One migration: a mapping between a source and a target, and what a command does with it.
pub struct Migration<'a> {
    request: Request<'a>,
    file: MappingFile,
    /// `None` if no target was named. Only a dry run may do without.
    settings: Option<Settings>,
    /// Connections that the target serves at once.
    most_connections: usize,
    /// True if the target is a server of the process's own, which does not come back once it is lost.
    is_own_server: bool,
    /// True if the sources are the files of a fleet.
    is_fleet: bool,
    /// `--create`
    creates_tables: bool,
    world: &'a World,
    observer: &'a dyn Observer,
}

/// The server of a rehearsal.
pub struct Server {
    pub settings: Settings,
    /// Connections that it serves at once.
    pub most_connections: usize,
    /// True if only this process uses it.
    pub is_own: bool,
}

/// A plan, and the two sides for which it was made.
#[derive(Clone, Copy)]
pub struct Planned<'a> {
    pub source: &'a Source,
    pub plan: &'a Plan,
    /// The catalogue of the target, as if everything detached were attached.
    pub target: &'a TargetSchema,
}

impl<'a> Migration<'a> {
    /// A migration to the target that flags and environment name.
    ///
    /// # Errors
    /// If the activity needs a target and none was named, or the settings cannot be read.
    pub fn new(
        request: Request<'a>,
        file: MappingFile,
        world: &'a World,
        observer: &'a dyn Observer,
    ) -> Result<Migration<'a>, Failure> {
        let settings = match request.activity {
            Activity::DryRun => connect::settings_if_named(request.common, &file.mapping, world)?,
            _ => Some(connect::settings(request.common, &file.mapping, world)?),
        };
        Ok(Migration { settings, ..Migration::without_target(request, file, world, observer) })
    }

    /// The same migration with `--create`.
    pub fn creating_tables(self, creates_tables: bool) -> Migration<'a> {
        Migration { creates_tables, ..self }
    }

    /// A migration whose source alone is read.
    pub fn without_target(
        request: Request<'a>,
        file: MappingFile,
        world: &'a World,
        observer: &'a dyn Observer,
    ) -> Migration<'a> {
        Migration {
            request,
            file,
            settings: None,
            most_connections: usize::MAX,
            is_own_server: false,
            creates_tables: false,
            is_fleet: false,
            world,
            observer,
        }
    }

    /// A migration to the server of a rehearsal.
    pub fn to_server(
        request: Request<'a>,
        file: MappingFile,
        server: Server,
        world: &'a World,
        observer: &'a dyn Observer,
    ) -> Migration<'a> {
        let Server { settings, most_connections, is_own: is_own_server } = server;
        let settings = Some(settings);
        Migration {
            settings,
            most_connections,
            is_own_server,
            ..Migration::without_target(request, file, world, observer)
        }
    }

    pub fn world(&self) -> &'a World {
        self.world
    }

    pub fn observer(&self) -> &'a dyn Observer {
        self.observer
    }

    /// The migration of a fleet: each source is one of its files.
    pub fn of_fleet(self) -> Migration<'a> {
        Migration { is_fleet: true, ..self }
    }

    /// The same migration with another observer.
    pub fn observed_by<'b>(self, observer: &'b dyn Observer) -> Migration<'b>
    where
        'a: 'b,
    {
        Migration { observer, ..self }
    }
}

impl Migration<'_> {
    pub fn activity(&self) -> Activity {
        self.request.activity
    }

    /// Returns true if the sources are the files of a fleet.
    pub fn is_fleet(&self) -> bool {
        self.is_fleet
    }

    /// Returns true if `--create` asks for the tables.
    pub fn creates_tables(&self) -> bool {
        self.creates_tables
    }

    pub fn asks(&self) -> bool {
        self.request.asks
    }

    pub fn work(&self) -> &Work {
        &self.request.work
    }

    pub fn shows_values(&self) -> bool {
        self.request.reporting.show_values
    }

    pub fn mapping(&self) -> &Mapping {
        &self.file.mapping
    }

    /// The SHA-256 of the mapping's text, in hexadecimal.
    pub fn mapping_sha256(&self) -> &str {
        &self.file.sha256
    }

    /// Returns true if the target does not come back once it is lost.
    pub fn is_own_server(&self) -> bool {
        self.is_own_server
    }

    /// Returns true if a target was named.
    pub fn has_target(&self) -> bool {
        self.settings.is_some()
    }

    /// The columns and values of `--owner`.
    pub fn owner_flag(&self) -> BTreeMap<String, String> {
        self.request.common.owner.iter().cloned().collect()
    }

    /// The owner as a part of the identity of the run.
    pub fn owner_identity(&self) -> String {
        inputs::owner_identity(self.mapping(), self.request.common)
    }

    /// The variables that the mapping names. In a rehearsal, an unset variable gets a placeholder.
    pub fn env(&self) -> BTreeMap<String, String> {
        let mut env = inputs::env(self.mapping(), self.world);
        if self.activity() == Activity::Rehearsal {
            for name in inputs::names(self.mapping()) {
                env.entry(name.clone()).or_insert_with(|| format!("placeholder-for-{name}"));
            }
        }
        env
    }

    /// The constants of the run. Without a run, those that a run would have that began now.
    pub fn constants(&self, run: Option<&Run>) -> Settled {
        let now = run.map_or(self.world.now_micros(), |r| r.judged.now);
        let shifts = run.map(|r| r.judged.shifts.clone()).unwrap_or_default();
        Settled { now, owner: None, shifts, env: self.env(), ..Settled::default() }
    }

    /// The number of lanes: `--jobs` or the cores, but not more than the target serves.
    pub fn jobs(&self) -> usize {
        self.work().jobs.unwrap_or(self.world.cores).clamp(1, self.most_connections)
    }

    /// The treatment of faulty rows of a load: that of the flag, or else of the load, or else of `[defaults]`.
    pub fn on_fault(&self, load: &str) -> OnFault {
        match self.work().on_fault {
            Some(cli::OnFaultFlag::Abort) => OnFault::Abort,
            Some(cli::OnFaultFlag::Quarantine) => OnFault::Quarantine,
            None => {
                let own = self.mapping().loads.iter().find(|own| own.name == load).and_then(|own| own.on_fault);
                own.unwrap_or(self.mapping().defaults.on_fault)
            }
        }
    }

    /// The work of the migration, not begun. `sizes`: the estimated rows of each load.
    pub fn job<'j>(
        &'j self,
        Planned { source, plan, target }: Planned<'j>,
        settled: &'j Settled,
        sizes: &'j BTreeMap<String, u64>,
    ) -> Job<'j> {
        Job {
            plan,
            source,
            target,
            options: self.options(plan),
            aborting: self.aborting(plan),
            observer: self.observer,
            env: &settled.env,
            doubts: Arc::clone(&settled.doubts),
            quarantined: AtomicU64::default(),
            connections: self,
            sizes,
            keys: KeyMemory::default(),
            asked: &self.world.asked,
            halted: AtomicBool::default(),
        }
    }

    /// The loads that allow no fault.
    fn aborting(&self, plan: &Plan) -> BTreeSet<String> {
        let names = plan.loads.iter().map(|load| &load.name);
        names.filter(|load| self.on_fault(load) == OnFault::Abort).cloned().collect()
    }

    fn options(&self, plan: &Plan) -> Options {
        let no_row_may_miss =
            self.aborting(plan).len() == plan.loads.len() && !plan.loads.iter().any(LoadPlan::drops_orphans);
        let bytes = self.work().batch_bytes.and_then(|bytes| usize::try_from(bytes).ok());
        Options {
            jobs: self.jobs(),
            batch_rows: self.work().batch_rows.unwrap_or(BATCH_ROWS),
            batch_bytes: bytes.unwrap_or(BATCH_BYTES / self.jobs()),
            on_fault: if no_row_may_miss { OnFault::Abort } else { OnFault::Quarantine },
            max_faults: self.work().max_faults,
        }
    }

    /// Runs a step, and adds its time to the report.
    pub fn step<T>(&self, step: StepKind, report: &mut Report, work: impl FnOnce() -> T) -> T {
        let began = self.world.elapsed();
        let done = work();
        record::step(report, step, began, self.world.elapsed());
        done
    }

    /// Returns the reason for which a run stopped. A statement that was cancelled and a connection that was given up because
    /// the process was asked to stop are no failures of the target.
    pub fn reason(&self, stop: Stop) -> Stop {
        let is_consequence = match &stop {
            Stop::Target(e) => e.lost || e.is_cancelled(),
            Stop::Connect(_) | Stop::Halted => true,
            _ => false,
        };
        if is_consequence && self.check_stop().is_err() { Stop::Interrupted } else { stop }
    }

    /// Returns an error if the process was asked to stop.
    pub fn check_stop(&self) -> Result<(), Stop> {
        if self.world.asked.load(Ordering::Relaxed) { Err(Stop::Interrupted) } else { Ok(()) }
    }
}

impl Migration<'_> {
    /// Opens the source, and adds it to the report.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open_source(&self, report: &mut Report) -> Result<Source, Failure> {
        let path = inputs::source(self.request.common, &self.file)?;
        let options = self.source_options(self.jobs() + 1);
        let open = || Source::open(&path, &options);
        let source = growth::reported(self.observer, &options.copied, open).map_err(Failure::refused)?;
        record::source(report, &source, &path.display().to_string());
        Ok(source)
    }

    /// The options with which a source is opened for so many readers.
    pub fn source_options(&self, readers: usize) -> sqlite::SourceOptions {
        let zone = self.mapping().source.zone.as_deref().and_then(Zone::parse);
        let ts: sqlite::ScalarFunction = Arc::new(move |raw| convert::time_as_text(raw, zone));
        let functions = vec![("ts", ts)];
        let asked = Arc::clone(&self.world.asked);
        sqlite::SourceOptions { readers, functions, asked, ..sqlite::SourceOptions::default() }
    }

    /// Connects to the target, and adds it to the report. `None` if no target was named.
    ///
    /// # Errors
    /// If no connection can be made.
    pub fn open_target(&self, report: &mut Report) -> Result<Option<Session>, Failure> {
        let Some(settings) = &self.settings else { return Ok(None) };
        report.target = Some(settings.shown());
        report.warnings.extend(connect::notes(settings));
        self.connector(settings).first().map(Some)
    }

    /// Notes that this command may have committed batches if it is cut short from now on.
    pub fn leaves_batches(&self) {
        if self.activity() != Activity::Rehearsal {
            self.world.ending.note(Leaves::Batches);
        }
    }

    fn connector<'c>(&'c self, settings: &'c Settings) -> Connector<'c> {
        Connector {
            settings,
            common: self.request.common,
            schema: &self.mapping().target.schema,
            read_only: ReadOnly(!self.activity().writes()),
            observer: self.observer,
            asked: &self.world.asked,
        }
    }

    /// Everything that a retry needs.
    pub fn reconnect(&self) -> Reconnect<'_> {
        Reconnect { connections: self, observer: self.observer, asked: &self.world.asked }
    }

    /// Reads the ledger. Of a newer ledger, only the version.
    pub fn read_ledger(&self, session: &mut Session) -> Result<LedgerView, ServerError> {
        let columns = session.ledger_columns()?;
        session.ledger_view(&columns, RunName { mapping: &self.mapping().name, owner: &self.owner_identity() })
    }

    /// Reads the ledger of the run of this process, which was checked when the run began, and looks for the owner.
    pub fn read_own_ledger(
        &self,
        session: &mut Session,
        owner: Option<&OwnerQuery>,
    ) -> Result<(LedgerView, Option<OwnerFound>), ServerError> {
        let name = RunName { mapping: &self.mapping().name, owner: &self.owner_identity() };
        session.ledger_view_and_owner(name, owner)
    }

    /// `--ledger-schema`
    pub fn ledger_schema(&self) -> &str {
        &self.request.common.ledger_schema
    }
}

impl Migration<'_> {
    /// Opens a further connection to the target.
    ///
    /// # Errors
    /// If none can be opened while `patience` lasts.
    pub fn reopened(&self, patience: Patience) -> Result<Session, ConnectError> {
        let Some(settings) = &self.settings else {
            return Err(ConnectError::lost("the connection is lost", "no settings to reconnect with"));
        };
        self.connector(settings).session(patience)
    }
}

/// The state of a run, as the report records it.
pub fn run_state(run: Option<&Run>) -> RunState {
    match run.map(|run| run.state) {
        None => RunState::Planned,
        Some(RunState::Running) => RunState::Stopped,
        Some(state) => state,
    }
}
