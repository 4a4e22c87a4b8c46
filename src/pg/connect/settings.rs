//! What to connect to and how: the settings of a connection as values.
//!
//! They come from `resolve`; they open no connection themselves, and nothing they print holds a password.

use super::secret::Secret;
use super::tls::{SslMode, TlsSettings};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Where one server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// The directory of its socket.
    Socket(PathBuf),
    /// A name, an address, or both: then the address is connected to and the name is what a certificate must hold.
    Tcp {
        /// `host`
        name: Option<String>,
        /// `hostaddr`
        address: Option<IpAddr>,
    },
}

impl Address {
    /// Whether the way to it stays on this machine.
    pub(super) fn is_local(&self) -> bool {
        match self {
            Address::Socket(_) => true,
            Address::Tcp { address: Some(ip), .. } => ip.is_loopback(),
            Address::Tcp { name, .. } => name.as_deref().is_some_and(|name| {
                name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }),
        }
    }
}

/// One server to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Where it is.
    pub address: Address,
    /// Its port; part of the name of a socket.
    pub port: u16,
    /// What TLS means for it.
    pub sslmode: SslMode,
    /// Its password, and where that came from.
    pub(super) password: Option<(Secret, PasswordFrom)>,
}

/// Where a password came from: said when the server does not take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordFrom {
    /// The connection string; `true` when percent-decoding changed it.
    String(bool),
    /// The service file.
    Service,
    /// `PGPASSWORD`.
    Variable,
    /// A password file.
    File(PathBuf),
}

impl Host {
    /// `name:port`, as reports show it.
    pub fn shown(&self) -> String {
        let port = self.port;
        match &self.address {
            Address::Socket(path) => format!("{}:{port}", path.display()),
            Address::Tcp { name: Some(n), .. } if n.contains(':') => format!("[{n}]:{port}"),
            Address::Tcp { name: Some(n), .. } => format!("{n}:{port}"),
            Address::Tcp { address: Some(IpAddr::V6(a)), .. } => format!("[{a}]:{port}"),
            Address::Tcp { address: Some(a), .. } => format!("{a}:{port}"),
            Address::Tcp { .. } => format!("?:{port}"),
        }
    }

    /// The name that a certificate must hold, if one was given.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.address {
            Address::Tcp { name, .. } => name.as_deref(),
            Address::Socket(_) => None,
        }
    }
}

/// Which kind of server will do (`target_session_attrs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionAttributes {
    /// Any.
    Any,
    /// One that takes writes by default.
    ReadWrite,
    /// One that does not.
    ReadOnly,
    /// One that is not in recovery.
    Primary,
    /// One that is.
    Standby,
    /// A standby if there is one, else any.
    PreferStandby,
}

/// TCP keepalives; `None` is the system's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalives {
    /// Whether there are any.
    pub on: bool,
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Probes without an answer until the connection counts as dead.
    pub count: u32,
}

/// Everything that a connection needs. Cloning is cheap enough for one per lane.
#[derive(Clone)]
pub struct Settings {
    pub(super) hosts: Vec<Host>,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) options: Option<String>,
    pub(super) application_name: String,
    /// `None`: no limit.
    pub(super) connect_timeout: Option<Duration>,
    /// `None`: the system's.
    pub(super) tcp_user_timeout: Option<Duration>,
    pub(super) keepalives: Keepalives,
    pub(super) session: SessionAttributes,
    pub(super) channel_binding: ChannelBinding,
    pub(super) shuffle: bool,
    pub(super) tls: TlsSettings,
    /// Set once a connection was found to keep its session; clones share it, so lanes do not ask again.
    pub(super) direct: Arc<AtomicBool>,
    pub(super) notes: Vec<String>,
}

/// Whether the server must prove, within authentication, that the encryption ends at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// Where both sides can.
    Prefer,
    /// Or no connection.
    Require,
}

impl Settings {
    /// `host:port/database`, for reports and messages.
    pub fn shown(&self) -> String {
        let hosts: Vec<_> = self.hosts.iter().map(Host::shown).collect();
        format!("{}/{}", hosts.join(","), self.database)
    }

    /// The servers, in the order in which they are tried.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Who connects.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// What the operator should know about these settings: each a sentence, to be said once.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether a password stood in the connection string itself (so that `ps` shows it if it came by a flag).
    pub fn password_in_string(&self) -> bool {
        self.hosts.iter().any(|h| matches!(h.password, Some((_, PasswordFrom::String(_)))))
    }

    /// Leaves the look for a transaction pooler out: for a server that serves one connection at a time.
    pub fn known_to_be_direct(self) -> Settings {
        self.direct.store(true, std::sync::atomic::Ordering::Relaxed);
        self
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("hosts", &self.hosts)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("options", &self.options.as_ref().map(|_| "_"))
            .field("application_name", &self.application_name)
            .field("connect_timeout", &self.connect_timeout)
            .field("tcp_user_timeout", &self.tcp_user_timeout)
            .field("keepalives", &self.keepalives)
            .field("session", &self.session)
            .field("channel_binding", &self.channel_binding)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Environment, Files, Looked, resolve};
    use std::collections::BTreeMap;
    use std::io;
    use std::path::{Path, PathBuf};

    /// Files that are nowhere but here, on a system without permissions.
    struct Paper(BTreeMap<PathBuf, &'static str>);

    impl Files for Paper {
        fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
            let text = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
            Ok(text.as_bytes().to_vec())
        }

        fn look(&self, path: &Path) -> io::Result<Looked> {
            self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
            Ok(Looked { plain_file: true, mode: None })
        }
    }

    fn environment(files: &[(&str, &'static str)]) -> Environment {
        let files = files.iter().map(|(p, t)| (PathBuf::from(p), *t)).collect();
        Environment::new([], Some(PathBuf::from("/home/me")), Some("me".to_owned())).with_files(Paper(files))
    }

    #[test]
    fn a_target_is_shown_as_host_port_and_database() {
        for (string, shown) in [
            ("postgresql://u:secret@h/db", "h:5432/db"),
            ("postgresql://u:secret@[::1]:7/db", "[::1]:7/db"),
            ("postgresql://a:1,b:2/db", "a:1,b:2/db"),
            ("hostaddr=10.0.0.1 sslmode=require dbname=db", "10.0.0.1:5432/db"),
            ("hostaddr=fe80::1 sslmode=require dbname=db", "[fe80::1]:5432/db"),
            ("host=/run/pg", "/run/pg:5432/me"),
            ("db", "/var/run/postgresql:5432/db"),
        ] {
            let settings = resolve(Some(string), &environment(&[])).expect(string);
            assert_eq!(settings.shown(), shown, "{string}");
            assert_eq!(settings.to_string(), shown);
        }
    }

    #[test]
    fn a_socket_is_looked_for_where_servers_put_it() {
        let environment = environment(&[("/tmp/.s.PGSQL.7", "")]);
        let shown = |string| resolve(Some(string), &environment).expect(string).shown();
        assert_eq!(shown("port=7"), "/tmp:7/me");
        assert_eq!(shown("port=8"), "/var/run/postgresql:8/me");
    }

    #[test]
    fn a_password_says_where_it_came_from() {
        let files = environment(&[("/home/me/.pgpass", "h:5432:me:me:secret\n")]);
        let from_file = resolve(Some("host=h"), &files).expect("settings");
        assert!(!from_file.password_in_string());
        assert!(format!("{from_file:?}").contains("/home/me/.pgpass"));
        let from_string = resolve(Some("host=h password=x"), &files).expect("settings");
        assert!(from_string.password_in_string());
    }
}
