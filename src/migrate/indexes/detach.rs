//! Taking off what the plan names, once, before the first row; putting it all back behind the last.
//!
//! How a statement reads is the catalogue's and the ledger's knowledge; here it is only when, and on which tables it pays.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::model::ledger::Run;
use crate::model::record::StepKind;
use crate::model::schema::{DetachKind, Detachable, ForeignKey, TargetSchema, TargetTable, TargetUnique};
use crate::pg::Session;
use crate::pg::detach::Detached;
use crate::plan::{Detach, Detaching, LoadPlan};
use crate::sqlite::Reader;

use crate::job::Job;
use crate::job::Reconnect;
use crate::job::Stop;
use crate::migrate::indexes::index_width::Widths;

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

/// What is known of the rows to come, as far as it decides what goes.
pub struct ToCome<'a> {
    /// `--detach`.
    pub how: Detaching,
    /// Rows to come into a table.
    pub rows: &'a dyn Fn(&str) -> u64,
    /// Where they come from.
    pub reader: &'a Reader,
    /// The loads that bring them.
    pub loads: &'a [LoadPlan],
}

/// Takes off what the plan names: triggers everywhere, the rest of tables with [`WORTH_IT`] rows to come. What a row may be
/// too large for stays on: the server then refuses that row.
///
/// # Errors
/// When the target refuses; then nothing is off. When the run was taken over, the target is gone or the source cannot be read.
pub fn detach_objects(
    (reconnect, session): (&Reconnect<'_>, &mut Session),
    run: &Run,
    detach: &Detach,
    target: &TargetSchema,
    to_come: &ToCome<'_>,
) -> Result<(), Stop> {
    let worth_it = |object: &Detachable| {
        let is_all = object.kind == DetachKind::Trigger || to_come.how == Detaching::Always;
        is_all || (to_come.rows)(&object.table) >= WORTH_IT
    };
    let mut off: Vec<&Detachable> = detach.off.iter().filter(|object| worth_it(object)).collect();
    let widths = Widths::of(to_come.reader, to_come.loads, &off)?;
    off.retain(|object| {
        let fits = widths.fit(object);
        if !fits {
            let (table, name) = (&object.table, &object.object);
            reconnect
                .observer
                .on_event(Event::Said(&format!("{table}.{name} stays on: a row may be too large for it")));
        }
        fits
    });
    // A key stays on where a foreign key stands on it that stays on, of a smaller table.
    let gone: Vec<i64> = off.iter().map(|object| object.oid).collect();
    off.retain(|object| object.needed_by.iter().all(|oid| gone.contains(oid)));
    if off.is_empty() {
        return Ok(());
    }
    let shaped: Vec<(&Detachable, String)> = off.into_iter().map(|object| (object, shape(object, target))).collect();
    let taken = reconnect.retrying(session, |session| Ok(session.detach_objects(run, &shaped)?))?;
    if taken { Ok(()) } else { Err(Stop::Fenced) }
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
    for object in detached.iter().filter(|object| !object.reattached) {
        if let (Some(table), Ok(shape)) = (target.tables.get_mut(&object.table), serde_json::from_str(&object.shape)) {
            put_in(table, shape);
        }
    }
}

/// Adds an object in the order in which the catalogue is read; in place of what stands there under its name while it is
/// on its way back.
fn put_in(table: &mut TargetTable, shape: Shape) {
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

/// Puts back what locks a table against everything: keys and indexes are built in all lanes at once, the largest first;
/// then the keys become constraints, and the foreign keys follow, not validated yet. [`validate`] does the rest.
///
/// The steps that lock a table against everything run one after the other: two lanes that each hold a share of the same
/// table and both want it whole would wait for each other.
///
/// # Errors
/// What stopped it, such as a key that the rows do not allow; what is back stays back.
pub fn reattach(job: &Job<'_>, session: &mut Session, run: &Run) -> Result<(), Stop> {
    let off = Off::of(job, session, run)?;
    if off.is_empty() {
        return Ok(());
    }
    job.observer.on_event(Event::Step(StepKind::Reattach));
    in_lanes(job, session, (run, job.options.jobs), first(&off.keys))?;
    in_turn(job, session, run, rest(&off.keys))?;
    in_turn(job, session, run, first(&off.foreign))
}

/// Ends the way back in so many lanes: foreign keys are validated and statistics renewed, then triggers fire again. Waits
/// for no reader and keeps none waiting, so that the rows can be verified at the same time.
///
/// # Errors
/// What stopped it, such as a reference that ends nowhere; what is back stays back.
pub fn validate(job: &Job<'_>, session: &mut Session, run: &Run, lanes: usize) -> Result<(), Stop> {
    let off = Off::of(job, session, run)?;
    in_lanes(job, session, (run, lanes), by_table(&off.tables, rest(&off.foreign)))?;
    in_turn(job, session, run, first(&off.triggers))
}

/// What is off, the largest tables first.
struct Off {
    keys: Vec<Detached>,
    foreign: Vec<Detached>,
    triggers: Vec<Detached>,
    /// Tables whose keys, references or indexes the run took off, those that are back among them.
    tables: Vec<String>,
}

impl Off {
    fn of(job: &Job<'_>, session: &mut Session, run: &Run) -> Result<Off, Stop> {
        let mut all = session.detached(run.id)?;
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
        Ok(Off { keys, foreign, triggers, tables })
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.foreign.is_empty() && self.triggers.is_empty()
    }
}

/// The first step of each object, where it is not done.
fn first(objects: &[Detached]) -> Vec<Vec<Step>> {
    objects.iter().filter(|o| o.steps == 0).map(|o| vec![Step::Take(o.clone(), 0)]).collect()
}

/// The steps behind the first one that are not done.
fn rest(objects: &[Detached]) -> Vec<Vec<Step>> {
    let left = |o: &Detached| (o.steps.max(1)..o.reattach_sql.len()).map(|n| Step::Take(o.clone(), n)).collect();
    objects.iter().map(left).collect()
}

/// One thing to do on the way back.
enum Step {
    /// A step of an object.
    Take(Detached, usize),
    /// Statistics of a table whose indexes are new.
    Analyze(String),
}

fn size(job: &Job<'_>, table: &str) -> u64 {
    job.plan.loads.iter().filter(|l| l.table == table).filter_map(|l| job.sizes.get(&l.name)).sum()
}

/// What is left to do for each table, in its order, its statistics last.
fn by_table(tables: &[String], steps: Vec<Vec<Step>>) -> Vec<Vec<Step>> {
    let mut lists: Vec<Vec<Step>> = tables.iter().map(|_| Vec::new()).collect();
    for step in steps.into_iter().flatten() {
        let place = tables.iter().position(|table| matches!(&step, Step::Take(object, _) if object.table == *table));
        if let Some(place) = place {
            lists[place].push(step);
        }
    }
    for (list, table) in lists.iter_mut().zip(tables) {
        list.push(Step::Analyze(table.clone()));
    }
    lists
}

fn in_turn(job: &Job<'_>, session: &mut Session, run: &Run, tasks: Vec<Vec<Step>>) -> Result<(), Stop> {
    tasks.iter().flatten().try_for_each(|step| take(job, session, run, step, true))
}

fn take(job: &Job<'_>, session: &mut Session, run: &Run, step: &Step, alone: bool) -> Result<(), Stop> {
    if job.is_asked() {
        return Err(Stop::Interrupted);
    }
    match step {
        Step::Take(object, n) => Ok(session.reattach(run.id, object, *n, alone)?),
        Step::Analyze(table) => Ok(session.analyze(&job.plan.schema, table)?),
    }
}

/// Tasks in so many lanes; the steps of one task stay in one lane.
fn in_lanes(
    job: &Job<'_>,
    session: &mut Session,
    (run, lanes): (&Run, usize),
    tasks: Vec<Vec<Step>>,
) -> Result<(), Stop> {
    let lanes = lanes.min(tasks.len());
    if lanes < 2 {
        return in_turn(job, session, run, tasks);
    }
    let waiting = Mutex::new(tasks.into_iter());
    let stopped = Mutex::new(None);
    // The last task lets the server use parallel workers: a lane that finds nothing more to do leaves a processor free.
    let next = || {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.next().map(|task| (task, waiting.len() == 0))
    };
    let stop = |stop: Stop| {
        stopped.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(stop);
    };
    let work = |session: &mut Session| {
        while stopped.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            let Some((task, last)) = next() else { return };
            if let Err(e) = task.iter().try_for_each(|step| take(job, session, run, step, last)) {
                stop(e);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..lanes {
            scope.spawn(|| match job.connections.another() {
                Ok(mut session) => match session.note_backend(run.id, run.epoch) {
                    Ok(()) => work(&mut session),
                    Err(e) => stop(e.into()),
                },
                Err(e) => job.observer.on_event(Event::Said(&format!("one lane less: {e}"))),
            });
        }
        work(session);
    });
    stopped.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}
