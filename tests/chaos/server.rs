//! A PostgreSQL of chaos's own, which may be stopped at any moment: the tests' other server must not die with it.
//!
//! As there, a guard owns it and ends it when the test process is gone; it also stops and starts it on request.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use postgres::{Client, NoTls};

use crate::support::postgres::bindir;

const GUARD: &str = r#"
set -u
trap '' HUP INT TERM
cd /
folder=$(mktemp -d "${TMPDIR:-/tmp}/migrate-chaos.XXXXXX")
end() { "$bin/pg_ctl" -s -D "$folder/data" -m immediate stop >/dev/null 2>&1 || :; rm -rf "$folder"; }
trap end EXIT
start() { "$bin/pg_ctl" -s -w -D "$folder/data" -l "$folder/log" -o "-c listen_addresses='' -c fsync=off -c max_connections=100 -k '$folder'" start </dev/null >/dev/null 2>&1; }
"$bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C -N >"$folder/initdb.log" 2>&1 || exit 1
start || exit 1
echo "ready $folder"
while read -r word; do
  case $word in
    crash) "$bin/pg_ctl" -s -D "$folder/data" -m immediate stop >/dev/null 2>&1; start; echo up ;;
  esac
done
"#;

/// The server.
pub struct Server {
    /// The folder of its socket.
    pub socket: String,
    line: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Server {
    #[expect(clippy::zombie_processes, reason = "the guard outlives this process: it is what cleans up after it")]
    pub fn start() -> Server {
        let is_root = {
            use std::os::unix::fs::MetadataExt;
            std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
        };
        let mut command = Command::new(if is_root { "setpriv" } else { "sh" });
        if is_root {
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--", "sh"]);
        }
        command.args(["-c", GUARD]).env("bin", bindir()).process_group(0);
        let mut guard = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the guard");
        let mut line =
            (guard.stdin.take().expect("its input"), BufReader::new(guard.stdout.take().expect("its output")));
        let mut said = String::new();
        line.1.read_line(&mut said).expect("the guard's answer");
        let socket = said.trim().strip_prefix("ready ").expect("PostgreSQL started").to_owned();
        Server { socket, line: Mutex::new(line) }
    }

    /// Stops it at once and starts it again.
    pub fn crash(&self) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(line.0, "crash").expect("the guard");
        let mut said = String::new();
        line.1.read_line(&mut said).expect("the guard's answer");
        assert_eq!(said.trim(), "up", "the server did not come back");
    }

    pub fn connect(&self, database: &str) -> Client {
        let config = format!("host='{}' user=postgres dbname='{database}'", self.socket);
        Client::connect(&config, NoTls).unwrap_or_else(|e| panic!("database {database}: {e}"))
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@/{database}?host={}", self.socket)
    }
}
