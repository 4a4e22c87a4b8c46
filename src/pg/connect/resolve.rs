//! From strings, files and variables to [`Settings`]: the string, then the service file, then the variables,
//! then libpq's defaults, in this order.
//!
//! It reads what the given environment lets it read, and opens no connection.

use super::dsn;
use super::environment::Environment;
use super::error::ConnectError;
use super::layers::Layers;
use super::passfile::{self, Wanted};
use super::secret::Secret;
use super::settings::{Address, ChannelBinding, Host, Keepalives, PasswordFrom, SessionAttributes, Settings};
use super::tls::TlsSettings;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How long one address may take from the first packet to the end of authentication when nobody says;
/// libpq waits for ever. A sleeping server needs seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long sent bytes may stay unacknowledged when nobody says; the system's default is some 15 minutes.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);
/// Where servers put their sockets: Debian and Red Hat, and the source's own default.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// Puts the settings together: the string, then the service file, then variables, then defaults.
///
/// `given` is a URL, `key=value` pairs or a database's name; without it the environment speaks alone.
///
/// # Errors
/// `Usage` when anything cannot be read.
pub fn resolve(given: Option<&str>, environment: &Environment) -> Result<Settings, ConnectError> {
    let given = given.map(dsn::parse).transpose()?.unwrap_or_default();
    let layers = Layers::new(given, environment)?;
    refuse_unspoken(&layers)?;
    let user = user(&layers)?;
    let database = layers.text("dbname")?.unwrap_or(&user).to_owned();
    let tls = TlsSettings::resolve(&layers)?;
    let mut hosts = hosts(&layers, &tls)?;
    let mut notes = Vec::new();
    for host in &mut hosts {
        host.password = password(&layers, host, &user, &database, &mut notes)?;
    }
    tls.check(&hosts)?;
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
        shuffle: shuffle(&layers)?,
        tls,
        direct: Arc::new(AtomicBool::new(false)),
        notes,
        user,
        database,
    })
}

/// Values of keywords we know that ask for what this program does not speak.
fn refuse_unspoken(layers: &Layers<'_>) -> Result<(), ConnectError> {
    if layers.text("gssencmode")? == Some("require") {
        let why = "this program does not speak GSSAPI";
        let advice = "Take it out, and let TLS encrypt: sslmode=verify-full";
        return Err(layers.wrong("gssencmode", why, advice));
    }
    let off = |v: &str| matches!(v, "false" | "off" | "no" | "0");
    if !layers.text("replication")?.is_none_or(off) {
        let why = "rows are not loaded through the replication protocol";
        return Err(layers.wrong("replication", why, "Take it out"));
    }
    Ok(())
}

fn user(layers: &Layers<'_>) -> Result<String, ConnectError> {
    let given = layers.text("user")?.map(str::to_owned);
    given.or(layers.environment.user.clone()).ok_or_else(|| {
        ConnectError::usage(
            "user",
            "there is no user to connect as",
            "the operating system names none",
            "Write user=... or set PGUSER",
        )
    })
}

fn application_name(layers: &Layers<'_>) -> Result<String, ConnectError> {
    let given = layers.text("application_name")?;
    let name = given.or(layers.text("fallback_application_name")?);
    Ok(name.unwrap_or("migrate").to_owned())
}

/// Pairs hosts, addresses and ports up as libpq does.
fn hosts(layers: &Layers<'_>, tls: &TlsSettings) -> Result<Vec<Host>, ConnectError> {
    let list = |name| -> Result<Vec<&str>, ConnectError> {
        Ok(layers.text(name)?.map(|t| t.split(',').collect()).unwrap_or_default())
    };
    let (names, addresses, ports) = (list("host")?, list("hostaddr")?, list("port")?);
    let count = names.len().max(addresses.len()).max(1);
    if !names.is_empty() && !addresses.is_empty() && names.len() != addresses.len() {
        let why = format!("there are {} of host and {} of hostaddr", names.len(), addresses.len());
        return Err(layers.wrong("hostaddr", &why, "Give each host one address, or leave hostaddr out"));
    }
    if ports.len() > 1 && ports.len() != count {
        let why = format!("there are {} ports for {count} hosts", ports.len());
        return Err(layers.wrong("port", &why, "Give one port for all hosts, or one for each"));
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
                        "Write the port's number. In a URL a password stands before an @: user:password@host:port",
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

fn address(layers: &Layers<'_>, name: &str, ip: &str, port: u16) -> Result<Address, ConnectError> {
    if !ip.is_empty() {
        let Ok(address) = ip.parse() else {
            return Err(layers.wrong(
                "hostaddr",
                "it is not an IP address",
                "Write an IP address there, and names in host",
            ));
        };
        let name = Some(name.to_owned()).filter(|n| !n.is_empty() && !n.starts_with('/'));
        return Ok(Address::Tcp { name, address: Some(address) });
    }
    if name.is_empty() {
        return Ok(default_address(layers, port));
    }
    if name.starts_with('/') {
        return Ok(Address::Socket(PathBuf::from(name)));
    }
    if name.starts_with('@') {
        return Err(layers.wrong(
            "host",
            "it begins with @, and sockets without a file are not spoken to by this program",
            "Name the directory of the server's socket, or its host name",
        ));
    }
    if name.contains(['@', '/', ' ', '\t', '\n', '\\', '?', '#']) {
        return Err(layers.wrong(
            "host",
            "no host's name holds such a character",
            "In a URL write @ in a password as %40 and / as %2F; a socket's directory is an absolute path",
        ));
    }
    Ok(Address::Tcp { name: Some(name.to_owned()), address: None })
}

/// libpq has one directory compiled in; here the first of the usual ones in which there is a socket.
fn default_address(layers: &Layers<'_>, port: u16) -> Address {
    if cfg!(not(unix)) {
        return Address::Tcp { name: Some("localhost".to_owned()), address: None };
    }
    let there = |folder: &&&str| {
        let socket = Path::new(folder).join(format!(".s.PGSQL.{port}"));
        layers.environment.files().look(&socket).is_ok()
    };
    let folder = SOCKET_FOLDERS.iter().find(there).unwrap_or(&SOCKET_FOLDERS[0]);
    Address::Socket(PathBuf::from(folder))
}

/// The password for one host: said outright, or from the password file.
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
        Address::Socket(path) if SOCKET_FOLDERS.iter().any(|f| path == Path::new(f)) => "localhost".to_owned(),
        Address::Socket(path) => path.display().to_string(),
        Address::Tcp { name: Some(name), .. } => name.clone(),
        Address::Tcp { address, .. } => address.map(|a| a.to_string()).unwrap_or_default(),
    };
    let port = host.port.to_string();
    let wanted = Wanted { host: &name, port: &port, database, user };
    Ok(match passfile::look_up(&path, &wanted, layers.environment) {
        passfile::Looked::Found(secret) => Some((secret, PasswordFrom::File(path))),
        passfile::Looked::Nothing => None,
        passfile::Looked::Unusable(why) => {
            if !notes.contains(&why) {
                notes.push(why);
            }
            None
        }
    })
}

/// What hosting consoles put where the password belongs; the server would only say that it is wrong.
fn refuse_placeholder(layers: &Layers<'_>, password: &str) -> Result<(), ConnectError> {
    let masked = password.len() >= 3 && password.bytes().all(|b| b == b'*');
    let words = ["[YOUR-PASSWORD]", "[YOUR_PASSWORD]", "<password>", "[password]"];
    if masked || words.iter().any(|w| w.eq_ignore_ascii_case(password)) {
        let why = "it is the placeholder that a console shows in a password's place";
        let advice = "Let the console show the password, and copy the string again";
        return Err(layers.wrong("password", why, advice));
    }
    Ok(())
}

/// libpq's rules: zero and less wait for ever, and one second is two.
fn connect_timeout(layers: &Layers<'_>) -> Result<Option<Duration>, ConnectError> {
    Ok(match layers.number("connect_timeout")? {
        None => Some(CONNECT_TIMEOUT),
        Some(seconds) => u64::try_from(seconds).ok().filter(|s| *s > 0).map(|s| Duration::from_secs(s.max(2))),
    })
}

/// Zero is the system's own.
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
