//! The schedule of the lanes: several readers and connections that work on one plan.
//!
//! A load is ready when everything before it in the plan's order is done. Free lanes take its parts, those of the largest
//! load first. When one lane stops, the others finish their current batch and begin no other. The schedule decides nothing
//! about rows, and only the ledger records what was done.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::convert::Settled;
use crate::event::{Event, Extent, WorkUnit};
use crate::job::{Job, Stop};
use crate::migrate::owner::{self, Owner};
use crate::model::cell::RawBuf;
use crate::model::ledger::{PartDone, Run};
use crate::model::record::StepKind;
use crate::pg::Session;
use crate::plan::Node;

use super::circle::{self, WholeCircle};
use super::direct;
use super::lane::StartedLoad;
use super::part::{self, PartedLoad};
use super::together;

/// Carries the plan out in as many lanes as the job allows, from where the ledger says that the run stopped. The first lane
/// uses the given session.
///
/// # Errors
/// The reason for the stop. Committed batches stay and are in the ledger.
pub fn run(job: &Job<'_>, session: &mut Session, run: &Run) -> Result<Option<Owner>, Stop> {
    let (shifts, env, doubts) = (run.judged.shifts.clone(), job.env.clone(), Arc::clone(&job.doubts));
    let settled = Settled { now: run.judged.now, shifts, env, doubts, ..Settled::default() };
    job.observer.on_event(Event::Step(StepKind::Load));
    let rows = job.plan.loads.iter().map(|load| job.sizes.get(&load.name).copied()).sum();
    job.observer.on_event(Event::Planned(Extent { units: job.plan.loads.len() as u64, kind: WorkUnit::Load, rows }));
    let parts = part::split_loads(job, session, run)?;
    part::advance_drawn(job, session, run, &parts)?;
    let circles = job.plan.circles.iter().filter_map(|circle| circle::whole(job, circle, &parts)).collect();
    let board = Board {
        job,
        run,
        parts,
        sizes: (0..job.plan.order.len()).map(|place| job.size(place)).collect(),
        circles,
        state: Mutex::new(ScheduleState::new(job, settled)),
        changed: Condvar::new(),
    };
    job.in_lanes(session, job.options.jobs, |session| board.work(session));
    let mut state = board.lock();
    match state.stop.take() {
        Some(stop) => Err(stop),
        None => Ok(state.owner.take()),
    }
}

/// The schedule that all lanes share.
struct Board<'a> {
    job: &'a Job<'a>,
    run: &'a Run,
    /// The parts of each wanted load, as the ledger had them at the start.
    parts: BTreeMap<String, Vec<PartDone>>,
    /// The estimated rows of each step of the plan.
    sizes: Vec<u64>,
    /// Circles that are written in one transaction, each in the step of its first load.
    circles: Vec<WholeCircle<'a>>,
    state: Mutex<ScheduleState<'a>>,
    changed: Condvar,
}

/// The state of the schedule.
struct ScheduleState<'a> {
    settled: Settled,
    owner: Option<Owner>,
    /// The stage of each step of the plan.
    stages: Vec<Stage>,
    /// Parts that wait for a lane.
    parts: Vec<WaitingPart<'a>>,
    /// Number of lanes at work.
    busy: usize,
    stop: Option<Stop>,
}

/// A part of a load that is started.
struct WaitingPart<'a> {
    /// The step of the plan.
    place: usize,
    load: Arc<StartedLoad<'a>>,
    part: PartDone,
    /// True if its load may share a transaction.
    may_join: bool,
}

/// The stage of a step of the plan.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    /// A lane starts the load or finds the owner.
    Begun,
    /// The number of its parts that are not done.
    Parts(usize),
    Done,
}

enum Task<'a> {
    /// Starts a step of the plan.
    Begin(usize, Settled),
    /// Loads a part.
    Part(WaitingPart<'a>),
    /// Loads several small loads in one transaction.
    Together(Vec<WaitingPart<'a>>),
}

impl<'a> ScheduleState<'a> {
    fn new(job: &Job<'_>, settled: Settled) -> ScheduleState<'a> {
        let stages = vec![Stage::Waiting; job.plan.order.len()];
        ScheduleState { settled, owner: None, stages, parts: Vec::new(), busy: 0, stop: None }
    }

    fn is_ready(&self, board: &Board<'_>, place: usize) -> bool {
        let done = |before: &usize| *before == place || self.stages[*before] == Stage::Done;
        self.stages[place] == Stage::Waiting && !board.is_led(place) && board.job.plan.after[place].iter().all(done)
    }

    /// Returns the largest task that is ready. Of equal ones, steps come before parts, because others wait for them.
    fn next(&mut self, board: &Board<'_>) -> Option<Task<'a>> {
        let ready = (0..self.stages.len()).rev().filter(|n| self.is_ready(board, *n)).max_by_key(|n| board.sizes[*n]);
        let waiting = (0..self.parts.len()).rev().max_by_key(|n| board.sizes[self.parts[*n].place]);
        match (ready, waiting) {
            (Some(place), Some(part)) if self.goes_before(board, part, place) => Some(self.take(board, part)),
            (Some(place), _) => {
                self.stages[place] = Stage::Begun;
                Some(Task::Begin(place, self.settled.clone()))
            }
            (None, Some(part)) => Some(self.take(board, part)),
            (None, None) => None,
        }
    }

    /// Returns true if a part is loaded before a step begins: it is larger, and no small load that waits for others to share a
    /// transaction with.
    fn goes_before(&self, board: &Board<'_>, part: usize, place: usize) -> bool {
        let joining = || self.parts.iter().filter(|waiting| waiting.may_join).count();
        let waits = self.parts[part].may_join && joining() < together::MOST_LOADS;
        board.sizes[place] < board.sizes[self.parts[part].place] && !waits
    }

    /// Takes a part. If its load is small, takes other small loads, too: the largest that have room, and half of those that
    /// wait at most, so that other lanes have work.
    fn take(&mut self, board: &Board<'_>, part: usize) -> Task<'a> {
        let first = self.parts.swap_remove(part);
        let size = |waiting: &WaitingPart<'_>| board.sizes[waiting.place];
        let mut room = together::most_rows(board.job).saturating_sub(size(&first));
        let joining = self.parts.iter().filter(|waiting| waiting.may_join).count();
        let lanes = board.job.options.jobs.max(1);
        let most = if first.may_join { (joining / lanes).min(together::MOST_LOADS - 1) } else { 0 };
        let mut taken = vec![first];
        while taken.len() <= most {
            let fits = |n: &usize| self.parts[*n].may_join && size(&self.parts[*n]) <= room;
            let Some(next) = (0..self.parts.len()).filter(fits).max_by_key(|n| size(&self.parts[*n])) else { break };
            let next = self.parts.swap_remove(next);
            room -= size(&next);
            taken.push(next);
        }
        match taken.len() {
            1 => Task::Part(taken.remove(0)),
            _ => Task::Together(taken),
        }
    }
}

impl<'a> Board<'a> {
    fn lock(&self) -> MutexGuard<'_, ScheduleState<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Performs tasks until none is left or a lane stopped.
    fn work(&self, session: &mut Session) {
        let guard = WakeOnPanic(self);
        let ready = self.job.retrying(session, |session| {
            session.note_backend(self.run.id, self.run.epoch)?;
            direct::prepare(self.job, session, &self.parts)
        });
        if let Err(stop) = ready {
            self.stopped(stop);
        }
        while let Some(task) = self.next() {
            let done = match &task {
                Task::Begin(place, settled) => self.begin(session, *place, settled),
                Task::Part(waiting) => self.load(session, waiting),
                Task::Together(waiting) => self.load_together(session, waiting),
            };
            self.lock().busy -= 1;
            if let Err(stop) = done {
                self.stopped(stop);
            }
            self.changed.notify_all();
        }
        drop(guard);
    }

    fn load(&self, session: &mut Session, WaitingPart { place, load, part, .. }: &WaitingPart<'_>) -> Result<(), Stop> {
        part::load(self.job, session, self.run, load, part.clone()).map(|()| self.part_done(*place, load))
    }

    /// Loads small loads, in one transaction those for which that is possible.
    fn load_together(&self, session: &mut Session, waiting: &[WaitingPart<'_>]) -> Result<(), Stop> {
        let loads: Vec<&StartedLoad<'_>> = waiting.iter().map(|waiting| &*waiting.load).collect();
        let is_committed = together::load(self.job, session, self.run, &loads)?;
        let (committed, left): (Vec<_>, Vec<_>) =
            waiting.iter().zip(is_committed).partition(|(_, is_committed)| *is_committed);
        committed.iter().for_each(|(waiting, _)| self.part_done(waiting.place, &waiting.load));
        left.iter().try_for_each(|(waiting, _)| self.load(session, waiting))
    }

    /// Returns the next task. Waits while other lanes work on a task that this one may depend on.
    fn next(&self) -> Option<Task<'a>> {
        let mut state = self.lock();
        loop {
            if state.stop.is_some() || self.job.halted.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(task) = state.next(self) {
                state.busy += 1;
                return Some(task);
            }
            if state.busy == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn begin(&self, session: &mut Session, place: usize, settled: &Settled) -> Result<(), Stop> {
        match self.job.plan.order[place] {
            Node::Owner => {
                let owner = owner::settle(self.job, session, self.run, settled)?;
                let mut state = self.lock();
                state.settled.owner = owner.as_ref().map(|o| RawBuf::text(o.key.clone()));
                state.owner = owner;
                state.stages[place] = Stage::Done;
            }
            Node::Load(n) => {
                let load = &self.job.plan.loads[n];
                let Some(parts) = self.parts.get(&load.name) else {
                    self.lock().stages[place] = Stage::Done;
                    return Ok(());
                };
                if let Some(circle) = self.circles.iter().find(|circle| circle.loads[0].load.name == load.name) {
                    circle::load(self.job, session, self.run, settled, circle)?;
                    self.circle_done(circle);
                    return Ok(());
                }
                let parted = PartedLoad { load, parts: parts.clone(), refused: Arc::default() };
                part::announce(self.job, &parted);
                let started = Arc::new(part::start(self.job, session, self.run, settled, parted)?);
                let may_join = together::may_join(self.job, self.run, &started);
                let mut state = self.lock();
                let left: Vec<PartDone> = started.remaining().cloned().collect();
                if left.is_empty() {
                    state.stages[place] = Stage::Done;
                    started.report_end(self.job);
                } else {
                    state.stages[place] = Stage::Parts(left.len());
                    let waiting = |part| WaitingPart { place, load: Arc::clone(&started), part, may_join };
                    state.parts.extend(left.into_iter().map(waiting));
                }
            }
        }
        Ok(())
    }

    fn circle_done(&self, circle: &WholeCircle<'_>) {
        let mut state = self.lock();
        for (place, node) in self.job.plan.order.iter().enumerate() {
            let Node::Load(n) = node else { continue };
            if circle.loads.iter().any(|parted| parted.load.name == self.job.plan.loads[*n].name) {
                state.stages[place] = Stage::Done;
            }
        }
    }

    /// Returns true if the step is done with the first load of a circle.
    fn is_led(&self, place: usize) -> bool {
        let Node::Load(n) = self.job.plan.order[place] else { return false };
        let name = &self.job.plan.loads[n].name;
        self.circles.iter().any(|circle| circle.loads.iter().skip(1).any(|parted| parted.load.name == *name))
    }

    fn part_done(&self, place: usize, started: &StartedLoad<'_>) {
        let mut state = self.lock();
        if let Stage::Parts(left) = state.stages[place] {
            state.stages[place] = if left > 1 { Stage::Parts(left - 1) } else { Stage::Done };
            if left == 1 {
                started.report_end(self.job);
            }
        }
    }

    /// Records the reason for which a lane stopped: the first of several, and all faults together.
    fn stopped(&self, stop: Stop) {
        self.job.halted.store(true, Ordering::Relaxed);
        let mut state = self.lock();
        state.stop = Some(match (state.stop.take(), stop) {
            (Some(Stop::Faults(mut faults)), Stop::Faults(more)) => {
                faults.extend(more);
                Stop::Faults(faults)
            }
            (None | Some(Stop::Halted), stop) => stop,
            (Some(first), _) => first,
        });
    }
}

/// Wakes the other lanes if a lane ends by a panic, so that none waits for it forever.
struct WakeOnPanic<'b, 'a>(&'b Board<'a>);

impl Drop for WakeOnPanic<'_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stopped(Stop::Halted);
            self.0.lock().busy = 0;
        }
        self.0.changed.notify_all();
    }
}
