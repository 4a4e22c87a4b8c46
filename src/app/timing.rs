//! When each load began and ended, by the rim's clock, and in how many lanes: the core only says that something happened.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::thread::ThreadId;

use crate::event::{Event, Observer};
use crate::model::record::{Report, RetryRecord, StepKind};

use super::World;

/// Hears everything, notes times, and passes it on.
pub struct Timing<'a> {
    world: &'a World,
    next: &'a dyn Observer,
    noted: Mutex<Noted>,
}

/// The steps in which lanes work on loads, each a thread.
const LANED: [StepKind; 2] = [StepKind::Preflight, StepKind::Load];

#[derive(Default)]
struct Noted {
    step: Option<StepKind>,
    loads: BTreeMap<String, Span>,
    /// The lanes that rows of each load went through.
    lanes: BTreeMap<String, HashSet<ThreadId>>,
    retries: Vec<RetryRecord>,
}

/// Seconds after the command's start.
#[derive(Clone, Copy)]
struct Span {
    began: f64,
    ended: f64,
}

impl<'a> Timing<'a> {
    /// Stands before another listener.
    pub fn new(world: &'a World, next: &'a dyn Observer) -> Timing<'a> {
        Timing { world, next, noted: Mutex::new(Noted::default()) }
    }

    /// Completes the report's loads and retries. Without loading, a load's time is that of reading ahead.
    pub fn complete(&self, report: &mut Report) {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        for load in &mut report.loads {
            if let Some(span) = noted.loads.get(&load.load) {
                load.started = rounded(span.began);
                load.seconds = rounded(span.ended - span.began);
            }
            if let Some(lanes) = noted.lanes.get(&load.load) {
                load.lanes = u32::try_from(lanes.len()).unwrap_or(u32::MAX);
            }
        }
        report.retries.extend(noted.retries.iter().cloned());
    }
}

impl Observer for Timing<'_> {
    fn on_event(&self, event: Event<'_>) {
        let at = self.world.elapsed();
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Step(step) => {
                // A later step that names loads again starts their time anew.
                if step == StepKind::Load && noted.step == Some(StepKind::Preflight) {
                    noted.loads.clear();
                    noted.lanes.clear();
                }
                noted.step = Some(step);
            }
            Event::Began { load, .. } => {
                noted.loads.entry(load.to_owned()).or_insert(Span { began: at, ended: at });
            }
            Event::Rows { load, .. } | Event::Ended { load } => {
                if let Some(span) = noted.loads.get_mut(load) {
                    span.ended = at;
                }
                if matches!(event, Event::Rows { .. }) && noted.step.is_some_and(|step| LANED.contains(&step)) {
                    noted.lanes.entry(load.to_owned()).or_default().insert(std::thread::current().id());
                }
            }
            Event::Retry { why, .. } => noted.retries.push(RetryRecord { at: rounded(at), why: why.to_owned() }),
            Event::Warned(_) | Event::Said(_) => {}
        }
        drop(noted);
        self.next.on_event(event);
    }
}

/// Milliseconds are all that a report shows.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
