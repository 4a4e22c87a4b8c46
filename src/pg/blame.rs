//! The reason why the server refused one row: from the SQLSTATE, the fields of its answer and the catalogue, never from its
//! message.

use super::batch::OpenBatch;
use super::copy::Destination;
use super::error::{Doing, ServerError};
use super::row::RowValues;
use super::{sqlstate, sqlstate_names};
use crate::model::fault::Reason;

/// The server's source file that puts rows into a table's pages. Any other file that reports "too large" is an index's.
const HEAP: &str = "hio.c";

/// The server's source files that assemble values. A value that is too large there is so in any table, with or without an
/// index.
const VALUES: [&str; 4] = ["jsonb_util.c", "jsonb.c", "stringinfo.c", "arrayutils.c"];

/// The reason why a row is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blame {
    /// The stable reason.
    pub reason: Reason,
    /// The column; `None` if the server named no column or no single column is the cause.
    pub column: Option<String>,
    /// The constraint and the SQLSTATE. Never a value.
    pub detail: String,
    /// The constraint that refused the row, if the server named one.
    pub constraint: Option<String>,
}

/// The catalogue's facts about the table and the constraint that the server named.
#[derive(Default)]
struct RefusalFacts {
    /// `pg_constraint.contype`, and `u` for a unique index without a constraint.
    kind: Option<String>,
    partitioned: bool,
    triggers: bool,
}

impl Blame {
    /// Blames a value that the server could not read, before it reached any table.
    pub fn of_value(error: &ServerError) -> Blame {
        Blame::new(reason(error, &RefusalFacts::default()), None, error)
    }

    /// Blames a row for a constraint that it fails.
    pub fn of_constraint(reason: Reason, name: &str) -> Blame {
        Blame { reason, column: None, detail: format!("constraint {name}"), constraint: Some(name.to_owned()) }
    }

    fn new(reason: Reason, column: Option<String>, error: &ServerError) -> Blame {
        Blame { reason, column, detail: detail(error), constraint: error.constraint.clone() }
    }
}

impl OpenBatch<'_> {
    /// Finds the reason why the server refused the single row of a batch with this error. The transaction must be usable.
    ///
    /// # Errors
    /// If the server refuses the question or the connection is lost.
    pub fn blame(&mut self, into: &Destination<'_>, error: &ServerError) -> Result<Blame, ServerError> {
        // The server names a partition by its own name, and the statement of a trigger may have touched another table.
        let named = error.table.as_deref().filter(|_| !error.swallowed);
        let schema = if named.is_none_or(|t| t == into.table) { Some(into.schema) } else { None };
        let table = named.unwrap_or(into.table);
        let sql = include_str!("sql/refused_constraint.sql");
        let row = self.application_path.leave_for(&mut self.tx, |tx| {
            tx.query_opt(sql, &[&schema, &table, &error.constraint]).doing("asking for the constraint")
        })?;
        let facts = match row {
            None => RefusalFacts::default(),
            Some(row) => RefusalFacts {
                kind: row.value("kind")?,
                partitioned: row.value("partitioned")?,
                triggers: row.value("triggers")?,
            },
        };
        let reason = reason(error, &facts);
        // The server names the column of a partition, too; a statement of a trigger may name that of another table.
        let is_own = reason == Reason::NullInNotNull || table == into.table;
        let column = error.column.clone().filter(|_| is_own && !error.swallowed);
        Ok(Blame::new(reason, column, error))
    }
}

fn reason(error: &ServerError, facts: &RefusalFacts) -> Reason {
    if error.swallowed {
        // Without a trigger, another session inserted a row with the same key in between.
        return if facts.triggers { Reason::TriggerSwallowed } else { Reason::Duplicate };
    }
    let state = error.state.as_deref().unwrap_or_default();
    if error.is_too_large_for_memory() {
        return Reason::TooLarge;
    }
    if state == sqlstate::PROGRAM_LIMIT_EXCEEDED {
        return match error.file.as_deref().filter(|_| error.constraint.is_none()) {
            Some(HEAP) => Reason::RowTooLarge,
            Some(file) if VALUES.contains(&file) => Reason::TooLarge,
            _ => Reason::IndexRowTooLarge,
        };
    }
    match (state, facts.kind.as_deref()) {
        (sqlstate::NOT_NULL_VIOLATION, _) => Reason::NullInNotNull,
        (sqlstate::UNTRANSLATABLE_CHARACTER, _) => Reason::NotInEncoding,
        (_, Some("p" | "u")) => Reason::Duplicate,
        (_, Some("x")) => Reason::ExclusionFailed,
        (_, Some("c")) => Reason::CheckFailed,
        (_, Some("f")) => Reason::Orphan,
        (_, Some("t")) => Reason::TriggerRefused,
        (sqlstate::CHECK_VIOLATION, _) if error.domain.is_some() => Reason::CheckFailed,
        (sqlstate::CHECK_VIOLATION, _) if error.constraint.is_none() && facts.partitioned => Reason::NoPartition,
        _ if facts.triggers => Reason::TriggerRefused,
        (sqlstate::STATEMENT_TOO_COMPLEX, _) => Reason::TooDeep,
        (sqlstate::UNIQUE_VIOLATION, _) => Reason::Duplicate,
        (sqlstate::CHECK_VIOLATION | sqlstate::WITH_CHECK_OPTION_VIOLATION, _) => Reason::CheckFailed,
        (sqlstate::FOREIGN_KEY_VIOLATION, _) => Reason::Orphan,
        (sqlstate::EXCLUSION_VIOLATION, _) => Reason::ExclusionFailed,
        _ => Reason::ServerRefused,
    }
}

fn detail(error: &ServerError) -> String {
    let mut parts = Vec::new();
    if let Some(name) = &error.constraint {
        parts.push(format!("constraint {name}"));
    }
    if let Some(name) = &error.domain {
        parts.push(format!("domain {name}"));
    }
    if let Some(state) = &error.state {
        parts.push(sqlstate_names::shown(state));
    }
    parts.join(", ")
}
