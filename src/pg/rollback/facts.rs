//! The facts about the tables that a rollback needs, asked for at once.

use postgres::Row;

use super::indexes::UNINDEXED;
use super::rows::{DeletionFacts, ReferencingKey, staging_target};
use super::transaction::{OpenRollback, ROLLING_BACK};
use crate::pg::client::{Pipeline, Reply, all_replies};
use crate::pg::equality::Equality;
use crate::pg::error::{Doing, ServerError};
use crate::pg::triggers::{FiringTrigger, RowEvent, add_firing, firing_of_rows};

/// The tables of a rollback.
pub struct FactsAsked<'a> {
    /// Their schema.
    pub schema: &'a str,
    /// The table of each load.
    pub loaded: Vec<&'a str>,
    /// The tables whose triggers for a deletion are listed.
    pub silenced: Vec<&'a str>,
    /// Each table from which rows are removed.
    pub emptied: Vec<&'a str>,
    /// The owner's table, if its row is removed.
    pub owner: Option<&'a str>,
    /// For each load, the columns of its staging table, and true if the rows are sent as text.
    pub staged: Vec<(Vec<String>, bool)>,
}

/// The facts about the tables of a rollback.
pub struct RemovalFacts {
    /// The triggers of each silenced table that run for a deletion.
    pub triggers: Vec<Vec<FiringTrigger>>,
    /// The facts about the table of each load.
    pub deletions: Vec<DeletionFacts>,
    /// Those about the owner's table.
    pub of_owner: Option<DeletionFacts>,
    /// The foreign keys to each emptied table whose columns no index serves.
    pub unindexed: Vec<Vec<Row>>,
}

impl OpenRollback<'_> {
    /// Reads the facts about the tables, and prepares the COPY into the staging table of each load, in one round trip.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn removal_facts(&mut self, asked: &FactsAsked<'_>) -> Result<RemovalFacts, ServerError> {
        let FactsAsked { schema, loaded, silenced, emptied, owner, staged } = asked;
        let staged = staged.iter().map(|(columns, as_text)| staging_target(columns, *as_text).sql());
        let mut copies: Vec<String> = staged.filter(|sql| self.prepared.known(sql).is_none()).collect();
        copies.sort();
        copies.dedup();
        let event = RowEvent::Delete.bit();
        let referred: Vec<&str> = loaded.iter().copied().chain(*owner).collect();
        let mut steps = add_firing(Pipeline::new(), schema, silenced, &event);
        steps = Equality::query(schema).add_to(steps);
        steps = referred.iter().fold(steps, |steps, table| steps.query(ReferencingKey::QUERY, &[schema, table]));
        steps = emptied.iter().fold(steps, |steps, table| steps.query(UNINDEXED, &[schema, table]));
        steps = copies.iter().fold(steps, |steps, sql| steps.prepare(sql.as_str()));
        let mut replies = all_replies(steps.run(&mut self.tx)).doing(ROLLING_BACK)?.into_iter();
        let mut next = |count: usize| replies.by_ref().take(count).map(Reply::rows).collect::<Vec<_>>();
        let triggers = firing_of_rows(&next(silenced.len()))?;
        let equalities = Equality::of_rows(&next(1).concat())?;
        let facts = |(table, rows): (&&str, Vec<Row>)| {
            let equality = equalities.get(*table).cloned().unwrap_or_default();
            let read = |row| ReferencingKey::read(row, &equality);
            let referencing = rows.iter().map(read).collect::<Result<_, ServerError>>()?;
            Ok(DeletionFacts { equality, referencing })
        };
        let all = referred.iter().zip(next(referred.len())).map(facts);
        let mut deletions = all.collect::<Result<Vec<DeletionFacts>, ServerError>>()?;
        let of_owner = owner.and_then(|_| deletions.pop());
        let unindexed = next(emptied.len());
        for (reply, sql) in replies.zip(copies) {
            reply.statement().into_iter().for_each(|statement| self.prepared.keep(sql.clone(), &statement));
        }
        Ok(RemovalFacts { triggers, deletions, of_owner, unindexed })
    }
}
