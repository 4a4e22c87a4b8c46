//! The fault policy of each load: `abort` allows no fault but that of a row which the mapping leaves out, `quarantine` at most
//! `--max-faults` rows of the run, over all resumes.

use std::sync::atomic::Ordering;

use crate::job::{Job, Stop};
use crate::migrate::rows::batch::Batch;
use crate::model::fault::Reason;
use crate::model::record::FAULTS_LISTED;

/// Counts the quarantined rows of a batch and checks them against the policy. `counted` is the number of rows of this batch
/// that were counted before.
///
/// # Errors
/// The faults that the policy does not allow.
pub fn check(job: &Job<'_>, batch: &Batch<'_>, counted: &mut u64) -> Result<(), Stop> {
    if batch.refused == 0 {
        return Ok(());
    }
    if ends_the_load(job, batch) {
        let others = batch.faults.iter().filter(|fault| fault.reason != Reason::OrphanDropped);
        return Err(Stop::Faults(others.cloned().collect()));
    }
    let more = batch.refused.saturating_sub(std::mem::replace(counted, batch.refused));
    let all = job.quarantined.fetch_add(more, Ordering::SeqCst) + more;
    match job.options.max_faults {
        Some(most) if all > most => Err(Stop::TooManyFaults { most, faults: batch.faults.clone() }),
        _ => Ok(()),
    }
}

/// Returns true if the rows of a batch that were read so far have a fault that their load does not allow.
pub fn ends_the_load(job: &Job<'_>, batch: &Batch<'_>) -> bool {
    let permitted = || batch.left_out.permitted(job.aborting.len() == job.plan.loads.len());
    batch.refused > 0 && job.aborting.contains(&batch.load.name) && batch.faults.len() as u64 != permitted()
}

/// Returns the number of refused rows of one batch of a load that are worth finding.
pub fn worth_finding(job: &Job<'_>, load: &str) -> usize {
    match (job.aborting.contains(load), job.options.max_faults) {
        (true, _) => FAULTS_LISTED,
        (false, None) => usize::MAX,
        (false, Some(most)) => {
            let so_far = job.quarantined.load(Ordering::SeqCst);
            usize::try_from(most.saturating_sub(so_far)).unwrap_or(usize::MAX).saturating_add(1)
        }
    }
}
