//! `--create`: the tables of a mapping with `ddl = "auto"` are made in the target, and a rollback drops them.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::Case;
use crate::support::sqlite;
use crate::support::tool::Ran;

const SOURCE: &str = "
CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL UNIQUE, at DATETIME DEFAULT (datetime('now')),
                    stars INT CHECK (stars BETWEEN 0 AND 5), changed DATETIME);
CREATE TABLE tags (note INTEGER NOT NULL REFERENCES notes ON DELETE CASCADE, tag TEXT NOT NULL, PRIMARY KEY (note, tag));
CREATE TABLE codes (code TEXT PRIMARY KEY, name TEXT);
CREATE INDEX by_tag ON tags (lower(tag)) WHERE tag <> '';
CREATE TRIGGER touch AFTER UPDATE ON notes BEGIN UPDATE notes SET changed = CURRENT_TIMESTAMP WHERE id = NEW.id; END;
INSERT INTO notes VALUES (1, 'Milk', '2024-01-02 03:04:05', 3, NULL), (7, 'Trip', '2024-01-03 03:04:05', NULL, NULL);
INSERT INTO tags VALUES (1, 'home'), (7, 'X'); INSERT INTO codes VALUES ('EUR', 'Euro');";

/// Everything in the schema of the tables, without the names of objects that belong to tables.
const OBJECTS: &str = "
SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace)
     + (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace)
     + (SELECT count(*) FROM pg_type WHERE typnamespace = 'public'::regnamespace)";

/// A source with the mapping that `schema` writes for it.
fn case() -> Case {
    let case = Case::new(SOURCE);
    let owner = ["--owner", "users.username=ann", "--shared", "codes"];
    case.command(&owner).args(["--mapping", "migrate.toml"]).exits(0);
    assert!(case.place.read("migrate.toml").contains("ddl = \"auto\""), "{}", case.place.read("migrate.toml"));
    case
}

impl Case {
    fn migrate(&self, args: &[&str]) -> crate::support::tool::Run {
        self.place.migrate(args).args(["-m", "migrate.toml", "-t", &self.target.url()])
    }

    fn objects(&self) -> String {
        self.target.value(OBJECTS)
    }
}

#[test]
fn two_commands_lead_from_a_file_to_a_verified_target_and_rollback_leads_back() {
    let case = case();
    case.migrate(&["--dry-run"]).exits(3).says(&["has no table at all", "--create makes them"]);
    case.migrate(&["--create"]).exits(2).says(&["before the plan can be shown", "--dry-run first"]);
    let dry = case.migrate(&["--dry-run", "--create"]).exits(0);
    dry.says(&[
        "4 tables would be created in `public` from the source: users, codes, notes, tags",
        "5 rows of 3 loads",
    ]);
    assert_eq!(case.objects(), "0");
    case.migrate(&["--yes", "--create"]).exits(0).says(&["4 tables created in `public`", "Done and verified"]);
    let made = [case.constraints(), case.indexes(), case.columns("notes"), case.columns("tags")];
    case.migrate(&["verify"]).exits(0);
    case.migrate(&["status"]).exits(0).says(&["created table: public.notes", "created function: public.touch"]);
    case.migrate(&["--yes", "--create"]).exits(0).says(&["is done already"]);
    let insert =
        "INSERT INTO notes (user_id, title) VALUES (1, 'new') RETURNING concat_ws(' ', id > 7, at IS NOT NULL)";
    assert_eq!(case.target.value(&format!("BEGIN; {insert}").replace("BEGIN; ", "")), "t t");
    case.target.run("DELETE FROM notes WHERE title = 'new'; SELECT setval('notes_id_seq', 7)");
    case.migrate(&["rollback", "--yes"]).exits(0).says(&["4 tables of --create (codes, notes, tags, users): dropped"]);
    assert_eq!((case.objects(), case.target.count("migrate.created")), ("0".to_owned(), 0));
    // The file of `schema` makes the same tables.
    let owner = ["--owner", "users.username=ann", "--shared", "codes"];
    case.target.run(&case.command(&owner).exits(0).stdout);
    assert_eq!(made, [case.constraints(), case.indexes(), case.columns("notes"), case.columns("tags")]);
}

#[test]
fn tables_with_rows_of_others_stay() {
    let case = case();
    case.migrate(&["--yes", "--create"]).exits(0);
    sqlite::file(&case.place, "second.db", SOURCE);
    let mapping = case.place.read("migrate.toml");
    let mapping = mapping.replace("app.db", "second.db").replace("\"app\"", "\"second\"").replace("\"ann\"", "\"bob\"");
    case.place.write("second.toml", mapping);
    let second = |args: &[&str]| case.place.migrate(args).args(["-m", "second.toml", "-t", &case.target.url()]);
    second(&["--yes", "--create"]).exits(0).says(&["Done and verified"]);
    second(&["rollback", "--yes"]).exits(0);
    assert_eq!((case.target.count("notes"), case.target.count("migrate.created")), (2, 5));
    case.target.run("INSERT INTO codes VALUES ('USD', 'Dollar')");
    let ran = case.migrate(&["rollback", "--yes"]).exits(0);
    ran.says(&["4 tables of --create (codes, notes, tags, users): stays: codes holds rows that the run did"]);
    assert_eq!((case.target.count("notes"), case.target.count("codes")), (0, 1));
    // The ledger still knows who made them.
    case.target.run("DELETE FROM codes");
    case.migrate(&["--yes", "--create"]).exits(0);
    case.migrate(&["rollback", "--yes"]).exits(0).says(&["dropped"]);
    assert_eq!(case.objects(), "0");
}

#[test]
fn tables_that_were_changed_or_are_needed_stay() {
    for (change, says) in [
        ("ALTER TABLE tags ADD COLUMN extra int", "tags was altered since --create made it"),
        ("CREATE INDEX other ON notes (stars)", "notes was altered since --create made it"),
        ("CREATE VIEW seen AS SELECT title FROM notes", "PostgreSQL refuses to drop them"),
        ("CREATE TABLE seen (note bigint REFERENCES notes)", "PostgreSQL refuses to drop them"),
        (
            "DROP TABLE codes; CREATE TABLE codes (code text PRIMARY KEY, name text); INSERT INTO codes VALUES ('EUR', 'Euro')",
            "codes is not the object that --create",
        ),
    ] {
        let case = case();
        case.migrate(&["--yes", "--create"]).exits(0);
        case.target.run(change);
        case.migrate(&["rollback", "--yes"]).exits(0).says(&["stays", says, "Still there: 4 tables of --create"]);
        assert_eq!(case.target.count("notes") + case.target.count("tags"), 0);
        assert_eq!(case.target.count("migrate.created"), 5);
    }
}

#[test]
fn tables_of_a_run_that_does_not_begin_are_dropped_at_once() {
    let case = case();
    let mapping = case.place.read("migrate.toml");
    case.place.write("migrate.toml", format!("{mapping}\n[load.ghost]\n"));
    case.migrate(&["--yes", "--create"])
        .exits(3)
        .says(&["nothing was written", "the tables that were created are dropped again"]);
    assert_eq!(case.objects(), "0");
    case.place.write("migrate.toml", mapping);
    case.migrate(&["--yes", "--create"]).exits(0);
}

#[test]
fn a_target_with_some_of_the_tables_is_refused_by_name() {
    let case = case();
    case.target.run("CREATE TABLE notes (id int)");
    let says = ["`public` has notes already, and not users, codes,", "Drop or rename"];
    case.migrate(&["--yes", "--create"]).exits(3).says(&says);
    case.migrate(&["--dry-run", "--create"]).exits(3).says(&says);
    case.target.run("DROP TABLE notes; CREATE FUNCTION touch_function() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    case.migrate(&["--yes", "--create"]).exits(3).says(&["the tables cannot be created", "42723"]);
    assert_eq!(case.objects(), "1");
    case.place.write("other.toml", case.place.read("migrate.toml").replace("ddl = \"auto\"", "ddl = [\"a.sql\"]"));
    let ran = case.place.migrate(["--yes", "--create", "-m", "other.toml", "-t", &case.target.url()]);
    ran.exits(2).says(&["--create", "Write `ddl = \"auto\"`"]);
}

#[test]
fn a_role_that_may_not_create_tables_gets_the_reason() {
    let case = case();
    case.target.run(
        "DO $$ BEGIN CREATE ROLE creates_nothing LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
         REVOKE CREATE ON SCHEMA public FROM public",
    );
    let url = case.target.url_of("creates_nothing");
    let ran = case.place.migrate(["--yes", "--create", "-m", "migrate.toml", "-t", &url]);
    ran.exits(3).says(&["the tables cannot be created (SQLSTATE 42501", "for another role"]);
    assert_eq!(case.objects(), "0");
}

/// A case whose ledger another session locks, so that no run can begin.
fn with_locked_ledger() -> (Case, postgres::Client) {
    let case = case();
    // The ledger of a run that is rolled back.
    case.migrate(&["--yes", "--create"]).exits(0);
    case.migrate(&["rollback", "--yes"]).exits(0);
    let mut holder = case.target.client();
    holder.batch_execute("BEGIN; LOCK TABLE migrate.run IN SHARE MODE").expect("a lock");
    (case, holder)
}

/// Waits until a command has made its tables and waits for the ledger.
#[track_caller]
fn waits_for_the_ledger(case: &Case, child: &mut Child) {
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'migrate.run'::regclass";
    let begin = Instant::now();
    while case.target.value(waits) != "1" {
        assert!(begin.elapsed() < Duration::from_secs(60), "the run did not begin");
        assert!(child.try_wait().expect("its state").is_none(), "it ended before its run began");
    }
}

#[test]
fn tables_are_dropped_again_if_the_ledger_refuses_the_run() {
    let (case, _holder) = with_locked_ledger();
    let ran = case.migrate(&["--yes", "--create"]).env("PGOPTIONS", "-c lock_timeout=300ms").ran();
    assert_ne!(ran.code, 0, "{}", ran.said());
    ran.says(&["55P03", "target.ddl: the tables that were created are dropped again"]);
    assert_eq!((case.objects(), case.target.count("migrate.created")), ("0".to_owned(), 0));
}

#[test]
fn tables_are_dropped_again_if_the_command_is_interrupted_before_its_run() {
    let (case, mut holder) = with_locked_ledger();
    let mut child = case.migrate(&["--yes", "--create"]).spawn();
    waits_for_the_ledger(&case, &mut child);
    let signal = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(signal.expect("a signal").success());
    let ran = Ran::of_child(child);
    assert_eq!(ran.code, 130, "{}", ran.said());
    ran.says(&["the tables that were created are dropped again"]);
    assert_eq!((case.objects(), case.target.count("migrate.created")), ("0".to_owned(), 0));
    holder.batch_execute("ROLLBACK").expect("no lock");
    case.migrate(&["--yes", "--create"]).exits(0).says(&["Done and verified"]);
}

/// Kills a run whose tables are made and which waits for the ledger before it begins.
fn killed_before_its_run() -> Case {
    let (case, mut holder) = with_locked_ledger();
    let mut child = case.migrate(&["--yes", "--create"]).spawn();
    waits_for_the_ledger(&case, &mut child);
    child.kill().expect("a signal");
    child.wait().expect("its end");
    holder.batch_execute("ROLLBACK").expect("no lock");
    assert_eq!(case.target.value("SELECT count(*) FROM migrate.created"), "5");
    case
}

#[test]
fn a_run_that_was_killed_before_it_began_continues() {
    let case = killed_before_its_run();
    case.migrate(&["status"]).exits(0).says(&["created table: public.notes"]);
    case.migrate(&["--yes", "--create"]).exits(0).says(&["Done and verified"]);
    case.migrate(&["rollback", "--yes"]).exits(0);
    assert_eq!(case.objects(), "0");
}

#[test]
fn status_lists_tables_that_were_made_before_any_run_began() {
    let case = killed_before_its_run();
    case.target.run("TRUNCATE migrate.run CASCADE");
    let ran = case.migrate(&["status"]).exits(0);
    ran.says(&[
        "No run began after --create made these objects",
        "created table: public.notes",
        "Run the same command",
    ]);
    let json = case.migrate(&["status", "--json"]).exits(0).json();
    let (entry, made) = (&json[0], json[0]["made"].as_array().expect("objects"));
    assert_eq!(
        (json.as_array().map(Vec::len), &entry["run"], &entry["state"]),
        (Some(1), &serde_json::Value::Null, &"NotBegun".into())
    );
    assert!(made.len() == 5 && made.contains(&serde_json::json!(["created table", "public.notes"])), "{entry}");
    assert!(entry["next"].as_str().is_some_and(|next| next.contains("migrate rollback --yes")), "{entry}");
    case.migrate(&["--yes", "--create"]).exits(0).says(&["Done and verified"]);
    let ran = case.migrate(&["status"]).exits(0);
    assert!(!ran.said().contains("No run began"), "{}", ran.said());
    let json = case.migrate(&["status", "--json"]).exits(0).json();
    assert_eq!((json.as_array().map(Vec::len), &json[0]["state"]), (Some(1), &"Done".into()));
}

#[test]
fn tables_of_a_run_that_was_killed_before_it_began_are_dropped_by_rollback() {
    let case = killed_before_its_run();
    case.migrate(&["rollback", "--yes"]).exits(0).says(&["4 tables of --create", "dropped"]);
    assert_eq!(case.objects(), "0");
    case.migrate(&["rollback", "--yes"]).exits(3);
}

#[test]
fn forget_leaves_the_tables_to_the_application() {
    let case = case();
    case.migrate(&["--yes", "--create"]).exits(0);
    case.migrate(&["forget", "--yes"]).exits(0);
    assert_eq!(case.target.count("migrate.created"), 0);
    case.migrate(&["rollback", "--yes"]).exits(3);
    assert_eq!(case.target.count("notes"), 2);
}

#[test]
fn a_ledger_of_version_3_is_upgraded_by_the_first_command_that_writes() {
    let version = "SELECT version FROM migrate.ledger";
    for command in [["rollback", "--yes"], ["forget", "--yes"]] {
        let case = case();
        case.target.run(&case.command(&["--owner", "users.username=ann", "--shared", "codes"]).exits(0).stdout);
        case.migrate(&["--yes"]).exits(0);
        case.target.has_ledger_of(3);
        for reads in [["verify"].as_slice(), &["status"], &["--dry-run", "--create"]] {
            case.migrate(reads).exits(0);
        }
        assert_eq!(case.target.value(version), "3");
        case.migrate(&command).exits(0);
        assert_eq!(case.target.value(version), "6");
    }
}
