//! Classification of the driver's errors of connecting.
//!
//! It reads the SQLSTATE and the type of the cause, never the server's text, which is translated. The only exception is
//! PgBouncer, which has one code for all errors and one language.

use super::authentication::RefusedMethod;
use super::error::{ConnectError, Problem};
use super::host::{Host, PasswordFrom};
use super::settings::Settings;
use super::ssl_mode::SslMode;
use crate::model::ident::quoted;
use crate::pg::sqlstate;
use rustls::CertificateError;
use std::error::Error as _;
use std::io;

/// The driver's words for a server without TLS.
const DECLINED: &str = "does not support TLS";

/// The attempt that failed.
pub(super) struct AttemptContext<'a> {
    pub(super) settings: &'a Settings,
    pub(super) host: &'a Host,
    /// True if the attempt used no TLS.
    pub(super) plain: bool,
}

impl AttemptContext<'_> {
    fn place(&self) -> String {
        format!("target {}/{}", self.host.shown(), self.settings.database)
    }

    fn problem(&self, what: &str, why: &str, advice: &str) -> Box<Problem> {
        Box::new(Problem::new(self.place(), what, why, advice))
    }
}

/// Returns true if the error has this kind. The driver publishes its kinds only as the beginning of its message.
fn kind_is(error: &postgres::Error, words: &str) -> bool {
    error.to_string().starts_with(words)
}

/// Returns true if the TLS handshake failed.
pub(super) fn is_tls_failure(error: &postgres::Error) -> bool {
    kind_is(error, "error performing TLS handshake")
}

/// Returns true if the server has no TLS.
pub(super) fn is_tls_declined(error: &postgres::Error) -> bool {
    is_tls_failure(error) && error.source().is_some_and(|why| why.to_string().contains(DECLINED))
}

/// Returns the class of an error of connecting.
pub(super) fn classify(error: &postgres::Error, context: &AttemptContext<'_>) -> ConnectError {
    if let Some(db) = error.as_db_error() {
        return answered(db, context);
    }
    if let Some(certificate) = cause::<rustls::Error>(error) {
        return tls(certificate, context);
    }
    if let Some(refused) = cause::<RefusedMethod>(error) {
        let what = "the password was not sent";
        return ConnectError::Password(context.problem(what, &refused.to_string(), refused.advice()));
    }
    let why = error.source().map(|s| s.to_string()).unwrap_or_default();
    if is_tls_failure(error) {
        return no_tls(&why, context);
    }
    if kind_is(error, "authentication error") {
        return authentication(&why, context);
    }
    if kind_is(error, "invalid configuration") && why.contains("password") {
        let advice = "Set it in the connection string, in PGPASSWORD or in ~/.pgpass (mode 0600)";
        return ConnectError::Password(context.problem(
            "the server asks for a password",
            "none is configured for this connection",
            advice,
        ));
    }
    let cut = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
    match cause::<io::Error>(error) {
        Some(io) if !cut.contains(&io.kind()) => return unreachable(io, context),
        None if !error.is_closed() => {}
        // The proxy of a sleeping or restarting server accepts the connection and cannot reach the server.
        _ => {
            let advice = "Check the server's log and the port. The server may require a client certificate";
            return ConnectError::Waking(context.problem(
                "the connection was cut while it was established",
                &why,
                advice,
            ));
        }
    }
    let why = if why.is_empty() { error.to_string() } else { why };
    ConnectError::Unreachable(context.problem("no connection", &why, "Check the server's log"))
}

/// Finds the first cause of this type, also inside an `io::Error`. `None` if there is no such cause.
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

fn unreachable(error: &io::Error, context: &AttemptContext<'_>) -> ConnectError {
    let (what, advice) = match error.kind() {
        io::ErrorKind::ConnectionRefused => ("no server listens there", "Start the server, or correct host and port"),
        io::ErrorKind::NotFound => {
            ("no such socket", "Start the server, or correct host (the socket's directory) and port")
        }
        io::ErrorKind::PermissionDenied => ("access is denied", "Check the permissions of the socket, or the firewall"),
        io::ErrorKind::TimedOut => (
            "the server did not answer in time",
            "Check host, port and firewalls. A sleeping server may need more time: connect_timeout=60",
        ),
        _ => ("no connection", "Check host, port and the network"),
    };
    ConnectError::Unreachable(context.problem(what, &error.to_string(), advice))
}

/// Classifies an error that the server sent.
fn answered(db: &postgres::error::DbError, context: &AttemptContext<'_>) -> ConnectError {
    let code = db.code().code();
    let message = db.message();
    let problem =
        |what: &str, advice: &str| Box::new(Problem::new(context.place(), what, message, advice).with_sqlstate(code));
    match code {
        sqlstate::CANNOT_CONNECT_NOW => ConnectError::Waking(problem("the server is not ready", "Wait, and try again")),
        sqlstate::INVALID_PASSWORD => {
            ConnectError::Password(problem("the server rejects the password", &password_advice(context)))
        }
        sqlstate::INVALID_AUTHORIZATION => {
            let advice = match context.plain && context.host.sslmode < SslMode::Require {
                true => {
                    "If the role exists, the server's pg_hba.conf does not admit this user, database and address without encryption: write sslmode=require or stronger, or add an entry to pg_hba.conf"
                }
                false => "Check the user name. The server's pg_hba.conf must admit this user, database and address",
            };
            ConnectError::Password(problem("the server does not admit this user", advice))
        }
        sqlstate::PROTOCOL_VIOLATION if message.contains("startup parameter") => ConnectError::Pooler(problem(
            "a pooler answered instead of the server",
            "Use the database's direct address, because a pooler in transaction mode keeps no session. If the pooler is in session mode, remove options",
        )),
        sqlstate::INVALID_CATALOG_NAME => ConnectError::Other(problem(
            "the database does not exist",
            "Correct its name, or create it: CREATE DATABASE",
        )),
        sqlstate::INSUFFICIENT_PRIVILEGE => ConnectError::Other(problem(
            "the role may not connect",
            &format!(
                "As the database's owner: GRANT CONNECT ON DATABASE {} TO {};",
                quoted(&context.settings.database),
                quoted(&context.settings.user)
            ),
        )),
        sqlstate::TOO_MANY_CONNECTIONS => ConnectError::Other(problem(
            "the server has no free connection",
            "End idle sessions, or use fewer lanes: --jobs 1",
        )),
        _ => ConnectError::Other(problem(
            "the server refuses the connection",
            &format!("SQLSTATE {code} identifies the reason"),
        )),
    }
}

/// Names the source of the rejected password.
fn password_advice(context: &AttemptContext<'_>) -> String {
    match context.host.password.as_ref().map(|(_, from)| from) {
        None => "Set one in the connection string, in PGPASSWORD or in ~/.pgpass".to_owned(),
        Some(PasswordFrom::String(true)) => {
            "It came from the connection string and was percent-decoded: a % in it must be written %25".to_owned()
        }
        Some(PasswordFrom::String(false)) => "It came from the connection string".to_owned(),
        Some(PasswordFrom::Service) => "It came from the service file".to_owned(),
        Some(PasswordFrom::Variable) => "It came from PGPASSWORD".to_owned(),
        Some(PasswordFrom::File(path)) => format!("It came from the password file {}", path.display()),
    }
}

/// Classifies a failure of the authentication itself.
fn authentication(why: &str, context: &AttemptContext<'_>) -> ConnectError {
    if why.contains("channel binding") {
        let advice = "Connect with TLS to the server itself and a role with a scram-sha-256 password, or write channel_binding=prefer, which no longer excludes an interceptor";
        return ConnectError::Tls(context.problem(
            "the server did not prove that the encryption ends at it",
            why,
            advice,
        ));
    }
    let advice = "Set a password with scram-sha-256 or md5 for the role, or use a client certificate. This program does not support GSSAPI and SSPI";
    ConnectError::Password(context.problem("authentication failed", why, advice))
}

/// The error of a handshake that failed: the server has no TLS, or TLS cannot use the host name.
fn no_tls(why: &str, context: &AttemptContext<'_>) -> ConnectError {
    let what = match why.contains(DECLINED) {
        true => "the server offers no TLS",
        false => "the TLS handshake failed",
    };
    let mode = context.host.sslmode.word();
    let why = match why.is_empty() {
        true => format!("sslmode is {mode}"),
        false => format!("{why}, and sslmode is {mode}"),
    };
    ConnectError::Tls(context.problem(what, &why, "Enable TLS on the server; or write sslmode=disable, which sends password and rows in clear text that an interceptor can read and change"))
}

/// Advice for hosting services whose certificates no public authority signs. `None` for other hosts.
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

/// Classifies an error of the certificate or of the TLS protocol.
fn tls(error: &rustls::Error, context: &AttemptContext<'_>) -> ConnectError {
    let mode = context.host.sslmode;
    let require = "write sslmode=require, which encrypts without verifying the server";
    let rustls::Error::InvalidCertificate(certificate) = error else {
        let advice = match error {
            rustls::Error::AlertReceived(_) => {
                "Check the server's log. The server may require a client certificate: sslcert and sslkey"
            }
            _ => "Check the server's log. This program supports TLS 1.2 and 1.3",
        };
        return ConnectError::Tls(context.problem("the TLS handshake failed", &error.to_string(), advice));
    };
    use CertificateError as C;
    let (what, advice) = match certificate {
        C::Expired | C::ExpiredContext { .. } => (
            "the server's certificate has expired",
            format!("Renew the certificate on the server; or {require}"),
        ),
        C::NotValidYet | C::NotValidYetContext { .. } => (
            "the server's certificate is not valid yet",
            format!("Check this machine's clock; or {require}"),
        ),
        C::UnknownIssuer => (
            "no authority that this machine trusts signed the server's certificate",
            match hosted(context.host) {
                Some(advice) => format!("{advice}; or {require}"),
                None => {
                    format!("Name the authority's certificate: sslrootcert=FILE; or {require}")
                }
            },
        ),
        C::NotValidForName | C::NotValidForNameContext { .. } => (
            "the server's certificate is for another name",
            "Connect by a name that the certificate contains; or write sslmode=verify-ca, which accepts any server of the same authority".to_owned(),
        ),
        C::Revoked => ("the server's certificate has been revoked", "Renew the certificate on the server".to_owned()),
        _ => ("the server's certificate cannot be accepted", format!("Renew the certificate on the server; or {require}")),
    };
    let words = match mode {
        SslMode::VerifyFull | SslMode::VerifyCa => mode.word().to_owned(),
        _ => format!("{} with sslrootcert", mode.word()),
    };
    let why = format!("{error}; sslmode is {words}");
    ConnectError::Tls(context.problem(what, &why, &advice))
}
