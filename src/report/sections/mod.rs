//! The sections of a report, without their look: titles, tables, sentences.
//!
//! Terminal, Markdown and HTML draw them, so that all forms use the same words. A section without content is `None`.

mod existing;
mod fleet;
mod forecast;
mod omitted;
mod owners;
mod plain;
mod sequences;
mod transferred;
mod verification;

pub use existing::existing;
pub use fleet::{files, slowest};
pub use forecast::forecast;
pub use omitted::{faults, left, losses, not_tables};
pub use owners::{owner, owners};
pub use plain::{lost, unchecked};
pub use sequences::{lookups, sequences};
pub use transferred::{detached, loads, retries, steps};
pub use verification::{checks, refusals, removed, warnings};

use super::section::{FULL, Section};
use super::summary::ended;
use crate::exit::Exit;
use crate::model::record::Report;

/// Returns true if the report shows only refusals: no row was read, and the plan is of no use now.
pub fn only_refusals(report: &Report) -> bool {
    matches!(ended(report), Exit::Refused | Exit::Usage) && !report.refusals.is_empty() && report.fault_total == 0
}

/// The sections of a document. Refusals, differences and faults come first, then the rows.
pub fn document(report: &Report) -> Vec<Section> {
    if only_refusals(report) {
        return [refusals(report), warnings(report)].into_iter().flatten().collect();
    }
    let proof = checks(report, FULL);
    let (first, later) = if ended(report) == Exit::Differs { (proof, None) } else { (None, proof) };
    let pieces = [
        refusals(report),
        first,
        faults(report, FULL),
        files(report, FULL),
        loads(report, FULL),
        existing(report),
        owners(report, FULL),
        losses(report, true, FULL),
        losses(report, false, FULL),
        left(report),
        not_tables(report, FULL),
        sequences(report, FULL),
        lookups(report, FULL),
        later,
        removed(report),
        warnings(report),
        forecast(report, FULL),
        slowest(report),
        detached(report, FULL),
        retries(report, FULL),
        steps(report),
    ];
    pieces.into_iter().flatten().collect()
}
