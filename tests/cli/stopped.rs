//! One SIGTERM ends every phase within a second: the exit status, the state that is left, and no file in the folder for
//! temporary files. Each phase is watched for its start; each time is printed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::case::Case;
use crate::support::postgres::{Database, socket};
use crate::support::process::has_ended;
use crate::support::tool::{Ran, Run};

/// The time that a stop may take here. The rule is one second; a machine under load is slower.
const MOST: Duration = Duration::from_secs(5);

const SOURCE: &str =
    "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT); INSERT INTO notes VALUES (1, 'one'), (2, 'two');";
pub(super) const TARGET: &str =
    "CREATE TABLE notes (id int PRIMARY KEY, body text); CREATE INDEX by_body ON notes (body);";
pub(super) const LOAD: &str = "[load.notes]\n";

const NOTHING: &str = "Nothing was written";
const RESUMES: &str = "same command resumes after them";

/// An expression that SQLite never finishes.
pub(super) const ENDLESS: &str =
    "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n WHERE i < 0)";

pub(super) fn case(mapping: &str) -> Case {
    let case = Case::new(SOURCE, TARGET, mapping);
    std::fs::create_dir(case.place.path("tmp")).expect("a folder for temporary files");
    case
}

/// A run whose temporary files are in `tmp` and whose stderr is collected.
pub(super) struct Watched {
    pub(super) child: Child,
    /// The process to stop, if it is not the child itself.
    pid: u32,
    said: Arc<Mutex<String>>,
    /// Receives the end of its stderr, which is that of the process.
    ended: Receiver<()>,
    pub(super) temporary: PathBuf,
}

pub(super) fn watch(case: &Case, run: Run) -> Watched {
    let temporary = case.place.path("tmp");
    let mut child = run.env("TMPDIR", &temporary).spawn();
    let said = Arc::new(Mutex::new(String::new()));
    let (lines, kept) = (BufReader::new(child.stderr.take().expect("its stderr")).lines(), Arc::clone(&said));
    let (send, ended) = mpsc::channel();
    std::thread::spawn(move || {
        lines.map_while(Result::ok).for_each(|line| *kept.lock().expect("its lines") += &(line + "\n"));
        let _watched = send.send(());
    });
    Watched { pid: child.id(), child, said, ended, temporary }
}

impl Watched {
    /// Waits until the phase has begun.
    #[track_caller]
    pub(super) fn until(&mut self, phase: &str, mut has_begun: impl FnMut(&Watched) -> bool) {
        let begin = Instant::now();
        while !has_begun(self) {
            let ended = self.ended.recv_timeout(Duration::from_millis(5));
            let said = self.said.lock().expect("its lines").clone();
            assert_eq!(ended, Err(RecvTimeoutError::Timeout), "{phase}: it ended before the phase began:\n{said}");
            assert!(begin.elapsed() < Duration::from_secs(60), "{phase}: the phase did not begin:\n{said}");
        }
    }

    pub(super) fn has_said(&self, words: &str) -> bool {
        self.said.lock().expect("its lines").contains(words)
    }

    /// Bytes of the private copy of a dump.
    pub(super) fn copied(&self) -> u64 {
        let folders = std::fs::read_dir(&self.temporary).expect("the folder").flatten();
        folders.filter_map(|folder| std::fs::metadata(folder.path().join("source.db")).ok()).map(|m| m.len()).sum()
    }

    /// The private folder of a rehearsal's server. `None` before it exists.
    fn rehearsal_folder(&self) -> Option<PathBuf> {
        let mut folders = std::fs::read_dir(&self.temporary).expect("the folder").flatten();
        folders.next().map(|folder| folder.path())
    }

    /// True if the process has this file open.
    fn has_open(&self, name: &str) -> bool {
        let opened = std::fs::read_dir(format!("/proc/{}/fd", self.pid)).into_iter().flatten().flatten();
        opened.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|path| path.ends_with(name))
    }

    /// Sends the signal. It must end the process soon, with exit status 130 and these words, and leave no temporary file.
    #[track_caller]
    fn stops(mut self, phase: &str, words: &str) -> Ran {
        let begin = Instant::now();
        let sent = Command::new("kill").args(["-TERM", &self.pid.to_string()]).status();
        assert!(sent.expect("kill").success(), "{phase}");
        if self.ended.recv_timeout(MOST).is_err() {
            self.child.kill().expect("kill -9");
            panic!("{phase}: it is at work {MOST:?} after the signal");
        }
        let took = begin.elapsed();
        println!("{phase}: {} ms", took.as_millis());
        let mut stdout = Vec::new();
        let out = self.child.stdout.take().map(|mut out| out.read_to_end(&mut stdout));
        out.expect("its output").expect("its output");
        let stderr = self.said.lock().expect("its lines").clone().into_bytes();
        let ran = Ran::of(Output { status: self.child.wait().expect("its end"), stdout, stderr });
        assert_eq!(ran.code, 130, "{phase}: {}", ran.said());
        let said = ran.said().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("the process was asked to stop") && said.contains(words), "{phase}: {said}");
        let left: Vec<_> = std::fs::read_dir(&self.temporary).expect("the folder").flatten().collect();
        assert!(left.is_empty(), "{phase}: {left:?}");
        ran
    }
}

impl Drop for Watched {
    /// A process whose test failed must not outlive it.
    fn drop(&mut self) {
        let _ended = self.child.kill();
    }
}

/// The number of sessions of the tool for which this is true.
fn sessions(target: &Database, condition: &str) -> u64 {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'migrate' AND {condition}"
    );
    target.value(&sql).parse().expect("a number")
}

/// Waits until the server has ended every session of the tool: a cancelled statement does not run on.
#[track_caller]
fn until_no_session(target: &Database) {
    let of_the_tool =
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'migrate'";
    while let Some(pid) = target.rows(of_the_tool).concat().into_iter().flatten().next() {
        let pid = pid.parse().expect("the number of a process");
        assert!(has_ended(pid, Duration::from_secs(30)), "a statement of the stopped process still runs");
    }
}

fn dump(case: &Case, text: &str) -> Watched {
    case.place.write("endless.sql", text);
    watch(case, case.place.migrate(["--dry-run", "-m", "migrate.toml", "-s", "endless.sql"]))
}

#[test]
fn loading_a_dump_is_stopped_and_its_copy_is_removed() {
    let case = case(LOAD);
    let text = "CREATE TABLE t (a);\nWITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) INSERT INTO t SELECT i FROM n;";
    let mut run = dump(&case, text);
    run.until("dump", |run| run.copied() > 1 << 20);
    run.until("dump", |run| run.has_said("loading the dump, "));
    run.stops("loading a dump", NOTHING);
}

#[test]
fn an_endless_select_of_a_dump_is_stopped() {
    let case = case(LOAD);
    let mut run = dump(&case, &format!("CREATE TABLE t (a);\nSELECT {ENDLESS};"));
    run.until("select", |run| run.copied() > 0);
    run.stops("SELECT in a dump", NOTHING);
}

#[test]
fn an_endless_expression_of_the_mapping_is_stopped_in_plan_and_preflight() {
    let column =
        |sql: &str| format!("{LOAD}[load.notes.columns]\nbody = {{ sql = \"\"\"coalesce({sql}, body)\"\"\" }}\n");
    let plan = case(&column(&ENDLESS.replace("i < 0", "i REGEXP 'x'")));
    let mut run = watch(&plan, plan.place.migrate(["plan", "-m", "migrate.toml"]));
    run.until("plan", |run| run.has_open("source.db"));
    run.stops("expression at plan", NOTHING);
    let dry_run = case(&column(ENDLESS));
    let mut run = watch(&dry_run, dry_run.command(&["--dry-run"]));
    run.until("preflight", |run| run.has_said("preflight ..."));
    run.stops("preflight", NOTHING);
    assert_eq!(dry_run.target.inventory(), ["public", "public.notes: 0"]);
}

#[test]
fn a_server_that_does_not_answer_before_authentication_is_left() {
    let case = case(LOAD);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let url = format!("postgresql://u@{}/d?sslmode=disable", listener.local_addr().expect("its address"));
    let run = watch(&case, case.place.migrate(["--dry-run", "-m", "migrate.toml", "-t", &url]));
    let (mut client, _) = listener.accept().expect("a connection");
    client.read_exact(&mut [0; 8]).expect("its first message");
    run.stops("before authentication", NOTHING);
}

/// Passes everything on between the tool and the server, until the tool sends these words. From then on the tool gets no answer.
fn mute_after(words: &'static str) -> (u16, Arc<Mutex<bool>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("its address").port();
    let muted = Arc::new(Mutex::new(false));
    let state = Arc::clone(&muted);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = UnixStream::connect(format!("{}/.s.PGSQL.5432", socket())).expect("the server");
            let (mut from, mut to) = (server.try_clone().expect("a handle"), client.try_clone().expect("a handle"));
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            let (client, server, state) = (client, server, Arc::clone(&state));
            std::thread::spawn(move || forward(client, server, words, &state));
        }
    });
    (port, muted)
}

fn forward(mut client: TcpStream, mut server: UnixStream, words: &str, muted: &Mutex<bool>) {
    let mut bytes = [0; 64 << 10];
    while let Ok(count @ 1..) = client.read(&mut bytes) {
        if String::from_utf8_lossy(&bytes[..count]).contains(words) {
            *muted.lock().expect("the state") = true;
            continue;
        }
        if server.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
}

#[test]
fn a_server_that_does_not_answer_a_query_is_left() {
    let case = case(LOAD);
    let (port, muted) = mute_after("pg_catalog.pg_attribute");
    let url = format!("postgresql://postgres@127.0.0.1:{port}/{}?sslmode=disable", case.target.name());
    let mut run = watch(&case, case.place.migrate(["--dry-run", "-m", "migrate.toml", "-t", &url]));
    run.until("query", |_| *muted.lock().expect("the state"));
    run.stops("in a query", NOTHING);
}

#[test]
fn a_wait_for_a_lock_is_ended() {
    let case = case(LOAD);
    let mut other = case.target.client();
    other.batch_execute("BEGIN; LOCK TABLE notes IN ACCESS EXCLUSIVE MODE").expect("a lock");
    let mut run = watch(&case, case.command(&["--dry-run"]));
    run.until("lock", |_| sessions(&case.target, "wait_event_type = 'Lock'") > 0);
    run.stops("waiting for a lock", NOTHING);
    drop(other);
}

#[test]
fn opening_a_named_pipe_is_ended_and_a_source_or_a_fault_file_never_waits_for_one() {
    let case = case(LOAD);
    let pipe = |name: &str| {
        let path = case.place.path(name);
        assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
        path
    };
    let path = pipe("mapping.pipe");
    let mut run = watch(&case, case.place.migrate(["--dry-run", "-m", "mapping.pipe"]));
    // Opening a pipe for writing without waiting succeeds only once a process reads it.
    let mut writer = None;
    // O_NONBLOCK of Linux.
    let open = || std::fs::OpenOptions::new().write(true).custom_flags(0o4000).open(&path).ok();
    run.until("pipe", |_| {
        writer = open();
        writer.is_some()
    });
    run.stops("opening a file", NOTHING);
    for name in ["source.pipe", "source.sql"] {
        pipe(name);
        case.place.migrate(["--dry-run", "-m", "migrate.toml", "-s", name]).exits(3).says(&["a pipe or a socket"]);
    }
}

#[test]
fn the_prompt_is_ended() {
    let case = case(LOAD);
    let call = format!("exec {} -m migrate.toml -t '{}'", env!("CARGO_BIN_EXE_migrate"), case.target.url());
    let mut command =
        case.place.run("script", ["-qefc", &call, "/dev/null"]).env("TMPDIR", case.place.path("tmp")).command();
    let mut script =
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().expect("script");
    // Held open: the end of the input would answer the question.
    let _typed = script.stdin.take();
    let mut out = script.stdout.take().expect("its output");
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains("Type the database's name") {
        let mut byte = [0];
        out.read_exact(&mut byte).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&said)));
        said.extend(byte);
    }
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", script.id())).expect("its children");
    let begin = Instant::now();
    assert!(Command::new("kill").args(["-TERM", children.trim()]).status().expect("kill").success());
    let status = script.wait().expect("its end");
    println!("prompt: {} ms", begin.elapsed().as_millis());
    out.read_to_end(&mut said).expect("the rest");
    let said = String::from_utf8_lossy(&said);
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(begin.elapsed() < MOST && said.contains(NOTHING), "{said}");
    assert_eq!(case.target.inventory(), ["public", "public.notes: 0"]);
}

/// A function that is called for each row that is checked, and sleeps once there is a ledger; and its harmless form.
pub(super) const SLOW: &str = "CREATE OR REPLACE FUNCTION slow(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN IF to_regclass(''migrate.run'') IS NOT NULL THEN PERFORM pg_sleep(600); END IF; RETURN true; END'";
const FAST: &str = "CREATE OR REPLACE FUNCTION slow(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END'";

const SLEEPS: &str = "wait_event = 'PgSleep'";

/// True if `rehearse` uses the server inside the process.
pub(super) const IS_EMBEDDED: bool = cfg!(feature = "embedded");

/// True once the server of a rehearsal is in the sleep of [`SLOW`]. The one inside the process has no second connection that
/// could be asked, so a line about the load's progress counts there.
pub(super) fn rehearsal_sleeps(run: &Watched) -> bool {
    if IS_EMBEDDED {
        return run.has_said("load: ");
    }
    let Some(folder) = run.rehearsal_folder() else { return false };
    let config = format!("host='{}' user=postgres", folder.display());
    let Ok(mut client) = postgres::Client::connect(&config, postgres::NoTls) else { return false };
    let asleep = client.query_one(&format!("SELECT count(*) FROM pg_stat_activity WHERE {SLEEPS}"), &[]);
    asleep.is_ok_and(|row| row.get::<_, i64>(0) > 0)
}

#[test]
fn a_proposal_from_an_endless_dump_is_stopped() {
    let case = case(LOAD);
    case.place.write("endless.sql", format!("CREATE TABLE t (a);\nSELECT {ENDLESS};"));
    let arguments = ["init", "-s", "endless.sql", "-o", "-", "-t", &case.target.url()];
    let mut run = watch(&case, case.place.migrate(arguments));
    run.until("init", |run| run.copied() > 0);
    run.stops("init", "the process was asked to stop");
}

#[test]
fn a_load_is_stopped_and_resumed() {
    let case = case(LOAD);
    case.target.run(&format!("{SLOW}; ALTER TABLE notes ADD CHECK (slow(id))"));
    let mut run = watch(&case, case.command(&["--yes"]));
    run.until("load", |_| sessions(&case.target, SLEEPS) > 0);
    run.stops("load", RESUMES);
    until_no_session(&case.target);
    assert_eq!(case.target.count("notes"), 0);
    case.target.run(FAST);
    case.command(&["--yes"]).exits(0);
    assert_eq!(case.target.count("notes"), 2);
}

#[test]
fn building_an_index_is_cancelled_and_resumed() {
    let case = case(LOAD);
    case.target.run(
        "CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS
         'BEGIN IF to_regclass(''public.by_body'') IS NULL THEN PERFORM pg_sleep(600); END IF; END';
         CREATE EVENT TRIGGER slow ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION slow()",
    );
    let mut run = watch(&case, case.command(&["--yes", "--detach", "always"]));
    run.until("reattach", |_| sessions(&case.target, SLEEPS) > 0);
    run.stops("reattach", RESUMES);
    until_no_session(&case.target);
    case.target.run("DROP EVENT TRIGGER slow");
    case.command(&["--yes", "--detach", "always"]).exits(0);
    assert_eq!(case.target.value("SELECT count(*) FROM pg_indexes WHERE indexname = 'by_body'"), "1");
}

#[test]
fn verification_and_rollback_are_stopped_and_leave_the_rows() {
    let case = case(LOAD);
    case.command(&["--yes"]).exits(0);
    for (args, phase) in [(&["verify"][..], "verify"), (&["rollback", "--yes"][..], "rollback")] {
        let mut other = case.target.client();
        other.batch_execute("BEGIN; LOCK TABLE notes IN ACCESS EXCLUSIVE MODE").expect("a lock");
        let run = case.place.migrate(args).args(["-m", "migrate.toml", "-t", &case.target.url()]);
        let mut run = watch(&case, run);
        run.until(phase, |_| sessions(&case.target, "wait_event_type = 'Lock'") > 0);
        run.stops(phase, "");
        drop(other);
        until_no_session(&case.target);
        assert_eq!(case.target.count("notes"), 2, "{phase}");
    }
    case.place.migrate(["rollback", "--yes", "-m", "migrate.toml", "-t", &case.target.url()]).exits(0);
}

#[test]
fn a_rehearsal_is_stopped_with_its_server() {
    let case = case(&format!("[target]\nddl = [\"target.sql\"]\n{LOAD}"));
    case.place.write("target.sql", format!("{TARGET} {SLOW}; ALTER TABLE notes ADD CHECK (slow(id));"));
    let mut run = watch(&case, case.place.migrate(["rehearse", "-m", "migrate.toml"]));
    run.until("rehearse", rehearsal_sleeps);
    let server = run.rehearsal_folder().map(|folder| folder.join("data/postmaster.pid"));
    let server = server.and_then(|file| std::fs::read_to_string(file).ok());
    run.stops("rehearse", "");
    if IS_EMBEDDED {
        // The server is a part of the process that has ended.
        return;
    }
    let pid = server.and_then(|text| text.lines().next().map(str::to_owned)).expect("its number");
    let begin = Instant::now();
    // It has ended, and its parent may still have to take note.
    while PathBuf::from(format!("/proc/{pid}/exe")).exists() {
        assert!(begin.elapsed() < MOST, "the server {pid} still runs");
        std::thread::yield_now();
    }
}
