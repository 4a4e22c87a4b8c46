//! The run that is verified, and the context in which its checks are made.

use std::collections::BTreeMap;

use crate::convert::Settled;
use crate::event::Observer;
use crate::job::{Connections, Stop};
use crate::migrate::lookup_maps::ReadMaps;
use crate::model::key::RunId;
use crate::model::ledger::{LoadDone, Made, Run, Sums};
use crate::model::schema::TargetSchema;
use crate::pg::Session;
use crate::pg::detach::Detached;
use crate::plan::{LoadPlan, OwnerPlan, Plan};
use crate::sqlite::Source;

/// Work that runs on the target, in at most this many lanes, while its rows are read back. It changes no row.
pub type Meanwhile<'a> = dyn Fn(&mut Session, usize) -> Result<(), Stop> + Sync + 'a;

/// A run to verify.
pub struct Subject<'a> {
    /// The plan of the run.
    pub plan: &'a Plan,
    /// The source as it is now.
    pub source: &'a Source,
    /// The target's catalogue.
    pub target: &'a TargetSchema,
    /// The run, from the ledger.
    pub run: &'a Run,
    /// The parts of each load, from the ledger, by the load's name.
    pub done: &'a BTreeMap<String, LoadDone>,
    /// The objects that the run made or moved in addition to its rows.
    pub made: &'a [Made],
    /// Objects that the run detached.
    pub detached: &'a [Detached],
    /// The owner of the rows.
    pub owner: KnownOwner<'a>,
    /// Values that are the same for every row of the run, the owner's key included.
    pub settled: &'a Settled,
    /// The maps of lookups, as the target has them now.
    pub maps: ReadMaps<'a>,
    /// True if the run ended earlier: the application may have written since, and the source may have changed.
    pub later: bool,
    /// Values and text keys may be shown.
    pub show_values: bool,
    /// A seed for comparing source and target after the run, drawn for this verification alone. No other process
    /// can know it, unlike the run's own seed in the ledger.
    pub fresh_seed: u64,
    /// The lanes that read.
    pub lanes: Lanes<'a>,
}

/// The owner of the rows, as the target has it.
#[derive(Clone, Copy)]
pub struct KnownOwner<'a> {
    /// The owner's key. `None` without an owner, or if its row cannot be found.
    pub key: Option<&'a str>,
    /// True if the run inserted the owner's row.
    pub made: bool,
}

/// The lanes that read tables back.
#[derive(Clone, Copy)]
pub struct Lanes<'a> {
    /// Opens the connection of each further lane.
    pub connections: &'a dyn Connections,
    /// The number of lanes.
    pub jobs: usize,
    /// Work that remains to be done while the lanes read.
    pub meanwhile: Option<&'a Meanwhile<'a>>,
    /// Receives the events.
    pub observer: &'a dyn Observer,
}

impl<'a> Subject<'a> {
    /// The totals of a load over all its committed batches.
    pub(super) fn sums(&self, load: &str) -> Sums {
        let mut sums = Sums::default();
        if let Some(done) = self.done.get(load) {
            done.parts.iter().for_each(|part| sums.merge(&part.sums));
        }
        sums
    }

    /// The totals over several loads.
    pub(super) fn total(&self, loads: &[&LoadPlan]) -> Sums {
        let mut total = Sums::default();
        loads.iter().for_each(|load| total.merge(&self.sums(&load.name)));
        total
    }

    /// The run's id and the seed of its row hashes.
    pub(super) fn run_id(&self) -> RunId {
        RunId { id: self.run.id, seed: self.run.seed }
    }

    /// The owner's plan if the run inserted the owner's row into this table.
    pub(super) fn made_owner_in(&self, table: &str) -> Option<&'a OwnerPlan> {
        self.plan.owner.as_ref().filter(|owner| self.owner.made && owner.table == table)
    }

    /// Rows that the table held before the run. `None` if it was empty.
    pub(super) fn held_before(&self, table: &str) -> Option<u64> {
        self.run.judged.holding.get(table).copied()
    }
}
