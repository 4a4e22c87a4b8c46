//! The state of the tables that verification compares: sequences, owners and numbers of rows, in one round trip.

use super::error::ServerError;
use super::owner::OwnedRows;
use super::query::TypedQuery;
use super::row::RowValues;
use super::sequence::{states_of, states_query};
use super::session::Session;
use crate::model::ident::qualified;
use crate::plan::sequences::{PlannedSequence, SequenceState};
use crate::plan::{OwnerPath, OwnerPlan};

/// The state to read.
pub struct StateRequest<'a> {
    /// The schema.
    pub schema: &'a str,
    /// The sequences.
    pub sequences: &'a [PlannedSequence],
    /// The owner, if there is one.
    pub owner: Option<&'a OwnerPlan>,
    /// Tables with the path from their rows to the owner.
    pub paths: &'a [(&'a str, &'a OwnerPath)],
    /// Tables whose rows are counted.
    pub counted: &'a [&'a str],
}

/// The state of the tables.
#[derive(Clone, Debug, Default)]
pub struct TargetState {
    /// The state of each sequence.
    pub sequences: Vec<SequenceState>,
    /// The owners and their rows.
    pub owned: OwnedRows,
    /// The number of rows of each table.
    pub counts: Vec<u64>,
}

impl Session {
    /// Reads the state of the tables.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn target_state(&mut self, request: &StateRequest<'_>) -> Result<TargetState, ServerError> {
        let StateRequest { schema, sequences, owner, paths, counted } = *request;
        let mut queries = Vec::from_iter(states_query(schema, sequences));
        let of_sequences = queries.len();
        if let Some(owner) = owner {
            queries.extend(self.owned_queries(schema, owner, paths)?);
        }
        let of_owners = queries.len();
        if !counted.is_empty() {
            let count = |table: &&str| format!("(SELECT pg_catalog.count(*) FROM {})", qualified(schema, table));
            let counts: Vec<String> = counted.iter().map(count).collect();
            let sql = format!("SELECT ARRAY[{}]::pg_catalog.int8[]", counts.join(", "));
            queries.push(TypedQuery::new("counting rows", sql).of_tables());
        }
        let answers = self.ask_all(queries)?;
        let (states, others) = answers.split_at(of_sequences);
        let (owned, counts) = others.split_at(of_owners - of_sequences);
        let rows = |n: usize| owned.get(n).map(Vec::as_slice).unwrap_or_default();
        let counts: Vec<i64> = counts.concat().first().map(|row| row.value(0)).transpose()?.unwrap_or_default();
        Ok(TargetState {
            sequences: states_of(&states.concat(), sequences)?,
            owned: OwnedRows::of_rows(rows(0), rows(1), paths.len())?,
            counts: counts.into_iter().map(i64::unsigned_abs).collect(),
        })
    }
}
