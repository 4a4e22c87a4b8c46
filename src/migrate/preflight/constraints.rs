//! Finds rows that the target's constraints would refuse: values that only the server can read (`server_readable`), rows that
//! fail a condition (`row_conditions`), rows that collide under a unique key (`unique_keys`), and rows that an index or an
//! exclusion constraint refuses (`trial_rows`).
//!
//! The server writes nothing to the target's tables. Constraints that cannot be checked are reported.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::migrate::rows::batch::Batch;
use crate::model::record::{Check, CheckKind};
use crate::model::schema::TargetSchema;
use crate::pg::Blame;
use crate::pg::conditions::TableConstraints;
use crate::plan::{Feed, LoadPlan, references};

use super::checked_load::{CheckedLoad, CheckedRows, RowVerdicts, Unchecked};
use super::row_conditions::RowConditions;
use super::server_readable::ServerReadable;
use super::shared_checks::SharedChecks;
use super::trial_rows::TrialRows;
use super::unique_keys::{SeenKeys, UniqueKeys};

/// The checks of one load's rows.
pub struct ConstraintChecks {
    readable: ServerReadable,
    conditions: RowConditions,
    keys: UniqueKeys,
    trial: TrialRows,
    /// Constraints that could not be checked.
    unchecked: Mutex<Vec<Check>>,
}

impl ConstraintChecks {
    /// The checks of a load.
    pub fn new(checked: CheckedLoad<'_>, constraints: &TableConstraints, seen: &mut SeenKeys) -> ConstraintChecks {
        let CheckedLoad { load, target, .. } = checked;
        let mut unchecked = Unchecked::of(load);
        let conditions = constraints.conditions.iter().filter(|c| c.table == load.table);
        let computed = constraints.computed.iter().filter(|c| c.table == load.table);
        let keys = UniqueKeys::new(checked, computed, seen, &mut unchecked);
        let conditions = RowConditions::new(checked, conditions, keys.knows_skipped_rows(), &mut unchecked);
        let objects = constraints.trial_objects.iter().filter(|object| object.table == load.table);
        let trial = TrialRows::new(checked, objects, keys.knows_skipped_rows(), &mut unchecked);
        for unseen in constraints.unseen.iter().filter(|unseen| unseen.table == load.table) {
            if unseen.kind != CheckKind::Trigger || load.triggers_fire {
                unchecked.note(unseen.kind, &unseen.name, &unseen.why);
            }
        }
        for name in unfollowed(load, target) {
            unchecked.note(CheckKind::Reference, &name, "only the server can check its parents");
        }
        ConstraintChecks {
            readable: ServerReadable::new(load, &target.encoding, &constraints.inputs),
            conditions,
            keys,
            trial,
            unchecked: Mutex::new(unchecked.checks),
        }
    }

    /// Returns true if the rows must be read in their order.
    pub fn needs_order(&self) -> bool {
        self.keys.needs_order() || self.trial.needs_order()
    }

    /// Returns what could not be checked, after all rows were read, and the temporary table that was made.
    pub fn end(self, load: &LoadPlan) -> (Vec<Check>, Option<String>) {
        let mut unchecked = Unchecked::of(load);
        unchecked.checks = self.unchecked.into_inner().unwrap_or_else(PoisonError::into_inner);
        let made = self.trial.end(&mut unchecked);
        (unchecked.checks, made)
    }

    /// Returns the rows of a batch that the target would refuse, and those that the load skips.
    pub fn judge(&self, load: &LoadPlan, batch: &Batch<'_>, shared: &Mutex<SharedChecks<'_>>) -> RowVerdicts {
        let mut unchecked = Unchecked::of(load);
        let unreadable: BTreeMap<usize, Blame> = self.readable.refused(load, batch, shared, &mut unchecked);
        let mut verdicts = RowVerdicts::default();
        if !self.conditions.is_idle() || !self.keys.is_idle() || !self.trial.is_idle() {
            let count = usize::try_from(batch.rows()).unwrap_or(0);
            let rows: Vec<usize> = (0..count).filter(|row| !unreadable.contains_key(row)).collect();
            let rows = CheckedRows { load, batch, rows: &rows };
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let SharedChecks { session, seen } = &mut *shared;
            let known = self.keys.ask(session, &rows, &mut unchecked);
            // A row that another one keeps out is never written, so no condition applies to it.
            let written: Vec<usize> = rows.rows.iter().copied().filter(|row| !known.is_skipped(*row)).collect();
            let mut failing = self.conditions.failing(session, &CheckedRows { rows: &written, ..rows }, &mut unchecked);
            let tried: Vec<usize> = written.into_iter().filter(|row| !failing.contains_key(row)).collect();
            failing.extend(self.trial.refused(session, &CheckedRows { rows: &tried, ..rows }, &mut unchecked));
            verdicts = self.keys.judge(&rows, known, failing, seen, &mut unchecked);
        }
        if !unchecked.checks.is_empty() {
            self.unchecked.lock().unwrap_or_else(PoisonError::into_inner).extend(unchecked.checks);
        }
        verdicts.refused.extend(unreadable);
        verdicts
    }
}

/// The foreign keys over columns of the source, or over values that the server computes, that are not checked while reading.
/// The others report every orphan.
fn unfollowed(load: &LoadPlan, target: &TargetSchema) -> Vec<String> {
    let Some(table) = target.tables.get(&load.table) else { return Vec::new() };
    let followed = references(load, target);
    let is_filled = |name: &String| match load.columns.iter().find(|c| c.name == *name) {
        Some(column) => matches!(column.feed, Feed::Cell(_) | Feed::Constant(_)),
        None => table.column(name).is_some_and(|column| column.has_default || column.generated),
    };
    let keys = table.foreign.iter().filter(|key| key.columns.iter().any(is_filled));
    keys.map(|key| key.name.clone()).filter(|name| followed.iter().all(|link| link.name != *name)).collect()
}
