//! The preflight: reads and converts every row in one snapshot of the source before the first write, so that faults are
//! known while nothing has been written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Mutex, PoisonError};

use crate::convert::Settled;
use crate::convert::row::{Maps, RowEncoder};
use crate::event::{Event, Extent, Observer, WorkUnit};
use crate::job::{KeyMemory, PART_ROWS, PARTS_PER_LANE, Stop, each};
use crate::migrate::rows::fixed_point::{self, RelatedLoad};
use crate::migrate::rows::guard::{self, EncodedLoad, OwnKeys, ReferencedKey};
use crate::migrate::rows::keyset::KeySet;
use crate::migrate::rows::parents;
use crate::model::record::{Check, CheckKind, Refusal, StepKind};
use crate::model::schema::TargetSchema;
use crate::model::select::Relation;
use crate::pg::Session;
use crate::pg::conditions::TableConstraints;
use crate::plan::{LoadPlan, Node, Plan, references};
use crate::sqlite::Source;

use super::checked_load::CheckedLoad;
use super::constraints::ConstraintChecks;
use super::id_references::IdWatch;
use super::number_watch::NumberWatch;
use super::numbered_column::NumberedColumn;
use super::range::{KeySets, LoadRange, RangeContext, Reading};
use super::shared_checks::SharedChecks;

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
    /// The plan, with every load in binary form: nothing is sent, and each row has fields that can be compared.
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
    /// The memory of all keys.
    pub memory: KeyMemory,
    /// The watch for references without a foreign key.
    pub watch: &'a IdWatch,
    /// The watch for numbers that are a reason to warn.
    pub numbers: &'a NumberWatch,
}

/// The questions of all loads to the target.
struct SharedTarget<'a> {
    constraints: TableConstraints,
    checks: Mutex<SharedChecks<'a>>,
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
        self.observer.on_event(Event::Planned(self.extent(&loads)?));
        let mut sets = self.keys_on_target(session, &loads)?;
        let tables: Vec<String> = loads.iter().map(|load| load.table.clone()).collect();
        let constraints = session.table_constraints(&self.plan.schema, &tables)?;
        let shared = SharedTarget { constraints, checks: SharedChecks::new(session, &self.memory) };
        // The later of two rows with one key is at fault, so loads into one table are read in their order.
        let alone = |load: &LoadPlan| loads.iter().filter(|l| l.table == load.table).count() == 1;
        let (first, then): (Vec<&LoadPlan>, Vec<&LoadPlan>) =
            loads.iter().partition(|load| references(load, self.target).is_empty() && alone(load));
        let mut found = self.read_together(&first, &mut sets, &shared)?;
        let in_order = self.plan.order.iter().filter_map(|node| match node {
            Node::Load(n) => then.iter().find(|load| load.name == self.plan.loads[*n].name).copied(),
            Node::Owner => None,
        });
        let mut left: Vec<&LoadPlan> = in_order.collect();
        let mut settled = BTreeSet::new();
        while !left.is_empty() {
            // The keys that no later row refers to or has are not needed any more.
            let needed = guard::referenced_keys(&left, self.target);
            sets.retain(|referred, _| needed.contains(referred));
            self.settle(&left, &mut settled, &mut sets)?;
            let load = left.remove(0);
            found.extend(self.read_together(&[load], &mut sets, &shared)?);
        }
        let place = |f: &LoadPreflight| self.plan.loads.iter().position(|l| l.name == f.load);
        found.sort_by_key(place);
        // Lookups without a map have no counts.
        let is_known = |load: &str, column: &str| self.maps.get(load).is_some_and(|maps| maps.contains_key(column));
        found.iter_mut().for_each(|found| found.sums.lookups.retain(|sum| is_known(&found.load, &sum.column)));
        Ok(found)
    }

    /// The extent of the step. The rows of a load from SQL are unknown, and so are then those of the step.
    fn extent(&self, loads: &[&LoadPlan]) -> Result<Extent, Stop> {
        let (reader, mut rows) = (self.source.reader()?, Some(0));
        for load in loads {
            let about = match &load.select.relation {
                Relation::Table(table) => Some(reader.about(table, &load.select)?),
                _ => None,
            };
            rows = rows.zip(about).map(|(rows, about)| rows + about);
        }
        Ok(Extent { units: loads.len() as u64, kind: WorkUnit::Load, rows })
    }

    /// The keys that exist before any row is read: those of the target's rows.
    fn keys_on_target(&self, session: &mut Session, loads: &[&LoadPlan]) -> Result<KeySets, Stop> {
        let mut sets = KeySets::new();
        for referred in guard::referenced_keys(loads, self.target) {
            let is_loaded = loads.iter().any(|l| l.table == referred.table);
            let holds = self.target.tables.get(&referred.table).is_some_and(|t| t.has_rows);
            let mut keys = match holds || !is_loaded {
                true => parents::on_target(session, &self.plan.schema, &referred, &self.memory)?,
                false => KeySet::within(&self.memory),
            };
            // The key of an owner that does not exist yet is unknown.
            keys.unknown |= !is_loaded
                && self.plan.owner.as_ref().is_some_and(|o| o.table == referred.table && o.create.is_some())
                && self.settled.owner.is_none();
            sets.insert(referred, keys);
        }
        Ok(sets)
    }

    /// Finds the rows of the first of these loads that can be loaded, if its rows refer to rows of the same load, or to rows of
    /// a circle that is read from here on.
    /// `settled`: the loads of the circles that were settled.
    fn settle<'l>(
        &self,
        left: &[&'l LoadPlan],
        settled: &mut BTreeSet<&'l str>,
        sets: &mut KeySets,
    ) -> Result<(), Stop> {
        let Some(first) = left.first().filter(|first| !settled.contains(first.name.as_str())) else { return Ok(()) };
        let others = self.plan.others_in_circle(first);
        let mut loads = vec![*first];
        loads.extend(left.iter().filter(|load| others.iter().any(|other| other.name == load.name)));
        settled.extend(loads.iter().map(|load| load.name.as_str()));
        let encoders: Vec<RowEncoder> = loads.iter().map(|load| self.encoder(load)).collect::<Result<_, _>>()?;
        let member = |(load, encoder)| RelatedLoad {
            encoded: EncodedLoad { load, encoder, settled: self.settled },
            links: references(load, self.target),
        };
        let members: Vec<RelatedLoad<'_>> = loads.into_iter().zip(&encoders).map(member).collect();
        fixed_point::settle(&self.source.reader()?, &members, sets)
    }

    fn encoder(&self, load: &LoadPlan) -> Result<RowEncoder, Stop> {
        let none = Maps::new();
        let maps = self.maps.get(&load.name).unwrap_or(&none);
        RowEncoder::new(load, self.settled, maps).map_err(Stop::Refused)
    }

    /// Reads loads that do not refer to each other.
    fn read_together(
        &self,
        loads: &[&LoadPlan],
        sets: &mut KeySets,
        shared: &SharedTarget<'_>,
    ) -> Result<Vec<LoadPreflight>, Stop> {
        let referred: Vec<ReferencedKey> = sets.keys().cloned().collect();
        let mut readings: Vec<Reading<'_>> = Vec::new();
        for load in loads {
            readings.push(self.reading(load, &referred, sets, shared)?);
        }
        sets.values_mut().for_each(KeySet::settle);
        let ranges = self.ranges(&readings)?;
        let context = RangeContext {
            source: self.source,
            settled: self.settled,
            observer: self.observer,
            asked: self.asked,
            keys: sets,
        };
        let read = each(self.jobs, &ranges, |range| readings[range.load].read(&context, range, &shared.checks))?;
        let mut all: Vec<LoadPreflight> = loads.iter().map(|load| LoadPreflight::new(load)).collect();
        for range in read {
            all[range.load].merge(range.found);
        }
        let mut trials = Vec::new();
        for (reading, found) in readings.into_iter().zip(&mut all) {
            self.observer.on_event(Event::Ended { load: &found.load });
            let unfollowed = reading.links.iter().filter_map(|link| {
                let keys = sets.get(&ReferencedKey::by(link)).filter(|keys| keys.unknown)?;
                let why = match keys.is_too_large {
                    true => "the keys of its parents need too much memory",
                    false => "the keys of its parents are known only once they are written",
                };
                let why = format!("{}: {why}", link.name);
                Some(Check::not_checked(CheckKind::Reference, Some(&found.load), why))
            });
            found.unchecked = unfollowed.collect();
            let (unchecked, made) = reading.checks.end(reading.load);
            found.unchecked.extend(unchecked);
            trials.extend(made);
            found.numbered = reading.numbered.into_inner().unwrap_or_else(PoisonError::into_inner);
            let keys = reading.keys.into_inner().unwrap_or_else(PoisonError::into_inner);
            for (own, keys) in reading.own.iter().zip(keys) {
                let Some(set) = sets.get_mut(&own.referenced) else { continue };
                set.unknown |= !own.is_known();
                set.merge(keys);
            }
        }
        let mut shared = shared.checks.lock().unwrap_or_else(PoisonError::into_inner);
        shared.session.drop_trials(&trials)?;
        Ok(all)
    }

    fn reading<'l>(
        &'l self,
        load: &'l LoadPlan,
        referred: &[ReferencedKey],
        sets: &KeySets,
        shared: &SharedTarget<'_>,
    ) -> Result<Reading<'l>, Stop> {
        let encoder = self.encoder(load)?;
        let links = references(load, self.target);
        let own = OwnKeys::of(load, referred, self.settled);
        let keys = own.iter().map(|own| sets.get(&own.referenced).map_or_else(KeySet::default, KeySet::sibling));
        let keys = Mutex::new(keys.collect());
        let numbered = Mutex::new(NumberedColumn::of(load, self.plan, self.target));
        let checked = CheckedLoad {
            load,
            all: &self.plan.loads,
            source: self.source.schema(),
            target: self.target,
            knows_owner: self.settled.owner.is_some(),
        };
        let mut seen = shared.checks.lock().unwrap_or_else(PoisonError::into_inner);
        let checks = ConstraintChecks::new(checked, &shared.constraints, &mut seen.seen);
        Ok(Reading {
            load,
            encoder,
            links,
            own,
            keys,
            numbered,
            kept: AtomicUsize::new(0),
            checks,
            watch: self.watch.load(&load.name),
            numbers: self.numbers.cells_of(&load.name),
        })
    }

    /// Splits loads into ranges of keys.
    fn ranges(&self, readings: &[Reading<'_>]) -> Result<Vec<LoadRange>, Stop> {
        let mut ranges = Vec::new();
        for (n, reading) in readings.iter().enumerate() {
            let (select, reader) = (&reading.load.select, self.source.reader()?);
            let rows = match &select.relation {
                Relation::Table(table) if self.jobs > 1 => reader.about(table, select)?,
                _ => 0,
            };
            let parts = usize::try_from(rows / PART_ROWS).unwrap_or(usize::MAX).min(PARTS_PER_LANE * self.jobs);
            // The later of two rows with one key is at fault, so a load with unique keys is read in its order.
            let cuts = if parts < 2 || reading.needs_order() { Vec::new() } else { reader.split(select, parts)? };
            let starts = std::iter::once(None).chain(cuts.iter().cloned().map(Some));
            let ends = cuts.iter().cloned().map(Some).chain(std::iter::once(None));
            ranges.extend(starts.zip(ends).map(|(after, until)| LoadRange { load: n, after, until }));
        }
        Ok(ranges)
    }
}
