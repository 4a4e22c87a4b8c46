//! Resolution of [`Settings`] from the string, then the service file, then the variables, then libpq's defaults.
//!
//! Only the given environment is read, and no connection is opened.

use super::authentication::AllowedMethods;
use super::dsn;
use super::environment::Environment;
use super::error::ConnectError;
use super::host::{Host, PasswordFrom, ServerAddress};
use super::layers::Layers;
use super::passfile::{self, PasswordKey, PasswordLookup};
use super::secret::Secret;
use super::settings::{ChannelBinding, Keepalives, SessionAttributes, Settings};
use super::tls::TlsSettings;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Default limit for one address, from the first packet to the end of authentication. libpq has no limit. A sleeping
/// server needs seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Default limit for sent bytes without acknowledgement. The system's default is about 15 minutes.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);
/// Default socket directories of servers: that of Debian and Red Hat, and that of PostgreSQL's source.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// Resolves the settings from the string, then the service file, then variables, then defaults.
///
/// `given` is a URL, `key=value` pairs or a database name. Without it the environment supplies everything.
///
/// # Errors
/// `Usage` if anything cannot be read.
pub fn resolve(given: Option<&str>, environment: &Environment) -> Result<Settings, ConnectError> {
    let given = given.map(dsn::parse).transpose()?.unwrap_or_default();
    let layers = Layers::new(given, environment)?;
    refuse_unsupported_values(&layers)?;
    let user = user(&layers)?;
    let database = layers.text("dbname")?.unwrap_or(&user).to_owned();
    let tls = TlsSettings::resolve(&layers)?;
    let mut hosts = hosts(&layers, &tls)?;
    let mut notes = Vec::new();
    for host in &mut hosts {
        host.password = password(&layers, host, &user, &database, &mut notes)?;
    }
    tls.check(&hosts)?;
    let authentication = authentication(&layers, &hosts)?;
    notes.extend(tls.notes(&hosts));
    Ok(Settings {
        hosts,
        options: layers.text("options")?.map(str::to_owned),
        application_name: application_name(&layers)?,
        connect_timeout: connect_timeout(&layers)?,
        tcp_user_timeout: tcp_user_timeout(&layers)?,
        keepalives: keepalives(&layers)?,
        session: session(&layers)?,
        channel_binding: channel_binding(&layers)?,
        authentication,
        shuffle: shuffle(&layers)?,
        tls,
        direct: Arc::new(AtomicBool::new(false)),
        one_at_a_time: false,
        notes,
        user,
        database,
    })
}

/// Refuses values of known keywords that request an unsupported protocol.
fn refuse_unsupported_values(layers: &Layers<'_>) -> Result<(), ConnectError> {
    if layers.text("gssencmode")? == Some("require") {
        let why = "this program does not support GSSAPI";
        let advice = "Remove it and encrypt with TLS: sslmode=verify-full";
        return Err(layers.wrong("gssencmode", why, advice));
    }
    let off = |v: &str| matches!(v, "false" | "off" | "no" | "0");
    if !layers.text("replication")?.is_none_or(off) {
        let why = "this program does not load rows through the replication protocol";
        return Err(layers.wrong("replication", why, "Remove it"));
    }
    Ok(())
}

fn user(layers: &Layers<'_>) -> Result<String, ConnectError> {
    let given = layers.text("user")?.map(str::to_owned);
    given.or(layers.environment.user.clone()).ok_or_else(|| {
        ConnectError::usage(
            "user",
            "there is no user to connect as",
            "the operating system has no name for this user",
            "Write user=... or set PGUSER",
        )
    })
}

fn application_name(layers: &Layers<'_>) -> Result<String, ConnectError> {
    let given = layers.text("application_name")?;
    let name = given.or(layers.text("fallback_application_name")?);
    Ok(name.unwrap_or("migrate").to_owned())
}

/// Pairs hosts, addresses and ports as libpq does.
fn hosts(layers: &Layers<'_>, tls: &TlsSettings) -> Result<Vec<Host>, ConnectError> {
    let list = |name| -> Result<Vec<&str>, ConnectError> {
        Ok(layers.text(name)?.map(|t| t.split(',').collect()).unwrap_or_default())
    };
    let (names, addresses, ports) = (list("host")?, list("hostaddr")?, list("port")?);
    let count = names.len().max(addresses.len()).max(1);
    if !names.is_empty() && !addresses.is_empty() && names.len() != addresses.len() {
        let why = format!("there are {} names in host and {} addresses in hostaddr", names.len(), addresses.len());
        return Err(layers.wrong("hostaddr", &why, "Write one address for each host, or remove hostaddr"));
    }
    if ports.len() > 1 && ports.len() != count {
        let why = format!("there are {} ports for {count} hosts", ports.len());
        return Err(layers.wrong("port", &why, "Write one port for all hosts, or one for each"));
    }
    (0..count)
        .map(|i| {
            let text = ports.get(i).or(ports.first()).map_or("", |p| p.trim());
            let port = match text {
                "" => 5432,
                text => text.parse().ok().filter(|p| *p > 0).ok_or_else(|| {
                    layers.wrong(
                        "port",
                        "a port is a number from 1 to 65535",
                        "Write the port number. In a URL a password precedes an @: user:password@host:port",
                    )
                })?,
            };
            let name = names.get(i).copied().unwrap_or_default();
            let address = address(layers, name, addresses.get(i).copied().unwrap_or_default(), port)?;
            let sslmode = tls.mode_for(address.is_local());
            Ok(Host { address, port, sslmode, password: None })
        })
        .collect()
}

fn address(layers: &Layers<'_>, name: &str, ip: &str, port: u16) -> Result<ServerAddress, ConnectError> {
    if !ip.is_empty() {
        let Ok(address) = ip.parse() else {
            return Err(layers.wrong(
                "hostaddr",
                "it is not an IP address",
                "Write an IP address in hostaddr, and a name in host",
            ));
        };
        let name = Some(name.to_owned()).filter(|n| !n.is_empty() && !n.starts_with('/'));
        return Ok(ServerAddress::Tcp { name, address: Some(address) });
    }
    if name.is_empty() {
        return Ok(default_address(layers, port));
    }
    if name.starts_with('/') {
        return Ok(ServerAddress::Socket(PathBuf::from(name)));
    }
    if name.starts_with('@') {
        return Err(layers.wrong(
            "host",
            "it begins with @, and this program does not support sockets without a file",
            "Write the directory of the server's socket, or the host name",
        ));
    }
    if name.contains(['@', '/', ' ', '\t', '\n', '\\', '?', '#']) {
        return Err(layers.wrong(
            "host",
            "it contains a character that is not allowed in a host name",
            "In a URL write @ in a password as %40 and / as %2F. Write a socket's directory as an absolute path",
        ));
    }
    Ok(ServerAddress::Tcp { name: Some(name.to_owned()), address: None })
}

/// The address without a host: the first default socket directory that contains a socket. libpq has one directory
/// compiled in.
fn default_address(layers: &Layers<'_>, port: u16) -> ServerAddress {
    if cfg!(not(unix)) {
        return ServerAddress::Tcp { name: Some("localhost".to_owned()), address: None };
    }
    let has_socket = |folder: &&&str| {
        let socket = Path::new(folder).join(format!(".s.PGSQL.{port}"));
        layers.environment.files().inspect(&socket).is_ok()
    };
    let folder = SOCKET_FOLDERS.iter().find(has_socket).unwrap_or(&SOCKET_FOLDERS[0]);
    ServerAddress::Socket(PathBuf::from(folder))
}

/// The password for one host: given directly, or from the password file.
fn password(
    layers: &Layers<'_>,
    host: &Host,
    user: &str,
    database: &str,
    notes: &mut Vec<String>,
) -> Result<Option<(Secret, PasswordFrom)>, ConnectError> {
    if let Some(password) = layers.text("password")? {
        refuse_placeholder(layers, password)?;
        let from = if layers.given.get("password").is_some() {
            PasswordFrom::String(layers.given.decoded_password())
        } else if layers.service.get("password").is_some() {
            PasswordFrom::Service
        } else {
            PasswordFrom::Variable
        };
        return Ok(Some((Secret::new(password), from)));
    }
    let home = layers.environment.home.as_ref();
    let default = home.map(|h| match cfg!(windows) {
        true => h.join("AppData/Roaming/postgresql/pgpass.conf"),
        false => h.join(".pgpass"),
    });
    let Some(path) = layers.text("passfile")?.map(PathBuf::from).or(default) else {
        return Ok(None);
    };
    let name = match &host.address {
        ServerAddress::Socket(path) if SOCKET_FOLDERS.iter().any(|f| path == Path::new(f)) => "localhost".to_owned(),
        ServerAddress::Socket(path) => path.display().to_string(),
        ServerAddress::Tcp { name: Some(name), .. } => name.clone(),
        ServerAddress::Tcp { address, .. } => address.map(|a| a.to_string()).unwrap_or_default(),
    };
    let port = host.port.to_string();
    let key = PasswordKey { host: &name, port: &port, database, user };
    Ok(match passfile::look_up(&path, &key, layers.environment) {
        PasswordLookup::Found(secret) => Some((secret, PasswordFrom::File(path))),
        PasswordLookup::NotFound => None,
        PasswordLookup::Unusable(why) => {
            if !notes.contains(&why) {
                notes.push(why);
            }
            None
        }
    })
}

/// Refuses the placeholders of hosting consoles. The server would only report a wrong password.
fn refuse_placeholder(layers: &Layers<'_>, password: &str) -> Result<(), ConnectError> {
    let masked = password.len() >= 3 && password.bytes().all(|b| b == b'*');
    let words = ["[YOUR-PASSWORD]", "[YOUR_PASSWORD]", "<password>", "[password]"];
    if masked || words.iter().any(|w| w.eq_ignore_ascii_case(password)) {
        let why = "it is the placeholder that a console shows instead of the password";
        let advice = "Reveal the password in the console, and copy the string again";
        return Err(layers.wrong("password", why, advice));
    }
    Ok(())
}

/// The limit for one address. As in libpq, zero and less mean no limit, and one second means two.
fn connect_timeout(layers: &Layers<'_>) -> Result<Option<Duration>, ConnectError> {
    Ok(match layers.number("connect_timeout")? {
        None => Some(CONNECT_TIMEOUT),
        Some(seconds) => u64::try_from(seconds).ok().filter(|s| *s > 0).map(|s| Duration::from_secs(s.max(2))),
    })
}

/// The limit for unacknowledged bytes. Zero means the system's default.
fn tcp_user_timeout(layers: &Layers<'_>) -> Result<Option<Duration>, ConnectError> {
    Ok(match layers.number("tcp_user_timeout")? {
        None => Some(TCP_USER_TIMEOUT),
        Some(millis) => u64::try_from(millis).ok().filter(|m| *m > 0).map(Duration::from_millis),
    })
}

fn channel_binding(layers: &Layers<'_>) -> Result<ChannelBinding, ConnectError> {
    match layers.text("channel_binding")? {
        None | Some("prefer") => Ok(ChannelBinding::Prefer),
        Some("disable") => Ok(ChannelBinding::Disable),
        Some("require") => Ok(ChannelBinding::Require),
        Some(_) => Err(layers.not_one_of("channel_binding", "disable, prefer, require")),
    }
}

/// The allowed methods. They cannot be checked over a socket, which the client library reads without a guard.
fn authentication(layers: &Layers<'_>, hosts: &[Host]) -> Result<AllowedMethods, ConnectError> {
    let methods = AllowedMethods::resolve(layers)?;
    let has_socket = hosts.iter().any(|host| matches!(host.address, ServerAddress::Socket(_)));
    if methods.is_given() && has_socket {
        let why = "this program does not check the authentication method over a socket";
        return Err(layers.wrong("require_auth", why, "Connect to 127.0.0.1, or unset it"));
    }
    Ok(methods)
}

fn shuffle(layers: &Layers<'_>) -> Result<bool, ConnectError> {
    match layers.text("load_balance_hosts")? {
        None | Some("disable") => Ok(false),
        Some("random") => Ok(true),
        Some(_) => Err(layers.not_one_of("load_balance_hosts", "disable, random")),
    }
}

fn keepalives(layers: &Layers<'_>) -> Result<Keepalives, ConnectError> {
    let seconds = |name, default| -> Result<Duration, ConnectError> {
        let given = layers.number(name)?.and_then(|s| u64::try_from(s).ok());
        Ok(Duration::from_secs(given.filter(|s| *s > 0).unwrap_or(default)))
    };
    Ok(Keepalives {
        on: layers.number("keepalives")? != Some(0),
        idle: seconds("keepalives_idle", 30)?,
        interval: seconds("keepalives_interval", 10)?,
        count: layers.number("keepalives_count")?.and_then(|c| u32::try_from(c).ok()).filter(|c| *c > 0).unwrap_or(3),
    })
}

fn session(layers: &Layers<'_>) -> Result<SessionAttributes, ConnectError> {
    const NAME: &str = "target_session_attrs";
    Ok(match layers.text(NAME)? {
        None | Some("any") => SessionAttributes::Any,
        Some("read-write") => SessionAttributes::ReadWrite,
        Some("read-only") => SessionAttributes::ReadOnly,
        Some("primary") => SessionAttributes::Primary,
        Some("standby") => SessionAttributes::Standby,
        Some("prefer-standby") => SessionAttributes::PreferStandby,
        Some(_) => {
            let words = "any, read-write, read-only, primary, standby, prefer-standby";
            return Err(layers.not_one_of(NAME, words));
        }
    })
}
