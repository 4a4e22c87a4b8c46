//! `migrate schema`: the tables that it writes for a SQLite file, run by a real PostgreSQL.

mod constructs;
mod create;
mod draw;
mod drawn_queries;
pub mod expressions;
mod frameworks;
mod further_owners;
mod listed_expressions;
mod names;
mod owners;
mod proof;
mod random_expressions;
mod random_tables;
mod random_views;
mod rare_forms;
mod same_framework;
mod shops;
mod tables;
mod utf16;
mod views;

use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::{Place, Ran, Run};

/// A source, and an empty database.
pub struct Case {
    /// The folder in which the tool runs; the source is `app.db`.
    pub place: Place,
    /// The target.
    pub target: Database,
}

impl Case {
    /// A SQLite file from its text.
    pub fn new(source: &str) -> Case {
        let case = Case { place: Place::new(), target: Database::empty() };
        sqlite::file(&case.place, "app.db", source);
        case
    }

    /// `migrate schema` of the source.
    pub fn command(&self, args: &[&str]) -> Run {
        self.place.migrate(["schema", "-s", "app.db"]).args(args)
    }

    /// The file, on stdout, which the target has accepted in one transaction.
    #[track_caller]
    pub fn made(&self, code: i32) -> Tables {
        let ran = self.command(&[]).exits(code);
        self.target.run(&ran.stdout);
        Tables { text: ran.stdout.clone(), ran }
    }

    /// The definition of each column of a table in PostgreSQL: name, type, NOT NULL, default or identity.
    pub fn columns(&self, table: &str) -> Vec<String> {
        let sql = format!(
            "SELECT concat_ws(' ', quote_ident(attname), format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END, \
                    CASE attidentity WHEN 'd' THEN 'identity' END, pg_get_expr(adbin, adrelid)) \
             FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum \
             WHERE attrelid = '{table}'::regclass AND attnum > 0 ORDER BY attnum"
        );
        self.target.rows(&sql).into_iter().flatten().flatten().collect()
    }

    /// The definitions of the constraints of all tables.
    pub fn constraints(&self) -> Vec<String> {
        let sql = "SELECT conrelid::regclass || ': ' || pg_get_constraintdef(oid) FROM pg_constraint \
                   WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1";
        self.target.rows(sql).into_iter().flatten().flatten().collect()
    }

    /// The definitions of the indexes that belong to no constraint.
    pub fn indexes(&self) -> Vec<String> {
        let sql = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' \
                   AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = indexname) ORDER BY 1";
        self.target.rows(sql).into_iter().flatten().flatten().collect()
    }
}

/// A file of tables.
pub struct Tables {
    /// The text.
    pub text: String,
    /// The run that made it.
    pub ran: Ran,
}

impl Tables {
    /// The comments, each on one line.
    pub fn comments(&self) -> String {
        let comments: Vec<&str> = self.text.lines().filter_map(|line| line.strip_prefix("--")).collect();
        comments.join("\n").split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The comments contain each of these.
    #[track_caller]
    pub fn states(&self, parts: &[&str]) {
        let comments = self.comments();
        for part in parts {
            assert!(comments.contains(part), "`{part}` is missing in:\n{}", self.text);
        }
    }
}
