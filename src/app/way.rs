//! One mapping on its way through a command: what was typed and found here, the way in to source and target, and what the
//! ledger knows of the run.
//!
//! Where a way goes stands in `cutover`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use crate::cli::{self, Common, Reporting, Work};
use crate::convert;
use crate::event::Observer;
use crate::job::{Job, Options};
use crate::mapping::OnFault;
use crate::model::ledger::{LoadDone, Run};
use crate::model::record::{CommandKind, Report};
use crate::model::rules::Zone;
use crate::model::schema::TargetSchema;
use crate::pg::connect::{ReadOnly, Settings};
use crate::pg::detach::Detached;
use crate::pg::ledger::VERSION;
use crate::pg::{ServerError, Session};
use crate::plan::Plan;
use crate::sqlite::{self, Source};

use super::inputs::{self, Found};
use super::reach::{self, Door};
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

    /// The command, as the report names it.
    pub(super) fn command(self) -> CommandKind {
        match self {
            Manner::Dry | Manner::Cutover => CommandKind::Migrate,
            Manner::Verify => CommandKind::Verify,
            Manner::Rehearse => CommandKind::Rehearse,
            Manner::Rollback => CommandKind::Rollback,
        }
    }
}

/// What was typed, whatever the command.
pub struct Typed<'a> {
    pub common: &'a Common,
    pub reporting: &'a Reporting,
    pub work: Work,
}

/// One mapping on its way through a command.
pub struct Way<'a> {
    pub common: &'a Common,
    pub reporting: &'a Reporting,
    pub work: Work,
    pub manner: Manner,
    /// Whether somebody is asked before anything is written.
    pub asks: bool,
    /// How the target is reached; `None` where none was named, which a dry run may do without.
    pub settings: Option<Settings>,
    pub found: Found,
    pub world: &'a World,
    pub observer: &'a dyn Observer,
    /// How many connections the target serves at once.
    pub connections: usize,
}

/// What the ledger says of the mapping's run.
#[derive(Default)]
pub(super) struct Known {
    /// The ledger's own version; `None`: there is no ledger.
    pub version: Option<i32>,
    pub run: Option<Run>,
    pub done: BTreeMap<String, LoadDone>,
    pub detached: Vec<Detached>,
}

/// A plan, and the two sides between which it was made.
#[derive(Clone, Copy)]
pub(super) struct Planned<'a> {
    pub source: &'a Source,
    pub plan: &'a Plan,
    /// The target's catalogue, as if everything that was taken off were back.
    pub target: &'a TargetSchema,
}

/// The one mapping that was named, or that is here.
pub(super) fn one_mapping(common: &Common, world: &World) -> Result<Found, Failure> {
    if common.mapping.len() > 1 {
        return Err(Failure::usage_of("-m", "only `migrate rehearse` takes several mappings", "Name one."));
    }
    inputs::mapping(common.mapping.first(), world)
}

impl<'a> Way<'a> {
    /// The way to the target that was named, with a mapping that was found already.
    ///
    /// # Errors
    /// When none was named and the manner needs one, or how to reach it cannot be read.
    pub fn new(
        typed: Typed<'a>,
        (manner, found): (Manner, Found),
        world: &'a World,
        observer: &'a dyn Observer,
    ) -> Result<Way<'a>, Failure> {
        let Typed { common, reporting, work } = typed;
        let settings = match manner {
            Manner::Dry => reach::settings_if_named(common, &found.mapping, world)?,
            _ => Some(reach::settings(common, &found.mapping, world)?),
        };
        let connections = usize::MAX;
        Ok(Way { common, reporting, work, manner, asks: false, settings, found, world, observer, connections })
    }
}

impl Way<'_> {
    /// The source, noted in the report.
    ///
    /// # Errors
    /// When it cannot be read: a refusal.
    pub(super) fn open_source(&self, report: &mut Report) -> Result<Source, Failure> {
        let path = inputs::source(self.common, &self.found)?;
        let zone = self.found.mapping.source.zone.as_deref().and_then(Zone::parse);
        let ts: sqlite::ScalarFunction = Arc::new(move |raw| convert::time_as_text(raw, zone));
        let functions = vec![("ts", ts)];
        let options = sqlite::SourceOptions { readers: self.jobs() + 1, functions, ..sqlite::SourceOptions::default() };
        let source = Source::open(&path, &options).map_err(Failure::refused)?;
        record::source(report, &source, &path.display().to_string());
        Ok(source)
    }

    /// The target, noted in the report; `None` where none was named.
    ///
    /// # Errors
    /// When no connection comes about.
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
            observer: self.observer,
            asked: &self.world.asked,
        }
    }

    /// What the ledger says now. Of a ledger of a newer version only that.
    pub(super) fn known(&self, session: &mut Session) -> Result<Known, ServerError> {
        let version = session.ledger_version()?;
        let owner = inputs::owner_identity(&self.found.mapping, self.common);
        let run = match version {
            Some(v) if v <= VERSION => session.find_run(&self.found.mapping.name, &owner)?,
            _ => None,
        };
        let (done, detached) = match &run {
            Some(run) => (session.loads_done(run.id)?, session.detached(run.id)?),
            None => (BTreeMap::new(), Vec::new()),
        };
        Ok(Known { version, run, done, detached })
    }

    /// What is carried out or taken back, of which nothing is done yet. `sizes`: about how many rows each load has.
    pub(super) fn job<'j>(
        &'j self,
        Planned { source, plan, target }: Planned<'j>,
        env: &'j BTreeMap<String, String>,
        sizes: &'j BTreeMap<String, u64>,
    ) -> Job<'j> {
        Job {
            plan,
            source,
            target,
            options: self.options(),
            observer: self.observer,
            env,
            quarantined: AtomicU64::default(),
            connections: self,
            sizes,
            asked: &self.world.asked,
            halted: AtomicBool::default(),
        }
    }

    /// Lanes: as many as were asked for, or as the machine has cores, but no more than the target serves.
    pub(super) fn jobs(&self) -> usize {
        self.work.jobs.unwrap_or(self.world.cores).clamp(1, self.connections)
    }

    pub(super) fn options(&self) -> Options {
        let told = self.work.batch_bytes.and_then(|bytes| usize::try_from(bytes).ok());
        Options {
            jobs: self.jobs(),
            batch_rows: self.work.batch_rows.unwrap_or(BATCH_ROWS),
            batch_bytes: told.unwrap_or(BATCH_BYTES / self.jobs()),
            on_fault: self.on_fault(),
            max_faults: self.work.max_faults,
        }
    }

    pub(super) fn on_fault(&self) -> OnFault {
        match self.work.on_fault {
            Some(cli::OnFaultFlag::Abort) => OnFault::Abort,
            Some(cli::OnFaultFlag::Quarantine) => OnFault::Quarantine,
            None => self.found.mapping.defaults.on_fault,
        }
    }
}
