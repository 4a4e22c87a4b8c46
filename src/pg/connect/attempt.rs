//! Attempts to connect to one host: its addresses, and the encryptions that `sslmode` allows at each of them.
//!
//! An attempt opens and authenticates a connection; `session` sets it up. Plaintext follows a failed TLS attempt only
//! under `prefer`. TLS follows plaintext only under `allow`. Every other mode has one attempt.

use super::authentication::AuthenticationCheck;
use super::classify::{AttemptContext, classify, is_tls_declined, is_tls_failure};
use super::error::{ConnectError, Problem};
use super::guarded::{GuardedPlain, GuardedTls};
use super::host::{Host, ServerAddress};
use super::settings::{ChannelBinding, Settings};
use super::ssl_mode::SslMode;
use crate::pg::client::{Client, Reactor};
use crate::pg::sqlstate;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Connects to one host: tries its addresses until one answers.
///
/// # Errors
/// The error of the last address. A refusal by the server ends the search at once, as in libpq.
pub(super) fn open(settings: &Settings, host: &Host) -> Result<Client, ConnectError> {
    let mut last = None;
    for endpoint in endpoints(settings, host)? {
        match open_endpoint(settings, host, &endpoint) {
            Err(e @ (ConnectError::Unreachable(_) | ConnectError::Waking(_))) => last = Some(e),
            answered => return answered,
        }
    }
    Err(last.unwrap_or_else(|| no_address(settings, host, "the name service returned none")))
}

/// Classifies an error on a connection that was just opened.
pub(super) fn connection_error(settings: &Settings, host: &Host, error: &postgres::Error) -> ConnectError {
    let context = AttemptContext { settings, host, plain: false };
    classify(error, &context)
}

/// A socket directory or an IP address to connect to.
#[derive(Clone, Debug)]
enum Endpoint {
    Socket(PathBuf),
    Ip(IpAddr),
}

/// The encryption of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encryption {
    Plain,
    Tls,
}

fn endpoints(settings: &Settings, host: &Host) -> Result<Vec<Endpoint>, ConnectError> {
    let name = match &host.address {
        ServerAddress::Socket(path) => return Ok(vec![Endpoint::Socket(path.clone())]),
        ServerAddress::Tcp { address: Some(ip), .. } => return Ok(vec![Endpoint::Ip(*ip)]),
        ServerAddress::Tcp { name, .. } => name.clone().unwrap_or_default(),
    };
    let place = (name, host.port);
    match bounded(settings.connect_timeout, move || place.to_socket_addrs()) {
        Some(Ok(found)) => Ok(found.map(|a| Endpoint::Ip(a.ip())).collect()),
        Some(Err(e)) => Err(no_address(settings, host, &e.to_string())),
        None => Err(no_address(settings, host, "the name service did not answer in time")),
    }
}

fn no_address(settings: &Settings, host: &Host, why: &str) -> ConnectError {
    ConnectError::Unreachable(Box::new(Problem::new(
        format!("target {}/{}", host.shown(), settings.database),
        "the host name does not resolve to an address",
        why,
        "Correct the host name, or fix the network's name service",
    )))
}

/// Makes the attempts that the host's `sslmode` allows at one address.
fn open_endpoint(settings: &Settings, host: &Host, endpoint: &Endpoint) -> Result<Client, ConnectError> {
    let (first, second) = match (endpoint, host.sslmode) {
        (Endpoint::Socket(_), _) | (_, SslMode::Disable) => (Encryption::Plain, None),
        (_, SslMode::Allow) => (Encryption::Plain, Some(Encryption::Tls)),
        (_, SslMode::Prefer) => (Encryption::Tls, Some(Encryption::Plain)),
        _ => (Encryption::Tls, None),
    };
    let error = match attempt(settings, host, endpoint, first) {
        Ok(client) => return Ok(client),
        Err(e) => e,
    };
    let Some(second) = second.filter(|_| error.other_encryption_may_help) else {
        return Err(error.error);
    };
    let (first, is_declined) = (error.error, error.is_declined);
    attempt(settings, host, endpoint, second).map_err(|second| {
        let earlier = first.problem();
        match (&first, &second.error) {
            (a, b) if a == b || is_declined => second.error,
            _ => second.error.also(&format!("before that: {}; {}", earlier.what, earlier.why)),
        }
    })
}

/// The error of one attempt.
struct FailedAttempt {
    error: ConnectError,
    /// The TLS handshake failed, or the server's `pg_hba.conf` did not admit the connection.
    other_encryption_may_help: bool,
    /// The server has no TLS.
    is_declined: bool,
}

fn attempt(
    settings: &Settings,
    host: &Host,
    endpoint: &Endpoint,
    encryption: Encryption,
) -> Result<Client, FailedAttempt> {
    let fail = |error| FailedAttempt { error, other_encryption_may_help: false, is_declined: false };
    let mut config = config(settings, host, endpoint);
    let context = AttemptContext { settings, host, plain: encryption == Encryption::Plain };
    let reactor = Reactor::new().map_err(|e| fail(no_reactor(settings, host, &e)))?;
    let is_proved = encryption == Encryption::Tls && settings.tls.proves_identity(host.sslmode);
    let check = AuthenticationCheck::new(settings.authentication, is_proved);
    let opened = if encryption == Encryption::Plain && matches!(endpoint, Endpoint::Ip(_)) {
        // The guard is given to the library as an encryption without a handshake.
        config.ssl_mode(postgres::config::SslMode::Require).ssl_negotiation(postgres::config::SslNegotiation::Direct);
        bounded(settings.connect_timeout, move || Client::connect(reactor, &config, GuardedPlain(check)))
    } else if encryption == Encryption::Plain {
        config.ssl_mode(postgres::config::SslMode::Disable);
        bounded(settings.connect_timeout, move || Client::connect(reactor, &config, NoTls))
    } else {
        let tls = settings.tls.config(host.sslmode).map_err(fail)?;
        config.ssl_mode(postgres::config::SslMode::Require);
        if settings.tls.direct {
            config.ssl_negotiation(postgres::config::SslNegotiation::Direct);
        }
        let tls = GuardedTls(MakeRustlsConnect::new(tls), check);
        bounded(settings.connect_timeout, move || Client::connect(reactor, &config, tls))
    };
    match opened {
        Some(Ok(client)) => Ok(client),
        Some(Err(e)) => Err(FailedAttempt {
            other_encryption_may_help: is_tls_failure(&e)
                || e.code().is_some_and(|c| {
                    [sqlstate::INVALID_AUTHORIZATION, sqlstate::PROTOCOL_VIOLATION].contains(&c.code())
                }),
            is_declined: is_tls_declined(&e),
            error: classify(&e, &context),
        }),
        None => Err(fail(timed_out(settings, host))),
    }
}

/// The error if the server did not answer within `connect_timeout`.
pub(super) fn timed_out(settings: &Settings, host: &Host) -> ConnectError {
    let seconds = settings.connect_timeout.map_or(0, |t| t.as_secs());
    ConnectError::Unreachable(Box::new(Problem::new(
        format!("target {}/{}", host.shown(), settings.database),
        "no connection",
        format!("the server did not answer within {seconds} s"),
        "Check host, port and firewalls. A sleeping server may need more time: connect_timeout=60",
    )))
}

/// The error if the process cannot wait for a connection.
fn no_reactor(settings: &Settings, host: &Host, error: &std::io::Error) -> ConnectError {
    ConnectError::Other(Box::new(Problem::new(
        format!("target {}/{}", host.shown(), settings.database),
        "no connection",
        error.to_string(),
        "Raise the limit of open files: ulimit -n 1024",
    )))
}

/// The driver's configuration for one endpoint.
fn config(settings: &Settings, host: &Host, endpoint: &Endpoint) -> Config {
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
        .keepalives_retries(settings.keepalives.count);
    match endpoint {
        Endpoint::Socket(path) => {
            config.host_path(path);
        }
        Endpoint::Ip(ip) => {
            config.hostaddr(*ip).host(certificate_name(host, *ip));
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

/// The server name for the handshake. Modes that compare no name replace a name that TLS cannot carry by the address.
fn certificate_name(host: &Host, ip: IpAddr) -> String {
    let carried = |name: &&str| rustls::pki_types::ServerName::try_from(*name).is_ok();
    match host.name() {
        Some(name) if host.sslmode == SslMode::VerifyFull => name.to_owned(),
        name => name.filter(carried).map_or(ip.to_string(), str::to_owned),
    }
}

/// Runs blocking work for at most `limit`, on a thread of its own. `None` if the time is over.
///
/// That thread drops a result that arrives later: a connection that opens too late is closed.
pub(super) fn bounded<T: Send + 'static>(
    limit: Option<Duration>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let Some(limit) = limit else {
        return Some(work());
    };
    let (sender, receiver) = mpsc::channel();
    let worker = std::thread::spawn(move || {
        let _may_be_too_late = sender.send(work());
    });
    match receiver.recv_timeout(limit) {
        Ok(done) => Some(done),
        Err(mpsc::RecvTimeoutError::Timeout) => None,
        // The thread ended without a result: it panicked.
        Err(mpsc::RecvTimeoutError::Disconnected) => match worker.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => None,
        },
    }
}
