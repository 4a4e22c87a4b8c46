//! Starts a load, splits it into parts, and loads one part.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::convert::Settled;
use crate::convert::row::RowEncoder;
use crate::event::Event;
use crate::job::{Job, PART_ROWS, PARTS_PER_LANE, Stop, Tries};
use crate::migrate::lookup_maps;
use crate::migrate::rows::guard::{self, EncodedLoad, Guard};
use crate::migrate::rows::parents::{self, OtherLoads, Parents};
use crate::migrate::rows::quarantine::RefusedPlaces;
use crate::migrate::sequences::past_rows;
use crate::model::key::Key;
use crate::model::ledger::{FIRST_EPOCH, PartDone, Run};
use crate::model::select::Relation;
use crate::pg::Session;
use crate::pg::ledger::parts::PartsNoted;
use crate::plan::sequences::SequenceColumn;
use crate::plan::{Circle, Feed, LoadPlan, Node};

use super::direct::PreparedLoads;
use super::lane::{Lane, StartedLoad, StartedPart};
use super::{batch_by_batch, single_transaction};

/// A load and its parts in the ledger.
#[derive(Clone)]
pub struct PartedLoad<'a> {
    /// The load.
    pub load: &'a LoadPlan,
    /// Its parts.
    pub parts: Vec<PartDone>,
    /// Rows that the server refused in an attempt that was rolled back.
    pub refused: Arc<RefusedPlaces>,
}

/// Reports that a load begins, with the rows that are done.
pub fn announce(job: &Job<'_>, PartedLoad { load, parts, .. }: &PartedLoad<'_>) {
    job.observer.on_event(Event::Began { load: &load.name, rows: job.sizes.get(&load.name).copied() });
    let done: u64 = parts.iter().map(|part| part.sums.read).sum();
    if done > 0 {
        job.observer.on_event(Event::Rows { load: &load.name, rows: done });
    }
}

/// Starts a load: advances sequences that it draws from, reads its lookup maps and the keys that its rows refer to.
///
/// # Errors
/// A refusal for each constant that does not fit, or what stopped a read.
pub fn start<'a>(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    settled: &Settled,
    PartedLoad { load, parts, refused }: PartedLoad<'a>,
) -> Result<StartedLoad<'a>, Stop> {
    if !is_alone(job, load) {
        let columns = drawn(load);
        job.retrying(session, |session| past_rows(job, session, run, &columns))?;
    }
    let encoder = encoder(job, session, run, load, settled)?;
    let columns = load.sent_columns();
    let remains = parts.iter().any(|part| !part.done);
    let parents = if remains {
        let encoded = EncodedLoad { load, encoder: &encoder, settled };
        let maps =
            |session: &mut Session, other: &LoadPlan| lookup_maps::current(session, job.plan, other, settled, run.seed);
        let others = OtherLoads { refused: &refused, maps: &maps };
        job.retrying(session, |session| parents::of_load(job, session, run, &encoded, &others))?
    } else {
        Parents::default()
    };
    let skipped = job.plan.skipped_rows(load);
    Ok(StartedLoad { load, encoder, columns, parents, settled: settled.clone(), skipped, parts })
}

/// The columns of a load whose ids the target issues, with their sequences.
fn drawn(load: &LoadPlan) -> Vec<SequenceColumn<'_>> {
    let issued = load.columns.iter().filter_map(|column| match &column.feed {
        Feed::Issued(sequence) => Some(SequenceColumn { table: &load.table, column: &column.name, sequence }),
        _ => None,
    });
    issued.collect()
}

/// Returns true if no other load of the run writes to the load's table.
pub fn is_alone(job: &Job<'_>, load: &LoadPlan) -> bool {
    job.plan.loads.iter().filter(|other| other.table == load.table).count() == 1
}

/// Advances, in two round trips, the sequences that loads draw from whose tables no other load writes to. Those of other loads
/// are advanced when each begins, past the rows of the loads before.
///
/// # Errors
/// If the target refuses, the connection is lost, or the run was taken over.
pub fn advance_drawn(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    parts: &BTreeMap<String, Vec<PartDone>>,
) -> Result<(), Stop> {
    let remains = |load: &&LoadPlan| parts.get(&load.name).is_some_and(|parts| parts.iter().any(|part| !part.done));
    let loads = job.plan.loads.iter().filter(remains).filter(|load| is_alone(job, load));
    let columns: Vec<SequenceColumn<'_>> = loads.flat_map(drawn).collect();
    if columns.is_empty() { Ok(()) } else { job.retrying(session, |session| past_rows(job, session, run, &columns)) }
}

/// Prepares the encoder of a load's rows. Rows that are sent as text need binary images too, for their digest.
fn encoder(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    load: &LoadPlan,
    settled: &Settled,
) -> Result<RowEncoder, Stop> {
    let mut maps_of =
        |load: &LoadPlan| job.retrying(session, |session| lookup_maps::read(job, session, run, load, settled));
    let maps = maps_of(load)?;
    let image = run.judged.images.get(&load.table);
    let binary = load.as_text.then(|| LoadPlan { as_text: false, ..load.clone() });
    let binary = match &binary {
        Some(binary) => Some((binary, maps_of(binary)?)),
        None => None,
    };
    RowEncoder::new(load, settled, &maps)
        .and_then(|encoder| encoder.proving(load, settled, binary.as_ref().map(|(load, maps)| (*load, maps)), image))
        .map_err(Stop::Refused)
}

/// Returns the guards of a load's references.
///
/// # Errors
/// A refusal for a value of `if_orphan` that does not fit its column.
pub fn guards<'s>(started: &'s StartedLoad<'_>) -> Result<Vec<Guard<'s>>, Stop> {
    let references = started.parents.links.iter().map(|(link, keys)| (link, keys.as_ref()));
    guard::guards(started.load, references, &started.settled)
}

/// Reads and writes what remains of one part.
///
/// # Errors
/// The reason for the stop. Committed batches stay.
pub fn load(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    started: &StartedLoad<'_>,
    part: PartDone,
) -> Result<(), Stop> {
    let guards = guards(started)?;
    let at = StartedPart { job, run, started, guards: &guards, part: part.part };
    let mut lane = Lane { at, session, tries: Tries::default() };
    if started.load.is_one_transaction() {
        single_transaction::load(&mut lane)
    } else {
        batch_by_batch::load(&mut lane, part)
    }
}

/// Splits every load that has no parts in the ledger yet, and records all parts in one commit before the first one starts.
/// Returns the parts of each load that is wanted.
///
/// # Errors
/// The error of a read, or [`Stop::Fenced`].
pub fn split_loads(job: &Job<'_>, session: &mut Session, run: &Run) -> Result<BTreeMap<String, Vec<PartDone>>, Stop> {
    let known = |session: &mut Session| Ok(session.loads_done(run.id)?);
    // In the first epoch of a run this process began it, so that nothing of it is done.
    let mut done = if run.epoch == FIRST_EPOCH { BTreeMap::new() } else { job.retrying(session, known)? };
    let mut new = Vec::new();
    for (place, node) in job.plan.order.iter().enumerate() {
        let Node::Load(n) = node else { continue };
        let load = &job.plan.loads[*n];
        let is_wanted = !(load.when_empty && run.judged.holding.contains_key(&load.table));
        if is_wanted && done.get(&load.name).is_none_or(|done| done.parts.is_empty()) {
            let is_whole =
                |circle: &Circle| circle.members.contains(n) && circle.is_one_transaction(job.options.on_fault);
            // A load that refers to itself must keep its order.
            let keeps_order = job.plan.after[place].contains(&place) || job.plan.circles.iter().any(is_whole);
            new.push((load.name.as_str(), last_keys(job, load, keeps_order)?));
        }
    }
    if !new.is_empty() {
        let prepared = PreparedLoads::of(job, |load| new.iter().any(|(name, _)| *name == load.name));
        let (into, lookups) = (prepared.destinations(), prepared.lookups());
        match job.retrying(session, |session| Ok(session.note_parts(run, &new, &into, &lookups)?))? {
            PartsNoted::Fenced => return Err(Stop::Fenced),
            PartsNoted::SomeKnown => done = job.retrying(session, known)?,
            PartsNoted::All => {
                for (load, cuts) in new {
                    done.entry(load.to_owned()).or_default().parts = PartDone::between(cuts);
                }
            }
        }
    }
    Ok(done.into_iter().map(|(load, done)| (load, done.parts)).filter(|(_, parts)| !parts.is_empty()).collect())
}

/// Returns the last key of each part of a load except the last part.
fn last_keys(job: &Job<'_>, load: &LoadPlan, keeps_order: bool) -> Result<Vec<Key>, Stop> {
    // Of two rows with the same conflict key the first one is loaded, and parts have no order.
    if job.options.jobs == 1 || keeps_order || load.conflict.is_some() || load.is_one_transaction() {
        return Ok(Vec::new());
    }
    let Relation::Table(table) = &load.select.relation else { return Ok(Vec::new()) };
    let reader = job.source.reader()?;
    let rows = match job.sizes.get(&load.name) {
        Some(rows) => *rows,
        None => reader.about(table, &load.select)?,
    };
    let least = PART_ROWS.min(job.options.batch_rows);
    let parts = (PARTS_PER_LANE * job.options.jobs).min(usize::try_from(rows / least).unwrap_or(usize::MAX));
    if parts < 2 { Ok(Vec::new()) } else { Ok(reader.split(&load.select, parts)?) }
}
