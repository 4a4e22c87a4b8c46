//! Throw-away PostgreSQLs on sockets in temporary folders: one for the whole test process, with a fresh database for each
//! test made from a template, and others for tests that stop them or fill their disk.
//!
//! The server belongs to a guard, a small shell script that waits on a pipe: the pipe closes when the test process ends,
//! however it ends, and the guard stops the server and removes its folder. Rust drops no statics, so nothing in this
//! process could do that.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use postgres::{Client, NoTls, SimpleQueryMessage};

/// A role whose password is asked for; all others are trusted.
pub const LOCKED_ROLE: &str = "locked";

/// That role's password.
pub const LOCKED_PASSWORD: &str = "the-right-password";

/// Makes a cluster, starts it, says where it is, and follows orders until the end of its input.
///
/// In /tmp whatever TMPDIR says: a socket's path has at most 107 bytes, and texts that show it break at the same place on
/// every machine.
const GUARD: &str = r#"
set -eu
trap '' HUP INT TERM
cd /
folder=${folder:-$(mktemp -d /tmp/migrate-test.XXXXXX)}
data=$folder/data
stop() { "$bin/pg_ctl" -s -D "$data" -m immediate stop >/dev/null 2>&1 || :; }
start() { "$bin/pg_ctl" -s -w -D "$data" -l "$folder/log" -o "-c fsync=off -c max_wal_size=128MB -c max_connections=200 -c password_encryption=scram-sha-256 -k '$folder' $options" start </dev/null >/dev/null 2>&1; }
trap 'stop; rm -rf "$folder"' EXIT
"$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C -N $initdb >"$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log"; exit 1; }
printf 'local all locked scram-sha-256\nlocal all all trust\nhost all all 127.0.0.1/32 trust\n' >"$data/pg_hba.conf"
if [ -n "$tls" ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
    -keyout "$data/server.key" -out "$data/server.crt" 2>"$folder/openssl.log" || { cat "$folder/openssl.log"; exit 1; }
  chmod 600 "$data/server.key"
fi
start || { cat "$folder/log"; exit 1; }
echo "ready $folder"
while read -r word what; do
  case $word in
    crash) stop; start && echo done || echo failed ;;
    room) rm "$folder/small/ballast" && echo done || echo failed ;;
    limit) prlimit --pid "$(head -n 1 "$data/postmaster.pid")" --fsize="$what": && echo done || echo failed ;;
  esac
done
"#;

/// The same on a machine where this process may mount: `small` in its folder is a disk of 12 MB of its own, of which 10 are
/// taken. The mount is seen by the server alone and goes with it.
const ON_SMALL_DISK: &str = r#"
set -eu
trap '' HUP INT TERM
folder=$(mktemp -d /tmp/migrate-test.XXXXXX)
export folder
mkdir "$folder/small"
mount -t tmpfs -o size=12m tmpfs "$folder/small"
head -c 10485760 /dev/zero >"$folder/small/ballast"
mkdir "$folder/small/rows"
chown -R postgres: "$folder"
setpriv --reuid=postgres --regid=postgres --clear-groups -- sh -c "$guard" || :
umount -l "$folder/small"
rm -rf "$folder"
"#;

/// A PostgreSQL. It ends with this process, or with the value.
pub struct Server {
    /// The folder of its socket.
    pub socket: String,
    /// The port on 127.0.0.1, if it listens there; part of its socket's name in any case.
    pub port: u16,
    /// The guard's ear and mouth. That the first one closes is what ends the guard.
    line: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

/// The one that all databases of tests are in.
struct Common {
    server: Server,
    /// By the SQL that made each of them.
    templates: Mutex<HashMap<String, Template>>,
}

/// A text of SQL that tests make databases with. Kept as a database from its second use on: most texts are used once, and each
/// database takes 8 MB of disk.
#[derive(Default)]
struct Template {
    uses: u32,
    database: Option<Database>,
}

/// Databases that are kept as templates at a time; beyond it the least used one is dropped.
const TEMPLATES: usize = 24;

impl Server {
    /// One that is reached by its socket alone.
    pub fn start() -> Server {
        Server::guarded(5432, "-c listen_addresses=''", ("", ""))
    }

    /// One that logs every message with statements, after `@@@`, its database, `@` and the name of the client.
    pub fn logging() -> Server {
        let logs = "-c log_statement=all -c log_line_prefix='@@@%d@%a '";
        Server::guarded(5432, &format!("-c listen_addresses='' {logs}"), ("", ""))
    }

    /// One with a small disk for the tablespace `small`, on which [`Server::room`] makes room; none where this process may
    /// not mount one.
    pub fn on_small_disk() -> Option<Server> {
        let mounts = ["-m", "sh", "-c", "mount -t tmpfs tmpfs /mnt"];
        let may = is_root() && Command::new("unshare").args(mounts).status().is_ok_and(|status| status.success());
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", ON_SMALL_DISK]).env("guard", GUARD);
        let server = may.then(|| Server::guarded_by(command, 5432, "-c listen_addresses=''", ("", "")))?;
        let tablespace = format!("CREATE TABLESPACE small LOCATION '{}/small/rows'", server.socket);
        server.connect("postgres").batch_execute(&tablespace).expect("a tablespace");
        Some(server)
    }

    /// One that also listens on 127.0.0.1, with and without TLS, and writes its log ahead in files of 1 MiB, so that
    /// [`Server::limit`] has room below.
    pub fn on_tcp() -> Server {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let options = format!("-c listen_addresses=127.0.0.1 -c port={free} -c ssl=on");
        Server::guarded(free, &options, ("--wal-segsize=1", "yes"))
    }

    fn guarded(port: u16, options: &str, more: (&str, &str)) -> Server {
        let mut command = if is_root() {
            // initdb and postgres refuse to run as root.
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        command.args(["-c", GUARD]);
        Server::guarded_by(command, port, options, more)
    }

    #[expect(clippy::zombie_processes, reason = "the guard outlives this process: it is what cleans up after it")]
    fn guarded_by(mut command: Command, port: u16, options: &str, (initdb, tls): (&str, &str)) -> Server {
        command.envs([("options", options), ("initdb", initdb), ("tls", tls)]).env("bin", bindir());
        // In a group of its own: a Ctrl-C at the terminal must reach the tests, and the guard through them alone.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut guard = command.spawn().expect("the guard of the PostgreSQL server");
        let ear = guard.stdin.take().expect("the guard's input");
        let mut mouth = BufReader::new(guard.stdout.take().expect("the guard's output"));
        let mut said = String::new();
        mouth.read_line(&mut said).expect("the guard's answer");
        let Some(socket) = said.trim().strip_prefix("ready ").map(str::to_owned) else {
            mouth.read_to_string(&mut said).expect("the guard's answer");
            panic!("PostgreSQL did not start:\n{said}");
        };
        Server { socket, port, line: Mutex::new((ear, mouth)) }
    }

    fn order(&self, word: &str) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(line.0, "{word}").expect("the guard");
        let mut said = String::new();
        line.1.read_line(&mut said).expect("the guard's answer");
        assert_eq!(said.trim(), "done", "the order was: {word}");
    }

    /// Stops it at once and starts it again.
    pub fn crash(&self) {
        self.order("crash");
    }

    /// From here on no connection that is made can write a file beyond this size, as on a full disk: the last write is
    /// cut short. `None`: they can again.
    pub fn limit(&self, bytes: Option<u64>) {
        self.order(&format!("limit {}", bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string())));
    }

    /// Makes room on the small disk.
    pub fn room(&self) {
        self.order("room");
    }

    /// A connection of the superuser's.
    pub fn connect(&self, database: &str) -> Client {
        let config = format!("host='{}' port={} user=postgres dbname='{database}'", self.socket, self.port);
        Client::connect(&config, NoTls).unwrap_or_else(|e| panic!("database {database}: {e}"))
    }

    /// The URL of a database for a role: `name`, or `name:password`.
    pub fn url_of(&self, role: &str, database: &str) -> String {
        let port = if self.port == 5432 { String::new() } else { format!("&port={}", self.port) };
        format!("postgresql://{role}@/{database}?host={}{port}", self.socket)
    }
}

fn common() -> &'static Common {
    static ONE: OnceLock<Common> = OnceLock::new();
    ONE.get_or_init(|| {
        let server = Server::start();
        let sql = format!("CREATE ROLE {LOCKED_ROLE} LOGIN PASSWORD '{LOCKED_PASSWORD}'");
        server.connect("postgres").batch_execute(&sql).expect("a role with a password");
        Common { server, templates: Mutex::new(HashMap::new()) }
    })
}

fn server() -> &'static Server {
    &common().server
}

/// The folder of PostgreSQL's server binaries: `MIGRATE_TEST_PG_BINDIR`, by which `tests/versions.sh` runs the tests against
/// other versions, or where the installed one's are.
pub fn bindir() -> String {
    other_bindir().unwrap_or_else(|| installed().to_owned())
}

/// The folder of another version, if one was asked for.
pub fn other_bindir() -> Option<String> {
    std::env::var("MIGRATE_TEST_PG_BINDIR").ok().filter(|folder| !folder.is_empty())
}

/// The folder of the installed server's binaries.
pub fn installed() -> &'static str {
    static FOUND: OnceLock<String> = OnceLock::new();
    FOUND.get_or_init(ask_pg_config)
}

fn ask_pg_config() -> String {
    let found = Command::new("pg_config").arg("--bindir").output();
    let found = found.expect("pg_config: PostgreSQL's server is not installed; `tests/run.sh` installs it");
    String::from_utf8(found.stdout).expect("a path in UTF-8").trim().to_owned()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
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

    /// A database in which this SQL has been run; from the second one with the same text on, a copy.
    pub fn with(sql: &str) -> Database {
        let mut templates = common().templates.lock().unwrap_or_else(PoisonError::into_inner);
        let template = templates.entry(sql.to_owned()).or_default();
        template.uses += 1;
        if template.uses == 1 {
            drop(templates);
            return Database::run_in_empty(sql);
        }
        let name = template.database.get_or_insert_with(|| Database::run_in_empty(sql)).name.clone();
        let copy = Database::made_like(&name);
        drop_least_used(&mut templates, sql);
        copy
    }

    fn run_in_empty(sql: &str) -> Database {
        let database = Database::empty();
        database.run(sql);
        database
    }

    /// A copy in its present state. No session may be connected.
    pub fn copy(&self) -> Database {
        Database::made_like(&self.name)
    }

    fn made_like(template: &str) -> Database {
        static COUNTED: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{:04}", COUNTED.fetch_add(1, Ordering::Relaxed));
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
        server().connect("postgres").batch_execute(&sql).expect("a database");
        Database { name }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL for the superuser, who needs no password.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The URL for a role: `name`, or `name:password`.
    pub fn url_of(&self, role: &str) -> String {
        server().url_of(role, &self.name)
    }

    /// A connection of the superuser's.
    pub fn client(&self) -> Client {
        server().connect(&self.name)
    }

    /// Runs statements, one transaction each, from another database of the same server.
    pub fn elsewhere(&self, sql: &str) {
        let mut client = server().connect("postgres");
        sql.split("; ").for_each(|sql| client.batch_execute(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}")));
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

    /// Brings the ledger to the form of an earlier version, without the tables that it did not have.
    pub fn has_ledger_of(&self, version: i32) {
        let tables = [("kept", 3), ("created", 4), ("member", 5), ("range", 5)];
        for (table, _) in tables.iter().filter(|(_, since)| version < *since) {
            self.run(&format!("DROP TABLE IF EXISTS migrate.{table}"));
        }
        if version == 5 {
            self.run("ALTER TABLE migrate.member DROP COLUMN IF EXISTS omitted, DROP COLUMN IF EXISTS position");
        }
        self.run(&format!("UPDATE migrate.ledger SET version = {version}"));
    }

    /// The one value of a query, as the server prints it; `NULL` for none.
    pub fn value(&self, sql: &str) -> String {
        let rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "{sql}");
        rows[0][0].clone().unwrap_or_else(|| "NULL".to_owned())
    }

    /// The number of rows of a table.
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

/// Drops one template if there are too many: the least used one, but not the one of this SQL.
fn drop_least_used(templates: &mut HashMap<String, Template>, sql: &str) {
    let kept = templates.values().filter(|template| template.database.is_some());
    if kept.count() <= TEMPLATES {
        return;
    }
    let others = templates.iter_mut().filter(|(text, template)| *text != sql && template.database.is_some());
    if let Some((_, least)) = others.min_by_key(|(_, template)| template.uses) {
        least.database = None;
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let dropped = drop_database(&mut server().connect("postgres"), &self.name);
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
        let row = server().connect("postgres").query_one("SELECT current_setting('server_version_num')", &[]);
        row.expect("a version").get::<_, String>(0).parse().expect("a number")
    })
}

/// The folder of the server's socket.
pub fn socket() -> &'static str {
    &server().socket
}
