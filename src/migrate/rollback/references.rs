//! Foreign keys to tables from which a rollback removes many rows.
//!
//! The server runs a trigger for each row that it deletes under a foreign key, which takes ten times as long as to delete the
//! row. To detach the key and to reattach it takes one reading of the referring table.

use std::collections::BTreeMap;

use crate::job::{Job, Stop};
use crate::migrate::indexes::detach::MIN_ROWS;
use crate::model::schema::{DetachKind, Detachable};
use crate::pg::detach::Detached;
use crate::pg::rollback::OpenRollback;

/// Detaches the foreign keys that the run itself may detach, if enough rows are removed from the tables that they refer to.
/// Adds them to `off`, which lists what the caller reattaches. `rows`: the number of rows to remove from each table. Returns true
/// if any is detached.
///
/// # Errors
/// If the connection is lost.
pub(super) fn detach(
    job: &Job<'_>,
    tx: &mut OpenRollback<'_>,
    rows: &BTreeMap<&str, u64>,
    off: &mut Vec<Detached>,
) -> Result<bool, Stop> {
    let plan = job.plan;
    let attached = |key: &Detachable| {
        let table = job.target.tables.get(&key.table)?;
        table.foreign.iter().find(|foreign| foreign.name == key.object)
    };
    // The owner's row is removed only if no row refers to it, which the server's own keys decide.
    let is_owner = |table: &str| plan.owner.as_ref().is_some_and(|owner| owner.table == table);
    let is_worth_it = |key: &&Detachable| {
        key.kind == DetachKind::Foreign
            && !off.iter().any(|object| object.table == key.table && object.object == key.object)
            && attached(key).is_some_and(|foreign| {
                let removed = rows.get(foreign.parent.as_str()).copied().unwrap_or_default();
                foreign.parent_schema == plan.schema && removed >= MIN_ROWS && !is_owner(&foreign.parent)
            })
    };
    let worth_it: Vec<&Detachable> = plan.detach.off.iter().filter(is_worth_it).collect();
    let reattached: Option<Vec<Detached>> = worth_it.iter().map(|key| Detached::attached(&plan.schema, key)).collect();
    match reattached {
        Some(reattached) if !reattached.is_empty() && tx.try_detach(&worth_it)? => off.extend(reattached),
        _ => return Ok(false),
    }
    Ok(true)
}
