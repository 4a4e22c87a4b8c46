//! Refusals of a fleet before it writes anything.

use super::{Fleet, MAPPING};
use crate::support::case::Case;
use crate::support::postgres::Database;

#[test]
fn a_mapping_of_a_fleet_names_both_ways_to_load_a_single_file() {
    let fleet = Fleet::of(2);
    fleet.case.command(&["--dry-run", "-s", "u00.db"]).exits(3).says(&[
        "owner.match.username",
        "comes with each file of a fleet",
        "--owner username=VALUE",
    ]);
    fleet.case.command(&["--yes", "-s", "u00.db", "--owner", "username=u00"]).exits(0);
    fleet.holds(0..1);
}

#[test]
fn two_files_of_one_owner_and_a_file_without_one_are_refused() {
    let fleet = Fleet::of(2);
    for (list, says) in [
        ("path,username\nu00.db,ann\nu01.db,ann\n", ["u01.db", "has the same owner as u00.db"]),
        ("path,username\nu00.db,ann\nu01.db,\n", ["u01.db", "username"]),
    ] {
        fleet.case.place.write("list.csv", list);
        fleet.case.command(&["fleet", "--yes", "--sources", "list.csv"]).exits(3).says(&says);
    }
    assert_eq!(fleet.case.target.count("users"), 0);
}

#[test]
fn whatever_needs_more_than_one_file_is_refused() {
    let fleet = Fleet::of(2);
    for (from, to, says) in [
        ("match = { username = { member = true } }", "match = { username = \"ann\" }", "is the same for every file"),
        ("[load.tx]", "[load.tx]\nconflict = { skip = [\"id\"] }", "skips rows that the target holds already"),
        ("[load.tx]", "[load.tx.columns.acc_id]\nif_orphan = { drop = true }\n[load.tx]", "needs the keys of all rows"),
    ] {
        fleet.case.place.write("fleet.toml", MAPPING.replace(from, to));
        let ran = fleet.case.command(&["fleet", "--yes", "--sources", "%{username}.db"]).exits(3);
        assert!(ran.said().contains(says), "{to}: {}", ran.said());
    }
    assert_eq!(fleet.case.target.count("users"), 0);
}

#[test]
fn shifted_keys_that_refer_to_each_other_are_refused() {
    let fleet = Fleet::of(2);
    fleet.case.target.run("ALTER TABLE tx ADD FOREIGN KEY (id) REFERENCES acc (id)");
    let ran = fleet.case.command(&["fleet", "--yes", "--sources", "%{username}.db"]).exits(3);
    assert!(ran.said().contains("the keys of acc, tx refer to each other"), "{}", ran.said());
}

#[test]
fn a_run_of_another_mapping_is_named() {
    let fleet = Fleet::of(3);
    fleet.exits(4, &["--yes", "--max-files", "1"]);
    fleet.case.place.write("fleet.toml", format!("{MAPPING}# a comment\n"));
    let report = fleet.exits(3, &["--yes"]);
    assert!(report["refusals"].to_string().contains("began with another text of the mapping"), "{report}");
    fleet.holds(0..1);
}

#[test]
fn a_target_without_a_fleet_has_nothing_to_tell() {
    let case = Case::with(Database::with(super::TARGET), &["-m", "fleet.toml"]);
    case.place.write("fleet.toml", MAPPING);
    for command in ["status", "verify"] {
        case.command(&["fleet", command]).exits(3).says(&["the ledger contains no fleet of this mapping"]);
    }
    case.command(&["fleet", "--sources", "x"]).exits(3).says(&["neither --dry-run nor --yes"]);
    case.command(&["fleet", "--yes"]).exits(2).says(&["--sources", "none were named"]);
}
