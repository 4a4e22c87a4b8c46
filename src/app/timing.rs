//! When each load began and ended, by the rim's clock: the core only says that it did.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::event::{Event, Watch};
use crate::model::record::{Report, RetryRecord};

use super::World;

/// Hears everything, notes times, and passes it on.
pub struct Timing<'a> {
    world: &'a World,
    next: &'a dyn Watch,
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    step: String,
    loads: BTreeMap<String, Span>,
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
    pub fn new(world: &'a World, next: &'a dyn Watch) -> Timing<'a> {
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
        }
        report.retries.extend(noted.retries.iter().cloned());
    }
}

impl Watch for Timing<'_> {
    fn hear(&self, event: Event<'_>) {
        let at = self.world.elapsed();
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Step(step) => {
                // A later step that names loads again starts their time anew.
                if step == "load" && noted.step == "read ahead" {
                    noted.loads.clear();
                }
                noted.step = step.to_owned();
            }
            Event::Began { load, .. } => {
                noted.loads.entry(load.to_owned()).or_insert(Span { began: at, ended: at });
            }
            Event::Rows { load, .. } | Event::Ended { load } => {
                if let Some(span) = noted.loads.get_mut(load) {
                    span.ended = at;
                }
            }
            Event::Retry { why, .. } => noted.retries.push(RetryRecord { at: rounded(at), why: why.to_owned() }),
            Event::Warned(_) | Event::Said(_) => {}
        }
        drop(noted);
        self.next.hear(event);
    }
}

/// Milliseconds are all that a report shows.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
