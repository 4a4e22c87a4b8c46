//! A verification long after the run: it reports which side changed, accepts rows added since, and lists what cannot be known
//! any more is said.

use super::corruption::plant;
use super::pair::{Checks, Pair, Random};
use crate::support::case::Case;

fn why(check: &serde_json::Value) -> &str {
    check["why"].as_str().unwrap_or_default()
}

#[test]
fn a_changed_source_is_distinguished_from_a_changed_target() {
    let pair = Pair::migrated(&mut Random::new(3));
    pair.change_source("UPDATE things SET note = 'moved' WHERE id = 4");
    let checks = Checks::of(&pair.migrate(&["verify"]).expect_exit(5));
    assert_eq!(checks.saying("Differs"), ["source things"]);
    let source = checks.one("source", "things");
    assert!(why(source).contains("the target holds what was sent"), "{source:#}");
    assert_eq!(source["differences"][0]["key"], "id=4");
}

#[test]
fn a_changed_target_is_distinguished_from_a_changed_source() {
    let pair = Pair::migrated(&mut Random::new(3));
    plant(&pair, "UPDATE things SET note = 'moved' WHERE id = 4");
    let checks = Checks::of(&pair.migrate(&["verify"]).expect_exit(5));
    assert_eq!(checks.saying("Differs"), ["content things"]);
    let content = checks.one("content", "things");
    assert!(why(content).ends_with("the target changed, the source still produces what was sent"), "{content:#}");
    assert_eq!(
        (&content["differences"][0]["key"], &content["differences"][0]["column"]),
        (&"id=4".into(), &"note".into())
    );
}

#[test]
fn changes_on_both_sides_are_both_reported() {
    let pair = Pair::migrated(&mut Random::new(3));
    plant(&pair, "UPDATE things SET note = 'one' WHERE id = 4");
    pair.change_source("UPDATE things SET note = 'other' WHERE id = 6");
    let checks = Checks::of(&pair.migrate(&["verify"]).expect_exit(5));
    assert_eq!(checks.saying("Differs"), ["content things", "source things"]);
    let (content, source) = (checks.one("content", "things"), checks.one("source", "things"));
    assert!(why(content).ends_with("the target changed, and so did the source"), "{content:#}");
    assert_eq!(content["differences"][0]["key"], "id=4");
    assert!(why(source).ends_with("the target does not hold what was sent"), "{source:#}");
}

#[test]
fn equal_changes_on_both_sides_are_reported_too() {
    let pair = Pair::migrated(&mut Random::new(3));
    plant(&pair, "UPDATE things SET note = 'both' WHERE id = 4");
    pair.change_source("UPDATE things SET note = 'both' WHERE id = 4");
    let checks = Checks::of(&pair.migrate(&["verify"]).expect_exit(5));
    assert_eq!(checks.saying("Differs"), ["content things", "source things"]);
    assert!(why(checks.one("content", "things")).contains("the source produces what the target holds now"));
}

#[test]
fn rows_added_later_are_distinguished_from_corruption() {
    let pair = Pair::migrated(&mut Random::new(2));
    pair.target.run(
        "INSERT INTO things (user_id, title) VALUES (1, 'added'), (2, 'added'); INSERT INTO in_use (user_id, word) VALUES (1, 'added'); \
         INSERT INTO mixed (code, a) VALUES ('added', 1); INSERT INTO parts VALUES (2, 'added', 9); INSERT INTO words VALUES ('added', 1); \
         INSERT INTO links VALUES (999, 2, 'added'); INSERT INTO tagged (person_id) VALUES (2)",
    );
    let checks = Checks::of(&pair.migrate(&["verify"]).expect_exit(0));
    for table in ["things", "in_use", "parts", "words", "links", "tagged"] {
        assert_eq!(checks.all("content", table).last().expect("checked")["verdict"], "Same", "{table}");
    }
    assert_eq!(why(checks.one("others", "public.things")), "2 rows were added since the run");
    assert_eq!(checks.all("others", "public.in_use")[0]["verdict"], "NotChecked");
    plant(
        &pair,
        "UPDATE things SET note = 'corruption' WHERE id = 2; UPDATE links SET note = 'corruption' WHERE id = 100",
    );
    let checks = Checks::of(&pair.migrate(&["verify"]).expect_exit(5));
    assert_eq!(checks.saying("Differs"), ["content links", "content things"]);
    assert_eq!(checks.one("content", "things")["differences"][0]["key"], "id=2");
    assert_eq!(checks.one("content", "links")["differences"][0]["key"], "id=100");
}

#[test]
fn rows_deleted_later_are_reported() {
    let pair = Pair::migrated(&mut Random::new(2));
    plant(&pair, "DELETE FROM tagged WHERE id = 100; DELETE FROM links WHERE id = 100");
    let checks = Checks::of(&pair.migrate(&["verify"]).expect_exit(5));
    for table in ["tagged", "links"] {
        assert_eq!(checks.one("rows", &format!("public.{table}"))["verdict"], "Differs");
        let row = &checks.one("content", table)["differences"][0];
        assert_eq!((&row["difference"], &row["key"]), (&"missing".into(), &"id=100".into()), "{table}");
    }
}

#[test]
fn a_source_written_to_without_a_change_is_the_same() {
    let pair = Pair::migrated(&mut Random::new(4));
    pair.change_source("CREATE TABLE scratch (x); DROP TABLE scratch");
    let checks = Checks::of(&pair.migrate(&["verify"]).expect_exit(0));
    assert_eq!(why(checks.one("source", "")), "the file was written to since, and its rows are the same");
}

#[test]
fn skipped_rows_and_orphans_are_recomputed_exactly() {
    let pair = Pair::migrated(&mut Random::new(7));
    let checks = Checks::of(&pair.migrate(&["verify"]).expect_exit(0));
    assert!(checks.saying("NotChecked").iter().all(|c| !c.starts_with("source")), "{:?}", checks.saying("NotChecked"));
    pair.change_source("UPDATE words SET n = 77 WHERE word = 'first'; UPDATE links SET note = 'moved' WHERE id = 100");
    let checks = Checks::of(&pair.migrate(&["verify"]).expect_exit(5));
    assert_eq!(checks.saying("Differs"), ["source links", "source words"]);
    // A row that was skipped was never sent.
    let pair = Pair::migrated(&mut Random::new(7));
    pair.change_source("UPDATE words SET n = 77 WHERE n = 51");
    pair.migrate(&["verify"]).expect_exit(0);
}

#[test]
fn lookup_results_are_unknown_after_their_rows_have_changed() {
    let pair = Pair::migrated(&mut Random::new(8));
    pair.target.run("UPDATE people SET name = 'renamed' WHERE name = 'other'");
    let checks = Checks::of(&pair.migrate(&["verify"]).expect_exit(0));
    assert_eq!(checks.one("content", "tagged")["verdict"], "Same");
    let source = checks.one("source", "tagged");
    assert_eq!(source["verdict"], "NotChecked");
    assert!(
        why(source).starts_with("column person_id: the rows that its lookup reads have changed since"),
        "{source:#}"
    );
    // Rows that were sent are still recognised by their sums, whatever the lookup would find today.
    plant(&pair, "UPDATE tagged SET tag = 'corruption' WHERE id = 100");
    let checks = Checks::of(&pair.migrate(&["verify"]).expect_exit(5));
    assert_eq!(checks.one("content", "tagged")["differences"][0]["column"], "tag");
}

#[test]
fn a_change_in_a_column_that_was_not_sent_is_reported_as_not_compared() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)";
    let target = "CREATE TABLE t (id int PRIMARY KEY, n int, d int DEFAULT 7, note text)";
    for change in ["d = 8", "note = 'mine'"] {
        let case = Case::new(source, target, "[load.t]\n");
        case.exits(0, &["--yes"]);
        let verify = || case.place.migrate(["verify", "--json", "-t", &case.target.url()]).exits(0).json();
        let not_compared = |report: &serde_json::Value| -> Vec<String> {
            let checks = report["checks"].as_array().expect("checks").iter();
            checks.filter(|c| c["verdict"] == "NotChecked").map(|c| why(c).to_owned()).collect()
        };
        assert_eq!(not_compared(&verify()), Vec::<String>::new());
        case.target.run(&format!("UPDATE t SET {change} WHERE id = 2"));
        let listed = "not compared: d, note; 1 of 3 rows were deleted or written to since they were loaded";
        assert_eq!(not_compared(&verify()), [listed]);
    }
}

#[test]
fn a_table_or_column_that_is_new_in_the_source_is_a_difference() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)";
    let case = Case::new(source, "CREATE TABLE t (id int PRIMARY KEY)", "[load.t]\n");
    case.done();
    let change = |sql: &str| {
        rusqlite::Connection::open(case.place.path("source.db")).and_then(|db| db.execute_batch(sql)).expect("changed")
    };
    for (sql, new) in [("CREATE TABLE added (a)", "added"), ("DROP TABLE added; ALTER TABLE t ADD COLUMN b", "t.b")] {
        change(sql);
        let checks = Checks::of(&case.command(&["verify", "--json"]).exits(5).json());
        assert_eq!(checks.saying("Differs"), [format!("source {new}")]);
        assert!(why(checks.one("source", new)).contains("was added to the source since the run began"));
        case.exits(3, &["--yes"]);
    }
    change("ALTER TABLE t DROP COLUMN b");
    case.command(&["verify"]).exits(0);
    // A table that the run could have read is no change of the source.
    let mapping = case.place.read("migrate.toml");
    change("CREATE TABLE old (a)");
    let other = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY); CREATE TABLE old (a)",
        "CREATE TABLE t (id int PRIMARY KEY)",
        "",
    );
    other.place.write("migrate.toml", format!("{mapping}[leave]\nold = \"no\"\n"));
    other.done();
    other.place.write("migrate.toml", mapping);
    other.command(&["verify"]).exits(3).says(&["no load reads this table of the source"]);
}

#[test]
fn a_table_that_was_dropped_from_the_source_is_a_difference() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY); CREATE TABLE old (id INTEGER PRIMARY KEY);
        INSERT INTO t VALUES (1), (2); INSERT INTO old VALUES (1)";
    let target = "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE kept (id int PRIMARY KEY)";
    let case = Case::new(source, target, "[load.t]\n[load.old]\nto = \"kept\"\n");
    case.command(&["verify"]).exits(3);
    case.done();
    let db = rusqlite::Connection::open(case.place.path("source.db")).expect("opened");
    db.execute_batch("DROP TABLE old").expect("dropped");
    let checks = Checks::of(&case.command(&["verify", "--json"]).exits(5).json());
    assert_eq!(checks.saying("Differs"), ["source old"]);
    assert!(why(checks.one("source", "old")).contains("was dropped from the source since the run began"));
    // What writes or removes rows is refused as before.
    case.exits(3, &["--yes"]);
    case.command(&["rollback", "--yes"]).exits(3);
    db.execute_batch("CREATE TABLE old (id INTEGER PRIMARY KEY); INSERT INTO old VALUES (1)").expect("made");
    case.command(&["verify"]).exits(0);
}

#[test]
fn a_copied_table_that_was_dropped_from_the_source_is_a_difference() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY); CREATE TABLE old (id INTEGER PRIMARY KEY); INSERT INTO old VALUES (1)";
    let target = "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE old (id int PRIMARY KEY)";
    let case = Case::new(source, target, "[defaults]\nunlisted_tables = \"copy\"\n[load.t]\n");
    case.done();
    let db = rusqlite::Connection::open(case.place.path("source.db")).expect("opened");
    db.execute_batch("DROP TABLE old").expect("dropped");
    let checks = Checks::of(&case.command(&["verify", "--json"]).exits(5).json());
    assert_eq!(checks.saying("Differs"), ["source old"]);
}
