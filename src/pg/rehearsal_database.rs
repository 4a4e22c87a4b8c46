//! A database of a rehearsal's own on a server that the operator names.
//!
//! It is created under a new name and dropped on every way out of the process except `kill -9`. A connection stays open in it, so
//! that [`left_databases`] of another rehearsal recognises a database that no process uses any more.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::backend::Backend;
use super::connect::{ConnectError, Patience, ReadOnly, Settings};
use super::error::{Doing, ServerError};
use super::row::RowValues;
use super::session::{Session, SessionRequest};
use super::sqlstate;
use crate::model::ident::quoted;
use crate::private::PrivateFolder;

/// The first part of the name of each such database.
const PREFIX: &str = "migrate_rehearsal_";

const CREATING: &str = "creating the rehearsal's database";
const DROPPING: &str = "dropping the rehearsal's database";

/// Most time to connect again at the end. A process that was asked to stop must not wait for a server that is lost.
const AT_THE_END: Duration = Duration::from_secs(3);

/// The reason why the database could not be created or dropped.
#[derive(Debug)]
pub enum DatabaseError {
    /// The server cannot be reached.
    Connect(ConnectError),
    /// The server refuses.
    Server(ServerError),
    /// No temporary folder can be created.
    Folder(std::io::Error),
}

impl From<ConnectError> for DatabaseError {
    fn from(e: ConnectError) -> DatabaseError {
        DatabaseError::Connect(e)
    }
}

impl From<ServerError> for DatabaseError {
    fn from(e: ServerError) -> DatabaseError {
        DatabaseError::Server(e)
    }
}

/// The database. Dropping the value drops the database.
pub struct RehearsalDatabase {
    settings: Settings,
    made: Arc<MadeDatabase>,
    /// The connection by which others see that the database is in use.
    _holder: Session,
    /// Empty. [`crate::private::remove_all`] finds the work in it that drops the database.
    _folder: PrivateFolder,
}

/// Everything that the end of the process needs.
struct MadeDatabase {
    server: Settings,
    name: String,
    /// The server's process that creates the database, until it has done so.
    creator: Mutex<Option<Backend>>,
    is_dropped: AtomicBool,
}

impl RehearsalDatabase {
    /// Creates a database next to the one that the settings name. `asked` is set when the process is asked to stop.
    ///
    /// # Errors
    /// See [`DatabaseError`]. Nothing is left then.
    pub fn create(server: &Settings, asked: &Arc<AtomicBool>) -> Result<RehearsalDatabase, DatabaseError> {
        let mut session = session(server, false)?;
        session.interrupt_when(Arc::clone(asked));
        session.know_backend()?;
        let name = format!("{PREFIX}{:016x}", RandomState::new().hash_one(std::process::id()));
        let made = Arc::new(MadeDatabase {
            server: server.clone().connecting_within(AT_THE_END),
            name: name.clone(),
            creator: Mutex::new(session.backend.clone()),
            is_dropped: AtomicBool::new(false),
        });
        let folder = PrivateFolder::new().map_err(DatabaseError::Folder)?;
        let at_the_end = Arc::clone(&made);
        folder.before_removal(Arc::new(move |_: &std::path::Path| {
            // The next rehearsal names a database that could not be dropped.
            let _left = at_the_end.drop_database();
        }));
        // template0, because an administrator may have added objects to template1.
        let create = format!("CREATE DATABASE {} TEMPLATE template0", quoted(&name));
        session.client.batch_execute(&create).doing(CREATING).map_err(|e| may_not_create(e, server.user()))?;
        made.creator().take();
        let settings = server.clone().of_database(&name);
        let holder = self::session(&settings, true)?;
        Ok(RehearsalDatabase { settings, made, _holder: holder, _folder: folder })
    }

    /// The settings that connect to it.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Drops the database now.
    ///
    /// # Errors
    /// The reason why it is left, with the statement that drops it.
    pub fn remove(self) -> Result<(), DatabaseError> {
        self.made.drop_database()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.made.name
    }
}

impl MadeDatabase {
    fn creator(&self) -> std::sync::MutexGuard<'_, Option<Backend>> {
        self.creator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drop_database(&self) -> Result<(), DatabaseError> {
        if self.is_dropped.load(Ordering::SeqCst) {
            return Ok(());
        }
        let mut session = session(&self.server, false)?;
        if let Some(creator) = self.creator().take() {
            session.end_backends(&[creator])?;
        }
        let sessions = "SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
                        WHERE datname = $1 AND usename = session_user AND pid <> pg_backend_pid()";
        session.client.query(sessions, &[&self.name]).doing(DROPPING)?;
        // It waits up to five seconds for sessions that are ending.
        let drop = format!("DROP DATABASE IF EXISTS {}", quoted(&self.name));
        session.client.batch_execute(&drop).doing(DROPPING)?;
        self.is_dropped.store(true, Ordering::SeqCst);
        Ok(())
    }
}

/// Opens a session outside any application's tables.
fn session(settings: &Settings, read_only: bool) -> Result<Session, ConnectError> {
    let request = SessionRequest { schema: "public", ledger_schema: "public", read_only: ReadOnly(read_only) };
    Session::open(settings, &request, Patience::NONE, &mut |_, _| false)
}

fn may_not_create(e: ServerError, role: &str) -> ServerError {
    if e.state.as_deref() != Some(sqlstate::INSUFFICIENT_PRIVILEGE) {
        return e;
    }
    e.advise(format!("A superuser permits it: ALTER ROLE {} CREATEDB;", quoted(role)))
}

/// Returns the databases of rehearsals in which no process is connected: their processes were killed.
///
/// # Errors
/// If the server cannot be reached or refuses.
pub fn left_databases(server: &Settings) -> Result<Vec<String>, DatabaseError> {
    let mut session = session(server, true)?;
    let sql = "SELECT d.datname::text FROM pg_catalog.pg_database d WHERE starts_with(d.datname::text, $1) \
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid) ORDER BY 1";
    let rows = session.client.query(sql, &[&PREFIX]).doing("looking for databases of earlier rehearsals")?;
    Ok(rows.iter().map(|row| row.value(0)).collect::<Result<_, _>>()?)
}
