//! Further connections of a migration to its target, and the one that replaces a lost one.

use crate::job::{Connections, RETRIES};
use crate::pg::Session;
use crate::pg::connect::{ConnectError, Patience};

use super::connect::lost_again;
use super::session::Migration;

impl Connections for Migration<'_> {
    fn another(&self) -> Result<Session, ConnectError> {
        self.reopened(Patience::NONE)
    }

    fn most_retries(&self) -> u32 {
        if self.is_own_server() { 2 } else { RETRIES }
    }

    /// Tries once, because the caller waits and counts itself.
    fn again(&self, lost: &Session) -> Result<Session, ConnectError> {
        let mut session = self.another()?;
        match session.replace(lost).map_err(lost_again)? {
            None => Ok(session),
            // The server may not have noticed yet that the previous connection is lost.
            Some(holder) => Err(ConnectError::lost("the run's lock is held", holder.to_string())),
        }
    }
}
