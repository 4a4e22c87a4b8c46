//! From a driver's error to what one can do next.
//!
//! By SQLSTATE and by the kind of the cause, never by the server's text, which is translated; PgBouncer alone,
//! which has one code for everything and one language, is known by its words.

use super::error::{ConnectError, Problem};
use super::settings::{Host, PasswordFrom, Settings};
use super::tls::SslMode;
use crate::model::ident::quoted;
use crate::pg::sqlstate;
use rustls::CertificateError;
use std::error::Error as _;
use std::io;

/// What was being tried.
pub(super) struct Facts<'a> {
    pub(super) settings: &'a Settings,
    pub(super) host: &'a Host,
    /// Without TLS.
    pub(super) plain: bool,
}

impl Facts<'_> {
    fn place(&self) -> String {
        format!("target {}/{}", self.host.shown(), self.settings.database)
    }

    fn problem(&self, what: &str, why: &str, advice: &str) -> Box<Problem> {
        Box::new(Problem::new(self.place(), what, why, advice))
    }
}

/// The driver's own words for its kinds; it has no other way to tell them apart.
fn kind_is(error: &postgres::Error, words: &str) -> bool {
    error.to_string().starts_with(words)
}

/// Whether TLS itself did not come about.
pub(super) fn is_tls_failure(error: &postgres::Error) -> bool {
    kind_is(error, "error performing TLS handshake")
}

/// The class of an error of connecting.
pub(super) fn classify(error: &postgres::Error, facts: &Facts<'_>) -> ConnectError {
    if let Some(db) = error.as_db_error() {
        return answered(db, facts);
    }
    if let Some(certificate) = cause::<rustls::Error>(error) {
        return tls(certificate, facts);
    }
    let why = error.source().map(|s| s.to_string()).unwrap_or_default();
    if is_tls_failure(error) {
        return no_tls(&why, facts);
    }
    if kind_is(error, "authentication error") {
        return authentication(&why, facts);
    }
    if kind_is(error, "invalid configuration") && why.contains("password") {
        let advice = "Give it in the connection string, in PGPASSWORD or in ~/.pgpass (mode 0600)";
        return ConnectError::Password(facts.problem(
            "the server asks for a password",
            "there is none for this connection",
            advice,
        ));
    }
    let cut = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
    match cause::<io::Error>(error) {
        Some(io) if !cut.contains(&io.kind()) => return unreachable(io, facts),
        None if !error.is_closed() => {}
        // What stands before a server that sleeps or restarts takes the connection and finds nobody behind it.
        _ => {
            let advice = "Look into the server's log; it may want a client certificate, or another port may be meant";
            return ConnectError::Waking(facts.problem("the connection was cut while it was being made", &why, advice));
        }
    }
    let why = if why.is_empty() { error.to_string() } else { why };
    ConnectError::Unreachable(facts.problem("no connection", &why, "Look into the server's log"))
}

/// Looks for a cause of this type, also inside the boxes of `io::Error`.
fn cause<T: std::error::Error + 'static>(error: &postgres::Error) -> Option<&T> {
    let mut next = error.source();
    while let Some(e) = next {
        if let Some(found) = e.downcast_ref::<T>() {
            return Some(found);
        }
        let inner = e.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|i| i.downcast_ref::<T>()) {
            return Some(found);
        }
        next = e.source();
    }
    None
}

fn unreachable(error: &io::Error, facts: &Facts<'_>) -> ConnectError {
    let (what, advice) = match error.kind() {
        io::ErrorKind::ConnectionRefused => ("nobody listens there", "Start the server, or correct host and port"),
        io::ErrorKind::NotFound => {
            ("there is no such socket", "Start the server, or correct host (the socket's directory) and port")
        }
        io::ErrorKind::PermissionDenied => {
            ("the way is closed", "Check the permissions of the socket, or the firewall")
        }
        io::ErrorKind::TimedOut => (
            "it did not answer in time",
            "Check host, port and firewalls; a server that sleeps may need longer: connect_timeout=60",
        ),
        _ => ("no connection", "Check host, port and the network"),
    };
    ConnectError::Unreachable(facts.problem(what, &error.to_string(), advice))
}

/// The server said no.
fn answered(db: &postgres::error::DbError, facts: &Facts<'_>) -> ConnectError {
    let code = db.code().code();
    let says = db.message();
    let problem =
        |what: &str, advice: &str| Box::new(Problem::new(facts.place(), what, says, advice).with_sqlstate(code));
    match code {
        sqlstate::CANNOT_CONNECT_NOW => ConnectError::Waking(problem("the server is not ready", "Wait, and try again")),
        sqlstate::INVALID_PASSWORD => {
            ConnectError::Password(problem("the server does not take the password", &password_advice(facts)))
        }
        sqlstate::INVALID_AUTHORIZATION => {
            let advice = match facts.plain && facts.host.sslmode < SslMode::Require {
                true => {
                    "The server's pg_hba.conf admits no such user, database and address without encryption, if the role exists: write sslmode=require or stronger, or add an entry there"
                }
                false => "Check the user's name; the server's pg_hba.conf must admit this user, database and address",
            };
            ConnectError::Password(problem("the server does not admit this user", advice))
        }
        sqlstate::PROTOCOL_VIOLATION if says.contains("startup parameter") => ConnectError::Pooler(problem(
            "a pooler answered, not the server",
            "Take the database's direct address: a pooler in transaction mode keeps no session; or leave options out if it is in session mode",
        )),
        sqlstate::INVALID_CATALOG_NAME => {
            ConnectError::Other(problem("the database is not there", "Correct its name, or create it: CREATE DATABASE"))
        }
        sqlstate::INSUFFICIENT_PRIVILEGE => ConnectError::Other(problem(
            "the role may not connect",
            &format!(
                "As the database's owner: GRANT CONNECT ON DATABASE {} TO {};",
                quoted(&facts.settings.database),
                quoted(&facts.settings.user)
            ),
        )),
        sqlstate::TOO_MANY_CONNECTIONS => ConnectError::Other(problem(
            "the server has no connection left",
            "End idle sessions, or use fewer lanes: --jobs 1",
        )),
        _ => ConnectError::Other(problem(
            "the server refuses the connection",
            &format!("SQLSTATE {code} says which rule it was"),
        )),
    }
}

fn password_advice(facts: &Facts<'_>) -> String {
    match facts.host.password.as_ref().map(|(_, from)| from) {
        None => "Give one in the connection string, in PGPASSWORD or in ~/.pgpass".to_owned(),
        Some(PasswordFrom::String(true)) => {
            "It came from the connection string and was percent-decoded: a % in it must be written %25".to_owned()
        }
        Some(PasswordFrom::String(false)) => "It came from the connection string".to_owned(),
        Some(PasswordFrom::Service) => "It came from the service file".to_owned(),
        Some(PasswordFrom::Variable) => "It came from PGPASSWORD".to_owned(),
        Some(PasswordFrom::File(path)) => format!("It came from the password file {}", path.display()),
    }
}

fn authentication(why: &str, facts: &Facts<'_>) -> ConnectError {
    if why.contains("channel binding") {
        let advice = "Connect with TLS to the server itself and a role with a scram-sha-256 password, or write channel_binding=prefer, which gives up the proof that nobody stands between";
        return ConnectError::Tls(facts.problem(
            "the server did not prove that the encryption ends at it",
            why,
            advice,
        ));
    }
    let advice = "Give the role a password with scram-sha-256 or md5, or use a client certificate: GSSAPI and SSPI are not spoken by this program";
    ConnectError::Password(facts.problem("authentication failed", why, advice))
}

/// The server has no TLS, or the name cannot be used in it.
fn no_tls(why: &str, facts: &Facts<'_>) -> ConnectError {
    let what = match why.contains("does not support TLS") {
        true => "the server offers no TLS",
        false => "TLS did not come about",
    };
    let mode = facts.host.sslmode.word();
    let why = match why.is_empty() {
        true => format!("sslmode is {mode}"),
        false => format!("{why}, and sslmode is {mode}"),
    };
    ConnectError::Tls(facts.problem(what, &why, "Turn TLS on at the server; or write sslmode=disable, which sends password and rows in clear text that anybody on the way can read and change"))
}

/// Hosts whose certificates no public authority signs, and what to do there.
fn hosted(host: &Host) -> Option<&'static str> {
    let name = host.name()?;
    if name.ends_with(".supabase.co") || name.ends_with(".supabase.com") {
        return Some(
            "Supabase is its own authority: download its certificate (Database settings, SSL configuration) and write sslrootcert=FILE",
        );
    }
    if name.ends_with(".rlwy.net") || name.ends_with(".railway.app") {
        return Some("Railway's certificates are self-signed, so there is no authority to name");
    }
    None
}

/// The certificate, or the protocol.
fn tls(error: &rustls::Error, facts: &Facts<'_>) -> ConnectError {
    let mode = facts.host.sslmode;
    let require = "write sslmode=require, which encrypts and gives up knowing who answers";
    let rustls::Error::InvalidCertificate(certificate) = error else {
        let advice = match error {
            rustls::Error::AlertReceived(_) => {
                "Look into the server's log; it may want a client certificate: sslcert and sslkey"
            }
            _ => "Look into the server's log; this program speaks TLS 1.2 and 1.3",
        };
        return ConnectError::Tls(facts.problem("TLS did not come about", &error.to_string(), advice));
    };
    use CertificateError as C;
    let (what, advice) = match certificate {
        C::Expired | C::ExpiredContext { .. } => (
            "the server's certificate has expired",
            format!("Renew it at the server; or {require}"),
        ),
        C::NotValidYet | C::NotValidYetContext { .. } => (
            "the server's certificate is not valid yet",
            format!("Check this machine's clock; or {require}"),
        ),
        C::UnknownIssuer => (
            "nobody whom this machine trusts signed the server's certificate",
            match hosted(facts.host) {
                Some(advice) => format!("{advice}; or {require}"),
                None => {
                    format!("Name the authority's certificate: sslrootcert=FILE; or {require}")
                }
            },
        ),
        C::NotValidForName | C::NotValidForNameContext { .. } => (
            "the server's certificate is for another name",
            "Connect by a name that it holds; or write sslmode=verify-ca, which gives up telling this server from others of the same authority".to_owned(),
        ),
        C::Revoked => ("the server's certificate has been revoked", "Renew it at the server".to_owned()),
        _ => ("the server's certificate cannot be accepted", format!("Renew it at the server; or {require}")),
    };
    let said = match mode {
        SslMode::VerifyFull | SslMode::VerifyCa => mode.word().to_owned(),
        _ => format!("{} with sslrootcert", mode.word()),
    };
    let why = format!("{error}; sslmode is {said}");
    ConnectError::Tls(facts.problem(what, &why, &advice))
}
