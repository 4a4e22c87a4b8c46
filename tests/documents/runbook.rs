//! The runbook: the commands of `migrate guide cutover`, run in their order as they stand on the page.

use std::path::Path;

use migrate::exit::Exit;
use migrate::guide;
use regex::Regex;

use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::{Place, Ran};

const SOURCE: &str = "
    CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT, created_at INTEGER);
    CREATE TABLE tags (note_id INTEGER REFERENCES notes, tag TEXT, PRIMARY KEY (note_id, tag));
    INSERT INTO notes VALUES (1, 'Milk', 1700000000), (2, 'Ideas', 1700003600), (9, 'Trip', 1700007200);
    INSERT INTO tags VALUES (1, 'home'), (2, 'work'), (9, 'home');";

const TARGET: &str = "
    CREATE TABLE users (id serial PRIMARY KEY, username text NOT NULL UNIQUE);
    CREATE TABLE notes (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users, title text NOT NULL,
                        created_at timestamptz NOT NULL);
    CREATE TABLE tags (user_id int NOT NULL REFERENCES users, note_id int NOT NULL REFERENCES notes, tag text NOT NULL,
                       PRIMARY KEY (note_id, tag));";

const MAPPING: &str = r#"
format = 1
name = "notes"
[source]
zone = "UTC"
[target]
ddl = ["target.sql"]
[owner]
table = "users"
match = { username = "ann" }
create = {}
[load.notes]
owner = "user_id"
[load.notes.columns]
created_at = { epoch = "s" }
[load.tags]
owner = "user_id"
"#;

/// The three things that the page asks for, and nothing else.
struct Prepared {
    place: Place,
    target: Database,
}

impl Prepared {
    fn new() -> Prepared {
        let prepared = Prepared { place: Place::new(), target: Database::with(TARGET) };
        sqlite::file(&prepared.place, "app.db", SOURCE);
        prepared.place.write("mapping.toml", MAPPING);
        prepared.place.write("target.sql", TARGET);
        prepared
    }

    /// A block of the page in a shell that finds the tool by its name.
    fn shell(&self, block: &str) -> Ran {
        let run = self.place.run("sh", ["-ec", block]);
        let tool = Path::new(env!("CARGO_BIN_EXE_migrate")).parent().expect("a folder").display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        run.env("PATH", format!("{tool}:{path}")).env("DATABASE_URL", self.target.url()).ran()
    }
}

/// The blocks of shell commands on the page, in order.
fn blocks() -> Vec<String> {
    let page = guide::page("cutover").expect("a page");
    let block = Regex::new("(?s)```sh\n(.*?)```").expect("a pattern");
    block.captures_iter(&page).map(|found| found[1].to_owned()).collect()
}

#[test]
fn the_commands_of_the_runbook_run_in_their_order_as_they_stand() {
    let prepared = Prepared::new();
    let (place, target) = (&prepared.place, &prepared.target);
    let mut steps = Vec::new();
    for block in blocks() {
        let ran = prepared.shell(&block);
        assert_eq!(ran.code, 0, "{block}\n{}", ran.said());
        let words: Vec<&str> = block.split_whitespace().collect();
        let step = match words.as_slice() {
            ["mkdir", ..] => "copy",
            ["migrate", "-m", ..] if block.contains("--dry-run") => "dry run",
            ["migrate", "-m", ..] if block.contains("--yes") => "cutover",
            ["pg_dump", ..] => "rehearse",
            ["migrate", command, ..] => command,
            _ => panic!("an unknown step: {block}"),
        };
        let loaded = target.count("notes");
        match step {
            "rehearse" | "copy" | "dry run" => assert_eq!(loaded, 0, "{step}"),
            "rollback" => assert_eq!((loaded, target.count("tags"), target.count("users")), (0, 0, 0)),
            _ => assert_eq!((loaded, target.count("tags"), target.count("users")), (3, 3, 1), "{step}"),
        }
        if step == "cutover" {
            // A new row receives a number after the highest one that was loaded.
            assert_eq!(target.value("SELECT last_value >= 9 FROM notes_id_seq"), "t");
        }
        steps.push(step.to_owned());
    }
    let wanted = ["rehearse", "dry run", "copy", "dry run", "cutover", "verify", "status", "rollback"];
    assert_eq!(steps, wanted);
    for report in ["rehearsal.html", "dry-run.html", "cutover.html", "cutover.json", "verify.html"] {
        assert!(place.files().contains(report), "{report} was not written");
    }
}

#[test]
fn the_second_verification_of_the_runbook_finds_a_row_that_changed_since() {
    let prepared = Prepared::new();
    for block in blocks() {
        if block.contains("migrate verify") {
            prepared.target.run("UPDATE notes SET title = 'Milk!' WHERE id = 1");
            let ran = prepared.shell(&block);
            assert_eq!(ran.code, 5, "{}", ran.said());
            assert!(prepared.place.read("verify.html").contains("id=1"), "{}", ran.said());
            return;
        }
        assert_eq!(prepared.shell(&block).code, 0, "{block}");
    }
    panic!("the runbook does not verify");
}

#[test]
fn the_runbook_says_what_to_do_at_each_exit_status() {
    let page = guide::page("cutover").expect("a page");
    let table = page.split("## At each exit status").nth(1).and_then(|t| t.split("\n## ").next()).expect("a section");
    let listed: Vec<u8> =
        table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()?.parse().ok()).collect();
    let mut known: Vec<u8> = Exit::BY_RANK.iter().map(|exit| exit.code()).collect();
    known.sort_unstable();
    assert_eq!(listed, known);
    for row in table.lines().filter(|line| line.starts_with("| ")) {
        assert_eq!(row.matches(" |").count(), 4, "a cell is missing: {row}");
    }
}
