//! Lanes: several readers and connections at work on one plan, each on its own.
//!
//! A load is ready when everything before it in the plan's order is done; its parts go to whichever lane is free, the
//! largest load first. What stops one lane lets the others finish the batch that they are at, and no new one begins.
//! Nothing is decided here about rows; what was done is the ledger's to say.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::convert::Settled;
use crate::event::Event;
use crate::model::cell::RawBuf;
use crate::model::ledger::{PartDone, Run};
use crate::model::record::StepKind;
use crate::pg::Session;
use crate::plan::Node;

use crate::job::Job;
use crate::job::Stop;
use crate::migrate::load::part;
use crate::migrate::load::part::Opened;
use crate::migrate::owner;
use crate::migrate::owner::Owner;

/// Carries the plan out in as many lanes as the job allows, from where the ledger says that the run stopped. The first lane
/// uses the given session.
///
/// # Errors
/// What stopped it. Committed batches stay and are in the ledger.
pub fn run(job: &Job<'_>, session: &mut Session, run: &Run) -> Result<Option<Owner>, Stop> {
    let settled = Settled { now: run.judged.now, owner: None, shifts: run.judged.shifts.clone(), env: job.env.clone() };
    job.observer.on_event(Event::Step(StepKind::Load));
    let parts = part::parts(job, session, run)?;
    let board = Board { job, run, parts, state: Mutex::new(State::new(job, settled)), changed: Condvar::new() };
    thread::scope(|scope| {
        for _ in 1..job.options.jobs {
            scope.spawn(|| board.another_lane());
        }
        board.work(session);
    });
    let mut state = board.lock();
    match state.stop.take() {
        Some(stop) => Err(stop),
        None => Ok(state.owner.take()),
    }
}

/// What lanes agree on.
struct Board<'a> {
    job: &'a Job<'a>,
    run: &'a Run,
    /// Of each load that is wanted, as the ledger had them at the start.
    parts: BTreeMap<String, Vec<PartDone>>,
    state: Mutex<State<'a>>,
    changed: Condvar,
}

struct State<'a> {
    settled: Settled,
    owner: Option<Owner>,
    /// Of each place in the plan's order.
    stages: Vec<Stage>,
    /// Parts that wait for a lane: place, load, part.
    parts: Vec<(usize, Arc<Opened<'a>>, PartDone)>,
    /// Lanes at work.
    busy: usize,
    stop: Option<Stop>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    /// Somebody opens it, or settles the owner.
    Begun,
    /// So many of its parts are not done.
    Parts(usize),
    Done,
}

enum Task<'a> {
    Begin(usize, Settled),
    Part(usize, Arc<Opened<'a>>, PartDone),
}

impl<'a> State<'a> {
    fn new(job: &Job<'_>, settled: Settled) -> State<'a> {
        let stages = vec![Stage::Waiting; job.plan.order.len()];
        State { settled, owner: None, stages, parts: Vec::new(), busy: 0, stop: None }
    }

    fn is_ready(&self, job: &Job<'_>, place: usize) -> bool {
        let done = |before: &usize| *before == place || self.stages[*before] == Stage::Done;
        self.stages[place] == Stage::Waiting && job.plan.after[place].iter().all(done)
    }

    /// The largest thing that can be done now; of equal ones what opens the way to others.
    fn next(&mut self, job: &Job<'_>) -> Option<Task<'a>> {
        let ready = (0..self.stages.len()).rev().filter(|n| self.is_ready(job, *n)).max_by_key(|n| job.size(*n));
        let waiting = (0..self.parts.len()).rev().max_by_key(|n| job.size(self.parts[*n].0));
        match (ready, waiting) {
            (Some(place), Some(part)) if job.size(place) < job.size(self.parts[part].0) => self.take(part),
            (Some(place), _) => {
                self.stages[place] = Stage::Begun;
                Some(Task::Begin(place, self.settled.clone()))
            }
            (None, Some(part)) => self.take(part),
            (None, None) => None,
        }
    }

    fn take(&mut self, part: usize) -> Option<Task<'a>> {
        let (place, opened, part) = self.parts.swap_remove(part);
        Some(Task::Part(place, opened, part))
    }
}

impl<'a> Board<'a> {
    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lane with a connection of its own. Without one the others do its work.
    fn another_lane(&self) {
        match self.job.connections.another() {
            Ok(mut session) => self.work(&mut session),
            Err(e) => self.job.observer.on_event(Event::Said(&format!("one lane less: {e}"))),
        }
    }

    /// Does what there is to do until nothing is left or something stopped.
    fn work(&self, session: &mut Session) {
        let guard = Guard(self);
        let noted = self.job.retrying(session, |s| Ok(s.note_backend(self.run.id, self.run.epoch)?));
        if let Err(stop) = noted {
            self.stopped(stop);
        }
        while let Some(task) = self.next() {
            let done = match &task {
                Task::Begin(place, settled) => self.begin(session, *place, settled),
                Task::Part(place, opened, part) => part::part(self.job, session, self.run, opened, part.clone())
                    .map(|()| self.part_done(*place, opened)),
            };
            self.lock().busy -= 1;
            if let Err(stop) = done {
                self.stopped(stop);
            }
            self.changed.notify_all();
        }
        drop(guard);
    }

    /// The next task, waiting for it while others are at work that may open the way.
    fn next(&self) -> Option<Task<'a>> {
        let mut state = self.lock();
        loop {
            if state.stop.is_some() || self.job.halted.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(task) = state.next(self.job) {
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
                let opened = Arc::new(part::open(self.job, session, self.run, load, settled, parts.clone())?);
                let mut state = self.lock();
                let left: Vec<PartDone> = opened.left().cloned().collect();
                if left.is_empty() {
                    state.stages[place] = Stage::Done;
                    opened.ended(self.job);
                } else {
                    state.stages[place] = Stage::Parts(left.len());
                    state.parts.extend(left.into_iter().map(|part| (place, Arc::clone(&opened), part)));
                }
            }
        }
        Ok(())
    }

    fn part_done(&self, place: usize, opened: &Opened<'_>) {
        let mut state = self.lock();
        if let Stage::Parts(left) = state.stages[place] {
            state.stages[place] = if left > 1 { Stage::Parts(left - 1) } else { Stage::Done };
            if left == 1 {
                opened.ended(self.job);
            }
        }
    }

    /// Notes why a lane stopped; of several reasons the first, faults together.
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

/// Wakes the other lanes when a lane ends by a panic, so that none waits for it for ever.
struct Guard<'b, 'a>(&'b Board<'a>);

impl Drop for Guard<'_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stopped(Stop::Halted);
            self.0.lock().busy = 0;
        }
        self.0.changed.notify_all();
    }
}
