//! Waiting for a server that wakes or comes back: few attempts, backed off, bounded, and told.
//!
//! What may be waited for is said by the error's class; nothing is retried behind the caller's back.

use super::error::ConnectError;
use super::session::ReadOnly;
use super::settings::Settings;
use std::time::{Duration, Instant};

/// How long to try, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The time after which no further attempt begins.
    pub longest: Duration,
    /// Whether to wait for a server that does not answer at all: one that was there before. Otherwise only for one
    /// that says that it is waking, so that a mistyped host is refused at once.
    pub unreachable: bool,
}

impl Patience {
    /// For the first connection: a server that says that it is starting gets this long.
    pub const FIRST: Patience = Patience { longest: Duration::from_secs(60), unreachable: false };
    /// For a connection that was lost: a restart or a switch-over takes its time.
    pub const AGAIN: Patience = Patience { longest: Duration::from_secs(60), unreachable: true };

    fn covers(self, error: &ConnectError) -> bool {
        match error {
            ConnectError::Unreachable(_) => self.unreachable,
            error => error.retry_may_help(),
        }
    }
}

impl Settings {
    /// [`Settings::connect`], again and again while the error's class says that waiting helps. `tell` hears of each
    /// failed attempt and of the pause that follows.
    ///
    /// # Errors
    /// The last attempt's.
    pub fn connect_patiently(
        &self,
        read_only: ReadOnly,
        patience: Patience,
        tell: &mut dyn FnMut(&ConnectError, Duration),
    ) -> Result<postgres::Client, ConnectError> {
        let begin = Instant::now();
        let mut pause = Duration::from_millis(250);
        loop {
            let error = match self.connect(read_only) {
                Ok(client) => return Ok(client),
                Err(e) => e,
            };
            if !patience.covers(&error) || begin.elapsed() + pause > patience.longest {
                return Err(error);
            }
            tell(&error, pause);
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }
}
