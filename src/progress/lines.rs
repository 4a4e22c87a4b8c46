//! Progress without a terminal: a line every few seconds and at each step.
//!
//! Counting is separate from the clock and from stderr, so that a table can test it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::log::{Verbosity, held, say};
use crate::event::Event;
use crate::model::record::StepKind;
use crate::text::{count, grouped, phrase, printable, rate, seconds};

/// Time between two lines.
const EVERY: Duration = Duration::from_secs(5);

/// Prints the progress until it is dropped. Its thread prints while there is no event, as during a long index build.
pub struct Plain {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    start: Instant,
}

/// The part that the lanes and the thread share.
#[derive(Default)]
struct Shared {
    tally: Mutex<Tally>,
    /// True as soon as the thread is to end.
    stop: Mutex<bool>,
    /// Wakes the thread when it is to end.
    wake: Condvar,
}

impl Plain {
    /// Starts the clock and the thread.
    pub fn start() -> Plain {
        let start = Instant::now();
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        // Without the thread, rows still print lines.
        let thread =
            std::thread::Builder::new().name("progress".to_owned()).spawn(move || tick(&of_thread, start)).ok();
        Plain { shared, thread, start }
    }

    /// Counts an event, and prints the lines that are due.
    pub fn on_event(&self, event: Event<'_>, verbosity: Verbosity) {
        let lines = held(&self.shared.tally).on_event(event, self.start.elapsed(), verbosity);
        lines.iter().for_each(|line| say(line));
    }
}

fn tick(shared: &Shared, start: Instant) {
    let Shared { tally, stop, wake } = shared;
    let mut stopped = held(stop);
    while !*stopped {
        stopped = wake.wait_timeout(stopped, EVERY / 5).unwrap_or_else(PoisonError::into_inner).0;
        let line = if *stopped { None } else { held(tally).line_if_due(start.elapsed()) };
        line.iter().for_each(|line| say(line));
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        *held(&self.shared.stop) = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        held(&self.shared.tally).close(self.start.elapsed()).iter().for_each(|line| say(line));
    }
}

/// The events since the step began.
#[derive(Default)]
struct Tally {
    step: Option<StepKind>,
    began: Duration,
    last_line: Duration,
    ended: u64,
    rows: u64,
    /// Bytes of the copy of a dump that is being loaded.
    copied: u64,
    open: BTreeMap<String, Open>,
}

/// A load at work. Several lanes may begin and end it.
#[derive(Clone, Copy, Default)]
struct Open {
    began: Duration,
    lanes: u32,
    rows: u64,
    total: Option<u64>,
}

impl Tally {
    /// Counts an event at a time after the start. Returns the lines that are due.
    fn on_event(&mut self, event: Event<'_>, now: Duration, verbosity: Verbosity) -> Vec<String> {
        match event {
            Event::Step(step) => {
                let before = self.close(now);
                *self = Tally { step: Some(step), began: now, last_line: now, ..Tally::default() };
                before.into_iter().chain([format!("{} ...", step.shown())]).collect()
            }
            Event::Began { load, rows } => {
                let open = self.open.entry(load.to_owned()).or_insert(Open { began: now, ..Open::default() });
                open.lanes += 1;
                open.total = open.total.or(rows);
                Vec::new()
            }
            Event::Rows { load, rows } => {
                self.rows += rows;
                self.open.entry(load.to_owned()).or_insert(Open { began: now, ..Open::default() }).rows += rows;
                self.line_if_due(now).into_iter().collect()
            }
            Event::RowsLost { load, rows } => {
                self.rows = self.rows.saturating_sub(rows);
                if let Some(open) = self.open.get_mut(load) {
                    open.rows = open.rows.saturating_sub(rows);
                }
                Vec::new()
            }
            Event::Ended { load } => {
                let ended = self.end(load, now);
                ended.filter(|_| verbosity >= Verbosity::Verbose).into_iter().collect()
            }
            Event::Copied { bytes } => {
                self.copied = bytes;
                self.line_if_due(now).into_iter().collect()
            }
            Event::Warned(_) | Event::Retry { .. } | Event::Said(_) => Vec::new(),
        }
    }

    fn end(&mut self, load: &str, now: Duration) -> Option<String> {
        let open = self.open.get_mut(load)?;
        open.lanes = open.lanes.saturating_sub(1);
        if open.lanes > 0 {
            return None;
        }
        let open = self.open.remove(load)?;
        self.ended += 1;
        let took = seconds(now.saturating_sub(open.began).as_secs_f64());
        Some(format!("  {}: {} in {took} s", printable(load), count(open.rows, "row", "rows")))
    }

    /// The last line of the step. `None` if nothing was counted.
    fn close(&self, now: Duration) -> Option<String> {
        let step = self.step.filter(|_| self.ended > 0 || self.rows > 0)?;
        let took = now.saturating_sub(self.began).as_secs_f64();
        let loads = count(self.ended, "load", "loads");
        let rows = count(self.rows, "row", "rows");
        let speed = rate(self.rows, took);
        Some(format!("{}: {loads}, {rows} in {} s, {speed} rows/s", step.shown(), seconds(took)))
    }

    fn line_if_due(&mut self, now: Duration) -> Option<String> {
        if now.saturating_sub(self.last_line) < EVERY {
            return None;
        }
        self.last_line = now;
        Some(self.line(now))
    }

    /// `load: 3 loads done, 1,250,000 rows, 410,000 rows/s; transactions 1,200,000 of 2,000,000, 2 s left`
    fn line(&self, now: Duration) -> String {
        let took = now.saturating_sub(self.began).as_secs_f64();
        let mut line = match self.step {
            Some(step) => step.shown().to_owned(),
            None if self.copied > 0 => copied(self.copied),
            None => "at work".to_owned(),
        };
        // Writing into a string cannot fail.
        let _ = write!(line, ": {:.0} s", took);
        if self.ended > 0 || self.rows > 0 {
            let done = phrase(self.ended, "# load done", "# loads done");
            let _ = write!(line, ", {done}, {}, {} rows/s", count(self.rows, "row", "rows"), rate(self.rows, took));
        }
        for (load, open) in self.open.iter().take(2) {
            let _ = write!(line, "; {} {}", printable(load), open.so_far(now));
        }
        if self.open.len() > 2 {
            let _ = write!(line, "; {} more at work", self.open.len() - 2);
        }
        line
    }
}

/// `loading the dump, 1,234 MiB so far`
pub(super) fn copied(bytes: u64) -> String {
    format!("loading the dump, {} MiB so far", grouped(bytes >> 20))
}

impl Open {
    fn so_far(&self, now: Duration) -> String {
        let Some(total) = self.total else { return grouped(self.rows) };
        let took = now.saturating_sub(self.began).as_secs_f64();
        let left = total.saturating_sub(self.rows);
        let so_far = format!("{} of {}", grouped(self.rows), grouped(total));
        if self.rows == 0 || left == 0 {
            return so_far;
        }
        format!("{so_far}, {:.0} s left", took * left as f64 / self.rows as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(events: &[(f64, Event<'_>)], verbosity: Verbosity) -> (Vec<String>, Tally) {
        let mut tally = Tally::default();
        let lines =
            events.iter().flat_map(|(at, e)| tally.on_event(*e, Duration::from_secs_f64(*at), verbosity)).collect();
        (lines, tally)
    }

    #[test]
    fn a_line_is_printed_every_few_seconds_and_at_each_step() {
        let began = Event::Began { load: "transactions", rows: Some(2_000_000) };
        let rows = |rows| Event::Rows { load: "transactions", rows };
        let events = [
            (0.0, Event::Step(StepKind::Load)),
            (0.0, began),
            (1.0, rows(200_000)),
            (4.0, rows(600_000)),
            (5.0, rows(200_000)),
            (6.0, rows(1_000_000)),
            (8.0, Event::Ended { load: "transactions" }),
            (8.0, Event::Step(StepKind::Sequences)),
        ];
        let (lines, tally) = printed(&events, Verbosity::Usual);
        assert_eq!(
            lines,
            [
                "load ...",
                "load: 5 s, 0 loads done, 1,000,000 rows, 200,000 rows/s; transactions 1,000,000 of 2,000,000, 5 s left",
                "load: 1 load, 2,000,000 rows in 8.00 s, 250,000 rows/s",
                "sequences ...",
            ]
        );
        assert_eq!(tally.close(Duration::from_secs(9)), None);
        assert_eq!(tally.line(Duration::from_secs(70)), "sequences: 62 s");
    }

    #[test]
    fn rows_whose_commit_was_lost_are_counted_once() {
        let rows = |rows| Event::Rows { load: "a", rows };
        let events = [
            (0.0, Event::Step(StepKind::Load)),
            (0.0, Event::Began { load: "a", rows: None }),
            (1.0, rows(200)),
            (1.5, Event::RowsLost { load: "a", rows: 100 }),
            (2.0, rows(100)),
            (3.0, Event::Ended { load: "a" }),
            (3.0, Event::Step(StepKind::Sequences)),
        ];
        let (lines, _) = printed(&events, Verbosity::Usual);
        assert!(lines.iter().any(|line| line.starts_with("load: 1 load, 200 rows in")), "{lines:?}");
    }

    #[test]
    fn a_load_ends_when_its_last_lane_does() {
        let began = Event::Began { load: "a", rows: None };
        let ended = Event::Ended { load: "a" };
        let mut events = vec![(0.0, Event::Step(StepKind::Load)), (0.0, began), (0.1, began)];
        events.extend([(0.2, Event::Rows { load: "a", rows: 3 }), (0.3, ended), (0.4, ended), (0.5, ended)]);
        let (lines, tally) = printed(&events, Verbosity::Verbose);
        assert_eq!(lines, ["load ...", "  a: 3 rows in 0.40 s"]);
        assert_eq!((tally.ended, tally.open.len()), (1, 0));
    }
}
