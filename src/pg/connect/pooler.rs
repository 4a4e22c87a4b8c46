//! Transaction poolers: recognised by name and by behaviour, and refused before anything is written.
//!
//! Through such a pooler, each transaction may run in another server session. Settings, temporary tables and session
//! locks are lost, and settings of this program would remain for the application's own transactions. The check
//! therefore comes before the session is set up, and the mark that it leaves is a setting without a reader. Poolers in
//! session mode pass.

use super::attempt::{self, bounded};
use super::error::{ConnectError, Problem};
use super::host::Host;
use super::settings::Settings;
use crate::pg::client::{Client, Pipeline, Reply, all_replies};
use crate::pg::sqlstate;
use postgres::SimpleQueryMessage;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Limit for the second connection, after which the check ends without it. A pool in session mode with one server
/// connection never serves the second one.
const SECOND_CONNECTION: Duration = Duration::from_secs(5);
/// Transactions of each connection in one turn.
const LOOKS: usize = 5;
/// Number of turns with a sign of a pooler. Only chance can then separate two connections.
const TURNS_IF_POOLED: usize = 10;

/// Refuses addresses that are known to be transaction poolers.
pub(super) fn refuse_by_name(settings: &Settings) -> Result<(), ConnectError> {
    for host in &settings.hosts {
        let Some(name) = host.name() else { continue };
        if let Some((why, direct)) = hosted_pooler(name, host.port, &settings.user) {
            return Err(refusal(settings, host, why, &direct));
        }
    }
    Ok(())
}

/// The reason why an address is a hosted transaction pooler, and the address to use instead. `None` for other addresses.
fn hosted_pooler(name: &str, port: u16, user: &str) -> Option<(&'static str, String)> {
    if name.contains("-pooler.") {
        let direct = name.replacen("-pooler.", ".", 1);
        return Some((
            "-pooler in a host name means Neon's connection pooler",
            format!("Use the direct address: the same string with the host {direct}"),
        ));
    }
    let supabase = name.ends_with(".supabase.com") || name.ends_with(".supabase.co");
    if supabase && port == 6543 {
        let direct = match user.split_once('.') {
            Some((role, project)) => {
                format!(", or the database itself: db.{project}.supabase.co:5432 as the user {role}")
            }
            None => String::new(),
        };
        return Some((
            "port 6543 is Supabase's transaction mode",
            format!("Use session mode: the same string with port 5432{direct}"),
        ));
    }
    None
}

/// The error for a transaction pooler.
fn refusal(settings: &Settings, host: &Host, why: &str, advice: &str) -> ConnectError {
    ConnectError::Pooler(Box::new(Problem::new(
        format!("target {}/{}", host.shown(), settings.database),
        "this is a transaction pooler, through which a session keeps neither its settings nor its locks",
        why,
        advice,
    )))
}

/// Refuses a new connection that is not one session. The check is made once for all clones of these settings.
///
/// The connection sets a mark. Then a second connection and this one read mark and process in turn, several times, each time
/// in a transaction of its own. The first must always find its mark and its process. The second must never find the mark,
/// and always the same process. The transactions of one turn are sent together, so a turn is one round trip.
pub(super) fn refuse_by_behaviour(settings: &Settings, host: &Host, client: &mut Client) -> Result<(), ConnectError> {
    if settings.direct.load(Ordering::Relaxed) {
        return Ok(());
    }
    let error = |e: postgres::Error| attempt::connection_error(settings, host, &e);
    let mark = mark();
    let set = format!("SELECT pg_catalog.set_config('migrate.probe', '{mark}', false), pg_catalog.pg_backend_pid()");
    let begin = Pipeline::new().script(set).script("SELECT pg_catalog.clock_timestamp(), NULL");
    let replies = all_replies(begin.run(client)).map_err(error)?;
    let first = |n: usize| replies.get(n).and_then(|reply| two_columns(reply.messages()).0).unwrap_or_default();
    let process = replies.first().and_then(|reply| two_columns(reply.messages()).1);
    let (own, clock) = (SessionIdentity { mark: Some(first(0)), process }, first(1));
    let second = match second_connection(settings, host, &clock) {
        // The network may have caused one failure.
        SecondConnection::NoTransactions => second_connection(settings, host, &clock),
        second => second,
    };
    let unknown = matches!(second, SecondConnection::Unknown);
    let verdict = match second {
        SecondConnection::NoTransactions => Some("it refuses to begin a transaction"),
        SecondConnection::Unknown => is_another(&SessionIdentity::read(client, LOOKS).map_err(error)?, &own),
        SecondConnection::Session { client: mut other, looks, is_older } => {
            let turns = if is_older { TURNS_IF_POOLED } else { 1 };
            check_both(client, &own, &mut other, looks, turns).map_err(error)?
        }
    };
    match verdict {
        None => {
            // Without a second connection, the next connection is checked again.
            settings.direct.store(!unknown, Ordering::Relaxed);
            Ok(())
        }
        Some(why) => Err(refusal(settings, host, why, &direct_address(client))),
    }
}

const TWO_SESSIONS: &str = "two transactions of one connection ran in different sessions";

/// The identity of a session, as one transaction reads it.
#[derive(Clone, PartialEq, Eq)]
struct SessionIdentity {
    mark: Option<String>,
    process: Option<String>,
}

impl SessionIdentity {
    const ASK: &str = "SELECT pg_catalog.current_setting('migrate.probe', true), pg_catalog.pg_backend_pid()";

    /// Reads it in a number of transactions.
    fn read(client: &mut Client, looks: usize) -> Result<Vec<SessionIdentity>, postgres::Error> {
        let pipeline = (0..looks).fold(Pipeline::new(), |pipeline, _| pipeline.script(SessionIdentity::ASK));
        Ok(all_replies(pipeline.run(client))?.iter().map(SessionIdentity::of).collect())
    }

    fn of(reply: &Reply) -> SessionIdentity {
        let (mark, process) = two_columns(reply.messages());
        SessionIdentity { mark, process }
    }
}

/// Returns the reason why these two connections are not two sessions. `None` if they are. `found`: the looks of the other
/// connection.
fn check_both(
    client: &mut Client,
    own: &SessionIdentity,
    other: &mut Client,
    mut found: Vec<SessionIdentity>,
    turns: usize,
) -> Result<Option<&'static str>, postgres::Error> {
    let first = found.first().cloned();
    for turn in 1..=turns {
        if found.iter().any(|look| look.mark == own.mark) {
            return Ok(Some("a setting of one connection was found in another"));
        }
        if found.iter().any(|look| Some(look) != first.as_ref()) {
            return Ok(Some(TWO_SESSIONS));
        }
        if let Some(why) = is_another(&SessionIdentity::read(client, LOOKS)?, own) {
            return Ok(Some(why));
        }
        if turn < turns {
            // One more in every second turn, so that a pooler that assigns its sessions in a ring does not keep in step.
            found = SessionIdentity::read(other, LOOKS + turn % 2)?;
        }
    }
    Ok(None)
}

/// Returns the reason why a connection is not one session. `None` if every look found its own.
fn is_another(looks: &[SessionIdentity], own: &SessionIdentity) -> Option<&'static str> {
    looks.iter().any(|look| look != own).then_some(TWO_SESSIONS)
}

/// The outcome of a second connection.
enum SecondConnection {
    /// A connection, and what its first transactions found. `is_older` is true if the server session existed before the
    /// connection was opened, which is the sign of a pooler.
    Session { client: Box<Client>, looks: Vec<SessionIdentity>, is_older: bool },
    /// The login succeeded and `BEGIN` failed: pooling by statement.
    NoTransactions,
    /// There is no second connection.
    Unknown,
}

/// Opens a second connection. `clock` is the server's time before that.
fn second_connection(settings: &Settings, host: &Host, clock: &str) -> SecondConnection {
    let (settings, host) = (settings.clone(), host.clone());
    let is_older = format!(
        "SELECT backend_start OPERATOR(pg_catalog.<) '{clock}'::pg_catalog.timestamptz, NULL \
         FROM pg_catalog.pg_stat_activity WHERE pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()"
    );
    let work = move || {
        let Ok(mut client) = attempt::open(&settings, &host) else {
            return SecondConnection::Unknown;
        };
        let transaction =
            Pipeline::new().script("BEGIN").script(SessionIdentity::ASK).script(is_older).script("COMMIT");
        let pipeline = (1..LOOKS).fold(transaction, |pipeline, _| pipeline.script(SessionIdentity::ASK));
        match all_replies(pipeline.run(&mut client)).as_deref() {
            Ok([_, first, is_older, _, others @ ..]) => {
                let looks = std::iter::once(first).chain(others).map(SessionIdentity::of).collect();
                let is_older = two_columns(is_older.messages()).0.as_deref() == Some("t");
                SecondConnection::Session { client: Box::new(client), looks, is_older }
            }
            // PgBouncer sends 08P01 and cuts the connection. Either of them may be noticed first.
            Err(e) if e.is_closed() || e.code().is_some_and(|c| c.code() == sqlstate::PROTOCOL_VIOLATION) => {
                SecondConnection::NoTransactions
            }
            _ => SecondConnection::Unknown,
        }
    };
    bounded(Some(SECOND_CONNECTION), work).unwrap_or(SecondConnection::Unknown)
}

/// Advice with the address that the server of a pooler reports.
fn direct_address(client: &mut Client) -> String {
    const ASK: &str = "SELECT pg_catalog.inet_server_addr(), pg_catalog.current_setting('port')";
    match client.simple_query(ASK).map(|messages| two_columns(&messages)) {
        Ok((Some(address), Some(port))) => {
            let address = address.split('/').next().unwrap_or_default().to_owned();
            format!("Use the database's direct address: the pooler's server reports the address {address}, port {port}")
        }
        Ok((None, Some(port))) => {
            format!("Use the database's direct address: the pooler's server runs on the pooler's machine, port {port}")
        }
        _ => "Use the database's direct address: usually the server's own host and port 5432".to_owned(),
    }
}

/// The two columns of an answer of one row. The simple protocol is used, because a pooler may refuse to prepare.
fn two_columns(messages: &[SimpleQueryMessage]) -> (Option<String>, Option<String>) {
    let row = messages.iter().find_map(|m| match m {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let text = |i| row.and_then(|r| r.get(i)).map(str::to_owned);
    (text(0), text(1))
}

/// Returns a value that no other process has.
fn mark() -> String {
    let state = std::hash::RandomState::new();
    let part = |n: u64| {
        let mut hasher = state.build_hasher();
        hasher.write_u64(n);
        hasher.finish()
    };
    format!("{:016x}{:016x}", part(1), part(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosted_transaction_poolers_are_recognised_by_name() {
        for (name, port, user, advice) in [
            ("ep-a-b-1-pooler.eu-central-1.aws.neon.tech", 5432, "u", Some("ep-a-b-1.eu-central-1.aws.neon.tech")),
            ("ep-a-b-1.eu-central-1.aws.neon.tech", 5432, "u", None),
            (
                "aws-0-eu-central-1.pooler.supabase.com",
                6543,
                "postgres.abcd",
                Some("db.abcd.supabase.co:5432 as the user postgres"),
            ),
            ("aws-0-eu-central-1.pooler.supabase.com", 5432, "postgres.abcd", None),
            ("db.abcd.supabase.co", 6543, "postgres", Some("port 5432")),
            ("db.abcd.supabase.co", 5432, "postgres", None),
            ("db.example.com", 6543, "u", None),
        ] {
            let found = hosted_pooler(name, port, user).map(|(_, advice)| advice);
            match advice {
                None => assert_eq!(found, None, "{name}:{port}"),
                Some(piece) => {
                    let found = found.unwrap_or_else(|| panic!("{name}:{port}: passed"));
                    assert!(found.contains(piece), "{found}");
                }
            }
        }
    }

    #[test]
    fn two_marks_differ() {
        assert_ne!(mark(), mark());
    }
}
