//! No output of any command has a raw control character, whatever names, values and messages contain that come from outside.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

use crate::support::case::Case;
use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::Run;

/// Pieces of names: they steer a terminal, turn the reading direction, are invisible, or end a comment, a literal or a line.
const PIECES: [&str; 24] = [
    "\u{1b}[2J",
    "\u{1b}]0;t\u{7}",
    "\r",
    "\n",
    "\t",
    "\u{8}",
    "\u{7f}",
    "\u{9b}31m",
    "\u{90}",
    "\u{202e}",
    "\u{2066}",
    "\u{200b}",
    "\u{feff}",
    "\u{2028}",
    "\u{e0041}",
    "\"",
    "'",
    "\\",
    "*/",
    "--",
    "\n;DROP TABLE canary;--",
    "$$",
    "`",
    "é税",
];

/// A generator of names. The same seed gives the same names.
struct Names {
    state: u64,
    made: usize,
}

impl Names {
    /// From `MIGRATE_TEST_SEED`, or from the clock. Prints the seed.
    fn new() -> Names {
        let given = std::env::var("MIGRATE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let clock = || std::time::UNIX_EPOCH.elapsed().map_or(1, |t| t.subsec_nanos().into());
        let state: u64 = given.unwrap_or_else(clock);
        println!("MIGRATE_TEST_SEED={state}");
        Names { state: state | 1, made: 0 }
    }

    fn draw(&mut self, below: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state % below as u64).expect("a small number")
    }

    /// A new name: at most 63 bytes, which is PostgreSQL's limit, and different from every other.
    fn name(&mut self) -> String {
        self.made += 1;
        let mut name = format!("n{}", self.made);
        for _ in 0..=self.draw(2) {
            name += PIECES[self.draw(PIECES.len())];
        }
        name + "z"
    }

    /// A name that a file may have.
    fn file(&mut self, ending: &str) -> String {
        self.name().replace('/', "_") + ending
    }
}

/// The characters that no output may have. Independent of the tool's own list.
fn is_raw(c: char) -> bool {
    let bidi = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let zero_width = matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    let separators = matches!(c, '\u{2028}' | '\u{2029}');
    (c.is_control() && c != '\n') || bidi || zero_width || separators
}

#[track_caller]
fn is_clean(what: &str, text: &str) {
    let line = text.lines().find(|line| line.contains(is_raw));
    assert!(line.is_none(), "{what}: {line:?}");
}

fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string or key of TOML.
fn toml(text: &str) -> String {
    let one = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if is_raw(c) || c == '\n' => format!("\\U{:08X}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(one).collect::<String>())
}

/// A migration all of whose names are hostile.
struct Hostile {
    case: Case,
    source: String,
    mapping: String,
    ddl: String,
    fault: String,
    names: Names,
}

/// 60 tables, of which 40 are loaded, each with two columns and an index: 200 names.
fn hostile() -> Hostile {
    let mut names = Names::new();
    let (mut source, mut loads, mut leave) = (String::new(), String::new(), String::from("[leave]\n"));
    let mut target = String::from("CREATE TABLE canary (id int);\n");
    for n in 0..60 {
        let (table, key, column, index) = (names.name(), names.name(), names.name(), names.name());
        let (table_sql, column_sql) = (ident(&table), ident(&column));
        let sql = format!("CREATE TABLE {table_sql} ({} INTEGER PRIMARY KEY, {column_sql} TEXT", ident(&key));
        source += &format!("{sql}); INSERT INTO {table_sql} VALUES (1, 'x'), (2, 'bad');\n");
        if n < 40 {
            let refused = if n == 0 { "'bad'" } else { "'worse'" };
            target += &format!("{sql} CHECK ({column_sql} <> {refused})); ");
            target += &format!("CREATE INDEX {} ON {table_sql} ({column_sql});\n", ident(&index));
            loads += &format!("[load.{}]\n", toml(&table));
        } else if n < 50 {
            leave += &format!("{} = {}\n", toml(&table), toml(&names.name()));
        }
    }
    println!("{} names", names.made);
    let (file, mapping_file, ddl, fault) =
        (names.file(".db"), names.file(".toml"), names.file(".sql"), names.file(".ndjson"));
    let head = format!(
        "format = 1\nname = {}\n[source]\npath = {}\n[target]\nddl = [{}]\n[defaults]\nunlisted_tables = \"leave\"\non_fault = \"quarantine\"\n",
        toml(&names.name()),
        toml(&file),
        toml(&ddl)
    );
    let case = Case::with(Database::with(&target), &[]);
    sqlite::file(&case.place, &file, &source);
    case.place.write(&mapping_file, head + &loads + &leave);
    case.place.write(&ddl, &target);
    Hostile { case, source: file, mapping: mapping_file, ddl, fault, names }
}

impl Hostile {
    fn run(&self, args: &[&str]) -> Run {
        self.case.place.migrate(args).args(["-m", &self.mapping, "-t", &self.case.target.url()])
    }

    /// Runs a command, which must end with one of these exit statuses. Returns stdout.
    #[track_caller]
    fn clean(&self, args: &[&str], codes: &[i32]) -> String {
        let ran = self.run(args).ran();
        assert!(codes.contains(&ran.code), "{args:?}: {}\n{}", ran.code, ran.said());
        is_clean(&format!("{args:?}, stdout"), &ran.stdout);
        is_clean(&format!("{args:?}, stderr"), &ran.stderr);
        ran.stdout
    }
}

#[test]
fn two_hundred_hostile_names_reach_no_output_raw() {
    let hostile = hostile();
    let fault = hostile.fault.clone();
    hostile.clean(&["plan"], &[0]);
    hostile.clean(&["plan", "--json"], &[0]);
    let sql = hostile.clean(&["plan", "--sql", "--detach", "always"], &[0]);
    is_inert_sql(&hostile.case.target, &sql);
    hostile.clean(&["--dry-run", "-v"], &[0, 6]);
    hostile.clean(&["--dry-run", "--json"], &[0, 6]);
    hostile.clean(&["--yes", "-v", "--detach", "always", "--show-values", "--fault-file", &fault], &[6]);
    for args in [&["status"][..], &["status", "--json"], &["verify", "--show-values"], &["verify", "--json"]] {
        hostile.clean(args, &[0, 6]);
    }
    hostile.clean(&["rollback", "--yes"], &[0]);
    hostile.clean(&["--yes", "--fault-file", &fault], &[6]);
    hostile.clean(&["forget", "--yes"], &[0]);
    let place = &hostile.case.place;
    let init = ["init", "-s", &hostile.source, "-t", &hostile.case.target.url(), "-o", "-"];
    let ran = place.migrate(init).exits(0);
    is_clean("init, stderr", &ran.stderr);
    is_clean("init, stdout", &ran.stdout);
    // Each name is the name in the file, too.
    let (mapping, _) = migrate::mapping::read_draft(&ran.stdout).expect("TOML");
    assert_eq!(mapping.expect("a mapping").loads.len(), 40);
    is_clean("init --json", &place.migrate(init).arg("--json").exits(0).said());
    // A mapping that knows nothing lacks all of them.
    place.write("bare.toml", format!("format = 1\nname = \"bare\"\n[source]\npath = {}\n", toml(&hostile.source)));
    let check = ["init", "--check", "bare.toml", "-t", &hostile.case.target.url()];
    let lacking = place.migrate(check).exits(3);
    is_clean("init --check", &lacking.said());
    assert_eq!(lacking.stdout.matches("[load.").count(), 40, "{}", lacking.stdout);
    let ran = place.migrate(["rehearse", "-v", "-m", &hostile.mapping]).ran();
    assert!([0, 6].contains(&ran.code), "{}", ran.said());
    is_clean("rehearse", &ran.said());
    place.write(&hostile.ddl, "SELECT 1/0");
    is_clean("rehearse", &place.migrate(["rehearse", "-m", &hostile.mapping]).exits(3).said());
}

/// Each statement is one that the server accepts, and no name of it left its quotes: the table that the names try to drop is
/// there.
#[track_caller]
fn is_inert_sql(target: &Database, sql: &str) {
    let mut client = target.client();
    let statements: Vec<&str> = sql.lines().filter(|line| !line.starts_with("--") && !line.is_empty()).collect();
    assert!(statements.iter().all(|statement| statement.ends_with(';')), "one statement is one line");
    assert!(statements.len() > 100, "{sql}");
    client.batch_execute("BEGIN").expect("a transaction");
    for statement in statements {
        let parsed = match statement {
            copy if copy.starts_with("COPY ") => {
                client.batch_execute("SAVEPOINT copying").expect("a savepoint");
                let parsed = client.copy_in(copy.trim_end_matches(';')).map(drop);
                client.batch_execute("ROLLBACK TO copying").expect("an end");
                parsed
            }
            other => client.batch_execute(other),
        };
        parsed.unwrap_or_else(|e| panic!("{statement}: {e:?}"));
    }
    client.batch_execute("SELECT FROM canary; ROLLBACK").expect("the canary");
}

#[test]
fn hostile_arguments_paths_and_mistakes_reach_no_output_raw() {
    let mut hostile = hostile();
    let place = &hostile.case.place;
    let names: Vec<String> = (0..20).map(|_| hostile.names.file("")).collect();
    for name in &names {
        let flag = format!("--{name}");
        let report = format!("{name}/r.md");
        for args in [
            &["guide", name][..],
            &["explain", name],
            &[&flag],
            &[name],
            &["-m", name, "--dry-run"],
            &["-m", &hostile.mapping, "-s", name, "--dry-run"],
            &["-m", &hostile.mapping, "--env-file", name, "--dry-run"],
            &["-m", &hostile.mapping, "--report", &report, "--dry-run"],
            &["-m", &hostile.mapping, "-t", name, "--dry-run"],
            &["-m", &hostile.mapping, "--dry-run", "--owner", name],
        ] {
            let ran = place.migrate(args).ran();
            assert!([2, 3].contains(&ran.code), "{args:?}: {}", ran.said());
            is_clean(&format!("{args:?}"), &ran.said());
        }
        place.write(
            "mistakes.toml",
            format!("format = 1\nname = \"m\"\n[source]\npath = {0}\n[load.{0}]\n{0} = {0}\n", toml(name)),
        );
        is_clean("mistakes", &place.migrate(["-m", "mistakes.toml", "--dry-run", "--json"]).exits(2).said());
        is_clean("mistakes", &place.migrate(["-m", "mistakes.toml", "--dry-run"]).exits(2).said());
    }
}

#[test]
fn the_question_at_a_terminal_shows_no_raw_name() {
    let hostile = hostile();
    let mapping = hostile.case.place.path(&hostile.mapping);
    std::fs::rename(mapping, hostile.case.place.path("migrate.toml")).expect("renamed");
    let call = format!("exec {} -t '{}'", env!("CARGO_BIN_EXE_migrate"), hostile.case.target.url());
    let mut command = hostile.case.place.run("script", ["-qefc", &call, "/dev/null"]).command();
    let mut script = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script");
    script.stdin.take().expect("its input").write_all(b"no\n").expect("typed");
    let mut said = String::new();
    script.stdout.take().expect("its output").read_to_string(&mut said).expect("UTF-8");
    script.wait().expect("its end");
    assert!(said.contains("Type the database's name"), "{said}");
    // The terminal itself ends lines in CR LF, and the progress draws its bars with sequences of its own before the question.
    let plan = said[said.find("Plan of").expect("the plan")..said.find("Type the").expect("the question")]
        .replace("\r\n", "\n");
    is_clean("question", &plan);
}

/// A server that answers the first message with an error of these words.
fn refusing(words: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut body = Vec::new();
            for (field, text) in
                [('S', "FATAL"), ('C', "XX000"), ('M', words.as_str()), ('D', words.as_str()), ('H', words.as_str())]
            {
                body.extend([field as u8]);
                body.extend(text.bytes().chain([0]));
            }
            body.push(0);
            let mut message = vec![b'E'];
            message.extend(u32::try_from(body.len() + 4).expect("a length").to_be_bytes());
            message.extend(body);
            let _ = client.read(&mut [0; 1024]);
            let _ = client.write_all(&message);
        }
    });
    port
}

#[test]
fn the_words_of_a_hostile_server_are_printed_harmless_and_short() {
    let place = crate::support::tool::Place::new();
    sqlite::file(&place, "source.db", "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    place.write("migrate.toml", "format = 1\nname = \"m\"\n[source]\npath = \"source.db\"\n[load.t]\n");
    let all: String = PIECES.concat();
    for words in [all.clone(), all.repeat(200), "x".repeat(60_000)] {
        let url = format!("postgresql://u@127.0.0.1:{}/d?sslmode=disable", refusing(words));
        for args in [
            &["plan"][..],
            &["--dry-run"],
            &["--dry-run", "--json"],
            &["--yes"],
            &["status"],
            &["verify"],
            &["rollback", "--yes"],
            &["forget", "--yes"],
        ] {
            let ran = place.migrate(args).args(["-m", "migrate.toml", "-t", &url]).exits(3);
            is_clean(&format!("{args:?}"), &ran.said());
            assert!(ran.said().len() < 20_000, "{args:?}: {} bytes", ran.said().len());
        }
    }
}

#[test]
fn the_words_of_a_function_of_the_target_are_printed_harmless() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);",
        "CREATE TABLE t (id int PRIMARY KEY);",
        "[load.t]\n",
    );
    let words = PIECES.concat().replace('\\', "\\\\").replace('\'', "\\'").replace('$', "S");
    let raise = format!(
        "CREATE FUNCTION f(int) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION USING MESSAGE = E'{words}', ERRCODE = '55000'; END $f$"
    );
    case.target.run(&format!("{raise}; ALTER TABLE t ADD CHECK (f(id))"));
    for args in [&["--yes"][..], &["--yes", "--json"]] {
        let ran = case.command(args).ran();
        assert!([3, 4].contains(&ran.code), "{}", ran.said());
        is_clean(&format!("{args:?}"), &ran.said());
    }
}

#[test]
fn a_huge_message_of_a_server_is_refused_by_its_announced_length() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let url = format!("postgresql://u@{}/d?sslmode=disable", listener.local_addr().expect("its address"));
    let server = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a connection");
        let _ = client.read(&mut [0; 1024]);
        let mut sent = 0_u64;
        let (mut next, block) = (b"E\x7f\x00\x00\x00SFATAL\0M".to_vec(), vec![b'x'; 64 << 10]);
        // As long as the client takes them, up to 200 MB.
        while sent < 200_000_000 && client.write_all(&next).is_ok() {
            sent += next.len() as u64;
            next.clone_from(&block);
        }
        sent
    });
    let place = crate::support::tool::Place::new();
    sqlite::file(&place, "source.db", "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    place.write("migrate.toml", "format = 1\nname = \"m\"\n[source]\npath = \"source.db\"\n[load.t]\n");
    let ran = place.migrate(["--dry-run", "-m", "migrate.toml", "-t", &url]).exits(3);
    ran.says(&["announced a message of 2130706432 bytes"]);
    let sent = server.join().expect("the server");
    assert!(sent < 20_000_000, "{sent} bytes were taken");
}
