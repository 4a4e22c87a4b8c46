//! Waiting for a server that wakes or comes back: few attempts, backed off, bounded, and told.
//!
//! What may be waited for is said by the error's class; nothing is retried behind the caller's back.

use super::error::ConnectError;
use super::session::ReadOnly;
use super::settings::Settings;
use std::time::{Duration, Instant};

/// The time after which no further attempt begins. What is waited for is a server that says, or shows by cutting the
/// connection while it is made, that it is not ready; one that does not answer at all may be a mistyped host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience(pub Duration);

impl Patience {
    /// For a first connection: a server that sleeps or starts gets this long.
    pub const FIRST: Patience = Patience(Duration::from_secs(60));
    /// One attempt: the caller waits and counts.
    pub const NONE: Patience = Patience(Duration::ZERO);
}

impl Settings {
    /// [`Settings::connect`], again and again while the error's class says that waiting helps. `wait` hears of each failed
    /// attempt and waits out the pause that follows; where it says `false`, that was the last attempt.
    ///
    /// # Errors
    /// The last attempt's.
    pub fn connect_patiently(
        &self,
        read_only: ReadOnly,
        patience: Patience,
        wait: &mut dyn FnMut(&ConnectError, Duration) -> bool,
    ) -> Result<postgres::Client, ConnectError> {
        let begin = Instant::now();
        let mut pause = Duration::from_millis(250);
        loop {
            let error = match self.connect(read_only) {
                Ok(client) => return Ok(client),
                Err(e) => e,
            };
            let may_help = error.retry_may_help() && !matches!(error, ConnectError::Unreachable(_));
            if !may_help || begin.elapsed() + pause > patience.0 || !wait(&error, pause) {
                return Err(error);
            }
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }
}
