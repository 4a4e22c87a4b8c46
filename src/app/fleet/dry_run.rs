//! The dry run of a fleet: every file is opened, read and converted, and none is written.

use std::collections::BTreeMap;

use crate::convert::Settled;
use crate::event::{Event, FileCounts};
use crate::exit::Exit;
use crate::fleet::sources::MemberFile;
use crate::job::Stop;
use crate::migrate::fleet::batches::BatchSize;
use crate::migrate::fleet::member::{MemberRead, MemberWork};
use crate::migrate::fleet::sums::OmittedSums;
use crate::model::fleet::Claim;
use crate::model::ledger::{Form, Judged, Run};
use crate::model::record::{
    Check, CheckKind, FileLine, FleetRecord, LoadRecord, LoadState, Report, RunState, StepKind, UnfinishedFile,
};
use crate::pg::Session;

use super::super::failure::Failure;
use super::super::record;
use super::super::world::World;
use super::begin::first_plan;
use super::plans::Plans;
use super::request::FleetRequest;
use super::{file, finish, lines, omitted};

/// Most files that a report lists.
const LISTED: usize = 100;

/// Reads every file.
pub fn check(request: FleetRequest<'_>, session: &mut Session, report: &mut Report) -> Result<Exit, Failure> {
    let FleetRequest { m, args, files } = request;
    let mut plans = Plans::new(m, args.on_schema);
    let Some(first) = first_plan(&mut plans, request, session, report)? else { return Ok(Exit::Refused) };
    let began = m.world().elapsed();
    m.observer().on_event(Event::Step(StepKind::Preflight));
    let units = files.len() as u64;
    m.observer().on_event(Event::Files(FileCounts { left: units, ..FileCounts::default() }));
    let run = first.run.clone().unwrap_or_else(|| planned_run(first.settled.now));
    let mut checked = CheckedFiles::of(units);
    for file in files {
        if m.check_stop().is_err() {
            return Ok(Exit::Interrupted);
        }
        match read(&mut plans, &run, file, session, report)? {
            Ok(read) => checked.ready(m.world(), file, read),
            Err(Stop::Target(e)) if !e.is_about_rows() => return Err(Failure::refused(e)),
            Err(Stop::Interrupted) => return Ok(Exit::Interrupted),
            Err(stop) => checked.quarantined(m.world(), file, &stop),
        }
        m.observer().on_event(Event::Files(checked.counts()));
    }
    let CheckedFiles { rows, all, mut found } = checked;
    record::step(report, StepKind::Preflight, began, m.world().elapsed());
    let took = m.world().elapsed() - began;
    (found.here, found.per_second) = (units, (took > 0.0).then(|| record::rounded(units as f64 / took)));
    report.loads = first.plan.loads.iter().map(|load| planned(&first.plan.schema, load, &rows)).collect();
    let why = "the server judges the rows of a file when they are written: keys that are there, CHECKs, references";
    report.checks.push(Check::not_checked(CheckKind::Content, None, "a dry run writes nothing"));
    report.checks.push(Check::not_checked(CheckKind::RowsOfTarget, None, why));
    let exit = if found.quarantined > 0 { Exit::Quarantined } else { Exit::Done };
    report.fleet = Some(found);
    omitted::record(report, Some(&first.plan), &all);
    Ok(finish::with_losses(exit, report))
}

/// The files that were read so far.
struct CheckedFiles {
    /// The rows of each load.
    rows: BTreeMap<String, u64>,
    /// Everything that will not arrive as the files have it.
    all: OmittedSums,
    found: FleetRecord,
}

impl CheckedFiles {
    /// No file of so many.
    fn of(files: u64) -> CheckedFiles {
        let found = FleetRecord { files, ..FleetRecord::default() };
        CheckedFiles { rows: BTreeMap::new(), all: OmittedSums::default(), found }
    }

    /// Adds a file that can be loaded.
    fn ready(&mut self, world: &World, file: &MemberFile, read: MemberRead) {
        self.found.done += 1;
        self.all.add(&file.path, &read.omitted);
        let (losses, left) = (read.omitted.values(), read.omitted.left_rows());
        read.rows.iter().for_each(|(load, count)| *self.rows.entry(load.clone()).or_default() += count);
        lines::add(world, &FileLine { rows: read.rows, losses, left, ..line(file, "done") });
    }

    /// Adds a file that cannot be loaded.
    fn quarantined(&mut self, world: &World, member: &MemberFile, stop: &Stop) {
        self.found.quarantined += 1;
        let reason = file::reason(stop, &claim(member));
        lines::add(world, &FileLine { reason: Some(reason.clone()), ..line(member, "quarantined") });
        if self.found.unfinished.len() < LISTED {
            let (path, state) = (member.path.clone(), "quarantined".to_owned());
            self.found.unfinished.push(UnfinishedFile { path, state, reason });
        }
    }

    fn counts(&self) -> FileCounts {
        let FleetRecord { files, done, quarantined, .. } = self.found;
        FileCounts { loaded: done, quarantined, failed: 0, left: files.saturating_sub(done + quarantined) }
    }
}

fn line(file: &MemberFile, state: &str) -> FileLine {
    FileLine { path: file.path.clone(), state: state.to_owned(), owner: file.values.clone(), ..FileLine::default() }
}

fn read(
    plans: &mut Plans<'_>,
    run: &Run,
    file: &MemberFile,
    session: &mut Session,
    report: &mut Report,
) -> Result<Result<MemberRead, Stop>, Failure> {
    let source = match plans.open(&file.path) {
        Ok(source) => source,
        Err(e) => return Ok(Err(e.into())),
    };
    let plan = match plans.of(session, &source, report)? {
        Ok(plan) => plan,
        Err(refusals) => return Ok(Err(Stop::Refused(refusals))),
    };
    let settled = Settled { member: file.values.clone(), ..plan.settled.clone() };
    let (plan, target) = (&plan.plan, &plan.target);
    let work = MemberWork {
        plan,
        target,
        run,
        source: &source,
        settled: &settled,
        size: BatchSize::default(),
        millis: &|| 0,
        is_asked: &|| false,
    };
    Ok(work.read(session))
}

fn claim(file: &MemberFile) -> Claim {
    let (path, values) = (file.path.clone(), file.values.clone());
    Claim { run: 0, run_epoch: 0, member: 0, path, values, epoch: 0, begun: false }
}

/// A run that is not recorded.
fn planned_run(now: i64) -> Run {
    Run {
        id: 0,
        state: RunState::Planned,
        tool: String::new(),
        epoch: 0,
        seed: 0,
        stamp: String::new(),
        form: Form::Two,
        catalog: String::new(),
        read_ahead: true,
        judged: Judged { now, ..Judged::default() },
    }
}

fn planned(schema: &str, load: &crate::plan::LoadPlan, rows: &BTreeMap<String, u64>) -> LoadRecord {
    LoadRecord {
        load: load.name.clone(),
        source: load.source.clone(),
        target: format!("{schema}.{}", load.table),
        read: rows.get(&load.name).copied().unwrap_or(0),
        class: String::new(),
        state: LoadState::Planned,
        written: 0,
        faults: 0,
        skipped: 0,
        lanes: 1,
        started: 0.0,
        seconds: 0.0,
    }
}
