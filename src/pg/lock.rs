//! The advisory lock that keeps a second process from working on the same mapping.

use super::error::{Doing, ServerError};
use super::session::Session;

/// The session that holds the run's lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockHolder {
    /// The number of the server's process; 0 if the session ended before it could be looked up.
    pub pid: i32,
    /// The start of its connection, as the server prints it.
    pub since: String,
    /// The address of its client; empty for a socket.
    pub from: String,
}

impl Session {
    /// Takes the session's lock for `key`. Returns the session that holds it if another one does.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn lock(&mut self, key: i64) -> Result<Option<LockHolder>, ServerError> {
        const DOING: &str = "taking the run's lock";
        let taken: bool = self.client.query_one("SELECT pg_try_advisory_lock($1)", &[&key]).doing(DOING)?.get(0);
        if taken {
            self.lock = Some(key);
            // A session that replaces this one must be able to end it.
            self.know_backend()?;
            return Ok(None);
        }
        let row = self.client.query_opt(include_str!("sql/lock_holder.sql"), &[&key]).doing(DOING)?;
        let holder = row.map_or(LockHolder { pid: 0, since: String::new(), from: String::new() }, |row| LockHolder {
            pid: row.get(0),
            since: row.get(1),
            from: row.get(2),
        });
        Ok(Some(holder))
    }
}
