//! One connection to the target, and what it can be asked outside a batch.

use std::collections::HashMap;

use postgres::{Client, Statement, Transaction};

use super::backend::Backend;
use super::catalog;
use super::error::{Doing, ServerError};
use super::ledger::Object;
use crate::model::ident::{quoted, quoted_list};
use crate::model::schema::TargetSchema;

/// One connection. Everything that is not in the ledger's schema is named with its schema.
pub struct Session {
    pub(super) client: Client,
    pub(super) ledger: Ledger,
    /// The target's schema, which the search path begins with.
    schema: String,
    /// The server's process behind it, once it was asked for.
    pub(super) backend: Option<Backend>,
    /// The lock that it holds.
    pub(super) lock: Option<i64>,
    /// What was prepared on it.
    pub(super) prepared: Prepared,
}

/// The ledger's schema. Its tables are always named with it: an application may have tables of the same names, and code
/// that finds them by the search path.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    /// Its name as it is.
    pub schema: String,
}

impl Ledger {
    /// SQL that names the ledger's schema as psql would a variable: `:ledger`.
    pub fn sql(&self, text: &str) -> String {
        text.replace(":ledger", &quoted(&self.schema))
    }
}

/// Statements that a connection repeats for each batch, prepared once: each saves a round trip from then on.
#[derive(Default)]
pub(super) struct Prepared(HashMap<String, Statement>);

impl Prepared {
    /// The prepared form of a statement.
    pub fn get(&mut self, tx: &mut Transaction<'_>, sql: &str) -> Result<Statement, postgres::Error> {
        if let Some(statement) = self.0.get(sql) {
            return Ok(statement.clone());
        }
        let statement = tx.prepare(sql)?;
        self.0.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// Who holds the run's lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The server's process.
    pub pid: i32,
    /// Since when it is connected, as the server prints it.
    pub since: String,
    /// Where it is connected from; empty for a socket.
    pub from: String,
}

impl Session {
    /// Takes a connection over. Its search path is that of the application: the target's schema, then whatever the role or
    /// the database says. Functions behind indexes, checks and triggers find what they find in the application's own
    /// sessions, and so do operators of types that an extension brought.
    ///
    /// # Errors
    /// When the connection is lost already.
    pub fn new(client: Client, schema: &str, ledger_schema: &str) -> Result<Session, ServerError> {
        let mut session = Session {
            client,
            ledger: Ledger { schema: ledger_schema.to_owned() },
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

    /// Asks the catalogue with nothing else in the search path: every name in the answer is qualified, whatever the path
    /// of the session is, and can be compared with what another session was told.
    ///
    /// # Errors
    /// Those of `ask`, and when the connection is lost.
    pub(super) fn unbiased<T>(
        &mut self,
        ask: impl FnOnce(&mut Client) -> Result<T, ServerError>,
    ) -> Result<T, ServerError> {
        const DOING: &str = "reading the target's catalogue";
        self.client.batch_execute("SET search_path = pg_catalog").doing(DOING)?;
        let answer = ask(&mut self.client);
        let back = self.set_path();
        let answer = answer?;
        back.map(|()| answer)
    }

    /// Reads the catalogue of one schema.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn catalog(&mut self, schema: &str) -> Result<TargetSchema, ServerError> {
        let ledger = self.ledger.clone();
        let mut found = self.unbiased(|client| catalog::read(client, schema, &ledger.schema))?;
        catalog::rows_there(&mut self.client, &mut found)?;
        Ok(found)
    }

    /// Whether the target's schema is there at all.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn has_schema(&mut self, schema: &str) -> Result<bool, ServerError> {
        let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)";
        Ok(self.client.query_one(sql, &[&schema]).doing("looking for the schema")?.get(0))
    }

    /// The database's name.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn database(&mut self) -> Result<String, ServerError> {
        Ok(self.client.query_one("SELECT current_database()::text", &[]).doing("asking for the database")?.get(0))
    }

    /// Takes the session's lock for `key`, or says who holds it.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn lock(&mut self, key: i64) -> Result<Option<Holder>, ServerError> {
        const DOING: &str = "taking the run's lock";
        let taken: bool = self.client.query_one("SELECT pg_try_advisory_lock($1)", &[&key]).doing(DOING)?.get(0);
        if taken {
            self.lock = Some(key);
            // Whoever comes in its place must be able to end it.
            self.know_backend()?;
            return Ok(None);
        }
        let row = self.client.query_opt(include_str!("sql/holder.sql"), &[&key]).doing(DOING)?;
        Ok(Some(row.map_or(Holder { pid: 0, since: String::new(), from: String::new() }, |row| Holder {
            pid: row.get(0),
            since: row.get(1),
            from: row.get(2),
        })))
    }

    /// Runs DDL or other statements as they are: for `rehearse`, on a throw-away server.
    ///
    /// # Errors
    /// When the server refuses one; those before it stay done.
    pub fn execute_script(&mut self, name: &str, sql: &str) -> Result<(), ServerError> {
        self.client.batch_execute("RESET search_path").doing(name)?;
        self.client.batch_execute(sql).doing(name)?;
        self.set_path()
    }

    /// Rows of a table.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn count(&mut self, schema: &str, table: &str) -> Result<u64, ServerError> {
        let sql = format!("SELECT count(*) FROM {}.{}", quoted(schema), quoted(table));
        Ok(self.client.query_one(&sql, &[]).doing("counting rows")?.get::<_, i64>(0).unsigned_abs())
    }

    /// Key and shown name of every row of the owner's table, by key.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn names(
        &mut self,
        schema: &str,
        table: &str,
        key: &str,
        show: &str,
    ) -> Result<Vec<(String, String)>, ServerError> {
        let sql = format!(
            "SELECT {key}::text, coalesce({show}::text, {key}::text) FROM {}.{} WHERE {key} IS NOT NULL ORDER BY {key}",
            quoted(schema),
            quoted(table),
            key = quoted(key),
            show = quoted(show)
        );
        let rows = self.client.query(&sql, &[]).doing("reading the owners")?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// The names of constraints of these tables that the server has not validated, and of indexes that are not valid.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn invalid_objects(&mut self, schema: &str, tables: &[String]) -> Result<Vec<(String, String)>, ServerError> {
        let rows =
            self.client.query(include_str!("sql/invalid.sql"), &[&schema, &tables]).doing("checking constraints")?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// What hangs on these tables, and the state of each: constraints, indexes, user triggers.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn objects(&mut self, schema: &str, tables: &[String]) -> Result<Vec<Object>, ServerError> {
        let sql = include_str!("sql/objects.sql");
        let rows =
            self.unbiased(|client| client.query(sql, &[&schema, &tables]).doing("reading the target's catalogue"))?;
        Ok(rows.iter().map(|r| Object { table: r.get(0), object: r.get(1), state: r.get(2) }).collect())
    }
}

/// `schema.table (columns)` for COPY and INSERT.
pub(super) fn with_columns(schema: &str, table: &str, columns: &[String]) -> String {
    format!("{}.{} ({})", quoted(schema), quoted(table), quoted_list(columns))
}
