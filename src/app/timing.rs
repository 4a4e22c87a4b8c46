//! Measures the loads of a command, and the work of each lane.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::thread::ThreadId;

use crate::event::{Event, Observer};
use crate::model::record::{LaneSpan, Report, RetryRecord, StepKind};

use super::record::rounded;
use super::world::World;

/// An observer that measures loads and counts their lanes, and passes each event on.
pub struct Timing<'a> {
    world: &'a World,
    next: &'a dyn Observer,
    measured: Mutex<Measured>,
}

/// The steps in which lanes work on loads, each lane in its own thread.
const LANED: [StepKind; 2] = [StepKind::Preflight, StepKind::Load];

#[derive(Default)]
struct Measured {
    step: Option<StepKind>,
    /// The loads are loaded, or read ahead in a dry run: later steps read their rows again.
    is_complete: bool,
    loads: BTreeMap<String, Span>,
    /// The lanes of each load.
    lanes: BTreeMap<String, HashSet<ThreadId>>,
    /// The threads of the load, in the order of their first rows.
    threads: Vec<ThreadId>,
    spans: Vec<(u32, String, Span)>,
    retries: Vec<RetryRecord>,
}

/// Most spans of a report. Beyond that, further work of the lanes is in the times of the loads alone.
const SPANS: usize = 1_000;

impl Measured {
    /// Counts rows of a load that this thread committed. Its span began when the thread's previous one ended.
    fn lane(&mut self, load: &str, at: f64) {
        let thread = std::thread::current().id();
        let lane = self.threads.iter().position(|known| *known == thread).unwrap_or_else(|| {
            self.threads.push(thread);
            self.threads.len() - 1
        });
        let lane = u32::try_from(lane + 1).unwrap_or(u32::MAX);
        let began = self.loads.get(load).map_or(at, |span| span.began);
        match self.spans.iter_mut().rev().find(|(other, ..)| *other == lane) {
            Some((_, of, span)) if of == load => span.ended = at,
            previous => {
                let began = previous.map_or(began, |(_, _, span)| span.ended.max(began));
                if self.spans.len() < SPANS {
                    self.spans.push((lane, load.to_owned(), Span { began, ended: at }));
                }
            }
        }
    }
}

/// Seconds since the start of the command.
#[derive(Clone, Copy)]
struct Span {
    began: f64,
    ended: f64,
}

impl<'a> Timing<'a> {
    /// Passes each event on to `next`.
    pub fn new(world: &'a World, next: &'a dyn Observer) -> Timing<'a> {
        Timing { world, next, measured: Mutex::new(Measured::default()) }
    }

    /// Adds times, lanes and retries to the report. A load that was not loaded has the time of its preflight.
    pub fn complete(&self, report: &mut Report) {
        let measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        for load in &mut report.loads {
            if let Some(span) = measured.loads.get(&load.load) {
                load.started = rounded(span.began);
                load.seconds = rounded(span.ended - span.began);
            }
            if let Some(lanes) = measured.lanes.get(&load.load) {
                load.lanes = u32::try_from(lanes.len()).unwrap_or(u32::MAX);
            }
        }
        report.retries.extend(measured.retries.iter().cloned());
        report.timeline = measured
            .spans
            .iter()
            .map(|(lane, load, span)| LaneSpan {
                lane: *lane,
                load: load.clone(),
                started: rounded(span.began),
                seconds: rounded(span.ended - span.began),
            })
            .collect();
    }
}

impl Observer for Timing<'_> {
    fn on_event(&self, event: Event<'_>) {
        let at = self.world.elapsed();
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Step(step) => {
                // The load measures its loads anew.
                if step == StepKind::Load && measured.step == Some(StepKind::Preflight) {
                    measured.loads.clear();
                    measured.lanes.clear();
                }
                let is_laned = |step: &StepKind| LANED.contains(step);
                measured.is_complete =
                    !is_laned(&step) && (measured.is_complete || measured.step.is_some_and(|s| is_laned(&s)));
                measured.step = Some(step);
            }
            Event::Began { .. } | Event::Rows { .. } | Event::Ended { .. } if measured.is_complete => {}
            Event::Began { load, .. } => {
                measured.loads.entry(load.to_owned()).or_insert(Span { began: at, ended: at });
            }
            Event::Rows { load, .. } | Event::Ended { load } => {
                if let Some(span) = measured.loads.get_mut(load) {
                    span.ended = at;
                }
                if matches!(event, Event::Rows { .. }) && measured.step.is_some_and(|step| LANED.contains(&step)) {
                    measured.lanes.entry(load.to_owned()).or_default().insert(std::thread::current().id());
                }
                if matches!(event, Event::Rows { .. }) && measured.step == Some(StepKind::Load) {
                    measured.lane(load, at);
                }
            }
            Event::Retry { why, .. } => measured.retries.push(RetryRecord { at: rounded(at), why: why.to_owned() }),
            Event::Copied { .. }
            | Event::Planned(_)
            | Event::Done(_)
            | Event::Files(_)
            | Event::RowsLost { .. }
            | Event::Warned(_)
            | Event::Said(_) => {}
        }
        drop(measured);
        self.next.on_event(event);
    }
}
