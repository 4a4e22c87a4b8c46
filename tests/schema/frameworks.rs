//! Databases that frameworks made: PostgreSQL accepts the tables of each.

use super::Case;
use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::Place;

/// PostgreSQL accepts the tables of a framework's database, and computes the same values.
#[track_caller]
fn is_accepted(name: &str) {
    let case = Case { place: Place::new(), target: Database::empty() };
    sqlite::of(&case.place, "app.db", &format!("tests/init/frameworks/{name}/source.sql"));
    let ran = case.command(&["--prove", "--server", &case.target.url()]).ran();
    assert!([0, 6].contains(&ran.code), "{name}: {}", ran.stderr);
    assert!(ran.stderr.contains("Proved: "), "{name}: {}", ran.stderr);
    case.target.run(&ran.stdout);
    let wanted = ran.stdout.matches("\nCREATE TABLE ").count();
    let sql = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(case.target.value(sql), wanted.to_string(), "{name}");
}

#[test]
fn the_tables_of_thirteen_frameworks_are_accepted() {
    for name in [
        "alembic",
        "django",
        "drf",
        "drizzle",
        "knex",
        "laravel",
        "peewee",
        "pony",
        "rails",
        "sequelize",
        "sqlmodel",
        "tortoise",
        "typeorm",
    ] {
        is_accepted(name);
    }
}
