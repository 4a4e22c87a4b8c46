//! The README's first command: the whole cutover on a PostgreSQL that nobody had to install, gone afterwards.

use super::support::expect::Expected;
use super::support::repo;
use super::support::tool::Place;

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
fn five_applications_in_one_command_end_verified_as_their_fixtures_state() {
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
        let expected = Expected::of(system, "counts");
        expected.holds_in_report(report);
        expected.holds_in_sequences_and_lookups(report);
    }
}

#[test]
fn a_rehearsal_takes_no_target() {
    let place = Place::new();
    let args = ["rehearse", "-t", "postgresql://somewhere/real", "-m"];
    place.migrate(args).arg(repo("mappings/personal_finance.toml")).exits(2).says(&["-t"]);
}
