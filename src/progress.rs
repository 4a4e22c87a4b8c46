//! Progress on stderr: one line that is redrawn in place on a terminal, a line every few seconds elsewhere, or nothing; and
//! the lines of the log.
//!
//! Observes events and keeps no record. The abilities of the terminal are arguments. The line on a terminal never changes
//! its height and is written in one piece, and only if it differs, so that no terminal shows it half drawn.

mod files;
mod log;
mod tally;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::event::{Event, Observer};
use crate::text::broken;

use log::{held, log_line, say, write};
use tally::Tally;

pub use log::Verbosity;

/// The value of `--progress`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Requested {
    /// A bar on a terminal, lines elsewhere.
    #[default]
    Auto,
    /// A bar.
    Bar,
    /// Lines.
    Plain,
    /// Neither.
    None,
}

/// The form of the progress.
#[derive(Clone, Copy, Debug)]
pub enum Mode {
    /// A line that is redrawn in place. The function returns the present columns of the terminal.
    Bar(fn() -> usize),
    /// A line every few seconds.
    Plain,
    /// No progress. The log still prints its lines.
    None,
}

impl Mode {
    /// The form for the requested one. A bar needs a terminal that can erase a line, whose columns the function returns:
    /// elsewhere its redrawing would fill a file.
    pub fn resolve(requested: Requested, terminal: Option<fn() -> usize>) -> Mode {
        match (requested, terminal) {
            (Requested::Auto | Requested::Bar, Some(columns)) => Mode::Bar(columns),
            (Requested::Auto | Requested::Bar, None) | (Requested::Plain, _) => Mode::Plain,
            (Requested::None, _) => Mode::None,
        }
    }
}

/// Time between two drawings of the bar.
const REDRAW: Duration = Duration::from_millis(200);

/// Time between two looks at the clock for a line every few seconds.
const LOOK: Duration = Duration::from_secs(1);

/// Moves to the start of the line and erases it to its end.
const ERASE: &str = "\r\u{1b}[K";

/// True while a bar is on the terminal.
static IS_DRAWN: AtomicBool = AtomicBool::new(false);

/// True once the process ends at once. No bar is drawn any more.
static IS_OVER: AtomicBool = AtomicBool::new(false);

/// Erases the bar before the last message of a process that ends without dropping its observer.
pub fn erase() {
    IS_OVER.store(true, Ordering::SeqCst);
    if IS_DRAWN.swap(false, Ordering::SeqCst) {
        write(ERASE);
    }
}

/// An observer that shows events on stderr until it is dropped.
pub fn observer(mode: Mode, verbosity: Verbosity) -> impl Observer {
    let mode = if verbosity == Verbosity::Quiet { Mode::None } else { mode };
    let shared = Arc::new(Shared { mode, start: Instant::now(), state: Mutex::default(), wake: Condvar::new() });
    let of_thread = Arc::clone(&shared);
    // Without the thread, events still print lines.
    let thread = (!matches!(mode, Mode::None))
        .then(|| std::thread::Builder::new().name("progress".to_owned()).spawn(move || of_thread.tick()).ok())
        .flatten();
    ProgressObserver { verbosity, shared, thread }
}

struct ProgressObserver {
    verbosity: Verbosity,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// The part that the lanes and the thread share. The thread draws while there is no event, as during a long index build.
struct Shared {
    mode: Mode,
    start: Instant,
    state: Mutex<Drawn>,
    /// Wakes the thread when it is to end.
    wake: Condvar,
}

#[derive(Default)]
struct Drawn {
    tally: Tally,
    /// The bar as it is on the terminal.
    bar: String,
    stop: bool,
}

impl Shared {
    fn tick(&self) {
        let every = if let Mode::Bar(_) = self.mode { REDRAW } else { LOOK };
        let mut state = held(&self.state);
        while !state.stop {
            state = self.wake.wait_timeout(state, every).unwrap_or_else(PoisonError::into_inner).0;
            if state.stop {
                return;
            }
            match self.mode {
                Mode::Bar(columns) => self.draw(&mut state, columns(), &[]),
                _ => state.tally.line_if_due(self.start.elapsed()).iter().for_each(|line| say(line)),
            }
        }
    }

    /// Draws the bar anew if it changed, below the lines.
    fn draw(&self, state: &mut Drawn, columns: usize, lines: &[String]) {
        // The last column stays free: a terminal may wrap a line that fills it.
        let bar = state.tally.bar(self.start.elapsed(), columns.saturating_sub(1));
        if IS_OVER.load(Ordering::SeqCst) || bar == state.bar && lines.is_empty() {
            return;
        }
        let above: String = lines.iter().map(|line| broken(line, columns) + "\n").collect();
        write(&format!("{ERASE}{above}{bar}"));
        IS_DRAWN.store(!bar.is_empty(), Ordering::SeqCst);
        state.bar = bar;
    }
}

impl Observer for ProgressObserver {
    fn on_event(&self, event: Event<'_>) {
        let said: Vec<String> = log_line(event, self.verbosity).into_iter().collect();
        let mut state = held(&self.shared.state);
        let counted = state.tally.on_event(event, self.shared.start.elapsed(), self.verbosity);
        match self.shared.mode {
            // The thread draws what was only counted: a lane must not wait for a terminal.
            Mode::Bar(_) if said.is_empty() => {}
            Mode::Bar(columns) => self.shared.draw(&mut state, columns(), &said),
            Mode::Plain => counted.iter().chain(&said).for_each(|line| say(line)),
            Mode::None => said.iter().for_each(|line| say(line)),
        }
    }
}

impl Drop for ProgressObserver {
    fn drop(&mut self) {
        held(&self.shared.state).stop = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let state = held(&self.shared.state);
        match self.shared.mode {
            Mode::Bar(_) if !state.bar.is_empty() && IS_DRAWN.swap(false, Ordering::SeqCst) => write(ERASE),
            Mode::Plain => state.tally.close(self.shared.start.elapsed()).iter().for_each(|line| say(line)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_needs_a_terminal() {
        let columns: fn() -> usize = || 80;
        let bar = Mode::Bar(columns);
        let table = [
            (Requested::Auto, Some(columns), bar),
            (Requested::Auto, None, Mode::Plain),
            (Requested::Bar, Some(columns), bar),
            (Requested::Bar, None, Mode::Plain),
            (Requested::Plain, Some(columns), Mode::Plain),
            (Requested::Plain, None, Mode::Plain),
            (Requested::None, Some(columns), Mode::None),
            (Requested::None, None, Mode::None),
        ];
        for (requested, terminal, mode) in table {
            let is_same = std::mem::discriminant(&Mode::resolve(requested, terminal)) == std::mem::discriminant(&mode);
            assert!(is_same, "{requested:?}, terminal: {}", terminal.is_some());
        }
    }
}
