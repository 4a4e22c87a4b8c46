//! Rows that the run removed from the target before it loaded: a rollback inserts them again, exactly as they were.

use crate::job::Stop;
use crate::migrate::indexes::detach::foreign_key;
use crate::model::ledger::{Made, MadeKind};
use crate::model::record::Refusal;
use crate::model::rules::Differ;
use crate::model::schema::DetachKind;
use crate::pg::detach::Detached;
use crate::pg::existing::TargetName;
use crate::pg::rollback::OpenRollback;
use crate::pg::triggers::{FiringTrigger, RowEvent};
use crate::plan::{LoadPlan, Node, Plan};

/// Returns true if the run removed rows of a table.
fn is_replaced(plan: &Plan, made: &[Made], table: &str) -> bool {
    let object = format!("{}.{table}", plan.schema);
    made.iter().any(|made| made.kind == MadeKind::Replaced && made.object == object)
}

/// Returns the reattached foreign keys to tables whose rows are exchanged. The rollback detaches them again meanwhile, so that
/// rows that refer to such a table do not block it. A key of a table that no load writes to was detached for that reason alone;
/// it may refer to a partition.
pub(super) fn to_detach_again(plan: &Plan, made: &[Made], detached: &[Detached]) -> Vec<Detached> {
    let refers = |object: &&Detached| {
        let is_on = object.kind == DetachKind::Foreign && object.reattached;
        let is_of_another = plan.loads.iter().all(|load| load.table != object.table);
        is_on && (is_of_another || foreign_key(object).is_some_and(|key| is_replaced(plan, made, &key.parent)))
    };
    let anew = |object: &Detached| Detached { steps: 0, reattached: false, ..object.clone() };
    detached.iter().filter(refers).map(anew).collect()
}

/// Writes the previous values over the rows of a load's table that the run wrote over. Returns their number.
///
/// # Errors
/// If a trigger would run that this role may not disable, a row changed since, the server refuses, or the connection is lost.
pub(super) fn restore_written_over(tx: &mut OpenRollback<'_>, plan: &Plan, load: &LoadPlan) -> Result<u64, Stop> {
    let Some(rows) = plan.skipped_rows(load).filter(|rows| rows.differ == Some(Differ::Source)) else { return Ok(0) };
    if tx.count_written_over(&load.table)? == 0 {
        return Ok(0);
    }
    let disabled = disable(tx, plan, &[&load.table], RowEvent::Update)?;
    let restored = tx.restore_written_over(TargetName { schema: &plan.schema, table: &load.table }, &rows)?;
    tx.check_deferred()?;
    tx.enable_triggers(&disabled)?;
    Ok(restored)
}

/// Disables the triggers of tables that run for an event.
fn disable(
    tx: &mut OpenRollback<'_>,
    plan: &Plan,
    tables: &[&str],
    event: RowEvent,
) -> Result<Vec<FiringTrigger>, Stop> {
    let mut disabled: Vec<FiringTrigger> = Vec::new();
    for (table, found) in tables.iter().zip(tx.firing_triggers(&plan.schema, tables, event)?) {
        if let Some(strange) = found.iter().find(|trigger| !trigger.is_ours) {
            let why = format!(
                "{} runs when rows of {} are restored, and only the table's owner may disable it",
                strange.object, strange.table
            );
            let advice = "Nothing was removed. Run it as a member of the table's owner.";
            return Err(Stop::Refused(vec![Refusal::new(format!("table {table}"), why, advice)]));
        }
        for trigger in found {
            if !disabled.contains(&trigger) {
                disabled.push(trigger);
            }
        }
    }
    tx.disable_triggers(&disabled)?;
    Ok(disabled)
}

/// Inserts the removed rows, parents before their children. Returns the number of rows of each table.
///
/// # Errors
/// If a trigger would run that this role may not disable, a row collides with a row that was added since, the server refuses,
/// or the connection is lost.
pub(super) fn restore(tx: &mut OpenRollback<'_>, plan: &Plan, made: &[Made]) -> Result<Vec<(String, u64)>, Stop> {
    let mut tables: Vec<&str> = Vec::new();
    for node in &plan.order {
        let Node::Load(n) = node else { continue };
        let table = plan.loads[*n].table.as_str();
        if is_replaced(plan, made, table) && !tables.contains(&table) {
            tables.push(table);
        }
    }
    let disabled = disable(tx, plan, &tables, RowEvent::Insert)?;
    let mut restored = Vec::new();
    if !tables.is_empty() {
        tx.defer_checks()?;
    }
    for table in &tables {
        let rows = tx.restore_kept(TargetName { schema: &plan.schema, table })?;
        restored.push(((*table).to_owned(), rows));
    }
    if !tables.is_empty() {
        tx.check_deferred()?;
    }
    tx.enable_triggers(&disabled)?;
    Ok(restored)
}
