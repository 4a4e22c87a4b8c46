//! One server to connect to: its address, its port, its `sslmode` and its password.

use super::secret::Secret;
use super::ssl_mode::SslMode;
use std::net::IpAddr;
use std::path::PathBuf;

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerAddress {
    /// The directory of the server's socket.
    Socket(PathBuf),
    /// A name, an address, or both. With both, the address is for the connection and the name is compared with the
    /// certificate.
    Tcp {
        /// `host`
        name: Option<String>,
        /// `hostaddr`
        address: Option<IpAddr>,
    },
}

impl ServerAddress {
    /// Returns true if the connection does not leave this machine.
    pub(super) fn is_local(&self) -> bool {
        match self {
            ServerAddress::Socket(_) => true,
            ServerAddress::Tcp { address: Some(ip), .. } => ip.is_loopback(),
            ServerAddress::Tcp { name, .. } => name.as_deref().is_some_and(|name| {
                name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }),
        }
    }
}

/// A server to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The address.
    pub address: ServerAddress,
    /// The port, which is part of a socket's file name.
    pub port: u16,
    /// The `sslmode` for this server.
    pub sslmode: SslMode,
    /// The password and its source.
    pub(super) password: Option<(Secret, PasswordFrom)>,
}

/// The source of a password, reported if the server rejects the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordFrom {
    /// The connection string. True if percent-decoding changed the password.
    String(bool),
    /// The service file.
    Service,
    /// `PGPASSWORD`.
    Variable,
    /// A password file.
    File(PathBuf),
}

impl Host {
    /// Returns `name:port` for reports.
    pub fn shown(&self) -> String {
        let port = self.port;
        match &self.address {
            ServerAddress::Socket(path) => format!("{}:{port}", path.display()),
            ServerAddress::Tcp { name: Some(n), .. } if n.contains(':') => format!("[{n}]:{port}"),
            ServerAddress::Tcp { name: Some(n), .. } => format!("{n}:{port}"),
            ServerAddress::Tcp { address: Some(IpAddr::V6(a)), .. } => format!("[{a}]:{port}"),
            ServerAddress::Tcp { address: Some(a), .. } => format!("{a}:{port}"),
            ServerAddress::Tcp { .. } => format!("?:{port}"),
        }
    }

    /// The name to compare with the certificate. `None` if no name was given.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.address {
            ServerAddress::Tcp { name, .. } => name.as_deref(),
            ServerAddress::Socket(_) => None,
        }
    }
}
