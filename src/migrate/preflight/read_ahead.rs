//! The preflight: reads and converts every row in one snapshot of the source before the first write, so that faults are
//! known while nothing has been written.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Mutex, PoisonError};

use crate::convert::Settled;
use crate::convert::row::{Maps, RowEncoder};
use crate::event::{Event, Observer};
use crate::job::{PARTS_PER_LANE, Stop, each};
use crate::migrate::owner;
use crate::migrate::rows::guard::{self, OwnKeys, ReferencedKey};
use crate::migrate::rows::keyset::KeySet;
use crate::migrate::rows::parents::{self, EncodedLoad};
use crate::model::record::{Refusal, StepKind};
use crate::model::schema::TargetSchema;
use crate::pg::Session;
use crate::plan::{LoadPlan, Node, Plan, references};
use crate::sqlite::Source;

use super::constraints::{ConstraintChecks, SeenKeys, TableConstraints};
use super::range::{KeySets, LoadRange, RangeContext, Reading, SharedChecks, lock};

pub use super::range::{FAULTS_KEPT, LoadPreflight};

/// Prepares the encoder of every load once, so that a constant that does not fit is refused before any row is read.
///
/// # Errors
/// All refusals.
pub fn prepare(plan: &Plan, settled: &Settled) -> Result<(), Vec<Refusal>> {
    let refused: Vec<Refusal> =
        plan.loads.iter().filter_map(|load| RowEncoder::new(load, settled, &Maps::new()).err()).flatten().collect();
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

/// The context of a preflight.
pub struct Preflight<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The source of the rows.
    pub source: &'a Source,
    /// The target's catalogue.
    pub target: &'a TargetSchema,
    /// Values that are the same for every row.
    pub settled: &'a Settled,
    /// Receives the events.
    pub observer: &'a dyn Observer,
    /// Set from outside when the process is asked to stop.
    pub asked: &'a AtomicBool,
    /// The number of lanes.
    pub jobs: usize,
    /// The maps of the lookups that are known already, by load. Other lookups are skipped.
    pub maps: &'a BTreeMap<String, Maps>,
    /// Also check the target's constraints.
    pub checks_constraints: bool,
}

impl Preflight<'_> {
    /// Reads and converts the rows of the `wanted` loads. Loads that refer to no other load and share no table are read
    /// together; every other load is read after its parents' keys are known.
    ///
    /// # Errors
    /// If the source cannot be read, the connection is lost, or the process was asked to stop.
    pub fn read(&self, session: &mut Session, wanted: &dyn Fn(&LoadPlan) -> bool) -> Result<Vec<LoadPreflight>, Stop> {
        self.observer.on_event(Event::Step(StepKind::Preflight));
        let loads: Vec<&LoadPlan> = self.plan.loads.iter().filter(|load| wanted(load)).collect();
        let mut sets = self.keys_on_target(session, &loads)?;
        let shared = Mutex::new(SharedChecks { session, seen: SeenKeys::new() });
        // The later of two rows with one key is at fault, so loads into one table are read in their order.
        let alone = |load: &LoadPlan| loads.iter().filter(|l| l.table == load.table).count() == 1;
        let (first, then): (Vec<&LoadPlan>, Vec<&LoadPlan>) =
            loads.iter().partition(|load| references(load, self.target).is_empty() && alone(load));
        let mut found = self.read_together(&first, &mut sets, &shared)?;
        for node in &self.plan.order {
            let Node::Load(n) = node else { continue };
            if then.iter().any(|load| load.name == self.plan.loads[*n].name) {
                found.extend(self.read_together(&[&self.plan.loads[*n]], &mut sets, &shared)?);
            }
        }
        let place = |f: &LoadPreflight| self.plan.loads.iter().position(|l| l.name == f.load);
        found.sort_by_key(place);
        // Lookups without a map have no counts.
        let is_known = |load: &str, column: &str| self.maps.get(load).is_some_and(|maps| maps.contains_key(column));
        found.iter_mut().for_each(|found| found.sums.lookups.retain(|sum| is_known(&found.load, &sum.column)));
        Ok(found)
    }

    /// The keys that exist before any row is read: those of the target's rows.
    fn keys_on_target(&self, session: &mut Session, loads: &[&LoadPlan]) -> Result<KeySets, Stop> {
        let mut sets = KeySets::new();
        for referred in guard::referenced_keys(loads, self.target) {
            let is_loaded = loads.iter().any(|l| l.table == referred.table);
            let holds = self.target.tables.get(&referred.table).is_some_and(|t| t.has_rows);
            let mut keys = KeySet::default();
            if holds || !is_loaded {
                keys = parents::on_target(session, &self.plan.schema, &referred)?;
            }
            // The key of an owner that does not exist yet is unknown.
            keys.unknown |= !is_loaded
                && self.plan.owner.as_ref().is_some_and(|o| o.table == referred.table && o.create.is_some())
                && owner::find(session, self.plan, self.settled)?.is_none();
            sets.insert(referred, keys);
        }
        Ok(sets)
    }

    /// Reads loads that do not refer to each other.
    fn read_together(
        &self,
        loads: &[&LoadPlan],
        sets: &mut KeySets,
        shared: &Mutex<SharedChecks<'_>>,
    ) -> Result<Vec<LoadPreflight>, Stop> {
        let referred: Vec<ReferencedKey> = sets.keys().cloned().collect();
        let mut readings: Vec<Reading<'_>> = Vec::new();
        for load in loads {
            readings.push(self.reading(load, &referred, sets, shared)?);
        }
        let ranges = self.ranges(&readings)?;
        let context = RangeContext {
            source: self.source,
            settled: self.settled,
            observer: self.observer,
            asked: self.asked,
            keys: sets,
        };
        let read = each(self.jobs, &ranges, |range| readings[range.load].read(&context, range, shared))?;
        let mut all: Vec<LoadPreflight> = loads.iter().map(|load| LoadPreflight::new(load)).collect();
        for range in read {
            all[range.load].merge(range.found);
            for (own, keys) in readings[range.load].own.iter().zip(range.keys) {
                let Some(set) = sets.get_mut(&own.referenced) else { continue };
                set.unknown |= !own.is_known();
                set.merge(keys);
            }
        }
        for (reading, found) in readings.into_iter().zip(&mut all) {
            self.observer.on_event(Event::Ended { load: &found.load });
            let checks = reading.checks.into_inner().unwrap_or_else(PoisonError::into_inner);
            found.unchecked = checks.map(|checks| checks.unchecked(reading.load)).unwrap_or_default();
        }
        Ok(all)
    }

    fn reading<'l>(
        &self,
        load: &'l LoadPlan,
        referred: &[ReferencedKey],
        sets: &mut KeySets,
        shared: &Mutex<SharedChecks<'_>>,
    ) -> Result<Reading<'l>, Stop> {
        let none = Maps::new();
        let maps = self.maps.get(&load.name).unwrap_or(&none);
        let encoder = RowEncoder::new(load, self.settled, maps).map_err(Stop::Refused)?;
        let links = references(load, self.target);
        let encoded = EncodedLoad { load, encoder: &encoder, settled: self.settled };
        parents::add_own(&self.source.reader()?, &encoded, &links, sets)?;
        let own = OwnKeys::of(load, referred, self.settled);
        let checks = Mutex::new(self.constraint_checks(load, shared)?);
        Ok(Reading { load, encoder, links, own, kept: AtomicUsize::new(0), checks })
    }

    /// The checks of a load's constraints. `None` if constraints are not checked.
    fn constraint_checks(
        &self,
        load: &LoadPlan,
        shared: &Mutex<SharedChecks<'_>>,
    ) -> Result<Option<ConstraintChecks>, Stop> {
        if !self.checks_constraints {
            return Ok(None);
        }
        let mut shared = lock(shared);
        let (schema, table) = (&self.plan.schema, &load.table);
        let checks = shared.session.check_constraints(schema, table)?;
        let indexes = shared.session.btree_indexes(schema, table)?;
        let unseen = shared.session.server_only_checks(schema, table, load.triggers_fire)?;
        let constraints = TableConstraints { checks, indexes, unseen };
        Ok(Some(ConstraintChecks::new(load, &self.plan.loads, self.source.schema(), self.target, constraints)))
    }

    /// Splits loads into ranges of keys.
    fn ranges(&self, readings: &[Reading<'_>]) -> Result<Vec<LoadRange>, Stop> {
        let mut ranges = Vec::new();
        for (n, reading) in readings.iter().enumerate() {
            let select = &reading.load.select;
            // The later of two rows with one key is at fault, so a load with unique keys is read in its order.
            let cuts = if self.jobs > 1 && !reading.needs_order() {
                self.source.reader()?.split(select, PARTS_PER_LANE * self.jobs)?
            } else {
                Vec::new()
            };
            let starts = std::iter::once(None).chain(cuts.iter().cloned().map(Some));
            let ends = cuts.iter().cloned().map(Some).chain(std::iter::once(None));
            ranges.extend(starts.zip(ends).map(|(after, until)| LoadRange { load: n, after, until }));
        }
        Ok(ranges)
    }
}
