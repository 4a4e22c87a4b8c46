//! How runs stand, for `migrate status`: what the ledger says, and who works on it now.

use serde::Serialize;

use super::error::{Doing, ServerError};
use super::session::Session;
use crate::model::record::RunState;

const READING: &str = "reading the ledger";

/// A run as `migrate status` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    /// Its number.
    pub run: i64,
    /// The mapping's name.
    pub mapping: String,
    /// Version of the tool that began it.
    pub tool: String,
    /// `Running`, `Done` or `RolledBack`.
    pub state: RunState,
    /// How often it was begun or gone on with.
    pub epoch: i32,
    /// When it was begun, as the server prints it.
    pub started: String,
    /// When it ended.
    pub ended: Option<String>,
    /// The server's processes that work for it now.
    pub at_work: Vec<i32>,
    /// Its loads, by name.
    pub loads: Vec<LoadStanding>,
    /// What is off: table and object.
    pub off: Vec<(String, String)>,
    /// What it made or moved beside its rows: kind and object.
    pub made: Vec<(String, String)>,
    /// What to do next.
    pub next: String,
}

/// A load as `migrate status` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct LoadStanding {
    /// Its name.
    pub load: String,
    /// Parts that it was cut into; none before it began.
    pub parts: i64,
    /// Parts of which nothing remains.
    pub parts_done: i64,
    /// Committed batches.
    pub batches: i64,
    /// Rows read.
    pub read: i64,
    /// Rows written.
    pub written: i64,
    /// Rows whose key was there.
    pub skipped: i64,
    /// Rows set aside.
    pub faults: i64,
}

impl Session {
    /// All runs of a mapping, the latest first.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn standings(&mut self, mapping: &str) -> Result<Vec<Standing>, ServerError> {
        let sql: &str = &self.ledger.sql(
            "SELECT run, mapping, tool, state, epoch, started_at::text, ended_at::text FROM :ledger.run \
                   WHERE mapping = $1 ORDER BY run DESC",
        );
        let mut all = Vec::new();
        for row in self.client.query(sql, &[&mapping]).doing(READING)? {
            let run: i64 = row.get(0);
            let detached = self.detached(run)?;
            let off = detached.into_iter().filter(|d| !d.reattached).map(|d| (d.table, d.object)).collect();
            all.push(Standing {
                run,
                mapping: row.get(1),
                tool: row.get(2),
                state: RunState::of(row.get(3)),
                epoch: row.get(4),
                started: row.get(5),
                ended: row.get(6),
                at_work: self.backends(run)?.iter().map(|b| b.pid()).collect(),
                loads: self.load_standings(run)?,
                off,
                made: self.made(run)?.into_iter().map(|m| (m.kind, m.object)).collect(),
                next: String::new(),
            });
        }
        Ok(all)
    }

    fn load_standings(&mut self, run: i64) -> Result<Vec<LoadStanding>, ServerError> {
        let rows = self.client.query(&*self.ledger.sql(include_str!("sql/standing.sql")), &[&run]).doing(READING)?;
        let loads = rows.iter().map(|row| LoadStanding {
            load: row.get(0),
            parts: row.get(1),
            parts_done: row.get(2),
            batches: row.get(3),
            read: row.get(4),
            written: row.get(5),
            skipped: row.get(6),
            faults: row.get(7),
        });
        Ok(loads.collect())
    }
}
