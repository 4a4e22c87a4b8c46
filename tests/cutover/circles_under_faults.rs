//! Circles under quarantine and without the right to detach: the rows that arrive are the largest set in which each row has
//! its parents, whoever finds the faults, and a key that is deferred refuses what it would have refused.

use std::collections::{BTreeMap, BTreeSet};

use crate::oracle::random::Random;
use crate::support::case::Case;
use crate::support::tool::Ran;

const SOURCE: &str = "CREATE TABLE teams (id INTEGER PRIMARY KEY, lead_id INTEGER, name TEXT);
    CREATE TABLE people (id INTEGER PRIMARY KEY, team_id INTEGER, boss_id INTEGER, name TEXT);";

/// `{}` is the end of the key that closes the circle.
const TARGET: &str = "CREATE TABLE teams (id int PRIMARY KEY, lead_id int NOT NULL, name text CHECK (name <> 'bad'));
    CREATE TABLE people (id int PRIMARY KEY, team_id int NOT NULL CONSTRAINT people_team REFERENCES teams,
                         boss_id int REFERENCES people, name text NOT NULL CHECK (name <> 'bad'));
    ALTER TABLE teams ADD CONSTRAINT teams_lead FOREIGN KEY (lead_id) REFERENCES people {};";

const MAPPING: &str = "[load.teams]\n[load.people]\n";

fn target(ends: &str) -> String {
    TARGET.replace("{}", ends)
}

/// A role that may write the rows of all tables and owns none. The server of the tests is thrown away with it.
struct Guest {
    case: Case,
    url: String,
}

impl Guest {
    fn new(source: &str, target: &str) -> Guest {
        let case = Case::new(source, target, MAPPING);
        let (database, role) = (case.target.name(), format!("guest_of_{}", case.target.name()));
        case.target.run(&format!(
            "CREATE ROLE {role} LOGIN; GRANT CREATE, TEMP ON DATABASE {database} TO {role}; GRANT USAGE ON SCHEMA public TO {role};
             GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA public TO {role}"
        ));
        let url = case.target.url_of(&role);
        Guest { case, url }
    }

    #[track_caller]
    fn exits(&self, code: i32, args: &[&str]) -> Ran {
        self.case.place.migrate(args).args(["-t", &self.url]).exits(code)
    }
}

/// Rows of the model: for each id, the row's parents, and whether the row itself can be loaded.
#[derive(Default)]
struct Model {
    teams: BTreeMap<i64, (Option<i64>, bool)>,
    people: BTreeMap<i64, (Option<i64>, Option<i64>, bool)>,
}

impl Model {
    /// Rows at random: some parents are missing, some rows are refused by the conversion or by a CHECK.
    fn random(random: &mut Random) -> Model {
        let mut model = Model::default();
        let (teams, people) = (random.below(12) + 1, random.below(25) + 1);
        let parent = |random: &mut Random, most: u64| (random.below(12) > 0).then(|| random.below(most + 1) as i64 + 1);
        for id in 1..=teams as i64 {
            let row = (parent(random, people), random.below(9) > 0);
            model.teams.insert(id, row);
        }
        for id in 1..=people as i64 {
            let boss = if random.below(3) > 0 { None } else { parent(random, people) };
            let row = (parent(random, teams), boss, random.below(9) > 0);
            model.people.insert(id, row);
        }
        model
    }

    fn source(&self, random: &mut Random) -> String {
        let mut sql = SOURCE.to_owned();
        let shown = |id: &Option<i64>| id.map_or("NULL".to_owned(), |id| id.to_string());
        // A NUL is found by the conversion, the other name by the server alone.
        let mut name = |good: bool| if good { "'good'" } else { random.pick(&["'bad'", "'b' || char(0) || 'd'"]) };
        for (id, (lead, good)) in &self.teams {
            sql += &format!("INSERT INTO teams VALUES ({id}, {}, {});", shown(lead), name(*good));
        }
        for (id, (team, boss, good)) in &self.people {
            sql += &format!("INSERT INTO people VALUES ({id}, {}, {}, {});", shown(team), shown(boss), name(*good));
        }
        sql
    }

    /// The ids of the teams and people that can be loaded.
    fn loaded(&self) -> (Vec<i64>, Vec<i64>) {
        let mut teams: BTreeSet<i64> = self.teams.keys().copied().collect();
        let mut people: BTreeSet<i64> = self.people.keys().copied().collect();
        loop {
            let before = teams.len() + people.len();
            teams.retain(|id| matches!(self.teams[id], (Some(lead), true) if people.contains(&lead)));
            let all = people.clone();
            people.retain(|id| match self.people[id] {
                (Some(team), boss, true) => teams.contains(&team) && boss.is_none_or(|boss| all.contains(&boss)),
                _ => false,
            });
            if before == teams.len() + people.len() {
                return (teams.into_iter().collect(), people.into_iter().collect());
            }
        }
    }
}

#[test]
fn quarantine_of_a_circle_ends_at_the_fixed_point_of_the_model() {
    for seed in 1..=14 {
        let mut random = Random::new(seed);
        let model = Model::random(&mut random);
        let (source, expected) = (model.source(&mut random), model.loaded());
        let refused = (model.teams.len() + model.people.len()) - (expected.0.len() + expected.1.len());
        let code = if refused == 0 { 0 } else { 6 };
        let size = random.pick(&["1", "3", "1000"]);
        let args = ["--yes", "--on-fault", "quarantine", "--batch-rows", size];
        let report = if seed % 2 == 0 {
            let guest = Guest::new(&source, &target("DEFERRABLE INITIALLY IMMEDIATE"));
            let report = guest.exits(code, &[&args[..], &["--json"]].concat()).json();
            assert_eq!((guest.case.ids("teams"), guest.case.ids("people")), expected, "seed {seed}");
            guest.exits(0, &["rollback", "--yes"]);
            assert_eq!((guest.case.target.count("teams"), guest.case.target.count("people")), (0, 0));
            report
        } else {
            let case = Case::new(&source, &target(""), MAPPING);
            let report = case.exits(code, &args);
            assert_eq!((case.ids("teams"), case.ids("people")), expected, "seed {seed}");
            case.exits(code, &args);
            case.command(&["rollback", "--yes"]).exits(0);
            assert_eq!((case.target.count("teams"), case.target.count("people")), (0, 0));
            report
        };
        let faults =
            report["loads"].as_array().expect("loads").iter().map(|load| load["faults"].as_u64().expect("a number"));
        assert_eq!(faults.sum::<u64>(), refused as u64, "seed {seed}: every row that did not arrive is counted");
    }
}

#[test]
fn rows_written_before_their_parent_was_refused_by_the_server_are_withdrawn() {
    // The server refuses person 3 after team 2, which she leads, was written; with the team goes person 4, with her team 3.
    let source = format!(
        "{SOURCE} INSERT INTO teams VALUES (1, 1, 'a'), (2, 3, 'b'), (3, 4, 'c');
         INSERT INTO people VALUES (1, 1, NULL, 'a'), (2, 1, 1, 'b'), (3, 1, 1, 'bad'), (4, 2, NULL, 'd'), (5, 1, 3, 'e')"
    );
    for size in ["1", "1000"] {
        let case = Case::new(&source, &target(""), MAPPING);
        let report = case.exits(6, &["--yes", "--on-fault", "quarantine", "--batch-rows", size]);
        assert_eq!((case.ids("teams"), case.ids("people")), (vec![1], vec![1, 2]));
        assert_eq!(report["fault_total"], 5, "{report}");
        let written: Vec<u64> = report["loads"]
            .as_array()
            .expect("loads")
            .iter()
            .map(|load| load["written"].as_u64().expect("rows"))
            .collect();
        assert_eq!(written, [1, 2]);
        case.command(&["verify", "--json"]).exits(6);
        case.command(&["rollback", "--yes"]).exits(0);
        assert_eq!((case.target.count("teams"), case.target.count("people")), (0, 0));
    }
}

/// Teams that lead each other, all whole.
fn whole(count: u32) -> String {
    format!(
        "{SOURCE} WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count})
         INSERT INTO teams SELECT n, n % {count} + 1, 'team' FROM n;
         INSERT INTO people SELECT id, id, NULL, 'person' FROM teams"
    )
}

#[test]
fn a_role_that_may_not_detach_loads_a_circle_by_a_deferrable_key() {
    for ends in ["DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED"] {
        let guest = Guest::new(&whole(40), &target(ends));
        let plan = guest.exits(0, &["plan", "--json"]).json();
        let expected = serde_json::json!([{
            "loads": ["load.teams", "load.people"],
            "detached": [],
            "deferred": [{ "table": "teams", "name": "teams_lead" }],
        }]);
        assert_eq!(plan["circles"], expected);
        guest.exits(0, &["plan"]).says(&["written in one transaction, at whose end it is checked: teams.teams_lead"]);
        guest.exits(0, &["--dry-run"]);
        let report = guest.exits(0, &["--yes", "--json", "--batch-rows", "7", "--jobs", "2"]).json();
        assert_eq!(report["detached"], serde_json::json!([]));
        let checks = report["checks"].as_array().expect("checks");
        assert!(checks.iter().all(|check| check["verdict"] == "Same"), "{checks:?}");
        let joined = "SELECT count(*) FROM teams t JOIN people p ON p.id = t.lead_id AND p.team_id = p.id";
        assert_eq!(guest.case.target.value(joined), "40");
        guest.exits(0, &["--yes"]);
        guest.exits(0, &["verify"]);
        guest.exits(0, &["rollback", "--yes"]);
        assert_eq!((guest.case.target.count("teams"), guest.case.target.count("people")), (0, 0));
    }
}

#[test]
fn a_row_of_another_writer_that_refers_to_a_circle_blocks_its_rollback() {
    let guest = Guest::new(&whole(4), &target("DEFERRABLE"));
    guest.exits(0, &["--yes"]);
    guest.case.target.run("INSERT INTO teams VALUES (100, 2, 'of the application')");
    guest.exits(3, &["rollback", "--yes"]).says(&["SQLSTATE 23503 foreign_key_violation", "was removed"]);
    assert_eq!((guest.case.target.count("teams"), guest.case.target.count("people")), (5, 4));
    let case = Case::new(&whole(4), &target(""), MAPPING);
    case.exits(0, &["--yes"]);
    case.target.run("INSERT INTO teams VALUES (100, 2, 'of the application')");
    case.command(&["rollback", "--yes"]).exits(3).says(&["SQLSTATE 23503 foreign_key_violation", "was removed"]);
    assert_eq!((case.target.count("teams"), case.target.count("people")), (5, 4));
}

#[test]
fn a_circle_that_no_key_of_a_guest_opens_is_refused_with_advice_that_works() {
    let guest = Guest::new(&whole(4), &target(""));
    let before = guest.case.target.inventory();
    for way in ["--dry-run", "--yes"] {
        let report = guest.exits(3, &[way, "--json"]).json();
        let refusals = report["refusals"].as_array().expect("refusals");
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        let reason = refusals[0]["reason"].as_str().expect("a reason");
        for part in [
            "load.teams, load.people",
            "teams_lead of teams (this role does not own the table",
            "people_team of people",
        ] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
    }
    assert_eq!(guest.case.target.inventory(), before, "a refusal writes nothing");
    let report = guest.exits(3, &["--dry-run", "--json"]).json();
    let advice = report["refusals"][0]["advice"].as_str().expect("an advice");
    let (_, statement) = advice.split_once("ALTER TABLE").expect("a statement");
    let (statement, _) = statement.split_once(';').expect("its end");
    guest.case.target.run(&format!("ALTER TABLE{statement}"));
    guest.exits(0, &["--yes"]);
    assert_eq!((guest.case.target.count("teams"), guest.case.target.count("people")), (4, 4));
}

#[test]
fn a_guest_needs_no_right_for_a_circle_without_rows() {
    let source = format!("{SOURCE} INSERT INTO people VALUES (1, NULL, NULL, 'a')");
    let guest = Guest::new(&source, &target("").replace("team_id int NOT NULL", "team_id int"));
    guest.exits(0, &["--yes"]);
    assert_eq!(guest.case.ids("people"), [1]);
}

#[test]
fn orphans_of_a_circle_may_be_replaced_by_null() {
    let source =
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b_id INTEGER); CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER);
        INSERT INTO a VALUES (1, 10), (2, 99), (3, 30); INSERT INTO b VALUES (10, 2), (20, 1), (30, 77)";
    let target = "CREATE TABLE a (id int PRIMARY KEY, b_id int); CREATE TABLE b (id int PRIMARY KEY, a_id int NOT NULL REFERENCES a);
        ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b";
    let mapping = "[load.a.columns]\nb_id = { if_orphan = { null = true } }\n[load.b]\n";
    // Row 30 of b is an orphan, so row 3 of a refers to a refused row, which no value replaces.
    let case = Case::new(source, target, mapping);
    assert_eq!(case.exits(3, &["--dry-run"])["fault_total"], 2);
    let case = Case::new(&source.replace(", (30, 77)", ""), target, mapping);
    let report = case.exits(0, &["--yes"]);
    assert_eq!(case.rows("SELECT id, b_id FROM a ORDER BY 1"), ["1 10", "2 -", "3 -"]);
    assert_eq!(case.rows("SELECT id, a_id FROM b ORDER BY 1"), ["10 2", "20 1"]);
    assert_eq!(report["losses"][0]["count"], 2, "{}", report["losses"]);
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!((case.target.count("a"), case.target.count("b")), (0, 0));
}
