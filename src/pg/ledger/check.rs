//! The check that a ledger is one of this tool and that no other role can change it. Nothing of a ledger is read before.

use super::READING;
use crate::model::ledger::{LEDGER_VERSION, LedgerState, UntrustedObject};
use crate::pg::error::{Doing, ServerError};
use crate::pg::row::RowValues;
use crate::pg::session::Session;

/// One row of `sql/ledger_check.sql`, which describes the columns.
struct LedgerFinding {
    finding: String,
    object: String,
    owner: String,
    since: i32,
}

impl Session {
    /// Returns the ledger's version, or the reason why the schema contains no ledger that this role can use.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn ledger_state(&mut self) -> Result<LedgerState, ServerError> {
        let schema = self.ledger.schema.clone();
        let mut findings = Vec::new();
        for row in self.client.query(include_str!("../sql/ledger_check.sql"), &[&schema]).doing(READING)? {
            findings.push(LedgerFinding {
                finding: row.value("finding")?,
                object: row.value("object")?,
                owner: row.value("owner")?,
                since: row.value("since")?,
            });
        }
        let of = |finding: &'static str| findings.iter().filter(move |found| found.finding == finding);
        let untrusted = |found: &LedgerFinding| UntrustedObject {
            object: found.object.clone(),
            owner: found.owner.clone(),
            is_code: found.finding == "code",
        };
        let all: Vec<UntrustedObject> = of("owner").chain(of("code")).map(untrusted).collect();
        if !all.is_empty() {
            return Ok(LedgerState::Untrusted(all));
        }
        if of("present").next().is_none() {
            return Ok(LedgerState::Absent);
        }
        let foreign =
            |why: String| LedgerState::Foreign(format!("the schema `{schema}` contains no ledger of migrate: {why}"));
        if of("missing").any(|column| column.object == "ledger.version") {
            return Ok(foreign("the column `ledger.version` of type integer is missing".to_owned()));
        }
        let version = match self.ledger_version()? {
            Ok(version) => version,
            Err(why) => return Ok(foreign(why)),
        };
        Ok(match defect(&findings, version) {
            Some(why) => foreign(why),
            None => LedgerState::Version(version),
        })
    }

    /// Reads the version, or the reason why there is none.
    fn ledger_version(&mut self) -> Result<Result<i32, String>, ServerError> {
        let sql: &str = &self.ledger.sql("SELECT version FROM :ledger.ledger LIMIT 2");
        Ok(match self.client.query(sql, &[]).doing(READING)?.as_slice() {
            [row] => match row.kept::<Option<i32>>(0)? {
                None => Err("`ledger.version` is NULL".to_owned()),
                Some(version) if version < 1 => Err(format!("no ledger has version {version}")),
                Some(version) => Ok(version),
            },
            [] => Err("the table `ledger` contains no rows".to_owned()),
            _ => Err("the table `ledger` contains several rows".to_owned()),
        })
    }
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
