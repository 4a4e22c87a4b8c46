//! Transaction poolers: recognised by name and by behaviour, and refused before anything is written.
//!
//! Behind one, each transaction may run in another server session: settings, temporary tables and session locks are
//! lost, and what we would set would stay behind for the application's own transactions. So the look comes before
//! the session is set up, and the mark that it leaves is a setting that nobody reads. Poolers in session mode pass.

use super::attempt::{self, bounded};
use super::error::{ConnectError, Problem};
use super::settings::{Host, Settings};
use postgres::{Client, SimpleQueryMessage};
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long the second connection may take before the look is given up: a pool in session mode with one server
/// connection lets it wait for ever.
const SECOND_CONNECTION: Duration = Duration::from_secs(10);
/// In how many later transactions the mark is looked for.
const LOOKS: usize = 3;

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
                format!(
                    ", or the database itself: db.{project}.supabase.co:5432 as the user {role}"
                )
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
/// A mark is set in it. A second connection that sees the mark inside a transaction of its own shares a server session
/// with the first; and while it holds that transaction, the first must still find its mark and its process.
pub(super) fn refuse_by_behaviour(
    settings: &Settings,
    host: &Host,
    client: &mut Client,
) -> Result<(), ConnectError> {
    if settings.direct.load(Ordering::Relaxed) {
        return Ok(());
    }
    let mark = mark();
    let set = format!(
        "SELECT pg_catalog.set_config('migrate.probe', '{mark}', false), pg_catalog.pg_backend_pid()"
    );
    let process = two(client, &set)
        .map_err(|e| attempt::failed(settings, host, &e))?
        .1;
    let second = other_session(settings, host);
    let mut kept = true;
    for _ in 0..LOOKS {
        let told = two(client, LOOK).map_err(|e| attempt::failed(settings, host, &e))?;
        kept &= told == (Some(mark.clone()), process.clone());
    }
    let shared = match &second {
        Second::Session { seen, .. } => seen.as_deref() == Some(&mark),
        Second::NoTransactions => true,
        Second::Unknown => false,
    };
    if kept && !shared {
        // Where no second connection came about, the next connection looks again.
        settings
            .direct
            .store(!matches!(second, Second::Unknown), Ordering::Relaxed);
        return Ok(());
    }
    let why = match (kept, shared) {
        (false, _) => "a setting made in one transaction was gone in a later one",
        _ => "a setting made in this connection was seen in another",
    };
    Err(refusal(settings, host, why, &behind(client)))
}

const LOOK: &str =
    "SELECT pg_catalog.current_setting('migrate.probe', true), pg_catalog.pg_backend_pid()";

/// What a second connection, which holds a transaction open while it lives, showed.
enum Second {
    Session {
        seen: Option<String>,
        _held: Client,
    },
    /// It may not begin one: pooling by statement.
    NoTransactions,
    /// It did not come about.
    Unknown,
}

fn other_session(settings: &Settings, host: &Host) -> Second {
    let (settings, host) = (settings.clone(), host.clone());
    let work = move || {
        let Ok(mut client) = attempt::open(&settings, &host) else {
            return Second::Unknown;
        };
        match client
            .batch_execute("BEGIN")
            .and_then(|()| two(&mut client, LOOK))
        {
            Ok((seen, _)) => Second::Session {
                seen,
                _held: client,
            },
            Err(e) if e.code().is_some_and(|c| c.code() == "08P01") => Second::NoTransactions,
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
        _ => "Take the database's direct address: usually the server's own host and port 5432"
            .to_owned(),
    }
}

/// The two columns of a one-row answer, by the simple protocol: a prepared statement would stumble first.
fn two(
    client: &mut Client,
    sql: &str,
) -> Result<(Option<String>, Option<String>), postgres::Error> {
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
            (
                "ep-a-b-1-pooler.eu-central-1.aws.neon.tech",
                5432,
                "u",
                Some("ep-a-b-1.eu-central-1.aws.neon.tech"),
            ),
            ("ep-a-b-1.eu-central-1.aws.neon.tech", 5432, "u", None),
            (
                "aws-0-eu-central-1.pooler.supabase.com",
                6543,
                "postgres.abcd",
                Some("db.abcd.supabase.co:5432 as the user postgres"),
            ),
            (
                "aws-0-eu-central-1.pooler.supabase.com",
                5432,
                "postgres.abcd",
                None,
            ),
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
