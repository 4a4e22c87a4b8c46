//! A throw-away PostgreSQL in a temporary directory on a free port, stopped when the value is dropped.
//!
//! initdb and postgres refuse to run as root; then they run as the user `postgres`. Files made for them are given
//! to that user.

use crate::support::postgres::{bindir, installed};
use crate::support::process::LogWatch;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// Runs a command to its end and gives its stdout; panics with both outputs when it fails.
pub fn run(command: &mut Command) -> String {
    let shown = format!("{command:?}");
    let output = command.output().unwrap_or_else(|e| panic!("{shown}: {e}"));
    assert!(
        output.status.success(),
        "{shown}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A program of the server: of the version whose folder `MIGRATE_TEST_PG_BINDIR` names, else of the installed one. (The
/// packages of other versions hold the server alone; and what Debian has in PATH under these names is a script that
/// sets variables.)
pub fn program(name: &str) -> PathBuf {
    let ours = Path::new(&bindir()).join(name);
    if ours.exists() { ours } else { Path::new(installed()).join(name) }
}

fn is_root() -> bool {
    run(Command::new("id").arg("-u")).trim() == "0"
}

/// A command that does not run as root.
pub fn unprivileged(program: impl AsRef<Path>) -> Command {
    let program = program.as_ref();
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

/// Gives a path to the user that `unprivileged` runs as.
pub fn give_away(path: &Path) {
    if is_root() {
        run(Command::new("chown").args(["-R", "postgres:"]).arg(path));
    }
}

/// A port without a listener.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// A child that is stopped and waited for when the value is dropped.
pub struct Running {
    pub child: Child,
    /// The signal that ends it at once, as `kill` names it.
    pub ended_by: &'static str,
}

impl Drop for Running {
    fn drop(&mut self) {
        let signal = ["-s", self.ended_by, &self.child.id().to_string()];
        let _it_may_have_ended = Command::new("kill").args(signal).stderr(Stdio::null()).status();
        let _as_well = self.child.wait();
    }
}

/// The command to start.
#[derive(Default)]
pub struct Wish<'a> {
    /// `pg_hba.conf`; trust for everything when empty.
    pub hba: &'a str,
    /// Lines for `postgresql.conf`.
    pub conf: &'a str,
    /// Certificate and key, copied into the data directory; TLS is off without.
    pub tls: Option<(&'a Path, &'a Path)>,
    /// The authority by which client certificates are checked.
    pub client_ca: Option<&'a Path>,
}

/// A running server.
pub struct Server {
    _running: Running,
    folder: tempfile::TempDir,
    /// On 127.0.0.1, on ::1 where the machine has it, and in the socket's name.
    pub port: u16,
}

impl Server {
    /// Starts one; its superuser is `postgres`, its database `postgres`.
    pub fn start(wish: &Wish<'_>) -> Server {
        let folder = tempfile::Builder::new().prefix("migrate-pg-").tempdir().expect("a temporary directory");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("mode");
        let data = folder.path().join("data");
        run(Command::new("cp").arg("-R").arg(template()).arg(&data));
        let port = free_port();
        let hba = match wish.hba {
            "" => "local all all trust\nhost all all all trust\n",
            hba => hba,
        };
        fs::write(data.join("pg_hba.conf"), hba).expect("pg_hba.conf");
        let mut conf = format!(
            "port = {port}\nlisten_addresses = '127.0.0.1, ::1'\nunix_socket_directories = '{}'\nfsync = off\n\
             max_connections = 50\npassword_encryption = 'scram-sha-256'\nlog_destination = stderr\n{}\n",
            folder.path().display(),
            wish.conf
        );
        if let Some((certificate, key)) = wish.tls {
            fs::copy(certificate, data.join("server.crt")).expect("certificate");
            fs::copy(key, data.join("server.key")).expect("key");
            fs::set_permissions(data.join("server.key"), fs::Permissions::from_mode(0o600)).expect("mode of the key");
            conf += "ssl = on\n";
        }
        if let Some(ca) = wish.client_ca {
            fs::copy(ca, data.join("client_ca.crt")).expect("authority");
            conf += "ssl_ca_file = 'client_ca.crt'\n";
        }
        fs::write(data.join("postgresql.conf"), conf).expect("postgresql.conf");
        give_away(folder.path());
        let log = fs::File::create(folder.path().join("log")).expect("log");
        let watch = LogWatch::new(&folder.path().join("log"));
        let child = unprivileged(program("postgres"))
            .arg("-D")
            .arg(&data)
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn()
            .expect("postgres");
        // SIGQUIT is PostgreSQL's immediate shutdown.
        let server = Server { _running: Running { child, ended_by: "QUIT" }, folder, port };
        server.wait(&watch);
        server
    }

    /// Until it answers.
    fn wait(&self, watch: &LogWatch) {
        let answers = || {
            let mut ready = Command::new(program("pg_isready"));
            ready.arg("-q").args(["-h", self.socket(), "-p", &self.port.to_string()]);
            ready.status().is_ok_and(|status| status.success())
        };
        assert!(watch.until(Duration::from_secs(30), answers), "the server does not start:\n{}", self.log());
    }

    /// The directory of its socket.
    pub fn socket(&self) -> &str {
        self.folder.path().to_str().expect("a UTF-8 path")
    }

    /// The output so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Sends the server a signal: TERM, INT or QUIT are its three ways to end.
    pub fn signal(&self, name: &str) {
        let pid = self._running.child.id().to_string();
        run(Command::new("kill").args([&format!("-{name}"), &pid]));
    }

    /// Runs SQL as the superuser over the socket, which `pg_hba.conf` must let in.
    pub fn sql(&self, sql: &str) -> String {
        self.sql_with(sql, "")
    }

    /// The same in a session with these options.
    pub fn sql_with(&self, sql: &str, options: &str) -> String {
        run(Command::new(program("psql"))
            .env_clear()
            .env("PGOPTIONS", options)
            .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres"])
            .args(["-h", self.socket(), "-p", &self.port.to_string(), "-c", sql]))
    }
}

/// An initialised data directory, made once per process and copied.
fn template() -> &'static Path {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::Builder::new().prefix("migrate-initdb-").tempdir().expect("a temporary directory");
        give_away(folder.path());
        run(unprivileged(program("initdb"))
            .args(["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C", "-D"])
            .arg(folder.path()));
        folder
    })
    .path()
}
