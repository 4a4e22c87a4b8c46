//! A target that was dumped and restored into another database: types have other OIDs and rows other transactions.

use std::process::Command;

use crate::support::case::Case;
use crate::support::postgres::{Database, bindir};

/// Types whose OIDs the restored database draws again, alone and in arrays.
const TARGET: &str = "CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE DOMAIN short AS text CHECK (length(value) < 9);
    CREATE TABLE t (id serial PRIMARY KEY, e mood, es mood[], c citext UNIQUE, cs citext[], h hstore, hs hstore[], s short,
                    m money, i inet);
    CREATE TABLE bare (e mood, m money);
    CREATE TABLE half (id int PRIMARY KEY, e mood, d int DEFAULT 7)";
const SOURCE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, e, es, c, cs, h, hs, s, m, i);
    INSERT INTO t VALUES (1, 'sad', '[\"ok\",null]', 'Ab', '[\"Ab\"]', '\"a\"=>\"1\"', '{\"a=>1\"}', 'x', '1.20', '10.0.0.1/8'),
        (2, 'ok', '[]', 'Ac', NULL, NULL, NULL, NULL, NULL, NULL);
    CREATE TABLE bare (e, m); INSERT INTO bare VALUES ('sad', 1), ('ok', 2);
    CREATE TABLE half (id INTEGER PRIMARY KEY, e); INSERT INTO half VALUES (1, 'sad'), (2, NULL)";

/// The same database, dumped by `pg_dump` and restored. OIDs are drawn before it, so that no type keeps its own.
fn restored(from: &Database) -> Database {
    let target = Database::empty();
    target.run("CREATE TYPE first AS ENUM ('a'); CREATE TYPE second AS ENUM ('a'); DROP TYPE first, second");
    let dump = Command::new(format!("{}/pg_dump", bindir())).args(["-d", &from.url()]).output().expect("pg_dump");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let place = crate::support::tool::Place::new();
    let file = place.write("dump.sql", &dump.stdout);
    let psql = Command::new(format!("{}/psql", bindir()))
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &target.url(), "-f"])
        .arg(file)
        .output();
    let psql = psql.expect("psql");
    assert!(psql.status.success(), "{}", String::from_utf8_lossy(&psql.stderr));
    target
}

fn oid(of: &Database) -> String {
    of.value("SELECT oid FROM pg_type WHERE typname = 'mood'")
}

#[test]
fn a_restored_target_is_verified_to_the_byte_and_rolled_back_by_its_keys() {
    let case = Case::new(SOURCE, TARGET, "[load.t]\n");
    let leave = "[leave]\nbare = \"no\"\nhalf = \"no\"\n";
    let mapping = case.place.read("migrate.toml");
    case.place.write("migrate.toml", format!("{mapping}{leave}"));
    case.done();
    let target = restored(&case.target);
    assert_ne!(oid(&target), oid(&case.target));
    let exits = |target: &Database, code: i32, args: &[&str]| {
        case.place.migrate(args).args(["--json", "-t", &target.url()]).exits(code).json()
    };
    let report = exits(&target, 0, &["verify"]);
    let checks = report["checks"].as_array().expect("checks");
    assert!(checks.iter().all(|check| check["verdict"] == "Same"), "{checks:#?}");
    exits(&target, 0, &["--yes"]);
    for (change, undo) in [
        ("es = '[0:1]={ok,NULL}'", "es = '{ok,NULL}'"),
        ("cs = '{AB}'", "cs = '{Ab}'"),
        ("c = 'AB'", "c = 'Ab'"),
        ("m = '1.21'", "m = '1.20'"),
        ("hs = '{\"a=>2\"}'", "hs = '{\"a=>1\"}'"),
    ] {
        target.run(&format!("UPDATE t SET {change} WHERE id = 1"));
        exits(&target, 5, &["verify"]);
        target.run(&format!("UPDATE t SET {undo} WHERE id = 1"));
    }
    exits(&target, 0, &["verify"]);
    exits(&target, 0, &["rollback", "--yes"]);
    assert_eq!(target.count("t"), 0);
}

#[test]
fn a_restored_table_whose_rows_only_their_transaction_identifies_is_refused_by_name() {
    for (load, why) in [("bare", "no key that the run sent identifies a row"), ("half", "the run did not send d")] {
        let mapping = format!("[defaults]\nunlisted_tables = \"leave\"\n[load.{load}]\n");
        let case = Case::new(SOURCE, TARGET, &mapping);
        case.done();
        let target = restored(&case.target);
        let run = |code: i32, args: &[&str]| case.place.migrate(args).args(["--json", "-t", &target.url()]).exits(code);
        run(0, &["verify"]);
        let refused = run(3, &["rollback", "--yes"]);
        refused.says(&[&format!("load.{load}"), "the table was rewritten or the database was restored", why]);
        assert_eq!(target.count(load), 2);
    }
}
