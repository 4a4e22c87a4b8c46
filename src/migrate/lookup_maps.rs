//! The maps of lookups: read from the target when the load that needs them begins, or, while reading ahead, where this
//! run does not write to their table first.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use xxhash_rust::xxh3::xxh3_64;

use crate::convert::Settled;
use crate::convert::lookup::{LookupMap, MOST_BYTES, MapBuilder};
use crate::convert::row::{Maps, Notes, RowEncoder};
use crate::migrate::owner;
use crate::model::hex::hex;
use crate::model::ident::quoted;
use crate::model::key::{Key, KeyRange, RunId};
use crate::model::ledger::{MadeKind, Run};
use crate::model::pgtype::ColumnType;
use crate::model::record::{Check, CheckKind, Refusal, Warning};
use crate::model::select::{Failed, Row, Sink};
use crate::pg::Session;
use crate::pg::lookup_rows::LookupRows;
use crate::plan::{ColumnPlan, Feed, LoadPlan, LookupPlan, Plan};

use crate::event::Event;
use crate::job::Job;
use crate::job::Stop;

/// Reads the maps of a load and notes in the ledger what they held.
pub fn read(job: &Job<'_>, session: &mut Session, run: &Run, load: &LoadPlan, settled: &Settled) -> Result<Maps, Stop> {
    let mut maps = Maps::new();
    for (column, lookup) in load.lookups() {
        let mut builder = begun(session, job.plan, load, (column, lookup), settled, run.seed)?;
        set_aside(job, session, run, (lookup, settled), &mut builder)?;
        let map = finished(builder, job.plan, load, (column, lookup))?;
        let place = place(load, column);
        let digest = hex(&map.digest.to_bytes());
        if session.note_lookup(run.id, &place, &digest)? != digest {
            let message = format!(
                "the rows of {}.{} that this lookup reads changed since the load was begun; from here on the new ones count",
                job.plan.schema, lookup.table
            );
            job.observer.on_event(Event::Warned(&Warning::new(place, message)));
        }
        maps.insert(column.name.clone(), Arc::new(map));
    }
    Ok(maps)
}

/// The maps of a load as they are now, to compute its rows again.
///
/// # Errors
/// When a map is too large, or the target refuses.
pub fn again(session: &mut Session, plan: &Plan, load: &LoadPlan, settled: &Settled, seed: u64) -> Result<Maps, Stop> {
    let mut maps = Maps::new();
    for (column, lookup) in load.lookups() {
        maps.insert(column.name.clone(), Arc::new(one(session, plan, load, (column, lookup), settled, seed)?));
    }
    Ok(maps)
}

/// The columns of a load whose lookups would find other rows now than when it was loaded.
///
/// # Errors
/// When a map is too large, or the target refuses.
pub fn moved(
    session: &mut Session,
    plan: &Plan,
    load: &LoadPlan,
    settled: &Settled,
    run: RunId,
) -> Result<Vec<String>, Stop> {
    if load.lookups().next().is_none() {
        return Ok(Vec::new());
    }
    let noted = session.made(run.id)?;
    let mut moved = Vec::new();
    for (column, lookup) in load.lookups() {
        let place = place(load, column);
        let now = hex(&one(session, plan, load, (column, lookup), settled, run.seed)?.digest.to_bytes());
        if noted.iter().any(|m| m.kind == MadeKind::Lookup && m.object == place && m.became.as_ref() != Some(&now)) {
            moved.push(column.name.clone());
        }
    }
    Ok(moved)
}

/// The maps that are known before anything is written, by load, and a check for each lookup that is not.
///
/// # Errors
/// When a map is too large, or the target refuses.
pub fn ahead(
    session: &mut Session,
    plan: &Plan,
    settled: &Settled,
) -> Result<(BTreeMap<String, Maps>, Vec<Check>), Stop> {
    let (mut known, mut checks) = (BTreeMap::new(), Vec::new());
    let owner = match plan.settled_owner() {
        Some(owner) if owner::find(session, plan, settled)?.is_none() => Some(&owner.table),
        _ => None,
    };
    for load in &plan.loads {
        let mut maps = Maps::new();
        for (column, lookup) in load.lookups() {
            let place = place(load, column);
            if plan.loads.iter().any(|other| other.table == lookup.table) {
                let why = format!("it reads {}, which this run loads first", lookup.table);
                checks.push(Check::not_checked(CheckKind::Lookups, Some(&place), why));
                continue;
            }
            if owner == Some(&lookup.table) {
                let why =
                    "the owner's row, which this run makes, is not there yet: a value that means it counts as missing";
                checks.push(Check::not_checked(CheckKind::Lookups, Some(&place), why));
                if lookup.missing == crate::model::rules::Value::Fault || lookup.ambiguous_is_fault {
                    continue;
                }
            }
            let map = one(session, plan, load, (column, lookup), settled, 0)?;
            maps.insert(column.name.clone(), Arc::new(map));
        }
        known.insert(load.name.clone(), maps);
    }
    Ok((known, checks))
}

fn place(load: &LoadPlan, column: &ColumnPlan) -> String {
    format!("load.{}.columns.{}.lookup", load.name, column.name)
}

fn one(
    session: &mut Session,
    plan: &Plan,
    load: &LoadPlan,
    fed: (&ColumnPlan, &LookupPlan),
    settled: &Settled,
    seed: u64,
) -> Result<LookupMap, Stop> {
    finished(begun(session, plan, load, fed, settled, seed)?, plan, load, fed)
}

/// Reads what a lookup's table holds.
fn begun<'l>(
    session: &mut Session,
    plan: &Plan,
    load: &LoadPlan,
    (column, lookup): (&ColumnPlan, &'l LookupPlan),
    settled: &Settled,
    seed: u64,
) -> Result<MapBuilder<'l>, Stop> {
    let mut builder = MapBuilder::new(column, lookup, load.as_text, settled).map_err(|mistake| {
        let advice = "Write a value that fits the column.";
        Stop::Refused(vec![Refusal::new(place(load, column), mistake.to_string(), advice)])
    })?;
    for (n, step) in lookup.steps.iter().enumerate() {
        let key: Vec<&str> = step.target.iter().map(|(sql, _)| sql.as_str()).collect();
        let mut push = |image: &[u8]| builder.push(n, image, seed);
        let rows = LookupRows { schema: &plan.schema, table: &lookup.table, key: &key, take: &lookup.take };
        session.read_lookup(&rows, &mut push)?;
    }
    Ok(builder)
}

/// Adds the keys of rows of this run that were set aside, for the steps whose keys are columns that the source feeds.
fn set_aside(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    (lookup, settled): (&LookupPlan, &Settled),
    builder: &mut MapBuilder<'_>,
) -> Result<(), Stop> {
    if job.quarantined.load(Ordering::SeqCst) == 0 {
        return Ok(());
    }
    for load in job.plan.loads.iter().filter(|load| load.table == lookup.table) {
        let fed = |(sql, _): &(String, ColumnType)| {
            let column = load.columns.iter().find(|c| *sql == c.name || *sql == quoted(&c.name))?;
            matches!(column.feed, Feed::Cell(_) | Feed::Constant(_)).then(|| column.clone())
        };
        let columns = lookup.steps.iter().map(|step| step.target.iter().map(fed).collect::<Option<Vec<_>>>());
        let mut steps = Vec::new();
        for (n, columns) in columns.enumerate() {
            let Some(columns) = columns else { continue };
            let key = LoadPlan { columns, as_text: false, ..load.clone() };
            steps.push((n, RowEncoder::new(&key, settled, &Maps::new()).map_err(Stop::Refused)?));
        }
        if steps.is_empty() {
            continue;
        }
        let mut places = HashSet::new();
        session.faults::<Stop>(run.id, &load.name, &mut |some| {
            places.extend(some.iter().map(|fault| xxh3_64(fault.at.as_bytes())));
            Ok(())
        })?;
        let name = load.name.as_str().into();
        let (image, notes) = (Vec::new(), Notes::default());
        let mut keys = Keys { steps, places, name, builder, image, notes };
        if !keys.places.is_empty() {
            job.source.reader()?.scan(&load.select, KeyRange::ALL, &mut keys)?;
        }
    }
    Ok(())
}

/// Hears the rows of a load, and takes the keys of those that were set aside.
struct Keys<'k, 'b> {
    steps: Vec<(usize, RowEncoder)>,
    places: HashSet<u64>,
    name: Arc<str>,
    builder: &'k mut MapBuilder<'b>,
    image: Vec<u8>,
    notes: Notes,
}

impl Sink for Keys<'_, '_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        let at = row.key();
        if self.places.remove(&xxh3_64(at.written().as_bytes())) {
            for (n, encoder) in &self.steps {
                self.image.clear();
                if encoder.encode(row, &mut self.image, &mut self.notes) {
                    self.builder.add_quarantined(*n, &self.image, &self.name, &at);
                }
            }
        }
        if self.places.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// The map, if it is not too large.
fn finished(
    builder: MapBuilder<'_>,
    plan: &Plan,
    load: &LoadPlan,
    (column, lookup): (&ColumnPlan, &LookupPlan),
) -> Result<LookupMap, Stop> {
    let rows = builder.rows;
    builder.finish().map_err(|bytes| {
        const MIB: usize = 1 << 20;
        Stop::Refused(vec![Refusal::new(
            place(load, column),
            format!(
                "its map would take {} MiB in memory ({rows} keys of {}.{}), and {} MiB is the most",
                bytes.div_ceil(MIB),
                plan.schema,
                lookup.table,
                MOST_BYTES / MIB
            ),
            "Let fewer or shorter keys take part: an expression that is NULL for rows that cannot be meant, or one step less.",
        )])
    })
}
