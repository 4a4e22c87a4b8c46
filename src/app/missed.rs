//! The values that lookups did not find, into the report: how many different ones, and on request the first of them.
//!
//! Part of [`Way`]; what is counted row by row stands in `record`.

use crate::model::key::RunId;
use std::collections::BTreeMap;

use crate::convert::Settled;
use crate::convert::row::Maps;
use crate::job::Stop;
use crate::migrate::explain::lookup_misses::{self, LookupMisses, RefusedRows};
use crate::migrate::lookup_maps;
use crate::migrate::preflight::read_ahead::LoadPreflight;
use crate::model::ledger::Run;
use crate::model::record::Report;
use crate::pg::{ServerError, Session};
use crate::plan::LoadPlan;

use super::way::{Planned, Way};

impl Way<'_> {
    /// Of what a run has loaded. A lookup whose rows have changed since would find other rows now: nothing is said of it.
    pub(super) fn missed(
        &self,
        session: &mut Session,
        Planned { source, plan, .. }: Planned<'_>,
        (run, settled): (&Run, &Settled),
        report: &mut Report,
    ) -> Result<(), Stop> {
        for load in &plan.loads {
            if !asks(report, load) {
                continue;
            }
            let moved = lookup_maps::moved(session, plan, load, settled, RunId { id: run.id, seed: run.seed })?;
            let mut maps = lookup_maps::again(session, plan, load, settled, run.seed)?;
            maps.retain(|column, _| !moved.contains(column));
            let mut refused = RefusedRows::default();
            session.faults::<ServerError>(run.id, &load.name, &mut |some| {
                some.iter().for_each(|f| refused.add(&f.at, f.record.column.as_deref(), f.record.reason));
                Ok(())
            })?;
            self.note_missed(report, load, lookup_misses::find(source, load, settled, &maps, &refused)?);
        }
        Ok(())
    }

    /// Of what reading ahead has found, by the same maps.
    pub(super) fn missed_ahead(
        &self,
        Planned { source, plan, .. }: Planned<'_>,
        (found, maps): (&[LoadPreflight], &BTreeMap<String, Maps>),
        settled: &Settled,
        report: &mut Report,
    ) -> Result<(), Stop> {
        for found in found {
            let Some(load) = plan.loads.iter().find(|load| load.name == found.load) else { continue };
            let Some(maps) = maps.get(&load.name).filter(|_| asks(report, load)) else { continue };
            let mut refused = RefusedRows::default();
            found.faults.iter().for_each(|f| refused.add(&f.at.written(), f.column.as_deref(), f.reason));
            self.note_missed(report, load, lookup_misses::find(source, load, settled, maps, &refused)?);
        }
        Ok(())
    }

    fn note_missed(&self, report: &mut Report, load: &LoadPlan, mut missed: BTreeMap<String, LookupMisses>) {
        for lookup in report.lookups.iter_mut().filter(|l| l.load == load.name && !l.quiet) {
            if let Some(missed) = missed.remove(&lookup.column) {
                lookup.missing_values = Some(missed.different);
                lookup.values = self.reporting.show_values.then_some(missed.first);
            }
        }
    }
}

/// Whether a lookup of this load has found nothing where that is not normal: else nothing is read again.
fn asks(report: &Report, load: &LoadPlan) -> bool {
    report.lookups.iter().any(|l| l.load == load.name && l.missing > 0 && !l.quiet)
}
