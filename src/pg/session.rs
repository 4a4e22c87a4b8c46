//! One connection to the target, its search path, and the statements that are prepared on it.

use std::collections::HashMap;

use postgres::{Client, Statement, Transaction};

use super::error::{Doing, ServerError};
use crate::model::ident::quoted;

/// One connection. SQL names everything outside the ledger with its schema.
pub struct Session {
    pub(super) client: Client,
    pub(super) ledger: LedgerSchema,
    /// The target's schema, the first one of the search path.
    schema: String,
    /// The server's process that serves this session, once it was asked for.
    pub(super) backend: Option<Backend>,
    /// The key of the advisory lock that this session holds.
    pub(super) lock: Option<i64>,
    /// The statements that were prepared on this connection.
    pub(super) prepared: Prepared,
}

/// The ledger's schema. SQL always names the ledger's tables with it: an application may have tables of the same names,
/// and code that finds them by the search path.
#[derive(Clone, Debug)]
pub(super) struct LedgerSchema {
    /// Its unquoted name.
    pub schema: String,
}

impl LedgerSchema {
    /// Replaces `:ledger` by the schema's quoted name, as psql replaces a variable.
    pub fn sql(&self, text: &str) -> String {
        text.replace(":ledger", &quoted(&self.schema))
    }
}

/// Statements that a connection repeats for each batch. Preparing them once saves a round trip per batch.
#[derive(Default)]
pub(super) struct Prepared(HashMap<String, Statement>);

impl Prepared {
    /// Returns the prepared form of a statement.
    pub fn get(&mut self, tx: &mut Transaction<'_>, sql: &str) -> Result<Statement, postgres::Error> {
        if let Some(statement) = self.0.get(sql) {
            return Ok(statement.clone());
        }
        let statement = tx.prepare(sql)?;
        self.0.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// One process of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    pub(super) pid: i32,
    pub(super) started: String,
}

impl Backend {
    /// Returns its number.
    pub fn pid(&self) -> i32 {
        self.pid
    }
}

impl Session {
    /// Makes a session of a connection and sets the application's search path: the target's schema, then the path that the
    /// role or the database prescribes. Functions of indexes, checks and triggers thus find the same objects as in the
    /// application's own sessions, and so do operators of types that an extension brought.
    ///
    /// # Errors
    /// If the connection is lost already.
    pub fn new(client: Client, schema: &str, ledger_schema: &str) -> Result<Session, ServerError> {
        let mut session = Session {
            client,
            ledger: LedgerSchema { schema: ledger_schema.to_owned() },
            schema: schema.to_owned(),
            backend: None,
            lock: None,
            prepared: Prepared::default(),
        };
        session.set_path()?;
        Ok(session)
    }

    fn set_path(&mut self) -> Result<(), ServerError> {
        let sql = "SELECT set_config('search_path', concat_ws(', ', quote_ident($1::text), nullif(reset_val, '')), false) \
                   FROM pg_catalog.pg_settings WHERE name = 'search_path'";
        self.client.execute(sql, &[&self.schema]).doing("setting up the session")?;
        Ok(())
    }

    /// Asks the catalogue with `pg_catalog` alone in the search path. Every name in the answer is then qualified and can
    /// be compared with an answer to another session.
    ///
    /// # Errors
    /// The errors of `ask`, or if the connection is lost.
    pub(super) fn with_qualified_names<T>(
        &mut self,
        ask: impl FnOnce(&mut Client) -> Result<T, ServerError>,
    ) -> Result<T, ServerError> {
        const DOING: &str = "reading the target's catalogue";
        self.client.batch_execute("SET search_path = pg_catalog").doing(DOING)?;
        let answer = ask(&mut self.client);
        let restored = self.set_path();
        let answer = answer?;
        restored.map(|()| answer)
    }

    /// Runs DDL or other statements unchanged. For `rehearse`, on a throw-away server.
    ///
    /// # Errors
    /// If the server refuses a statement. The statements before it stay done.
    pub fn execute_script(&mut self, name: &str, sql: &str) -> Result<(), ServerError> {
        self.client.batch_execute("RESET search_path").doing(name)?;
        self.client.batch_execute(sql).doing(name)?;
        self.set_path()
    }
}
