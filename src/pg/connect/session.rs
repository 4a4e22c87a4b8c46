//! What every session of ours is set to, whatever the role, the database and the server have as their defaults.
//!
//! One statement, `sql/session_settings.sql`. It decides nothing about transactions.

use super::attempt;
use super::error::{ConnectError, Problem};
use super::settings::{Host, SessionAttributes, Settings};
use postgres::{Client, SimpleQueryMessage};

/// Whether the session's transactions may only read: what dry runs and verification ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOnly(pub bool);

const SESSION: &str = include_str!("../sql/session_settings.sql");
/// The server looks at this interval whether the client of a running statement is still there (14 and later; not on
/// every system).
const CHECK_INTERVAL: &str = "SELECT pg_catalog.set_config(name, '10s', false) FROM pg_catalog.pg_settings WHERE name = 'client_connection_check_interval'";

/// Sets a fresh session up.
pub(super) fn prepare(
    settings: &Settings,
    host: &Host,
    client: &mut Client,
    read_only: ReadOnly,
) -> Result<(), ConnectError> {
    let word = if read_only.0 { "on" } else { "off" };
    let sql = SESSION.replace(":'read_only'", &format!("'{word}'"));
    // In a message of its own: the role's limit counts for the message in which it is lifted.
    client
        .batch_execute("SET statement_timeout = 0")
        .and_then(|()| client.simple_query(&sql))
        .map_err(|e| failed(settings, host, &e, "the session's settings were refused"))?;
    // A refusal is a server that cannot do it: nothing is lost by going without.
    if let Err(e) = client.batch_execute(CHECK_INTERVAL)
        && e.as_db_error().is_none()
    {
        return Err(failed(settings, host, &e, "the session was cut"));
    }
    Ok(())
}

/// Whether this server is of the kind that was asked for; why not, otherwise.
pub(super) fn unsuited(
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
    let rows = client.simple_query(ASK).map_err(|e| failed(settings, host, &e, "the server's kind was not told"))?;
    let told = rows.iter().find_map(|m| match m {
        SimpleQueryMessage::Row(row) => Some((row.get(0) == Some("t"), row.get(1) == Some("on"))),
        _ => None,
    });
    let (standby, read_only) = told.unwrap_or((false, false));
    Ok(match wanted {
        SessionAttributes::ReadWrite if standby || read_only => Some("it does not take writes"),
        SessionAttributes::ReadOnly if !(standby || read_only) => Some("it takes writes"),
        SessionAttributes::Primary if standby => Some("it is a standby"),
        SessionAttributes::Standby | SessionAttributes::PreferStandby if !standby => Some("it is not a standby"),
        _ => None,
    })
}

fn failed(settings: &Settings, host: &Host, error: &postgres::Error, what: &str) -> ConnectError {
    let Some(db) = error.as_db_error() else {
        return attempt::failed(settings, host, error);
    };
    let place = format!("target {}/{}", host.shown(), settings.database);
    let advice = "Connect with a role that may set them, directly to the server";
    ConnectError::Other(Box::new(Problem::new(place, what, db.message(), advice).with_sqlstate(db.code().code())))
}
