//! An oracle that shares no code with the conversion: random schemas and typed values are drawn first, then one of each
//! value's SQLite spellings, and bad cells are planted; the tool moves them, and what PostgreSQL prints must be what was drawn.
//!
//! `tests/oracle.sh --seconds N --seed S` runs it for longer. A failure prints the seed of its round, which repeats it.

mod draw;
pub mod random;
mod spellings;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::Place;
use draw::Type;
use random::Random;

/// Without `MIGRATE_ORACLE_SECONDS`.
const SECONDS: u64 = 10;

/// (load, rowid, column, reason).
type Planted = BTreeSet<(String, u64, String, String)>;

/// A source, a target, and what must become of every cell.
#[derive(Default)]
struct Round {
    source: String,
    target: String,
    mapping: String,
    /// By table: the query that prints it, and by id what it prints.
    good: Vec<(String, BTreeMap<u64, Vec<String>>)>,
    planted: Planted,
}

#[test]
fn postgresql_prints_every_drawn_value_and_every_planted_cell_is_a_fault() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let budget = Duration::from_secs(number("MIGRATE_ORACLE_SECONDS").unwrap_or(SECONDS));
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970");
    let first = number("MIGRATE_SEED").unwrap_or(clock.as_secs());
    let began = Instant::now();
    let (mut seed, mut cells, mut counts) = (first, 0, BTreeMap::new());
    println!("oracle: from seed {first}, for {} s", budget.as_secs());
    // Chance may leave something out of a short run: first comes everything that can be planted, once.
    cells += hold(&catalogue(), seed, &mut counts);
    while seed == first || began.elapsed() < budget {
        cells += hold(&drawn(&mut Random::new(seed)), seed, &mut counts);
        seed += 1;
    }
    counts.iter().for_each(|(reason, count)| println!("{reason:<24}{count:>9} planted and blamed"));
    println!("oracle: seeds {first} to {}, {cells} cells", seed - 1);
}

/// One round; its number of cells.
fn hold(round: &Round, seed: u64, counts: &mut BTreeMap<String, usize>) -> usize {
    let mut random = Random::new(seed ^ u64::MAX);
    let place = Place::new();
    sqlite::file(&place, "source.db", &round.source);
    let head =
        format!("format = 1\nname = \"oracle\"\n[source]\npath = \"source.db\"\nzone = \"UTC\"\n{}", round.mapping);
    place.write("migrate.toml", head);
    let target = Database::with(&round.target);
    let batch = random.pick(&["1", "7", "50000"]);
    let detach = random.pick(&["auto", "never", "always"]);
    let args = ["--yes", "--json", "--on-fault", "quarantine", "--batch-rows", batch, "--detach", detach];
    let ran = place.migrate(["-t", &target.url()]).args(args).ran();
    let again = format!("MIGRATE_SEED={seed} MIGRATE_ORACLE_SECONDS=1 repeats it");
    let code = if round.planted.is_empty() { 0 } else { 6 };
    assert_eq!(ran.code, code, "{again}\n{}", ran.said());
    let blamed = blamed(&ran.json());
    let missed: Vec<_> = round.planted.difference(&blamed).collect();
    let wronged: Vec<_> = blamed.difference(&round.planted).collect();
    assert!(
        missed.is_empty() && wronged.is_empty(),
        "{again}\nnot blamed: {missed:?}\nblamed: {wronged:?}\n{}",
        round.source
    );
    for (_, _, _, reason) in &round.planted {
        *counts.entry(reason.clone()).or_default() += 1;
    }
    let mut cells = 0;
    for (query, good) in &round.good {
        let rows = target.rows(query);
        assert_eq!(rows.len(), good.len(), "{again}\n{query}");
        for row in rows {
            let text = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "NULL".to_owned());
            let found: Vec<String> = row[1..].iter().map(text).collect();
            let id = row[0].as_deref().expect("an id").parse().expect("an id");
            assert_eq!(Some(&found), good.get(&id), "{again}\n{query}\nrow {id} in:\n{}", round.source);
            cells += found.len();
        }
    }
    cells + round.planted.len()
}

fn blamed(report: &serde_json::Value) -> Planted {
    let text = |fault: &serde_json::Value, name: &str| fault[name].as_str().unwrap_or_default().to_owned();
    let faults = report["faults"].as_array().expect("faults");
    assert_eq!(report["fault_total"].as_u64(), Some(faults.len() as u64), "each planted row once");
    let one = |f: &serde_json::Value| {
        (text(f, "load"), f["rowid"].as_u64().expect("a rowid"), text(f, "column"), text(f, "reason"))
    };
    faults.iter().map(one).collect()
}

impl Round {
    fn new() -> Round {
        Round { target: draw::TYPES.to_owned(), ..Round::default() }
    }

    /// Adds a table; the query that prints it.
    fn table(&mut self, t: usize, columns: &[Type]) -> String {
        let names = |each: &dyn Fn(usize, &Type) -> String| -> String {
            columns.iter().enumerate().map(|(n, column)| format!(", {}", each(n, column))).collect()
        };
        self.source += &format!("CREATE TABLE t{t} (id INTEGER PRIMARY KEY{});\n", names(&|n, _| format!("c{n}")));
        let declared = names(&|n, column| format!("c{n} {}", column.name()));
        self.target += &format!("CREATE TABLE t{t} (id bigint PRIMARY KEY{declared});\n");
        self.mapping += &format!("[load.t{t}]\n[load.t{t}.columns]\n");
        for (n, column) in columns.iter().enumerate().filter(|(_, column)| !column.modifiers().is_empty()) {
            self.mapping += &format!("c{n} = {{ {} }}\n", column.modifiers());
        }
        let printed = names(&|n, column| column.printed(&format!("c{n}")));
        format!("SET TimeZone = 'UTC'; SELECT id{printed} FROM t{t} ORDER BY id")
    }
}

/// A table of each type: its edges, and every cell of it that cannot go.
fn catalogue() -> Round {
    let mut round = Round::new();
    for (t, kind) in draw::ALL.into_iter().enumerate() {
        let query = round.table(t, &[kind]);
        let (mut id, mut good) = (0, BTreeMap::new());
        for (value, literal) in spellings::edges(kind) {
            id += 1;
            round.source += &format!("INSERT INTO t{t} VALUES ({id}, {literal});\n");
            good.insert(id, vec![value]);
        }
        for (literal, reason) in kind.bads() {
            id += 1;
            round.source += &format!("INSERT INTO t{t} VALUES ({id}, {literal});\n");
            round.planted.insert((format!("t{t}"), id, "c0".to_owned(), reason.to_owned()));
        }
        round.good.push((query, good));
    }
    round
}

fn drawn(random: &mut Random) -> Round {
    let mut round = Round::new();
    for t in 0..1 + random.below(4) as usize {
        let columns: Vec<Type> = (0..1 + random.below(8)).map(|_| Type::drawn(random)).collect();
        let query = round.table(t, &columns);
        let mut good = BTreeMap::new();
        for id in 1..=random.below(120) {
            let bad = (random.below(10) == 0).then(|| random.below(columns.len() as u64) as usize);
            let mut cells = Vec::new();
            let mut literals = String::new();
            for (n, column) in columns.iter().enumerate() {
                let planted = if bad == Some(n) { column.bad(random) } else { None };
                let literal = if let Some((literal, reason)) = planted {
                    round.planted.insert((format!("t{t}"), id, format!("c{n}"), reason.to_owned()));
                    literal.to_owned()
                } else {
                    let (value, literal) = column.good(random);
                    cells.push(value);
                    literal
                };
                literals += &format!(", {literal}");
            }
            round.source += &format!("INSERT INTO t{t} VALUES ({id}{literals});\n");
            if cells.len() == columns.len() {
                good.insert(id, cells);
            }
        }
        round.good.push((query, good));
    }
    round
}
