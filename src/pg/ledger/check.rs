//! The check that a ledger is one of this tool and that no other role can change it. Nothing of a ledger is read before.

use postgres::Row;

use super::READING;
use crate::model::ledger::{LEDGER_VERSION, LedgerState, UntrustedObject, UntrustedPower};
use crate::pg::error::ServerError;
use crate::pg::query::TypedQuery;
use crate::pg::row::RowValues;
use crate::pg::session::{LedgerSchema, Session};

/// One row of `sql/ledger_check.sql`, which describes the columns.
#[derive(Clone, Debug)]
struct LedgerFinding {
    finding: String,
    object: String,
    owner: String,
    since: i32,
}

/// The tables that older ledgers lack and that only the commands about them read, each with a dot.
const LATER_TABLES: [&str; 4] = ["kept.", "created.", "member.", "range."];

/// The query for [`LedgerColumns`] of one schema.
pub(in crate::pg) const LEDGER_COLUMNS: &str = include_str!("../sql/ledger_check.sql");

/// The ledger's schema as the catalogue shows it.
#[derive(Clone, Debug, Default)]
pub struct LedgerColumns {
    findings: Vec<LedgerFinding>,
}

impl LedgerColumns {
    /// The columns of a ledger that this process checked when its run began, and wrote to since.
    pub fn checked() -> LedgerColumns {
        let present = LedgerFinding {
            finding: "present".to_owned(),
            object: "ledger".to_owned(),
            owner: String::new(),
            since: 0,
        };
        LedgerColumns { findings: vec![present] }
    }

    pub(in crate::pg) fn of_rows(rows: &[Row]) -> Result<LedgerColumns, ServerError> {
        let finding = |row: &Row| {
            Ok(LedgerFinding {
                finding: row.value("finding")?,
                object: row.value("object")?,
                owner: row.value("owner")?,
                since: row.value("since")?,
            })
        };
        Ok(LedgerColumns { findings: rows.iter().map(finding).collect::<Result<_, ServerError>>()? })
    }

    fn of(&self, finding: &'static str) -> impl Iterator<Item = &LedgerFinding> {
        self.findings.iter().filter(move |found| found.finding == finding)
    }

    fn untrusted(&self) -> Vec<UntrustedObject> {
        let untrusted = |found: &LedgerFinding| UntrustedObject {
            object: found.object.clone(),
            role: found.owner.clone(),
            power: match found.finding.as_str() {
                "code" => UntrustedPower::Runs,
                "writer" => UntrustedPower::Writes,
                _ => UntrustedPower::Owns,
            },
        };
        self.of("owner").chain(self.of("code")).chain(self.of("writer")).map(untrusted).collect()
    }

    /// Returns true if the ledger may be read and everything that a command reads of a run is there. Older ledgers keep no
    /// rows, note no created objects and know no fleets.
    pub(super) fn are_complete(&self) -> bool {
        let is_later = |object: &str| LATER_TABLES.iter().any(|table| object.starts_with(table));
        self.version_query_is_safe()
            && self.of("kind").next().is_none()
            && self.of("missing").all(|column| is_later(&column.object))
    }

    /// Returns true if the ledger has the table of previous rows, which older ledgers lack.
    pub(super) fn keep_rows(&self) -> bool {
        self.of("missing").all(|column| !column.object.starts_with("kept."))
    }

    /// Returns true if the ledger has the table of created objects, which older ledgers lack.
    pub(super) fn note_created_objects(&self) -> bool {
        self.of("missing").all(|column| !column.object.starts_with("created."))
    }

    fn version_query_is_safe(&self) -> bool {
        self.untrusted().is_empty()
            && self.of("present").next().is_some()
            && self.of("missing").all(|column| column.object != "ledger.version")
    }

    /// The query for the version; `None` if there is none to read.
    pub(super) fn version_query<'q>(&self, ledger: &LedgerSchema) -> Option<TypedQuery<'q>> {
        let sql = ledger.sql("SELECT version FROM :ledger.ledger LIMIT 2");
        self.version_query_is_safe().then(|| TypedQuery::new(READING, sql))
    }

    /// The state of the ledger in this schema. `versions`: the answer to the query for the version.
    pub(super) fn state(&self, schema: &str, versions: &[Row]) -> Result<LedgerState, ServerError> {
        let all = self.untrusted();
        if !all.is_empty() {
            return Ok(LedgerState::Untrusted(all));
        }
        if self.of("present").next().is_none() {
            return Ok(LedgerState::Absent);
        }
        let foreign =
            |why: String| LedgerState::Foreign(format!("the schema `{schema}` contains no ledger of migrate: {why}"));
        if self.of("missing").any(|column| column.object == "ledger.version") {
            return Ok(foreign("the column `ledger.version` of type integer is missing".to_owned()));
        }
        let version = match versions {
            [row] => match row.kept::<Option<i32>>(0)? {
                None => return Ok(foreign("`ledger.version` is NULL".to_owned())),
                Some(version) if version < 1 => return Ok(foreign(format!("no ledger has version {version}"))),
                Some(version) => version,
            },
            [] => return Ok(foreign("the table `ledger` contains no rows".to_owned())),
            _ => return Ok(foreign("the table `ledger` contains several rows".to_owned())),
        };
        Ok(match defect(&self.findings, version) {
            Some(why) => foreign(why),
            None => LedgerState::Version(version),
        })
    }
}

impl Session {
    /// Looks for the tables of a ledger.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn ledger_columns(&mut self) -> Result<LedgerColumns, ServerError> {
        let schema = self.ledger.schema.clone();
        let [rows] = self.ask([TypedQuery::new(READING, LEDGER_COLUMNS).with(&schema)])?;
        LedgerColumns::of_rows(&rows)
    }

    /// Returns the ledger's version, or the reason why the schema contains no ledger that this role can use.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn ledger_state(&mut self) -> Result<LedgerState, ServerError> {
        Ok(self.find_ledger(Vec::new())?.0.state)
    }

    /// Looks for the ledger, and sends other queries along. Returns their answers, too.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub(in crate::pg) fn find_ledger(
        &mut self,
        others: Vec<TypedQuery<'_>>,
    ) -> Result<(LedgerPlace, Vec<Vec<Row>>), ServerError> {
        let (schema, count) = (self.ledger.schema.clone(), others.len());
        let exists = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)";
        let queries = [LEDGER_COLUMNS, exists].map(|sql| TypedQuery::new(READING, sql).with(&schema));
        let mut answers = self.ask_all(others.into_iter().chain(queries))?;
        let mut of_ledger = answers.split_off(count).into_iter();
        let columns = LedgerColumns::of_rows(&of_ledger.next().unwrap_or_default())?;
        let exists = of_ledger.next().unwrap_or_default();
        let versions = self.ask_all(columns.version_query(&self.ledger))?.concat();
        let schema_exists = exists.first().map_or(Ok(false), |row| row.value(0))?;
        Ok((LedgerPlace { state: columns.state(&schema, &versions)?, schema_exists }, answers))
    }
}

/// The place of the ledger, as it is before a run begins.
#[derive(Clone, Debug)]
pub struct LedgerPlace {
    /// The state of the ledger.
    pub state: LedgerState,
    /// True if its schema exists.
    pub schema_exists: bool,
}

/// Returns the first difference from the tables of this version; `None` if there is none. A newer version is not known, so
/// it is not compared.
fn defect(findings: &[LedgerFinding], version: i32) -> Option<String> {
    if version > LEDGER_VERSION {
        return None;
    }
    let why = |found: &LedgerFinding| {
        let object = &found.object;
        match found.finding.as_str() {
            "missing" if found.since <= version => {
                Some(format!("the column `{object}` is missing or has another type"))
            }
            "known" if found.since > version => Some(format!("version {version} has no column `{object}`")),
            "extra" => Some(format!("no version has a column `{object}`")),
            "kind" => Some(format!("`{object}` is no plain table whose rows survive a crash of the server")),
            "key" => Some(format!("the unique key {object} is missing")),
            _ => None,
        }
    };
    findings.iter().find_map(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(finding: &str, since: i32) -> LedgerFinding {
        LedgerFinding { finding: finding.to_owned(), object: "run.column".to_owned(), owner: String::new(), since }
    }

    #[test]
    fn a_column_counts_from_its_version_on() {
        assert_eq!(defect(&[finding("known", 1), finding("present", 0)], 1), None);
        assert!(defect(&[finding("missing", 1)], 1).is_some());
        assert!(defect(&[finding("known", 2)], 1).is_some_and(|why| why.contains("version 1 has no column")));
        assert_eq!(defect(&[finding("missing", 2)], 1), None);
        assert!(defect(&[finding("extra", 0)], 1).is_some());
        assert_eq!(defect(&[finding("extra", 0)], LEDGER_VERSION + 1), None);
    }
}
