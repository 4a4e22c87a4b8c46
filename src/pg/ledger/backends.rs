//! The server's processes that work for a run. The ledger lists them, so that they can be ended after their clients died.
//!
//! A process is identified by its number and its start, because the server reuses numbers.

use std::time::Duration;

use postgres::Row;

use super::READING;
use crate::pg::backend::{Backend, own_backend};
use crate::pg::error::{Doing, ServerError};
use crate::pg::lock::LockHolder;
use crate::pg::row::RowValues;
use crate::pg::session::Session;

const NOTING: &str = "noting the connection in the ledger";
const ENDING: &str = "ending a connection of the previous process";

/// Number of checks whether an ended process still exists, and the pause between two checks: two seconds in all.
const CHECKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

impl LockHolder {
    /// Returns its process; `None` if the process ended before the server could be asked about it.
    pub fn backend(&self) -> Option<Backend> {
        (self.pid != 0).then(|| Backend { pid: self.pid, started: self.since.clone() })
    }
}

impl Session {
    /// Records that the server's process of this session works for the run.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn note_backend(&mut self, run: i64, epoch: i32) -> Result<(), ServerError> {
        if self.noted == Some((run, epoch)) {
            return Ok(());
        }
        let sql: &str = &self.ledger.sql(
            "WITH mine AS (SELECT pid, backend_start FROM pg_catalog.pg_stat_activity \
                           WHERE pid = pg_backend_pid() AND backend_start IS NOT NULL), \
                  noted AS (INSERT INTO :ledger.backend (run, epoch, pid, started) \
                            SELECT $1, $2, pid, backend_start FROM mine ON CONFLICT DO NOTHING) \
             SELECT pid, backend_start::text FROM mine",
        );
        let row = self.client.query_opt(sql, &[&run, &epoch]).doing(NOTING)?;
        self.backend = match row {
            Some(row) => Some(Backend { pid: row.value(0)?, started: row.value(1)? }),
            None => None,
        };
        self.noted = Some((run, epoch));
        Ok(())
    }

    /// Reads which of the server's processes serves this session, so that the session that replaces it can end that process.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn know_backend(&mut self) -> Result<(), ServerError> {
        let [own] = self.ask([own_backend()])?;
        self.keep_backend(&own)
    }

    /// Keeps the process that the answer to [`own_backend`] describes.
    pub(in crate::pg) fn keep_backend(&mut self, own: &[Row]) -> Result<(), ServerError> {
        self.backend = own.first().map(Backend::of_row).transpose()?;
        Ok(())
    }

    /// Ends the server's process of a lost session and takes the locks of that session. Returns the holder of a lock that
    /// another session holds; `None` if this session holds them now.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn replace(&mut self, lost: &Session) -> Result<Option<LockHolder>, ServerError> {
        // From this point on the next session can end this one, too.
        self.know_backend()?;
        if let Some(backend) = &lost.backend {
            self.end_backends(std::slice::from_ref(backend))?;
        }
        self.take_locks_of(lost)
    }

    /// Returns the server's processes that still work for a run, without this session's own.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn backends(&mut self, run: i64) -> Result<Vec<Backend>, ServerError> {
        let sql: &str = &self.ledger.sql(
            "SELECT a.pid, a.backend_start::text FROM :ledger.backend b \
                   JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid AND a.backend_start = b.started \
                   WHERE b.run = $1 AND a.pid <> pg_backend_pid() ORDER BY a.backend_start",
        );
        let rows = self.client.query(sql, &[&run]).doing(READING)?;
        rows.iter().map(Backend::of_row).collect()
    }

    /// Ends these processes and waits until they no longer exist.
    ///
    /// # Errors
    /// If the server refuses, a process does not end, or the connection is lost.
    pub fn end_backends(&mut self, backends: &[Backend]) -> Result<(), ServerError> {
        let pids: Vec<i32> = backends.iter().map(|b| b.pid).collect();
        let starts: Vec<&str> = backends.iter().map(|b| b.started.as_str()).collect();
        let running = "FROM unnest($1::int4[], $2::text[]) AS old (pid, started) \
                     JOIN pg_catalog.pg_stat_activity a ON a.pid = old.pid AND a.backend_start = old.started::timestamptz";
        let end = format!("SELECT pg_terminate_backend(a.pid) {running}");
        let count = format!("SELECT count(*) {running}");
        for check in 0..CHECKS {
            // Repeated, because a process may ignore the first signal.
            if check % 25 == 0 {
                self.client.query(&end, &[&pids, &starts]).doing(ENDING)?;
            }
            if self.client.query_one(&count, &[&pids, &starts]).doing(ENDING)?.value::<i64>(0)? == 0 {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        Err(ServerError::new(ENDING, "the server's process was asked to end and still runs"))
    }
}
