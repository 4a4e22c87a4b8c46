//! The end of a process that is asked to stop.
//!
//! A command runs on a thread of its own. The main thread waits for its end or for a signal. A signal sets a flag, which the
//! command checks between rows, statements and attempts: then it stops by itself and reports. A command that waits where no
//! flag is checked, such as in opening a pipe or for an answer, is cut short: the main thread reports the state that is left,
//! removes every temporary file and ends the process. That is as safe as `kill -9`, because all state is in the ledger.
//! A panic ends the process in the same way, on the thread that panicked.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use crate::exit::Exit;
use crate::private;
use crate::report::ReportFile;

use super::output::say;

/// Time that a command has to stop by itself. With the removal of its files the process ends within a second.
const GRACE: Duration = Duration::from_millis(700);

/// Time for the last message. A terminal or a pipe that takes no output must not keep the process.
const LAST_WORDS: Duration = Duration::from_millis(150);

/// Time to remove temporary files after a panic: the thread that panicked may hold a lock that the removal needs.
const REMOVAL: Duration = Duration::from_secs(5);

/// Stack of the thread of a command: that of a main thread.
const STACK: usize = 8 << 20;

/// The state that a command leaves if it is cut short now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leaves {
    /// Nothing was written.
    #[default]
    Nothing,
    /// Only the rehearsal's own server was written to.
    Rehearsal,
    /// Only the rehearsal's own database was written to.
    RehearsalDatabase,
    /// The tables of `--create` may be committed.
    Tables,
    /// Batches may be committed.
    Batches,
    /// Files of a fleet may be committed.
    Files,
    /// The one transaction of a rollback may be committed.
    Rollback,
}

impl Leaves {
    /// The state in words, with the next step.
    pub fn words(self) -> &'static str {
        match self {
            Leaves::Nothing => "Nothing was written.",
            Leaves::Rehearsal => "Nothing was written outside the rehearsal's own server, which is removed.",
            Leaves::RehearsalDatabase => "Nothing was written outside the rehearsal's own database, which is dropped.",
            Leaves::Tables => {
                "At most the tables of --create were made, and the ledger notes them. The same command continues, and \
                 `migrate rollback --yes` drops them."
            }
            Leaves::Batches => {
                "Committed batches are whole and recorded in the ledger. The same command resumes after them."
            }
            Leaves::Files => {
                "Each file is in the target as a whole or not at all. The same command continues; the files that this process \
                 had taken wait for half a minute."
            }
            Leaves::Rollback => {
                "The run is rolled back completely or not at all: `migrate status` reports which. The same command tries again."
            }
        }
    }
}

/// Everything that the last message of a command needs that is cut short.
#[derive(Default)]
pub struct Ending {
    leaves: Mutex<Leaves>,
    /// The files of `--report`, until they are written.
    files: Mutex<Vec<ReportFile>>,
    /// The reporter of the end: 0 for none yet.
    reporter: AtomicU8,
    /// Milliseconds that the command has to stop by itself, if more than [`GRACE`].
    grace: AtomicU64,
}

const COMMAND: u8 = 1;
const MAIN_THREAD: u8 = 2;

impl Ending {
    /// Notes the state that the command leaves from now on.
    pub fn note(&self, leaves: Leaves) {
        *self.leaves.lock().unwrap_or_else(PoisonError::into_inner) = leaves;
    }

    /// The state that the command leaves.
    pub fn leaves(&self) -> Leaves {
        *self.leaves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the command this time to stop by itself after a signal, if it is more than usual. A second signal ends it at once.
    pub fn allow(&self, grace: Duration) {
        self.grace.store(u64::try_from(grace.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn grace(&self) -> Duration {
        GRACE.max(Duration::from_millis(self.grace.load(Ordering::Relaxed)))
    }

    /// Keeps the files of `--report` until the end.
    pub fn keep(&self, files: Vec<ReportFile>) {
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files;
    }

    /// Returns true if a file of `--report` takes lines.
    pub fn takes_lines(&self) -> bool {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).iter().any(ReportFile::takes_lines)
    }

    /// Adds lines to the files of `--report` that take them.
    pub fn add_lines(&self, lines: &str) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.iter_mut().filter(|file| file.takes_lines()).for_each(|file| file.add_lines(lines));
    }

    /// Takes the files of `--report`.
    pub fn take_files(&self) -> Vec<ReportFile> {
        std::mem::take(&mut self.files.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The command is about to report its end. Waits for the end of the process if the main thread already reports that the
    /// command is cut short.
    pub fn begin_report(&self) {
        while !self.claims(COMMAND) {
            thread::park();
        }
    }

    fn claims(&self, reporter: u8) -> bool {
        let claimed = self.reporter.compare_exchange(0, reporter, Ordering::SeqCst, Ordering::SeqCst);
        claimed.is_ok() || claimed == Err(reporter)
    }
}

/// A reason for which the main thread wakes up.
enum Wake {
    /// A signal.
    Asked,
    /// The command ended, or it panicked.
    Ended,
}

/// Sends [`Wake::Ended`] when it is dropped.
struct WakesAtEnd(Sender<Wake>);

impl Drop for WakesAtEnd {
    fn drop(&mut self) {
        let _ = self.0.send(Wake::Ended);
    }
}

/// Runs a command until it ends or is cut short. `asked` is set at the first signal. `last_words` reports a command that is
/// cut short.
///
/// # Panics
/// Continues a panic of the command.
pub fn supervised(
    ending: &Ending,
    asked: &Arc<AtomicBool>,
    work: impl FnOnce() -> Exit + Send,
    last_words: impl FnOnce() + Send,
) -> Exit {
    let (sender, wakes) = mpsc::channel();
    if let Err(e) = listen(Arc::clone(asked), sender.clone()) {
        say(&format!("signals cannot be handled ({e}); Ctrl-C ends the process at once"));
    }
    thread::scope(|scope| {
        let guard = WakesAtEnd(sender);
        let command = thread::Builder::new().name("command".to_owned()).stack_size(STACK);
        let command = command.spawn_scoped(scope, move || {
            let _guard = guard;
            work()
        });
        let command = match command {
            Ok(command) => command,
            Err(e) => {
                say(&format!("no thread can be started ({e}); free memory, or raise the limit on processes"));
                return Exit::Bug;
            }
        };
        if !ends_by_itself(ending, &wakes) {
            let (done, reported) = mpsc::channel();
            let speaker = thread::Builder::new().spawn_scoped(scope, move || {
                if ending.claims(MAIN_THREAD) {
                    last_words();
                }
                let _ = done.send(());
            });
            let _in_time = speaker.map(|_| reported.recv_timeout(LAST_WORDS));
            private::remove_all();
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
        command.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Removes every temporary file and ends the process, from any thread.
pub fn at_once(exit: Exit) -> ! {
    let (done, removed) = mpsc::channel();
    let remover = thread::Builder::new().spawn(move || {
        private::remove_all();
        let _ = done.send(());
    });
    let _in_time = remover.map(|_| removed.recv_timeout(REMOVAL));
    std::process::exit(i32::from(exit.code()))
}

/// Waits for the end of the command. Returns false if it does not end soon after a signal, or if a second signal arrives.
fn ends_by_itself(ending: &Ending, wakes: &Receiver<Wake>) -> bool {
    match wakes.recv() {
        Ok(Wake::Asked) => {
            !matches!(wakes.recv_timeout(ending.grace()), Ok(Wake::Asked) | Err(RecvTimeoutError::Timeout))
        }
        _ => true,
    }
}

/// Listens to the signals that ask a process to end, except to SIGHUP if the process was started to outlive its terminal.
fn listen(asked: Arc<AtomicBool>, wakes: Sender<Wake>) -> io::Result<()> {
    let mut signals = vec![SIGINT, SIGTERM, SIGQUIT];
    if !is_ignored(SIGHUP) {
        signals.push(SIGHUP);
    }
    let mut signals = Signals::new(signals)?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in signals.forever() {
            asked.store(true, Ordering::Relaxed);
            if wakes.send(Wake::Asked).is_err() {
                return;
            }
        }
    })?;
    // A file that reaches its size limit fails the write, like a full disk. The signal must not end the process.
    flag::register(SIGXFSZ, Default::default())?;
    Ok(())
}

/// Returns true if the parent ignores this signal for the process, as `nohup` does. False if that cannot be read.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (signal - 1)) != 0
}
