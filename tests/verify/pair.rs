//! A source and a target that were migrated and verified, filled at random from a seed.

use std::fmt::Write;

use crate::support::postgres::Database;
use crate::support::tool::{Place, Ran};
use crate::support::{read_repo, sqlite};

/// Random numbers by xorshift64*: small, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }

    /// From 0 to below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// The two databases and the folder in which the tool runs.
pub struct Pair {
    pub target: Database,
    place: Place,
}

impl Pair {
    /// Makes both.
    pub fn made(random: &mut Random) -> Pair {
        let place = Place::new();
        sqlite::file(&place, "source.db", &source(random));
        place.write("mapping.toml", read_repo("tests/verify/mapping.toml"));
        Pair { target: Database::with(&read_repo("tests/verify/target.sql")), place }
    }

    /// Makes both, and migrates one into the other.
    #[track_caller]
    pub fn migrated(random: &mut Random) -> Pair {
        let pair = Pair::made(random);
        pair.migrate(&["--yes"]).expect_exit(0);
        pair
    }

    /// Runs the tool on this pair.
    pub fn migrate(&self, args: &[&str]) -> Outcome {
        let url = self.target.url();
        let all = [args, &["-m", "mapping.toml", "-s", "source.db", "-t", &url, "--json"]].concat();
        Outcome(self.place.migrate(all).ran())
    }

    /// Writes something else into the mapping.
    pub fn change_mapping(&self, from: &str, to: &str) {
        let mapping = self.place.read("mapping.toml");
        assert!(mapping.contains(from), "{from} is not in the mapping");
        self.place.write("mapping.toml", mapping.replacen(from, to, 1));
    }

    /// Runs SQL on the source.
    pub fn change_source(&self, sql: &str) {
        let db = rusqlite::Connection::open(self.place.path("source.db")).expect("the source");
        db.execute_batch(sql).expect("changed");
    }
}

/// The output of the tool.
pub struct Outcome(pub Ran);

impl Outcome {
    #[track_caller]
    pub fn expect_exit(&self, code: i32) -> serde_json::Value {
        assert_eq!(self.0.code, code, "{}\n{}", self.0.stdout, self.0.stderr);
        self.0.json()
    }
}

/// The checks of a report by their name and the load or object that they name.
pub struct Checks(Vec<serde_json::Value>);

impl Checks {
    pub fn of(report: &serde_json::Value) -> Checks {
        Checks(report["checks"].as_array().expect("checks").clone())
    }

    /// All of this name and load; `""` is the whole.
    pub fn all(&self, check: &str, load: &str) -> Vec<&serde_json::Value> {
        self.0.iter().filter(|c| c["check"] == check && c["load"].as_str().unwrap_or_default() == load).collect()
    }

    /// The only one of this name and load.
    #[track_caller]
    pub fn one(&self, check: &str, load: &str) -> &serde_json::Value {
        match self.all(check, load).as_slice() {
            [one] => one,
            other => panic!("{check} {load}: {other:#?}; Same: {:?}", self.saying("Same")),
        }
    }

    /// The names of those that were not made for this reason.
    pub fn unmade(&self, why: &str) -> Vec<&str> {
        let of = self.0.iter().filter(|c| c["verdict"] == "NotChecked" && c["why"] == why);
        of.filter_map(|c| c["check"].as_str()).collect()
    }

    /// The names of those that say this, with what they name.
    pub fn saying(&self, verdict: &str) -> Vec<String> {
        let of = |c: &serde_json::Value| {
            format!("{} {}", c["check"].as_str().unwrap_or(""), c["load"].as_str().unwrap_or(""))
        };
        self.0.iter().filter(|c| c["verdict"] == verdict).map(|c| of(c).trim_end().to_owned()).collect()
    }
}

/// Between 20 and 60 things, some of them with every edge that a type has, and what hangs on them.
fn source(random: &mut Random) -> String {
    let mut sql = String::from(
        "CREATE TABLE things (id INTEGER PRIMARY KEY, title TEXT, note TEXT, padded TEXT, ratio REAL, small REAL,
           price TEXT, free TEXT, big INTEGER, at TEXT, at_tz TEXT, day TEXT, clock TEXT, wait TEXT, flag INTEGER,
           doc TEXT, raw TEXT, tags TEXT, uid TEXT, body BLOB, mood TEXT, address TEXT);
         CREATE TABLE parts (thing_id INTEGER, label TEXT, n INTEGER);
         CREATE TABLE in_use (id INTEGER PRIMARY KEY, word TEXT);
         CREATE TABLE mixed_a (code TEXT PRIMARY KEY, a INTEGER, b TEXT);
         CREATE TABLE mixed_b (code TEXT PRIMARY KEY, c TEXT);
         CREATE TABLE spans (id INTEGER PRIMARY KEY, span TEXT, factor REAL, since TEXT, wait TEXT);
         CREATE TABLE words (word TEXT, n INTEGER);
         CREATE TABLE links (id INTEGER PRIMARY KEY, thing_id INTEGER, note TEXT);
         CREATE TABLE tagged (id INTEGER PRIMARY KEY, who TEXT, tag TEXT);\n",
    );
    let things = 20 + random.below(40);
    for n in 1..=things {
        // Ids in steps of two: a number between two of them was never given.
        let _ = writeln!(sql, "INSERT INTO things VALUES ({}, {});", 2 * n, thing(random));
        for _ in 0..random.below(3) {
            let (label, number) = (random.one(&["'a'", "'b'", "''", "NULL"]), random.below(3));
            let row = format!("INSERT INTO parts VALUES ({}, {label}, {number});\n", 2 * n);
            // Now and then a row that is there twice.
            sql += &row.repeat(1 + usize::from(random.below(3) == 0));
        }
    }
    sql += "INSERT INTO parts VALUES (2, 'twin', 1), (2, 'twin', 1);\n";
    for n in 1..=5 + random.below(10) {
        let _ = writeln!(sql, "INSERT INTO in_use VALUES ({n}, 'mine {}');", random.below(1000));
        let _ = writeln!(sql, "INSERT INTO mixed_a VALUES ('a{n}', {}, 'b{}');", random.below(99), random.below(9));
        let _ = writeln!(sql, "INSERT INTO mixed_b VALUES ('b{n}', 'c{}');", random.below(9));
        let _ = writeln!(
            sql,
            "INSERT INTO spans VALUES ({n}, '[{n},{})', {:?}, '2024-02-29 12:00:0{}', '{} days');",
            n + 3,
            double(random),
            random.below(10),
            random.below(99)
        );
        let _ = writeln!(sql, "INSERT INTO words VALUES ('w{}', {n});", random.below(6));
        let thing = if random.below(2) == 0 { 2 } else { 999 };
        let _ = writeln!(sql, "INSERT INTO links VALUES ({n}, {thing}, 'link {n}');");
        let who = random.one(&["'me'", "'other'", "'unknown'", "NULL"]).to_owned();
        let _ = writeln!(sql, "INSERT INTO tagged VALUES ({n}, {who}, 'tag {n}');");
    }
    // One of each, whatever the numbers were.
    sql += "INSERT INTO words VALUES ('first', 50), ('w0', 51);
            INSERT INTO links VALUES (100, 999, 'nowhere'); INSERT INTO tagged VALUES (100, 'other', 'last');\n";
    sql
}

fn thing(random: &mut Random) -> String {
    let number = random.below(1_000_000);
    let or_null = |random: &mut Random, text: String| if random.below(6) == 0 { "NULL".to_owned() } else { text };
    let micros = random.below(1_000_000);
    let second = random.below(60);
    let values = [
        random.one(&["''", "'Title'", "'a title'", "NULL", "'Ärger'", "'x\ty'", "'\\N'"]).to_owned(),
        format!("'note {number}'"),
        format!("'p{}'", number % 100),
        format!("{:?}", double(random)),
        random.one(&["0.5", "1.25", "-2.0", "NULL"]).to_owned(),
        format!("'{}.{:02}'", number, micros % 100),
        format!("'{}.{}0'", number, micros),
        format!("{}", number as i64 * -7_000_000_019),
        format!("'2024-03-10 02:30:{second:02}.{micros:06}'"),
        format!("'2024-03-10T02:30:{second:02}.{:03}Z'", micros % 1000),
        random.one(&["'2024-02-29'", "'1999-12-31'", "'0001-01-01'"]).to_owned(),
        format!("'23:59:{second:02}.{micros:06}'"),
        random.one(&["'1 day'", "'02:00:00'", "NULL"]).to_owned(),
        random.below(2).to_string(),
        document(random),
        random.one(&["'{\"b\" : 1,  \"a\":[ ]}'", "'null'", "NULL"]).to_owned(),
        random.one(&["'[]'", "'[\"x\", \"y z\", null]'", "'[\"\"]'"]).to_owned(),
        format!("'00000000-0000-4000-8000-{number:012}'"),
        format!("x'00ff{:02x}'", number % 256),
        random.one(&["'sad'", "'ok'", "'happy'"]).to_owned(),
        random.one(&["'10.0.0.1'", "'::1'", "NULL"]).to_owned(),
    ];
    let fixed = [0, 1, 3, 5, 14];
    let values = values.into_iter().enumerate();
    let values: Vec<String> = values.map(|(n, v)| if fixed.contains(&n) { v } else { or_null(random, v) }).collect();
    values.join(", ")
}

fn double(random: &mut Random) -> f64 {
    match random.below(5) {
        0 => 0.0,
        1 => 0.1 + 0.2,
        2 => 1e-300,
        3 => 12345.678,
        _ => random.next() as f64 / 7.0,
    }
}

fn document(random: &mut Random) -> String {
    let number = random.one(&["1e2", "1.50", "-0", "0.1e-3", "12345678901234567890"]);
    let text = random.one(&["\\u00e9", "\\/", "a\\tb", "😀", ""]);
    let document =
        format!("{{\"bb\":{number},\"a\" : [\"{text}\",null,{{\"z\":1,\"y\":{{}}}}],\"ab\":true, \"c\": [[]]}}");
    match random.below(6) {
        0 => "NULL".to_owned(),
        1 => "'[]'".to_owned(),
        _ => format!("'{document}'"),
    }
}
