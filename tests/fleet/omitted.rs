//! Everything of the files that does not arrive as they have it is counted and listed.

use super::{Fleet, MAPPING, TARGET};
use crate::support::postgres::Database;
use crate::support::sqlite;

/// Accounts with a limit that is rounded, JSON, a currency of a shared table, and a table that stays in the file.
fn fleet(limit: &str, extra: &str, currency: &str) -> Fleet {
    let target = Database::with(&format!(
        "{TARGET} CREATE TABLE currency (id serial PRIMARY KEY, code text UNIQUE); INSERT INTO currency (code) VALUES ('EUR'), ('USD');
         ALTER TABLE acc ADD credit numeric(6,1), ADD extra jsonb, ADD currency_id int REFERENCES currency"
    ));
    let fleet = Fleet::with(target, 0);
    let lines = "[load.acc.columns]\ncredit = { round = true }\n\
        currency_id = { lookup = { table = \"currency\", take = \"id\", missing = \"null\", steps = [{ target = \"code\", source = \"currency\" }] } }\n\
        [leave]\ncache = \"is made anew\"\n";
    fleet.case.place.write("fleet.toml", format!("{MAPPING}{lines}"));
    let schema =
        "CREATE TABLE acc (id INTEGER PRIMARY KEY, name TEXT NOT NULL, credit REAL, extra TEXT, currency TEXT);
        CREATE TABLE tx (id INTEGER PRIMARY KEY, acc_id INTEGER NOT NULL REFERENCES acc, amount REAL NOT NULL);
        CREATE TABLE cache (k)";
    for n in 0..3 {
        let rows = format!(
            "INSERT INTO acc VALUES (1, 'a of {n}', {limit}, '{extra}', 'EUR'), (2, 'b of {n}', 2.5, NULL, '{currency}');
             INSERT INTO tx VALUES (1, 2, {n}); INSERT INTO cache VALUES (1), (2);"
        );
        sqlite::file(&fleet.case.place, &format!("u{n:02}.db"), &format!("{schema};{rows}"));
    }
    fleet
}

#[test]
fn losses_lookups_and_rows_that_stay_are_summed_over_the_files() {
    let fleet = fleet("10.25", "{\"a\": 1}", "XYZ");
    let check = |report: &serde_json::Value| {
        let losses = report["losses"].as_array().expect("losses");
        assert_eq!(losses.len(), 1, "{}", report["losses"]);
        assert_eq!(
            (&losses[0]["column"], &losses[0]["modifier"], &losses[0]["count"]),
            (&"credit".into(), &"round".into(), &3.into())
        );
        assert_eq!(losses[0]["keys"], serde_json::json!(["u00.db 1", "u01.db 1", "u02.db 1"]));
        assert_eq!(
            (&report["left"][0]["table"], &report["left"][0]["rows"]),
            (&"cache".into(), &6.into()),
            "{}",
            report["left"]
        );
    };
    for way in ["--dry-run", "--yes"] {
        let report = fleet.exits(0, &[way]);
        check(&report);
        assert_eq!(report["left"][0]["reason"], "is made anew");
        assert_eq!(
            (&report["lookups"][0]["missing"], &report["lookups"][0]["steps"][0]["hits"]),
            (&3.into(), &3.into()),
            "{way}: {}",
            report["lookups"]
        );
    }
    check(&fleet.about(0, &["status"]));
    check(&fleet.about(0, &["verify"]));
}

#[test]
fn a_loss_that_no_line_of_the_mapping_allows_is_no_success() {
    let fleet = fleet("2.5", "{\"a\": 1, \"a\": 2}", "USD");
    for way in ["--dry-run", "--yes"] {
        let report = fleet.exits(6, &[way]);
        assert_eq!(
            (&report["losses"][0]["column"], &report["losses"][0]["count"]),
            (&"extra".into(), &3.into()),
            "{way}: {report}"
        );
        assert_eq!(report["fleet"]["done"], 3);
    }
    fleet.about(6, &["verify"]);
    fleet.exits(6, &["--yes"]);
}

#[test]
fn a_ledger_without_the_column_of_losses_is_read_and_brought_up_to_date() {
    let fleet = fleet("10.25", "{}", "USD");
    fleet.exits(4, &["--yes", "--max-files", "1"]);
    fleet.case.target.has_ledger_of(5);
    let report = fleet.about(0, &["status"]);
    assert_eq!((&report["fleet"]["done"], &report["losses"]), (&1.into(), &serde_json::json!([])));
    let report = fleet.exits(0, &["--yes"]);
    assert_eq!(report["losses"][0]["count"], 2, "the first file was loaded by a build that did not count them");
}

#[test]
fn a_lookup_in_a_table_that_the_files_fill_is_refused() {
    let fleet = Fleet::of(2);
    let lookup = "[load.tx.columns]\nacc_id = { lookup = { table = \"acc\", take = \"id\", steps = [{ target = \"id\", source = \"acc_id\" }] } }\n";
    fleet.case.place.write("fleet.toml", format!("{MAPPING}{lookup}"));
    let ran = fleet.case.command(&["fleet", "--yes", "--sources", "%{username}.db"]).exits(3);
    assert!(ran.said().contains("which the files fill"), "{}", ran.said());
}
