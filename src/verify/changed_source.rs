//! Compares a source that changed since the run began with what the run read: committed and quarantined rows must be
//! unchanged.
//!
//! A run resumes with a changed file only if this holds. Rows that were not read yet may have changed.

use crate::job::Stop;
use crate::migrate::fingerprint;
use crate::model::digest::Digest;
use crate::model::key::Key;
use crate::model::record::Refusal;
use crate::pg::Session;

use super::subject::Subject;
use super::table::VerifiedTable;

/// Rows that a refusal lists.
const ROWS_LISTED: usize = 10;

const READ_ONCE: &str = "A run reads no row twice. To load them, remove the run with `migrate rollback --yes` and run it again. To resume without them, use the previous file.";

const USE_PREVIOUS_FILE: &str =
    "Use the previous file to resume the run, or to remove the run with `migrate rollback`.";

/// Refuses each load whose quarantined rows differ in the source now, most likely because they were fixed there.
///
/// # Errors
/// If the source cannot be read, the target refuses a query or the connection is lost.
pub fn quarantined_rows(subject: &Subject<'_>, session: &mut Session) -> Result<Vec<Refusal>, Stop> {
    let mut refusals = Vec::new();
    for load in &subject.plan.loads {
        let parts = subject.done.get(&load.name).map(|done| done.parts.as_slice()).unwrap_or_default();
        let rows = fingerprint::fixed_rows(subject.source, session, load, parts, subject.run_id())?;
        if rows.is_empty() {
            continue;
        }
        let listed: Vec<String> =
            rows.iter().filter_map(Key::as_rowid).take(ROWS_LISTED).map(|id| id.to_string()).collect();
        let listed = if listed.is_empty() { String::new() } else { format!(" (row {})", listed.join(", ")) };
        let reason = format!("{} of its quarantined rows changed in the source since{listed}", rows.len());
        refusals.push(Refusal::new(format!("load.{}", load.name), reason, READ_ONCE));
    }
    Ok(refusals)
}

/// Refuses each table whose committed rows the source no longer produces, or for which this cannot be determined.
///
/// # Errors
/// If the source cannot be read, the target refuses a query or the connection is lost.
pub fn committed_rows(subject: &Subject<'_>, session: &mut Session) -> Result<Vec<Refusal>, Stop> {
    let mut refusals = Vec::new();
    for table in VerifiedTable::all(subject, session)? {
        let then = subject.total(&table.loads).read;
        if then == 0 {
            continue;
        }
        let why = match table.obstacle() {
            Some(why) => Some(format!("it cannot be determined whether the committed rows changed: {why}")),
            None => difference(&table, session, then)?,
        };
        refusals.extend(why.map(|why| {
            let reason = format!("the source changed since rows of it were committed, and {why}");
            Refusal::new(format!("load.{}", table.label()), reason, USE_PREVIOUS_FILE)
        }));
    }
    Ok(refusals)
}

/// Describes how the rows between the committed keys differ from the `then` rows that the run read. `None` if equal.
fn difference(table: &VerifiedTable<'_>, session: &mut Session, then: u64) -> Result<Option<String>, Stop> {
    let mut digest = Digest::default();
    let now = table.source(session, &mut |_, _, hash| digest.add(hash))?;
    if table.altered.fields.is_some() {
        digest = now.as_sent;
    }
    Ok(if now.read != then {
        Some(format!("between the same keys it now holds {} rows instead of {then}", now.read))
    } else if digest != table.sent() {
        Some(format!("some of these {then} rows changed"))
    } else {
        None
    })
}
