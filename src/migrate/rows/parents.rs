//! The keys that rows refer to: keys of the target's own rows, of the rows of this run, and of quarantined rows.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::convert::Settled;
use crate::convert::row::{Notes, RowEncoder};
use crate::job::{Job, KeyMemory, Stop};
use crate::mapping::OnFault;
use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::guard::{Guard, OwnKeys, ReferencedKey};
use crate::migrate::rows::key_numbers::KeyNumbers;
use crate::migrate::rows::keyset::{KeySet, key};
use crate::migrate::rows::quarantine::Quarantine;
use crate::migrate::rows::self_references::SelfReferencedKeys;
use crate::model::key::KeyRange;
use crate::model::ledger::Run;
use crate::model::select::{CONTINUE, Row};
use crate::pg::{ReadBack, ServerError, Session};
use crate::plan::{LoadPlan, Reference, references};
use crate::sqlite::Reader;

/// Returns the keys that the rows of a table have on the target now.
pub fn on_target(
    session: &mut Session,
    schema: &str,
    referenced: &ReferencedKey,
    memory: &KeyMemory,
) -> Result<KeySet, ServerError> {
    let mut keys = KeySet::within(memory);
    let places: Vec<usize> = (0..referenced.columns.len()).collect();
    let what = ReadBack { schema, table: &referenced.table, columns: &referenced.columns, only: None };
    session.read_back(&what, &mut |image| keys.add(key(image, &places, &referenced.compared)))?;
    // Only a set that grows can be made to forget its keys.
    keys.settle();
    Ok(keys)
}

/// A load, and what its rows are encoded with.
pub struct EncodedLoad<'a> {
    /// The load.
    pub load: &'a LoadPlan,
    /// The encoder of its rows.
    pub encoder: &'a RowEncoder,
    /// Values that are the same for every row.
    pub settled: &'a Settled,
}

/// The references of a load's rows.
#[derive(Default)]
pub struct Parents {
    /// The references, each with the keys that it may end at.
    pub links: Vec<(Reference, Arc<KeySet>)>,
    /// The references that end in the load's own table.
    pub own: SelfReferencedKeys,
}

/// Returns the references of a load's rows, with the keys that are present when the load starts: all loads into its parents
/// are done. A reference is left out if preflight proved that no parent is missing and the order of the rows is irrelevant.
pub fn of_load(job: &Job<'_>, session: &mut Session, run: &Run, encoded: &EncodedLoad<'_>) -> Result<Parents, Stop> {
    let load = encoded.load;
    let links = references(load, job.target);
    if links.is_empty() {
        return Ok(Parents::default());
    }
    let quarantine = Quarantine { job, run };
    let is_proved = run.read_ahead && job.options.on_fault == OnFault::Abort && quarantine.is_empty();
    // Only a reference to the load's own table asks.
    let refers_to_itself = links.iter().any(|link| link.parent == load.table);
    let detached = if refers_to_itself { session.detached(run.id)? } else { Vec::new() };
    let is_on =
        |link: &Reference| !detached.iter().any(|o| !o.reattached && o.table == load.table && o.object == link.name);
    let is_own = |link: &Reference| link.parent == load.table;
    // Preflight takes every row of a load for present; a load with `on_conflict` may skip some.
    let may_skip = |link: &Reference| job.plan.loads.iter().any(|l| l.table == link.parent && l.conflict.is_some());
    let replaces = |link: &Reference| link.columns.iter().any(|n| load.columns[*n].rules.if_orphan.is_some());
    let is_wanted = |link: &Reference| !is_proved || may_skip(link) || replaces(link) || (is_own(link) && is_on(link));
    let wanted: Vec<Reference> = links.into_iter().filter(is_wanted).collect();
    let mut own = SelfReferencedKeys { held: Vec::new(), is_on: wanted.iter().any(|link| is_own(link) && is_on(link)) };
    let mut sets: BTreeMap<ReferencedKey, KeySet> = BTreeMap::new();
    for link in &wanted {
        if let Entry::Vacant(unread) = sets.entry(ReferencedKey::by(link)) {
            let mut keys = on_target(session, &job.plan.schema, unread.key(), &job.keys)?;
            if is_own(link) {
                own.held.push((unread.key().clone(), keys.copy()));
            }
            add_quarantined(&quarantine, session, unread.key(), encoded.settled, &mut keys)?;
            unread.insert(keys);
        }
    }
    add_own(&job.source.reader()?, encoded, &wanted, &mut sets)?;
    sets.values_mut().for_each(KeySet::settle);
    let sets: BTreeMap<ReferencedKey, Arc<KeySet>> = sets.into_iter().map(|(r, keys)| (r, Arc::new(keys))).collect();
    let with_keys = |link: Reference| (sets.get(&ReferencedKey::by(&link)).cloned().unwrap_or_default(), link);
    let links = wanted.into_iter().map(with_keys).map(|(keys, link)| (link, keys)).collect();
    Ok(Parents { links, own })
}

/// Adds the keys of quarantined rows, so that their children are distinguished from orphans.
fn add_quarantined(
    quarantine: &Quarantine<'_>,
    session: &mut Session,
    referenced: &ReferencedKey,
    settled: &Settled,
    keys: &mut KeySet,
) -> Result<(), Stop> {
    for load in quarantine.job.plan.loads.iter().filter(|l| l.table == referenced.table) {
        let name: Arc<str> = load.name.as_str().into();
        let own = OwnKeys::of(load, std::slice::from_ref(referenced), settled);
        let (mut scratch, mut notes) = (Vec::new(), Notes::default());
        quarantine.each(session, load, |row, at| {
            for key in own.iter().filter_map(|own| own.of_row(row, &mut scratch, &mut notes)) {
                keys.refuse(key, &name, at.clone());
            }
        })?;
    }
    Ok(())
}

/// Adds the keys of a load's own rows if rows refer to rows of the same table. Reads the load until the set of rows that can
/// be loaded does not change any more: a row whose parent is missing is missing for its own children.
pub fn add_own(
    reader: &Reader,
    encoded: &EncodedLoad<'_>,
    wanted: &[Reference],
    sets: &mut BTreeMap<ReferencedKey, KeySet>,
) -> Result<(), Stop> {
    let table = &encoded.load.table;
    let mut own: Vec<ReferencedKey> = wanted.iter().filter(|l| l.parent == *table).map(ReferencedKey::by).collect();
    own.sort();
    own.dedup();
    for referenced in own {
        let mut keys = sets.remove(&referenced).unwrap_or_default();
        for own in OwnKeys::of(encoded.load, std::slice::from_ref(&referenced), encoded.settled) {
            keys.unknown |= !own.is_known();
            if keys.unknown {
                break;
            }
            let others = wanted.iter().filter(|l| l.parent != *table);
            let others = others.filter_map(|l| sets.get(&ReferencedKey::by(l)).map(|keys| (l, keys)));
            let guards = guards(encoded.load, others, encoded.settled)?;
            read_own(reader, encoded, &OwnReferences { own: &own, guards: &guards, wanted }, &mut keys)?;
        }
        sets.insert(referenced, keys);
    }
    Ok(())
}

/// A key of the load's table that its own rows refer to.
struct OwnReferences<'a> {
    own: &'a OwnKeys,
    /// The load's references to other tables.
    guards: &'a [Guard<'a>],
    /// All references of the load.
    wanted: &'a [Reference],
}

/// Reads the load, several times if necessary, and adds the keys of the rows that can be loaded.
fn read_own(
    reader: &Reader,
    encoded: &EncodedLoad<'_>,
    references: &OwnReferences<'_>,
    keys: &mut KeySet,
) -> Result<(), Stop> {
    let EncodedLoad { load, encoder, settled } = *encoded;
    let OwnReferences { own, guards, wanted } = *references;
    let no_keys = KeySet::default();
    let mine: Vec<Guard<'_>> = wanted
        .iter()
        .filter(|l| ReferencedKey::by(l) == own.referenced)
        .map(|l| Guard::new(load, l.clone(), &no_keys, settled).map_err(Stop::Refused))
        .collect::<Result<_, _>>()?;
    let name: Arc<str> = load.name.as_str().into();
    // A value of `if_orphan` decides later; until then its row counts as present.
    let has_stand_ins = wanted.iter().any(|l| has_stand_in(load, l));
    for reading in 0.. {
        let (batch, name) = (Batch::new(load, encoder, guards), Arc::clone(&name));
        let waiting = WaitingRows { is_first: reading == 0, ..WaitingRows::default() };
        let (scratch, notes) = (Vec::new(), Notes::default());
        let mut pass = Pass { name, waiting, batch, own, mine: &mine, keys: &mut *keys, scratch, notes };
        reader.each(&load.select, KeyRange::ALL, |row| {
            pass.row(row);
            CONTINUE
        })?;
        let (more, missing) = (pass.waiting.more, pass.waiting.missing(&keys.present));
        if (missing.is_empty() && !more) || keys.unknown || has_stand_ins {
            break;
        }
        keys.withdraw(&missing);
    }
    Ok(())
}

/// Returns true if `if_orphan` has a value for this reference of the table to itself.
fn has_stand_in(load: &LoadPlan, link: &Reference) -> bool {
    link.parent == load.table && link.columns.iter().any(|n| load.columns[*n].rules.if_orphan.is_some())
}

/// Returns guards for references with their keys.
///
/// # Errors
/// A refusal for each value of `if_orphan` that does not fit its column.
pub fn guards<'k>(
    load: &LoadPlan,
    links: impl Iterator<Item = (&'k Reference, &'k KeySet)>,
    settled: &Settled,
) -> Result<Vec<Guard<'k>>, Stop> {
    links.map(|(link, keys)| Guard::new(load, link.clone(), keys, settled).map_err(Stop::Refused)).collect()
}

/// One reading of a load that refers to itself.
struct Pass<'p, 'k> {
    /// The load's name.
    name: Arc<str>,
    batch: Batch<'p>,
    own: &'p OwnKeys,
    mine: &'p [Guard<'p>],
    keys: &'k mut KeySet,
    waiting: WaitingRows,
    scratch: Vec<u8>,
    notes: Notes,
}

impl Pass<'_, '_> {
    fn row(&mut self, row: &dyn Row) {
        self.batch.row(row);
        if self.batch.rows() == 1 {
            let image = self.batch.images(0..1);
            if let Some(own) = self.own.of_image(image) {
                if self.keys.is_refused(own) {
                    self.keys.refuse(own, &self.name, row.key());
                } else {
                    self.keys.add([own]);
                    let parents = self.mine.iter().filter_map(|guard| guard.key(image));
                    parents.for_each(|parent| self.waiting.note(own, parent, &self.keys.present));
                }
            }
        } else if let Some(own) = self.own.of_row(row, &mut self.scratch, &mut self.notes) {
            self.keys.refuse(own, &self.name, row.key());
        }
        self.batch.clear();
    }
}

/// Rows whose parents decide about them. A chain whose end is missing is found in one reading, whatever its order.
#[derive(Default)]
struct WaitingRows {
    /// True in the first reading: keys may follow, so a row is noted only if it waits for one. Later all rows are noted.
    is_first: bool,
    /// The parent's key and the row's own key, for at most [`MOST_WAITING`] rows.
    rows: Vec<(u64, u64)>,
    /// Further rows whose parents are missing.
    missing: HashSet<u64>,
    /// True if the first reading had further rows. Another reading, with all keys known, finds the remaining ones.
    more: bool,
}

/// Maximum number of references that one reading keeps, 16 bytes each. In a larger table a chain costs another reading each
/// time it turns back in the order of the rows.
const MOST_WAITING: usize = 250_000;

impl WaitingRows {
    /// Notes a row with its own key and the key of its parent.
    fn note(&mut self, own: u64, parent: u64, present: &KeyNumbers) {
        let is_missing = !present.contains(parent) || self.missing.contains(&parent);
        match self.rows.len() < MOST_WAITING {
            true if is_missing || !self.is_first => self.rows.push((parent, own)),
            false if is_missing && self.is_first => self.more = true,
            false if is_missing => _ = self.missing.insert(own),
            _ => {}
        }
    }

    /// Returns the keys of the rows whose parents are missing, and of all their descendants.
    fn missing(self, present: &KeyNumbers) -> HashSet<u64> {
        let WaitingRows { mut rows, mut missing, .. } = self;
        rows.sort_unstable();
        missing.extend(rows.iter().filter(|(parent, _)| !present.contains(*parent)).map(|(_, own)| *own));
        let mut above: Vec<u64> = missing.iter().copied().collect();
        while let Some(ancestor) = above.pop() {
            let first = rows.partition_point(|(parent, _)| *parent < ancestor);
            let below = rows[first..].iter().take_while(|(parent, _)| *parent == ancestor);
            above.extend(below.map(|(_, own)| *own).filter(|own| missing.insert(*own)));
        }
        missing
    }
}
