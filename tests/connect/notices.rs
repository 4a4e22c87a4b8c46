//! Notices about a connection, such as missing proof or waiting, appear on stderr once in a run of any command.

use super::proxy::Proxy;
use super::server::{Server, Wish, free_port};
use crate::support::tool::Place;
use crate::support::{repo, sqlite};

/// A run of personal_finance's mapping against this target; the note is counted on stderr.
fn times(place: &Place, args: &[&str], target: &str, note: &str) -> usize {
    let ran = place
        .migrate(args)
        .args(["-s", "source.db", "-t", target, "-m"])
        .arg(repo("mappings/personal_finance.toml"))
        .ran();
    ran.stderr.matches(note).count()
}

#[test]
fn a_password_on_the_command_line_is_reported_once_by_every_command() {
    let server = Server::start(&Wish::default());
    let place = Place::new();
    sqlite::of(&place, "source.db", "fixtures/personal_finance/source.sql");
    let with = format!("host={} port={} user=postgres dbname=postgres password=x", server.socket(), server.port);
    let without = with.replace(" password=x", "");
    for args in [&["--dry-run"][..], &["--yes"], &["verify"], &["plan"], &["status"], &["rollback", "--yes"]] {
        assert_eq!(times(&place, args, &with, "ps and the shell's history"), 1, "{args:?}");
        assert_eq!(times(&place, args, &without, "ps and the shell's history"), 0, "{args:?}");
    }
    // In the environment it is not visible to other users.
    let ran = place.migrate(["--dry-run", "-s", "source.db", "-m"]).arg(repo("mappings/personal_finance.toml"));
    let ran = ran.env("DATABASE_URL", &with).ran();
    assert!(!ran.said().contains("history"), "{}", ran.said());
}

#[test]
fn an_unproved_connection_is_reported_once_for_any_number_of_lanes() {
    let server = Server::start(&Wish::default());
    server.sql(&crate::support::read_repo("fixtures/personal_finance/target.sql"));
    let place = Place::new();
    let open = place.write("open.pgpass", "*:*:*:*:x\n");
    std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("mode");
    let target = format!("host={} port={} user=postgres dbname=postgres", server.socket(), server.port);
    let run = place.migrate(["--yes", "--json", "--jobs", "4", "-t", &target, "-m"]);
    let ran = run.arg(repo("mappings/personal_finance.toml")).env("PGPASSFILE", &open).exits(0);
    assert_eq!(ran.stderr.matches("is accessible to other users").count(), 1, "{}", ran.stderr);
    let report = ran.json();
    let warnings = report["warnings"].as_array().expect("warnings");
    let noted = warnings.iter().filter(|w| w["place"] == "target").count();
    assert_eq!(noted, 1, "{warnings:?}");
}

#[test]
fn a_waking_server_is_waited_for_before_progress_and_report() {
    let server = Server::start(&Wish::default());
    server.sql(&crate::support::read_repo("fixtures/personal_finance/target.sql"));
    let asleep = Proxy::asleep(server.port, 2);
    let place = Place::new();
    let target = format!("host=127.0.0.1 port={} user=postgres dbname=postgres sslmode=disable", asleep.port);
    let ran = place
        .migrate(["--dry-run", "--json", "-t", &target, "-m"])
        .arg(repo("mappings/personal_finance.toml"))
        .exits(0);
    let report = ran.json();
    let why: Vec<&str> =
        report["retries"].as_array().expect("retries").iter().filter_map(|r| r["why"].as_str()).collect();
    assert_eq!(why, ["waking", "waking"]);
    assert_eq!(ran.stderr.matches("waking").count(), 2, "{}", ran.stderr);
    // No server at all: refused at once.
    let dead = format!("host=127.0.0.1 port={} user=postgres", free_port());
    let ran =
        place.migrate(["--dry-run", "--json", "-t", &dead, "-m"]).arg(repo("mappings/personal_finance.toml")).exits(3);
    ran.says(&["no server listens there"]);
}
