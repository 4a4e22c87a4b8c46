//! Where the keys of parents come from: the target's own rows, the loads as they are read ahead, the ledger's faults.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::convert::Settled;
use crate::convert::row::{Notes, RowEncoder};
use crate::mapping::OnFault;
use crate::model::key::{Key, KeyRange};
use crate::model::ledger::Run;
use crate::model::select::{Failed, Row, Sink};
use crate::pg::{ReadBack, ServerError, Session};
use crate::plan::{LoadPlan, Reference, references};
use crate::sqlite::Reader;

use crate::job::Job;
use crate::job::Stop;
use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::guard::Guard;
use crate::migrate::rows::guard::OwnKeys;
use crate::migrate::rows::guard::ReferencedKey;
use crate::migrate::rows::keyset::KeyNumbers;
use crate::migrate::rows::keyset::KeySet;
use crate::migrate::rows::keyset::key;
use crate::migrate::rows::self_references::SelfReferencedKeys;
use crate::model::select::CONTINUE;

/// The keys that the rows of a table have on the target now.
pub fn on_target(session: &mut Session, schema: &str, referred: &ReferencedKey) -> Result<KeySet, ServerError> {
    let mut keys = KeySet::default();
    let places: Vec<usize> = (0..referred.columns.len()).collect();
    let what = ReadBack { schema, table: &referred.table, columns: &referred.columns, only: None };
    session.read_back(&what, &mut |image| keys.add(key(image, &places, &referred.compared)))?;
    Ok(keys)
}

/// What the rows of a load refer to.
#[derive(Default)]
pub struct Parents {
    /// References with the keys that they may end at.
    pub links: Vec<(Reference, Arc<KeySet>)>,
    /// Those of them that end in the load's own table.
    pub own: SelfReferencedKeys,
}

/// What the rows of a load refer to, with the keys that are there, when its turn has come: all loads into its parents are
/// done. Nothing where reading ahead has found that no parent is missing and the order of its rows is no matter.
pub fn of_load(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    load: &LoadPlan,
    (encoder, settled): (&RowEncoder, &Settled),
) -> Result<Parents, Stop> {
    let links = references(load, job.target);
    if links.is_empty() {
        return Ok(Parents::default());
    }
    let nothing_aside = job.quarantined.load(std::sync::atomic::Ordering::Relaxed) == 0;
    let is_proved = run.read_ahead && job.options.on_fault == OnFault::Abort && nothing_aside;
    let off = session.detached(run.id)?;
    let is_on = |link: &Reference| !off.iter().any(|o| !o.reattached && o.table == load.table && o.object == link.name);
    let is_own = |link: &Reference| link.parent == load.table;
    // What reading ahead took for there may have been skipped.
    let may_skip = |link: &Reference| job.plan.loads.iter().any(|l| l.table == link.parent && l.conflict.is_some());
    let replaces = |link: &Reference| link.columns.iter().any(|n| load.columns[*n].rules.if_orphan.is_some());
    let is_wanted = |link: &Reference| !is_proved || may_skip(link) || replaces(link) || (is_own(link) && is_on(link));
    let wanted: Vec<Reference> = links.into_iter().filter(is_wanted).collect();
    let mut own = SelfReferencedKeys { held: Vec::new(), is_on: wanted.iter().any(|link| is_own(link) && is_on(link)) };
    let mut sets: BTreeMap<ReferencedKey, KeySet> = BTreeMap::new();
    for link in &wanted {
        if let Entry::Vacant(unread) = sets.entry(ReferencedKey::by(link)) {
            let mut keys = on_target(session, &job.plan.schema, unread.key())?;
            if is_own(link) {
                own.held.push((unread.key().clone(), keys.clone()));
            }
            refused(job, session, run, unread.key(), settled, &mut keys)?;
            unread.insert(keys);
        }
    }
    let reader = job.source.reader()?;
    settle_own(&reader, load, (encoder, settled), &wanted, &mut sets)?;
    let sets: BTreeMap<ReferencedKey, Arc<KeySet>> = sets.into_iter().map(|(r, keys)| (r, Arc::new(keys))).collect();
    let with_keys = |link: Reference| (sets.get(&ReferencedKey::by(&link)).cloned().unwrap_or_default(), link);
    let links = wanted.into_iter().map(with_keys).map(|(keys, link)| (link, keys)).collect();
    Ok(Parents { links, own })
}

/// Adds the keys of rows that the ledger knows as set aside: their children are told from orphans.
fn refused(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    referred: &ReferencedKey,
    settled: &Settled,
    keys: &mut KeySet,
) -> Result<(), Stop> {
    if job.quarantined.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        return Ok(());
    }
    let reader = job.source.reader()?;
    for load in job.plan.loads.iter().filter(|l| l.table == referred.table) {
        let mut places = HashSet::new();
        session.faults::<Stop>(run.id, &load.name, &mut |some| {
            places.extend(some.iter().map(|fault| xxh3_64(fault.at.as_bytes())));
            Ok(())
        })?;
        if places.is_empty() {
            continue;
        }
        for own in OwnKeys::of(load, std::slice::from_ref(referred), settled) {
            let name = load.name.as_str().into();
            let mut sink =
                Refused { name, own: &own, places: &places, keys, scratch: Vec::new(), notes: Notes::default() };
            reader.scan(&load.select, KeyRange::ALL, &mut sink)?;
        }
    }
    Ok(())
}

struct Refused<'r> {
    name: Arc<str>,
    own: &'r OwnKeys,
    /// Hashes of the rows' places.
    places: &'r HashSet<u64>,
    keys: &'r mut KeySet,
    scratch: Vec<u8>,
    notes: Notes,
}

impl Sink for Refused<'_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        let key = row.key();
        if self.places.contains(&xxh3_64(key.written().as_bytes()))
            && let Some(own) = self.own.of_row(row, &mut self.scratch, &mut self.notes)
        {
            self.keys.refuse(own, &self.name, key);
        }
        CONTINUE
    }

    fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
        CONTINUE
    }
}

/// A load whose rows refer to rows of the same table: reads it until it is known which of its rows can go, and adds their
/// keys. A row whose parent is missing is not there for its own children.
pub fn settle_own(
    reader: &Reader,
    load: &LoadPlan,
    (encoder, settled): (&RowEncoder, &Settled),
    wanted: &[Reference],
    sets: &mut BTreeMap<ReferencedKey, KeySet>,
) -> Result<(), Stop> {
    let mut own: Vec<ReferencedKey> = wanted.iter().filter(|l| l.parent == load.table).map(ReferencedKey::by).collect();
    own.sort();
    own.dedup();
    for referred in own {
        let mut keys = sets.remove(&referred).unwrap_or_default();
        for own in OwnKeys::of(load, std::slice::from_ref(&referred), settled) {
            keys.unknown |= !own.is_known();
            if keys.unknown {
                break;
            }
            let others: Vec<(&Reference, &KeySet)> = wanted
                .iter()
                .filter(|l| l.parent != load.table)
                .filter_map(|l| sets.get(&ReferencedKey::by(l)).map(|keys| (l, keys)))
                .collect();
            let guards = guards(load, others.into_iter(), settled)?;
            let nobody = KeySet::default();
            let mine: Vec<Guard<'_>> = wanted
                .iter()
                .filter(|l| ReferencedKey::by(l) == referred)
                .map(|l| Guard::new(load, l.clone(), &nobody, settled).map_err(Stop::Refused))
                .collect::<Result<_, _>>()?;
            let name: Arc<str> = load.name.as_str().into();
            for reading in 0.. {
                let batch = Batch::new(load, encoder, &guards);
                let (scratch, notes, name) = (Vec::new(), Notes::default(), Arc::clone(&name));
                let waiting = Waiters { is_first: reading == 0, ..Waiters::default() };
                let mut pass = Pass { name, waiting, batch, own: &own, mine: &mine, keys: &mut keys, scratch, notes };
                reader.scan(&load.select, KeyRange::ALL, &mut pass)?;
                let (more, gone) = (pass.waiting.more, pass.waiting.gone(&keys.present));
                // A value that stands in for an orphan decides later; here its row counts as there.
                if (gone.is_empty() && !more) || keys.unknown || wanted.iter().any(|l| replaces(load, l)) {
                    break;
                }
                keys.withdraw(&gone);
            }
        }
        sets.insert(referred, keys);
    }
    Ok(())
}

fn replaces(load: &LoadPlan, link: &Reference) -> bool {
    link.parent == load.table && link.columns.iter().any(|n| load.columns[*n].rules.if_orphan.is_some())
}

/// Guards for references with their keys.
///
/// # Errors
/// Refusals for values of `if_orphan` that do not fit.
pub fn guards<'k>(
    load: &LoadPlan,
    links: impl Iterator<Item = (&'k Reference, &'k KeySet)>,
    settled: &Settled,
) -> Result<Vec<Guard<'k>>, Stop> {
    links.map(|(link, keys)| Guard::new(load, link.clone(), keys, settled).map_err(Stop::Refused)).collect()
}

/// One reading of a load that refers to itself.
struct Pass<'p> {
    /// The load.
    name: Arc<str>,
    batch: Batch<'p>,
    own: &'p OwnKeys,
    mine: &'p [Guard<'p>],
    keys: &'p mut KeySet,
    waiting: Waiters,
    scratch: Vec<u8>,
    notes: Notes,
}

/// Rows that go with their parents. A chain of them whose end is missing goes in one reading, whatever its order.
#[derive(Default)]
struct Waiters {
    /// KeyNumbers have yet to come by: only what waits for one is noted, else whatever a row refers to.
    is_first: bool,
    /// What a row refers to, and its own key: as many as [`MOST_WAITING`].
    rows: Vec<(u64, u64)>,
    /// Rows beyond these that refer to what is not there.
    gone: HashSet<u64>,
    /// In the first reading there were more; another one, when all keys are known, finds those that are left.
    more: bool,
}

/// References that are kept while one reading goes on, 16 bytes each. A chain in a table of more of them costs a reading
/// wherever it turns back in the order of the rows.
const MOST_WAITING: usize = 250_000;

impl Waiters {
    /// A row that refers to this.
    fn note(&mut self, own: u64, refers: u64, there: &KeyNumbers) {
        let is_missing = !there.contains(refers) || self.gone.contains(&refers);
        match self.rows.len() < MOST_WAITING {
            true if is_missing || !self.is_first => self.rows.push((refers, own)),
            false if is_missing && self.is_first => self.more = true,
            false if is_missing => _ = self.gone.insert(own),
            _ => {}
        }
    }

    /// The keys of rows whose parents are not there, and of all below them.
    fn gone(self, there: &KeyNumbers) -> HashSet<u64> {
        let Waiters { mut rows, mut gone, .. } = self;
        rows.sort_unstable();
        gone.extend(rows.iter().filter(|(refers, _)| !there.contains(*refers)).map(|(_, own)| *own));
        let mut above: Vec<u64> = gone.iter().copied().collect();
        while let Some(parent) = above.pop() {
            let first = rows.partition_point(|(refers, _)| *refers < parent);
            let below = rows[first..].iter().take_while(|(refers, _)| *refers == parent);
            above.extend(below.map(|(_, own)| *own).filter(|own| gone.insert(*own)));
        }
        gone
    }
}

impl Sink for Pass<'_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.batch.row(row);
        if self.batch.rows() == 1 {
            let image = self.batch.images(0..1);
            if let Some(own) = self.own.of_image(image) {
                if self.keys.is_refused(own) {
                    self.keys.refuse(own, &self.name, row.key());
                } else {
                    self.keys.add([own]);
                    let refers = self.mine.iter().filter_map(|guard| guard.key(image));
                    refers.for_each(|key| self.waiting.note(own, key, &self.keys.present));
                }
            }
        } else if let Some(own) = self.own.of_row(row, &mut self.scratch, &mut self.notes) {
            self.keys.refuse(own, &self.name, row.key());
        }
        self.batch.clear();
        CONTINUE
    }

    fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
        CONTINUE
    }
}
