//! Counts: every row that was read is written, at fault or skipped, and the target holds as many as were written.

use std::collections::BTreeMap;

use crate::model::record::{Check, CheckKind};
use crate::pg::ledger::Sums;
use crate::pg::{ServerError, Session};

use super::Subject;

/// A check a load, and one a table. `counted`: rows of tables that were read through, the row of an owner that the run made
/// left out.
pub(super) fn check(
    subject: &Subject<'_>,
    session: &mut Session,
    counted: &BTreeMap<&str, u64>,
) -> Result<Vec<Check>, ServerError> {
    let mut checks = Vec::new();
    let mut written: BTreeMap<&str, u64> = BTreeMap::new();
    for load in &subject.plan.loads {
        let sums = sums(subject, &load.name);
        *written.entry(&load.table).or_default() += sums.written;
        let accounted = sums.written + sums.faults + sums.skipped;
        checks.push(Check::compared(CheckKind::Rows, Some(&load.name), sums.read.to_string(), accounted.to_string()));
    }
    for (table, written) in written {
        let made = u64::from(subject.owner_made && subject.plan.owner.as_ref().is_some_and(|o| o.table == table));
        let before = subject.run.judged.holding.get(table).copied().unwrap_or(0);
        let found = match counted.get(table).filter(|_| made == 0) {
            Some(rows) => *rows,
            None => session.count(&subject.plan.schema, table)?,
        };
        let name = format!("{}.{table}", subject.plan.schema);
        let expected = before + written + made;
        if (before > 0 || subject.later) && found > expected {
            // Others may go on writing to a table that is in use; what they add is not ours to judge.
            let why = format!("{found} rows, {expected} were expected: others wrote to it");
            checks.push(Check::not_checked(CheckKind::Rows, Some(&name), why));
        } else {
            checks.push(Check::compared(CheckKind::Rows, Some(&name), expected.to_string(), found.to_string()));
        }
    }
    Ok(checks)
}

/// What the ledger's batches of a load add up to.
pub(super) fn sums(subject: &Subject<'_>, load: &str) -> Sums {
    let mut sums = Sums::default();
    if let Some(done) = subject.done.get(load) {
        done.parts.iter().for_each(|part| sums.merge(&part.sums));
    }
    sums
}
