//! No password and no row content in any output, whatever goes wrong.

use std::os::unix::fs::PermissionsExt;

use crate::connect::certs::Certificates;
use crate::support::case::Case;
use crate::support::postgres::{Database, LOCKED_PASSWORD, LOCKED_ROLE, socket};
use crate::support::sqlite;
use crate::support::tool::Ran;

const TARGET: &str = "
    CREATE TABLE notes (id serial PRIMARY KEY, body text NOT NULL, priority int CHECK (priority < 1000));
    GRANT ALL ON ALL TABLES IN SCHEMA public TO locked;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO locked;
    GRANT USAGE, CREATE ON SCHEMA public TO locked;";

const MAPPING: &str = "format = 1\nname = \"notes\"\n[load.notes]\nowner = false\n";

const PLANTED: &str = "Sw0rdfish-planted";

fn case(rows: &str) -> Case {
    let target = Database::with(TARGET);
    target.run(&format!("GRANT CREATE ON DATABASE {} TO locked", target.name()));
    let case = Case::with(target, &["-m", "notes.toml", "-s", "notes.db"]);
    let sql = format!(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, priority INTEGER); INSERT INTO notes VALUES {rows}"
    );
    sqlite::file(&case.place, "notes.db", &sql);
    case.place.write("notes.toml", MAPPING);
    case
}

fn migrate(case: &Case, url: &str, more: &[&str]) -> Ran {
    case.place.migrate(&case.arguments).args(["-t", url, "-vv"]).args(more).ran()
}

/// The secret is neither in the outputs nor in any file that a run left.
#[track_caller]
fn is_nowhere(case: &Case, secret: &str, ran: &Ran) {
    assert!(!ran.said().contains(secret), "shown:\n{}", ran.said());
    for file in case.place.files().into_iter().filter(|name| !name.starts_with("notes.")) {
        let bytes = std::fs::read(case.place.path(&file)).expect("a file");
        assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()), "written into {file}");
    }
}

#[test]
fn a_password_in_the_url_is_shown_nowhere() {
    let case = case("(1, 'one', 1)");
    let right = case.target.url_of(&format!("{LOCKED_ROLE}:{LOCKED_PASSWORD}"));
    let wrong = case.target.url_of(&format!("{LOCKED_ROLE}:{PLANTED}"));
    let broken = format!("postgresql://someone:{PLANTED}@[not-an-address/db?sslmode=what");
    let keys = format!("host=/nowhere user=someone password={PLANTED} sslmode=perhaps");
    let unreachable = format!("postgresql://someone:{PLANTED}@/db?host={}", case.place.folder().display());
    for url in [&wrong, &broken, &keys, &unreachable] {
        for more in
            [&["--dry-run"][..], &["--yes"], &["--yes", "--json", "--report", "out.json", "--report", "out.html"]]
        {
            let ran = migrate(&case, url, more);
            assert!([2, 3].contains(&ran.code), "{}: {}", ran.code, ran.said());
            is_nowhere(&case, PLANTED, &ran);
        }
    }
    let ran = migrate(&case, &right, &["--yes", "--report", "out.json", "--report", "out.html", "--report", "out.md"]);
    assert_eq!(ran.code, 0, "{}", ran.said());
    is_nowhere(&case, LOCKED_PASSWORD, &ran);
    let ledger = "SELECT string_agg(r::text, '') FROM migrate.run r";
    assert!(!case.target.value(ledger).contains(LOCKED_PASSWORD));
}

#[test]
fn a_password_of_the_environment_is_shown_nowhere() {
    let case = case("(1, 'one', 1)");
    let url = case.target.url_of(&format!("{LOCKED_ROLE}:{PLANTED}"));
    let args = ["-m", "notes.toml", "-s", "notes.db", "--yes", "-vv"];
    let by_variable = case.place.migrate(args).env("DATABASE_URL", &url).exits(3);
    is_nowhere(&case, PLANTED, &by_variable);
    let host = case.target.url_of(LOCKED_ROLE);
    let by_pg = case.place.migrate(args).args(["-t", &host]).env("PGPASSWORD", PLANTED).exits(3);
    is_nowhere(&case, PLANTED, &by_pg);
}

/// The right password in each place that one can come from: what is connected with, and what is planted where.
type Planted = (&'static str, Vec<(&'static str, String)>, Vec<&'static str>);

/// Everything that a run and the server keep or show: outputs, files, the ledger row by row, the server's sessions.
#[track_caller]
fn keeps_to_itself(case: &Case, secret: &str, ran: &Ran, place: &str) {
    is_nowhere(case, secret, ran);
    let tables =
        case.target.rows("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'migrate'");
    for table in tables.into_iter().flatten().flatten() {
        let found = case.target.value(&format!("SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%{secret}%'"));
        assert_eq!(found, "0", "{place}: in {table}");
    }
    let sessions = "SELECT count(*) FROM pg_stat_activity AS a WHERE application_name = 'migrate' AND a::text LIKE '%the-right-password%'";
    assert_eq!(case.target.value(sessions), "0", "{place}: in the server's sessions");
    let log = std::fs::read_to_string(format!("{}/log", socket())).expect("the server's log");
    assert!(!log.contains(secret), "{place}: in the server's log");
}

fn planted(case: &Case) -> Vec<Planted> {
    let locked = |password: &str| case.target.url_of(&format!("{LOCKED_ROLE}{password}"));
    let (bare, whole) = (locked(""), locked(&format!(":{LOCKED_PASSWORD}")));
    let file = |name: &str, text: String| {
        let path = case.place.write(name, text);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("mode");
        path.display().to_string()
    };
    let pgpass = file("notes.pgpass", format!("*:*:*:{LOCKED_ROLE}:{LOCKED_PASSWORD}\n"));
    let (host, database) = (socket(), case.target.name());
    let service = format!("[s]\nhost={host}\ndbname={database}\nuser={LOCKED_ROLE}\npassword={LOCKED_PASSWORD}\n");
    let service = file("notes.service", service);
    file("notes.env", format!("export DATABASE_URL='{bare}'\nPGPASSWORD=\"{LOCKED_PASSWORD}\"\n"));
    let key = std::fs::read_to_string(Certificates::get().path("client.key")).expect("a key");
    let key = file("notes.key", format!("{key}{LOCKED_PASSWORD}\n"));
    let crt = Certificates::get().path("client.crt").display().to_string();
    vec![
        ("the variable of the URL", vec![("DATABASE_URL", whole.clone())], vec![]),
        ("PGPASSWORD", vec![("DATABASE_URL", bare.clone()), ("PGPASSWORD", LOCKED_PASSWORD.to_owned())], vec![]),
        ("the password file", vec![("DATABASE_URL", bare.clone()), ("PGPASSFILE", pgpass)], vec![]),
        ("the service file", vec![("PGSERVICE", "s".to_owned()), ("PGSERVICEFILE", service)], vec![]),
        ("the file of variables", vec![], vec!["--env-file", "notes.env"]),
        (
            "the client's key",
            vec![
                ("DATABASE_URL", format!("{whole}&sslpassword={LOCKED_PASSWORD}")),
                ("PGSSLCERT", crt),
                ("PGSSLKEY", key),
            ],
            vec![],
        ),
    ]
}

const REPORTS: [&str; 6] = ["--report", "out.json", "--report", "out.html", "--report", "out.md"];

#[test]
fn a_password_from_any_source_stays_secret_with_any_outcome() {
    let places = planted(&case("(1, 'one', 1)")).len();
    for n in 0..places {
        let case = case("(1, 'one', 1)");
        let (place, variables, args) = planted(&case).swap_remove(n);
        let run = |first: &[&str], last: &[&str]| {
            let run = case.place.migrate(first).args(["-m", "notes.toml", "-s", "notes.db"]).args(&args).args(last);
            variables.iter().fold(run, |run, (name, value)| run.env(name, value)).ran()
        };
        for (first, last, ends) in [
            (&[][..], &["--dry-run", "-vv"][..], 0),
            (&["plan"], &["-vv"], 0),
            (&["plan"], &["--json"], 0),
            (&[], &["--yes", "-vv", "--ledger-schema", "pg_no"], 4),
            (&[], &[&["--yes", "-vv"][..], &REPORTS].concat(), 0),
            (&[], &["--yes", "-vv", "--json"], 0),
            (&["verify"], &["-vv"], 0),
            (&["status"], &[], 0),
            (&["rollback"], &["--yes", "-vv"], 0),
        ] {
            let ran = run(first, last);
            assert!(ran.code == ends || ends == 4 && ran.code != 0, "{place} {first:?} {last:?}: {}", ran.said());
            keeps_to_itself(&case, LOCKED_PASSWORD, &ran, place);
        }
        let run = case.place.migrate(["init", "-s", "notes.db", "-o", "proposed.toml", "-vv"]).args(&args);
        let ran = variables.iter().fold(run, |run, (name, value)| run.env(name, value)).exits(0);
        keeps_to_itself(&case, LOCKED_PASSWORD, &ran, place);
    }
}

#[test]
fn a_variable_of_the_mapping_is_written_to_its_row_and_nowhere_else() {
    let case = case("(1, 'one', 1)");
    case.place.write(
        "notes.toml",
        format!("{MAPPING}columns = {{ body = {{ env = \"API_KEY\" }} }}\n[leave]\nnotes = {{ body = \"x\" }}\n"),
    );
    let url = case.target.url();
    for args in [&["--dry-run", "-vv"][..], &[&["--yes", "-vv"][..], &REPORTS].concat(), &["--yes", "--json"]] {
        let run = case.place.migrate(["-m", "notes.toml", "-s", "notes.db", "-t", &url]).args(args);
        let ran = run.env("API_KEY", PLANTED).exits(0);
        keeps_to_itself(&case, PLANTED, &ran, "a variable");
    }
    assert_eq!(case.target.value("SELECT body FROM notes"), PLANTED);
    // Another value: refused by its digest, without either value.
    let ran = case
        .place
        .migrate(["-m", "notes.toml", "-s", "notes.db", "-t", &url, "--yes"])
        .env("API_KEY", "other")
        .exits(3);
    keeps_to_itself(&case, PLANTED, &ran, "a variable");
}

#[cfg(target_os = "linux")]
#[test]
fn a_password_that_is_not_an_argument_is_not_in_ps() {
    let case = case("(1, 'one', 1)");
    // The run waits for a lock that the test holds, so that it can be looked at.
    let mut holder = case.target.client();
    let mut lock = holder.transaction().expect("a transaction");
    lock.batch_execute("LOCK TABLE notes IN ACCESS EXCLUSIVE MODE").expect("the lock");
    let run = case.place.migrate(["-m", "notes.toml", "-s", "notes.db", "--yes"]);
    let run = run.env("DATABASE_URL", case.target.url_of(&format!("{LOCKED_ROLE}:{LOCKED_PASSWORD}")));
    let mut child = run.spawn();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'migrate' AND wait_event_type = 'Lock' \
                   AND datname = current_database()";
    while case.target.value(waiting) == "0" {
        assert_eq!(child.try_wait().expect("its state"), None, "it ended before it waited for the lock");
    }
    let typed = std::fs::read_to_string(format!("/proc/{}/cmdline", child.id())).expect("its arguments");
    assert!(typed.contains("notes.toml") && !typed.contains(LOCKED_PASSWORD), "{typed}");
    lock.commit().expect("the lock is given back");
    let ran = Ran::of_child(child);
    assert_eq!(ran.code, 0, "{}", ran.said());
    keeps_to_itself(&case, LOCKED_PASSWORD, &ran, "the variable of the URL");
}

#[test]
fn the_content_of_a_faulty_row_is_shown_only_on_request() {
    let rows = format!("(1, '{PLANTED}', 1), (2, 'two', '{PLANTED}'), (3, NULL, 3)");
    let case = case(&rows);
    let url = case.target.url();
    for more in [&["--dry-run"][..], &["--yes"], &["--yes", "--json", "--report", "out.html", "--report", "out.md"]] {
        let ran = migrate(&case, &url, more);
        assert_eq!(ran.code, 3, "{}", ran.said());
        ran.says(&["priority", "not-a-number"]);
        is_nowhere(&case, PLANTED, &ran);
    }
}

#[test]
fn row_content_in_server_messages_is_not_repeated() {
    // The CHECK fails on the server alone, whose DETAIL quotes the whole row.
    let case = case(&format!("(1, '{PLANTED}', 5000)"));
    let ran = migrate(&case, &case.target.url(), &["--yes", "--json", "--report", "out.md"]);
    assert!([3, 4].contains(&ran.code), "{}: {}", ran.code, ran.said());
    ran.says(&["notes_priority_check"]);
    is_nowhere(&case, PLANTED, &ran);
    assert_eq!(case.target.count("notes"), 0);
}

/// Answers of the target after which a panic is forced for each place of a password; the first place takes every one.
#[cfg(feature = "failpoints")]
const STEP: usize = 9;

/// The worst text of a panic: the connection string, and a row.
#[cfg(feature = "failpoints")]
#[test]
fn a_panic_at_any_stage_shows_its_place_and_no_password_or_row() {
    let places = planted(&case("(1, 'one', 1)")).len();
    let words = format!("postgresql://{LOCKED_ROLE}:{LOCKED_PASSWORD}@/db: row (1, {PLANTED}, 1)");
    for (n, jobs) in (0..places).zip(["1", "2"].into_iter().cycle()) {
        for point in (1..).step_by(if n == 0 { 1 } else { STEP }) {
            let case = case(&format!("(1, '{PLANTED}', 1), (2, 'two', 2)"));
            let (place, variables, args) = planted(&case).swap_remove(n);
            let run = |panics: &[(&str, String)]| {
                let first = ["-m", "notes.toml", "-s", "notes.db", "--yes", "-vv", "--detach=always", "--jobs", jobs];
                let run = case.place.migrate(first).args(&args).args(REPORTS);
                let all = variables.iter().chain(panics);
                all.fold(run, |run, (name, value)| run.env(name, value)).ran()
            };
            let ran = run(&[("MIGRATE_FAIL_AT", point.to_string()), ("MIGRATE_PANIC_SAYS", words.clone())]);
            let at = format!("{place}, point {point}");
            keeps_to_itself(&case, LOCKED_PASSWORD, &ran, &at);
            keeps_to_itself(&case, PLANTED, &ran, &at);
            if ran.code == 0 {
                assert!(point > 20, "{at}: no panic: {}", ran.said());
                break;
            }
            assert_eq!(ran.code, 1, "{at}: {}", ran.said());
            ran.says(&["an internal error; its message is not shown", "failpoint.rs:"]);
            let again = run(&[]);
            assert_eq!(again.code, 0, "{at}: {}", again.said());
            assert_eq!(case.target.count("notes"), 2, "{at}");
        }
    }
}
