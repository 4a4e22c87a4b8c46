//! The README's first command: the whole cutover on a temporary PostgreSQL that needs no installation.

use crate::support::expect::Expected;
use crate::support::postgres::Database;
use crate::support::tool::Place;
use crate::support::{repo, sqlite};

#[test]
fn a_rehearsal_of_personal_finance_ends_verified() {
    let place = Place::new();
    let ran = place.migrate(["rehearse", "--json", "-v", "-m"]).arg(repo("mappings/personal_finance.toml")).exits(0);
    // Which server it was is said: the one inside the process, or, without it, a private one of this machine.
    let server = if cfg!(feature = "embedded") { "the PostgreSQL inside the process" } else { "a private server" };
    ran.says(&[server]);
    let report = ran.json();
    assert_eq!(report["exit"]["name"], "Done");
    let expected = Expected::of("personal_finance", "counts");
    expected.holds_in_report(&report);
    expected.holds_in_loads(&report);
    for check in report["checks"].as_array().expect("checks") {
        assert_eq!(check["verdict"], "Same", "{check}");
    }
    // The server inside the process keeps its compiled form in the home's cache folder, once for all rehearsals.
    let made: Vec<String> = place.files().into_iter().filter(|name| name != ".cache").collect();
    assert!(made.is_empty(), "{made:?}");
}

#[test]
fn five_applications_in_one_command_end_verified_as_their_fixtures_expect() {
    let systems = ["personal_finance", "aunoo", "grant_finder", "personal_ai_agent", "data_uploader"];
    let place = Place::new();
    let mut run = place.migrate(["rehearse", "--json"]);
    for system in systems {
        run = run.arg("-m").arg(repo(&format!("mappings/{system}.toml")));
    }
    let reports = run.exits(0).json();
    let reports = reports.as_array().expect("a report for each mapping");
    assert_eq!(reports.len(), systems.len());
    for (system, report) in systems.iter().zip(reports) {
        assert_eq!((&report["mapping"], &report["exit"]["name"]), (&(*system).into(), &"Done".into()));
        let differs = |check: &&serde_json::Value| check["verdict"] != "Same";
        assert_eq!(report["checks"].as_array().expect("checks").iter().find(differs), None, "{system}");
        Expected::of(system, "counts").holds_in_report(report);
    }
}

#[test]
fn a_rehearsal_accepts_no_target() {
    let place = Place::new();
    let args = ["rehearse", "-t", "postgresql://somewhere/real", "-m"];
    place.migrate(args).arg(repo("mappings/personal_finance.toml")).exits(2).says(&["-t"]);
}

#[test]
fn a_rehearsal_finds_what_a_dry_run_could_not_check() {
    let place = Place::new();
    sqlite::file(
        &place,
        "source.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, n INTEGER); INSERT INTO t VALUES (1, 'a', 1), (2, 'A', 2), (3, 'c', -3), (4, 'd', 1)",
    );
    let target = "CREATE DOMAIN up AS int CHECK (VALUE > 0);
        CREATE TABLE t (id int PRIMARY KEY, a text, n up);
        CREATE FUNCTION apart() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.a = 'd' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$;
        CREATE TRIGGER apart AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION apart();
        CREATE UNIQUE INDEX folded ON t (lower(a))";
    place.write("target.sql", target);
    let head = "format = 1\nname = \"x\"\n[source]\npath = \"source.db\"\n[target]\nddl = [\"target.sql\"]\n[load.t]\ntriggers = \"fire\"\n";
    place.write("migrate.toml", head);
    let there = Database::with(target);
    let dry = place.migrate(["--dry-run", "--json", "-t", &there.url()]).exits(3).json();
    let said = dry["checks"].to_string();
    assert!(said.contains("apart: ") && !said.contains("folded: ") && !said.contains("up: "), "{said}");
    assert_eq!(rows(&dry), [(2, "duplicate"), (3, "check-failed")]);
    let report = place.migrate(["rehearse", "--json", "--on-fault", "quarantine"]).exits(6).json();
    assert_eq!(rows(&report), [(2, "duplicate"), (3, "check-failed"), (4, "trigger-refused")]);
}

/// (rowid, reason) of each fault of a report, in order.
fn rows(report: &serde_json::Value) -> Vec<(i64, &str)> {
    let faults = report["faults"].as_array().expect("faults").iter();
    let row = |f: &'_ serde_json::Value| f["rowid"].as_i64().expect("a rowid");
    let mut found: Vec<(i64, &str)> = faults.map(|f| (row(f), f["reason"].as_str().expect("a reason"))).collect();
    found.sort_unstable();
    found
}
