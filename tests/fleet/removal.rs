//! `migrate fleet rollback` and `migrate fleet verify`: without the files, and exactly.

use super::Fleet;

#[test]
fn one_owner_is_removed_and_the_rest_is_byte_for_byte_as_before() {
    let fleet = Fleet::of(8);
    fleet.exits(0, &["--yes"]);
    let all = "SELECT t::text FROM tx t WHERE user_id <> (SELECT id FROM users WHERE username = 'u03') \
               UNION ALL SELECT a::text FROM acc a WHERE name NOT LIKE '% of 3' \
               UNION ALL SELECT u::text FROM users u WHERE username <> 'u03' ORDER BY 1";
    let before = fleet.case.rows(all);
    (0..8).for_each(|n| std::fs::remove_file(fleet.case.place.path(&format!("u{n:02}.db"))).expect("a file"));
    let report = fleet.about(0, &["rollback", "--only", "u03", "--yes"]);
    assert_eq!(report["fleet"]["done"], 7);
    assert_eq!(fleet.case.target.value("SELECT count(*) FROM users WHERE username = 'u03'"), "0");
    let all = all.replace("(SELECT id FROM users WHERE username = 'u03')", "0");
    assert_eq!(fleet.case.rows(&all), before);
    fleet.about(0, &["verify"]);
    (0..8).for_each(|n| drop(fleet.file(n)));
    fleet.exits(0, &["--yes", "--retry", "removed"]);
    fleet.holds(0..8);
}

#[test]
fn all_owners_are_removed_and_a_new_fleet_may_begin() {
    let fleet = Fleet::of(5);
    fleet.case.target.run("INSERT INTO users (username) VALUES ('u01')");
    fleet.exits(0, &["--yes"]);
    let report = fleet.about(0, &["rollback", "--yes"]);
    assert_eq!(report["state"], "RolledBack");
    assert_eq!(fleet.case.rows("SELECT username FROM users"), ["u01"], "the owner that was there stays");
    assert_eq!((fleet.case.target.count("acc"), fleet.case.target.count("tx")), (0, 0));
    fleet.exits(0, &["--yes"]);
    fleet.holds(0..5);
}

#[test]
fn a_changed_row_is_found_and_keeps_its_file() {
    let fleet = Fleet::of(4);
    fleet.exits(0, &["--yes"]);
    fleet.case.target.run("UPDATE tx SET amount = 99 WHERE id = (SELECT min(id) FROM tx)");
    let report = fleet.about(5, &["verify"]);
    assert!(report["checks"].to_string().contains("public.tx"), "{report}");
    let report = fleet.about(5, &["verify", "--only", "u00", "--only", "u02"]);
    let verdicts: Vec<_> = report["checks"].as_array().expect("checks").iter().map(|check| &check["verdict"]).collect();
    assert_eq!(verdicts, ["Same", "Differs", "Same", "Same"], "{report}");
    fleet.about(0, &["verify", "--only", "username=u01"]);
    fleet.case.command(&["fleet", "verify", "--only", "u01"]).exits(0).says(&["Verified"]);
    fleet.about(3, &["verify", "--only", "u09"]);
    std::fs::write(fleet.case.place.path("u09.db"), "no database").expect("a file");
    fleet.exits(5, &["--yes"]);
    fleet.case.target.run("UPDATE tx SET amount = 1 WHERE amount = 99");
    // A file that is quarantined is repaired before the application is switched over.
    fleet.case.command(&["fleet", "verify"]).exits(6).says(&["--retry quarantined"]);
    fleet.case.target.run("UPDATE tx SET amount = 99 WHERE id = (SELECT min(id) FROM tx)");
    let before = fleet.rows();
    let report = fleet.about(3, &["rollback", "--only", "username=u00", "--yes"]);
    assert!(report["refusals"].to_string().contains("not those that were sent"), "{report}");
    assert_eq!(fleet.rows(), before);
    fleet.about(0, &["rollback", "--only", "u01", "--yes"]);
}

#[test]
fn rows_of_others_that_would_go_with_an_owner_keep_its_file() {
    let fleet = Fleet::of(3);
    fleet.exits(0, &["--yes"]);
    // The application's own payment would be deleted with the account, and its note with the owner.
    for (rows, why) in [
        (
            "INSERT INTO tx (user_id, acc_id, amount) SELECT user_id, id, 5 FROM acc WHERE name = 'a of 1'",
            "refer to its rows",
        ),
        (
            "CREATE TABLE note (user_id bigint REFERENCES users ON DELETE CASCADE); INSERT INTO note SELECT id FROM users",
            "refer to the owner",
        ),
    ] {
        fleet.case.target.run(rows);
        let before = fleet.rows();
        let report = fleet.about(3, &["rollback", "--only", "u01", "--yes"]);
        assert!(report["refusals"].to_string().contains(why), "{report}");
        assert_eq!(fleet.rows(), before);
        fleet.case.target.run("DELETE FROM tx WHERE amount = 5");
    }
}

#[test]
fn an_owner_that_is_not_loaded_is_refused_by_name() {
    let fleet = Fleet::of(2);
    fleet.exits(0, &["--yes"]);
    fleet.case.command(&["fleet", "rollback", "--only", "u77", "--yes"]).exits(3).says(&["--only u77"]);
    fleet.case.command(&["fleet", "rollback", "--only", "u00"]).exits(3).says(&["--yes was not given"]);
    fleet.holds(0..2);
}
