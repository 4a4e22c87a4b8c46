//! Servers that speak PostgreSQL's protocol and are another engine, recognised by their `version()`.

use super::error::{ConnectError, Problem};

/// An engine that a run cannot use, and what it lacks.
struct OtherEngine {
    /// Its name.
    name: &'static str,
    /// The text that its `version()` contains and that of PostgreSQL does not.
    mark: &'static str,
    /// The features that a run relies on and that it lacks.
    lacks: &'static str,
}

const OTHER_ENGINES: [OtherEngine; 2] = [
    OtherEngine {
        name: "CockroachDB",
        mark: "CockroachDB",
        lacks: "it has no xmin by which a rollback recognises rows, its advisory locks lock nothing, and it does not undo \
                every DDL statement with its transaction",
    },
    OtherEngine {
        name: "YugabyteDB",
        mark: "-YB-",
        lacks: "it has no xmin by which a rollback recognises rows, its locks of tables differ by version, and its DDL \
                commits apart from the transaction that runs it",
    },
];

/// The error for a server of another engine. `None` for PostgreSQL. `version`: the server's `version()`. `place`: the target.
pub(super) fn refusal(version: &str, place: String) -> Option<ConnectError> {
    let engine = OTHER_ENGINES.iter().find(|engine| version.contains(engine.mark))?;
    let what = format!("the server is {}, not PostgreSQL", engine.name);
    let advice = format!(
        "Load into PostgreSQL 12 or later, which proves the rows, and copy them from there into {} with the tools of its \
         maker",
        engine.name
    );
    Some(ConnectError::Other(Box::new(Problem::new(place, what, engine.lacks, advice))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(version: &str) -> Option<String> {
        refusal(version, "target db:5432/app".to_owned()).map(|e| e.to_string())
    }

    #[test]
    fn other_engines_are_recognised_by_their_version() {
        let cockroach = said("CockroachDB CCL v26.3.0 (x86_64-pc-linux-gnu, built 2026/08/03 12:00:00, go1.25)");
        assert_eq!(
            cockroach.as_deref(),
            Some(
                "target db:5432/app: the server is CockroachDB, not PostgreSQL; it has no xmin by which a rollback recognises \
                 rows, its advisory locks lock nothing, and it does not undo every DDL statement with its transaction. Load \
                 into PostgreSQL 12 or later, which proves the rows, and copy them from there into CockroachDB with the tools \
                 of its maker."
            )
        );
        let yugabyte =
            said("PostgreSQL 15.12-YB-2025.1.0.0-b0 on x86_64-pc-linux-gnu, compiled by clang version 17.0.6");
        assert!(yugabyte.is_some_and(|said| said.contains("the server is YugabyteDB, not PostgreSQL")));
    }

    #[test]
    fn postgresql_and_its_packages_are_no_other_engine() {
        for version in [
            "PostgreSQL 17.6 (Debian 17.6-1.pgdg12+1) on x86_64-pc-linux-gnu, compiled by gcc (Debian 12.2.0-14) 12.2.0, 64-bit",
            "PostgreSQL 12.22 on aarch64-unknown-linux-musl, compiled by gcc (Alpine 13.2.1) 13.2.1, 64-bit",
            "EnterpriseDB 16.4.0 on x86_64-pc-linux-gnu",
            "",
        ] {
            assert_eq!(said(version), None, "{version}");
        }
    }
}
