//! The beginning of a fleet: its run in the ledger, its files, and the ranges of its ids. Any number of processes begin at the same
//! time; the first one records the run, and the others find it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cli::RetryWhat;
use crate::fleet::sources::MemberFile;
use crate::job::Stop;
use crate::migrate;
use crate::migrate::fleet::whole::WholeFleet;
use crate::migrate::fleet::{ids, shared};
use crate::model::fleet::MemberState;
use crate::model::ledger::{Judged, JudgedFleet, LEDGER_VERSION, LedgerState, LoadedTable, NewRun, Run};
use crate::model::record::{Refusal, Report, RunState};
use crate::pg::{ServerError, Session};
use crate::plan::Shifted;
use crate::resume::RunIdentity;

use super::super::ending::Leaves;
use super::super::failure::Failure;
use super::super::inputs;
use super::plans::{FilePlan, Plans};
use super::request::FleetRequest;

/// A fleet that this process works on.
pub struct BegunFleet<'a> {
    pub run: Run,
    pub plans: Plans<'a>,
    /// The plan of the first file that has one.
    pub first: Arc<FilePlan>,
}

/// Finds or records the fleet's run, and adds its files. `None` if it is refused; the report has the reasons.
pub fn begin<'a>(
    request: FleetRequest<'a>,
    session: &mut Session,
    report: &mut Report,
) -> Result<Option<BegunFleet<'a>>, Failure> {
    let FleetRequest { m, args, files } = request;
    let mut plans = Plans::new(m, args.on_schema);
    let Some(first) = first_plan(&mut plans, request, session, report)? else { return Ok(None) };
    let tables: Vec<LoadedTable> = loaded(&first).map(|table| LoadedTable { table, shared: true }).collect();
    let held = session.lock_tables(&first.plan.schema, &tables, &[]).map_err(Failure::refused)?;
    for held in held.held.iter().filter(|held| !held.holder.is_stranger) {
        let reason = format!("another migrate loads {}.{}; {}", first.plan.schema, held.table, held.holder);
        report.refusals.push(Refusal::new("target", reason, "Wait until it ends."));
    }
    if !report.refusals.is_empty() {
        return Ok(None);
    }
    let stamp = format!("fleet 1 {}", m.mapping_sha256());
    let mut run = match first.run.clone() {
        Some(run) => {
            upgrade(session).map_err(Failure::refused)?;
            run
        }
        None => record_run(request, session, &first, &stamp)?,
    };
    report.run = Some(run.id.to_string());
    if run.stamp != stamp {
        report.refusals.push(other_mapping(&run));
        return Ok(None);
    }
    let again: Vec<MemberState> = args.retry.iter().map(|what| state(*what)).collect();
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    if run.state == RunState::Done && session.reopen_fleet(&run, &paths, &again).map_err(Failure::refused)? {
        run.state = RunState::Running;
    }
    if run.state == RunState::Running {
        m.world().ending.note(Leaves::Files);
        match prepare(session, &first, &run) {
            // Another worker ended the fleet a moment ago.
            Err(Stop::Fenced) => run.state = RunState::Done,
            prepared => {
                prepared.map_err(Failure::refused)?;
                register(request, session, &run, &again)?;
            }
        }
    }
    Ok(Some(BegunFleet { run, plans, first }))
}

/// Brings the ledger of a fleet that an older build began to the version that this one writes.
pub fn upgrade(session: &mut Session) -> Result<(), ServerError> {
    match session.ledger_state()? {
        LedgerState::Version(version) if version < LEDGER_VERSION => session.upgrade_ledger(version),
        _ => Ok(()),
    }
}

fn state(what: RetryWhat) -> MemberState {
    match what {
        RetryWhat::Failed => MemberState::Failed,
        RetryWhat::Quarantined => MemberState::Quarantined,
        RetryWhat::Removed => MemberState::Removed,
    }
}

/// Adds the files to the fleet, except those that it has, and lets members of these states wait again.
fn register(
    FleetRequest { files, .. }: FleetRequest<'_>,
    session: &mut Session,
    run: &Run,
    again: &[MemberState],
) -> Result<(), Failure> {
    let values = |file: &MemberFile| serde_json::to_string(&file.values).unwrap_or_default();
    let listed: Vec<(String, String)> = files.iter().map(|file| (file.path.clone(), values(file))).collect();
    session.register_members(run, &listed).map_err(Failure::refused)?;
    for state in again {
        session.retry_members(run, *state).map_err(Failure::refused)?;
    }
    Ok(())
}

/// The plan of the first file that can be opened and has one. Refusals of the files before it are reasons of these files; if no file
/// has a plan, the report gets those of the first one.
pub fn first_plan(
    plans: &mut Plans<'_>,
    request: FleetRequest<'_>,
    session: &mut Session,
    report: &mut Report,
) -> Result<Option<Arc<FilePlan>>, Failure> {
    let mut refused: Option<Vec<Refusal>> = None;
    for file in request.files {
        request.m.check_stop().map_err(Failure::refused)?;
        let Ok(source) = plans.open(&file.path) else { continue };
        match plans.of(session, &source, report)? {
            Ok(plan) => return Ok(Some(plan)),
            Err(refusals) => _ = refused.get_or_insert(refusals),
        }
    }
    let reason = "none of the files can be opened";
    let unopened = || vec![Refusal::new("--sources", reason, "`migrate plan -s FILE` says why, file by file.")];
    report.refusals.extend(refused.unwrap_or_else(unopened));
    Ok(None)
}

fn loaded(plan: &FilePlan) -> impl Iterator<Item = String> {
    let mut tables: Vec<String> = plan.plan.loads.iter().map(|load| load.table.clone()).collect();
    tables.sort();
    tables.dedup();
    tables.into_iter()
}

fn other_mapping(run: &Run) -> Refusal {
    Refusal::new(
        format!("run {}", run.id),
        "began with another text of the mapping",
        "Finish it with the mapping as it was, or give the mapping another `name`, which begins another fleet.",
    )
}

/// Attempts to record the run. Each one fails only because another process recorded it meanwhile.
const ATTEMPTS: usize = 3;

fn record_run(
    FleetRequest { m, .. }: FleetRequest<'_>,
    session: &mut Session,
    first: &FilePlan,
    stamp: &str,
) -> Result<Run, Failure> {
    let (plan, target, now) = (&first.plan, &first.target, first.settled.now);
    let seed = xxhash_rust::xxh3::xxh3_64(format!("{now}\n{}", std::process::id()).as_bytes());
    let identity = RunIdentity::of(plan, target, stamp, &inputs::env(m.mapping(), m.world()));
    let fleet =
        plan.owner.as_ref().map(|owner| JudgedFleet { owner_table: owner.table.clone(), owner_key: owner.key.clone() });
    let (env, schema) = (identity.env.clone(), plan.schema.clone());
    let mut judged = Judged { now, env, schema, fleet, ..Judged::default() };
    let owner = m.owner_identity();
    let mut failed = None;
    for _ in 0..ATTEMPTS {
        judged.shared.clear();
        let place = migrate::baseline::record(&mut judged, session, plan, target, seed).map_err(Failure::refused)?;
        // The fleet writes no row of these, so that others may change them meanwhile.
        for load in plan.loads.iter().filter(|load| shared::is_shared(load)) {
            judged.images.remove(&load.table);
        }
        // Tables that hold no row now count as empty, whatever other workers load meanwhile.
        judged.shared = loaded(first).collect();
        let new = NewRun {
            mapping: &plan.name,
            owner: &owner,
            tool: env!("CARGO_PKG_VERSION"),
            seed,
            stamp,
            fingerprints: &identity.fingerprints,
            read_ahead: true,
            judged: &judged,
        };
        match session.begin_run(&new, &place) {
            Ok(Some(run)) => return Ok(run),
            Ok(None) => {}
            Err(e) => failed = Some(e),
        }
        // Another process may have made the ledger or the run at the same moment.
        if let Ok(Some(run)) = session.find_run(&plan.name, &owner) {
            return Ok(run);
        }
    }
    let reason = "another process recorded the same run and removed it again";
    Err(failed.map_or_else(
        || Failure::refused(Refusal::new("target", reason, "Run the same command again.")),
        Failure::refused,
    ))
}

/// Moves the sequences past the rows that are there, and opens the ranges of ids above them. Another process may have done so.
fn prepare(session: &mut Session, first: &FilePlan, run: &Run) -> Result<(), Stop> {
    let whole = WholeFleet { plan: &first.plan, target: &first.target, run };
    whole.set_sequences(session)?;
    let columns = ids::columns(&first.plan);
    let named: Vec<(&str, &str)> = columns.iter().map(|c| (c.table.as_str(), c.column.as_str())).collect();
    let next = if named.is_empty() { Vec::new() } else { session.highest_ids(&first.plan.schema, &named)? };
    let free = |(column, highest): (&Shifted, Option<i64>)| {
        let name = ids::range_name(&column.table, &column.column);
        Ok((name, highest.unwrap_or(0).max(0).saturating_add(1)))
    };
    let first_free = columns.iter().zip(next).map(free).collect::<Result<BTreeMap<String, i64>, ServerError>>()?;
    let issued = whole.next_values(session)?;
    let first_free = first_free.into_iter().map(|(name, id)| {
        let id = issued.get(&name).copied().unwrap_or(id).max(id);
        (name, id)
    });
    Ok(session.open_ranges(run.id, &first_free.collect())?)
}
