//! The commands that read: the round trips of each, whatever the number of tables, counted at a relay; and those of every command
//! over TLS.

use super::certs::Certificates;
use super::server::{Server, Wish};
use crate::support::case::Case;
use crate::support::postgres::Database;
use crate::support::relay::{COUNTING, Relay};
use crate::support::repo;

/// Tables with a serial key and an owner, every second with a parent. `check`: a constraint of each.
fn tables(count: usize, check: &str) -> Case {
    let [source, target, mapping] = texts(count, check);
    Case::new(&source, &target, &mapping)
}

/// The texts of the source, the target and the mapping.
fn texts(count: usize, check: &str) -> [String; 3] {
    let (mut source, mut target, mut mapping) = (String::new(), String::new(), String::new());
    target += "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL UNIQUE);\n";
    mapping += "[owner]\ntable = \"users\"\nmatch = { name = \"ann\" }\ncreate = {}\n";
    for n in 0..count {
        let (column, foreign) = match n % 2 {
            0 => ("", String::new()),
            _ => (", parent INTEGER", format!(", parent int REFERENCES t{:02}", n - 1)),
        };
        source += &format!("CREATE TABLE t{n:02} (id INTEGER PRIMARY KEY, body TEXT{column});\n");
        let value = if n % 2 == 0 { "" } else { ", 1" };
        source += &format!("INSERT INTO t{n:02} VALUES (1, 'a'{value}), (2, 'b'{value});\n");
        target += &format!(
            "CREATE TABLE t{n:02} (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users, body text {check}{foreign});\n"
        );
        mapping += &format!("[load.t{n:02}]\nowner = \"user_id\"\n");
    }
    [source, target, mapping]
}

/// The round trips of one command, and the number of logins.
struct Counted {
    trips: u64,
    logins: u64,
    said: String,
}

fn counted(case: &Case, args: &[&str], exit: i32) -> Counted {
    let relay = Relay::with(COUNTING);
    let url = relay.url(case.target.name());
    let run = case.place.migrate(args).args(&case.arguments).args(["-t", &url]);
    run.env("ADMIN_PASSWORD_HASH", HASH).exits(exit);
    let counted = Counted { trips: relay.trips(), logins: relay.logins(), said: relay.said() };
    println!("{}: {} round trips, {} logins", args.join(" "), counted.trips, counted.logins);
    counted
}

/// The command makes at most so many round trips, and two logins: its own, and that of the search for a pooler.
#[track_caller]
fn at_most(bound: u64, case: &Case, args: &[&str]) {
    let Counted { trips, logins, said } = counted(case, args, 0);
    assert!(trips <= bound, "{} for {}; at most {bound}:\n{said}", trips, args.join(" "));
    assert!(logins <= 2, "{logins} logins of {}", args.join(" "));
}

#[test]
fn a_command_that_reads_costs_a_fixed_number_of_round_trips() {
    for loads in [11, 42] {
        let case = tables(loads, "");
        at_most(12, &case, &["--dry-run", "--jobs", "1"]);
        at_most(6, &case, &["plan"]);
        case.done();
        at_most(6, &case, &["status"]);
        // Small tables are read together.
        at_most(12, &case, &["verify"]);
        at_most(13, &case, &["--yes", "--jobs", "1"]);
    }
}

#[test]
fn a_dry_run_asks_the_server_about_all_checks_of_a_batch_at_once() {
    let checks = "CHECK (body <> '') CHECK (length(body) < 9) CHECK (body <> 'c')";
    at_most(12 + 11, &tables(11, checks), &["--dry-run", "--jobs", "1"]);
}

#[test]
fn a_cutover_of_one_small_load_costs_at_most_26_round_trips_and_its_rollback_21() {
    // 24 for everything that does not depend on the loads, and 2 for the load. The run makes its owner.
    let case = tables(1, "");
    at_most(24 + 2, &case, &["--yes", "--jobs", "1"]);
    at_most(19 + 2, &case, &["rollback", "--yes"]);
}

#[test]
fn the_mappings_of_the_applications_cost_as_few_round_trips() {
    // Two for each load, one more for ids that the target issues, nine more for rows that may be skipped, one for all triggers
    // that are reattached, and a fixed number.
    for (system, before, lookups, [cutover, rollback]) in [
        ("personal_finance", &[][..], 0, [59, 42]),
        ("aunoo", &[], 0, [110, 78]),
        ("grant_finder", &["before.sql"], 1, [45, 37]),
        ("personal_ai_agent", &[], 0, [38, 27]),
        ("data_uploader", &[], 1, [55, 41]),
    ] {
        let scripts = std::iter::once(&"target.sql").chain(before);
        let scripts: Vec<String> = scripts.map(|script| format!("fixtures/{system}/{script}")).collect();
        let target = Database::of(&scripts.iter().map(String::as_str).collect::<Vec<_>>());
        let mapping = repo(&format!("mappings/{system}.toml"));
        let case = Case::with(target, &["-m", mapping.to_str().expect("a path")]);
        let loads = report(&case).len() as u64;
        // Tables with CHECK constraints: their rows are judged by the server.
        at_most(12 + loads + lookups, &case, &["--dry-run", "--jobs", "1"]);
        at_most(8, &case, &["plan"]);
        at_most(cutover, &case, &["--yes", "--jobs", "1"]);
        at_most(6, &case, &["status"]);
        // The ids that the target issued to a load, a table with columns that were not sent, and the owner's row that the run
        // made each cost one more.
        at_most(16 + loads + 2 * lookups, &case, &["verify"]);
        at_most(18 + loads + 2 * lookups, &case, &["--yes", "--jobs", "1"]);
        at_most(rollback, &case, &["rollback", "--yes"]);
    }
}

/// The round trips of a connection until it takes statements: those of TLS, the startup, and those of SCRAM. And its end, which
/// looks like a statement in an encrypted connection.
const LOGIN: u64 = 2 + 1 + 2 + 1;

/// An answer may arrive before the last of several statements is sent.
const SLACK: u64 = 1;

#[test]
fn tls_and_scram_cost_four_round_trips_for_each_login_and_none_later() {
    let (certificate, key) = Certificates::get().pair("right");
    let server = Server::start(&Wish {
        tls: Some((certificate.as_path(), key.as_path())),
        hba: "local all all trust\nhostssl all all all scram-sha-256\nhostnossl all all all trust\n",
        ..Wish::default()
    });
    server.sql("ALTER ROLE postgres PASSWORD 'a-password'");
    let [source, target, mapping] = texts(11, "");
    let case = Case::new(&source, "", &mapping);
    let mut plain = Vec::new();
    for (mode, password, login) in [("disable", "", 1), ("require", ":a-password", LOGIN)] {
        server.sql(&format!("DROP SCHEMA IF EXISTS public, migrate CASCADE; CREATE SCHEMA public; {target}"));
        for (n, (bound, args)) in [
            (12, &["--dry-run", "--jobs", "1"][..]),
            (6, &["plan"]),
            (25 + 4 * 11, &["--yes", "--jobs", "1"]),
            (6, &["status"]),
            (14 + 11, &["verify"]),
            (16 + 11, &["--yes", "--jobs", "1"]),
            (20 + 3 * 11, &["rollback", "--yes"]),
        ]
        .into_iter()
        .enumerate()
        {
            let relay = Relay::counting_all(server.port);
            let url = format!("postgresql://postgres{password}@127.0.0.1:{}/postgres?sslmode={mode}", relay.port());
            case.place.migrate(args).args(&case.arguments).args(["-t", &url]).exits(0);
            let (trips, logins) = (relay.trips(), relay.logins());
            let after_login = trips - login * logins;
            println!("{mode}, {}: {trips} round trips, {logins} logins", args.join(" "));
            assert!(logins <= 2, "{logins} logins of {}", args.join(" "));
            assert!(after_login <= bound, "{after_login} after the logins for {}; at most {bound}", args.join(" "));
            match mode {
                "disable" => plain.push(after_login),
                _ => assert!(
                    after_login.abs_diff(plain[n]) <= SLACK,
                    "{after_login} after the logins for {}, {} in clear text",
                    args.join(" "),
                    plain[n]
                ),
            }
        }
    }
}

/// A bcrypt hash has this form; any will do.
const HASH: &str = "$2b$12$abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01";

/// The loads that a dry run reports.
fn report(case: &Case) -> Vec<serde_json::Value> {
    let report = case.command(&["--dry-run", "--json"]).env("ADMIN_PASSWORD_HASH", HASH).exits(0).json();
    report["loads"].as_array().expect("loads").clone()
}
