//! Connections to the target: settings from flags and environment, the warnings about them, and the wait for a server.
//!
//! The meaning of the settings belongs to `pg::connect`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::cli::Common;
use crate::event::{Event, Observer};
use crate::job;
use crate::mapping::Mapping;
use crate::model::record::Warning;
use crate::pg::connect::{ConnectError, Patience, ReadOnly, Settings, resolve};
use crate::pg::{ServerError, Session, SessionRequest};

use super::failure::Failure;
use super::inputs;
use super::world::World;

/// Makes connections to one target.
pub struct Connector<'a> {
    pub settings: &'a Settings,
    pub common: &'a Common,
    /// The schema of the application's tables.
    pub schema: &'a str,
    pub read_only: ReadOnly,
    pub observer: &'a dyn Observer,
    /// Set when the process is asked to stop. Waits end then, and running statements are cancelled.
    pub asked: &'a Arc<AtomicBool>,
}

/// The settings of the connection. `None` if no target was named.
pub fn settings_if_named(common: &Common, mapping: &Mapping, world: &World) -> Result<Option<Settings>, Failure> {
    if !inputs::names_a_target(common, mapping, world) {
        return Ok(None);
    }
    let given = inputs::target(common, mapping, world);
    resolve(given.as_deref(), &world.environment()).map(Some).map_err(failure)
}

/// The settings of the connection.
///
/// # Errors
/// If no target was named, or the settings cannot be read.
pub fn settings(common: &Common, mapping: &Mapping, world: &World) -> Result<Settings, Failure> {
    settings_if_named(common, mapping, world)?.ok_or_else(|| {
        let advice = format!("Name it with -t URL, or set {} or the PG* variables.", mapping.target.url_env);
        Failure::usage_of("target", "none was named", advice)
    })
}

/// The warning about a password in the connection string of a flag.
pub fn password_in_arguments(flag: &str) -> Warning {
    Warning::new(
        flag,
        "the password is in the command line, where ps and the shell's history show it. Keep it in $PGPASSWORD, ~/.pgpass or \
         --env-file",
    )
}

/// The failure of a connection that cannot be made.
pub fn failure(e: ConnectError) -> Failure {
    match e {
        ConnectError::Usage(_) => Failure::usage(e),
        e => Failure::refused(e),
    }
}

/// The warnings about the settings.
pub fn notes(settings: &Settings) -> impl Iterator<Item = Warning> {
    settings.notes().iter().map(|note| Warning::new("target", note))
}

/// The error of a connection that was made and lost again.
pub fn lost_again(e: ServerError) -> ConnectError {
    ConnectError::lost("the connection is lost again", e.to_string())
}

impl Connector<'_> {
    /// Makes the first connection of a command, and reports the warnings about the settings.
    pub fn first(&self) -> Result<Session, Failure> {
        notes(self.settings).for_each(|note| self.observer.on_event(Event::Warned(&note)));
        if self.common.target.is_some() && self.settings.password_in_string() {
            self.observer.on_event(Event::Warned(&password_in_arguments("-t")));
        }
        self.session(Patience::FIRST).map_err(failure)
    }

    /// Makes a connection. Reports each failed attempt while `patience` lasts.
    pub fn session(&self, patience: Patience) -> Result<Session, ConnectError> {
        let mut attempt = 0;
        let mut wait = |e: &ConnectError, left: Duration| {
            attempt += 1;
            self.observer.on_event(Event::Retry { attempt, why: e.sqlstate().unwrap_or(e.reason()) });
            job::pause(self.asked, left)
        };
        let ledger_schema = &self.common.ledger_schema;
        let request = SessionRequest { schema: self.schema, ledger_schema, read_only: self.read_only };
        let mut session = Session::open(self.settings, &request, patience, &mut wait)?;
        session.interrupt_when(Arc::clone(self.asked));
        Ok(session)
    }
}
