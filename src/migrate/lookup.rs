//! The maps of lookups: read from the target when the load that needs them begins, or, while reading ahead, where this
//! run does not write to their table first.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::convert::Settled;
use crate::convert::lookup::{LookupMap, MOST_BYTES, MapBuilder};
use crate::convert::row::Maps;
use crate::model::key::hex;
use crate::model::record::{Check, Refusal, Warning};
use crate::plan::{ColumnPlan, LoadPlan, LookupPlan, Plan};
use crate::target::Session;
use crate::target::ledger::Run;

use super::{Job, Stop};
use crate::event::Event;

/// Reads the maps of a load and notes in the ledger what they held.
pub(super) fn read(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    load: &LoadPlan,
    settled: &Settled,
) -> Result<Maps, Stop> {
    let mut maps = Maps::new();
    for (column, lookup) in load.lookups() {
        let map = one(session, job.plan, load, (column, lookup), settled, run.seed)?;
        let place = place(load, column);
        let digest = hex(&map.digest.to_bytes());
        if session.note_lookup(run.id, &place, &digest)? != digest {
            let message = format!(
                "the rows of {}.{} that this lookup reads changed since the load was begun; from here on the new ones count",
                job.plan.schema, lookup.table
            );
            job.watch.hear(Event::Warned(&Warning { place, message }));
        }
        maps.insert(column.name.clone(), Arc::new(map));
    }
    Ok(maps)
}

/// The maps of a load as the target gives them now: for computing its rows again.
///
/// # Errors
/// When a map is too large, or the target refuses.
pub fn now(session: &mut Session, plan: &Plan, load: &LoadPlan, settled: &Settled) -> Result<Maps, Stop> {
    let mut maps = Maps::new();
    for (column, lookup) in load.lookups() {
        let map = one(session, plan, load, (column, lookup), settled, 0)?;
        maps.insert(column.name.clone(), Arc::new(map));
    }
    Ok(maps)
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
        Some(owner) if super::find_owner(session, plan, settled)?.is_none() => Some(&owner.table),
        _ => None,
    };
    for load in &plan.loads {
        let mut maps = Maps::new();
        for (column, lookup) in load.lookups() {
            let place = place(load, column);
            if plan.loads.iter().any(|other| other.table == lookup.table) {
                let why = format!("it reads {}, which this run loads first", lookup.table);
                checks.push(Check::not_checked("lookups", Some(&place), why));
                continue;
            }
            if owner == Some(&lookup.table) {
                let why =
                    "the owner's row, which this run makes, is not there yet: a value that means it counts as missing";
                checks.push(Check::not_checked("lookups", Some(&place), why));
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
    (column, lookup): (&ColumnPlan, &LookupPlan),
    settled: &Settled,
    seed: u64,
) -> Result<LookupMap, Stop> {
    let mut builder = MapBuilder::new((column, lookup), load.as_text, settled).map_err(|mistake| {
        let advice = "Write a value that fits the column.";
        Stop::Refused(vec![Refusal::new(place(load, column), mistake.to_string(), advice)])
    })?;
    for (n, step) in lookup.steps.iter().enumerate() {
        let key: Vec<&str> = step.target.iter().map(|(sql, _)| sql.as_str()).collect();
        let mut push = |image: &[u8]| builder.push(n, image, seed);
        session.read_lookup(&plan.schema, &lookup.table, (&key, &lookup.take), &mut push)?;
    }
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
