//! Explanations that the report adds to faults and lookups: the earlier row that holds the key of a duplicate, and the
//! values that no step of a lookup matched.

use std::collections::BTreeMap;

use crate::convert::Settled;
use crate::job::Stop;
use crate::migrate::explain::duplicates::{Duplicates, RowsByLoad, SourceRow};
use crate::migrate::explain::lookup_misses::{self, LookupMisses, RefusedRows};
use crate::migrate::lookup_maps::ReadMaps;
use crate::model::fault::Reason;
use crate::model::key::Key;
use crate::model::ledger::{Made, Run};
use crate::model::record::{Activity, FaultRecord, Report};
use crate::pg::{ServerError, Session};
use crate::plan::{LoadPlan, Plan};

use super::owner::OwnerState;
use super::preflight::PreflightResult;
use super::session::{Migration, Planned};

/// A run that has loaded rows, with its owner.
#[derive(Clone, Copy)]
pub struct Loaded<'a> {
    pub run: &'a Run,
    /// The objects that it made in addition to its rows.
    pub made: &'a [Made],
    pub owner: &'a OwnerState,
    /// The maps of lookups, as the verification read them.
    pub maps: &'a ReadMaps<'a>,
}

/// Adds to each duplicate the row that holds its key, if that is a row of the source whose rowid may be shown. Adds nothing
/// if the row cannot be found.
pub fn name_duplicates(m: &Migration<'_>, session: &mut Session, planned: Planned<'_>, report: &mut Report) {
    let Planned { source, plan, target } = planned;
    if !report.faults.iter().any(is_duplicate) {
        return;
    }
    let Some((refused, settled)) = refused_rows(m, session, plan, report) else { return };
    for (name, table) in &target.tables {
        let is_of_table = |fault: &FaultRecord| plan.loads.iter().any(|l| l.name == fault.load && l.table == *name);
        for key in &table.unique {
            let is_of_key = |fault: &FaultRecord| {
                is_duplicate(fault) && is_of_table(fault) && fault.constraint.as_ref() == Some(&key.name)
            };
            let later = places(report.faults.iter().filter(|fault| is_of_key(fault)));
            if later.is_empty() {
                continue;
            }
            let (settled, table, duplicates, refused) = (&settled, name.as_str(), &later, &refused);
            let search = Duplicates { source, plan, settled, table, key, duplicates, refused };
            let Ok(found) = search.earlier_rows() else { return };
            for fault in report.faults.iter_mut().filter(|fault| is_of_key(fault)) {
                let Some(at) = fault.rowid else { continue };
                if let Some(SourceRow { load, at }) = found.get(&SourceRow { load: fault.load.clone(), at }) {
                    let of = if *load == fault.load { String::new() } else { format!(" of load.{load}") };
                    fault.message += &format!(" The row that has it: {at}{of}.");
                }
            }
        }
    }
}

/// Every row that was refused, and the constants of the run. `None` if neither the report nor the ledger lists all of them.
fn refused_rows(
    m: &Migration<'_>,
    session: &mut Session,
    plan: &Plan,
    report: &Report,
) -> Option<(RowsByLoad, Settled)> {
    let run = m.read_ledger(session).ok()?.run;
    let mut refused = places(report.faults.iter());
    if report.fault_total > report.faults.len() as u64 {
        let run = run.as_ref().filter(|_| m.activity() != Activity::DryRun)?;
        for load in &plan.loads {
            let rows = refused.entry(load.name.clone()).or_default();
            let found = session.faults::<ServerError>(run.id, &load.name, &mut |some| {
                rows.extend(some.iter().filter_map(|fault| Key::read(&fault.at)?.as_rowid()));
                Ok(())
            });
            found.ok()?;
        }
    }
    Some((refused, m.constants(run.as_ref())))
}

fn is_duplicate(fault: &FaultRecord) -> bool {
    fault.reason == Reason::Duplicate && fault.rowid.is_some()
}

fn places<'f>(faults: impl Iterator<Item = &'f FaultRecord>) -> RowsByLoad {
    let mut found = RowsByLoad::new();
    for fault in faults {
        found.entry(fault.load.clone()).or_default().extend(fault.rowid);
    }
    found
}

/// Adds the lookup misses of loaded rows. Skips a lookup whose table has changed since the run: its answers would differ now.
pub fn misses(
    m: &Migration<'_>,
    session: &mut Session,
    Planned { source, plan, .. }: Planned<'_>,
    Loaded { run, made, owner, maps: read }: Loaded<'_>,
    report: &mut Report,
) -> Result<(), Stop> {
    let settled = &owner.settled;
    for load in &plan.loads {
        if !has_misses(report, load) {
            continue;
        }
        let moved = read.changed_columns(session, load, made)?;
        let mut maps = read.of(session, load)?;
        maps.retain(|column, _| !moved.contains(column));
        let binary = LoadPlan { as_text: false, ..load.clone() };
        let mut refused = RefusedRows::default();
        if report.loads.iter().any(|l| l.load == load.name && l.faults > 0) {
            session.faults::<ServerError>(run.id, &load.name, &mut |some| {
                some.iter().for_each(|f| refused.add(&f.at, f.record.column.as_deref(), f.record.reason));
                Ok(())
            })?;
        }
        add_misses(m, report, load, lookup_misses::find(source, &binary, settled, &maps, &refused)?);
    }
    Ok(())
}

/// Adds the lookup misses that the preflight found, with its maps.
pub fn preflight_misses(
    m: &Migration<'_>,
    Planned { source, plan, .. }: Planned<'_>,
    preflight: &PreflightResult,
    settled: &Settled,
    report: &mut Report,
) -> Result<(), Stop> {
    for found in &preflight.found {
        let Some(load) = plan.loads.iter().find(|load| load.name == found.load) else { continue };
        let Some(maps) = preflight.maps.get(&load.name).filter(|_| has_misses(report, load)) else { continue };
        let mut refused = RefusedRows::default();
        found.faults.iter().for_each(|f| refused.add(&f.at.written(), f.column.as_deref(), f.reason));
        add_misses(m, report, load, lookup_misses::find(source, load, settled, maps, &refused)?);
    }
    Ok(())
}

fn add_misses(m: &Migration<'_>, report: &mut Report, load: &LoadPlan, mut missed: BTreeMap<String, LookupMisses>) {
    for lookup in report.lookups.iter_mut().filter(|l| l.load == load.name && !l.quiet) {
        if let Some(missed) = missed.remove(&lookup.column) {
            lookup.missing_values = Some(missed.different);
            lookup.values = m.shows_values().then_some(missed.first);
        }
    }
}

/// Returns true if a lookup of this load missed, and a miss is not normal. Otherwise nothing is read again.
fn has_misses(report: &Report, load: &LoadPlan) -> bool {
    report.lookups.iter().any(|l| l.load == load.name && l.missing > 0 && !l.quiet)
}
