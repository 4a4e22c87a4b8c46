//! Reads the maps of lookups from the target: when the load that needs them starts, and before the first write if this run
//! does not write to their tables.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::convert::Settled;
use crate::convert::lookup::{LookupMap, MOST_BYTES, MapBuilder};
use crate::convert::row::{Maps, Notes, RowEncoder};
use crate::event::Event;
use crate::job::{Job, Stop};
use crate::migrate::rows::quarantine::{Quarantine, RefusedPlaces};
use crate::model::hex::hex;
use crate::model::ident::quoted;
use crate::model::ledger::{Made, MadeKind, Run};
use crate::model::pgtype::ColumnType;
use crate::model::record::{Check, CheckKind, Refusal, Warning};
use crate::model::rules::Value;
use crate::pg::Session;
use crate::pg::lookup_rows::LookupRows;
use crate::plan::{ColumnPlan, Feed, LoadPlan, LookupPlan, Plan};

/// Reads the maps of a load, and notes in the ledger a digest of the rows that they were made of.
///
/// # Errors
/// If a map is too large, the target refuses, or the connection is lost.
pub fn read(job: &Job<'_>, session: &mut Session, run: &Run, load: &LoadPlan, settled: &Settled) -> Result<Maps, Stop> {
    let mut maps = Maps::new();
    let reader = MapReader { plan: job.plan, settled, seed: run.seed };
    let refused = RefusedPlaces::new();
    let quarantine = Quarantine { job, run, refused: &refused };
    for fed in FedByLookup::of(load) {
        let mut builder = reader.begin(session, &fed)?;
        add_quarantined(&quarantine, session, fed.lookup, settled, &mut builder)?;
        let map = reader.finish(builder, &fed)?;
        let place = fed.place();
        let digest = hex(&map.digest.to_bytes());
        if session.note_lookup(run, &place, &digest)?.ok_or(Stop::Fenced)? != digest {
            let message = format!(
                "the rows of {}.{} that this lookup reads changed since the load started; the remaining rows use the new ones",
                job.plan.schema, fed.lookup.table
            );
            job.observer.on_event(Event::Warned(&Warning::new(place, message)));
        }
        maps.insert(fed.column.name.clone(), Arc::new(map));
    }
    Ok(maps)
}

/// Returns the maps of a load as they are now, to compute its rows again.
///
/// # Errors
/// If a map is too large, the target refuses, or the connection is lost.
pub fn current(
    session: &mut Session,
    plan: &Plan,
    load: &LoadPlan,
    settled: &Settled,
    seed: u64,
) -> Result<Maps, Stop> {
    let mut maps = Maps::new();
    let reader = MapReader { plan, settled, seed };
    for fed in FedByLookup::of(load) {
        maps.insert(fed.column.name.clone(), Arc::new(reader.read(session, &fed)?));
    }
    Ok(maps)
}

/// The maps that a verification reads from the target, each once, in binary form.
pub struct ReadMaps<'a> {
    reader: MapReader<'a>,
    /// By the place of the lookup in the mapping.
    read: Mutex<BTreeMap<String, Arc<LookupMap>>>,
}

impl<'a> ReadMaps<'a> {
    /// No map. `seed`: the seed of the row hashes.
    pub fn new(plan: &'a Plan, settled: &'a Settled, seed: u64) -> ReadMaps<'a> {
        ReadMaps { reader: MapReader { plan, settled, seed }, read: Mutex::default() }
    }

    /// Forgets every map, because another snapshot of the target begins.
    pub fn forget(&self) {
        self.lock().clear();
    }

    /// Returns the maps of a load. Those that were not read before are read now, while other lanes wait.
    ///
    /// # Errors
    /// If a map is too large, the target refuses, or the connection is lost.
    pub fn of(&self, session: &mut Session, load: &LoadPlan) -> Result<Maps, Stop> {
        let binary = LoadPlan { as_text: false, ..load.clone() };
        let (mut maps, mut read) = (Maps::new(), self.lock());
        for fed in FedByLookup::of(&binary) {
            let map = match read.entry(fed.place()) {
                Entry::Occupied(known) => Arc::clone(known.get()),
                Entry::Vacant(unread) => Arc::clone(unread.insert(Arc::new(self.reader.read(session, &fed)?))),
            };
            maps.insert(fed.column.name.clone(), map);
        }
        Ok(maps)
    }

    /// Returns the columns of a load whose lookups find other rows now than when it was loaded. `made`: the objects that the
    /// run made in addition to its rows, lookups among them.
    ///
    /// # Errors
    /// If a map is too large, the target refuses, or the connection is lost.
    pub fn changed_columns(&self, session: &mut Session, load: &LoadPlan, made: &[Made]) -> Result<Vec<String>, Stop> {
        let maps = self.of(session, load)?;
        let is_changed = |fed: &FedByLookup<'_>| {
            let (place, map) = (fed.place(), maps.get(&fed.column.name));
            let now = map.map(|map| hex(&map.digest.to_bytes()));
            made.iter().any(|m| m.kind == MadeKind::Lookup && m.object == place && m.became != now)
        };
        Ok(FedByLookup::of(load).filter(is_changed).map(|fed| fed.column.name.clone()).collect())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<LookupMap>>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns, by load, the maps that are known before the first write, and a check for each lookup whose map is not.
///
/// # Errors
/// If a map is too large, the target refuses, or the connection is lost.
pub fn before_writing(
    session: &mut Session,
    plan: &Plan,
    settled: &Settled,
) -> Result<(BTreeMap<String, Maps>, Vec<Check>), Stop> {
    let (mut known, mut checks) = (BTreeMap::new(), Vec::new());
    let missing_owner = plan.settled_owner().filter(|_| settled.owner.is_none()).map(|owner| &owner.table);
    let reader = MapReader { plan, settled, seed: 0 };
    for load in &plan.loads {
        let mut maps = Maps::new();
        for fed in FedByLookup::of(load) {
            let (place, lookup) = (fed.place(), fed.lookup);
            let is_loaded = plan.loads.iter().any(|other| other.table == lookup.table);
            if is_loaded && lookup.reference.is_some() {
                // The rows themselves show that their parents are in the source.
                continue;
            }
            if is_loaded {
                let why = format!("it reads {}, which this run loads first", lookup.table);
                checks.push(Check::not_checked(CheckKind::Lookups, Some(&place), why));
                continue;
            }
            if missing_owner == Some(&lookup.table) {
                let why =
                    "the owner's row, which this run makes, is not there yet: a value that means it counts as missing";
                checks.push(Check::not_checked(CheckKind::Lookups, Some(&place), why));
                if lookup.missing == Value::Fault || lookup.ambiguous_is_fault {
                    continue;
                }
            }
            maps.insert(fed.column.name.clone(), Arc::new(reader.read(session, &fed)?));
        }
        known.insert(load.name.clone(), maps);
    }
    Ok((known, checks))
}

/// Returns the rows and columns that a lookup reads.
pub fn rows_of<'a>(schema: &'a str, lookup: &'a LookupPlan) -> LookupRows<'a> {
    let keys = lookup.steps.iter().map(|step| step.target.iter().map(|(sql, _)| sql.as_str()).collect());
    LookupRows { schema, table: &lookup.table, keys: keys.collect(), take: &lookup.take }
}

/// A column of a load that a lookup feeds.
struct FedByLookup<'a> {
    load: &'a LoadPlan,
    column: &'a ColumnPlan,
    lookup: &'a LookupPlan,
}

impl<'a> FedByLookup<'a> {
    fn of(load: &'a LoadPlan) -> impl Iterator<Item = FedByLookup<'a>> {
        load.lookups().map(move |(column, lookup)| FedByLookup { load, column, lookup })
    }

    /// Returns the key of the lookup in the mapping.
    fn place(&self) -> String {
        format!("load.{}.columns.{}.lookup", self.load.name, self.column.name)
    }
}

/// Everything that the maps of a run have in common.
struct MapReader<'a> {
    plan: &'a Plan,
    settled: &'a Settled,
    /// The seed of the row hashes.
    seed: u64,
}

impl MapReader<'_> {
    fn read(&self, session: &mut Session, fed: &FedByLookup<'_>) -> Result<LookupMap, Stop> {
        let builder = self.begin(session, fed)?;
        self.finish(builder, fed)
    }

    /// Reads the rows of a lookup's table.
    fn begin<'l>(&self, session: &mut Session, fed: &FedByLookup<'l>) -> Result<MapBuilder<'l>, Stop> {
        let FedByLookup { load, column, lookup } = *fed;
        let mut builder = MapBuilder::new(column, lookup, load.as_text, self.settled).map_err(|mistake| {
            let advice = "Write a value that fits the column.";
            Stop::Refused(vec![Refusal::new(fed.place(), mistake.to_string(), advice)])
        })?;
        let rows = rows_of(&self.plan.schema, lookup);
        session.read_lookup(&rows, &mut |n, image| builder.push(n, image, self.seed))?;
        Ok(builder)
    }

    /// Returns the map unless it is too large.
    fn finish(&self, builder: MapBuilder<'_>, fed: &FedByLookup<'_>) -> Result<LookupMap, Stop> {
        let rows = builder.rows;
        builder.finish().map_err(|bytes| {
            const MIB: usize = 1 << 20;
            Stop::Refused(vec![Refusal::new(
                fed.place(),
                format!(
                    "its map would take {} MiB in memory ({rows} keys of {}.{}), and {} MiB is the most",
                    bytes.div_ceil(MIB),
                    self.plan.schema,
                    fed.lookup.table,
                    MOST_BYTES / MIB
                ),
                "Let fewer or shorter keys take part: an expression that is NULL for rows that cannot be meant, or one step less.",
            )])
        })
    }
}

/// Adds the keys of quarantined rows of this run, for the steps whose keys are columns that the source feeds.
fn add_quarantined(
    quarantine: &Quarantine<'_>,
    session: &mut Session,
    lookup: &LookupPlan,
    settled: &Settled,
    builder: &mut MapBuilder<'_>,
) -> Result<(), Stop> {
    if quarantine.is_empty() {
        return Ok(());
    }
    for load in quarantine.job.plan.loads.iter().filter(|load| load.table == lookup.table) {
        let fed = |(sql, _): &(String, ColumnType)| {
            let column = load.columns.iter().find(|c| *sql == c.name || *sql == quoted(&c.name))?;
            matches!(column.feed, Feed::Cell(_) | Feed::Constant(_)).then(|| column.clone())
        };
        let columns = lookup.steps.iter().map(|step| step.target.iter().map(fed).collect::<Option<Vec<_>>>());
        let mut steps = Vec::new();
        for (n, columns) in columns.enumerate() {
            let Some(columns) = columns else { continue };
            steps.push((n, RowEncoder::project(load, columns, settled).map_err(Stop::Refused)?));
        }
        if steps.is_empty() {
            continue;
        }
        let name: Arc<str> = load.name.as_str().into();
        let (mut image, mut notes) = (Vec::new(), Notes::default());
        quarantine.each(session, load, |row, at| {
            for (n, encoder) in &steps {
                image.clear();
                if encoder.encode(row, &mut image, &mut notes) {
                    builder.add_quarantined(*n, &image, &name, &at);
                }
            }
        })?;
    }
    Ok(())
}
