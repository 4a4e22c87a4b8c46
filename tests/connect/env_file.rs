//! `--env-file`: the rank of its variables among flags, environment and mapping, and the messages about its mistakes.

use crate::support::case::Case;
use crate::support::postgres::{Database, LOCKED_PASSWORD, LOCKED_ROLE, socket};
use crate::support::sqlite;
use crate::support::tool::Ran;

const TARGET: &str = "
    CREATE TABLE notes (id serial PRIMARY KEY, body text NOT NULL, by_whom text);
    GRANT ALL ON ALL TABLES IN SCHEMA public TO locked;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO locked;
    GRANT USAGE, CREATE ON SCHEMA public TO locked;";

fn case() -> Case {
    let target = Database::with(TARGET);
    target.run(&format!("GRANT CREATE ON DATABASE {} TO locked", target.name()));
    let case = Case::with(target, &["-m", "notes.toml", "--env-file", "app.env"]);
    sqlite::file(
        &case.place,
        "notes.db",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT); INSERT INTO notes VALUES (1, 'one')",
    );
    case.place.write("notes.toml", "format = 1\nname = \"notes\"\n[source]\npath = \"notes.db\"\n[target]\nurl_env = \"APP_DB\"\n[load.notes]\nowner = false\n\
             columns = { by_whom = { env = \"WHO\" } }\n");
    case
}

/// A run with this file and, in addition, this environment.
fn with(case: &Case, file: &str, environment: &[(&str, &str)], args: &[&str]) -> Ran {
    case.place.write("app.env", file);
    let run = case.place.migrate(&case.arguments).args(args);
    environment.iter().fold(run, |run, (name, value)| run.env(name, value)).ran()
}

#[test]
fn target_password_and_the_mapping_s_variables_come_from_an_env_file() {
    let case = case();
    let file = format!(
        "# the application's own\nexport APP_DB='{}'  # where\nPGPASSWORD=\"{LOCKED_PASSWORD}\"\nWHO=the file\n",
        case.target.url_of(LOCKED_ROLE)
    );
    // Without being asked for, a .env is not read.
    case.place.write(".env", &file);
    case.place.migrate(["-m", "notes.toml", "--yes"]).exits(2).says(&["none was named"]);
    let ran = with(&case, &file, &[], &["--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.said());
    assert!(!ran.said().contains(LOCKED_PASSWORD), "{}", ran.said());
    assert_eq!(case.target.value("SELECT by_whom FROM notes"), "the file");
    // Run again, the digest of WHO is the ledger's: verified, not refused. `status` reads the file too.
    assert_eq!(with(&case, &file, &[], &["--yes"]).code, 0);
    let status = case.place.migrate(["status", "-m", "notes.toml", "--env-file", "app.env"]).exits(0);
    status.says(&["Done"]);
}

#[test]
fn a_flag_overrides_the_environment_which_overrides_the_file() {
    let (case, other) = (case(), Database::with(TARGET));
    let (here, there) = (case.target.url(), other.url());
    let shown = |ran: Ran| ran.json()["target"].as_str().expect("a target").rsplit('/').next().map(str::to_owned);
    let (first, second) = (Some(case.target.name().to_owned()), Some(other.name().to_owned()));
    let dry = ["--dry-run", "--json"];
    let file = format!("APP_DB={there}\nWHO=file\n");
    assert_eq!(shown(with(&case, &file, &[], &dry)), second);
    assert_eq!(shown(with(&case, &file, &[("APP_DB", &here)], &dry)), first);
    assert_eq!(shown(with(&case, &file, &[("APP_DB", &there)], &["--dry-run", "--json", "-t", &here])), first);
    // Name by name, as dotenv tools do: the user is the environment's, all else the file's.
    let file = format!("PGHOST={}\nPGUSER=unknown\nPGDATABASE={}\nWHO=file\n", socket(), case.target.name());
    assert_eq!(shown(with(&case, &file, &[("PGUSER", "postgres")], &dry)), first);
    assert_eq!(with(&case, &file, &[], &dry).code, 3);
    // The environment wins for the mapping's variables as well.
    let ran = with(&case, &file, &[("PGUSER", "postgres"), ("WHO", "environment")], &["--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.said());
    assert_eq!(case.target.value("SELECT by_whom FROM notes"), "environment");
}

#[test]
fn a_mistake_in_an_env_file_reports_its_line_without_content() {
    let case = case();
    for (file, said) in [
        ("A=1\nhunter2", "app.env: line 2: has no \"=\""),
        ("A=1\n\nB='hunter2\n", "app.env: line 3: opens a quote"),
        ("A=\"x\" hunter2", "app.env: line 1: has text after the closing"),
        ("A=${HUNTER2}", "app.env: line 1: has a ${...} that names no variable"),
    ] {
        let ran = with(&case, file, &[], &["--yes"]);
        assert_eq!(ran.code, 2, "{}", ran.said());
        ran.says(&[said]);
        assert!(!ran.said().to_lowercase().contains("hunter2"), "{}", ran.said());
    }
    let absent = case.place.migrate(["-m", "notes.toml", "--env-file", "none.env", "--yes"]).exits(2);
    absent.says(&["--env-file none.env: cannot be read"]);
}
