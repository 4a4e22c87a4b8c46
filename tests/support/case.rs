//! One migration as most tests need it: a source, a target, a mapping, and the outcome of a run.

use serde_json::Value;

use super::postgres::Database;
use super::sqlite;
use super::tool::{Place, Ran, Run};

/// One migration: a source, a target, and the arguments that name the source and the mapping.
pub struct Case {
    /// The folder in which the tool runs.
    pub place: Place,
    /// The target.
    pub target: Database,
    /// Arguments of every run, such as `-m notes.toml -s notes.db`.
    pub arguments: Vec<String>,
}

impl Case {
    /// A SQLite file, a target and a mapping, each from its text. The mapping is given without its head.
    pub fn new(source: &str, target: &str, mapping: &str) -> Case {
        let case = Case::with(Database::with(target), &[]);
        sqlite::file(&case.place, "source.db", source);
        let head = "format = 1\nname = \"case\"\n[source]\npath = \"source.db\"\n";
        case.place.write("migrate.toml", format!("{head}{mapping}"));
        case
    }

    /// An empty folder and a target.
    pub fn with(target: Database, arguments: &[&str]) -> Case {
        Case { place: Place::new(), target, arguments: arguments.iter().map(|arg| (*arg).to_owned()).collect() }
    }

    /// A run against the target, with these arguments in addition to those of the case.
    pub fn command(&self, args: &[&str]) -> Run {
        self.place.migrate(args).args(&self.arguments).args(["-t", &self.target.url()])
    }

    /// Runs the tool, with the report on stdout.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.place.migrate(["-t", &self.target.url(), "--json"]).args(&self.arguments).args(args).ran()
    }

    /// Runs the tool, which must end with this exit status. Returns the report.
    #[track_caller]
    pub fn exits(&self, code: i32, args: &[&str]) -> Value {
        let ran = self.run(args);
        assert_eq!(ran.code, code, "{}\n{}", ran.stdout, ran.stderr);
        ran.json()
    }

    /// The report of a cutover, which must succeed.
    #[track_caller]
    pub fn done(&self) -> Value {
        self.exits(0, &["--yes"])
    }

    /// Dry run and cutover are both refused with these words, and write nothing.
    #[track_caller]
    pub fn refused(&self, says: &[&str]) {
        let before = self.target.inventory();
        for way in ["--dry-run", "--yes"] {
            self.command(&["--json", way]).exits(3).says(says);
        }
        assert_eq!(self.target.inventory(), before, "a refusal writes nothing");
    }

    /// The rows of a query, each in one line, NULL as `-`.
    #[track_caller]
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let rows = self.target.rows(sql).into_iter();
        rows.map(|row| row.into_iter().map(|v| v.unwrap_or("-".to_owned())).collect::<Vec<_>>().join(" ")).collect()
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

    /// The ids of a table, in order.
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
