//! The state of runs for `migrate status`: their rows in the ledger, and the processes that work on them now.

use serde::Serialize;

use super::READING;
use super::run::state;
use crate::model::record::RunState;
use crate::pg::error::{Doing, ServerError};
use crate::pg::row::RowValues;
use crate::pg::session::Session;

/// A run as `migrate status` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct RunStatus {
    /// Its number.
    pub run: i64,
    /// The mapping's name.
    pub mapping: String,
    /// Version of the migrate that began it.
    pub tool: String,
    /// `Running`, `Done` or `RolledBack`.
    pub state: RunState,
    /// Number of times that it was begun or resumed.
    pub epoch: i32,
    /// Its begin, as the server prints it.
    pub started: String,
    /// Its end.
    pub ended: Option<String>,
    /// The server's processes that work for it now.
    pub at_work: Vec<i32>,
    /// Its loads, by name.
    pub loads: Vec<LoadStatus>,
    /// Detached objects: table and object.
    pub off: Vec<(String, String)>,
    /// Everything that it made or moved in addition to its rows: kind and object.
    pub made: Vec<(String, String)>,
    /// The next step of the operator.
    pub next: String,
}

/// A load as `migrate status` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct LoadStatus {
    /// Its name.
    pub load: String,
    /// Number of its parts; zero before it begins.
    pub parts: i64,
    /// Parts that are done.
    pub parts_done: i64,
    /// Committed batches.
    pub batches: i64,
    /// Rows read.
    pub read: i64,
    /// Rows written.
    pub written: i64,
    /// Rows skipped because the target held their key.
    pub skipped: i64,
    /// Rows quarantined.
    pub faults: i64,
}

impl Session {
    /// Returns all runs of a mapping, the latest first.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn run_statuses(&mut self, mapping: &str) -> Result<Vec<RunStatus>, ServerError> {
        let sql: &str = &self.ledger.sql(
            "SELECT run, mapping, tool, state, epoch, started_at::text, ended_at::text FROM :ledger.run \
                   WHERE mapping = $1 ORDER BY run DESC",
        );
        let mut all = Vec::new();
        for row in self.client.query(sql, &[&mapping]).doing(READING)? {
            let run: i64 = row.kept(0)?;
            let detached = self.detached(run)?;
            let off = detached.into_iter().filter(|d| !d.reattached).map(|d| (d.table, d.object)).collect();
            all.push(RunStatus {
                run,
                mapping: row.kept(1)?,
                tool: row.kept(2)?,
                state: state(row.kept(3)?)?,
                epoch: row.kept(4)?,
                started: row.kept(5)?,
                ended: row.kept(6)?,
                at_work: self.backends(run)?.iter().map(|b| b.pid()).collect(),
                loads: self.load_statuses(run)?,
                off,
                made: self.made(run)?.into_iter().map(|m| (m.kind.word().to_owned(), m.object)).collect(),
                next: String::new(),
            });
        }
        Ok(all)
    }

    fn load_statuses(&mut self, run: i64) -> Result<Vec<LoadStatus>, ServerError> {
        let rows = self.client.query(&*self.ledger.sql(include_str!("../sql/status.sql")), &[&run]).doing(READING)?;
        let load = |row: &postgres::Row| {
            Ok(LoadStatus {
                load: row.kept(0)?,
                parts: row.kept(1)?,
                parts_done: row.kept(2)?,
                batches: row.kept(3)?,
                read: row.kept(4)?,
                written: row.kept(5)?,
                skipped: row.kept(6)?,
                faults: row.kept(7)?,
            })
        };
        rows.iter().map(load).collect()
    }
}
