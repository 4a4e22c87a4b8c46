//! Rows that were on the target before: untouched, or named; not judged where others wrote meanwhile.

use super::pair::{Checks, Pair, Random};
use crate::support::case::Case;

/// A trigger that does this to the rows of `in_use` whenever the run writes to it.
fn with_trigger(sql: &str) -> Pair {
    let pair = Pair::made(&mut Random::new(9));
    pair.change_mapping("existing = \"append\"", "existing = \"append\"\ntriggers = \"fire\"");
    pair.target.run(&format!(
        "CREATE FUNCTION meddles() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {sql}; RETURN NULL; END'; \
         CREATE TRIGGER meddles AFTER INSERT ON in_use FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION meddles()"
    ));
    pair
}

#[test]
fn existing_rows_are_digested_before_and_after() {
    let pair = Pair::made(&mut Random::new(9));
    let checks = Checks::of(&pair.migrate(&["--yes"]).expect_exit(0));
    for (table, rows) in [("in_use", 20), ("words", 2), ("links", 1), ("people", 1)] {
        let check = checks.all("others", &format!("public.{table}"))[0];
        assert_eq!(
            (&check["verdict"], &check["found"]),
            (&"Same".into(), &format!("{rows} rows, untouched").into()),
            "{table}"
        );
    }
    let columns = checks.all("others", "public.in_use")[1];
    assert_eq!(columns["why"], "columns that this run does not send are not compared: n");
    // The run made the owner, who had no rows before.
    assert_eq!(checks.one("owners", "public.in_use")["verdict"], "Same");
}

#[test]
fn rows_that_an_owner_had_before_the_run_are_not_distinguished_from_its_own() {
    let case = Case::new(
        "CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('x')",
        "CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE); CREATE TABLE t (user_id int REFERENCES users, a text);
         INSERT INTO users VALUES (1, 'ann'); INSERT INTO t VALUES (1, 'before')",
        "[owner]\ntable = \"users\"\nmatch = { name = \"ann\" }\n[load.t]\nowner = \"user_id\"\nexisting = \"append\"\n",
    );
    let report = case.exits(0, &["--yes"]);
    let checks = report["checks"].as_array().expect("checks");
    let owners = checks.iter().find(|check| check["check"] == "owners").expect("a check of owners");
    let says = owners["why"].as_str().is_some_and(|why| why.contains("t held rows before"));
    assert_eq!((&owners["verdict"], says), (&"NotChecked".into(), true));
}

#[test]
fn a_foreign_row_that_changed_during_the_run_is_exit_5() {
    let pair = with_trigger("UPDATE public.in_use SET word = ''changed'' WHERE user_id = 1 AND id = 3");
    let checks = Checks::of(&pair.migrate(&["--yes"]).expect_exit(5));
    assert_eq!(checks.saying("Differs"), ["others public.in_use"]);
}

#[test]
fn foreign_rows_are_not_judged_if_another_session_wrote_during_the_run() {
    let pair = with_trigger("INSERT INTO public.in_use (user_id, word) VALUES (1, ''meanwhile'')");
    let checks = Checks::of(&pair.migrate(&["--yes"]).expect_exit(0));
    let others = checks.all("others", "public.in_use")[0];
    assert_eq!(others["verdict"], "NotChecked");
    assert!(others["why"].as_str().is_some_and(|w| w.contains("1 more rows than expected")), "{others:#}");
}

/// Ten rows into a table whose trigger fires while they are loaded.
fn fired(trigger: &str) -> Case {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, amount INTEGER);
        WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 10) INSERT INTO t SELECT n, n FROM c";
    let target = format!(
        "CREATE TABLE log (at timestamptz); CREATE TABLE t (id int PRIMARY KEY, amount int);
         CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (now()); RETURN NULL; END';
         CREATE FUNCTION bend() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.amount := NEW.amount * 2; RETURN NEW; END';
         CREATE TRIGGER fires {trigger}"
    );
    Case::new(source, &target, "[load.t]\ntriggers = \"fire\"\n")
}

fn content(report: &serde_json::Value) -> (String, Vec<String>) {
    let checks = report["checks"].as_array().expect("checks");
    let check = checks.iter().find(|c| c["check"] == "content" && c["load"] == "t").expect("content");
    let rows = check["differences"].as_array().expect("rows");
    let rows =
        rows.iter().map(|row| format!("{} {}", row["difference"].as_str().unwrap(), row["key"].as_str().unwrap()));
    (check["verdict"].as_str().unwrap().to_owned(), rows.collect())
}

#[test]
fn a_trigger_that_cannot_change_a_row_excuses_nothing() {
    let case = fired("AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION audit()");
    assert_eq!(content(&case.exits(0, &["--yes"])).0, "Same");
    case.target.run("UPDATE t SET amount = 99 WHERE id = 4; DELETE FROM t WHERE id = 7; INSERT INTO t VALUES (100, 1)");
    let ran = case.place.migrate(["verify", "-t", &case.target.url(), "--json"]).exits(5);
    assert_eq!(
        content(&ran.json()),
        ("Differs".to_owned(), vec!["changed id=4".to_owned(), "missing id=7".to_owned()])
    );
}

#[test]
fn a_trigger_that_changes_incoming_rows_excuses_values_but_no_missing_row() {
    let case = fired("BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION bend()");
    let (verdict, rows) = content(&case.exits(0, &["--yes"]));
    assert_eq!((verdict.as_str(), rows.len()), ("NotChecked", 10));
    case.target.run("DELETE FROM t WHERE id = 7; INSERT INTO t VALUES (100, 1)");
    let ran = case.place.migrate(["verify", "-t", &case.target.url(), "--json"]).exits(5);
    let (verdict, rows) = content(&ran.json());
    assert!(verdict == "Differs" && rows.contains(&"missing id=7".to_owned()), "{verdict} {rows:?}");
}
