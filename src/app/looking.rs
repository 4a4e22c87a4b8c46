//! The dry run, and the reading ahead that every run begins with: everything is read and converted, nothing written.
//!
//! Part of [`Way`]; what was typed and how it all begins stands in `cutover`.

use std::collections::BTreeMap;

use crate::convert::Settled;
use crate::convert::row::Maps;
use crate::exit::Exit;
use crate::mapping::OnFault;
use crate::migrate::{self, Stop, ahead};
use crate::model::record::{Check, Report};
use crate::model::schema::TargetSchema;
use crate::plan::{self, Plan};
use crate::source::Source;
use crate::target::Session;
use crate::target::ledger::Run;

use super::cutover::{Manner, Way};
use super::{Failure, record};

impl Way<'_> {
    /// Reads and converts everything that `wanted` names, with the lookups that are known already. Gives their maps, too.
    pub(super) fn read_ahead(
        &self,
        source: &Source,
        session: &mut Session,
        (plan, target): (&Plan, &TargetSchema),
        (settled, wanted): (&Settled, &dyn Fn(&plan::LoadPlan) -> bool),
        report: &mut Report,
    ) -> Result<(Vec<ahead::Found>, BTreeMap<String, Maps>), Stop> {
        let (maps, checks) = migrate::lookup::ahead(session, plan, settled)?;
        report.checks.extend(checks);
        let (watch, asked, jobs) = (self.watch, &self.world.asked, self.jobs());
        let looks = self.manner == Manner::Dry;
        let ground = ahead::Ground { plan, source, target, settled, watch, asked, jobs, maps: &maps, looks };
        Ok((ground.read(session, wanted)?, maps))
    }

    /// The dry run: everything is read and converted, nothing written.
    pub(super) fn look(
        &self,
        source: &Source,
        target: Option<(&mut Session, &Plan, &TargetSchema)>,
        run: Option<&Run>,
        report: &mut Report,
    ) -> Result<Exit, Failure> {
        let Some((session, plan, target)) = target else { return self.look_at_source(source, report) };
        let (settled, stale) = match self.settled_on(session, (plan, target), source, run) {
            Ok(settled) => settled,
            Err(stop) => return Ok(self.stopped(stop, plan, report, false)),
        };
        report.warnings.extend(stale);
        if let Some(owner) = plan.settled_owner() {
            match migrate::find_owner(session, plan, &settled) {
                Ok(Some(key)) => report.owner = Some(record::owner(owner, Some(key), false)),
                Ok(None) if owner.create.is_none() && !plan.loads.iter().any(|l| l.table == owner.table) => {
                    return Ok(self.stopped(migrate::owner_absent(owner), plan, report, false));
                }
                Ok(None) => match migrate::owner_fits(plan, target, &settled) {
                    Err(refusals) if !plan.loads.iter().any(|l| l.table == owner.table) => {
                        report.refusals.extend(refusals);
                        return Ok(Exit::Refused);
                    }
                    _ => {}
                },
                Err(stop) => return Ok(self.stopped(stop, plan, report, false)),
            }
        }
        let began = self.world.elapsed();
        let wanted =
            |load: &plan::LoadPlan| !(load.when_empty && target.tables.get(&load.table).is_some_and(|t| t.has_rows));
        let (found, maps) = match self.read_ahead(source, session, (plan, target), (&settled, &wanted), report) {
            Ok(found) => found,
            Err(stop) => return Ok(self.stopped(stop, plan, report, false)),
        };
        record::step(report, "read ahead", self.world.elapsed() - began);
        record::loads(report, plan, run, &BTreeMap::new(), &found);
        if let Err(stop) = self.missed_ahead(source, plan, (&found, &maps), &settled, report) {
            return Ok(self.stopped(stop, plan, report, false));
        }
        record::left(report, plan, source).map_err(|e| Failure::refused(e.to_string()))?;
        record::lost_before(report, source).map_err(|e| Failure::refused(e.to_string()))?;
        let total = self.found(source, plan, &found, report);
        report.checks.push(Check::not_checked("content", None, "a dry run writes nothing"));
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
        let reader = source.reader().map_err(|e| Failure::refused(e.to_string()))?;
        record::loads(report, &plan, None, &BTreeMap::new(), &[]);
        for (record, load) in report.loads.iter_mut().zip(plan.order.iter().filter_map(|n| match n {
            plan::Node::Load(n) => Some(&plan.loads[*n]),
            plan::Node::Owner => None,
        })) {
            if let crate::model::select::Relation::Table(table) = &load.select.relation {
                record.read = reader.count(table).map_err(|e| Failure::refused(e.to_string()))?;
            }
        }
        record::left(report, &plan, source).map_err(|e| Failure::refused(e.to_string()))?;
        record::lost_before(report, source).map_err(|e| Failure::refused(e.to_string()))?;
        let why = "no target was named";
        for check in ["types and values", "required columns", "owner", "rights", "rows that are there"] {
            report.checks.push(Check::not_checked(check, None, why));
        }
        Ok(Exit::Done)
    }
}
