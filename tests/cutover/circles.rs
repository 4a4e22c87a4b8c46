//! Tables that refer to each other in a circle: every row arrives, or it is listed together with the rows that refer to it.

use crate::support::case::{Case, faults};

/// A team has a lead, and each person is in a team.
const TEAMS: &str = "CREATE TABLE teams (id INTEGER PRIMARY KEY, lead_id INTEGER, name TEXT);
    CREATE TABLE people (id INTEGER PRIMARY KEY, team_id INTEGER, name TEXT);";

const TEAMS_TARGET: &str = "CREATE TABLE teams (id int PRIMARY KEY, lead_id int, name text NOT NULL);
    CREATE TABLE people (id int PRIMARY KEY, team_id int NOT NULL CONSTRAINT people_team REFERENCES teams, name text NOT NULL);
    ALTER TABLE teams ADD CONSTRAINT teams_lead FOREIGN KEY (lead_id) REFERENCES people;
    CREATE INDEX ON teams (lead_id); CREATE INDEX ON people (team_id)";

const MAPPING: &str = "[load.teams]\n[load.people]\n";

/// The constraints, with everything that a detached one could lose.
const CONSTRAINTS: &str =
    "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated, condeferrable, condeferred,
    obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2";

/// `count` teams, each led by a person of the next team.
fn teams(count: u32) -> String {
    format!(
        "{TEAMS} WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count})
         INSERT INTO teams SELECT n, 1000000 + n % {count} + 1, 'team ' || n FROM n;
         INSERT INTO people SELECT 1000000 + id, id, 'lead ' || id FROM teams;
         INSERT INTO people SELECT 2000000 + id, id, 'other ' || id FROM teams;"
    )
}

fn all_arrived(case: &Case, count: u64) {
    let joined =
        "SELECT count(*) FROM teams t JOIN people lead ON lead.id = t.lead_id JOIN people p ON p.team_id = t.id";
    assert_eq!(case.target.value(joined), (2 * count).to_string());
    assert_eq!((case.target.count("teams"), case.target.count("people")), (count, 2 * count));
}

/// Each row of the fault file, with its load and its first reason.
fn refused(case: &Case) -> Vec<String> {
    let word = |value: &serde_json::Value| value.as_str().expect("a word").to_owned();
    let lines = case.lines();
    let row = |line: &serde_json::Value| {
        format!("{} {} {}", word(&line["load"]), line["rowid"], word(&line["faults"][0]["reason"]))
    };
    let mut all: Vec<String> = lines.iter().map(row).collect();
    all.sort();
    all
}

fn detached_keys(report: &serde_json::Value) -> Vec<&str> {
    let all = report["detached"].as_array().expect("a list").iter().filter_map(|object| object["object"].as_str());
    all.filter(|name| name.contains("team") && !name.contains("pkey") && !name.contains("idx")).collect()
}

#[test]
fn a_circle_of_two_tables_arrives_and_is_rolled_back() {
    for args in [
        &["--jobs", "1"][..],
        &["--jobs", "2", "--batch-rows", "7"],
        &["--detach", "always"],
        &["--on-fault", "quarantine", "--batch-rows", "7"],
        &["--skip-preflight"],
    ] {
        let case = Case::new(&teams(50), TEAMS_TARGET, MAPPING);
        let before = case.rows(CONSTRAINTS);
        let report = case.exits(0, &[&["--yes"], args].concat());
        all_arrived(&case, 50);
        assert_eq!(case.rows(CONSTRAINTS), before);
        let checks = report["checks"].as_array().expect("checks");
        assert!(checks.iter().all(|check| check["verdict"] == "Same"), "{checks:?}");
        if !args.contains(&"always") {
            assert_eq!(detached_keys(&report), ["teams_lead"], "one key opens the circle");
        }
        case.exits(0, &["--yes"]);
        case.command(&["verify", "--json"]).exits(0);
        case.command(&["rollback", "--yes"]).exits(0);
        assert_eq!((case.target.count("teams"), case.target.count("people")), (0, 0));
        assert_eq!(case.rows(CONSTRAINTS), before);
        case.exits(0, &["--yes"]);
        all_arrived(&case, 50);
    }
}

/// Three tables in a circle, one of them with two keys to the next one and one to itself.
const THREE: &str = "CREATE TABLE a (id INTEGER PRIMARY KEY, b_id INTEGER, other_id INTEGER, up INTEGER);
    CREATE TABLE b (id INTEGER PRIMARY KEY, c_id INTEGER); CREATE TABLE c (code TEXT PRIMARY KEY, id INTEGER, a_id INTEGER);";

const THREE_TARGET: &str = "CREATE TABLE a (id int PRIMARY KEY, b_id int NOT NULL, other_id int, up int REFERENCES a);
    CREATE TABLE b (id int PRIMARY KEY, c_id int NOT NULL);
    CREATE TABLE c (code text PRIMARY KEY, id int UNIQUE, a_id int NOT NULL REFERENCES a);
    ALTER TABLE b ADD FOREIGN KEY (c_id) REFERENCES c (id);
    ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b; ALTER TABLE a ADD FOREIGN KEY (other_id) REFERENCES b";

const THREE_MAPPING: &str = "[load.a]\n[load.b]\n[load.c]\n";

#[test]
fn a_circle_of_three_tables_is_opened_by_one_key() {
    let source = format!(
        "{THREE} INSERT INTO a VALUES (1, 10, 20, 2), (2, 20, NULL, 3), (3, 30, 10, NULL); INSERT INTO b VALUES (10, 5), (20, 6), (30, 5);
         INSERT INTO c VALUES ('x', 5, 3), ('y', 6, 1)"
    );
    let case = Case::new(&source, THREE_TARGET, THREE_MAPPING);
    let before = case.rows(CONSTRAINTS);
    let plan = case.command(&["plan", "--json"]).exits(0).json();
    let circles = plan["circles"].as_array().expect("circles");
    assert_eq!(circles.len(), 1, "{circles:?}");
    assert_eq!(circles[0]["loads"].as_array().expect("loads").len(), 3);
    let keys = circles[0]["detached"].as_array().expect("keys");
    assert_eq!((keys.len(), &circles[0]["deferred"]), (1, &serde_json::json!([])), "{keys:?}");
    case.command(&["plan"]).exits(0).says(&["Loads that refer to each other in a circle", "detached for the load"]);
    case.exits(0, &["--dry-run"]);
    let report = case.exits(0, &["--yes", "--batch-rows", "1"]);
    let detached: Vec<&serde_json::Value> =
        report["detached"].as_array().expect("a list").iter().map(|object| &object["object"]).collect();
    assert_eq!(detached, [&keys[0]["name"]]);
    assert_eq!(case.rows("SELECT id, b_id, other_id, up FROM a ORDER BY 1"), ["1 10 20 2", "2 20 - 3", "3 30 10 -"]);
    assert_eq!(case.rows("SELECT id, c_id FROM b ORDER BY 1"), ["10 5", "20 6", "30 5"]);
    assert_eq!(case.rows("SELECT code, id, a_id FROM c ORDER BY 1"), ["x 5 3", "y 6 1"]);
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!(case.rows("SELECT 1 FROM a UNION ALL SELECT 1 FROM b UNION ALL SELECT 1 FROM c"), [""; 0]);
    assert_eq!(case.rows(CONSTRAINTS), before);
}

#[test]
fn two_circles_that_share_a_table_are_opened_by_a_key_each() {
    let source = "CREATE TABLE pool (id INTEGER PRIMARY KEY, queue_id INTEGER); CREATE TABLE queue (id INTEGER PRIMARY KEY, pool_id INTEGER);
        CREATE TABLE worker (id INTEGER PRIMARY KEY, pool_id INTEGER, peer_id INTEGER); CREATE TABLE peer (id INTEGER PRIMARY KEY, worker_id INTEGER);
        INSERT INTO pool VALUES (1, 11), (2, NULL); INSERT INTO queue VALUES (11, 1), (12, 2);
        INSERT INTO worker VALUES (21, 1, 31), (22, 2, 31); INSERT INTO peer VALUES (31, 22)";
    let target = "CREATE TABLE pool (id int PRIMARY KEY, queue_id int); CREATE TABLE queue (id int PRIMARY KEY, pool_id int NOT NULL REFERENCES pool);
        ALTER TABLE pool ADD FOREIGN KEY (queue_id) REFERENCES queue ON DELETE SET NULL;
        CREATE TABLE peer (id int PRIMARY KEY, worker_id int NOT NULL);
        CREATE TABLE worker (id int PRIMARY KEY, pool_id int REFERENCES pool, peer_id int NOT NULL REFERENCES peer);
        ALTER TABLE peer ADD FOREIGN KEY (worker_id) REFERENCES worker";
    let case = Case::new(source, target, "[load.worker]\n[load.peer]\n[load.queue]\n[load.pool]\n");
    let before = case.rows(CONSTRAINTS);
    let report = case.exits(0, &["--yes"]);
    assert_eq!(report["detached"].as_array().expect("a list").len(), 2, "{}", report["detached"]);
    assert_eq!(case.rows("SELECT id, queue_id FROM pool ORDER BY 1"), ["1 11", "2 -"]);
    assert_eq!(case.rows("SELECT id, pool_id, peer_id FROM worker ORDER BY 1"), ["21 1 31", "22 2 31"]);
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!((case.target.count("pool"), case.target.count("peer")), (0, 0));
    assert_eq!(case.rows(CONSTRAINTS), before);
}

#[test]
fn orphans_are_found_in_both_directions_before_the_first_write() {
    // The lead of team 2 is missing, and with the team its people; the team of 1000003 is missing, and with her team 9.
    let source = format!(
        "{TEAMS} INSERT INTO teams VALUES (1, 1000001, 'a'), (2, 5, 'b'), (9, 1000003, 'c');
         INSERT INTO people VALUES (1000001, 1, 'a'), (1000002, 2, 'b'), (1000003, 7, 'c'), (1000004, 9, 'd')"
    );
    let case = Case::new(&source, TEAMS_TARGET, MAPPING);
    let before = case.target.inventory();
    for way in ["--dry-run", "--yes"] {
        let report = case.exits(3, &[way, "--fault-file", "migrate-faults.ndjson"]);
        let first: Vec<(String, i64, Option<String>, String)> = faults(&report);
        assert!(first.iter().all(|(.., reason)| reason == "orphan"), "{first:?}");
        assert_eq!(first.iter().map(|(_, id, ..)| *id).collect::<Vec<_>>(), [2, 1000003], "{way}");
        assert_eq!(report["fault_total"], 5, "{report}");
        let expected = [
            ("people 1000002", "parent-refused"),
            ("people 1000003", "orphan"),
            ("people 1000004", "parent-refused"),
            ("teams 2", "orphan"),
            ("teams 9", "parent-refused"),
        ];
        assert_eq!(refused(&case), expected.map(|(row, reason)| format!("{row} {reason}")), "{way}");
    }
    assert_eq!(case.target.inventory(), before, "a refusal writes nothing");
    let report = case.exits(6, &["--yes", "--on-fault", "quarantine", "--batch-rows", "1"]);
    assert_eq!(report["fault_total"], 5);
    assert_eq!((case.ids("teams"), case.ids("people")), (vec![1], vec![1000001]));
}

#[test]
fn a_circle_without_rows_needs_no_detached_key() {
    let source = format!("{TEAMS} INSERT INTO people VALUES (1, NULL, 'a')");
    let target = TEAMS_TARGET.replace("team_id int NOT NULL", "team_id int");
    let case = Case::new(&source, &target, MAPPING);
    let report = case.exits(0, &["--yes", "--detach", "never"]);
    assert_eq!(report["detached"], serde_json::json!([]));
    assert_eq!(case.ids("people"), [1]);
    let plan = case.command(&["plan", "--json"]).exits(0).json();
    assert_eq!(plan["circles"], serde_json::json!([]));
}

#[test]
fn a_circle_that_no_key_opens_is_refused_with_its_keys_and_members_alone() {
    let source = format!(
        "{} CREATE TABLE other (id INTEGER PRIMARY KEY, team_id INTEGER); INSERT INTO other VALUES (1, 1)",
        teams(2)
    );
    let target = format!("{TEAMS_TARGET}; CREATE TABLE other (id int PRIMARY KEY, team_id int REFERENCES teams)");
    let case = Case::new(&source, &target, &format!("{MAPPING}[load.other]\n"));
    let before = case.target.inventory();
    for way in ["--dry-run", "--yes"] {
        let report = case.exits(3, &[way, "--detach", "never"]);
        let refusals = report["refusals"].as_array().expect("refusals");
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        let reason = refusals[0]["reason"].as_str().expect("a reason");
        assert!(reason.starts_with("load.teams, load.people wait for each other: "), "{reason}");
        assert!(reason.contains("teams_lead of teams (--detach never)"), "{reason}");
        assert!(reason.contains("people_team of people (--detach never)"), "{reason}");
        assert!(refusals[0]["advice"].as_str().expect("an advice").contains("Omit `--detach never`"), "{refusals:?}");
    }
    assert_eq!(case.target.inventory(), before, "a refusal writes nothing");
    case.exits(0, &["--yes"]);
    all_arrived(&case, 2);
}

#[test]
fn a_circle_loads_without_a_detached_key_if_one_column_stays_empty() {
    let left = "[leave]\nteams.lead_id = \"by a later migration\"\n[load.teams.columns]\nlead_id = { omit = true }\n[load.people]\n";
    let case = Case::new(&teams(2), TEAMS_TARGET, left);
    let report = case.exits(0, &["--yes", "--detach", "never"]);
    assert_eq!(report["detached"], serde_json::json!([]));
    assert_eq!(
        case.target.value("SELECT count(*) FROM people JOIN teams ON teams.id = team_id AND lead_id IS NULL"),
        "4"
    );
}

const HELD: &str = "INSERT INTO teams VALUES (1, NULL, 'held'), (2, NULL, 'held'); INSERT INTO people VALUES (1, 1, 'held'), (2, 1, 'held');
    UPDATE teams SET lead_id = 2";

#[test]
fn a_circle_joins_or_replaces_the_rows_of_its_tables_and_a_rollback_leaves_them() {
    let rows = "SELECT t.id, t.name, p.id, p.team_id FROM teams t JOIN people p ON p.id = t.lead_id ORDER BY 1";
    let target = TEAMS_TARGET.replace("id int PRIMARY KEY", "id serial PRIMARY KEY");
    let source = format!(
        "{TEAMS} INSERT INTO teams VALUES (1, 11, 'a'), (2, 12, 'b'); INSERT INTO people VALUES (11, 2, 'x'), (12, 1, 'y')"
    );
    let shifted = "ids = \"shift\"\nexisting = \"append\"\n";
    for (mapping, expected) in [
        (
            format!("[load.teams]\n{shifted}[load.people]\n{shifted}"),
            vec!["1 held 2 1", "2 held 2 1", "3 a 13 4", "4 b 14 3"],
        ),
        (format!("[defaults]\nexisting = \"replace\"\n{MAPPING}"), vec!["1 a 11 2", "2 b 12 1"]),
    ] {
        let case = Case::new(&source, &format!("{target}; {HELD}"), &mapping);
        let (before, held) = (case.rows(CONSTRAINTS), case.rows(rows));
        case.exits(0, &["--yes"]);
        assert_eq!(case.rows(rows), expected);
        assert_eq!(case.rows(CONSTRAINTS), before);
        case.command(&["rollback", "--yes"]).exits(0);
        assert_eq!(case.rows(rows), held);
        assert_eq!(case.target.count("people"), 2);
        assert_eq!(case.rows(CONSTRAINTS), before);
    }
}

#[test]
fn the_owner_may_be_part_of_a_circle() {
    let source = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, account_id INTEGER);
        CREATE TABLE accounts (id INTEGER PRIMARY KEY, label TEXT);
        INSERT INTO users VALUES (1, 'ann', 7), (2, 'bob', NULL); INSERT INTO accounts VALUES (7, 'x'), (8, 'y')";
    let target = "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL UNIQUE, account_id int);
        CREATE TABLE accounts (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, label text);
        ALTER TABLE users ADD CONSTRAINT users_account FOREIGN KEY (account_id) REFERENCES accounts DEFERRABLE";
    let mapping =
        "[owner]\ntable = \"users\"\nmatch = { name = \"ann\" }\n[load.users]\n[load.accounts]\nowner = \"user_id\"\n";
    for how in ["abort", "quarantine"] {
        let case = Case::new(source, target, mapping);
        case.exits(0, &["--yes", "--on-fault", how]);
        assert_eq!(case.rows("SELECT id, account_id FROM users ORDER BY 1"), ["1 7", "2 -"]);
        assert_eq!(case.rows("SELECT id, user_id FROM accounts ORDER BY 1"), ["7 1", "8 1"]);
    }
    // The owner's row is settled between the loads, so no key can be deferred.
    let report = Case::new(source, target, mapping).exits(3, &["--yes", "--detach", "never"]);
    let refusal = report["refusals"][0].to_string();
    assert!(refusal.contains("the owner, load.users, load.accounts wait for each other"), "{refusal}");
    assert!(refusal.contains("Omit `--detach never`"), "{refusal}");
}
