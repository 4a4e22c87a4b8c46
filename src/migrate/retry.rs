//! Trying again: for lost connections and waking servers alone, few times, backed off, told to the observer.
//!
//! Whether an operation may be repeated is its caller's to know: everything that comes through here either changes
//! nothing, says the same twice, or is guarded by a unique row of the ledger.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::event::{Event, Observer};
use crate::pg::{ServerError, Session};

use super::{Connections, Stop};

/// The way back to the target.
#[derive(Clone, Copy)]
pub struct Line<'a> {
    /// Where connections come from.
    pub connections: &'a dyn Connections,
    /// Who hears of each attempt.
    pub observer: &'a dyn Observer,
    /// Set when the process was asked to stop: then nothing is waited for.
    pub asked: &'a AtomicBool,
}

/// How often in a row something is tried again before a run gives up; with the waits, some 32 seconds, which a server
/// that sleeps needs to wake and one that crashed needs to recover.
const ATTEMPTS: u32 = 9;
const FIRST_WAIT: Duration = Duration::from_millis(125);
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// How long a wait goes on before the process looks whether it was asked to stop.
const LOOK: Duration = Duration::from_millis(50);

/// How often in a row something was tried again. A commit begins a new count.
#[derive(Default)]
pub struct Tries(u32);

impl Tries {
    /// Whether trying again may help: the connection is lost, an old transaction still holds what we wait for, or two lanes
    /// waited for each other over rows with the same key.
    pub fn may_help(e: &ServerError) -> bool {
        e.retry_may_help()
    }

    /// Waits, and makes the connection again where it is lost.
    pub fn again(&mut self, line: &Line<'_>, session: &mut Session, failed: ServerError) -> Result<(), Stop> {
        let mut failed = Stop::Target(failed);
        loop {
            let why = match &failed {
                Stop::Target(e) => e.state.clone(),
                Stop::Connect(e) => Some(e.sqlstate().unwrap_or(e.reason()).to_owned()),
                _ => None,
            };
            if self.0 == ATTEMPTS {
                return Err(failed);
            }
            self.0 += 1;
            line.observer.on_event(Event::Retry { attempt: self.0, why: why.as_deref().unwrap_or("connection lost") });
            wait(line, (FIRST_WAIT * 2u32.pow(self.0 - 1)).min(LONGEST_WAIT))?;
            // Somebody was waited for in vain: the connection is as it was, and so is the lock that it holds.
            if matches!(&failed, Stop::Target(e) if !e.lost) {
                return Ok(());
            }
            match line.connections.again(session) {
                Ok(again) => {
                    *session = again;
                    return Ok(());
                }
                Err(e) if e.retry_may_help() => failed = Stop::Connect(e),
                Err(e) => return Err(Stop::Connect(e)),
            }
        }
    }
}

/// Does something that may be done twice until it is done or trying again helps no more.
///
/// # Errors
/// What stopped it in the end.
pub fn until_done<T>(
    line: &Line<'_>,
    session: &mut Session,
    mut work: impl FnMut(&mut Session) -> Result<T, Stop>,
) -> Result<T, Stop> {
    let mut tries = Tries::default();
    loop {
        match work(session) {
            Err(Stop::Target(e)) if Tries::may_help(&e) => tries.again(line, session, e)?,
            other => return other,
        }
    }
}

/// Sleeps, but not past the word to stop.
fn wait(line: &Line<'_>, mut left: Duration) -> Result<(), Stop> {
    while !left.is_zero() {
        if line.asked.load(Ordering::Relaxed) {
            return Err(Stop::Interrupted);
        }
        let now = left.min(LOOK);
        std::thread::sleep(now);
        left -= now;
    }
    Ok(())
}
