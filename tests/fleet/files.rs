//! The files of a fleet: each is loaded as a whole under its own owner, or not at all.

use std::fs;

use super::{Fleet, SCHEMA};
use crate::support::sqlite;

#[test]
fn each_file_is_loaded_under_its_own_owner_and_verified() {
    let fleet = Fleet::of(12);
    // Rows of others, in whose range no id of the fleet may lie.
    fleet.case.target.run(
        "INSERT INTO users (username) VALUES ('other'); INSERT INTO acc (id, user_id, name) VALUES (500, 1, 'theirs')",
    );
    let report = fleet.exits(0, &["--yes"]);
    assert_eq!((&report["fleet"]["done"], &report["fleet"]["files"]), (&12.into(), &12.into()));
    assert!(report["checks"].as_array().is_some_and(|checks| checks.len() == 7), "{}", report["checks"]);
    let mut rows = fleet.rows();
    rows.retain(|row| !row.starts_with("other "));
    let mut expected = fleet.expected(0..12);
    expected.sort();
    rows.sort();
    assert_eq!(rows, expected);
    assert_eq!(fleet.case.target.value("SELECT count(*) FROM acc WHERE id < 500"), "0");
    // The application's next ids are free.
    fleet.case.target.run("INSERT INTO acc (user_id, name) VALUES (1, 'new')");
    assert_eq!(fleet.case.target.value("SELECT count(*) FROM migrate.member WHERE proved"), "12");
}

#[test]
fn the_same_command_loads_nothing_twice() {
    let fleet = Fleet::of(7);
    let first = fleet.exits(4, &["--yes", "--max-files", "3"]);
    assert_eq!(first["fleet"]["done"], 3);
    fleet.holds(0..3);
    let last = fleet.exits(0, &["--yes", "--max-files", "4"]);
    assert_eq!(last["state"], "Done", "no file is left");
    fleet.holds(0..7);
    let again = fleet.exits(0, &["--yes"]);
    assert_eq!((&again["fleet"]["here"], &again["fleet"]["done"]), (&0.into(), &7.into()));
    fleet.holds(0..7);
}

#[test]
fn a_poisoned_file_is_quarantined_and_the_others_are_loaded() {
    let fleet = Fleet::of(6);
    for (n, poison) in [(1, "UPDATE acc SET name = NULL"), (3, "UPDATE tx SET amount = 13 WHERE id = 2")] {
        let path = fleet.case.place.path(&format!("u{n:02}.db"));
        fs::remove_file(&path).expect("the file");
        let schema = SCHEMA.replace("name TEXT NOT NULL", "name TEXT");
        let rows = "INSERT INTO acc VALUES (1, 'x'); INSERT INTO tx VALUES (1, 1, 1), (2, 1, 2);";
        sqlite::file(&fleet.case.place, &format!("u{n:02}.db"), &format!("{schema}{rows}{poison}"));
    }
    fs::write(fleet.case.place.path("u05.db"), "no database").expect("a file");
    let report = fleet.exits(6, &["--yes"]);
    let unfinished = report["fleet"]["unfinished"].as_array().expect("files");
    let of = |n: usize| {
        (unfinished[n]["path"].as_str().expect("a path"), unfinished[n]["reason"].as_str().expect("a reason"))
    };
    assert_eq!((of(0).0, of(1).0, of(2).0), ("u01.db", "u03.db", "u05.db"));
    assert!(of(0).1.contains("load.acc.columns.name: the value is NULL") && of(0).1.contains("row 1"), "{}", of(0).1);
    assert!(of(1).1.contains("tx_amount_check"), "{}", of(1).1);
    fleet.holds([0, 2, 4]);
    assert_eq!(
        fleet.case.target.value("SELECT count(*) FROM users"),
        "3",
        "the owner of a quarantined file is not made"
    );
    for n in [1, 3, 5] {
        fleet.file(n);
    }
    fleet.exits(6, &["--yes"]);
    fleet.exits(0, &["--yes", "--retry", "quarantined"]);
    fleet.holds(0..6);
}

#[test]
fn an_orphan_never_ends_at_a_row_of_another_owner() {
    let fleet = Fleet::of(4);
    let file = |n: u32, rows: &str| {
        let name = format!("u{n:02}.db");
        fs::remove_file(fleet.case.place.path(&name)).expect("the file");
        sqlite::file(&fleet.case.place, &name, &format!("PRAGMA foreign_keys = off; {SCHEMA}{rows}"));
    };
    // With its shift, 0 would be the last account of the file before; without an account of its own, 1 would be its first one.
    file(1, "INSERT INTO acc VALUES (1, 'a'), (2, 'b'); INSERT INTO tx VALUES (1, 1, 1), (2, 0, 2)");
    file(2, "INSERT INTO tx VALUES (1, 1, 1)");
    for way in ["--dry-run", "--yes"] {
        let report = fleet.exits(6, &[way]);
        let unfinished = report["fleet"]["unfinished"].as_array().expect("files");
        assert_eq!(
            (unfinished.len(), &unfinished[0]["path"], &unfinished[1]["path"]),
            (2, &"u01.db".into(), &"u02.db".into())
        );
        assert!(unfinished.iter().all(|file| file["reason"].to_string().contains("tx_acc_id_fkey")), "{report}");
    }
    fleet.holds([0, 3]);
    let crossed = "SELECT count(*) FROM tx t JOIN acc a ON a.id = t.acc_id WHERE a.user_id <> t.user_id";
    assert_eq!(fleet.case.target.value(crossed), "0");
}

#[test]
fn a_dry_run_names_the_files_that_cannot_be_loaded_and_writes_nothing() {
    let fleet = Fleet::of(4);
    fs::write(fleet.case.place.path("u02.db"), "no database").expect("a file");
    let before = fleet.case.target.inventory();
    let report = fleet.exits(6, &["--dry-run"]);
    assert_eq!((&report["fleet"]["done"], &report["fleet"]["quarantined"]), (&3.into(), &1.into()));
    assert_eq!(report["fleet"]["unfinished"][0]["path"], "u02.db");
    assert_eq!(fleet.case.target.inventory(), before);
}

#[test]
fn files_of_another_schema_get_a_plan_of_their_own_or_are_quarantined() {
    for (more, code) in [(None, 0), (Some("refuse"), 6)] {
        let fleet = Fleet::of(3);
        sqlite::file(&fleet.case.place, "u02.db", "CREATE TABLE settings (a)");
        fleet.case.place.write("fleet.toml", format!("{}[leave]\nsettings = \"not needed\"\n", super::MAPPING));
        let args = more.map_or(vec!["--yes"], |what| vec!["--yes", "--on-schema", what]);
        let report = fleet.exits(code, &args);
        assert_eq!(report["fleet"]["done"], if code == 0 { 3 } else { 2 }, "{report}");
    }
}

#[test]
fn a_first_file_that_the_mapping_does_not_fit_is_quarantined_alone() {
    let fleet = Fleet::of(3);
    fs::remove_file(fleet.case.place.path("u00.db")).expect("the file");
    sqlite::file(&fleet.case.place, "u00.db", "");
    for way in ["--dry-run", "--yes"] {
        let report = fleet.exits(6, &[way]);
        assert_eq!(
            (&report["fleet"]["done"], &report["fleet"]["unfinished"][0]["path"]),
            (&2.into(), &"u00.db".into())
        );
    }
    fleet.holds(1..3);
}

#[test]
fn a_file_with_a_table_that_the_fleet_began_without_is_quarantined() {
    let fleet = Fleet::of(3);
    fleet.case.target.run("CREATE TABLE goal (user_id bigint NOT NULL REFERENCES users, name text)");
    fs::remove_file(fleet.case.place.path("u02.db")).expect("the file");
    sqlite::file(
        &fleet.case.place,
        "u02.db",
        &format!("{SCHEMA} CREATE TABLE goal (name TEXT); INSERT INTO goal VALUES ('x');"),
    );
    let mapping = super::MAPPING.replace("[defaults]", "[defaults]\nunlisted_tables = \"copy\"\nowner = \"user_id\"");
    fleet.case.place.write("fleet.toml", mapping);
    let report = fleet.exits(6, &["--yes"]);
    let reason = report["fleet"]["unfinished"][0]["reason"].to_string();
    assert!(reason.contains("load.goal") && reason.contains("cannot prove them"), "{report}");
    fleet.holds(0..2);
}

#[test]
fn a_report_of_lines_has_one_for_each_file_in_every_state() {
    let fleet = Fleet::of(4);
    fs::write(fleet.case.place.path("u01.db"), "no database").expect("a file");
    let lines = || -> Vec<(String, String, u64)> {
        let text = fs::read_to_string(fleet.case.place.path("files.ndjson")).expect("lines");
        let line = |line: &str| -> (String, String, u64) {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let rows = line["rows"].as_object().expect("rows").values().filter_map(serde_json::Value::as_u64).sum();
            let word = |key: &str| line[key].as_str().unwrap_or_else(|| panic!("no {key} in {line}")).to_owned();
            assert_eq!(line["owner"]["username"], word("path").trim_end_matches(".db"));
            assert_eq!(line["reason"].is_string(), word("state") == "quarantined");
            (word("path"), word("state"), rows)
        };
        text.lines().map(line).collect()
    };
    let expected = |states: [&str; 4], rows: [u64; 4]| -> Vec<(String, String, u64)> {
        (0..4).map(|n| (format!("u{n:02}.db"), states[n].to_owned(), rows[n])).collect()
    };
    fleet.exits(6, &["--dry-run", "--report", "files.ndjson"]);
    assert_eq!(lines(), expected(["done", "quarantined", "done", "done"], [5, 0, 7, 8]));
    fleet.exits(4, &["--yes", "--max-files", "2", "--report", "files.ndjson"]);
    assert_eq!(lines(), expected(["done", "quarantined", "done", "waiting"], [5, 0, 7, 0]));
    fleet.about(0, &["status", "--report", "files.ndjson"]);
    assert_eq!(lines(), expected(["done", "quarantined", "done", "waiting"], [5, 0, 7, 0]));
    fleet
        .case
        .command(&["--dry-run", "-s", "u00.db", "--report", "files.ndjson"])
        .exits(2)
        .says(&["a line for each file of a fleet"]);
}

#[test]
fn the_owner_of_each_file_may_come_from_a_query_in_it() {
    let fleet = Fleet::of(3);
    for n in 0..3 {
        let file = rusqlite::Connection::open(fleet.case.place.path(&format!("u{n:02}.db"))).expect("a file");
        file.execute_batch(&format!("CREATE VIEW profile AS SELECT 'u{n:02}' AS username")).expect("a view");
    }
    let command = |sql: &str, code: i32| {
        fleet.case.command(&["fleet", "--sources", "*.db", "--yes", "--owner-sql", sql]).exits(code)
    };
    command("SELECT username FROM profil", 3).says(&["--owner-sql: u00.db", "no such table: profil", "u02.db"]);
    command("SELECT name FROM profile", 3).says(&["no such column: name"]);
    command("SELECT username FROM profile WHERE 0", 3).says(&["it returns no row"]);
    command("SELECT 'x' AS username", 3).says(&["u01.db", "has the same owner as u00.db"]);
    command("SELECT 1 AS id FROM profile", 3).says(&["no file has a value `username`", "--owner-sql"]);
    command("SELECT username FROM profile", 0).says(&["migrate fleet verify -m fleet.toml"]);
    let dry = ["fleet", "--sources", "*.db", "--dry-run", "--owner-sql", "SELECT username FROM profile"];
    fleet.case.command(&dry).exits(0).says(&["--owner-sql", "'SELECT username FROM profile'"]);
    fleet.holds(0..3);
    let both = ["fleet", "--sources", "%{username}.db", "--yes", "--owner-sql", "SELECT username FROM profile"];
    fleet.case.command(&both).exits(3).says(&["yields the value `username`, which has another origin, too"]);
}

#[test]
fn compressed_dumps_are_files_of_a_fleet() {
    let fleet = Fleet::of(2);
    let dump = |name: &str, text: &str| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut packed, text.as_bytes()).expect("bytes");
        let bytes = packed.finish().expect("bytes");
        fleet.case.place.write(name, &bytes);
        bytes
    };
    let text =
        format!("BEGIN;{SCHEMA}INSERT INTO acc VALUES (1, 'a of 0'); INSERT INTO tx VALUES (1, 1, 1.5);COMMIT;\n");
    let bytes = dump("v00.sql.gz", &text);
    fleet.case.place.write("v01.sql.gz", &bytes[..bytes.len() - 12]);
    fleet.case.place.write("v02.sql.gz", text.as_bytes());
    let command = ["fleet", "--json", "--sources", "%{username}.sql.gz", "--yes"];
    let report = fleet.case.command(&command).exits(6).json();
    let reasons = report["fleet"]["unfinished"].to_string();
    assert!(reasons.contains("the compressed dump is damaged or cut off"), "{report}");
    assert!(reasons.contains("is not compressed by gzip"), "{report}");
    assert_eq!(fleet.rows(), ["v00 a of 0 1.50"]);
    fleet.case.command(&["--dry-run", "-s", "v00.sql.gz", "--owner", "username=v09"]).exits(0);
}

#[test]
fn a_sequence_that_the_end_of_a_fleet_cannot_move_past_its_ids_is_a_difference() {
    let fleet = Fleet::of(2);
    fleet.exits(0, &["--yes"]);
    // A late worker reserves ids that it never uses.
    fleet.case.target.run("UPDATE migrate.range SET next = next + 100");
    fleet.exits(0, &["--yes"]);
    fleet.case.target.run("SELECT setval('acc_id_seq', 1, false)");
    // The fleet is done, so that the same command only compares.
    let report = fleet.exits(5, &["--yes"]);
    assert!(report["checks"].to_string().contains("not past: public.acc_id_seq"), "{report}");
}

#[test]
fn the_end_of_a_fleet_checks_owners_and_constraints() {
    let fleet = Fleet::of(2);
    let report = fleet.exits(0, &["--yes"]);
    let checks = report["checks"].as_array().expect("checks");
    let of = |kind: &str| checks.iter().find(|check| check["check"] == kind).expect("a check").clone();
    assert_eq!((&of("owners")["load"], &of("owners")["found"]), (&"public.users".into(), &"2 owners".into()));
    assert_eq!(of("constraints")["found"], "all valid");
    fleet.case.target.run(
        "ALTER TABLE tx DROP CONSTRAINT tx_amount_check; ALTER TABLE acc DROP CONSTRAINT acc_user_id_fkey; DELETE FROM users WHERE id = 1",
    );
    let report = fleet.about(5, &["verify"]);
    let differing: Vec<&serde_json::Value> =
        report["checks"].as_array().expect("checks").iter().filter(|check| check["verdict"] == "Differs").collect();
    let found = |kind: &str| differing.iter().find(|check| check["check"] == kind).map(|check| check["found"].clone());
    assert_eq!(found("owners"), Some("1 owners of the files".into()));
    assert_eq!(found("constraints"), Some("not there".into()));
}

#[test]
fn rows_of_the_application_after_the_end_are_no_difference() {
    let fleet = Fleet::of(3);
    fleet
        .case
        .target
        .run("INSERT INTO users (username) VALUES ('other'); INSERT INTO acc (user_id, name) VALUES (1, 'old')");
    fleet.exits(0, &["--yes"]);
    let work = "INSERT INTO users (username) VALUES ('new'); INSERT INTO acc (user_id, name) SELECT max(id), 'new' FROM users; \
        UPDATE acc SET name = 'renamed' WHERE name = 'old'; \
        INSERT INTO tx (user_id, acc_id, amount) SELECT user_id, id, 7 FROM acc WHERE name = 'new'";
    fleet.case.target.run(work);
    let report = fleet.about(0, &["verify"]);
    let since = |report: &serde_json::Value| -> Vec<String> {
        let checks = report["checks"].as_array().expect("checks").clone();
        let open = checks.into_iter().filter(|check| check["verdict"] == "NotChecked");
        open.map(|check| format!("{} {}", check["load"], check["why"]).replace('"', "")).collect()
    };
    let expected =
        ["acc", "tx", "users"].map(|table| format!("public.{table} 1 row was added since the end of the fleet"));
    assert_eq!(since(&report), expected);
    fleet.case.target.run("UPDATE tx SET amount = 99 WHERE id = (SELECT min(id) FROM tx)");
    let report = fleet.about(5, &["verify"]);
    assert_eq!(since(&report), expected, "other rows are not counted as those of the files");
}

#[test]
fn more_failures_than_allowed_stop_the_fleet() {
    let fleet = Fleet::of(30);
    for n in 0..4 {
        fs::write(fleet.case.place.path(&format!("u{n:02}.db")), "no database").expect("a file");
    }
    let report = fleet.exits(4, &["--yes", "--max-failed", "3"]);
    assert!(report["refusals"].to_string().contains("--max-failed allows 3"), "{report}");
    assert!(report["fleet"]["waiting"].as_u64().is_some_and(|waiting| waiting > 0));
    fleet.exits(6, &["--yes", "--max-failed", "50%"]);
    fleet.holds(4..30);
}
