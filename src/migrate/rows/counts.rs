//! Counts of losses and of lookup outcomes over the rows of a batch.

use crate::convert::lookup::LookupOutcome;
use crate::convert::row::Notes;
use crate::model::cell::RawBuf;
use crate::model::fault::Loss;
use crate::model::key::Key;
use crate::model::ledger::{Deviation, LOSS_KEYS, LookupSum, LossSum};
use crate::plan::{ColumnPlan, LoadPlan, LookupPlan};

/// The counts of a batch.
pub struct BatchCounts {
    /// Losses by column and modifier.
    pub losses: Vec<LossSum>,
    /// Outcomes by column with a lookup.
    pub lookups: Vec<LookupSum>,
}

impl BatchCounts {
    /// Zero counts for a load.
    pub fn new(load: &LoadPlan) -> BatchCounts {
        let sum = |(column, plan): (&ColumnPlan, &LookupPlan)| LookupSum {
            column: column.name.clone(),
            hits: vec![0; plan.steps.len()],
            ..LookupSum::default()
        };
        BatchCounts { losses: Vec::new(), lookups: load.lookups().map(sum).collect() }
    }

    /// Resets all counts to zero and keeps the allocated memory.
    pub fn clear(&mut self) {
        self.losses.clear();
        for sum in &mut self.lookups {
            sum.hits.fill(0);
            (sum.missing, sum.ambiguous, sum.set_aside) = (0, 0, 0);
        }
    }

    /// Counts the lookups of a row. In a refused row only the lookups that refused it are counted.
    pub fn add_lookups(&mut self, load: &LoadPlan, notes: &Notes, fits: bool) {
        for (column, outcome) in &notes.lookups {
            if !fits && !notes.faults.iter().any(|fault| fault.column == *column) {
                continue;
            }
            let name = &load.columns[*column].name;
            let Some(sum) = self.lookups.iter_mut().find(|l| l.column == *name) else { continue };
            match outcome {
                LookupOutcome::Hit(step) => sum.hits[*step] += u64::from(fits),
                LookupOutcome::Missing => sum.missing += 1,
                LookupOutcome::Ambiguous => sum.ambiguous += 1,
                LookupOutcome::Quarantined(_) => sum.set_aside += 1,
                LookupOutcome::Nothing => {}
            }
        }
    }

    /// Counts the losses of a row. Adds each value of `if_orphan` to `deviations`.
    pub fn add_losses(&mut self, load: &LoadPlan, notes: &Notes, key: &Key, deviations: &mut Vec<Deviation>) {
        let shown = shown(key);
        for (column, losses) in &notes.losses {
            let name = &load.columns[*column].name;
            for loss in losses.iter() {
                if loss == Loss::IfOrphan {
                    deviations.push(Deviation { at: key.written(), orphan: Some(name.clone()) });
                }
                self.add(name, loss, shown.as_ref());
            }
        }
    }

    /// Counts a row that `if_orphan` leaves out.
    pub fn add_dropped(&mut self, column: &str, key: &Key) {
        self.add(column, Loss::DropOrphan, shown(key).as_ref());
    }

    fn add(&mut self, column: &str, loss: Loss, shown: Option<&String>) {
        let found = self.losses.iter().position(|l| l.column == *column && l.modifier == loss.word());
        let at = found.unwrap_or_else(|| {
            let modifier = loss.word().to_owned();
            self.losses.push(LossSum { column: column.to_owned(), modifier, count: 0, keys: Vec::new() });
            self.losses.len() - 1
        });
        let sum = &mut self.losses[at];
        sum.count += 1;
        if sum.keys.len() < LOSS_KEYS {
            sum.keys.extend(shown.cloned());
        }
    }
}

/// The key of a row as reports list it. Only rowids are listed: other keys are values of rows.
fn shown(key: &Key) -> Option<String> {
    match key.0.as_slice() {
        [RawBuf::Integer(id)] => Some(id.to_string()),
        _ => None,
    }
}
