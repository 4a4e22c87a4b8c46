//! A PgBouncer in front of a server of the tests, in one of its three modes.
//!
//! It must be installed (Debian: `apt-get install pgbouncer`): a test that cannot run fails.

use crate::support::process::LogWatch;

use super::server::{Running, Server, free_port, give_away, unprivileged};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// A running pooler.
pub struct Bouncer {
    _running: Running,
    _folder: tempfile::TempDir,
    /// On 127.0.0.1.
    pub port: u16,
}

fn binary() -> PathBuf {
    ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"]
        .iter()
        .map(PathBuf::from)
        .find(|p| p.exists())
        .expect("pgbouncer is not installed; the test needs it: apt-get install pgbouncer")
}

impl Bouncer {
    /// Starts one with the databases of `server`; `size` server connections for each.
    pub fn start(server: &Server, mode: &str, size: u16) -> Bouncer {
        Bouncer::with_tls(server, mode, size, None)
    }

    /// The same with a certificate and its key, as hosted ones have.
    pub fn with_tls(server: &Server, mode: &str, size: u16, tls: Option<(&Path, &Path)>) -> Bouncer {
        let folder = tempfile::Builder::new().prefix("migrate-bouncer-").tempdir().expect("a temporary directory");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("mode");
        let port = free_port();
        let config = folder.path().join("pgbouncer.ini");
        let users = folder.path().join("users.txt");
        fs::write(&users, "\"postgres\" \"\"\n\"postgres.abcd\" \"\"\n").expect("users");
        let mut text = settings(server, mode, size, port, &users);
        if let Some((certificate, key)) = tls {
            let (own_certificate, own_key) = (folder.path().join("own.crt"), folder.path().join("own.key"));
            fs::copy(certificate, &own_certificate).expect("certificate");
            fs::copy(key, &own_key).expect("key");
            text += &format!(
                "client_tls_sslmode = require\nclient_tls_cert_file = {}\nclient_tls_key_file = {}\n",
                own_certificate.display(),
                own_key.display()
            );
        }
        fs::write(&config, text).expect("configuration");
        give_away(folder.path());
        let log = fs::File::create(folder.path().join("log")).expect("log");
        let watch = LogWatch::new(&folder.path().join("log"));
        let child = unprivileged(binary()).arg(&config).stdout(Stdio::null()).stderr(log).spawn().expect("pgbouncer");
        // A shell starts a job in the background with SIGQUIT ignored, and PgBouncer leaves it so.
        let running = Running { child, ended_by: "KILL" };
        let bouncer = Bouncer { _running: running, _folder: folder, port };
        bouncer.wait(&watch);
        bouncer
    }

    fn wait(&self, watch: &LogWatch) {
        let answers = || std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok();
        let is_up = watch.until(Duration::from_secs(10), answers);
        let log = fs::read_to_string(self._folder.path().join("log")).unwrap_or_default();
        assert!(is_up, "pgbouncer does not start:\n{log}");
    }
}

fn settings(server: &Server, mode: &str, size: u16, port: u16, users: &Path) -> String {
    format!(
        "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {mode}\ndefault_pool_size = {size}\n\
         max_client_conn = 50\nquery_wait_timeout = 30\n",
        server.port,
        users.display()
    )
}
