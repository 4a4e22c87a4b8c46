//! The server's processes that work for a run: noted in the ledger, so that they can be ended when their clients are gone.
//!
//! A process is known by its number and its start, since the server gives numbers out again.

use std::time::Duration;

use super::error::{Doing, ServerError};
use super::lock::LockHolder;
use super::session::Session;

const NOTING: &str = "noting the connection in the ledger";
const ENDING: &str = "ending a connection of before";

/// How long an ended process may take to be gone: looked at so often, with such a pause.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// One process of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    pub(super) pid: i32,
    pub(super) started: String,
}

impl Backend {
    /// Its number.
    pub fn pid(&self) -> i32 {
        self.pid
    }
}

impl LockHolder {
    /// Its process; none where it was gone before it could be looked at.
    pub fn backend(&self) -> Option<Backend> {
        (self.pid != 0).then(|| Backend { pid: self.pid, started: self.since.clone() })
    }
}

impl Session {
    /// Notes the server's process of this session as one that works for the run.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn note_backend(&mut self, run: i64, epoch: i32) -> Result<(), ServerError> {
        let sql: &str = &self.ledger.sql(
            "INSERT INTO :ledger.backend (run, epoch, pid, started) SELECT $1, $2, pid, backend_start \
                   FROM pg_catalog.pg_stat_activity WHERE pid = pg_backend_pid() AND backend_start IS NOT NULL \
                   ON CONFLICT DO NOTHING",
        );
        self.client.execute(sql, &[&run, &epoch]).doing(NOTING)?;
        self.know_backend()
    }

    /// Looks which of the server's processes serves this session.
    pub(super) fn know_backend(&mut self) -> Result<(), ServerError> {
        let sql = "SELECT pid, backend_start::text FROM pg_catalog.pg_stat_activity \
                   WHERE pid = pg_backend_pid() AND backend_start IS NOT NULL";
        let row = self.client.query_opt(sql, &[]).doing(NOTING)?;
        self.backend = row.map(|row| Backend { pid: row.get(0), started: row.get(1) });
        Ok(())
    }

    /// Ends what the server still does for a session that was lost, and takes its lock over. Gives who holds the lock,
    /// where it is held.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn replace(&mut self, lost: &Session) -> Result<Option<LockHolder>, ServerError> {
        // From here on this one, too, can be ended by the next.
        self.know_backend()?;
        if let Some(backend) = &lost.backend {
            self.end_backends(std::slice::from_ref(backend))?;
        }
        match lost.lock {
            Some(key) => self.lock(key),
            None => Ok(None),
        }
    }

    /// The server's processes that work for a run still, this session's own not counted.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn backends(&mut self, run: i64) -> Result<Vec<Backend>, ServerError> {
        let sql: &str = &self.ledger.sql(
            "SELECT a.pid, a.backend_start::text FROM :ledger.backend b \
                   JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid AND a.backend_start = b.started \
                   WHERE b.run = $1 AND a.pid <> pg_backend_pid() ORDER BY a.backend_start",
        );
        let rows = self.client.query(sql, &[&run]).doing("reading the ledger")?;
        Ok(rows.iter().map(|row| Backend { pid: row.get(0), started: row.get(1) }).collect())
    }

    /// Ends these processes and waits until they are gone.
    ///
    /// # Errors
    /// When the server refuses, one does not go, or the connection is lost.
    pub fn end_backends(&mut self, backends: &[Backend]) -> Result<(), ServerError> {
        let pids: Vec<i32> = backends.iter().map(|b| b.pid).collect();
        let starts: Vec<&str> = backends.iter().map(|b| b.started.as_str()).collect();
        let there = "FROM unnest($1::int4[], $2::text[]) AS old (pid, started) \
                     JOIN pg_catalog.pg_stat_activity a ON a.pid = old.pid AND a.backend_start = old.started::timestamptz";
        let end = format!("SELECT pg_terminate_backend(a.pid) {there}");
        let count = format!("SELECT count(*) {there}");
        for look in 0..LOOKS {
            // Repeated now and then: the word may have come while the process could not hear it.
            if look % 25 == 0 {
                self.client.query(&end, &[&pids, &starts]).doing(ENDING)?;
            }
            if self.client.query_one(&count, &[&pids, &starts]).doing(ENDING)?.get::<_, i64>(0) == 0 {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        Err(ServerError::new(ENDING, "it was told to end and is still there"))
    }

    /// Begins a new epoch of a run: lanes of before find themselves fenced off. Waits for their open batches.
    ///
    /// # Errors
    /// When an open batch of before does not end in time (55P03), the server refuses, or the connection is lost.
    pub fn raise_epoch(&mut self, run: i64) -> Result<i32, ServerError> {
        let sql: &str = &self.ledger.sql("UPDATE :ledger.run SET epoch = epoch + 1 WHERE run = $1 RETURNING epoch");
        Ok(self.client.query_one(sql, &[&run]).doing("taking the run over")?.get(0))
    }
}
