//! The one way to the target that every command takes: settings from what was typed and found here, what they leave unproved
//! said once, a server that wakes waited for.
//!
//! What the settings mean is `target::connect`'s knowledge.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::cli::Common;
use crate::event::{Event, Observer};
use crate::mapping::Mapping;
use crate::model::record::Warning;
use crate::pg::connect::{ConnectError, Patience, ReadOnly, Settings, resolve};
use crate::pg::{ServerError, Session};

use super::{Failure, World, inputs};

/// How long a wait goes on before it is looked whether the process was asked to stop.
const LOOK: Duration = Duration::from_millis(50);

/// Everything that connecting needs.
pub struct Door<'a> {
    pub settings: &'a Settings,
    pub common: &'a Common,
    /// The target's schema.
    pub schema: &'a str,
    pub read_only: ReadOnly,
    pub observer: &'a dyn Observer,
    /// Set when the process was asked to stop: then nothing is waited for.
    pub asked: &'a AtomicBool,
}

/// The settings of the connection; `None`: no target was named.
pub fn settings_if_named(common: &Common, mapping: &Mapping, world: &World) -> Result<Option<Settings>, Failure> {
    if !inputs::names_a_target(common, mapping, world) {
        return Ok(None);
    }
    let given = inputs::target(common, mapping, world);
    resolve(given.as_deref(), &world.environment()).map(Some).map_err(failure)
}

/// The settings of the connection; that no target was named is an error.
pub fn settings(common: &Common, mapping: &Mapping, world: &World) -> Result<Settings, Failure> {
    settings_if_named(common, mapping, world)?.ok_or_else(|| {
        let advice = format!("Name it with -t URL, or set {} or the PG* variables.", mapping.target.url_env);
        Failure::usage_of("target", "none was named", advice)
    })
}

fn failure(e: ConnectError) -> Failure {
    match e {
        ConnectError::Usage(_) => Failure::usage(e),
        e => Failure::refused(e),
    }
}

/// What an operator should know of the settings, for the report.
pub fn notes(settings: &Settings) -> impl Iterator<Item = Warning> {
    settings.notes().iter().map(|note| Warning::new("target", note))
}

/// The command's first connection: with it, the notes are said.
pub fn first(door: &Door<'_>) -> Result<Session, Failure> {
    notes(door.settings).for_each(|note| door.observer.on_event(Event::Warned(&note)));
    if door.common.target.is_some() && door.settings.password_in_string() {
        door.observer.on_event(Event::Warned(&Warning::new(
            "-t",
            "the password is in the command line, where ps and the shell's history show it. Keep it in $PGPASSWORD, ~/.pgpass or \
             --env-file",
        )));
    }
    session(door, Patience::FIRST).map_err(failure)
}

/// A connection, waited for with this patience; each attempt is told.
pub fn session(door: &Door<'_>, patience: Patience) -> Result<Session, ConnectError> {
    let mut attempt = 0;
    let mut wait = |e: &ConnectError, pause: Duration| {
        attempt += 1;
        door.observer.on_event(Event::Retry { attempt, why: e.sqlstate().unwrap_or(e.reason()) });
        slept(door.asked, pause)
    };
    let client = door.settings.connect_patiently(door.read_only, patience, &mut wait)?;
    Session::new(client, door.schema, &door.common.ledger_schema).map_err(lost_again)
}

pub fn lost_again(e: ServerError) -> ConnectError {
    ConnectError::lost("the connection is lost again", e.to_string())
}

/// Sleeps; `false`: the process was asked to stop.
fn slept(asked: &AtomicBool, mut left: Duration) -> bool {
    while !left.is_zero() && !asked.load(Ordering::Relaxed) {
        let now = left.min(LOOK);
        std::thread::sleep(now);
        left -= now;
    }
    !asked.load(Ordering::Relaxed)
}
