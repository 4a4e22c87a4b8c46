//! Reading ahead: every row is read and converted inside the same snapshot before anything is written, so that a fault is
//! known while nothing has happened yet.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::convert::Settled;
use crate::convert::row::{Maps, Notes, RowEncoder};
use crate::event::{Event, Observer};
use crate::migrate::owner;
use crate::model::fault::Fault;
use crate::model::key::{Key, KeyRange};
use crate::model::ledger::Sums;
use crate::model::record::{Check, Refusal, StepKind};
use crate::model::schema::TargetSchema;
use crate::model::select::{Failed, Row, Sink};
use crate::pg::Session;
use crate::plan::{LoadPlan, Node, Plan, Reference, references};
use crate::sqlite::{Reader, Source};

use crate::job::Stop;
use crate::job::{PARTS_PER_LANE, each};
use crate::migrate::preflight::constraints::Asked;
use crate::migrate::preflight::constraints::Looking;
use crate::migrate::preflight::constraints::Seen;
use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::guard;
use crate::migrate::rows::guard::OwnKeys;
use crate::migrate::rows::guard::ReferencedKey;
use crate::migrate::rows::keyset::KeySet;
use crate::migrate::rows::parents;
use crate::model::select::CONTINUE;

/// A range of a load: the load's place, what was found, the keys of its rows.
type Part = (usize, (Found, Vec<KeySet>));

/// Rows between two words to the observer, and between two clearings of the scratch memory.
const PACE: u64 = 4_096;

/// Bytes after which the scratch memory is cleared, whatever the number of rows.
const SCRATCH: usize = 1 << 20;

/// Faults that are kept of one load; more are only counted. Some 500 bytes each.
pub const FAULTS_KEPT: usize = 10_000;

/// What reading ahead found in one load.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The load.
    pub load: String,
    /// Counts and losses; the digest stays empty.
    pub sums: Sums,
    /// Faults, up to [`FAULTS_KEPT`].
    pub faults: Vec<Fault>,
    /// How many there were.
    pub fault_total: u64,
    /// What could not be looked at, and why.
    pub unchecked: Vec<Check>,
}

/// Prepares every load's encoder once, so that a constant that does not fit is a refusal before anything is read.
///
/// # Errors
/// All refusals.
pub fn prepare(plan: &Plan, settled: &Settled) -> Result<(), Vec<Refusal>> {
    let refused: Vec<Refusal> =
        plan.loads.iter().filter_map(|load| RowEncoder::new(load, settled, &Maps::new()).err()).flatten().collect();
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

/// What is read ahead, and against what.
pub struct Ground<'a> {
    /// What is to be done.
    pub plan: &'a Plan,
    /// Where rows come from.
    pub source: &'a Source,
    /// The target's catalogue.
    pub target: &'a TargetSchema,
    /// What is the same for every row.
    pub settled: &'a Settled,
    /// Who hears of it.
    pub observer: &'a dyn Observer,
    /// Set from outside when the process was asked to stop.
    pub asked: &'a AtomicBool,
    /// Lanes.
    pub jobs: usize,
    /// By load, the lookups that are known already; the others are passed over.
    pub maps: &'a BTreeMap<String, Maps>,
    /// Look for rows that only the server would refuse, too.
    pub looks: bool,
}

/// Keys that rows refer to, as far as they were read.
type Sets = BTreeMap<ReferencedKey, KeySet>;

/// What looking at rows needs besides them.
struct Eye<'a> {
    session: &'a mut Session,
    seen: Seen,
}

impl Ground<'_> {
    /// Reads and converts the rows of the loads that `wanted` names: first those that refer to nothing and share no table,
    /// together; then each of the others when its parents' keys are known.
    ///
    /// # Errors
    /// When the source cannot be read, the target is gone, or the process was asked to stop.
    pub fn read(&self, session: &mut Session, wanted: &dyn Fn(&LoadPlan) -> bool) -> Result<Vec<Found>, Stop> {
        self.observer.on_event(Event::Step(StepKind::Preflight));
        let loads: Vec<&LoadPlan> = self.plan.loads.iter().filter(|load| wanted(load)).collect();
        let mut sets = self.sets(session, &loads)?;
        let eye = Mutex::new(Eye { session, seen: Seen::new() });
        // Of two rows with one key the later is at fault, so loads into one table are read in their order.
        let alone = |load: &LoadPlan| loads.iter().filter(|l| l.table == load.table).count() == 1;
        let (first, then): (Vec<&LoadPlan>, Vec<&LoadPlan>) =
            loads.iter().partition(|load| references(load, self.target).is_empty() && alone(load));
        let mut found = self.wave(&first, &mut sets, &eye)?;
        for node in &self.plan.order {
            let Node::Load(n) = node else { continue };
            if then.iter().any(|load| load.name == self.plan.loads[*n].name) {
                found.extend(self.wave(&[&self.plan.loads[*n]], &mut sets, &eye)?);
            }
        }
        let place = |f: &Found| self.plan.loads.iter().position(|l| l.name == f.load);
        found.sort_by_key(place);
        // Of a lookup that could not be made nothing is known.
        let is_known = |load: &str, column: &str| self.maps.get(load).is_some_and(|maps| maps.contains_key(column));
        found.iter_mut().for_each(|found| found.sums.lookups.retain(|sum| is_known(&found.load, &sum.column)));
        Ok(found)
    }

    /// The keys that are there before anything is read: those of the target's rows.
    fn sets(&self, session: &mut Session, loads: &[&LoadPlan]) -> Result<Sets, Stop> {
        let mut sets = Sets::new();
        for referred in guard::referenced_keys(loads, self.target) {
            let is_loaded = loads.iter().any(|l| l.table == referred.table);
            let holds = self.target.tables.get(&referred.table).is_some_and(|t| t.has_rows);
            let mut keys = KeySet::default();
            if holds || !is_loaded {
                keys = parents::on_target(session, &self.plan.schema, &referred)?;
            }
            // The key of an owner that has yet to be made is not known.
            keys.unknown |= !is_loaded
                && self.plan.owner.as_ref().is_some_and(|o| o.table == referred.table && o.create.is_some())
                && owner::find(session, self.plan, self.settled)?.is_none();
            sets.insert(referred, keys);
        }
        Ok(sets)
    }

    /// Reads some loads together; none of them refers to another.
    fn wave(&self, loads: &[&LoadPlan], sets: &mut Sets, eye: &Mutex<Eye<'_>>) -> Result<Vec<Found>, Stop> {
        let referred: Vec<ReferencedKey> = sets.keys().cloned().collect();
        let mut readings: Vec<Reading<'_>> = Vec::new();
        for load in loads {
            let none = Maps::new();
            let maps = self.maps.get(&load.name).unwrap_or(&none);
            let encoder = RowEncoder::new(load, self.settled, maps).map_err(Stop::Refused)?;
            let links = references(load, self.target);
            parents::settle_own(&self.source.reader()?, load, (&encoder, self.settled), &links, sets)?;
            let own = OwnKeys::of(load, &referred, self.settled);
            let looking = self.looking(load, eye)?;
            readings.push(Reading {
                load,
                encoder,
                links,
                own,
                kept: AtomicUsize::new(0),
                looking: Mutex::new(looking),
            });
        }
        let parts = self.parts(&readings, sets, eye)?;
        let mut all: Vec<Found> =
            loads.iter().map(|load| Found { load: load.name.clone(), ..Found::default() }).collect();
        for (n, (found, own)) in parts {
            all[n].merge(found);
            for (keys, more) in readings[n].own.iter().zip(own) {
                let Some(set) = sets.get_mut(&keys.referred) else { continue };
                set.unknown |= !keys.is_known();
                set.merge(more);
            }
        }
        for (reading, found) in readings.into_iter().zip(&mut all) {
            self.observer.on_event(Event::Ended { load: &found.load });
            let looking = reading.looking.into_inner().unwrap_or_else(PoisonError::into_inner);
            found.unchecked = looking.map(|l| l.ended(reading.load)).unwrap_or_default();
        }
        Ok(all)
    }

    /// What is looked at in a load, where anything is.
    fn looking(&self, load: &LoadPlan, eye: &Mutex<Eye<'_>>) -> Result<Option<Looking>, Stop> {
        if !self.looks {
            return Ok(None);
        }
        let mut eye = eye.lock().unwrap_or_else(PoisonError::into_inner);
        let (schema, table) = (&self.plan.schema, &load.table);
        let checks = eye.session.check_constraints(schema, table)?;
        let indexed = eye.session.btree_indexes(schema, table)?;
        let asked =
            Asked { checks, indexed, unseen: eye.session.server_only_checks(schema, table, load.triggers_fire)? };
        Ok(Some(Looking::of(load, &self.plan.loads, self.source.schema(), self.target, asked)))
    }

    /// Reads loads in ranges of keys, in lanes: for each range the load's place, what was found and the keys of its rows.
    fn parts(&self, readings: &[Reading<'_>], sets: &Sets, eye: &Mutex<Eye<'_>>) -> Result<Vec<Part>, Stop> {
        let mut ranges = Vec::new();
        for (n, reading) in readings.iter().enumerate() {
            let select = &reading.load.select;
            // Of two rows with one key the later is at fault: such a load is read in its order.
            let cuts = if self.jobs > 1 && !reading.needs_order() {
                self.source.reader()?.split(select, PARTS_PER_LANE * self.jobs)?
            } else {
                Vec::new()
            };
            let starts = std::iter::once(None).chain(cuts.iter().cloned().map(Some));
            let ends = cuts.iter().cloned().map(Some).chain(std::iter::once(None));
            ranges.extend(starts.zip(ends).map(|(after, until)| (n, after, until)));
        }
        each(self.jobs, &ranges, |(n, after, until)| {
            let reading = &readings[*n];
            Ok((*n, self.range(reading, (sets, eye), KeyRange { after: after.as_ref(), until: until.as_ref() })?))
        })
    }

    fn range(
        &self,
        reading: &Reading<'_>,
        (sets, eye): (&Sets, &Mutex<Eye<'_>>),
        range: KeyRange<'_>,
    ) -> Result<(Found, Vec<KeySet>), Stop> {
        let load = reading.load;
        self.observer.on_event(Event::Began { load: &load.name, rows: None });
        let links = reading.links.iter().filter_map(|link| sets.get(&ReferencedKey::by(link)).map(|keys| (link, keys)));
        let guards = parents::guards(load, links, self.settled)?;
        let found = Found { load: load.name.clone(), ..Found::default() };
        let keys = vec![KeySet::default(); reading.own.len()];
        let batch = Batch::new(load, &reading.encoder, &guards);
        let (scratch, notes) = (Vec::new(), Notes::default());
        let reader = self.source.reader()?;
        let (before, stop) = (range.after.cloned(), None);
        let (observer, asked) = (self.observer, self.asked);
        let name = load.name.as_str().into();
        let reader = &reader;
        let mut sink =
            Ahead { reading, reader, eye, before, batch, name, found, keys, scratch, notes, observer, asked, stop };
        reader.scan(&load.select, range, &mut sink).map_err(|e| Stop::reading(load, e))?;
        sink.gather(None)?;
        if let Some(stop) = sink.stop {
            return Err(stop);
        }
        if self.asked.load(Ordering::Relaxed) { Err(Stop::Interrupted) } else { Ok((sink.found, sink.keys)) }
    }
}

/// A load as it is read ahead.
struct Reading<'a> {
    load: &'a LoadPlan,
    encoder: RowEncoder,
    links: Vec<Reference>,
    own: Vec<OwnKeys>,
    /// Faults that were found, over all its parts.
    kept: AtomicUsize,
    looking: Mutex<Option<Looking>>,
}

impl Reading<'_> {
    fn needs_order(&self) -> bool {
        self.looking.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(Looking::needs_order)
    }
}

impl Found {
    /// Adds what was found in a later part of the same load.
    fn merge(&mut self, part: Found) {
        self.sums.merge(&part.sums);
        let room = FAULTS_KEPT.saturating_sub(self.faults.len());
        self.faults.extend(part.faults.into_iter().take(room));
        self.fault_total += part.fault_total;
    }
}

/// Reads one range of a load.
struct Ahead<'a, 'e> {
    reading: &'a Reading<'a>,
    reader: &'a Reader,
    eye: &'a Mutex<Eye<'e>>,
    /// The last key before the rows that are in the batch.
    before: Option<Key>,
    batch: Batch<'a>,
    /// The load's name.
    name: Arc<str>,
    found: Found,
    /// Keys of its rows, for each of the reading's own keys.
    keys: Vec<KeySet>,
    scratch: Vec<u8>,
    notes: Notes,
    observer: &'a dyn Observer,
    asked: &'a AtomicBool,
    stop: Option<Stop>,
}

impl Ahead<'_, '_> {
    /// Counts what is in the batch, up to the row `last`, and empties it.
    fn gather(&mut self, last: Option<Key>) -> Result<(), Stop> {
        self.look()?;
        for row in 0..if self.keys.is_empty() { 0 } else { self.batch.rows() as usize } {
            let image = self.batch.images(row..row + 1);
            for (own, keys) in self.reading.own.iter().zip(&mut self.keys) {
                keys.add(own.of_image(image));
            }
        }
        self.found.fault_total += self.batch.faults.len() as u64;
        let kept = self.reading.kept.fetch_add(self.batch.faults.len(), Ordering::Relaxed);
        self.found.faults.extend(self.batch.faults.drain(..).take(FAULTS_KEPT.saturating_sub(kept)));
        self.observer.on_event(Event::Rows { load: &self.found.load, rows: self.batch.read });
        self.found.sums.merge(&self.batch.counts());
        self.batch.clear();
        self.before = last;
        Ok(())
    }

    /// Empties the batch behind the row `last` once there is something in it to empty.
    fn pause(&mut self, last: Key) -> ControlFlow<()> {
        if self.batch.read >= PACE || self.batch.bytes.len() >= SCRATCH {
            self.stop = self.gather(Some(last)).err();
        }
        if self.stop.is_some() || self.asked.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { CONTINUE }
    }

    /// Condemns the rows that the server would refuse.
    fn look(&mut self) -> Result<(), Stop> {
        let load = self.reading.load;
        let mut looking = self.reading.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(looking) = looking.as_mut().filter(|l| !l.is_idle() && self.batch.rows() > 0) else { return Ok(()) };
        let mut eye = self.eye.lock().unwrap_or_else(PoisonError::into_inner);
        let Eye { session, seen } = &mut *eye;
        let refused = looking.look(session, load, &self.batch, seen);
        if refused.is_empty() {
            return Ok(());
        }
        self.batch.refuse_rows(refused);
        let rows = self.batch.restart();
        let mut again = Again { ahead: self, rows };
        let (reader, before) = (again.ahead.reader, again.ahead.before.clone());
        reader.scan(&load.select, KeyRange { after: before.as_ref(), until: None }, &mut again)?;
        Ok(())
    }

    /// Takes one row in, and the keys of one that is refused.
    fn take(&mut self, row: &dyn Row) {
        let refused = self.batch.refused;
        self.batch.row(row);
        if self.batch.refused == refused {
            return;
        }
        for (own, keys) in self.reading.own.iter().zip(&mut self.keys) {
            if let Some(key) = own.of_row(row, &mut self.scratch, &mut self.notes) {
                keys.refuse(key, &self.name, row.key());
            }
        }
    }
}

impl Sink for Ahead<'_, '_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.take(row);
        if self.batch.read >= PACE || self.batch.bytes.len() >= SCRATCH { self.pause(row.key()) } else { CONTINUE }
    }

    fn failed(&mut self, key: Key, failed: Failed) -> ControlFlow<()> {
        self.batch.failed(key.clone(), failed);
        self.pause(key)
    }
}

/// Gathers a batch once more, now that some of its rows are condemned.
struct Again<'g, 'a, 'e> {
    ahead: &'g mut Ahead<'a, 'e>,
    rows: u64,
}

impl Again<'_, '_, '_> {
    fn go_on(&self) -> ControlFlow<()> {
        if self.ahead.batch.read < self.rows { CONTINUE } else { ControlFlow::Break(()) }
    }
}

impl Sink for Again<'_, '_, '_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.ahead.take(row);
        self.go_on()
    }

    fn failed(&mut self, key: Key, failed: Failed) -> ControlFlow<()> {
        self.ahead.batch.failed(key, failed);
        self.go_on()
    }
}
