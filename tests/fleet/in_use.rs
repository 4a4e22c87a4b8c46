//! The application works with the rows of a fleet while further files are loaded, verified or removed.

use super::{Fleet, MAPPING, SCHEMA, TARGET};
use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::Ran;

/// The application gets a user of its own, with an account and a payment.
const WORK: &str = "INSERT INTO users (username) VALUES ('new'); \
    INSERT INTO acc (user_id, name) SELECT max(id), 'new' FROM users; \
    INSERT INTO tx (user_id, acc_id, amount) SELECT user_id, id, 7 FROM acc WHERE name = 'new'";

/// The checks with this verdict, each with its table.
fn checks(report: &serde_json::Value, verdict: &str) -> Vec<String> {
    let checks = report["checks"].as_array().expect("checks").iter().filter(|check| check["verdict"] == verdict);
    checks.map(|check| format!("{} {}", check["check"], check["load"]).replace('"', "")).collect()
}

#[test]
fn files_that_come_after_the_end_get_ids_after_those_of_the_application() {
    let fleet = Fleet::of(2);
    fleet.exits(0, &["--yes"]);
    fleet.case.target.run(WORK);
    fleet.file(2);
    let report = fleet.exits(0, &["--yes"]);
    assert_eq!((&report["state"], &report["fleet"]["done"]), (&"Done".into(), &3.into()));
    let open = checks(&report, "NotChecked");
    assert_eq!(open, ["others public.acc", "others public.tx", "owners public.users"], "{report}");
    fleet.about(0, &["verify"]);
    fleet.case.target.run("UPDATE tx SET amount = 99 WHERE id = (SELECT max(id) FROM tx)");
    assert_eq!(checks(&fleet.about(5, &["verify"]), "Differs"), ["content public.tx"]);
    fleet.case.target.run("DELETE FROM tx WHERE amount IN (7, 99)");
    assert_eq!(checks(&fleet.about(5, &["verify"]), "Differs"), ["rows public.tx", "content public.tx"]);
}

#[test]
fn the_application_may_work_while_some_files_are_quarantined() {
    let fleet = Fleet::of(2);
    std::fs::write(fleet.case.place.path("u02.db"), "no database").expect("a file");
    fleet.exits(6, &["--yes"]);
    fleet.case.target.run(WORK);
    let report = fleet.about(6, &["verify"]);
    assert_eq!(checks(&report, "Differs"), Vec::<String>::new(), "{report}");
    fleet.file(2);
    let report = fleet.exits(0, &["--yes", "--retry", "quarantined"]);
    assert_eq!(report["state"], "Done");
    fleet.case.target.run("DELETE FROM tx WHERE amount = 7; DELETE FROM acc WHERE name = 'new'");
    fleet.holds(0..3);
}

#[test]
fn rows_that_others_write_before_the_first_end_are_a_difference() {
    let fleet = Fleet::of(3);
    fleet.exits(4, &["--yes", "--max-files", "1"]);
    fleet.case.target.run("INSERT INTO acc (id, user_id, name) SELECT -1, id, 'foreign' FROM users");
    assert_eq!(checks(&fleet.exits(5, &["--yes"]), "Differs"), ["rows public.acc", "content public.acc"]);
}

#[test]
fn an_owner_that_another_one_replaces_is_missing() {
    let fleet = Fleet::of(2);
    fleet.exits(0, &["--yes"]);
    fleet.case.target.run(
        "INSERT INTO users (username) VALUES ('new'); DELETE FROM tx; DELETE FROM acc WHERE name LIKE '% of 0'; \
         DELETE FROM users WHERE username = 'u00'",
    );
    let report = fleet.about(5, &["verify"]);
    assert!(checks(&report, "Differs").contains(&"owners public.users".to_owned()), "{report}");
}

#[test]
fn a_row_that_the_application_changes_during_a_rollback_stays() {
    let fleet = Fleet::of(2);
    fleet.exits(0, &["--yes"]);
    let mut application = fleet.case.target.client();
    let change = "BEGIN; UPDATE tx SET amount = 99 WHERE id = (SELECT min(t.id) FROM tx t JOIN users u ON u.id = user_id WHERE username = 'u00')";
    application.batch_execute(change).expect("a change");
    let rollback = fleet.case.command(&["fleet", "rollback", "--only", "u00", "--yes", "--json"]).spawn();
    fleet.until_blocked();
    application.batch_execute("COMMIT").expect("a commit");
    let ended = Ran::of_child(rollback);
    assert_eq!(ended.code, 3, "{}", ended.said());
    assert!(ended.json()["refusals"].to_string().contains("not those that were sent"), "{}", ended.said());
    assert_eq!(fleet.case.target.value("SELECT count(*) FROM tx WHERE amount = 99"), "1");
    fleet.case.target.run("UPDATE tx SET amount = 1.00 WHERE amount = 99");
    fleet.holds(0..2);
}

#[test]
fn a_trigger_on_the_owners_table_keeps_a_file() {
    let fleet = Fleet::of(2);
    fleet.exits(0, &["--yes"]);
    fleet.case.target.run(
        "CREATE FUNCTION clear() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM users; RETURN OLD; END';
         CREATE TRIGGER clear AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION clear()",
    );
    let report = fleet.about(3, &["rollback", "--only", "u00", "--yes"]);
    assert!(report["refusals"].to_string().contains("users: clear would run"), "{report}");
    fleet.holds(0..2);
}

#[test]
fn keys_that_are_too_many_to_keep_need_a_foreign_key_or_are_refused() {
    let target = TARGET.replace("acc_id int NOT NULL REFERENCES acc ON DELETE CASCADE", "acc_id int NOT NULL");
    let fleet = Fleet::with(Database::with(&target), 0);
    let refers = "[load.tx.columns]\nacc_id = { refers = \"acc\" }\n";
    fleet.case.place.write("fleet.toml", format!("{MAPPING}{refers}"));
    // Far apart, each key takes eight bytes, and there are twenty million for them. The account 63 is none of the file.
    let sql = format!(
        "PRAGMA foreign_keys = OFF; {SCHEMA} INSERT INTO acc WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2700000) \
         SELECT i * 64, i FROM n; INSERT INTO tx VALUES (1, 64, 5), (2, 63, 6)"
    );
    sqlite::file(&fleet.case.place, "u00.db", &sql);
    let reason = |report: serde_json::Value| report["fleet"]["unfinished"][0]["reason"].to_string();
    let found = reason(fleet.exits(6, &["--dry-run"]));
    assert!(found.contains("acc: the file has too many keys in (id)"), "{found}");
    fleet.case.target.run("ALTER TABLE tx ADD FOREIGN KEY (acc_id) REFERENCES acc");
    let found = reason(fleet.exits(6, &["--dry-run"]));
    assert!(found.contains("row 2: ") && found.contains("refers to a row that does not exist"), "{found}");
}
