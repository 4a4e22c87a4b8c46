//! The dry run, and the reading ahead that every run begins with: everything is read and converted, nothing written.
//!
//! Part of [`Way`]; what comes before stands in `cutover`.

use std::collections::BTreeMap;

use crate::convert::Settled;
use crate::convert::row::Maps;
use crate::exit::Exit;
use crate::job::Stop;
use crate::mapping::OnFault;
use crate::migrate;
use crate::migrate::preflight::read_ahead;
use crate::model::ledger::Run;
use crate::model::record::{Check, CheckKind, Report, StepKind};
use crate::model::select::Relation;
use crate::pg::Session;
use crate::plan::LoadPlan;
use crate::sqlite::Source;

use super::way::{Manner, Planned, Way};
use super::{Failure, record};

impl Way<'_> {
    /// Reads and converts the rows of every load that will be made, with the lookups that are known already. Gives their
    /// maps, too.
    pub(super) fn read_ahead(
        &self,
        session: &mut Session,
        Planned { source, plan, target }: Planned<'_>,
        settled: &Settled,
        report: &mut Report,
    ) -> Result<(Vec<read_ahead::LoadPreflight>, BTreeMap<String, Maps>), Stop> {
        let began = self.world.elapsed();
        let (maps, checks) = migrate::lookup_maps::ahead(session, plan, settled)?;
        report.checks.extend(checks);
        let (observer, asked, jobs) = (self.observer, &self.world.asked, self.jobs());
        let checks_constraints = self.manner == Manner::Dry;
        let preflight = read_ahead::Preflight {
            plan,
            source,
            target,
            settled,
            observer,
            asked,
            jobs,
            maps: &maps,
            checks_constraints,
        };
        let holds_rows = |table: &str| target.tables.get(table).is_some_and(|t| t.has_rows);
        let found = preflight.read(session, &|load: &LoadPlan| !(load.when_empty && holds_rows(&load.table)))?;
        record::step(report, StepKind::Preflight, self.world.elapsed() - began);
        Ok((found, maps))
    }

    /// The owner must be there, or may be made; known before anything is written. Gives the key of one that is there.
    ///
    /// # Errors
    /// The exit, when there is none and none may be made; the report says why.
    pub(super) fn owner_is_there(
        &self,
        session: &mut Session,
        Planned { plan, target, .. }: Planned<'_>,
        settled: &Settled,
        report: &mut Report,
    ) -> Result<Option<String>, Exit> {
        let Some(owner) = plan.settled_owner() else { return Ok(None) };
        // One that comes with the rows cannot be known beforehand.
        let is_loaded = plan.loads.iter().any(|l| l.table == owner.table);
        match migrate::owner::find(session, plan, settled) {
            Ok(None) if is_loaded => Ok(None),
            Ok(None) if owner.create.is_none() => Err(self.stopped(migrate::owner::absent(owner), plan, report, false)),
            Ok(None) => migrate::owner::fits(plan, target, settled).map(|()| None).map_err(|refusals| {
                report.refusals.extend(refusals);
                Exit::Refused
            }),
            Ok(key) => Ok(key),
            Err(stop) => Err(self.stopped(stop, plan, report, false)),
        }
    }

    /// The dry run: everything is read and converted, nothing written.
    pub(super) fn look(
        &self,
        session: &mut Session,
        planned: Planned<'_>,
        run: Option<&Run>,
        report: &mut Report,
    ) -> Result<Exit, Failure> {
        let Planned { source, plan, .. } = planned;
        let (settled, stale) = match self.settled_on(session, planned, run) {
            Ok(settled) => settled,
            Err(stop) => return Ok(self.stopped(stop, plan, report, false)),
        };
        report.warnings.extend(stale);
        match self.owner_is_there(session, planned, &settled, report) {
            Ok(None) => {}
            Ok(key) => report.owner = plan.settled_owner().map(|o| record::owner(o, key, false)),
            Err(refused) => return Ok(refused),
        }
        let (found, maps) = match self.read_ahead(session, planned, &settled, report) {
            Ok(found) => found,
            Err(stop) => return Ok(self.stopped(stop, plan, report, false)),
        };
        record::loads(report, plan, run, &BTreeMap::new(), &found);
        if let Err(stop) = self.missed_ahead(planned, (&found, &maps), &settled, report) {
            return Ok(self.stopped(stop, plan, report, false));
        }
        record::left(report, plan, source).map_err(Failure::refused)?;
        record::lost_before(report, source).map_err(Failure::refused)?;
        let doubtful = source.reader().and_then(|reader| migrate::preflight::time_units::unclear(&plan.loads, &reader));
        report.warnings.extend(doubtful.map_err(Failure::refused)?);
        let total = self.found(planned, &found, report);
        report.checks.push(Check::not_checked(CheckKind::Content, None, "a dry run writes nothing"));
        report.checks.extend(found.iter().flat_map(|load| load.unchecked.iter().cloned()));
        Ok(match (total, self.on_fault()) {
            (0, _) => Exit::Done,
            (_, OnFault::Quarantine) => Exit::Quarantined,
            (_, OnFault::Abort) => Exit::Refused,
        })
    }

    /// A dry run without a target: what of the source and the mapping can be judged alone.
    pub(super) fn look_at_source(&self, source: &Source, report: &mut Report) -> Result<Exit, Failure> {
        let Some((plan, _)) = self.plan(source, None, None, report)? else { return Ok(Exit::Refused) };
        let reader = source.reader().map_err(Failure::refused)?;
        record::loads(report, &plan, None, &BTreeMap::new(), &[]);
        for record in &mut report.loads {
            let load = plan.loads.iter().find(|load| load.name == record.load);
            if let Some(Relation::Table(table)) = load.map(|load| &load.select.relation) {
                record.read = reader.count(table).map_err(Failure::refused)?;
            }
        }
        record::left(report, &plan, source).map_err(Failure::refused)?;
        record::lost_before(report, source).map_err(Failure::refused)?;
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
}
