//! Tables that all owners share: each file refers to the rows that the target has, and adds none.

use super::{Fleet, MAPPING, TARGET};
use crate::support::postgres::Database;
use crate::support::sqlite;

/// Accounts in currencies whose ids are others in each file.
fn fleet(existing: &str, currencies: &[&str]) -> Fleet {
    let target = Database::with(&format!(
        "{TARGET} CREATE TABLE currencies (id serial PRIMARY KEY, code text NOT NULL UNIQUE, name text);
         INSERT INTO currencies (code, name) VALUES ('EUR', 'Euro'), ('USD', 'Dollar'), ('CHF', 'Franc');
         ALTER TABLE acc ADD currency_id int REFERENCES currencies"
    ));
    let fleet = Fleet::with(target, 0);
    fleet.case.place.write("fleet.toml", format!("{MAPPING}[load.currencies]\nexisting = {existing}\n"));
    for (n, currencies) in currencies.iter().enumerate() {
        let sql = format!(
            "CREATE TABLE currencies (id INTEGER PRIMARY KEY, code TEXT NOT NULL, name TEXT);
             CREATE TABLE acc (id INTEGER PRIMARY KEY, name TEXT NOT NULL, currency_id INTEGER REFERENCES currencies);
             CREATE TABLE tx (id INTEGER PRIMARY KEY, acc_id INTEGER NOT NULL REFERENCES acc, amount REAL NOT NULL);
             INSERT INTO currencies VALUES {currencies};
             INSERT INTO acc SELECT id + 10, code, id FROM currencies; INSERT INTO tx VALUES (1, 17, 1.5);"
        );
        sqlite::file(&fleet.case.place, &format!("u{n:02}.db"), &sql);
    }
    fleet
}

impl Fleet {
    /// The accounts, each with its currency.
    fn currencies(&self) -> Vec<String> {
        self.case.rows("SELECT username, a.name, c.code FROM acc a JOIN users u ON u.id = user_id LEFT JOIN currencies c ON c.id = currency_id ORDER BY 1, 2")
    }
}

#[test]
fn references_of_all_files_end_at_the_rows_that_the_target_has() {
    let fleet = fleet(
        "{ match = [\"code\"], differ = \"target\" }",
        &["(7, 'USD', 'Dollar'), (8, 'EUR', 'Euro')", "(7, 'EUR', 'euro'), (2, 'USD', 'Dollar')"],
    );
    for way in ["--dry-run", "--yes"] {
        let report = fleet.exits(0, &[way]);
        let losses = report["losses"].as_array().expect("losses");
        assert_eq!(losses.len(), 1, "{way}: {}", report["losses"]);
        assert_eq!((&losses[0]["column"], &losses[0]["count"]), (&"name".into(), &1.into()));
        assert_eq!(losses[0]["keys"], serde_json::json!(["u01.db 7"]));
    }
    assert_eq!(fleet.currencies(), ["u00 EUR EUR", "u00 USD USD", "u01 EUR EUR", "u01 USD USD"]);
    let kept = fleet.case.rows("SELECT id, code, name FROM currencies ORDER BY id");
    assert_eq!(kept, ["1 EUR Euro", "2 USD Dollar", "3 CHF Franc"]);
    fleet.about(0, &["verify"]);
    fleet.about(0, &["rollback", "--only", "u01", "--yes"]);
    assert_eq!(fleet.currencies(), ["u00 EUR EUR", "u00 USD USD"]);
}

#[test]
fn a_row_that_several_files_have_otherwise_counts_once() {
    let euro = "(7, 'EUR', 'euro'), (8, 'USD', 'Dollar')";
    let fleet = fleet(
        "{ match = [\"code\"], differ = \"target\" }",
        &[euro, "(3, 'EUR', 'Teuro'), (7, 'CHF', 'franc')", euro, "(7, 'USD', 'Dollar')"],
    );
    let check = |report: &serde_json::Value| {
        let losses = report["losses"].as_array().expect("losses");
        assert_eq!(losses.len(), 1, "{losses:?}");
        let found = (&losses[0]["column"], &losses[0]["count"], &losses[0]["keys"]);
        assert_eq!(found, (&"name".into(), &2.into(), &serde_json::json!(["u00.db 7", "u01.db 3"])));
    };
    check(&fleet.exits(0, &["--dry-run"]));
    check(&fleet.exits(0, &["--yes"]));
    check(&fleet.about(0, &["verify"]));
    fleet.about(0, &["rollback", "--only", "u01", "--yes"]);
    let status = fleet.about(0, &["status"]);
    assert_eq!((&status["losses"][0]["count"], &status["losses"][0]["keys"][0]), (&1.into(), &"u00.db 7".into()));
}

#[test]
fn a_row_that_the_target_has_not_or_has_otherwise_quarantines_its_file() {
    let fleet = fleet("\"match\"", &["(7, 'USD', 'Dollar')", "(7, 'XYZ', 'none')", "(7, 'EUR', 'euro')"]);
    for way in ["--dry-run", "--yes"] {
        let report = fleet.exits(6, &[way]);
        let reasons: Vec<String> = report["fleet"]["unfinished"]
            .as_array()
            .expect("files")
            .iter()
            .map(|file| file["reason"].to_string())
            .collect();
        assert!(reasons[0].contains("1 of 1 rows are missing in `currencies`"), "{way}: {reasons:?}");
        assert!(reasons[1].contains("in name"), "{way}: {reasons:?}");
    }
    assert_eq!(fleet.currencies(), ["u00 USD USD"]);
    assert_eq!(fleet.case.target.count("currencies"), 3);
    fleet.case.target.run("INSERT INTO currencies (code, name) VALUES ('XYZ', 'none')");
    fleet.exits(6, &["--yes", "--retry", "quarantined"]);
    assert_eq!(fleet.currencies(), ["u00 USD USD", "u01 XYZ XYZ"]);
}

#[test]
fn matches_that_would_let_one_file_decide_for_all_are_refused() {
    let fleet = fleet("{ match = [\"code\"], differ = \"source\" }", &["(7, 'USD', 'Dollar')"]);
    let refused = |says: &str| {
        let ran = fleet.case.command(&["fleet", "--yes", "--sources", "%{username}.db"]).exits(3);
        assert!(ran.said().contains(says), "{}", ran.said());
    };
    refused("would write over rows that all owners share");
    fleet.case.target.run("DELETE FROM currencies");
    refused("the target has none");
}
