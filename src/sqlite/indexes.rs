//! Checks the indexes through which SQL of a mapping reads.
//!
//! This program's own statements read the rows of a table and no index. SQL of a mapping reads whatever index SQLite
//! chooses, and a row that is missing from a damaged index would be missing from the target.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::determinism;
use super::error::{ErrorClass, Said, SourceError};
use super::reader::Reader;
use crate::model::ident::quoted;
use crate::model::select::{Expr, Relation, Select};

/// The most findings that `PRAGMA integrity_check` returns for one table.
const MOST_FINDINGS: usize = 100;

impl Reader {
    /// Compares each indexed table that SQL of this select reads with its indexes. Reads all of its rows once.
    ///
    /// # Errors
    /// If an index does not agree with its table, or if that cannot be determined.
    pub fn check_indexes(&self, select: &Select) -> Result<(), SourceError> {
        for relation in self.read_by_index(select)? {
            self.check_indexes_of(&relation)?;
        }
        Ok(())
    }

    /// Returns the tables and other relations that SQLite may read through an index. An expression without a subquery
    /// concerns only the row that is read.
    fn read_by_index(&self, select: &Select) -> Result<BTreeSet<String>, SourceError> {
        self.lane()?.log.take();
        if matches!(select.relation, Relation::Sql(_)) {
            self.relation_columns(select)?;
        }
        for expr in &select.exprs {
            if matches!(expr, Expr::Sql(sql) if determinism::has_subquery(sql)) {
                self.probe(select, expr)?;
            }
        }
        Ok(self.lane()?.log.take().relations)
    }

    /// Compares one table with its indexes, once for the life of the snapshot.
    fn check_indexes_of(&self, table: &str) -> Result<(), SourceError> {
        let known = &self.shared.counted.indexes;
        if let Some(found) = known.lock().unwrap_or_else(PoisonError::into_inner).get(table) {
            return found.clone();
        }
        let found = self.compare_indexes(table);
        known.lock().unwrap_or_else(PoisonError::into_inner).insert(table.to_owned(), found.clone());
        found
    }

    fn compare_indexes(&self, table: &str) -> Result<(), SourceError> {
        let mut listed = self.prepare("SELECT count(*) FROM pragma_index_list(?1)")?;
        let indexes = listed.query_row([table], |row| row.get::<_, i64>(0));
        if indexes.map_err(|error| self.failure(&Said::of(&error)))? == 0 {
            return Ok(());
        }
        let place = format!("source table `{table}`");
        let mut statement = self.prepare(&format!("PRAGMA main.integrity_check({})", quoted(table)))?;
        let text = |row: &rusqlite::Row<'_>| {
            Ok(String::from_utf8_lossy(row.get_ref(0)?.as_bytes_or_null()?.unwrap_or_default()).into_owned())
        };
        let found = statement.query_map([], text).and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>);
        let found = found.map_err(|error| {
            let said = Said::of(&error);
            if said.blames_a_row() {
                unknown(&place, &format!("SQLite says \"{}\"", said.words))
            } else {
                self.failure(&said)
            }
        })?;
        match found.iter().find(|finding| concerns_storage(finding)) {
            Some(finding) => Err(SourceError::new(ErrorClass::Damaged, place, "does not agree with its indexes")
                .because(format!(
                    "SQL of the mapping reads through them, and PRAGMA integrity_check says \"{finding}\""
                ))
                .advise("Copy the file, run REINDEX on the copy with the sqlite3 shell, and read the copy.")),
            None if found.len() >= MOST_FINDINGS => {
                Err(unknown(&place, "PRAGMA integrity_check reports only rows that violate NOT NULL or a type"))
            }
            None => Ok(()),
        }
    }
}

/// The refusal of a table that cannot be compared with its indexes.
fn unknown(place: &str, why: &str) -> SourceError {
    SourceError::new(
        ErrorClass::Other,
        place,
        "cannot be compared with its indexes, through which SQL of the mapping reads",
    )
    .because(why)
    .advise("Copy the file, drop the indexes in the copy with the sqlite3 shell, and read the copy.")
}

/// Returns true if a finding of `PRAGMA integrity_check` is about pages or indexes. Findings such as `NULL value in t.a`
/// are about values, which are read as they are.
fn concerns_storage(finding: &str) -> bool {
    finding != "ok" && !finding.split_once(' ').is_some_and(|(_, rest)| rest.starts_with("value in "))
}
