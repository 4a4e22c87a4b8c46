//! The text of `--version`: the build, and the parts that decide how values are read and written.

use crate::pg;
use crate::sqlite;

/// Version, commit, SQLite, and the PostgreSQL versions that the tests ran against.
pub fn version() -> String {
    let rehearse = if cfg!(feature = "embedded") {
        "on the PostgreSQL 17 inside this binary (feature embedded)"
    } else {
        "on a private server of this machine's PostgreSQL (without the feature embedded)"
    };
    format!(
        "{} ({})\nSQLite {}, compiled in\nPostgreSQL {}, tested\nrehearse runs {rehearse}",
        env!("CARGO_PKG_VERSION"),
        env!("MIGRATE_COMMIT"),
        sqlite::version(),
        pg::TESTED_VERSIONS,
    )
}
