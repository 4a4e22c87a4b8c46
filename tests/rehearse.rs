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
fn a_rehearsal_takes_no_target() {
    let place = Place::new();
    let args = ["rehearse", "-t", "postgresql://somewhere/real", "-m"];
    place.migrate(args).arg(repo("mappings/personal_finance.toml")).exits(2).says(&["-t"]);
}
