//! Taking off what the plan names, once, before the first row; putting it all back behind the last.
//!
//! How a statement reads is the catalogue's and the ledger's knowledge; here it is only when, and on which tables it pays.

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::model::schema::{DetachKind, Detachable, ForeignKey, TargetSchema, TargetTable, TargetUnique};
use crate::plan::{Detach, Detaching};
use crate::target::detach::Detached;
use crate::target::ledger::Run;
use crate::target::{ServerError, Session};

use super::{Job, Stop};

/// Rows below which keys and indexes stay on: taking one off and building it again costs two statements of some
/// milliseconds each, keeping it up some microseconds a row.
pub const WORTH_IT: u64 = 10_000;

/// What the catalogue said of an object that was taken off: enough to see the target as if it were back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Shape {
    Trigger(String, char),
    Foreign(ForeignKey),
    Unique(TargetUnique),
    Index,
}

/// Takes off what the plan names: triggers everywhere, the rest of tables with [`WORTH_IT`] rows to come.
///
/// # Errors
/// When the target refuses; then nothing is off.
pub fn take_off(
    session: &mut Session,
    run: &Run,
    detach: &Detach,
    target: &TargetSchema,
    how: Detaching,
    rows_to_come: &dyn Fn(&str) -> u64,
) -> Result<(), ServerError> {
    let worth_it = |object: &Detachable| {
        object.kind == DetachKind::Trigger || how == Detaching::Always || rows_to_come(&object.table) >= WORTH_IT
    };
    let mut off: Vec<&Detachable> = detach.off.iter().filter(|object| worth_it(object)).collect();
    // A key stays on where a foreign key stands on it that stays on, of a smaller table.
    let gone: Vec<i64> = off.iter().map(|object| object.oid).collect();
    off.retain(|object| object.needed_by.iter().all(|oid| gone.contains(oid)));
    if off.is_empty() {
        return Ok(());
    }
    let shaped: Vec<(&Detachable, String)> = off.into_iter().map(|object| (object, shape(object, target))).collect();
    session.take_off(run.id, &shaped)
}

fn shape(object: &Detachable, target: &TargetSchema) -> String {
    let table = target.tables.get(&object.table);
    let found = table.and_then(|t| match object.kind {
        DetachKind::Trigger => {
            t.triggers.iter().find(|(n, _)| *n == object.object).map(|(n, e)| Shape::Trigger(n.clone(), *e))
        }
        DetachKind::Foreign => t.foreign.iter().find(|f| f.name == object.object).cloned().map(Shape::Foreign),
        DetachKind::Unique | DetachKind::Primary => {
            t.unique.iter().find(|u| u.name == object.object).cloned().map(Shape::Unique)
        }
        DetachKind::Index => None,
    });
    serde_json::to_string(&found.unwrap_or(Shape::Index)).unwrap_or_else(|_| "\"index\"".to_owned())
}

/// The catalogue as if everything that is off were back: what a run is compared with when it goes on.
pub fn as_if_back(target: &mut TargetSchema, detached: &[Detached]) {
    for object in detached.iter().filter(|object| !object.back) {
        if let (Some(table), Ok(shape)) = (target.tables.get_mut(&object.table), serde_json::from_str(&object.shape)) {
            put_in(table, shape);
        }
    }
}

/// Adds an object in the order in which the catalogue is read.
fn put_in(table: &mut TargetTable, shape: Shape) {
    match shape {
        Shape::Trigger(name, enabled) => {
            table.triggers.push((name, enabled));
            table.triggers.sort();
        }
        Shape::Foreign(key) => {
            table.foreign.push(key);
            table.foreign.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Shape::Unique(key) => {
            table.unique.push(key);
            table.unique.sort_by(|a, b| b.primary.cmp(&a.primary).then_with(|| a.name.cmp(&b.name)));
        }
        Shape::Index => {}
    }
}

/// Puts back everything that is off: keys before the foreign keys that stand on them, triggers last.
///
/// # Errors
/// What stopped it, such as a key that the rows do not allow; what is back stays back.
pub fn put_back(job: &Job<'_>, session: &mut Session, run: &Run) -> Result<(), Stop> {
    let mut off: Vec<Detached> = session.detached(run.id)?.into_iter().filter(|object| !object.back).collect();
    if off.is_empty() {
        return Ok(());
    }
    job.watch.hear(Event::Step("put back"));
    off.sort_by_key(|object| std::cmp::Reverse(object.kind));
    for object in &off {
        session.put_back(run.id, object)?;
    }
    let mut tables: Vec<&str> =
        off.iter().filter(|o| o.kind != DetachKind::Trigger).map(|o| o.table.as_str()).collect();
    tables.sort_unstable();
    tables.dedup();
    for table in tables {
        session.analyze(&job.plan.schema, table)?;
    }
    Ok(())
}
