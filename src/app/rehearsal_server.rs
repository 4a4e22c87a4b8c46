//! The server of a rehearsal: one of its own, or a database of its own on the server that `--server` names.

use crate::event::{Event, Observer};
use crate::model::record::{Refusal, Warning};
use crate::pg::connect::{Environment, Settings, resolve};
use crate::pg::rehearsal_database::{DatabaseError, RehearsalDatabase, left_databases};
use crate::pg::script::ScriptServer;
use crate::pg::throwaway::{StartFailure, Throwaway};

use super::connect;
use super::ending::Leaves;
use super::failure::{Failure, Problems};
use super::session::Server;
use super::world::World;

/// The server. Dropping it stops the server, or drops the database.
pub enum RehearsalServer {
    /// A server of the rehearsal's own.
    Own(Box<Throwaway>),
    /// A database of its own on a server that others use, too.
    Database(Box<RehearsalDatabase>),
}

impl RehearsalServer {
    /// Starts the server, or creates the database.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn start(
        url: Option<&String>,
        mapping: &str,
        world: &World,
        observer: &dyn Observer,
    ) -> Result<RehearsalServer, Failure> {
        let said = |shown: &str| observer.on_event(Event::Said(&format!("rehearsing {mapping} on {shown}")));
        let Some(url) = url else {
            world.ending.note(Leaves::Rehearsal);
            let server = Throwaway::start(&world.asked).map_err(|e| match e {
                StartFailure::Interrupted => Failure::interrupted(Leaves::Rehearsal.words()),
                StartFailure::Failed(why) => {
                    Failure::refused(Refusal::new("rehearse", format!("no PostgreSQL; {why}"), ""))
                }
            })?;
            said(server.shown());
            return Ok(RehearsalServer::Own(Box::new(server)));
        };
        world.ending.note(Leaves::RehearsalDatabase);
        let server = resolve(Some(url), &world.environment()).map_err(connect::failure)?;
        if server.password_in_string() {
            observer.on_event(Event::Warned(&connect::password_in_arguments("--server")));
        }
        for name in left_databases(&server).map_err(Failure::refused)? {
            let message = format!(
                "no process is connected: its rehearsal was killed, or begins just now. Drop it: DROP DATABASE {name};"
            );
            observer.on_event(Event::Warned(&Warning::new(format!("database {name}"), message)));
        }
        let database = RehearsalDatabase::create(&server, &world.asked).map_err(Failure::refused)?;
        said(&database.settings().shown());
        Ok(RehearsalServer::Database(Box::new(database)))
    }

    /// The way to connect to it.
    pub fn connections(&self) -> Result<Server, Failure> {
        Ok(match self {
            RehearsalServer::Own(server) => {
                let no_environment = Environment::new(std::iter::empty(), None, None);
                let settings = resolve(Some(&server.url()), &no_environment).map(Settings::of_rehearsal);
                let settings = settings.map_err(Failure::refused)?;
                Server { settings, most_connections: server.connections(), is_own: true }
            }
            RehearsalServer::Database(database) => {
                let settings = database.settings().clone();
                Server { settings, most_connections: usize::MAX, is_own: false }
            }
        })
    }

    /// The server as scripts see it.
    pub fn for_scripts(url: Option<&String>) -> ScriptServer {
        match url {
            None if cfg!(feature = "embedded") => ScriptServer::Embedded,
            None => ScriptServer::Private,
            Some(_) => ScriptServer::Shared,
        }
    }

    /// Stops the server or drops the database. Returns a warning if the database is left.
    pub fn end(self) -> Option<Warning> {
        let RehearsalServer::Database(database) = self else { return None };
        let name = database.name().to_owned();
        let problem = Failure::refused(database.remove().err()?).problems.into_iter().next();
        let reason = problem.map_or_else(String::new, |problem| format!(" ({})", problem.reason));
        let message = format!("could not be dropped{reason}. Drop it: DROP DATABASE {name};");
        Some(Warning::new(format!("database {name}"), message))
    }
}

impl From<DatabaseError> for Problems {
    fn from(e: DatabaseError) -> Problems {
        match e {
            DatabaseError::Connect(e) => e.into(),
            DatabaseError::Server(e) => e.into(),
            DatabaseError::Folder(e) => {
                Refusal::new("rehearse", format!("no private folder; {e}"), "Set TMPDIR to a folder with room.").into()
            }
        }
    }
}
