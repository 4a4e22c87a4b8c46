//! The settings of every session, independent of the defaults of role, database and server.
//!
//! One statement, `sql/session_settings.sql`. Transactions are begun elsewhere.

use super::attempt;
use super::engine;
use super::error::{ConnectError, Problem};
use super::host::Host;
use super::settings::{SessionAttributes, Settings};
use crate::pg::client::{Client, Pipeline, Reply};
use postgres::{Row, SimpleQueryMessage};

/// True if the session's transactions may only read, as in dry runs and verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOnly(pub bool);

const SESSION: &str = include_str!("../sql/session_settings.sql");
const APPLICATION_PATH: &str = include_str!("../sql/application_path.sql");
/// Sets the interval at which the server checks, during a statement, that the client is still connected. The setting
/// exists since version 14 and not on every system.
const CHECK_INTERVAL: &str = "SELECT pg_catalog.set_config(name, '10s', false) FROM pg_catalog.pg_settings WHERE name = 'client_connection_check_interval'";

/// Sets up a new session, in one round trip. Returns the application's search path for a schema, as
/// `sql/application_path.sql` describes it.
pub(super) fn prepare(
    settings: &Settings,
    host: &Host,
    client: &mut Client,
    read_only: ReadOnly,
    schema: Option<&str>,
) -> Result<Vec<Row>, ConnectError> {
    let word = if read_only.0 { "on" } else { "off" };
    let sql = SESSION.replace(":'read_only'", &format!("'{word}'"));
    let refused = |e: postgres::Error| statement_error(settings, host, &e, "the server refuses the session's settings");
    // In a message of its own: the role's limit still applies to the message that lifts it. The search path is set before
    // the first statement that has an operator.
    // Its answer is read before those of statements that another engine refuses.
    let lift = "SET search_path = pg_catalog, pg_temp; SET statement_timeout = 0; SELECT pg_catalog.version()";
    let mut pipeline = Pipeline::new().script(lift).script(sql).script(CHECK_INTERVAL);
    if schema.is_some() {
        pipeline = pipeline.query(APPLICATION_PATH, &[&schema]);
    }
    let mut replies = pipeline.run(client).into_iter();
    let mut next = || replies.next().unwrap_or(Ok(Reply::Copied(0)));
    let first = next().map_err(refused)?;
    let place = format!("target {}/{}", host.shown(), settings.database);
    if let Some(other) = version_in(&first).and_then(|version| engine::refusal(version, place)) {
        return Err(other);
    }
    next().map_err(refused)?;
    // A server that refuses the statement cannot check. The check is optional.
    if let Err(e) = next()
        && e.as_db_error().is_none()
    {
        return Err(statement_error(settings, host, &e, "the session was cut"));
    }
    Ok(next().map_err(refused)?.rows())
}

/// The server's `version()` in the answer to the first script.
fn version_in(reply: &Reply) -> Option<&str> {
    reply.messages().iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    })
}

/// Returns the reason for which this server is not of the wanted kind. `None` if it is.
pub(super) fn mismatch(
    settings: &Settings,
    host: &Host,
    client: &mut Client,
    wanted: SessionAttributes,
) -> Result<Option<&'static str>, ConnectError> {
    if wanted == SessionAttributes::Any {
        return Ok(None);
    }
    const ASK: &str =
        "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('default_transaction_read_only')";
    let rows = client
        .simple_query(ASK)
        .map_err(|e| statement_error(settings, host, &e, "the kind of the server is unknown"))?;
    let answer = rows.iter().find_map(|m| match m {
        SimpleQueryMessage::Row(row) => Some((row.get(0) == Some("t"), row.get(1) == Some("on"))),
        _ => None,
    });
    let (standby, read_only) = answer.unwrap_or((false, false));
    Ok(match wanted {
        SessionAttributes::ReadWrite if standby || read_only => Some("it does not accept writes"),
        SessionAttributes::ReadOnly if !(standby || read_only) => Some("it accepts writes"),
        SessionAttributes::Primary if standby => Some("it is a standby"),
        SessionAttributes::Standby | SessionAttributes::PreferStandby if !standby => Some("it is not a standby"),
        _ => None,
    })
}

/// The error of a statement that sets the session up.
fn statement_error(settings: &Settings, host: &Host, error: &postgres::Error, what: &str) -> ConnectError {
    let Some(db) = error.as_db_error() else {
        return attempt::connection_error(settings, host, error);
    };
    let place = format!("target {}/{}", host.shown(), settings.database);
    let advice = "Connect directly to the server, with a role that may change these settings";
    ConnectError::Other(Box::new(Problem::new(place, what, db.message(), advice).with_sqlstate(db.code().code())))
}
