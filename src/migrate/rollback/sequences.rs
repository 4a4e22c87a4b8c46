//! The sequences of a run that is rolled back.

use crate::job::{Job, Stop};
use crate::model::ledger::{Made, MadeKind};
use crate::pg::rollback::{MovedSequence, OpenRollback, SequenceRollback};

use super::Removal;

impl Removal<'_> {
    /// Restores the sequences that the run moved or drew ids from, as far as that does no harm.
    pub(super) fn restore_sequences(&mut self, tx: &mut OpenRollback<'_>) -> Result<(), Stop> {
        let Job { target, plan, .. } = self.job;
        let known = |made: &Made| {
            let columns = target.tables.values().flat_map(|table| &table.columns);
            let of_schema = target.sequences.values().map(|s| &s.sequence);
            let mut known = columns.filter_map(|c| c.sequence.as_ref()).chain(of_schema);
            known.find(|s| s.name == made.object)
        };
        let made: Vec<&Made> = self.made.iter().filter(|made| made.kind == MadeKind::Sequence).collect();
        let mut moved = Vec::new();
        for made in &made {
            let Some(sequence) = known(made) else { continue };
            let assigned = plan.sequences.iter().find(|s| s.sequence.name == made.object);
            let columns = assigned.map(|s| s.columns.as_slice()).unwrap_or_default();
            moved.push(MovedSequence { made, sequence, schema: &plan.schema, columns });
        }
        let mut restored = tx.restore_sequences(&moved)?.into_iter();
        for made in made {
            let restored = match known(made).and_then(|_| restored.next()) {
                Some(restored) => restored,
                None => SequenceRollback::Kept("no column draws from it any more"),
            };
            self.result.sequences.push((made.object.clone(), restored));
        }
        Ok(())
    }
}
