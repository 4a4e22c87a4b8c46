//! The cutover: it is prepared, written and finished, in this order.

use std::collections::BTreeMap;

use crate::convert::Settled;
use crate::exit::Exit;
use crate::job::{Job, Stop};
use crate::migrate;
use crate::model::ledger::{IdRange, Judged, NewRun, Run};
use crate::model::record::{Refusal, Report, StepKind};
use crate::model::select::Relation;
use crate::pg::detach::Detached;
use crate::pg::{ServerError, Session};
use crate::plan::LoadPlan;
use crate::resume::RunIdentity;

use super::failure::{Ended, Failure};
use super::finish::{OwnRun, VerifiedRun, finish, halted, stopped};
use super::plan::SettledRun;
use super::session::{Migration, Planned};
use super::situation::{Situation, confirm};
use super::{dry_run, explain, fault_file, plan, preflight, record};

/// The estimated rows of each load.
type Sizes = BTreeMap<String, u64>;

/// A run that is recorded in the ledger, ready to write.
struct PreparedRun {
    run: Run,
    settled: Settled,
    sizes: Sizes,
    /// Quarantined rows so far.
    quarantined: u64,
    /// True if no batch was written and nothing is detached yet.
    is_untouched: bool,
    /// The objects that the run detached, as it left them.
    detached: Vec<Detached>,
}

/// Carries the plan out, from the point that the ledger records.
pub fn carry_out(
    m: &Migration<'_>,
    session: &mut Session,
    situation: Situation<'_>,
    report: &mut Report,
) -> Result<Exit, Failure> {
    let planned = situation.planned;
    let carried = prepare(m, session, &situation, report).and_then(|mut prepared| {
        write(m, session, planned, &mut prepared, report)?;
        let PreparedRun { run, settled, sizes, detached, .. } = &prepared;
        let job = m.job(planned, settled, sizes);
        let validate = |session: &mut Session, lanes: usize| {
            migrate::indexes::detach::validate(&job, session, run, detached, lanes)
        };
        let own = VerifiedRun::Own(OwnRun { run, meanwhile: &validate });
        Ok(finish(m, session, planned, own, report))
    });
    carried.or_else(Ended::into_exit)
}

/// Attempts to reserve ids before the run gives up. Each one fails only because another run began.
const ATTEMPTS: usize = 20;

/// Confirms, settles the constants, reads everything ahead, and records the run in the ledger. Writes no row. If another run
/// reserves the same ids meanwhile, everything after the confirmation is made again with other ids.
fn prepare(
    m: &Migration<'_>,
    session: &mut Session,
    situation: &Situation<'_>,
    report: &mut Report,
) -> Result<PreparedRun, Ended> {
    if m.asks() {
        confirm(m, session, situation.planned.plan)?;
    }
    for _ in 0..ATTEMPTS {
        let before = report.clone();
        match attempt(m, session, situation, report)? {
            Some(prepared) => return Ok(prepared),
            None => *report = before,
        }
    }
    let reason = "other runs began each time and reserved ids of the same tables";
    let refusal = Refusal::new("target", reason, "Run the same command again.");
    Err(Ended::Exit(stopped(m, Stop::Refused(vec![refusal]), situation.planned.plan, report, false)))
}

/// Prepares the run once. `None` if another run has reserved some of its ids.
fn attempt(
    m: &Migration<'_>,
    session: &mut Session,
    Situation { planned, ledger, identity }: &Situation<'_>,
    report: &mut Report,
) -> Result<Option<PreparedRun>, Ended> {
    let planned = *planned;
    let mut settled = plan::settle(m, session, planned, ledger.run.as_ref())
        .map_err(|stop| Ended::Exit(stopped(m, stop, planned.plan, report, ledger.run.is_some())))?;
    report.warnings.append(&mut settled.stale);
    dry_run::require_owner(m, planned, &settled, report)?;
    let mut ahead = ReadAhead::default();
    // Rows that the mapping leaves out must follow from the source, not from a fault that the load meets later.
    let must_read = planned.plan.loads.iter().any(LoadPlan::drops_orphans);
    if ledger.run.is_none() && (must_read || !m.work().skip_preflight) {
        ahead = preflight(m, session, planned, &settled, report)?;
    }
    let ReadAhead { sizes, is_faultless } = ahead;
    let SettledRun { settled, reserved, .. } = settled;
    let quarantined = ledger.done.values().flat_map(|d| &d.parts).map(|part| part.sums.faults).sum();
    let is_untouched =
        ledger.detached.is_empty() && ledger.done.values().all(|d| d.parts.iter().all(|p| p.next_batch == 1));
    let run = match &ledger.run {
        Some(run) => {
            m.leaves_batches();
            m.resume(session, &ledger.state, run.clone(), Some(identity))?
        }
        None => {
            let start = RunStart { identity, settled: &settled, reserved: &reserved, is_faultless };
            let begun = begin(m, session, planned, &start).map_err(|stop| {
                // If the answer to a commit was lost, the ledger may exist: then this is no refusal.
                let may_exist = !matches!(&stop, Stop::Target(e) if !e.lost);
                Ended::Exit(stopped(m, stop, planned.plan, report, may_exist))
            })?;
            let Some(run) = begun else { return Ok(None) };
            run
        }
    };
    report.run = Some(run.id.to_string());
    Ok(Some(PreparedRun { run, settled, sizes, quarantined, is_untouched, detached: Vec::new() }))
}

/// The result of reading every row before the first one is written.
#[derive(Default)]
struct ReadAhead {
    sizes: Sizes,
    /// True if every row was read and none is faulty.
    is_faultless: bool,
}

/// Everything that a new run in the ledger records.
struct RunStart<'a> {
    identity: &'a RunIdentity,
    settled: &'a Settled,
    reserved: &'a BTreeMap<String, IdRange>,
    is_faultless: bool,
}

/// Reads everything ahead, and returns the rows of each load. Ends the command if the run would fail, or if there are faults
/// that the policy does not allow.
fn preflight(
    m: &Migration<'_>,
    session: &mut Session,
    planned: Planned<'_>,
    settled: &SettledRun,
    report: &mut Report,
) -> Result<ReadAhead, Ended> {
    let mut accepted = || -> Result<Option<ReadAhead>, Stop> {
        let preflight = preflight::read(m, session, planned, settled, report)?;
        record::step(report, StepKind::Preflight, preflight.began, m.world().elapsed());
        let found = &preflight.found;
        report.refusals.extend(preflight.refusals.iter().cloned());
        let is_faultless = found.iter().all(|f| f.fault_total == 0);
        if preflight.refusals.is_empty() && preflight::are_permitted(m, planned.plan, found) {
            let sizes = found.iter().map(|f| (f.load.clone(), f.sums.read)).collect();
            return Ok(Some(ReadAhead { sizes, is_faultless }));
        }
        record::loads(report, planned.plan, None, &BTreeMap::new(), found);
        explain::preflight_misses(m, planned, &preflight, &settled.settled, report)?;
        fault_file::preflight_faults(m, planned, found, report);
        Ok(None)
    };
    match accepted() {
        Ok(Some(ahead)) => Ok(ahead),
        Ok(None) => Err(Ended::Exit(Exit::Refused)),
        Err(stop) => Err(Ended::Exit(stopped(m, stop, planned.plan, report, false))),
    }
}

/// Records the run in the ledger. A lost connection does not record it twice. `None` if another run has reserved some of its ids.
fn begin(
    m: &Migration<'_>,
    session: &mut Session,
    planned: Planned<'_>,
    start: &RunStart<'_>,
) -> Result<Option<Run>, Stop> {
    m.leaves_batches();
    let mut is_retry = false;
    m.reconnect().retrying(session, |session| {
        // The answer that was lost may have been that of the commit.
        let run = match std::mem::replace(&mut is_retry, true) {
            true => m.read_ledger(session)?.run,
            false => None,
        };
        let run = match run {
            Some(run) => Some(run),
            None => record_run(m, session, planned, start)?,
        };
        if let Some(run) = &run {
            session.note_backend(run.id, run.epoch)?;
        }
        Ok(run)
    })
}

fn record_run(
    m: &Migration<'_>,
    session: &mut Session,
    Planned { plan, target, .. }: Planned<'_>,
    &RunStart { identity, settled, reserved, is_faultless }: &RunStart<'_>,
) -> Result<Option<Run>, ServerError> {
    let now = settled.now;
    let owner = m.owner_identity();
    // Any number serves: the seed only keeps the digests of equal rows in different runs apart.
    let seed = xxhash_rust::xxh3::xxh3_64(format!("{now}\n{}", std::process::id()).as_bytes());
    let replaced = plan.replaced().map(|held| (held.table.clone(), held.rows)).collect();
    let shared = crate::plan::shared_tables(plan);
    let (schema, shifts, env) = (plan.schema.clone(), settled.shifts.clone(), identity.env.clone());
    let reserved = reserved.clone();
    let mut judged = Judged { now, shifts, reserved, env, schema, shared, replaced, ..Judged::default() };
    let place = migrate::baseline::record(&mut judged, session, plan, target, seed)?;
    let new = NewRun {
        mapping: &plan.name,
        owner: &owner,
        tool: env!("CARGO_PKG_VERSION"),
        seed,
        stamp: &identity.stamp,
        fingerprints: &identity.fingerprints,
        read_ahead: is_faultless,
        judged: &judged,
    };
    session.begin_run(&new, &place)
}

/// Detaches, loads every row, reattaches, and sets the sequences.
fn write(
    m: &Migration<'_>,
    session: &mut Session,
    planned: Planned<'_>,
    prepared: &mut PreparedRun,
    report: &mut Report,
) -> Result<(), Ended> {
    let written = try_write(m, session, planned, prepared, report);
    written.map_err(|stop| Ended::Exit(halted(m, stop, session, planned, report)))
}

fn try_write(
    m: &Migration<'_>,
    session: &mut Session,
    planned: Planned<'_>,
    prepared: &mut PreparedRun,
    report: &mut Report,
) -> Result<(), Stop> {
    let PreparedRun { run, settled, sizes, quarantined, is_untouched, detached } = prepared;
    if *is_untouched {
        *detached = detach(m, session, planned, run, sizes)?;
    } else {
        *detached = m.reconnect().retrying(session, |session| Ok(session.detached(run.id)?))?;
        migrate::indexes::detach::require_open(planned.plan, detached)?;
    }
    migrate::existing::replace::remove(&m.reconnect(), session, planned.plan, run)?;
    let job = Job { quarantined: (*quarantined).into(), ..m.job(planned, settled, sizes) };
    m.step(StepKind::Load, report, || migrate::run(&job, session, run))?;
    m.check_stop()?;
    *detached = m.step(StepKind::Reattach, report, || {
        let reattach = |session: &mut Session| migrate::indexes::detach::reattach(&job, session, run, detached);
        m.reconnect().retrying(session, reattach)
    })?;
    m.step(StepKind::Sequences, report, || migrate::sequences::set_sequences(&job, session, run))?;
    m.check_stop()
}

/// Detaches the constraints and indexes whose detaching pays, and returns them. The preflight counted the rows to come; without
/// it, the source gives an estimate.
fn detach(
    m: &Migration<'_>,
    session: &mut Session,
    Planned { source, plan, target }: Planned<'_>,
    run: &Run,
    sizes: &mut Sizes,
) -> Result<Vec<Detached>, Stop> {
    let reader = source.reader()?;
    for load in &plan.loads {
        if let Relation::Table(table) = &load.select.relation
            && !sizes.contains_key(&load.name)
        {
            sizes.insert(load.name.clone(), reader.about(table, &load.select)?);
        }
    }
    let rows =
        |table: &str| plan.loads.iter().filter(|l| l.table == table).filter_map(|l| sizes.get(&l.name)).sum::<u64>();
    let blocking = m
        .reconnect()
        .retrying(session, |session| Ok(migrate::existing::replace::blocking_keys(session, plan, run)?))?;
    let request = migrate::indexes::detach::DetachRequest {
        detach: &plan.detach,
        circles: &plan.circles,
        blocking: &blocking,
        target,
        how: plan::detaching(m),
        rows: &rows,
        reader: &reader,
        loads: &plan.loads,
    };
    migrate::indexes::detach::detach_objects(&m.reconnect(), session, run, &request)
}
