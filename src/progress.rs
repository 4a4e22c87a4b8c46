//! Progress on stderr: bars on a terminal, a line every few seconds elsewhere, or nothing; and the lines of the log.
//!
//! Observes events and keeps no record. The only file that names indicatif. The abilities of the terminal are arguments.

mod lines;
mod log;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::event::{Event, Observer};
use crate::text::{grouped, phrase, printable, shortened};

use lines::Plain;
use log::{held, log_line, say};

pub use log::Verbosity;

/// The value of `--progress`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Requested {
    /// Bars on a terminal, lines elsewhere.
    #[default]
    Auto,
    /// Bars.
    Bar,
    /// Lines.
    Plain,
    /// Neither.
    None,
}

/// The form of the progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A bar for each load at work and a line for the step.
    Bar,
    /// A line every few seconds.
    Plain,
    /// No progress. The log still prints its lines.
    None,
}

impl Mode {
    /// The form for the requested one. A bar needs a terminal: elsewhere its redrawing would fill a file.
    pub fn resolve(requested: Requested, stderr_is_terminal: bool) -> Mode {
        match (requested, stderr_is_terminal) {
            (Requested::Auto | Requested::Bar, true) => Mode::Bar,
            (Requested::Auto | Requested::Bar, false) | (Requested::Plain, _) => Mode::Plain,
            (Requested::None, _) => Mode::None,
        }
    }
}

/// Columns for the name of a load next to its bar.
const NAME: usize = 24;

/// An observer that shows events on stderr until it is dropped.
pub fn observer(mode: Mode, verbosity: Verbosity) -> impl Observer {
    let mode = if verbosity == Verbosity::Quiet { Mode::None } else { mode };
    let show = match mode {
        Mode::Bar => Show::Bars(Box::new(Mutex::new(Bars::new(ProgressDrawTarget::stderr())))),
        Mode::Plain => Show::Lines(Plain::start()),
        Mode::None => Show::Nothing,
    };
    ProgressObserver { verbosity, show }
}

struct ProgressObserver {
    verbosity: Verbosity,
    show: Show,
}

enum Show {
    Bars(Box<Mutex<Bars>>),
    Lines(Plain),
    Nothing,
}

impl Observer for ProgressObserver {
    fn on_event(&self, event: Event<'_>) {
        let said = log_line(event, self.verbosity);
        match &self.show {
            Show::Bars(bars) => {
                let mut bars = held(bars);
                bars.on_event(event);
                if let Some(line) = said {
                    bars.all.suspend(|| say(&line));
                }
            }
            Show::Lines(lines) => {
                lines.on_event(event, self.verbosity);
                said.iter().for_each(|line| say(line));
            }
            Show::Nothing => said.iter().for_each(|line| say(line)),
        }
    }
}

/// [`Mode::Bar`]: a bar for each load at work, and a line for the step below them.
struct Bars {
    all: MultiProgress,
    step: ProgressBar,
    words: String,
    open: BTreeMap<String, (ProgressBar, u32)>,
    ended: u64,
}

impl Bars {
    fn new(target: ProgressDrawTarget) -> Bars {
        let all = MultiProgress::with_draw_target(target);
        let step = all.add(ProgressBar::no_length());
        step.set_style(style("{spinner} {msg}{rows}, {elapsed}"));
        Bars { all, step, words: String::new(), open: BTreeMap::new(), ended: 0 }
    }

    fn on_event(&mut self, event: Event<'_>) {
        match event {
            Event::Step(step) => {
                self.clear_loads();
                self.words = step.shown().to_owned();
                self.ended = 0;
                self.step.reset();
                self.step.enable_steady_tick(Duration::from_millis(250));
                self.name_step();
            }
            Event::Began { load, rows } => self.begin(load, rows),
            Event::Rows { load, rows } => {
                self.step.inc(rows);
                if let Some((bar, _)) = self.open.get(load) {
                    bar.inc(rows);
                }
            }
            Event::RowsLost { load, rows } => {
                self.step.dec(rows);
                if let Some((bar, _)) = self.open.get(load) {
                    bar.dec(rows);
                }
            }
            Event::Ended { load } => self.end(load),
            Event::Copied { bytes } => {
                self.step.enable_steady_tick(Duration::from_millis(250));
                self.step.set_message(lines::copied(bytes));
            }
            Event::Warned(_) | Event::Retry { .. } | Event::Said(_) => {}
        }
    }

    fn name_step(&self) {
        let done = if self.ended == 0 { String::new() } else { phrase(self.ended, ", # load done", ", # loads done") };
        self.step.set_message(format!("{}{done}", self.words));
    }

    fn begin(&mut self, load: &str, rows: Option<u64>) {
        if let Some((_, lanes)) = self.open.get_mut(load) {
            *lanes += 1;
            return;
        }
        let (bar, template) = match rows {
            Some(rows) => {
                (ProgressBar::new(rows), "  {prefix} {wide_bar} {human_pos:>10}/{human_len:<10} {speed:>14} {left:>9}")
            }
            None => (ProgressBar::no_length(), "  {prefix} {human_pos:>10} rows {speed:>14}"),
        };
        let bar = self.all.insert_before(&self.step, bar);
        bar.set_style(style(template));
        bar.set_prefix(format!("{:<NAME$}", shortened(&printable(load), NAME)));
        self.open.insert(load.to_owned(), (bar, 1));
    }

    fn end(&mut self, load: &str) {
        let Some((bar, lanes)) = self.open.get_mut(load) else { return };
        *lanes -= 1;
        if *lanes > 0 {
            return;
        }
        bar.finish_and_clear();
        self.all.remove(bar);
        self.open.remove(load);
        self.ended += 1;
        self.name_step();
    }

    fn clear_loads(&mut self) {
        for (bar, _) in std::mem::take(&mut self.open).into_values() {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.clear_loads();
        self.step.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    let speed = |state: &ProgressState, to: &mut dyn std::fmt::Write| {
        let _ = write!(to, "{} rows/s", grouped(state.per_sec().round() as u64));
    };
    // A step without rows, such as building indexes, shows none.
    let rows = |state: &ProgressState, to: &mut dyn std::fmt::Write| {
        if state.pos() > 0 {
            let speed = grouped(state.per_sec().round() as u64);
            let _ = write!(to, ", {} rows, {speed} rows/s", grouped(state.pos()));
        }
    };
    let left = |state: &ProgressState, to: &mut dyn std::fmt::Write| {
        let _ = write!(to, "{} s left", state.eta().as_secs());
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style
        .with_key("rows", rows)
        .with_key("speed", speed)
        .with_key("left", left)
        .progress_chars("=> ")
        .tick_chars("|/-\\ ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::StepKind;

    #[test]
    fn a_bar_needs_a_terminal() {
        let table = [
            (Requested::Auto, true, Mode::Bar),
            (Requested::Auto, false, Mode::Plain),
            (Requested::Bar, true, Mode::Bar),
            (Requested::Bar, false, Mode::Plain),
            (Requested::Plain, true, Mode::Plain),
            (Requested::Plain, false, Mode::Plain),
            (Requested::None, true, Mode::None),
            (Requested::None, false, Mode::None),
        ];
        for (requested, terminal, mode) in table {
            assert_eq!(Mode::resolve(requested, terminal), mode, "{requested:?}, terminal: {terminal}");
        }
    }

    #[test]
    fn bars_follow_events_in_any_order() {
        let mut bars = Bars::new(ProgressDrawTarget::hidden());
        let events = [
            Event::Ended { load: "never began" },
            Event::Rows { load: "never began", rows: 1 },
            Event::Step(StepKind::Load),
            Event::Began { load: "a", rows: Some(2) },
            Event::Began { load: "a", rows: Some(2) },
            Event::Began { load: "b", rows: None },
            Event::Rows { load: "a", rows: 5 },
            Event::Ended { load: "a" },
            Event::Ended { load: "a" },
        ];
        events.into_iter().for_each(|e| bars.on_event(e));
        assert_eq!((bars.open.len(), bars.ended, bars.step.position()), (1, 1, 5));
        bars.on_event(Event::Step(StepKind::Verify));
        assert_eq!((bars.open.len(), bars.ended, bars.step.position()), (0, 0, 0));
    }
}
