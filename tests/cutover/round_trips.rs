//! A slow network: how often the tool waits for an answer, counted by a relay that adds latency in each direction.

use std::time::{Duration, Instant};

use crate::support::case::Case;
use crate::support::relay::{COUNTING, Relay};

/// Moves a table of so many rows and columns in batches of so many rows, and gives the number of round trips.
fn trips(rows: u32, columns: u32, batch: u32, delay: Duration) -> u64 {
    let each = |with: &dyn Fn(u32) -> String| (0..columns).map(with).collect::<Vec<_>>().join(", ");
    let source = format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, {});
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) INSERT INTO t SELECT i, {} FROM n;",
        each(&|n| format!("c{n} TEXT")),
        each(&|n| format!("'value {n} of ' || i"))
    );
    let target = format!("CREATE TABLE t (id bigserial PRIMARY KEY, {})", each(&|n| format!("c{n} text")));
    let case = Case::new(&source, &target, "[load.t]\n");
    let relay = Relay::with(delay);
    let (url, batch) = (relay.url(case.target.name()), batch.to_string());
    let began = Instant::now();
    case.place.migrate(["--yes", "--jobs", "1", "--batch-rows", &batch, "-t", &url]).exits(0);
    let trips = relay.trips();
    println!(
        "{rows} rows, {columns} columns, batches of {batch}: {trips} round trips, {:.1} s",
        began.elapsed().as_secs_f64()
    );
    assert_eq!(case.target.count("t"), u64::from(rows));
    trips
}

/// The beginning of a transaction with the ledger's row and its COPY; then the rows with all that follows them.
const A_BATCH: u64 = 2;

/// A statement may be closed now or later.
const SLACK: u64 = 2;

#[test]
fn a_batch_costs_a_fixed_number_of_round_trips() {
    let few = trips(1_000, 3, 200, COUNTING);
    let many = trips(9_000, 3, 200, COUNTING);
    assert!((many - few).abs_diff(40 * A_BATCH) <= SLACK, "{} for forty batches more", many - few);
}

#[test]
fn neither_rows_nor_columns_cost_a_round_trip() {
    let few = trips(400, 2, 200, COUNTING);
    assert!(trips(400, 40, 200, COUNTING).abs_diff(few) <= SLACK, "with twenty times the columns");
    assert!(trips(4_000, 2, 2_000, COUNTING).abs_diff(few) <= SLACK, "with ten times the rows in as many batches");
}

#[test]
fn a_network_with_fifty_milliseconds_latency_is_fast_enough() {
    let (slow, fast) = (trips(2_000, 2, 500, Duration::from_millis(50)), trips(2_000, 2, 500, COUNTING));
    assert!(slow.abs_diff(fast) <= SLACK, "{slow} round trips of a slow network, {fast} of a fast one");
}

#[test]
fn only_the_last_commit_of_a_part_waits_for_the_disk() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250) INSERT INTO t SELECT i FROM n;",
        "CREATE TABLE t (id int PRIMARY KEY, how text DEFAULT current_setting('synchronous_commit'))",
        "[load.t]\n",
    );
    case.exits(0, &["--yes", "--jobs", "1", "--batch-rows", "100"]);
    let ways = case.target.value("SELECT string_agg(DISTINCT format('%s until %s', how, until), ', ') FROM (SELECT how, max(id) AS until FROM t GROUP BY how) AS w");
    assert_eq!(ways, "off until 200, on until 250");
}

/// A database of so many small tables, all of them with an owner, and every second one with a parent if there are `parents`.
fn many_tables(tables: usize, parents: bool) -> Case {
    let (mut source, mut target, mut mapping) = (
        String::new(),
        "CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE);".to_owned(),
        "[owner]\ntable = \"users\"\nmatch = { name = \"ada\" }\ncreate = {}\n".to_owned(),
    );
    for n in 0..tables {
        let has_parent = parents && n % 2 == 1;
        let (parent, refers) = if has_parent {
            (format!(", parent_id INTEGER REFERENCES t{}", n - 1), format!(", parent_id int REFERENCES t{}", n - 1))
        } else {
            (String::new(), String::new())
        };
        let values = if has_parent { "(1, 'a', 2), (2, 'b', 1)" } else { "(1, 'a'), (2, 'b')" };
        source += &format!(
            "CREATE TABLE t{n} (id INTEGER PRIMARY KEY, said TEXT{parent}); INSERT INTO t{n} VALUES {values};"
        );
        target += &format!(
            "CREATE TABLE t{n} (id serial PRIMARY KEY, said text, user_id int NOT NULL REFERENCES users{refers});"
        );
        mapping += &format!("[load.t{n}]\nowner = \"user_id\"\n");
    }
    Case::new(&source, &target, &mapping)
}

/// The round trips of a command that ends well.
fn trips_of(case: &Case, args: &[&str]) -> u64 {
    let relay = Relay::with(COUNTING);
    let url = relay.url(case.target.name());
    let ran = case.place.migrate(args.iter().copied().chain(["-t", &url])).ran();
    assert_eq!(ran.code, 0, "{}", ran.said());
    println!("{args:?}: {} round trips, {} logins\n{}", relay.trips(), relay.logins(), relay.said());
    relay.trips()
}

/// The beginning with the COPY, which was prepared together with those of all loads; and its end with the ledger's row and COMMIT.
const A_SMALL_LOAD: u64 = 2;

#[test]
fn a_load_of_one_batch_costs_two_round_trips() {
    let trips = |tables| {
        trips_of(&many_tables(tables, false), &["--yes", "--jobs", "1", "--verify", "none", "--skip-preflight"])
    };
    let (few, many) = (trips(4), trips(10));
    assert!(many - few <= 6 * A_SMALL_LOAD + SLACK, "{} for six loads more", many - few);
}

/// The staging table with its COPY, which was prepared together with those of all loads; and its end with all checks and the
/// deletion.
const A_LOAD_ROLLED_BACK: u64 = 2;

#[test]
fn rolling_back_a_load_costs_two_round_trips() {
    let trips = |tables| {
        let case = many_tables(tables, true);
        case.exits(0, &["--yes"]);
        trips_of(&case, &["rollback", "--yes"])
    };
    let (few, many) = (trips(4), trips(10));
    assert!(many - few <= 6 * A_LOAD_ROLLED_BACK + SLACK, "{} for six loads more", many - few);
}
