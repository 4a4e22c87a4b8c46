//! The tables of a rehearsal come from a script as `pg_dump` writes it, and nothing in it reaches beyond the rehearsal.

use std::process::Command;

use serde_json::Value;

use crate::support::case::Case;
use crate::support::postgres::{Database, bindir};

const SOURCE: &str =
    "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, mood TEXT); INSERT INTO notes VALUES (1, 'a', 'ok')";
const TARGET: &str = "CREATE SCHEMA extra; CREATE EXTENSION hstore; CREATE TYPE extra.mood AS ENUM ('ok', 'sad');
    CREATE TABLE extra.kinds (name text PRIMARY KEY, tags hstore);
    INSERT INTO extra.kinds VALUES (E'a\\ttab; \\\\. and ''quotes''', 'a=>1'), ('b', NULL);
    CREATE TABLE notes (id serial PRIMARY KEY, body text, mood extra.mood);
    CREATE FUNCTION twice(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN $1 || $1; END; $$;
    CREATE RULE kept AS ON DELETE TO extra.kinds DO INSTEAD (SELECT 1; SELECT 2);
    CREATE INDEX doubled ON notes (twice(body)); COMMENT ON TABLE notes IS 'x;y';
    ALTER TABLE notes OWNER TO locked; GRANT SELECT ON extra.kinds TO locked; ALTER SCHEMA extra OWNER TO locked";
const MAPPING: &str = "[target]\nddl = [\"dump.sql\"]\n[load.notes]\n";

/// The output of `pg_dump`, with the lines that newer versions write. Its roles are unknown to the server of a rehearsal.
fn dump(of: &Database, flags: &[&str]) -> String {
    let dumped =
        Command::new(format!("{}/pg_dump", bindir())).args(flags).args(["-d", &of.url()]).output().expect("pg_dump");
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    let mut text = String::from_utf8(dumped.stdout).expect("UTF-8");
    if !text.contains("\\restrict") {
        text = format!("\\restrict Abc123\n{text}\\unrestrict Abc123\n");
    }
    text.replace("SET lock_timeout = 0;", "SET lock_timeout = 0;\nSET setting_of_later = 0;")
}

fn rehearsed(case: &Case, dump: &str, code: i32) -> Value {
    case.place.write("dump.sql", dump);
    case.place.migrate(["rehearse", "--json", "-m", "migrate.toml"]).exits(code).json()
}

fn warnings(report: &Value) -> String {
    report["warnings"]
        .as_array()
        .expect("warnings")
        .iter()
        .map(|w| w["message"].as_str().expect("words").to_owned() + "\n")
        .collect()
}

#[test]
fn a_dump_of_the_target_is_rehearsed_as_pg_dump_writes_it() {
    // The server inside the process has no extension.
    let target = match cfg!(feature = "embedded") {
        true => TARGET.replace("CREATE EXTENSION hstore; ", "").replace("tags hstore", "tags text"),
        false => TARGET.to_owned(),
    };
    let case = Case::new(SOURCE, &target, MAPPING);
    for flags in [&[][..], &["--schema-only"], &["--inserts"], &["--clean", "--if-exists"]] {
        let text = dump(&case.target, flags);
        assert_eq!(text.contains("COPY extra.kinds"), flags.is_empty() || flags[0] == "--clean", "{flags:?}");
        let report = rehearsed(&case, &text, 0);
        let said = warnings(&report);
        assert!(said.contains("statements about owners, rights"), "{flags:?}: {said}");
        assert!(
            said.contains("does not know these settings, which are left out: setting_of_later"),
            "{flags:?}: {said}"
        );
        assert_eq!(report["loads"][0]["written"], 1, "{flags:?}");
    }
    // A dump of the schema alone, or of a server whose administrator replaced it, creates it.
    rehearsed(&case, &format!("CREATE SCHEMA public;\n{}", dump(&case.target, &["--schema-only"])), 0);
}

#[test]
fn rows_of_a_dump_are_there_before_the_rehearsal_and_the_ledger_is_not() {
    let target = "CREATE TABLE notes (id serial PRIMARY KEY, body text, mood text);
        CREATE TABLE kinds (name text PRIMARY KEY); INSERT INTO kinds VALUES (E'a\\ttab; \\\\. and ''quotes''')";
    let case = Case::new(
        SOURCE,
        target,
        "[target]\nddl = [\"dump.sql\"]\n[load.notes]\n[load.kinds]\nfrom = { rows = [ { name = \"b\" } ] }\n",
    );
    let refused = rehearsed(&case, &dump(&case.target, &[]), 3);
    assert!(refused["refusals"].to_string().contains("1 row"), "{}", refused["refusals"]);
    let mapping = case.place.read("migrate.toml");
    case.place.write("migrate.toml", mapping.replace("[load.kinds]\n", "[load.kinds]\nexisting = \"append\"\n"));
    let report = rehearsed(&case, &dump(&case.target, &[]), 0);
    assert!(!warnings(&report).contains("ledger"));
    case.done();
    case.target.run("DELETE FROM notes");
    let text = dump(&case.target, &[]);
    assert!(text.contains("CREATE SCHEMA migrate;"));
    let report = rehearsed(&case, &text.replace("\tb\n", "\tc\n").replace("\nb\n", "\nc\n"), 0);
    assert!(warnings(&report).contains("the ledger of a previous run is left out"), "{}", warnings(&report));
    assert_eq!(report["run"], "1");
}

#[test]
fn statements_that_a_rehearsal_cannot_run_are_all_refused_with_their_lines() {
    let case = Case::new(SOURCE, "CREATE TABLE notes (id int PRIMARY KEY, body text, mood text)", MAPPING);
    let script = "DROP DATABASE app;\nCREATE DATABASE app;\n\\connect app\nCREATE TABLE notes (id int PRIMARY KEY,\n body text, mood text);\n\\i more.sql\n";
    let report = rehearsed(&case, script, 3);
    let refusals = report["refusals"].as_array().expect("refusals");
    let lines: Vec<&str> =
        refusals.iter().map(|r| r["place"].as_str().expect("a place").rsplit(' ').next().expect("a line")).collect();
    assert_eq!(lines, ["1", "2", "3", "6"]);
    let all = report["refusals"].to_string();
    assert!(all.contains("--create (-C)") && all.contains("command of psql"), "{all}");
    for (script, words) in [
        ("CREATE TABLE notes (id int);\nCREATE EXTENSION IF NOT EXISTS no_such_one WITH SCHEMA public;", "line 2"),
        ("CREATE EXTENSION no_such_one;", "the extension no_such_one is not in"),
        ("CREATE EXTENSION no_such_one;", "--server URL"),
        ("CREATE TABLE t (a text DEFAULT 'x);", "a quote does not end"),
        ("\n\nCREATE TABLE t (a nothing);", "line 3"),
    ] {
        let report = rehearsed(&case, script, 3);
        assert!(report["refusals"].to_string().contains(words), "{words}: {}", report["refusals"]);
    }
    case.place.write("dump.sql", b"PGDMP\x01\x0e");
    case.place.migrate(["rehearse", "-m", "migrate.toml"]).exits(2).says(&["only pg_restore reads", "--format=plain"]);
    case.place.write("dump.sql", b"-- \xe9\n");
    case.place.migrate(["rehearse", "-m", "migrate.toml"]).exits(2).says(&["byte 4 is not UTF-8", "--encoding=UTF8"]);
}
