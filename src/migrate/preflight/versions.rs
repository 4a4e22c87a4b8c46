//! The version tables of migration frameworks: which migrations each side has, compared before anything else.
//!
//! Rows fit a target only if both sides are at one version of the application. Each framework notes the migrations that it
//! ran in a table of its own; the tables are recognised by their name and columns.

use std::collections::BTreeSet;

use crate::model::ident::quoted;
use crate::model::record::{Refusal, Warning};
use crate::model::schema::TargetSchema;
use crate::pg::Session;
use crate::sqlite::{Reader, Source};

/// Most migrations that a message names of each side.
const NAMED: usize = 3;

/// The table in which a framework notes its migrations.
struct VersionTable {
    name: &'static str,
    /// Its columns that identify a migration, in one order on both sides.
    columns: &'static [&'static str],
    /// A column that tells the framework from another one with a table of this name, and that may differ between databases
    /// of one version.
    mark: Option<&'static str>,
    /// The column that is true, or set, once a migration is applied. `None` if a row says it.
    applied: Option<&'static str>,
}

impl VersionTable {
    const fn new(name: &'static str, columns: &'static [&'static str]) -> VersionTable {
        VersionTable { name, columns, mark: None, applied: None }
    }

    /// Returns SQL for the migrations that a side has, in words that SQLite and PostgreSQL both take.
    fn sql(&self, schema: &str) -> String {
        let texts: Vec<String> = self.columns.iter().map(|c| format!("CAST({} AS text)", quoted(c))).collect();
        let table = format!("{}.{}", quoted(schema), quoted(self.name));
        let condition = self.applied.map_or_else(String::new, |column| {
            format!(" WHERE CAST({0} AS text) NOT IN ('0', 'f', 'false')", quoted(column))
        });
        format!("SELECT {} FROM {table}{condition}", texts.join(" || '.' || "))
    }

    fn is_in(&self, has_column: impl Fn(&str) -> bool) -> bool {
        self.columns.iter().chain(&self.mark).chain(&self.applied).all(|column| has_column(column))
    }
}

/// The version tables of Alembic, Django, Rails (and golang-migrate), EF Core, Prisma, Knex, Flyway, goose, sqlx, Diesel,
/// TypeORM, Laravel and Doctrine. Rails' `ar_internal_metadata` names an environment and no version.
const TABLES: [VersionTable; 13] = [
    VersionTable::new("alembic_version", &["version_num"]),
    VersionTable::new("django_migrations", &["app", "name"]),
    VersionTable::new("schema_migrations", &["version"]),
    VersionTable::new("__EFMigrationsHistory", &["MigrationId"]),
    VersionTable { applied: Some("finished_at"), ..VersionTable::new("_prisma_migrations", &["migration_name"]) },
    VersionTable::new("knex_migrations", &["name"]),
    VersionTable { applied: Some("success"), ..VersionTable::new("flyway_schema_history", &["script"]) },
    VersionTable { applied: Some("is_applied"), ..VersionTable::new("goose_db_version", &["version_id"]) },
    VersionTable { applied: Some("success"), ..VersionTable::new("_sqlx_migrations", &["version"]) },
    VersionTable::new("__diesel_schema_migrations", &["version"]),
    VersionTable::new("migrations", &["timestamp", "name"]),
    VersionTable { mark: Some("batch"), ..VersionTable::new("migrations", &["migration"]) },
    VersionTable::new("doctrine_migration_versions", &["version"]),
];

/// A version table whose migrations differ on the two sides, or that cannot be compared.
pub struct VersionDifference {
    /// The table.
    pub table: &'static str,
    /// The difference, as a sentence about the table.
    pub message: String,
}

impl VersionDifference {
    /// Returns the difference as a warning.
    pub fn warning(&self) -> Warning {
        Warning::new(self.table, format!("{}. Rows of another version may not fit their tables", self.message))
    }

    /// Returns the difference as a refusal, for a mapping that asks for equal versions.
    pub fn refusal(&self) -> Refusal {
        let advice = "Bring both databases to one version with the application's own migrations, or remove \
                      `versions = \"refuse\"` from [target].";
        Refusal::new(self.table, self.message.clone(), advice)
    }
}

/// Compares the version tables that both sides have. A table that cannot be read is a difference too, because its versions
/// are unknown.
pub fn differences(session: &mut Session, source: &Source, target: &TargetSchema) -> Vec<VersionDifference> {
    let common: Vec<&VersionTable> = TABLES
        .iter()
        .filter(|table| {
            let source = source.schema().tables.get(table.name);
            let target = target.tables.get(table.name);
            source.is_some_and(|facts| table.is_in(|name| facts.column(name).is_some()))
                && target.is_some_and(|facts| table.is_in(|name| facts.column(name).is_some()))
        })
        .collect();
    if common.is_empty() {
        return Vec::new();
    }
    let queries: Vec<String> = common.iter().map(|table| table.sql(&target.schema)).collect();
    let on_target = session.texts(&queries).map_err(|e| e.to_string());
    let reader = source.reader().map_err(|e| e.to_string());
    let compare = |(place, table): (usize, &&'static VersionTable)| {
        let sides = reader.as_ref().map_err(Clone::clone).and_then(|reader| {
            let source = on_source(reader, table)?;
            let target = on_target.as_ref().map_err(Clone::clone)?;
            Ok((source, target.get(place).cloned().unwrap_or_default()))
        });
        let message = match sides {
            Ok((source, target)) => difference(&source, &target)?,
            Err(why) => format!("the versions of both sides were not compared: {why}"),
        };
        Some(VersionDifference { table: table.name, message })
    };
    common.iter().enumerate().filter_map(compare).collect()
}

fn on_source(reader: &Reader, table: &VersionTable) -> Result<BTreeSet<String>, String> {
    reader.texts(&table.sql("main")).map_err(|e| e.to_string())
}

/// Returns the difference of two sets of migrations in words. `None` if they are equal.
fn difference(source: &BTreeSet<String>, target: &BTreeSet<String>) -> Option<String> {
    let only = |these: &BTreeSet<String>, those: &BTreeSet<String>| {
        let names: Vec<String> = these.difference(those).cloned().collect();
        let more = names.len().saturating_sub(NAMED);
        let shown = names[more..].join(", ");
        match (names.len(), more) {
            (0, _) => None,
            (n, 0) => Some(format!("{n} ({shown})")),
            (n, _) => Some(format!("{n} (the last: {shown})")),
        }
    };
    match (only(source, target), only(target, source)) {
        (None, None) => None,
        (Some(source), None) => Some(format!("the source has migrations that the target lacks: {source}")),
        (None, Some(target)) => Some(format!("the target has migrations that the source lacks: {target}")),
        (Some(source), Some(target)) => {
            Some(format!("the migrations differ: {source} only in the source, {target} only on the target"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn equal_versions_differ_in_nothing() {
        assert_eq!(difference(&set(&["1", "2"]), &set(&["2", "1"])), None);
    }

    #[test]
    fn the_last_migrations_of_a_longer_list_are_named() {
        let found = difference(&set(&["1", "2", "3", "4", "5"]), &set(&["1"])).unwrap_or_default();
        assert_eq!(found, "the source has migrations that the target lacks: 4 (the last: 3, 4, 5)");
        let found = difference(&set(&["1"]), &set(&["2"])).unwrap_or_default();
        assert_eq!(found, "the migrations differ: 1 (1) only in the source, 1 (2) only on the target");
    }
}
