//! Detaches constraints, indexes and triggers before the first row, and reattaches them after the last one.
//!
//! The statements come from the catalogue and the ledger. This module decides the time, the order and the tables.

use serde::{Deserialize, Serialize};

use crate::event::{Event, Extent, WorkUnit};
use crate::job::{Job, Reconnect, Stop, TaskQueue};
use crate::model::ledger::Run;
use crate::model::record::{Refusal, StepKind};
use crate::model::schema::{DetachKind, Detachable, ForeignKey, TargetSchema, TargetTable, TargetUnique};
use crate::pg::Session;
use crate::pg::detach::Detached;
use crate::plan::{Circle, CircleKey, Detach, Detaching, LoadPlan, Plan};
use crate::sqlite::Reader;

use super::index_width::Widths;

/// Number of rows below which keys and indexes are not detached: dropping and building one costs two statements of some
/// milliseconds each, maintaining it some microseconds a row.
pub const MIN_ROWS: u64 = 10_000;

/// The catalogue's entry of a detached object, which restores the catalogue as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Shape {
    Trigger(String, char),
    Foreign(ForeignKey),
    Unique(TargetUnique),
    Index,
}

/// The objects that may be detached, and the facts that decide about each.
pub struct DetachRequest<'a> {
    /// The objects that the plan names.
    pub detach: &'a Detach,
    /// The loads that refer to each other: the keys that open these circles are detached at any size.
    pub circles: &'a [Circle],
    /// Foreign keys that are detached at any size, because rows that they refer to are removed first.
    pub blocking: &'a [Detachable],
    /// The target's catalogue.
    pub target: &'a TargetSchema,
    /// `--detach`.
    pub how: Detaching,
    /// Returns the number of rows that the run will write into a table.
    pub rows: &'a dyn Fn(&str) -> u64,
    /// The reader of the source.
    pub reader: &'a Reader,
    /// The loads of the run.
    pub loads: &'a [LoadPlan],
}

/// Detaches what the plan names: triggers of all tables, other objects of tables that get at least [`MIN_ROWS`] rows. An
/// index that a row may be too large for is not detached, so that the server refuses that row alone. Returns what is detached.
///
/// # Errors
/// If the target refuses: then nothing is detached. If the run was taken over, the connection is lost, or the source cannot
/// be read.
pub fn detach_objects(
    reconnect: &Reconnect<'_>,
    session: &mut Session,
    run: &Run,
    request: &DetachRequest<'_>,
) -> Result<Vec<Detached>, Stop> {
    let worth_it = |object: &Detachable| {
        let is_all = object.kind == DetachKind::Trigger || request.how == Detaching::Always;
        let is_needed = || request.circles.iter().any(|circle| circle.detaches(object));
        is_all || is_needed() || (request.rows)(&object.table) >= MIN_ROWS
    };
    let mut objects: Vec<&Detachable> = request.detach.off.iter().filter(|object| worth_it(object)).collect();
    let widths = Widths::of(request.reader, request.loads, &objects)?;
    objects.retain(|object| {
        let fits = widths.fit(object);
        if !fits {
            let (table, name) = (&object.table, &object.object);
            reconnect
                .observer
                .on_event(Event::Said(&format!("{table}.{name} is not detached: a row may be too large for it")));
        }
        fits
    });
    let is_new = |key: &&Detachable| !objects.iter().any(|o| o.table == key.table && o.object == key.object);
    let blocking: Vec<&Detachable> = request.blocking.iter().filter(is_new).collect();
    objects.extend(blocking);
    // A key is not detached if a foreign key that is not detached needs it, of a smaller table.
    let detached: Vec<i64> = objects.iter().map(|object| object.oid).collect();
    objects.retain(|object| object.needed_by.iter().all(|oid| detached.contains(oid)));
    if objects.is_empty() {
        return Ok(Vec::new());
    }
    let shaped: Vec<(&Detachable, String)> =
        objects.into_iter().map(|object| (object, shape(object, request.target))).collect();
    reconnect.retrying(session, |session| Ok(session.detach_objects(run, &shaped)?))?.ok_or(Stop::Fenced)
}

/// Returns the definition of a detached foreign key. `None` for any other object.
pub fn foreign_key(object: &Detached) -> Option<ForeignKey> {
    match serde_json::from_str(&object.shape).ok()? {
        Shape::Foreign(key) => Some(key),
        Shape::Trigger(..) | Shape::Unique(_) | Shape::Index => None,
    }
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

/// Restores the catalogue as it was before anything was detached, to compare it with that of a resumed run.
pub fn as_if_back(target: &mut TargetSchema, detached: &[Detached]) {
    for object in detached.iter().filter(|object| !object.reattached) {
        if let (Some(table), Ok(shape)) = (target.tables.get_mut(&object.table), serde_json::from_str(&object.shape)) {
            restore(table, shape);
        }
    }
}

/// Adds the foreign keys that a run detached to those that can be detached, so that a resumed run has the same plan.
pub fn as_if_detachable(detachable: &mut Vec<Detachable>, detached: &[Detached]) {
    for object in detached.iter().filter(|object| object.kind == DetachKind::Foreign && !object.reattached) {
        if detachable.iter().any(|known| known.table == object.table && known.object == object.object) {
            continue;
        }
        detachable.push(Detachable {
            table: object.table.clone(),
            object: object.object.clone(),
            kind: object.kind,
            columns: Vec::new(),
            detach_sql: Vec::new(),
            reattach_sql: object.reattach_sql.remaining(0).to_vec(),
            kept_because: None,
            oid: 0,
            needed_by: Vec::new(),
            sized: Vec::new(),
        });
    }
}

/// Refuses to resume a run that wrote rows before its source made a circle: the keys that open the circle are attached.
///
/// # Errors
/// The refusal.
pub fn require_open(plan: &Plan, detached: &[Detached]) -> Result<(), Stop> {
    let is_off = |key: &&CircleKey| detached.iter().any(|o| o.table == key.table && o.object == key.name);
    let Some(key) = plan.circles.iter().flat_map(|circle| &circle.detached).find(|key| !is_off(key)) else {
        return Ok(());
    };
    let reason = format!(
        "{} of {} opens a circle of foreign keys that the run did not have when it began, and rows are written already",
        key.name, key.table
    );
    let advice = "Roll the run back with `migrate rollback`, then begin again.";
    Err(Stop::Refused(vec![Refusal::new("load", reason, advice)]))
}

/// Adds an object in the order in which the catalogue is read. Replaces an object of this name that is reattached already in
/// part.
fn restore(table: &mut TargetTable, shape: Shape) {
    match shape {
        Shape::Trigger(name, enabled) => {
            table.triggers.retain(|(n, _)| *n != name);
            table.triggers.push((name, enabled));
            table.triggers.sort();
        }
        Shape::Foreign(key) => {
            table.foreign.retain(|f| f.name != key.name);
            table.foreign.push(key);
            table.foreign.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Shape::Unique(key) => {
            table.unique.retain(|u| u.name != key.name);
            table.unique.push(key);
            table.unique.sort_by(|a, b| b.primary.cmp(&a.primary).then_with(|| a.name.cmp(&b.name)));
        }
        Shape::Index => {}
    }
}

/// Reattaches what needs an exclusive lock: keys and indexes are built in all lanes at once, the largest first; then the keys
/// become constraints, and foreign keys are added without validation. [`validate`] does the rest. Returns the objects as they
/// are then. `detached`: as the ledger lists them; a step that was done since is skipped.
///
/// Steps with an exclusive lock run one after the other: two lanes that each hold a shared lock of the same table and want
/// an exclusive one would deadlock.
///
/// # Errors
/// The reason for the stop, such as a key that the rows do not allow. Reattached objects stay.
pub fn reattach(job: &Job<'_>, session: &mut Session, run: &Run, detached: &[Detached]) -> Result<Vec<Detached>, Stop> {
    let off = DetachedObjects::of(job, detached);
    if off.is_empty() {
        return Ok(detached.to_vec());
    }
    job.observer.on_event(Event::Step(StepKind::Reattach));
    let (built, finished, added) = (first(&off.keys), rest(&off.keys), first(&off.foreign));
    let units = [&built, &finished, &added].into_iter().flatten().flatten().count() as u64;
    job.observer.on_event(Event::Planned(Extent { units, kind: WorkUnit::Object, rows: None }));
    in_lanes(job, session, run, job.options.jobs, built)?;
    at_once(job, session, run, &finished)?;
    at_once(job, session, run, &added)?;
    let now = |object: &Detached| match object.kind {
        DetachKind::Trigger => object.clone(),
        DetachKind::Foreign => object.clone().after(1),
        _ => object.clone().after(object.reattach_sql.count()),
    };
    Ok(detached.iter().map(now).collect())
}

/// Completes the reattachment in a number of lanes: validates foreign keys and renews statistics, then enables triggers.
/// Neither waits for readers nor blocks them, so that the rows can be verified at the same time. `detached`: the objects as
/// [`reattach`] left them.
///
/// # Errors
/// The reason for the stop, such as an orphan. Reattached objects stay.
pub fn validate(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    detached: &[Detached],
    lanes: usize,
) -> Result<(), Stop> {
    let off = DetachedObjects::of(job, detached);
    in_lanes(job, session, run, lanes, by_table(&off.tables, rest(&off.foreign)))?;
    at_once(job, session, run, &first(&off.triggers))
}

/// The detached objects, those of the largest tables first.
struct DetachedObjects {
    keys: Vec<Detached>,
    foreign: Vec<Detached>,
    triggers: Vec<Detached>,
    /// Tables whose keys, references or indexes the run detached, including reattached ones.
    tables: Vec<String>,
}

impl DetachedObjects {
    fn of(job: &Job<'_>, detached: &[Detached]) -> DetachedObjects {
        let mut all = detached.to_vec();
        all.sort_by_key(|object| std::cmp::Reverse((size(job, &object.table), object.kind)));
        let mut tables: Vec<String> = Vec::new();
        for object in all.iter().filter(|object| object.kind != DetachKind::Trigger) {
            if !tables.contains(&object.table) {
                tables.push(object.table.clone());
            }
        }
        all.retain(|object| !object.reattached);
        let (triggers, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|o| o.kind == DetachKind::Trigger);
        let (foreign, keys) = others.into_iter().partition(|o| o.kind == DetachKind::Foreign);
        DetachedObjects { keys, foreign, triggers, tables }
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.foreign.is_empty() && self.triggers.is_empty()
    }
}

/// Returns the first step of each object, unless it is done.
fn first(objects: &[Detached]) -> Vec<Vec<Step>> {
    objects.iter().filter(|o| o.steps == 0).map(|o| vec![Step::Reattach(o.clone(), 0)]).collect()
}

/// Returns the steps after the first one that are not done.
fn rest(objects: &[Detached]) -> Vec<Vec<Step>> {
    let left = |o: &Detached| (o.steps.max(1)..o.reattach_sql.count()).map(|n| Step::Reattach(o.clone(), n)).collect();
    objects.iter().map(left).collect()
}

/// One task of the reattachment.
enum Step {
    /// A step of an object.
    Reattach(Detached, usize),
    /// The statistics of a table whose indexes are new.
    Analyze(String),
}

fn size(job: &Job<'_>, table: &str) -> u64 {
    job.plan.loads.iter().filter(|l| l.table == table).filter_map(|l| job.sizes.get(&l.name)).sum()
}

/// Returns the remaining steps of each table, in its order, its statistics last.
fn by_table(tables: &[String], steps: Vec<Vec<Step>>) -> Vec<Vec<Step>> {
    let mut lists: Vec<Vec<Step>> = tables.iter().map(|_| Vec::new()).collect();
    for step in steps.into_iter().flatten() {
        let place =
            tables.iter().position(|table| matches!(&step, Step::Reattach(object, _) if object.table == *table));
        if let Some(place) = place {
            lists[place].push(step);
        }
    }
    for (list, table) in lists.iter_mut().zip(tables) {
        list.push(Step::Analyze(table.clone()));
    }
    lists
}

/// Performs short steps one after the other, and waits once for all of them.
fn at_once(job: &Job<'_>, session: &mut Session, run: &Run, tasks: &[Vec<Step>]) -> Result<(), Stop> {
    if job.is_stop_requested() {
        return Err(Stop::Interrupted);
    }
    let steps = tasks.iter().flatten().filter_map(|step| match step {
        Step::Reattach(object, n) => Some((object, *n)),
        Step::Analyze(_) => None,
    });
    let steps: Vec<(&Detached, usize)> = steps.collect();
    if !steps.is_empty() && !session.reattach_in_turn(run, &steps, true)? {
        return Err(Stop::Fenced);
    }
    steps.iter().for_each(|_| job.observer.on_event(Event::Done(StepKind::Reattach)));
    Ok(())
}

fn in_turn(job: &Job<'_>, session: &mut Session, run: &Run, tasks: Vec<Vec<Step>>) -> Result<(), Stop> {
    tasks.iter().flatten().try_for_each(|step| perform(job, session, run, step, true))
}

fn perform(job: &Job<'_>, session: &mut Session, run: &Run, step: &Step, alone: bool) -> Result<(), Stop> {
    if job.is_stop_requested() {
        return Err(Stop::Interrupted);
    }
    match step {
        Step::Reattach(object, n) => {
            if !session.reattach(run, object, *n, alone)? {
                return Err(Stop::Fenced);
            }
        }
        Step::Analyze(table) => session.analyze(&job.plan.schema, table)?,
    }
    job.observer.on_event(Event::Done(StepKind::Reattach));
    Ok(())
}

/// Performs tasks in a number of lanes. The steps of one task stay in one lane.
fn in_lanes(job: &Job<'_>, session: &mut Session, run: &Run, lanes: usize, tasks: Vec<Vec<Step>>) -> Result<(), Stop> {
    let lanes = lanes.min(tasks.len());
    if lanes < 2 {
        return in_turn(job, session, run, tasks);
    }
    // The last task lets the server use parallel workers, because idle lanes leave processors free.
    let queue = TaskQueue::new(tasks);
    job.in_lanes(session, lanes, |session| match session.note_backend(run.id, run.epoch) {
        Ok(()) => {
            queue.work(|task, is_last| task.iter().try_for_each(|step| perform(job, session, run, step, is_last)))
        }
        Err(e) => queue.stop(e.into()),
    });
    queue.finish()
}
