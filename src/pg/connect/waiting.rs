//! Repeated attempts to connect to a server that wakes up or restarts: few, with growing pauses, bounded, and reported.
//!
//! The error's class decides if waiting helps. The caller sees every attempt.

use super::error::ConnectError;
use super::session::ReadOnly;
use super::settings::Settings;
use crate::pg::client::Client;
use std::time::{Duration, Instant};

/// The time after which no further attempt begins. Only a server that is not ready is awaited: it reports that, or cuts
/// the connection while it is established. A server that does not answer may be a mistyped host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience(pub Duration);

impl Patience {
    /// The patience for a first connection, long enough for a server that wakes up or starts.
    pub const FIRST: Patience = Patience(Duration::from_secs(60));
    /// One attempt: the caller itself waits and counts.
    pub const NONE: Patience = Patience(Duration::ZERO);
}

impl Settings {
    /// Calls [`Settings::connect`] until it succeeds or waiting no longer helps. `wait` receives the error of each failed
    /// attempt and waits for the given pause. It returns false to end the attempts.
    ///
    /// # Errors
    /// The error of the last attempt.
    pub fn connect_patiently(
        &self,
        read_only: ReadOnly,
        patience: Patience,
        wait: &mut dyn FnMut(&ConnectError, Duration) -> bool,
    ) -> Result<Client, ConnectError> {
        patiently(|| self.connect(read_only), patience, wait)
    }
}

/// Repeats an attempt to connect, as [`Settings::connect_patiently`] describes.
pub(in crate::pg) fn patiently<T>(
    mut attempt: impl FnMut() -> Result<T, ConnectError>,
    patience: Patience,
    wait: &mut dyn FnMut(&ConnectError, Duration) -> bool,
) -> Result<T, ConnectError> {
    let begin = Instant::now();
    let mut pause = Duration::from_millis(250);
    loop {
        let error = match attempt() {
            Ok(done) => return Ok(done),
            Err(e) => e,
        };
        let may_help = error.retry_may_help() && !matches!(error, ConnectError::Unreachable(_));
        if !may_help || begin.elapsed() + pause > patience.0 || !wait(&error, pause) {
            return Err(error);
        }
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}
