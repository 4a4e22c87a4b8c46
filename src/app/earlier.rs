//! Rows that were refused as duplicates, into the report: each with the row that has its key.
//!
//! Part of [`Way`]; which row that is, `migrate::explain::duplicates` finds.

use crate::convert::Settled;
use crate::migrate::explain::duplicates::{Duplicates, RowsByLoad, SourceRow};
use crate::model::fault::Reason;
use crate::model::key::Key;
use crate::model::record::{FaultRecord, Report};
use crate::pg::{ServerError, Session};
use crate::plan::Plan;

use super::way::{Manner, Planned, Way};

impl Way<'_> {
    /// Names the row that has the key of each row that was refused as its duplicate, as far as it is a row of the source whose
    /// rowid may be shown. What cannot be found out now is not said: the fault stands without it.
    pub(super) fn name_earlier(&self, session: &mut Session, planned: Planned<'_>, report: &mut Report) {
        let Planned { source, plan, target } = planned;
        if !report.faults.iter().any(is_duplicate) {
            return;
        }
        let Some((gone, settled)) = self.gone(session, plan, report) else { return };
        for (name, table) in &target.tables {
            let meant = |fault: &FaultRecord| plan.loads.iter().any(|l| l.name == fault.load && l.table == *name);
            for key in &table.unique {
                let of_key = |fault: &FaultRecord| {
                    is_duplicate(fault) && meant(fault) && fault.constraint.as_ref() == Some(&key.name)
                };
                let later = places(report.faults.iter().filter(|fault| of_key(fault)));
                if later.is_empty() {
                    continue;
                }
                let (settled, table, duplicates, refused) = (&settled, name.as_str(), &later, &gone);
                let search = Duplicates { source, plan, settled, table, key, duplicates, refused };
                let Ok(found) = search.earlier_rows() else { return };
                for fault in report.faults.iter_mut().filter(|fault| of_key(fault)) {
                    let Some(at) = fault.rowid else { continue };
                    if let Some(SourceRow { load, at }) = found.get(&SourceRow { load: fault.load.clone(), at }) {
                        let of = if *load == fault.load { String::new() } else { format!(" of load.{load}") };
                        fault.message += &format!(" The row that has it: {at}{of}.");
                    }
                }
            }
        }
    }

    /// All rows that were refused, and what was settled for them; `None` where neither the report nor a ledger knows all.
    fn gone(&self, session: &mut Session, plan: &Plan, report: &Report) -> Option<(RowsByLoad, Settled)> {
        let run = self.known(session).ok()?.run;
        let mut gone = places(report.faults.iter());
        if report.fault_total > report.faults.len() as u64 {
            let run = run.as_ref().filter(|_| self.manner != Manner::Dry)?;
            for load in &plan.loads {
                let rows = gone.entry(load.name.clone()).or_default();
                let found = session.faults::<ServerError>(run.id, &load.name, &mut |some| {
                    rows.extend(some.iter().filter_map(|fault| Key::read(&fault.at)?.as_rowid()));
                    Ok(())
                });
                found.ok()?;
            }
        }
        Some((gone, self.settled(run.as_ref())))
    }
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
