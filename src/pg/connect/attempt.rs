//! From settings to an open connection: hosts in order, their addresses, and the attempts that `sslmode` allows.
//!
//! It opens and authenticates; what a session needs is set in `session`. Plaintext follows a failed TLS attempt
//! under `prefer` alone, TLS follows plaintext under `allow` alone; every other mode has one attempt.

use super::classify::{Facts, classify, is_tls_failure};
use super::error::{ConnectError, Problem};
use super::settings::{Address, ChannelBinding, Host, Settings};
use super::tls::SslMode;
use crate::pg::sqlstate;
use postgres::{Client, Config, NoTls};
use std::net::{IpAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Tries one host: each of its addresses until one answers.
///
/// # Errors
/// The last address's error; an answer that says no ends the search at once, as in libpq.
pub(super) fn open(settings: &Settings, host: &Host) -> Result<Client, ConnectError> {
    let mut last = None;
    for end in ends(settings, host)? {
        match open_end(settings, host, &end) {
            Err(e @ (ConnectError::Unreachable(_) | ConnectError::Waking(_))) => last = Some(e),
            answered => return answered,
        }
    }
    Err(last.unwrap_or_else(|| no_address(settings, host, "it has no address")))
}

/// The class of an error on a connection that was just opened.
pub(super) fn failed(settings: &Settings, host: &Host, error: &postgres::Error) -> ConnectError {
    let facts = Facts { settings, host, plain: false };
    classify(error, &facts)
}

/// One end to connect to.
#[derive(Clone, Debug)]
enum End {
    Socket(PathBuf),
    Ip(IpAddr),
}

/// The encryption of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encryption {
    Plain,
    /// TLS if the server says that it has it.
    Offered,
    Tls,
}

fn ends(settings: &Settings, host: &Host) -> Result<Vec<End>, ConnectError> {
    let name = match &host.address {
        Address::Socket(path) => return Ok(vec![End::Socket(path.clone())]),
        Address::Tcp { address: Some(ip), .. } => return Ok(vec![End::Ip(*ip)]),
        Address::Tcp { name, .. } => name.clone().unwrap_or_default(),
    };
    let place = (name, host.port);
    match bounded(settings.connect_timeout, move || place.to_socket_addrs()) {
        Some(Ok(found)) => Ok(found.map(|a| End::Ip(a.ip())).collect()),
        Some(Err(e)) => Err(no_address(settings, host, &e.to_string())),
        None => Err(no_address(settings, host, "the name server did not answer in time")),
    }
}

fn no_address(settings: &Settings, host: &Host, why: &str) -> ConnectError {
    ConnectError::Unreachable(Box::new(Problem::new(
        format!("target {}/{}", host.shown(), settings.database),
        "the host's name has no address",
        why,
        "Correct the host's name, or the network's name service",
    )))
}

/// The attempts that the host's mode allows at one address.
fn open_end(settings: &Settings, host: &Host, end: &End) -> Result<Client, ConnectError> {
    let (first, second) = match (end, host.sslmode) {
        (End::Socket(_), _) | (_, SslMode::Disable) => (Encryption::Plain, None),
        (_, SslMode::Allow) => (Encryption::Plain, Some(Encryption::Tls)),
        (_, SslMode::Prefer) => (Encryption::Offered, Some(Encryption::Plain)),
        _ => (Encryption::Tls, None),
    };
    let error = match attempt(settings, host, end, first) {
        Ok(client) => return Ok(client),
        Err(e) => e,
    };
    let Some(second) = second.filter(|_| error.other_encryption_may_help) else {
        return Err(error.what);
    };
    let first = error.what;
    attempt(settings, host, end, second).map_err(|second| {
        let earlier = first.problem();
        match (&first, &second.what) {
            (a, b) if a == b => second.what,
            _ => second.what.also(&format!("before that: {}; {}", earlier.what, earlier.why)),
        }
    })
}

/// Why one attempt failed.
struct Failed {
    what: ConnectError,
    /// TLS did not come about, or the server's rules about who may come in (and how) said no.
    other_encryption_may_help: bool,
}

fn attempt(settings: &Settings, host: &Host, end: &End, encryption: Encryption) -> Result<Client, Failed> {
    let fail = |what| Failed { what, other_encryption_may_help: false };
    let mut config = config(settings, host, end);
    let facts = Facts { settings, host, plain: encryption == Encryption::Plain };
    let opened = if encryption == Encryption::Plain {
        config.ssl_mode(postgres::config::SslMode::Disable);
        bounded(settings.connect_timeout, move || config.connect(NoTls))
    } else {
        let tls = settings.tls.config(host.sslmode).map_err(fail)?;
        config.ssl_mode(match encryption {
            Encryption::Offered => postgres::config::SslMode::Prefer,
            _ => postgres::config::SslMode::Require,
        });
        if settings.tls.direct {
            config.ssl_negotiation(postgres::config::SslNegotiation::Direct);
        }
        bounded(settings.connect_timeout, move || config.connect(MakeRustlsConnect::new(tls)))
    };
    match opened {
        Some(Ok(client)) => Ok(client),
        Some(Err(e)) => Err(Failed {
            other_encryption_may_help: is_tls_failure(&e)
                || e.code().is_some_and(|c| {
                    [sqlstate::INVALID_AUTHORIZATION, sqlstate::PROTOCOL_VIOLATION].contains(&c.code())
                }),
            what: classify(&e, &facts),
        }),
        None => Err(fail(timed_out(settings, host))),
    }
}

/// Nothing within `connect_timeout`.
pub(super) fn timed_out(settings: &Settings, host: &Host) -> ConnectError {
    let seconds = settings.connect_timeout.map_or(0, |t| t.as_secs());
    ConnectError::Unreachable(Box::new(Problem::new(
        format!("target {}/{}", host.shown(), settings.database),
        "no connection",
        format!("it did not answer within {seconds} s"),
        "Check host, port and firewalls; a server that sleeps may need longer: connect_timeout=60",
    )))
}

/// The driver's configuration for one end.
fn config(settings: &Settings, host: &Host, end: &End) -> Config {
    let mut config = Config::new();
    config
        .user(&settings.user)
        .dbname(&settings.database)
        .application_name(&settings.application_name)
        .port(host.port)
        .channel_binding(match settings.channel_binding {
            ChannelBinding::Disable => postgres::config::ChannelBinding::Disable,
            ChannelBinding::Prefer => postgres::config::ChannelBinding::Prefer,
            ChannelBinding::Require => postgres::config::ChannelBinding::Require,
        })
        .keepalives(settings.keepalives.on)
        .keepalives_idle(settings.keepalives.idle)
        .keepalives_interval(settings.keepalives.interval)
        .keepalives_retries(settings.keepalives.count)
        // A notice may hold values of rows.
        .notice_callback(|_| {});
    match end {
        End::Socket(path) => {
            config.host_path(path);
        }
        End::Ip(ip) => {
            config.hostaddr(*ip).host(&certificate_name(host, *ip));
        }
    }
    if let Some(options) = &settings.options {
        config.options(options);
    }
    if let Some((password, _)) = &host.password {
        config.password(password.reveal());
    }
    if let Some(timeout) = settings.connect_timeout {
        config.connect_timeout(timeout);
    }
    if let Some(timeout) = settings.tcp_user_timeout {
        config.tcp_user_timeout(timeout);
    }
    config
}

/// The name for the handshake. Modes that compare no name do not stumble over one that TLS cannot carry.
fn certificate_name(host: &Host, ip: IpAddr) -> String {
    let carried = |name: &&str| rustls::pki_types::ServerName::try_from(*name).is_ok();
    match host.name() {
        Some(name) if host.sslmode == SslMode::VerifyFull => name.to_owned(),
        name => name.filter(carried).map_or(ip.to_string(), str::to_owned),
    }
}

/// Runs something that blocks, and gives up on it after a time. What it does then comes to nothing:
/// a connection that opens too late is dropped, and so closed, by its own thread.
pub(super) fn bounded<T: Send + 'static>(
    limit: Option<Duration>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let Some(limit) = limit else {
        return Some(work());
    };
    let (sender, receiver) = mpsc::channel();
    let worker = std::thread::spawn(move || {
        let _nobody_waits_any_more = sender.send(work());
    });
    match receiver.recv_timeout(limit) {
        Ok(done) => Some(done),
        Err(mpsc::RecvTimeoutError::Timeout) => None,
        // It ended without a word: it panicked.
        Err(mpsc::RecvTimeoutError::Disconnected) => match worker.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => None,
        },
    }
}
