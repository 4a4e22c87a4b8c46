//! The state of runs for `migrate status`: their rows in the ledger, and the processes that work on them now.

use postgres::Row;
use serde::Serialize;

use super::run::state;
use super::{LedgerColumns, READING, created, previous_rows};
use crate::model::ledger::{LEDGER_VERSION, LedgerState};
use crate::model::record::RunState;
use crate::pg::error::ServerError;
use crate::pg::query::TypedQuery;
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
    /// The previous rows of the target that the ledger keeps for a rollback: table and number.
    pub kept: Vec<(String, i64)>,
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

/// Everything that the ledger contains of a mapping.
#[derive(Clone, Debug)]
pub struct MappingStatus {
    /// The mapping's name.
    pub mapping: String,
    /// The ledger's state.
    pub ledger: LedgerState,
    /// The runs, the latest first.
    pub runs: Vec<RunStatus>,
    /// The objects that `--create` made for an owner of whom no run began: kind and object.
    pub without_run: Vec<(String, String)>,
}

/// The runs of the mapping `$1`.
const RUNS: &str = "(SELECT run FROM :ledger.run WHERE mapping = $1)";

impl Session {
    /// Returns the ledger's state and all runs of a mapping in one round trip. A ledger that this version cannot read has no runs.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn run_statuses(&mut self, columns: &LedgerColumns, mapping: &str) -> Result<MappingStatus, ServerError> {
        let of_runs = |sql: &str| TypedQuery::new(READING, self.ledger.sql(&sql.replace(":runs", RUNS))).with(&mapping);
        let mut queries = Vec::from_iter(columns.version_query(&self.ledger));
        if columns.are_complete() {
            queries.extend([
                of_runs(
                    "SELECT run, mapping, tool, state, epoch, started_at::text, \
                     CASE WHEN state <> 'Running' THEN ended_at::text END FROM :ledger.run \
                     WHERE run IN :runs ORDER BY run DESC",
                ),
                of_runs(
                    "SELECT b.run, a.pid FROM :ledger.backend b \
                     JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid AND a.backend_start = b.started \
                     WHERE b.run IN :runs AND a.pid <> pg_backend_pid() ORDER BY a.backend_start",
                ),
                of_runs(include_str!("../sql/status.sql")),
                of_runs(
                    "SELECT no, table_name, object, kind, back_sql, shape::text, back, steps, run FROM :ledger.detached \
                     WHERE run IN :runs AND NOT back ORDER BY run, no",
                ),
                of_runs("SELECT run, kind, object FROM :ledger.made WHERE run IN :runs ORDER BY run, kind, object"),
            ]);
            queries.extend(columns.keep_rows().then(|| previous_rows::query(&self.ledger, RUNS).with(&mapping)));
            queries
                .extend(columns.note_created_objects().then(|| created::of_latest_runs(&self.ledger).with(&mapping)));
        }
        let mut answers = self.ask_all(queries)?.into_iter();
        let mut next = || answers.next().unwrap_or_default();
        let versions = next();
        let ledger = columns.state(&self.ledger.schema, &versions)?;
        if !matches!(ledger, LedgerState::Version(version) if version <= LEDGER_VERSION) {
            let (mapping, runs, without_run) = (mapping.to_owned(), Vec::new(), Vec::new());
            return Ok(MappingStatus { mapping, ledger, runs, without_run });
        }
        let mut all = next().iter().map(run_status).collect::<Result<Vec<RunStatus>, ServerError>>()?;
        let [at_work, loads, off, made, kept, created] = std::array::from_fn(|_| next());
        add(&mut all, &at_work, |status, row| {
            status.at_work.push(row.value(1)?);
            Ok(())
        })?;
        add(&mut all, &loads, |status, row| {
            status.loads.push(load_status(row)?);
            Ok(())
        })?;
        for row in &off {
            let (run, object) = (row.kept::<i64>(8)?, self.recorded(row.kept(8)?, row)?);
            let of_run = all.iter_mut().filter(|status| status.run == run);
            of_run.for_each(|status| status.off.push((object.table.clone(), object.object.clone())));
        }
        add(&mut all, &made, add_made)?;
        let without_run = add_created(&mut all, &created)?;
        add(&mut all, &kept, |status, row| {
            status.kept.push((row.kept(1)?, row.kept(2)?));
            Ok(())
        })?;
        Ok(MappingStatus { mapping: mapping.to_owned(), ledger, runs: all, without_run })
    }
}

/// Adds rows of a table of the ledger to their runs.
fn add(
    all: &mut [RunStatus],
    rows: &[Row],
    add: impl Fn(&mut RunStatus, &Row) -> Result<(), ServerError>,
) -> Result<(), ServerError> {
    for row in rows {
        let run: i64 = row.kept(0)?;
        all.iter_mut().filter(|status| status.run == run).try_for_each(|status| add(status, row))?;
    }
    Ok(())
}

/// Adds the objects of `--create` to their runs. Returns those of which no run began: kind and object.
fn add_created(all: &mut [RunStatus], rows: &[Row]) -> Result<Vec<(String, String)>, ServerError> {
    let mut without_run = Vec::new();
    for row in rows {
        match row.kept::<Option<i64>>(0)? {
            Some(run) => all.iter_mut().filter(|status| status.run == run).try_for_each(|one| add_made(one, row))?,
            None => without_run.push((row.kept(1)?, row.kept(2)?)),
        }
    }
    Ok(without_run)
}

fn add_made(status: &mut RunStatus, row: &Row) -> Result<(), ServerError> {
    status.made.push((row.kept(1)?, row.kept(2)?));
    Ok(())
}

fn run_status(row: &Row) -> Result<RunStatus, ServerError> {
    Ok(RunStatus {
        run: row.kept(0)?,
        mapping: row.kept(1)?,
        tool: row.kept(2)?,
        state: state(row.kept(3)?)?,
        epoch: row.kept(4)?,
        started: row.kept(5)?,
        ended: row.kept(6)?,
        at_work: Vec::new(),
        loads: Vec::new(),
        off: Vec::new(),
        made: Vec::new(),
        kept: Vec::new(),
        next: String::new(),
    })
}

fn load_status(row: &Row) -> Result<LoadStatus, ServerError> {
    Ok(LoadStatus {
        load: row.kept(1)?,
        parts: row.kept(2)?,
        parts_done: row.kept(3)?,
        batches: row.kept(4)?,
        read: row.kept(5)?,
        written: row.kept(6)?,
        skipped: row.kept(7)?,
        faults: row.kept(8)?,
    })
}
