//! Random rows on both sides that overlap by natural key and by id, of random owners: the outcome equals that of a model.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::case::Case;

const TARGET: &str = "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL UNIQUE); INSERT INTO users (name) VALUES ('ann'), ('bob'); \
    CREATE TABLE labels (id serial PRIMARY KEY, user_id int REFERENCES users, name text NOT NULL UNIQUE, value text); \
    CREATE TABLE uses (id int PRIMARY KEY, label_id int NOT NULL REFERENCES labels); \
    CREATE TABLE pins (id serial PRIMARY KEY, label_id int NOT NULL REFERENCES labels ON DELETE CASCADE);";

/// Rounds of the test; each takes some runs of the tool.
const ROUNDS: u64 = 20;

/// A small generator of random numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    /// Rows with different ids and different names out of a few.
    fn labels(&mut self, owners: &[&'static str]) -> Vec<Label> {
        let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
        let rows = (0..self.below(5)).map(|_| Label {
            id: 1 + self.below(7),
            owner: owners[self.below(owners.len() as u64) as usize],
            name: format!("n{}", self.below(7)),
            value: format!("v{}", self.below(2)),
        });
        let rows: Vec<Label> = rows.collect();
        rows.into_iter().filter(|row| ids.insert(row.id) && names.insert(row.name.clone())).collect()
    }
}

#[derive(Clone, Debug)]
struct Label {
    id: u64,
    /// The key of the owner's row as SQL.
    owner: &'static str,
    name: String,
    value: String,
}

/// One round: both sides, and the rows that refer to them.
#[derive(Debug)]
struct Round {
    rule: &'static str,
    target: Vec<Label>,
    source: Vec<Label>,
    /// Ids of the target's labels to which rows refer that stay.
    pins: Vec<u64>,
    /// Ids of the source's labels to which its rows refer.
    uses: Vec<u64>,
}

/// The labels by name, with owner and value, and the names that the rows refer to, after a run. `None`: the run is refused.
type Outcome = Option<(BTreeMap<String, (String, String)>, Vec<String>, Vec<String>)>;

impl Round {
    fn random(random: &mut Random) -> Round {
        let rules = ["\"append\"", "\"replace\"", "\"match\"", "{ differ = \"source\" }", "{ differ = \"target\" }"];
        let rule = rules[random.below(5) as usize];
        // Other owners are rarer, so that some runs succeed.
        let owners: &[&str] = if random.below(3) == 0 { &["1", "2", "NULL"] } else { &["1"] };
        let (target, source) = (random.labels(owners), random.labels(&["1"]));
        let mut some = |of: &[Label]| {
            let many = if of.is_empty() { 0 } else { random.below(3) };
            (0..many).map(|_| of[random.below(of.len() as u64) as usize].id).collect::<Vec<_>>()
        };
        let (pins, uses) = (some(&target), some(&source));
        Round { rule, target, source, pins, uses }
    }

    /// The same by the rules of the guide.
    fn outcome(&self) -> Outcome {
        let there = |name: &str| self.target.iter().find(|label| label.name == name);
        let takes_id = |label: &Label| self.target.iter().any(|other| other.id == label.id);
        let mut labels: BTreeMap<String, (String, String)> = BTreeMap::new();
        let mut keep = |label: &Label| labels.insert(label.name.clone(), (label.owner.to_owned(), label.value.clone()));
        let name_of = |of: &[Label], id: &u64| of.iter().find(|label| label.id == *id).map(|label| label.name.clone());
        let pinned_in = |of: &[Label]| self.pins.iter().map(|id| name_of(of, id)).collect::<Option<Vec<String>>>();
        let mut pinned = pinned_in(&self.target)?;
        match self.rule {
            "\"append\"" => {
                if self.source.iter().any(|label| there(&label.name).is_some() || takes_id(label)) {
                    return None;
                }
                self.target.iter().chain(&self.source).for_each(|label| drop(keep(label)));
            }
            "\"replace\"" => {
                pinned = pinned_in(&self.source)?;
                if self.target.iter().any(|label| label.owner == "2") {
                    return None;
                }
                self.source.iter().for_each(|label| drop(keep(label)));
            }
            rule => {
                self.target.iter().for_each(|label| drop(keep(label)));
                for ours in &self.source {
                    let Some(theirs) = there(&ours.name) else {
                        keep(ours);
                        continue;
                    };
                    // A row without an owner is not that of another one, and differs.
                    let differs = ours.value != theirs.value || theirs.owner == "NULL";
                    if theirs.owner == "2" || rule == "\"match\"" && differs {
                        return None;
                    }
                    if rule.contains("source") {
                        keep(ours);
                    }
                }
            }
        }
        let used = self.uses.iter().map(|id| name_of(&self.source, id)).collect::<Option<Vec<String>>>()?;
        Some((labels, pinned, used))
    }

    fn case(&self) -> Case {
        let values = |rows: Vec<String>, table: &str| match rows.is_empty() {
            true => String::new(),
            false => format!("INSERT INTO {table} VALUES {}; ", rows.join(", ")),
        };
        let source = self.source.iter().map(|l| format!("({}, '{}', '{}')", l.id, l.name, l.value)).collect();
        let uses = self.uses.iter().enumerate().map(|(n, id)| format!("({n}, {id})")).collect();
        let tables = "CREATE TABLE labels (id INTEGER PRIMARY KEY, name TEXT, value TEXT); \
            CREATE TABLE uses (id INTEGER PRIMARY KEY, label_id INTEGER); ";
        let mapping = format!(
            "[owner]\ntable = \"users\"\nmatch = {{ name = \"ann\" }}\n[load.labels]\nowner = \"user_id\"\nexisting = {}\n\
             [load.uses]\nowner = {{ through = \"label_id\" }}\n",
            self.rule
        );
        let case =
            Case::new(&format!("{tables}{}{}", values(source, "labels"), values(uses, "uses")), TARGET, &mapping);
        let target =
            self.target.iter().map(|l| format!("({}, {}, '{}', '{}')", l.id, l.owner, l.name, l.value)).collect();
        let pins = self.pins.iter().map(|id| format!("({id})")).collect();
        let sequence = "SELECT setval('labels_id_seq', 8);";
        case.target.run(&format!("{}{}{sequence}", values(target, "labels"), values(pins, "pins (label_id)")));
        case
    }
}

fn found(case: &Case) -> Outcome {
    let labels = case.rows("SELECT name, coalesce(user_id::text, 'NULL'), value FROM labels").into_iter().map(|row| {
        let parts: Vec<&str> = row.split(' ').collect();
        (parts[0].to_owned(), (parts[1].to_owned(), parts[2].to_owned()))
    });
    let names =
        |table: &str| case.rows(&format!("SELECT name FROM {table} x JOIN labels l ON l.id = label_id ORDER BY x.id"));
    Some((labels.collect(), names("pins"), names("uses")))
}

#[test]
fn every_overlap_of_keys_ids_and_owners_ends_as_the_model_says() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5eed_2024_u64);
    let mut random = Random(seed);
    let (mut done, mut refused) = (0, 0);
    for number in 0..ROUNDS {
        let round = Round::random(&mut random);
        let (case, about) = (round.case(), format!("seed {seed}, round {number}: {round:?}"));
        let all = |case: &Case| {
            ["labels", "pins", "uses"].map(|table| case.rows(&format!("SELECT * FROM {table} ORDER BY 1")))
        };
        let before = all(&case);
        let dry = case.run(&["--dry-run"]);
        assert_eq!(all(&case), before, "{about}");
        let ran = case.run(&["--yes"]);
        match round.outcome() {
            Some(expected) => {
                assert_eq!((dry.code, ran.code), (0, 0), "{about}\n{}", ran.said());
                assert_eq!(found(&case), Some(expected), "{about}");
                case.command(&["verify"]).exits(0);
                case.command(&["rollback", "--yes"]).exits(0);
                done += 1;
            }
            None => {
                assert!([3, 4].contains(&ran.code), "{about}\n{}", ran.said());
                if ran.code == 4 {
                    case.command(&["rollback", "--yes"]).exits(0);
                }
                refused += 1;
            }
        }
        assert_eq!(all(&case), before, "{about}");
    }
    assert!(done >= 4 && refused >= 4, "{done} runs succeeded, {refused} were refused");
}
