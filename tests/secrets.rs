//! No password and no row content in any output, whatever goes wrong.

use super::support::postgres::{Database, LOCKED_PASSWORD, LOCKED_ROLE};
use super::support::sqlite;
use super::support::tool::{Place, Ran};

const TARGET: &str = "
    CREATE TABLE notes (id serial PRIMARY KEY, body text NOT NULL, priority int CHECK (priority < 1000));
    GRANT ALL ON ALL TABLES IN SCHEMA public TO locked;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO locked;
    GRANT USAGE, CREATE ON SCHEMA public TO locked;";

const MAPPING: &str = "format = 1\nname = \"notes\"\n[load.notes]\nowner = false\n";

const PLANTED: &str = "Sw0rdfish-planted";

struct Case {
    target: Database,
    place: Place,
}

impl Case {
    fn new(rows: &str) -> Case {
        let place = Place::new();
        let sql = format!(
            "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, priority INTEGER); INSERT INTO notes VALUES {rows}"
        );
        sqlite::file(&place, "notes.db", &sql);
        place.write("notes.toml", MAPPING);
        let target = Database::with(TARGET);
        target.run(&format!("GRANT CREATE ON DATABASE {} TO locked", target.name()));
        Case { target, place }
    }

    fn migrate(&self, url: &str, more: &[&str]) -> Ran {
        let args = ["-m", "notes.toml", "-s", "notes.db", "-t", url, "-vv"];
        self.place.migrate(args).args(more).ran()
    }

    /// Neither in the outputs nor in any file that a run left.
    #[track_caller]
    fn is_nowhere(&self, secret: &str, ran: &Ran) {
        assert!(!ran.said().contains(secret), "shown:\n{}", ran.said());
        for file in self.place.files().into_iter().filter(|name| !name.starts_with("notes.")) {
            let bytes = std::fs::read(self.place.path(&file)).expect("a file");
            assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()), "written into {file}");
        }
    }
}

#[test]
fn a_password_in_the_url_is_shown_nowhere() {
    let case = Case::new("(1, 'one', 1)");
    let right = case.target.url_of(&format!("{LOCKED_ROLE}:{LOCKED_PASSWORD}"));
    let wrong = case.target.url_of(&format!("{LOCKED_ROLE}:{PLANTED}"));
    let broken = format!("postgresql://someone:{PLANTED}@[not-an-address/db?sslmode=what");
    let keys = format!("host=/nowhere user=someone password={PLANTED} sslmode=perhaps");
    let unreachable = format!("postgresql://someone:{PLANTED}@/db?host={}", case.place.folder().display());
    for url in [&wrong, &broken, &keys, &unreachable] {
        for more in
            [&["--dry-run"][..], &["--yes"], &["--yes", "--json", "--report", "out.json", "--report", "out.html"]]
        {
            let ran = case.migrate(url, more);
            assert!([2, 3].contains(&ran.code), "{}: {}", ran.code, ran.said());
            case.is_nowhere(PLANTED, &ran);
        }
    }
    let ran = case.migrate(&right, &["--yes", "--report", "out.json", "--report", "out.html", "--report", "out.md"]);
    assert_eq!(ran.code, 0, "{}", ran.said());
    case.is_nowhere(LOCKED_PASSWORD, &ran);
    let ledger = "SELECT string_agg(r::text, '') FROM migrate.run r";
    assert!(!case.target.value(ledger).contains(LOCKED_PASSWORD));
}

#[test]
fn a_password_of_the_environment_is_shown_nowhere() {
    let case = Case::new("(1, 'one', 1)");
    let url = case.target.url_of(&format!("{LOCKED_ROLE}:{PLANTED}"));
    let args = ["-m", "notes.toml", "-s", "notes.db", "--yes", "-vv"];
    let by_variable = case.place.migrate(args).env("DATABASE_URL", &url).exits(3);
    case.is_nowhere(PLANTED, &by_variable);
    let host = case.target.url_of(LOCKED_ROLE);
    let by_pg = case.place.migrate(args).args(["-t", &host]).env("PGPASSWORD", PLANTED).exits(3);
    case.is_nowhere(PLANTED, &by_pg);
}

#[test]
fn the_content_of_a_row_at_fault_is_not_shown_unless_asked_for() {
    let rows = format!("(1, '{PLANTED}', 1), (2, 'two', '{PLANTED}'), (3, NULL, 3)");
    let case = Case::new(&rows);
    let url = case.target.url();
    for more in [&["--dry-run"][..], &["--yes"], &["--yes", "--json", "--report", "out.html", "--report", "out.md"]] {
        let ran = case.migrate(&url, more);
        assert_eq!(ran.code, 3, "{}", ran.said());
        ran.says(&["priority", "not-a-number"]);
        case.is_nowhere(PLANTED, &ran);
    }
}

#[test]
fn what_the_server_says_of_a_row_is_not_repeated() {
    // The CHECK fails on the server alone, whose DETAIL quotes the whole row.
    let case = Case::new(&format!("(1, '{PLANTED}', 5000)"));
    let ran = case.migrate(&case.target.url(), &["--yes", "--json", "--report", "out.md"]);
    assert!([3, 4].contains(&ran.code), "{}: {}", ran.code, ran.said());
    ran.says(&["notes_priority_check"]);
    case.is_nowhere(PLANTED, &ran);
    assert_eq!(case.target.count("notes"), 0);
}
