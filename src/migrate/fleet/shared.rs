//! Rows of a table that all owners share, such as currencies: each one is on the target before the fleet, found by its natural key,
//! and none is written.

use crate::job::Stop;
use crate::migrate::existing::compare::HeldComparison;
use crate::migrate::preflight::range::LoadPreflight;
use crate::model::key::KeyRange;
use crate::model::record::Refusal;
use crate::model::rules::Existing;
use crate::model::select::CONTINUE;
use crate::model::sums::Sums;
use crate::pg::Session;
use crate::plan::LoadPlan;

/// Returns true if the rows of a load are rows that the target has.
pub fn is_shared(load: &LoadPlan) -> bool {
    load.conflict.is_some() && matches!(load.existing, Some(Existing::Match { .. }))
}

/// Compares the rows of such a load with those of the target. The sums have the rows that were compared, and the differences.
///
/// # Errors
/// If the target lacks a row, a row differs and the mapping does not allow it, or source or target cannot be read.
pub fn compared(session: &mut Session, comparison: &HeldComparison<'_>, load: &LoadPlan) -> Result<Sums, Stop> {
    let mut all = [LoadPreflight { lists_kept: true, ..LoadPreflight::new(load) }];
    comparison.add(session, &mut all)?;
    let [found] = all;
    if !found.faults.is_empty() {
        return Err(Stop::Faults(found.faults));
    }
    let refused = |reason: String, advice: &str| Err(Stop::Refused(vec![Refusal::new(load.place(), reason, advice)]));
    if let Some(check) = found.unchecked.first() {
        let why = check.why.clone().unwrap_or_default();
        return refused(why, "Leave the table in the files, and write lookups for the references to it.");
    }
    let mut rows = 0;
    comparison.source.reader()?.each(&load.select, KeyRange::ALL, |_| {
        rows += 1;
        CONTINUE
    })?;
    let missing = u64::saturating_sub(rows, found.sums.skipped);
    if missing > 0 {
        let reason = format!("{missing} of {rows} rows are missing in `{}` of the target", load.table);
        return refused(
            reason,
            "A fleet adds no row to a table that all owners share: add it there, and retry the file.",
        );
    }
    Ok(Sums { read: rows, ..found.sums })
}
