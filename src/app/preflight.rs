//! The preflight: every row is read and converted, none is written. The dry run and the cutover share it.

use std::collections::BTreeMap;

use crate::convert::row::Maps;
use crate::job::{KeyMemory, Stop};
use crate::mapping::OnFault;
use crate::migrate;
use crate::migrate::existing::compare::HeldComparison;
use crate::migrate::preflight::id_references::IdWatch;
use crate::migrate::preflight::number_watch::NumberWatch;
use crate::migrate::preflight::source_numbers::SourceNumbers;
use crate::migrate::preflight::{read_ahead, sequence_ends, uuid_bytes};
use crate::model::record::{Activity, Refusal, Report};
use crate::pg::Session;
use crate::plan::{LoadPlan, Plan};

use super::plan::SettledRun;
use super::session::{Migration, Planned};

/// The result of the preflight.
pub struct PreflightResult {
    /// Its start, in seconds after the start of the command. The caller records the step, because it may have more to read.
    pub began: f64,
    /// Per load.
    pub found: Vec<read_ahead::LoadPreflight>,
    /// The lookup maps, by load.
    pub maps: BTreeMap<String, Maps>,
    /// The reasons for which the run would fail although each of its rows can be loaded.
    pub refusals: Vec<Refusal>,
    /// The numbers in the source's columns, for warnings. Empty in a cutover.
    pub numbers: SourceNumbers,
}

/// Reads and converts the rows of every load, with the lookups that can be read before the load.
pub fn read(
    m: &Migration<'_>,
    session: &mut Session,
    Planned { source, plan, target }: Planned<'_>,
    settled: &SettledRun,
    report: &mut Report,
) -> Result<PreflightResult, Stop> {
    let began = m.world().elapsed();
    let settled = &settled.with_owner();
    let mut plan = plan.in_binary();
    let watch = IdWatch::of(&mut plan, source.schema(), target, settled);
    let mut numbers = match m.activity() {
        Activity::DryRun => NumberWatch::of(&plan, source.schema()),
        _ => NumberWatch::of_left(&plan),
    };
    numbers = numbers.with_texts(&plan, source)?;
    numbers.add_to(&mut plan, source.schema());
    let plan = &plan;
    let (maps, checks) = migrate::lookup_maps::before_writing(session, plan, settled)?;
    report.checks.extend(checks);
    let (observer, asked, jobs) = (m.observer(), &*m.world().asked, m.jobs());
    let memory = KeyMemory::default();
    let preflight = read_ahead::Preflight {
        plan,
        source,
        target,
        settled,
        observer,
        asked,
        jobs,
        maps: &maps,
        memory,
        watch: &watch,
        numbers: &numbers,
    };
    let holds_rows = |table: &str| target.tables.get(table).is_some_and(|t| t.has_rows);
    let mut found = preflight.read(session, &|load: &LoadPlan| !(load.when_empty && holds_rows(&load.table)))?;
    HeldComparison { plan, target, source, settled }.add(session, &mut found)?;
    let mut refusals = sequence_ends::refuse_used_up(plan, source.schema(), target, &settled.shifts, &found);
    let loads: Vec<&str> = plan.loads.iter().map(|load| load.name.as_str()).collect();
    let seen = |load: &str| found.iter().find(|found| found.load == load).map(|found| &found.ids);
    refusals.extend(uuid_bytes::refuse(found.iter().map(|found| (found.load.as_str(), found.uuids.as_slice()))));
    let judged = watch.judge(seen, &loads);
    refusals.extend(judged.refusals);
    report.warnings.extend(judged.warnings);
    refusals.extend(too_many_faults(m, &found));
    let numbers = numbers.counts(&plan.loads, &found, source);
    Ok(PreflightResult { began, found, maps, refusals, numbers })
}

/// Returns true if the policy of each load, or the mapping, permits to leave out the rows that cannot be loaded.
pub fn are_permitted(m: &Migration<'_>, plan: &Plan, found: &[read_ahead::LoadPreflight]) -> bool {
    let aborts = |load: &str| m.on_fault(load) == OnFault::Abort;
    let all_abort = plan.loads.iter().all(|load| aborts(&load.name));
    found.iter().all(|load| !aborts(&load.load) || load.fault_total == load.left_out.permitted(all_abort))
}

/// The refusal of a run that would quarantine more rows than `--max-faults` allows.
fn too_many_faults(m: &Migration<'_>, found: &[read_ahead::LoadPreflight]) -> Option<Refusal> {
    let most = m.work().max_faults?;
    let left_out = |load: &read_ahead::LoadPreflight| match m.on_fault(&load.load) {
        OnFault::Quarantine => load.fault_total,
        OnFault::Abort => load.left_out.permitted(true),
    };
    let total: u64 = found.iter().map(left_out).sum();
    (total > most).then(|| {
        let reason = format!("{total} rows cannot be loaded as they are, and --max-faults allows {most}");
        Refusal::new("max_faults", reason, "Fix the faults that are listed, or raise --max-faults.")
    })
}
