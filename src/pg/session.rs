//! One connection to the target, its search path, and the statements that are prepared on it.
//!
//! A session lives with `search_path = pg_catalog, pg_temp`: an operator or a function that another role created in a schema
//! of the application's path is never a candidate in a statement of the tool. The application's path is set only for
//! statements that run code of the application: rows that are written to its tables, its CHECKs, expressions of lookups. Such
//! a statement names every function and operator with its schema.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use postgres::{Row, Statement};

use super::backend::Backend;
use super::client::{Client, Pipeline};
use super::connect::{ConnectError, Patience, ReadOnly, Settings, patiently};
use super::equality::Equality;
use super::error::{Doing, ServerError};
use super::query::{PathForQuery, TypedQuery};
use super::row::RowValues;
use crate::model::ident::{literal, quoted};
use crate::model::ledger::LoadedTable;

/// Sets the tool's own search path.
const OWN_PATH: &str = "search_path = pg_catalog, pg_temp";

const SETTING_PATH: &str = "setting the search path";
const PREPARING: &str = "preparing a statement";

/// One connection. SQL names everything outside the ledger with its schema.
pub struct Session {
    pub(super) client: Client,
    pub(super) ledger: LedgerSchema,
    pub(super) application_path: ApplicationPath,
    /// The server's process that serves this session, once it was asked for.
    pub(super) backend: Option<Backend>,
    /// The run and the epoch for which the ledger lists that process.
    pub(super) noted: Option<(i64, i32)>,
    /// The key of the advisory lock that this session holds, unless a stranger holds it.
    pub(super) lock: Option<i64>,
    /// The loaded tables that this session locked.
    pub(super) table_locks: TableLocks,
    /// The statements that were prepared on this connection.
    pub(super) prepared: Prepared,
    /// True if the database has Citus.
    pub(super) has_citus: bool,
}

/// The tables that a session locked, or tried to lock.
#[derive(Clone, Debug, Default)]
pub(super) struct TableLocks {
    pub schema: String,
    pub tables: Vec<LoadedTable>,
}

/// The purpose of a session.
#[derive(Clone, Copy, Debug)]
pub struct SessionRequest<'a> {
    /// The schema of the application's tables.
    pub schema: &'a str,
    /// The schema of the ledger.
    pub ledger_schema: &'a str,
    /// True if its transactions may only read.
    pub read_only: ReadOnly,
}

/// The ledger's schema. SQL always names the ledger's tables with it: an application may have tables of the same names,
/// and code that finds them by the search path.
#[derive(Clone, Debug)]
pub(super) struct LedgerSchema {
    /// Its unquoted name.
    pub schema: String,
}

/// The fence: the run's row, locked until the transaction ends, if the run `$1` works in the epoch `$2`. A statement that
/// writes for a run selects from `mine`, so that a process whose run was taken over writes nothing. It may run under the
/// application's search path.
pub(super) const MINE: &str = "mine AS (SELECT run FROM :ledger.run WHERE run OPERATOR(pg_catalog.=) $1 \
    AND epoch OPERATOR(pg_catalog.=) $2 AND state OPERATOR(pg_catalog.=) 'Running' FOR SHARE)";

impl LedgerSchema {
    /// Replaces `:ledger` by the schema's quoted name, as psql replaces a variable.
    pub fn sql(&self, text: &str) -> String {
        text.replace(":ledger", &quoted(&self.schema))
    }
}

/// The search path of the application's own sessions: the target's schema, then the path that the role or the database
/// prescribes. Functions of indexes, CHECKs and triggers find the same objects under it as in those sessions.
#[derive(Clone, Debug)]
pub(super) struct ApplicationPath {
    /// The target's schema.
    pub schema: String,
    /// The path as `set_config` takes it.
    pub path: String,
    /// True if the planner may need it to read a table.
    pub is_needed_to_read: bool,
}

impl ApplicationPath {
    /// The path that the answer to `sql/application_path.sql` describes.
    fn of_rows(schema: &str, rows: &[Row]) -> Result<ApplicationPath, ServerError> {
        let row = rows.first().ok_or_else(|| ServerError::new(SETTING_PATH, "the server sent no row"))?;
        Ok(ApplicationPath { schema: schema.to_owned(), path: row.value(0)?, is_needed_to_read: row.value(1)? })
    }

    /// The statement that sets it; `locally`: until the transaction ends.
    pub fn set(&self, locally: bool) -> String {
        format!("SELECT pg_catalog.set_config('search_path', {}, {locally})", literal(&self.path))
    }

    /// The statement that sets the tool's own path; `locally`: until the transaction ends.
    pub fn leave(locally: bool) -> String {
        format!("SET {}{OWN_PATH}", if locally { "LOCAL " } else { "" })
    }

    /// Runs statements under the tool's own path, in a transaction that otherwise has the application's.
    ///
    /// # Errors
    /// The errors of `ask`, or if the connection is lost.
    pub fn leave_for<T>(
        &self,
        tx: &mut Client,
        ask: impl FnOnce(&mut Client) -> Result<T, ServerError>,
    ) -> Result<T, ServerError> {
        tx.batch_execute(&ApplicationPath::leave(true)).doing(SETTING_PATH)?;
        let answer = ask(tx)?;
        tx.batch_execute(&self.set(true)).doing(SETTING_PATH)?;
        Ok(answer)
    }

    /// Runs statements under the application's path, in a transaction that otherwise has the tool's own.
    ///
    /// # Errors
    /// The errors of `ask`, or if the connection is lost.
    pub fn enter_for<T>(
        &self,
        tx: &mut Client,
        ask: impl FnOnce(&mut Client) -> Result<T, ServerError>,
    ) -> Result<T, ServerError> {
        tx.batch_execute(&self.set(true)).doing(SETTING_PATH)?;
        let answer = ask(tx)?;
        tx.batch_execute(&ApplicationPath::leave(true)).doing(SETTING_PATH)?;
        Ok(answer)
    }

    /// Runs statements on tables of the application under the path that the planner needs for them, in a transaction that
    /// otherwise has the tool's own.
    ///
    /// # Errors
    /// The errors of `ask`, or if the connection is lost.
    pub fn reading<T>(
        &self,
        tx: &mut Client,
        ask: impl FnOnce(&mut Client) -> Result<T, ServerError>,
    ) -> Result<T, ServerError> {
        if self.is_needed_to_read { self.enter_for(tx, ask) } else { ask(tx) }
    }
}

/// Statements that a connection repeats for each batch, and facts that it asks for once. Preparing a statement once saves a
/// round trip per batch.
#[derive(Default)]
pub(super) struct Prepared {
    statements: HashMap<String, Statement>,
    /// The COPY statements into tables whose triggers may swallow rows.
    swallowing: HashSet<String>,
    equalities: HashMap<(String, String), Equality>,
}

impl Prepared {
    /// Returns the prepared form of a statement.
    pub fn get(&mut self, tx: &mut Client, sql: &str) -> Result<Statement, postgres::Error> {
        if let Some(statement) = self.known(sql) {
            return Ok(statement);
        }
        let statement = tx.prepare(sql)?;
        self.keep(sql.to_owned(), &statement);
        Ok(statement)
    }

    /// Returns the prepared form of a statement that was prepared before.
    pub fn known(&self, sql: &str) -> Option<Statement> {
        self.statements.get(sql).cloned()
    }

    /// Keeps the prepared form of a statement.
    pub fn keep(&mut self, sql: String, statement: &Statement) {
        self.statements.insert(sql, statement.clone());
    }

    /// Returns true if triggers may swallow rows of this COPY.
    pub fn may_swallow(&self, sql: &str) -> bool {
        self.swallowing.contains(sql)
    }

    /// Notes that triggers may swallow rows of this COPY.
    pub fn keep_swallowing(&mut self, sql: String) {
        self.swallowing.insert(sql);
    }

    /// Returns the equality of the columns of a table, if it was asked for before.
    pub fn known_equality(&self, schema: &str, table: &str) -> Option<Equality> {
        self.equalities.get(&(schema.to_owned(), table.to_owned())).cloned()
    }

    /// Returns the equality of the columns of a table. The search path must be the tool's own.
    pub fn equality(&mut self, client: &mut Client, schema: &str, table: &str) -> Result<Equality, ServerError> {
        if let Some(known) = self.known_equality(schema, table) {
            return Ok(known);
        }
        let read = Equality::read(client, schema, table)?;
        self.equalities.insert((schema.to_owned(), table.to_owned()), read.clone());
        Ok(read)
    }

    /// Keeps the equality of the columns of these tables. Those that are not among the `special` have that of `pg_catalog`.
    pub fn know_equalities<'t>(
        &mut self,
        schema: &str,
        tables: impl Iterator<Item = &'t String>,
        mut special: HashMap<String, Equality>,
    ) {
        let of = |table: &String| ((schema.to_owned(), table.clone()), special.remove(table).unwrap_or_default());
        self.equalities.extend(tables.map(of));
    }
}

impl Session {
    /// Opens a session. `wait` is called after each failed attempt, as [`Settings::connect_patiently`] describes.
    ///
    /// # Errors
    /// The error of the last attempt.
    pub fn open(
        settings: &Settings,
        request: &SessionRequest<'_>,
        patience: Patience,
        wait: &mut dyn FnMut(&ConnectError, Duration) -> bool,
    ) -> Result<Session, ConnectError> {
        let SessionRequest { schema, ledger_schema, read_only } = *request;
        let (mut client, rows) = patiently(|| settings.connect_and_read(read_only, Some(schema)), patience, wait)?;
        if settings.one_at_a_time {
            client.send_one_at_a_time();
        }
        let unusable = |e: ServerError| ConnectError::lost("the session could not be set up", e.to_string());
        let application_path = ApplicationPath::of_rows(schema, &rows).map_err(unusable)?;
        let has_citus = rows.first().map_or(Ok(false), |row| row.value("has_citus")).map_err(unusable)?;
        Ok(Session {
            client,
            ledger: LedgerSchema { schema: ledger_schema.to_owned() },
            application_path,
            backend: None,
            noted: None,
            lock: None,
            table_locks: TableLocks::default(),
            prepared: Prepared::default(),
            has_citus,
        })
    }

    /// Ends each wait soon after `asked` becomes true, and cancels the running statement.
    pub fn interrupt_when(&mut self, asked: Arc<AtomicBool>) {
        self.client.interrupt_when(asked);
    }

    /// Sends several queries together. Returns the rows of each.
    ///
    /// # Errors
    /// The error of the first query that the server refuses, or if the connection is lost.
    pub(super) fn ask<const N: usize>(&mut self, queries: [TypedQuery<'_>; N]) -> Result<[Vec<Row>; N], ServerError> {
        let mut answers = self.ask_all(queries)?.into_iter();
        Ok(std::array::from_fn(|_| answers.next().unwrap_or_default()))
    }

    /// Sends several queries together, and one more if there is one. Returns the rows of each.
    ///
    /// # Errors
    /// The error of the first query that the server refuses, or if the connection is lost.
    pub(super) fn ask_and<const N: usize>(
        &mut self,
        queries: [TypedQuery<'_>; N],
        last: Option<TypedQuery<'_>>,
    ) -> Result<([Vec<Row>; N], Vec<Row>), ServerError> {
        let mut answers = self.ask_all(queries.into_iter().chain(last))?.into_iter();
        let mut next = || answers.next().unwrap_or_default();
        Ok((std::array::from_fn(|_| next()), next()))
    }

    /// Sends any number of queries together. Returns the rows of each.
    ///
    /// # Errors
    /// The error of the first query that the server refuses, or if the connection is lost.
    pub(super) fn ask_all<'q>(
        &mut self,
        queries: impl IntoIterator<Item = TypedQuery<'q>>,
    ) -> Result<Vec<Vec<Row>>, ServerError> {
        Ok(self.ask_and_prepare(queries, &[])?.0)
    }

    /// Sends any number of queries together, and the preparation of statements after them. Returns the rows of each query, and
    /// each statement.
    ///
    /// # Errors
    /// The error of the first query or statement that the server refuses, or if the connection is lost.
    pub(super) fn ask_and_prepare<'q>(
        &mut self,
        queries: impl IntoIterator<Item = TypedQuery<'q>>,
        prepared: &[String],
    ) -> Result<(Vec<Vec<Row>>, Vec<Statement>), ServerError> {
        let (mut pipeline, mut steps, mut under_own) = (Pipeline::new(), Vec::new(), true);
        for query in queries {
            let wants_own = match query.path {
                PathForQuery::Own => true,
                PathForQuery::ReadingTables => !self.application_path.is_needed_to_read,
                PathForQuery::Application => false,
            };
            if wants_own != under_own {
                pipeline = pipeline.script(self.path_statement(wants_own));
                steps.push((SETTING_PATH, false));
                under_own = wants_own;
            }
            steps.push((query.doing, true));
            pipeline = query.add_to(pipeline);
        }
        if !under_own {
            pipeline = pipeline.script(self.path_statement(true));
            steps.push((SETTING_PATH, false));
        }
        for sql in prepared {
            pipeline = pipeline.prepare(sql.as_str());
            steps.push((PREPARING, false));
        }
        let (mut answers, mut statements) = (Vec::new(), Vec::new());
        for (reply, (doing, is_query)) in pipeline.run(&mut self.client).into_iter().zip(steps) {
            match reply.doing(doing)? {
                reply if is_query => answers.push(reply.rows()),
                reply => statements.extend(reply.statement()),
            }
        }
        Ok((answers, statements))
    }

    /// The statement that sets the tool's own search path, or that of the application.
    pub(super) fn path_statement(&self, is_own: bool) -> String {
        if is_own { format!("SET {OWN_PATH}") } else { self.application_path.set(false) }
    }

    /// Runs statements with the application's search path. They must be the application's own code, or name every function
    /// and operator with its schema.
    ///
    /// # Errors
    /// The errors of `ask`, or if the connection is lost.
    pub(super) fn with_application_path<T>(
        &mut self,
        ask: impl FnOnce(&mut Client) -> Result<T, ServerError>,
    ) -> Result<T, ServerError> {
        self.client.batch_execute(&self.application_path.set(false)).doing(SETTING_PATH)?;
        let answer = ask(&mut self.client);
        let restored = self.set_own_path();
        let answer = answer?;
        restored.map(|()| answer)
    }

    /// Reads tables of the application under the path that the planner needs for them. The statements must name every
    /// function and operator with its schema.
    ///
    /// # Errors
    /// The errors of `ask`, or if the connection is lost.
    pub(super) fn reading<T>(
        &mut self,
        ask: impl FnOnce(&mut Client) -> Result<T, ServerError>,
    ) -> Result<T, ServerError> {
        if self.application_path.is_needed_to_read { self.with_application_path(ask) } else { ask(&mut self.client) }
    }

    /// Returns the equality of the columns of a table.
    pub(super) fn equality(&mut self, schema: &str, table: &str) -> Result<Equality, ServerError> {
        self.prepared.equality(&mut self.client, schema, table)
    }

    pub(super) fn set_own_path(&mut self) -> Result<(), ServerError> {
        self.client.batch_execute(&format!("SET {OWN_PATH}")).doing(SETTING_PATH)
    }

    /// Ends the connection, so that a server that serves one at a time can serve another. Later statements fail.
    pub fn disconnect(&mut self) {
        self.client.disconnect();
    }
}
