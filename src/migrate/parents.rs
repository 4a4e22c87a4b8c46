//! Where the keys of parents come from: the target's own rows, the loads as they are read ahead, the ledger's faults.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use crate::convert::Settled;
use crate::convert::row::{Notes, RowEncoder};
use crate::mapping::OnFault;
use crate::model::aside::SetAside;
use crate::model::key::Key;
use crate::model::select::{Row, Sink};
use crate::plan::{Link, LoadPlan, links};
use crate::source::Reader;
use crate::target::ledger::Run;
use crate::target::{ReadBack, ServerError, Session};

use super::batch::{Batch, GO_ON};
use super::keyset::{KeySet, hash};
use super::orphans::{Guarded, OwnKeys, Referred};
use super::{Job, Stop};

/// The keys that the rows of a table have on the target now.
pub(super) fn on_target(session: &mut Session, schema: &str, referred: &Referred) -> Result<KeySet, ServerError> {
    let mut keys = KeySet::default();
    let places: Vec<usize> = (0..referred.columns.len()).collect();
    let what = ReadBack { schema, table: &referred.table, columns: &referred.columns, only: None };
    session.read_back(&what, &mut |image| keys.there.extend(hash(image, &places, &referred.compared)))?;
    Ok(keys)
}

/// What the rows of a load refer to, with the keys that are there, when its turn has come: all loads into its parents are
/// done. Nothing where reading ahead has found that no parent is missing.
pub(super) fn of_load(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    load: &LoadPlan,
    (encoder, settled): (&RowEncoder, &Settled),
) -> Result<Vec<(Link, KeySet)>, Stop> {
    let nothing_aside = job.aside.load(std::sync::atomic::Ordering::Relaxed) == 0;
    let is_proved = run.read_ahead && job.options.on_fault == OnFault::Abort && nothing_aside;
    let replaces = |link: &Link| link.columns.iter().any(|n| load.columns[*n].rules.if_orphan.is_some());
    let wanted: Vec<Link> = links(load, job.target).into_iter().filter(|link| !is_proved || replaces(link)).collect();
    let mut sets: BTreeMap<Referred, KeySet> = BTreeMap::new();
    for referred in wanted.iter().map(Referred::by) {
        if let Entry::Vacant(unread) = sets.entry(referred) {
            let mut keys = on_target(session, &job.plan.schema, unread.key())?;
            refused(job, session, run, unread.key(), settled, &mut keys)?;
            unread.insert(keys);
        }
    }
    let reader = job.source.reader()?;
    settle_own(&reader, load, (encoder, settled), &wanted, &mut sets)?;
    Ok(wanted
        .into_iter()
        .map(|link| (sets.get(&Referred::by(&link)).cloned().unwrap_or_default(), link))
        .map(|(k, l)| (l, k))
        .collect())
}

/// Adds the keys of rows that the ledger knows as set aside: their children are told from orphans.
fn refused(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    referred: &Referred,
    settled: &Settled,
    keys: &mut KeySet,
) -> Result<(), Stop> {
    if job.aside.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        return Ok(());
    }
    let mut places: BTreeMap<String, HashSet<String>> = BTreeMap::new();
    for text in session.faults(run.id)? {
        let fault: SetAside = serde_json::from_str(&text)
            .map_err(|e| ServerError::said("reading the ledger", format!("fault.fault: {e}")))?;
        places.entry(fault.record.load).or_default().insert(fault.at);
    }
    let reader = job.source.reader()?;
    for load in job.plan.loads.iter().filter(|l| l.table == referred.table) {
        let Some(places) = places.remove(&load.name) else { continue };
        for own in OwnKeys::of(load, std::slice::from_ref(referred), settled) {
            let mut sink =
                Refused { load, own: &own, places: &places, keys, scratch: Vec::new(), notes: Notes::default() };
            reader.scan(&load.select, None, None, &mut sink)?;
        }
    }
    Ok(())
}

struct Refused<'r> {
    load: &'r LoadPlan,
    own: &'r OwnKeys,
    places: &'r HashSet<String>,
    keys: &'r mut KeySet,
    scratch: Vec<u8>,
    notes: Notes,
}

impl Sink for Refused<'_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        let key = row.key();
        if self.places.contains(&key.written())
            && let Some(hash) = self.own.refused(row, &mut self.scratch, &mut self.notes)
        {
            self.keys.refused.insert(hash, (self.load.name.clone(), key));
        }
        GO_ON
    }

    fn failed(&mut self, _: Key, _: Option<usize>) -> ControlFlow<()> {
        GO_ON
    }
}

/// A load whose rows refer to rows of the same table: reads it until it is known which of its rows can go, and adds their
/// keys. A row whose parent is missing is not there for its own children.
pub(super) fn settle_own(
    reader: &Reader,
    load: &LoadPlan,
    (encoder, settled): (&RowEncoder, &Settled),
    wanted: &[Link],
    sets: &mut BTreeMap<Referred, KeySet>,
) -> Result<(), Stop> {
    let mut own: Vec<Referred> = wanted.iter().filter(|l| l.parent == load.table).map(Referred::by).collect();
    own.sort();
    own.dedup();
    for referred in own {
        let mut keys = sets.remove(&referred).unwrap_or_default();
        for own in OwnKeys::of(load, std::slice::from_ref(&referred), settled) {
            keys.open |= !own.is_known();
            if keys.open {
                break;
            }
            let others: Vec<(&Link, &KeySet)> = wanted
                .iter()
                .filter(|l| l.parent != load.table)
                .filter_map(|l| sets.get(&Referred::by(l)).map(|keys| (l, keys)))
                .collect();
            let guards = guards(load, others.into_iter(), settled)?;
            let nobody = KeySet::default();
            let mine: Vec<Guarded<'_>> = wanted
                .iter()
                .filter(|l| Referred::by(l) == referred)
                .map(|l| Guarded::new(load, l.clone(), &nobody, settled).map_err(Stop::Refused))
                .collect::<Result<_, _>>()?;
            loop {
                let batch = Batch::new(load, encoder, &guards);
                let (scratch, notes) = (Vec::new(), Notes::default());
                let waiting = Vec::new();
                let mut pass = Pass { load, batch, own: &own, mine: &mine, keys: &mut keys, waiting, scratch, notes };
                reader.scan(&load.select, None, None, &mut pass)?;
                let mut waiting = std::mem::take(&mut pass.waiting);
                // A value that stands in for an orphan decides later; here its row counts as there.
                waiting.retain(|w| !w.refers.iter().all(|hash| keys.there.contains(hash)));
                if waiting.is_empty() || wanted.iter().any(|l| replaces(load, l)) {
                    break;
                }
                for one in waiting {
                    keys.there.remove(&one.own);
                    keys.refused.insert(one.own, (load.name.clone(), one.at));
                }
            }
        }
        sets.insert(referred, keys);
    }
    Ok(())
}

fn replaces(load: &LoadPlan, link: &Link) -> bool {
    link.parent == load.table && link.columns.iter().any(|n| load.columns[*n].rules.if_orphan.is_some())
}

/// Guards for references with their keys.
///
/// # Errors
/// Refusals for values of `if_orphan` that do not fit.
pub(super) fn guards<'k>(
    load: &LoadPlan,
    links: impl Iterator<Item = (&'k Link, &'k KeySet)>,
    settled: &Settled,
) -> Result<Vec<Guarded<'k>>, Stop> {
    links.map(|(link, keys)| Guarded::new(load, link.clone(), keys, settled).map_err(Stop::Refused)).collect()
}

/// One reading of a load that refers to itself.
struct Pass<'p> {
    load: &'p LoadPlan,
    batch: Batch<'p>,
    own: &'p OwnKeys,
    mine: &'p [Guarded<'p>],
    keys: &'p mut KeySet,
    waiting: Vec<Waiting>,
    scratch: Vec<u8>,
    notes: Notes,
}

/// A row whose parent has not come by yet.
struct Waiting {
    own: u128,
    refers: Vec<u128>,
    at: Key,
}

impl Sink for Pass<'_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.batch.row(row);
        if self.batch.rows() == 1 {
            let image = self.batch.images(0..1);
            let own = self.own.good(image).filter(|own| !self.keys.refused.contains_key(own));
            if let Some(own) = own {
                self.keys.there.insert(own);
                let refers: Vec<u128> = self
                    .mine
                    .iter()
                    .filter_map(|guard| guard.hash(image))
                    .filter(|hash| !self.keys.there.contains(hash))
                    .collect();
                if !refers.is_empty() {
                    self.waiting.push(Waiting { own, refers, at: row.key() });
                }
            }
        } else if let Some(own) = self.own.refused(row, &mut self.scratch, &mut self.notes) {
            self.keys.refused.insert(own, (self.load.name.clone(), row.key()));
        }
        self.batch.clear();
        GO_ON
    }

    fn failed(&mut self, _: Key, _: Option<usize>) -> ControlFlow<()> {
        GO_ON
    }
}
