//! `migrate fleet`: many files, each with an owner of its own, in one run.

mod files;
mod in_use;
mod large;
mod omitted;
mod refusals;
mod removal;
mod shared;
mod workers;

use std::path::PathBuf;

use crate::support::case::Case;
use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::Place;

/// Two tables whose ids are shifted, with an owner.
pub const TARGET: &str = "CREATE TABLE users (id bigserial PRIMARY KEY, username text NOT NULL UNIQUE);
    CREATE TABLE acc (id serial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, name text NOT NULL, UNIQUE (user_id, name));
    CREATE TABLE tx (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
        acc_id int NOT NULL REFERENCES acc ON DELETE CASCADE, amount numeric(12,2) NOT NULL CHECK (amount <> 13));";

pub const MAPPING: &str = "format = 1\nname = \"bank\"\n[owner]\ntable = \"users\"\nmatch = { username = { member = true } }\n\
    create = {}\n[defaults]\nexisting = \"append\"\n[load.acc]\nowner = \"user_id\"\nids = \"shift\"\n\
    [load.tx]\nowner = \"user_id\"\nids = \"shift\"\n";

pub const SCHEMA: &str = "CREATE TABLE acc (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE tx (id INTEGER PRIMARY KEY, acc_id INTEGER NOT NULL REFERENCES acc, amount REAL NOT NULL);";

/// The files of a fleet and its target.
pub struct Fleet {
    pub case: Case,
}

impl Fleet {
    /// So many files: `u00.db` with the accounts and payments of `u00`, and so on.
    pub fn of(files: u32) -> Fleet {
        Fleet::with(Database::with(TARGET), files)
    }

    pub fn with(target: Database, files: u32) -> Fleet {
        let fleet = Fleet { case: Case::with(target, &["-m", "fleet.toml"]) };
        fleet.case.place.write("fleet.toml", MAPPING);
        (0..files).for_each(|n| drop(fleet.file(n)));
        fleet
    }

    fn place(&self) -> &Place {
        &self.case.place
    }

    /// The file of an owner, made anew.
    pub fn file(&self, n: u32) -> PathBuf {
        let payments: Vec<String> =
            (1..=3 + n % 4).map(|id| format!("({id}, {}, {id}.{:02})", 1 + id % 2, n % 100)).collect();
        let rows = format!(
            "INSERT INTO acc VALUES (1, 'a of {n}'), (2, 'b of {n}'); INSERT INTO tx VALUES {};",
            payments.join(", ")
        );
        let name = format!("u{n:02}.db");
        let _ = std::fs::remove_file(self.place().path(&name));
        sqlite::file(self.place(), &name, &format!("{SCHEMA}{rows}"))
    }

    /// Runs `fleet` over all files with these arguments. Returns the report.
    #[track_caller]
    pub fn exits(&self, code: i32, args: &[&str]) -> serde_json::Value {
        self.case.command(&["fleet", "--json", "--sources", "%{username}.db"]).args(args).exits(code).json()
    }

    /// Runs a subcommand of `fleet`.
    #[track_caller]
    pub fn about(&self, code: i32, args: &[&str]) -> serde_json::Value {
        self.case.command(&[&["fleet"], args, &["--json"]].concat()).exits(code).json()
    }

    /// Every row of the target with its owner, as the application sees them: without ids.
    pub fn rows(&self) -> Vec<String> {
        self.case.rows(
            "SELECT u.username, a.name, t.amount FROM users u JOIN acc a ON a.user_id = u.id \
             LEFT JOIN tx t ON t.acc_id = a.id AND t.user_id = u.id ORDER BY 1, 2, 3",
        )
    }

    /// The rows that the files of these owners hold.
    pub fn expected(&self, owners: impl IntoIterator<Item = u32>) -> Vec<String> {
        let mut rows = Vec::new();
        for n in owners {
            let source = sqlite::open(&self.place().path(&format!("u{n:02}.db")));
            let sql = "SELECT a.name, printf('%.2f', t.amount) FROM acc a LEFT JOIN tx t ON t.acc_id = a.id";
            let mut read = source.prepare(sql).expect("a query");
            let found = read.query_map([], |row| {
                let (name, amount): (String, Option<String>) = (row.get(0)?, row.get(1)?);
                Ok(format!("u{n:02} {name} {}", amount.unwrap_or("-".to_owned())))
            });
            rows.extend(found.expect("rows").map(|row| row.expect("a row")));
        }
        rows
    }

    /// The target has exactly the rows of these owners, each once.
    #[track_caller]
    pub fn holds(&self, owners: impl IntoIterator<Item = u32>) {
        let (mut found, mut expected) = (self.rows(), self.expected(owners));
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }
}
