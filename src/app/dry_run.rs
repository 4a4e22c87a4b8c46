//! `migrate --dry-run`: checks everything that can be checked before a write, and writes nothing.

use std::collections::BTreeMap;

use crate::exit::Exit;
use crate::migrate;
use crate::migrate::preflight::brought_owner;
use crate::migrate::preflight::number_watch::NumberWatch;
use crate::migrate::preflight::read_ahead::LoadPreflight;
use crate::migrate::preflight::source_numbers::SourceNumbers;
use crate::model::ledger::Run;
use crate::model::record::{Check, CheckKind, Forecast, LockedTable, Report, StepKind};
use crate::model::select::Relation;
use crate::pg::Session;
use crate::plan::Plan;
use crate::report::lost_unasked;
use crate::sqlite::Source;

use super::existing::{self, CountedLoads};
use super::failure::{Ended, Failure};
use super::finish::stopped;
use super::plan::SettledRun;
use super::session::{Migration, Planned};
use super::{explain, fault_file, plan, preflight, record};

/// Returns the key of the owner. `None` if the plan has no owner or the run will make it.
///
/// # Errors
/// If there is no owner and the run may not make one.
pub fn require_owner(
    m: &Migration<'_>,
    Planned { plan, target, source, .. }: Planned<'_>,
    SettledRun { settled, owner: key, .. }: &SettledRun,
    report: &mut Report,
) -> Result<Option<String>, Ended> {
    let Some(owner) = plan.settled_owner() else { return Ok(None) };
    // An owner that a load brings is not there yet.
    let is_loaded = plan.loads.iter().any(|l| l.table == owner.table);
    let exit = match key {
        None if is_loaded && owner.create.is_some() => return Ok(None),
        None if is_loaded => match brought_owner::require(plan, owner, source, settled) {
            Ok(()) => return Ok(None),
            Err(stop) => stopped(m, stop, plan, report, false),
        },
        None if owner.create.is_none() => stopped(m, migrate::owner::absent(owner), plan, report, false),
        None => match migrate::owner::fits(plan, target, settled) {
            Ok(()) => return Ok(None),
            Err(refusals) => {
                report.refusals.extend(refusals);
                Exit::Refused
            }
        },
        Some(key) => return Ok(Some(key.clone())),
    };
    Err(Ended::Exit(exit))
}

/// The dry run.
pub fn with_target(
    m: &Migration<'_>,
    session: &mut Session,
    planned: Planned<'_>,
    run: Option<&Run>,
    report: &mut Report,
) -> Result<Exit, Failure> {
    check(m, session, planned, run, report).or_else(Ended::into_exit)
}

fn check(
    m: &Migration<'_>,
    session: &mut Session,
    planned: Planned<'_>,
    run: Option<&Run>,
    report: &mut Report,
) -> Result<Exit, Ended> {
    let plan = planned.plan;
    let mut settled =
        plan::settle(m, session, planned, run).map_err(|stop| Ended::Exit(stopped(m, stop, plan, report, false)))?;
    report.warnings.append(&mut settled.stale);
    if let Some(key) = require_owner(m, planned, &settled, report)? {
        report.owner = plan.settled_owner().map(|o| record::owner(o, Some(key), false));
    }
    let preflight = preflight::read(m, session, planned, &settled, report)
        .map_err(|stop| Ended::Exit(stopped(m, stop, plan, report, false)))?;
    let found = &preflight.found;
    record::loads(report, plan, run, &BTreeMap::new(), found);
    explain::preflight_misses(m, planned, &preflight, &settled.settled, report)
        .map_err(|stop| Ended::Exit(stopped(m, stop, plan, report, false)))?;
    record_source(report, planned, &preflight.numbers);
    let sums = |load: &str| found.iter().find(|found| found.load == load).map(|found| found.sums.clone());
    existing::record(report, run, &CountedLoads { plan, source: planned.source, sums: &sums });
    report.warnings.extend(migrate::preflight::time_units::unclear(&plan.loads, &preflight.numbers));
    let total = fault_file::preflight_faults(m, planned, found, report);
    record::step(report, StepKind::Preflight, preflight.began, m.world().elapsed());
    report.checks.push(Check::not_checked(CheckKind::Content, None, "a dry run writes nothing"));
    report.checks.extend(found.iter().flat_map(|load| load.unchecked.iter().cloned()));
    let is_refused = !preflight.refusals.is_empty();
    report.refusals.extend(preflight.refusals);
    let exit = match total + lost_unasked(report) {
        _ if is_refused || !preflight::are_permitted(m, plan, found) => Exit::Refused,
        0 => Exit::Done,
        _ => Exit::Quarantined,
    };
    if exit != Exit::Refused {
        report.forecast = Some(forecast(plan, found, report));
    }
    Ok(exit)
}

/// The duration of a whole cutover in terms of its preflight: 7.01 s with a preflight of 0.64 s, see `migrate guide speed`.
const CUTOVER_PER_PREFLIGHT: f64 = 11.0;

/// The expected cost of a run whose rows were found. The preflight has just been timed.
fn forecast(plan: &Plan, found: &[LoadPreflight], report: &Report) -> Forecast {
    let preflight = report.steps.iter().find(|step| step.step == StepKind::Preflight).map_or(0.0, |step| step.seconds);
    let mut locked: BTreeMap<&str, u64> = BTreeMap::new();
    plan.detach.off.iter().for_each(|object| *locked.entry(&object.table).or_default() += 1);
    let table = |(table, detached)| LockedTable { table: format!("{}.{table}", plan.schema), detached };
    Forecast {
        bytes: found.iter().map(|load| load.bytes).sum(),
        seconds: (preflight * CUTOVER_PER_PREFLIGHT).ceil().max(1.0) as u64,
        locked: locked.into_iter().map(table).collect(),
    }
}

/// The dry run without a target: the checks of source and mapping that need none.
pub fn without_target(m: &Migration<'_>, source: &Source, report: &mut Report) -> Result<Exit, Failure> {
    let Some((plan, target)) = plan::make(m, source, None, report)? else { return Ok(Exit::Refused) };
    record_unread(Planned { source, plan: &plan, target: &target }, report)?;
    let why = "no target was named";
    for check in [
        CheckKind::TypesAndValues,
        CheckKind::RequiredColumns,
        CheckKind::Owner,
        CheckKind::Rights,
        CheckKind::RowsOfTarget,
    ] {
        report.checks.push(Check::not_checked(check, None, why));
    }
    Ok(Exit::Done)
}

/// Records the loads of a plan whose rows are only counted.
pub fn record_unread(planned: Planned<'_>, report: &mut Report) -> Result<(), Failure> {
    let Planned { source, plan, .. } = planned;
    let reader = source.reader().map_err(Failure::refused)?;
    record::loads(report, plan, None, &BTreeMap::new(), &[]);
    for record in &mut report.loads {
        let load = plan.loads.iter().find(|load| load.name == record.load);
        if let Some(Relation::Table(table)) = load.map(|load| &load.select.relation) {
            record.read = reader.count(table).map_err(Failure::refused)?;
        }
    }
    let numbers = NumberWatch::of(plan, source.schema()).counts(&plan.loads, &[], source);
    record_source(report, planned, &numbers);
    Ok(())
}

/// Records everything that stays in the source, and everything that the source lost before or that SQLite misreads.
fn record_source(report: &mut Report, planned: Planned<'_>, numbers: &SourceNumbers) {
    record::left(report, planned.plan, planned.source);
    record::lost_before(report, planned.source, numbers);
    record::misread_texts(report, planned.plan, planned.source);
}
