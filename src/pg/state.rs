//! The state of the tables that verification compares: sequences, owners and numbers of rows, in one round trip.

use super::error::ServerError;
use super::inspect::ObjectStates;
use super::owner::{OwnedRows, OwnerRowQuery};
use super::query::TypedQuery;
use super::row::RowValues;
use super::sequence::{states_of, states_query};
use super::session::Session;
use crate::model::ident::qualified;
use crate::plan::sequences::{PlannedSequence, SequenceState};
use crate::plan::{OwnerPath, OwnerPlan};

/// The state to read.
#[derive(Default)]
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
    /// Tables whose objects are listed.
    pub objects_of: &'a [String],
    /// The comparison of the owner's row.
    pub owner_row: Option<&'a OwnerRowQuery>,
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
    /// The objects of the tables whose objects are listed.
    pub objects: ObjectStates,
    /// The columns of the owner's row that hold another value. `None` if they were not compared.
    pub owner_changed: Option<Vec<String>>,
}

impl Session {
    /// Reads the state of the tables.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn target_state(&mut self, request: &StateRequest<'_>) -> Result<TargetState, ServerError> {
        let StateRequest { schema, sequences, owner, paths, counted, objects_of, owner_row } = *request;
        let mut queries = Vec::from_iter(states_query(schema, sequences));
        let of_sequences = queries.len();
        if let Some(owner) = owner {
            queries.extend(self.owned_queries(schema, owner, paths)?);
        }
        let of_owners = queries.len() - of_sequences;
        if !counted.is_empty() {
            let count = |table: &&str| format!("(SELECT pg_catalog.count(*) FROM {})", qualified(schema, table));
            let counts: Vec<String> = counted.iter().map(count).collect();
            let sql = format!("SELECT ARRAY[{}]::pg_catalog.int8[]", counts.join(", "));
            queries.push(TypedQuery::new("counting rows", sql).of_tables());
        }
        if !objects_of.is_empty() {
            queries.extend(ObjectStates::queries(&schema, &objects_of));
        }
        queries.extend(owner_row.map(OwnerRowQuery::query));
        let mut answers = self.ask_all(queries)?.into_iter();
        let mut next = |is_asked: bool| if is_asked { answers.next().unwrap_or_default() } else { Vec::new() };
        let states = next(of_sequences > 0);
        let [names, by_owner] = [next(of_owners > 0), next(of_owners > 1)];
        let counts: Vec<i64> =
            next(!counted.is_empty()).first().map(|row| row.value(0)).transpose()?.unwrap_or_default();
        let objects = [(); 3].map(|()| next(!objects_of.is_empty()));
        let owner_changed = owner_row.map(|query| query.changed(&next(true))).transpose()?;
        Ok(TargetState {
            sequences: states_of(&states, sequences)?,
            owned: OwnedRows::of_rows(&names, &by_owner, paths.len())?,
            counts: counts.into_iter().map(i64::unsigned_abs).collect(),
            objects: ObjectStates::of_rows(&objects)?,
            owner_changed,
        })
    }
}
