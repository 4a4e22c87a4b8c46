//! One throw-away PostgreSQL for the whole test process, on a socket in a temporary folder, and a fresh database for
//! each test, made from a template.
//!
//! The server belongs to a guard, a small shell script that waits on a pipe: the pipe closes when the test process ends,
//! however it ends, and the guard stops the server and removes its folder. Rust drops no statics, so nothing in this
//! process could do that.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use postgres::{Client, NoTls, SimpleQueryMessage};

/// A role whose password is asked for; all others are trusted.
pub const LOCKED_ROLE: &str = "locked";

/// That role's password.
pub const LOCKED_PASSWORD: &str = "the-right-password";

/// In /tmp whatever TMPDIR says: a socket's path has at most 107 bytes, and texts that show it break at the same place on
/// every machine.
///
/// Makes a cluster, starts it, says where it is, and waits for the end of its input.
const GUARD: &str = r#"
set -eu
trap '' HUP INT TERM
cd /
folder=$(mktemp -d /tmp/migrate-test.XXXXXX)
end() { "$bin/pg_ctl" -s -D "$folder/data" -m immediate stop >/dev/null 2>&1 || :; rm -rf "$folder"; }
trap end EXIT
"$bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C -N >"$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log"; exit 1; }
printf 'local all locked scram-sha-256\nlocal all all trust\n' >"$folder/data/pg_hba.conf"
"$bin/pg_ctl" -s -w -D "$folder/data" -l "$folder/log" -o "-c listen_addresses='' -c fsync=off -c max_connections=200 -c password_encryption=scram-sha-256 -k '$folder'" start </dev/null >/dev/null 2>&1 || { cat "$folder/log"; exit 1; }
echo "ready $folder"
read -r _ || :
"#;

struct Server {
    socket: String,
    /// Its closing is what ends the guard.
    _until_closed: ChildStdin,
    templates: Mutex<HashMap<String, String>>,
}

fn server() -> &'static Server {
    static ONE: OnceLock<Server> = OnceLock::new();
    ONE.get_or_init(start)
}

/// Where PostgreSQL's server binaries are: in `MIGRATE_TEST_PG_BINDIR`, by which `tests/versions.sh` runs the tests against
/// other versions, or where the installed one's are.
pub fn bindir() -> String {
    other_bindir().unwrap_or_else(|| installed().to_owned())
}

/// The folder of another version, if one was asked for.
pub fn other_bindir() -> Option<String> {
    std::env::var("MIGRATE_TEST_PG_BINDIR").ok().filter(|folder| !folder.is_empty())
}

/// Where the installed server's binaries are.
pub fn installed() -> &'static str {
    static FOUND: OnceLock<String> = OnceLock::new();
    FOUND.get_or_init(ask_pg_config)
}

fn ask_pg_config() -> String {
    let found = Command::new("pg_config").arg("--bindir").output();
    let found = found.expect("pg_config: PostgreSQL's server is not installed; `tests/run.sh` installs it");
    String::from_utf8(found.stdout).expect("a path in UTF-8").trim().to_owned()
}

#[expect(clippy::zombie_processes, reason = "the guard outlives this process: it is what cleans up after it")]
fn start() -> Server {
    let mut command = if is_root() {
        // initdb and postgres refuse to run as root.
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--", "sh"]);
        command
    } else {
        Command::new("sh")
    };
    command.args(["-c", GUARD]).env("bin", bindir());
    // In a group of its own: a Ctrl-C at the terminal must reach the tests, and the guard through them alone.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut guard = command.spawn().expect("the guard of the PostgreSQL server");
    let until_closed = guard.stdin.take().expect("the guard's input");
    let mut out = BufReader::new(guard.stdout.take().expect("the guard's output"));
    let mut said = String::new();
    out.read_line(&mut said).expect("the guard's answer");
    let Some(socket) = said.trim().strip_prefix("ready ").map(str::to_owned) else {
        out.read_to_string(&mut said).expect("the guard's answer");
        panic!("PostgreSQL did not start:\n{said}");
    };
    let server = Server { socket, _until_closed: until_closed, templates: Mutex::new(HashMap::new()) };
    let sql = format!("CREATE ROLE {LOCKED_ROLE} LOGIN PASSWORD '{LOCKED_PASSWORD}'");
    connect(&server.socket, "postgres").batch_execute(&sql).expect("a role with a password");
    server
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

fn connect(socket: &str, database: &str) -> Client {
    let config = format!("host='{socket}' user=postgres dbname='{database}'");
    Client::connect(&config, NoTls).unwrap_or_else(|e| panic!("database {database}: {e}"))
}

/// A database of one test; dropped with the value.
pub struct Database {
    name: String,
}

impl Database {
    /// A database without tables.
    pub fn empty() -> Database {
        Database::made_like("template0")
    }

    /// A database in which these files of the repository have been run, in turn.
    pub fn of(scripts: &[&str]) -> Database {
        let sql: Vec<String> = scripts.iter().map(|path| super::read_repo(path)).collect();
        Database::with(&sql.join("\n"))
    }

    /// A database in which this SQL has been run. The work is done once for each text: later ones are copies.
    pub fn with(sql: &str) -> Database {
        let mut templates = server().templates.lock().unwrap_or_else(PoisonError::into_inner);
        if !templates.contains_key(sql) {
            let template = Database::empty();
            template.run(sql);
            templates.insert(sql.to_owned(), template.name.clone());
            std::mem::forget(template);
        }
        Database::made_like(&templates[sql])
    }

    fn made_like(template: &str) -> Database {
        static COUNTED: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{:04}", COUNTED.fetch_add(1, Ordering::Relaxed));
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
        connect(&server().socket, "postgres").batch_execute(&sql).expect("a database");
        Database { name }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the superuser reaches it; no password is asked for.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// How a role reaches it: `name`, or `name:password`.
    pub fn url_of(&self, role: &str) -> String {
        format!("postgresql://{role}@/{}?host={}", self.name, server().socket)
    }

    /// A connection of the superuser's.
    pub fn client(&self) -> Client {
        connect(&server().socket, &self.name)
    }

    /// Runs statements.
    pub fn run(&self, sql: &str) {
        self.client().batch_execute(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    }

    /// The rows of a query, each value as the server prints it.
    pub fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let messages = self.client().simple_query(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|n| row.get(n).map(str::to_owned)).collect()),
            _ => None,
        });
        rows.collect()
    }

    /// The one value of a query, as the server prints it; `NULL` for none.
    pub fn value(&self, sql: &str) -> String {
        let rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "{sql}");
        rows[0][0].clone().unwrap_or_else(|| "NULL".to_owned())
    }

    /// How many rows a table holds.
    pub fn count(&self, table: &str) -> u64 {
        self.value(&format!("SELECT count(*) FROM {table}")).parse().expect("a count")
    }

    /// Everything in the database that a tool could have made: schemas, and each table with its number of rows.
    pub fn inventory(&self) -> Vec<String> {
        let schemas =
            "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1";
        let mut found: Vec<String> = self.rows(schemas).into_iter().flatten().flatten().collect();
        let tables = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
                      WHERE relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1";
        for table in self.rows(tables).into_iter().flatten().flatten() {
            found.push(format!("{table}: {}", self.count(&table)));
        }
        found
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let dropped = drop_database(&mut connect(&server().socket, "postgres"), &self.name);
        // Already panicking, a second panic would hide the first one.
        if !std::thread::panicking() {
            dropped.expect("the database goes with its test");
        }
    }
}

/// Drops a database whose sessions may still be ending. (`WITH (FORCE)` came with PostgreSQL 13.)
pub fn drop_database(client: &mut Client, name: &str) -> Result<(), postgres::Error> {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
    client.query(sql, &[&name])?;
    client.batch_execute(&format!("DROP DATABASE IF EXISTS {name}"))
}

/// The server's version, such as 150018.
pub fn version() -> u32 {
    static FOUND: OnceLock<u32> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let row = connect(&server().socket, "postgres").query_one("SELECT current_setting('server_version_num')", &[]);
        row.expect("a version").get::<_, String>(0).parse().expect("a number")
    })
}

/// The folder of the server's socket.
pub fn socket() -> &'static str {
    &server().socket
}
