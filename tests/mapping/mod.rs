//! What the mapping's language can say, each thing by itself in a small move of its own.
//!
//! The five applications say the same things together (`systems`); here stands what one of them does when it is alone.

mod checks;
mod derived;
mod feeds;
mod mistakes;
mod omitted;
mod owners;
mod resumed;
mod target;

use serde_json::Value;

use crate::support::postgres::Database;
use crate::support::tool::{Place, Run};

/// One move: a source, a target and a mapping without its head.
struct Case {
    target: Database,
    place: Place,
}

impl Case {
    fn new(source: &str, target: &str, mapping: &str) -> Case {
        let case = Case { target: Database::with(target), place: Place::new() };
        case.place.write("source.sql", source);
        case.maps(mapping);
        case
    }

    /// Another mapping in place of the first.
    fn maps(&self, mapping: &str) {
        let head = "format = 1\nname = \"case\"\n[source]\npath = \"source.sql\"\nzone = \"UTC\"\n";
        self.place.write("m.toml", format!("{head}{mapping}"));
    }

    fn run(&self, args: &[&str]) -> Run {
        self.place.migrate(["--json", "-m", "m.toml", "-t", &self.target.url()]).args(args)
    }

    /// The cutover, which must go through.
    #[track_caller]
    fn done(&self) -> Value {
        self.run(&["--yes"]).exits(0).json()
    }

    /// Refused, with each of these somewhere in what is said, and nothing written; looked at and done alike.
    #[track_caller]
    fn refused(&self, says: &[&str]) {
        let before = self.target.inventory();
        for way in ["--dry-run", "--yes"] {
            self.run(&[way]).exits(3).says(says);
        }
        assert_eq!(self.target.inventory(), before, "a refusal writes nothing");
    }

    /// The rows of a query, each in one line, NULL as `-`.
    #[track_caller]
    fn rows(&self, sql: &str) -> Vec<String> {
        let rows = self.target.rows(sql).into_iter();
        rows.map(|row| row.into_iter().map(|v| v.unwrap_or("-".to_owned())).collect::<Vec<_>>().join(" ")).collect()
    }
}

/// The entry of a report's list that has this value under this key.
fn entry<'r>(report: &'r Value, list: &str, key: &str, value: &str) -> &'r Value {
    let found = report[list].as_array().into_iter().flatten().find(|entry| entry[key] == value);
    found.unwrap_or_else(|| panic!("{list} has no {key} = {value}: {}", report[list]))
}
