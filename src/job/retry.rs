//! Retries after a lost connection, a deadlock or a lock timeout: a few times, with growing waits, each reported.
//!
//! The caller decides whether an operation may be repeated. Everything that is retried here either changes nothing, writes
//! the same twice, or is guarded by a unique row of the ledger.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::event::{Event, Observer};
use crate::pg::{ServerError, Session};

use super::{Connections, Stop};

/// The policy for lost connections: how to open a new one, and when not to wait.
#[derive(Clone, Copy)]
pub struct Reconnect<'a> {
    /// Opens connections.
    pub connections: &'a dyn Connections,
    /// Receives each attempt.
    pub observer: &'a dyn Observer,
    /// Set when the process was asked to stop. Then no wait continues.
    pub asked: &'a AtomicBool,
}

/// Number of retries in a row before a run gives up. With the waits this is about 32 seconds, which a sleeping server needs
/// to wake and a crashed one to recover.
pub const RETRIES: u32 = 9;
const FIRST_WAIT: Duration = Duration::from_millis(125);
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// Interval at which a wait checks for a stop request.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

impl Reconnect<'_> {
    /// Runs work that may be repeated, until it succeeds or another retry cannot help.
    ///
    /// # Errors
    /// The last error.
    pub fn retrying<T>(
        &self,
        session: &mut Session,
        mut work: impl FnMut(&mut Session) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let mut tries = Tries::default();
        loop {
            match work(session) {
                Err(Stop::Target(e)) if e.retry_may_help() => tries.again(self, session, e)?,
                other => return other,
            }
        }
    }

    fn wait(&self, left: Duration) -> Result<(), Stop> {
        if pause(self.asked, left) { Ok(()) } else { Err(Stop::Interrupted) }
    }
}

/// Sleeps until the time is over or the process is asked to stop. Returns false if it is asked to stop.
pub fn pause(asked: &AtomicBool, mut left: Duration) -> bool {
    while !left.is_zero() && !asked.load(Ordering::Relaxed) {
        let now = left.min(CHECK_INTERVAL);
        std::thread::sleep(now);
        left -= now;
    }
    !asked.load(Ordering::Relaxed)
}

/// Number of retries in a row. A commit begins a new count.
#[derive(Default)]
pub struct Tries(u32);

impl Tries {
    /// Waits, and replaces the connection if it is lost.
    ///
    /// # Errors
    /// The failure itself after the last retry, a connection error that a retry cannot fix, or a request to stop.
    pub fn again(&mut self, reconnect: &Reconnect<'_>, session: &mut Session, failed: ServerError) -> Result<(), Stop> {
        let mut failed = Stop::Target(failed);
        loop {
            let why = match &failed {
                Stop::Target(e) => e.state.clone(),
                Stop::Connect(e) => Some(e.sqlstate().unwrap_or(e.reason()).to_owned()),
                _ => None,
            };
            if self.0 >= reconnect.connections.most_retries() {
                return Err(failed);
            }
            self.0 += 1;
            reconnect
                .observer
                .on_event(Event::Retry { attempt: self.0, why: why.as_deref().unwrap_or("connection lost") });
            reconnect.wait((FIRST_WAIT * 2u32.pow(self.0 - 1)).min(LONGEST_WAIT))?;
            // The server ended a wait for a lock: the connection is intact, and so is the lock that it holds.
            if matches!(&failed, Stop::Target(e) if !e.lost) {
                return Ok(());
            }
            match reconnect.connections.again(session) {
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
