//! The settings of a connection as values, made by `resolve`.
//!
//! They open no connection, and nothing that they print contains a password.

use super::authentication::AllowedMethods;
use super::host::{Host, PasswordFrom};
use super::tls::TlsSettings;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The required kind of server (`target_session_attrs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionAttributes {
    /// Any server.
    Any,
    /// A server that accepts writes by default.
    ReadWrite,
    /// A server that does not accept writes by default.
    ReadOnly,
    /// A server that is not in recovery.
    Primary,
    /// A server in recovery.
    Standby,
    /// A standby if there is one, otherwise any server.
    PreferStandby,
}

/// TCP keepalives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalives {
    /// True if keepalives are sent.
    pub on: bool,
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Probes without an answer until the connection counts as dead.
    pub count: u32,
}

/// The settings of a connection. Cloning is cheap enough for one clone per lane.
#[derive(Clone)]
pub struct Settings {
    pub(super) hosts: Vec<Host>,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) options: Option<String>,
    pub(super) application_name: String,
    /// `None` if there is no limit.
    pub(super) connect_timeout: Option<Duration>,
    /// `None` for the system's default.
    pub(super) tcp_user_timeout: Option<Duration>,
    pub(super) keepalives: Keepalives,
    pub(super) session: SessionAttributes,
    pub(super) channel_binding: ChannelBinding,
    pub(super) authentication: AllowedMethods,
    pub(super) shuffle: bool,
    pub(super) tls: TlsSettings,
    /// True once a connection was found to keep its session. Clones share it, so lanes do not check again.
    pub(super) direct: Arc<AtomicBool>,
    /// True for a server that takes one statement at a time.
    pub(in crate::pg) one_at_a_time: bool,
    pub(super) notes: Vec<String>,
}

/// The use of channel binding, by which the server proves during authentication that the encryption ends at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelBinding {
    /// No proof.
    Disable,
    /// A proof if both sides support it.
    Prefer,
    /// No connection without a proof.
    Require,
}

impl Settings {
    /// Returns `host:port/database` for reports and messages.
    pub fn shown(&self) -> String {
        let hosts: Vec<_> = self.hosts.iter().map(Host::shown).collect();
        format!("{}/{}", hosts.join(","), self.database)
    }

    /// The servers, in the order in which they are tried.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The role that connects.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Notes for the operator about these settings, each to be reported once.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns true if the connection string contains a password. `ps` shows the password if the string is a flag's
    /// value.
    pub fn password_in_string(&self) -> bool {
        self.hosts.iter().any(|h| matches!(h.password, Some((_, PasswordFrom::String(_)))))
    }

    /// The same settings for another database of the server.
    pub fn of_database(self, name: &str) -> Settings {
        Settings { database: name.to_owned(), ..self }
    }

    /// The same settings with a limit for the time to connect.
    pub fn connecting_within(self, most: Duration) -> Settings {
        let timeout = self.connect_timeout.map_or(most, |timeout| timeout.min(most));
        Settings { connect_timeout: Some(timeout), ..self }
    }

    /// Settings for the server of a rehearsal. It is no transaction pooler. The one inside the process serves one connection at
    /// a time and ends when a statement follows the end of a COPY before its answer.
    pub fn of_rehearsal(self) -> Settings {
        self.direct.store(true, std::sync::atomic::Ordering::Relaxed);
        Settings { one_at_a_time: true, ..self }
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
    use super::super::{Environment, Files, PathInfo, resolve};
    use std::collections::BTreeMap;
    use std::io;
    use std::path::{Path, PathBuf};

    /// Files in memory, on a system without permissions.
    struct Paper(BTreeMap<PathBuf, &'static str>);

    impl Files for Paper {
        fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
            let text = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
            Ok(text.as_bytes().to_vec())
        }

        fn inspect(&self, path: &Path) -> io::Result<PathInfo> {
            self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
            Ok(PathInfo { plain_file: true, mode: None })
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
    fn a_socket_is_found_in_the_default_directories_of_servers() {
        let environment = environment(&[("/tmp/.s.PGSQL.7", "")]);
        let shown = |string| resolve(Some(string), &environment).expect(string).shown();
        assert_eq!(shown("port=7"), "/tmp:7/me");
        assert_eq!(shown("port=8"), "/var/run/postgresql:8/me");
    }

    #[test]
    fn the_source_of_a_password_is_known() {
        let files = environment(&[("/home/me/.pgpass", "h:5432:me:me:secret\n")]);
        let from_file = resolve(Some("host=h"), &files).expect("settings");
        assert!(!from_file.password_in_string());
        assert!(format!("{from_file:?}").contains("/home/me/.pgpass"));
        let from_string = resolve(Some("host=h password=x"), &files).expect("settings");
        assert!(from_string.password_in_string());
    }
}
