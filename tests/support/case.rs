//! One move as most tests of rows need it: a source, a target, a mapping of a few lines, and what came of it.

use serde_json::Value;

use super::postgres::Database;
use super::sqlite;
use super::tool::{Place, Ran};

/// One move: a source, a target and what the mapping says beside names.
pub struct Case {
    /// Where the tool runs.
    pub place: Place,
    /// Where rows go.
    pub target: Database,
}

impl Case {
    /// `mapping`: what stands behind its head.
    pub fn new(source: &str, target: &str, mapping: &str) -> Case {
        let place = Place::new();
        sqlite::file(&place, "source.db", source);
        place.write("migrate.toml", format!("format = 1\nname = \"case\"\n[source]\npath = \"source.db\"\n{mapping}"));
        Case { place, target: Database::with(target) }
    }

    /// Runs the tool, with the report on stdout.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.place.migrate(["-t", &self.target.url(), "--json"]).args(args).ran()
    }

    /// Runs it to this exit status and gives the report.
    #[track_caller]
    pub fn exits(&self, code: i32, args: &[&str]) -> Value {
        let ran = self.run(args);
        assert_eq!(ran.code, code, "{}\n{}", ran.stdout, ran.stderr);
        ran.json()
    }

    /// The lines of the fault file.
    pub fn lines(&self) -> Vec<Value> {
        let text = self.place.read("migrate-faults.ndjson");
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// (rowid, reason) of each row of the fault file, in order.
    pub fn reasons(&self) -> Vec<(i64, String)> {
        let one = |line: &Value| (line["rowid"].as_i64(), line["faults"][0]["reason"].as_str().map(str::to_owned));
        let mut all: Vec<_> = self.lines().iter().map(one).map(|(id, why)| (id.unwrap(), why.unwrap())).collect();
        all.sort();
        all
    }

    /// The ids that a table holds, in order.
    pub fn ids(&self, table: &str) -> Vec<i64> {
        let rows = self.target.rows(&format!("SELECT id FROM {table} ORDER BY id"));
        rows.into_iter().flatten().flatten().map(|id| id.parse().expect("an id")).collect()
    }
}

/// (load, rowid, column, reason) of every fault of a report.
pub fn faults(report: &Value) -> Vec<(String, i64, Option<String>, String)> {
    let listed = report["faults"].as_array().expect("faults");
    let one = |f: &Value| {
        let text = |name: &str| f[name].as_str().map(str::to_owned);
        (text("load").unwrap(), f["rowid"].as_i64().unwrap(), text("column"), text("reason").unwrap())
    };
    listed.iter().map(one).collect()
}
