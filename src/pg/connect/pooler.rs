//! Transaction poolers: recognised by name and by behaviour, and refused before anything is written.
//!
//! Behind one, each transaction may run in another server session: settings, temporary tables and session locks are
//! lost, and what we would set would stay behind for the application's own transactions. So the look comes before
//! the session is set up, and the mark that it leaves is a setting that nobody reads. Poolers in session mode pass.

use super::attempt::{self, bounded};
use super::error::{ConnectError, Problem};
use super::settings::{Host, Settings};
use crate::pg::sqlstate;
use postgres::{Client, SimpleQueryMessage};
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long the second connection may take before the look is given up: a pool in session mode with one server
/// connection lets it wait for ever.
const SECOND_CONNECTION: Duration = Duration::from_secs(5);
/// How often both look when nothing speaks for a pooler, and when something does: then only chance keeps two
/// connections apart. Measured through a pool of four sessions with six busy clients: of 1,000 connections 761 escaped
/// two rounds and none escaped four.
const ROUNDS: usize = 4;
const ROUNDS_IF_POOLED: usize = 30;

/// Refuses addresses that are known to be transaction poolers.
pub(super) fn refuse_by_name(settings: &Settings) -> Result<(), ConnectError> {
    for host in &settings.hosts {
        let Some(name) = host.name() else { continue };
        if let Some((why, direct)) = known(name, host.port, &settings.user) {
            return Err(refusal(settings, host, why, &direct));
        }
    }
    Ok(())
}

/// Why a name is a transaction pooler's, and what to take in its place.
fn known(name: &str, port: u16, user: &str) -> Option<(&'static str, String)> {
    if name.contains("-pooler.") {
        let direct = name.replacen("-pooler.", ".", 1);
        return Some((
            "-pooler in a host's name is Neon's connection pooler",
            format!("Take the direct address: the same string with the host {direct}"),
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
            format!("Take session mode, the same string with port 5432{direct}"),
        ));
    }
    None
}

fn refusal(settings: &Settings, host: &Host, why: &str, advice: &str) -> ConnectError {
    ConnectError::Pooler(Box::new(Problem::new(
        format!("target {}/{}", host.shown(), settings.database),
        "this is a transaction pooler, behind which a session keeps neither its settings nor its locks",
        why,
        advice,
    )))
}

/// Looks whether a fresh connection is one session, once for all clones of these settings.
///
/// A mark is set in it. Then it and a second connection look in turn, in transactions of their own: the first must
/// always find its mark and its process, the second never the mark and always the same process.
pub(super) fn refuse_by_behaviour(settings: &Settings, host: &Host, client: &mut Client) -> Result<(), ConnectError> {
    if settings.direct.load(Ordering::Relaxed) {
        return Ok(());
    }
    let failed = |e: postgres::Error| attempt::failed(settings, host, &e);
    let mark = mark();
    let set = format!("SELECT pg_catalog.set_config('migrate.probe', '{mark}', false), pg_catalog.pg_backend_pid()");
    let (_, process) = two(client, &set).map_err(failed)?;
    let (clock, _) = two(client, "SELECT pg_catalog.clock_timestamp(), NULL").map_err(failed)?;
    let clock = clock.unwrap_or_default();
    let second = match other_session(settings, host, &clock) {
        // Once may be a network's doing.
        Second::NoTransactions => other_session(settings, host, &clock),
        second => second,
    };
    let unknown = matches!(second, Second::Unknown);
    let verdict = match second {
        Second::NoTransactions => Some("it lets nobody begin a transaction"),
        Second::Unknown => {
            let mine = (Some(mark), process);
            alone(client, &mine).map_err(failed)?
        }
        Second::Session { client: mut other, first_look, was_there } => {
            let rounds = if was_there { ROUNDS_IF_POOLED } else { ROUNDS };
            let mine = (Some(mark), process);
            in_turn(client, &mine, &mut other, &first_look, rounds).map_err(failed)?
        }
    };
    match verdict {
        None => {
            // Where the first was alone, the next connection looks again.
            settings.direct.store(!unknown, Ordering::Relaxed);
            Ok(())
        }
        Some(why) => Err(refusal(settings, host, why, &behind(client))),
    }
}

const LOOK: &str = "SELECT pg_catalog.current_setting('migrate.probe', true), pg_catalog.pg_backend_pid()";

const TWO_SESSIONS: &str = "two transactions of one connection ran in different sessions";

/// What one transaction shows of its session: the mark, and the process.
type Look = (Option<String>, Option<String>);

/// Why these two connections are not two sessions, if they are not.
fn in_turn(
    client: &mut Client,
    mine: &Look,
    other: &mut Client,
    first_look: &Look,
    rounds: usize,
) -> Result<Option<&'static str>, postgres::Error> {
    let mut theirs = first_look.clone();
    for round in 0..rounds {
        if theirs.0 == mine.0 {
            return Ok(Some("a setting made in one connection was seen in another"));
        }
        if theirs.1 != first_look.1 || two(client, LOOK)? != *mine {
            return Ok(Some(TWO_SESSIONS));
        }
        // Twice in every other round: a pooler that deals its sessions out in a ring must not fall into step.
        for _ in 0..=round % 2 {
            theirs = two(other, LOOK)?;
        }
    }
    Ok(None)
}

/// What the first connection can tell by itself.
fn alone(client: &mut Client, mine: &Look) -> Result<Option<&'static str>, postgres::Error> {
    for _ in 0..ROUNDS {
        if two(client, LOOK)? != *mine {
            return Ok(Some(TWO_SESSIONS));
        }
    }
    Ok(None)
}

/// What came of a second connection.
enum Second {
    /// It is one, with what its first transaction showed, and whether the server session behind it had been there
    /// before it was opened: then there is a pooler of some kind.
    Session { client: Box<Client>, first_look: Look, was_there: bool },
    /// It logged in and may not begin a transaction: pooling by statement.
    NoTransactions,
    /// It did not come about.
    Unknown,
}

/// Opens a second connection. `clock` is the server's time before that.
fn other_session(settings: &Settings, host: &Host, clock: &str) -> Second {
    let (settings, host) = (settings.clone(), host.clone());
    let born = format!(
        "SELECT backend_start < '{clock}'::timestamptz, NULL FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()"
    );
    let work = move || {
        let Ok(mut client) = attempt::open(&settings, &host) else {
            return Second::Unknown;
        };
        let looked = client.batch_execute("BEGIN").and_then(|()| {
            let look = two(&mut client, LOOK)?;
            let was_there = two(&mut client, &born)?.0.as_deref() == Some("t");
            client.batch_execute("COMMIT")?;
            Ok((look, was_there))
        });
        match looked {
            Ok((first_look, was_there)) => Second::Session { client: Box::new(client), first_look, was_there },
            // PgBouncer says 08P01 and cuts the connection; which of the two is seen is chance.
            Err(e) if e.is_closed() || e.code().is_some_and(|c| c.code() == sqlstate::PROTOCOL_VIOLATION) => {
                Second::NoTransactions
            }
            Err(_) => Second::Unknown,
        }
    };
    bounded(Some(SECOND_CONNECTION), work).unwrap_or(Second::Unknown)
}

/// Where the server behind a pooler says that it is.
fn behind(client: &mut Client) -> String {
    const ASK: &str = "SELECT pg_catalog.inet_server_addr(), pg_catalog.current_setting('port')";
    match two(client, ASK) {
        Ok((Some(address), Some(port))) => {
            let address = address.split('/').next().unwrap_or_default().to_owned();
            format!(
                "Take the database's direct address: the server behind the pooler says that it is {address}, port {port}"
            )
        }
        Ok((None, Some(port))) => format!(
            "Take the database's direct address: the server behind the pooler runs on the pooler's machine, port {port}"
        ),
        _ => "Take the database's direct address: usually the server's own host and port 5432".to_owned(),
    }
}

/// The two columns of a one-row answer, by the simple protocol: a prepared statement would stumble first.
fn two(client: &mut Client, sql: &str) -> Result<(Option<String>, Option<String>), postgres::Error> {
    let messages = client.simple_query(sql)?;
    let row = messages.iter().find_map(|m| match m {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let text = |i| row.and_then(|r| r.get(i)).map(str::to_owned);
    Ok((text(0), text(1)))
}

/// A value that no other process has.
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
    fn hosted_transaction_poolers_are_known_by_name() {
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
            let said = known(name, port, user).map(|(_, advice)| advice);
            match advice {
                None => assert_eq!(said, None, "{name}:{port}"),
                Some(piece) => {
                    let said = said.unwrap_or_else(|| panic!("{name}:{port}: passed"));
                    assert!(said.contains(piece), "{said}");
                }
            }
        }
    }

    #[test]
    fn two_marks_differ() {
        assert_ne!(mark(), mark());
    }
}
