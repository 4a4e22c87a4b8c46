//! The owner's row that a run made: deleted unless other rows refer to it or it was written to since.

use super::rows::{DeletionFacts, ReferencingKey};
use super::transaction::OpenRollback;
use crate::model::ident::{qualified, quoted};
use crate::pg::client::Pipeline;
use crate::pg::error::{Doing, ServerError};
use crate::pg::row::RowValues;
use crate::pg::session::ApplicationPath;

/// The fate of the owner's row that the run had created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerRollback {
    /// The row is deleted.
    Deleted,
    /// The row is still there, for this reason.
    Kept(&'static str),
}

/// The owner's row.
#[derive(Clone, Copy, Debug)]
pub struct OwnerRow<'a> {
    /// The schema.
    pub schema: &'a str,
    /// The table.
    pub table: &'a str,
    /// The key column.
    pub key: &'a str,
    /// The key as text.
    pub value: &'a str,
}

impl OpenRollback<'_> {
    /// Deletes the owner's row that the run created, unless other rows refer to it or it was written to since. One round trip.
    /// `facts`: those of its table.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn delete_owner(
        &mut self,
        row: OwnerRow<'_>,
        facts: Option<&DeletionFacts>,
    ) -> Result<OwnerRollback, ServerError> {
        let OwnerRow { schema, table, key, value } = row;
        let (name, key, is) = (qualified(schema, table), quoted(key), "OPERATOR(pg_catalog.=)");
        let refers = |referencing: &ReferencingKey| {
            let ReferencingKey { child, joined, .. } = referencing;
            format!("EXISTS (SELECT 1 FROM {child} c JOIN {name} t ON {joined} WHERE t.{key}::pg_catalog.text {is} $1)")
        };
        let refers: Vec<String> = facts.iter().flat_map(|facts| &facts.referencing).map(refers).collect();
        // The server learns the parameter's type from its use.
        let nothing = "$1::pg_catalog.text IS NULL".to_owned();
        let refers = if refers.is_empty() { nothing } else { refers.join(" OR ") };
        // The transaction that created the row also wrote the ledger's record of it.
        let delete = self.ledger.sql(&format!(
            "DELETE FROM {name} t WHERE t.{key}::pg_catalog.text {is} $1 AND NOT ({refers}) \
             AND EXISTS (SELECT FROM :ledger.made m WHERE m.run {is} $2 AND m.kind {is} 'owner' AND m.xmin {is} t.xmin \
             AND m.xmin OPERATOR(pg_catalog.<>) ALL (SELECT l.xmin FROM :ledger.ledger l))"
        ));
        let is_there = format!("EXISTS (SELECT 1 FROM {name} t WHERE t.{key}::pg_catalog.text {is} $1)");
        let forget = self
            .ledger
            .sql(&format!("DELETE FROM :ledger.made WHERE run {is} $2 AND kind {is} 'owner' AND NOT {is_there}"));
        let mut steps = Pipeline::new();
        let path = &self.application_path;
        if path.is_needed_to_read {
            steps = steps.script(path.set(true));
        }
        let before = steps.len();
        let steps = steps.query(format!("SELECT {refers}"), &[&value]).query(delete, &[&value, &self.run]);
        let steps = steps.query(format!("SELECT {is_there}"), &[&value]).query(forget, &[&value, &self.run]);
        let answers =
            steps.script(ApplicationPath::leave(true)).rows(&mut self.tx).doing("deleting the owner's row")?;
        let is = |n: usize| answers.get(before + n).and_then(|rows| rows.first()).map_or(Ok(false), |row| row.value(0));
        Ok(match (is(0)?, is(2)?) {
            (true, _) => OwnerRollback::Kept("other rows refer to it"),
            (false, true) => OwnerRollback::Kept("it was written to since"),
            (false, false) => OwnerRollback::Deleted,
        })
    }
}
