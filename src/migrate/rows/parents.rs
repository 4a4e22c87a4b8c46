//! The keys that rows refer to: keys of the target's own rows, of the rows of this run, and of quarantined rows.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use crate::convert::Settled;
use crate::convert::row::{Maps, Notes, RowEncoder};
use crate::job::{Job, KeyMemory, Stop};
use crate::mapping::OnFault;
use crate::migrate::rows::fixed_point::{self, RelatedLoad};
use crate::migrate::rows::guard::{EncodedLoad, OwnKeys, ReferencedKey};
use crate::migrate::rows::keyset::{KeySet, key};
use crate::migrate::rows::quarantine::{Quarantine, RefusedPlaces};
use crate::migrate::rows::self_references::SelfReferencedKeys;
use crate::model::ledger::Run;
use crate::pg::{ReadBack, ServerError, Session};
use crate::plan::{LoadPlan, Plan, Reference, references};

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

/// The references of a load's rows.
#[derive(Default)]
pub struct Parents {
    /// The references, each with the keys that it may end at.
    pub links: Vec<(Reference, Arc<KeySet>)>,
    /// The references that end in the load's own table.
    pub own: SelfReferencedKeys,
}

/// The facts about loads other than the one whose references are read.
pub struct OtherLoads<'a> {
    /// Rows that the server refused in an attempt that was rolled back.
    pub refused: &'a RefusedPlaces,
    /// Reads the maps of a load's lookups.
    pub maps: &'a dyn Fn(&mut Session, &LoadPlan) -> Result<Maps, Stop>,
}

/// Returns the references of a load's rows, with the keys that are present when the load starts: all loads into its parents
/// are done. A reference is left out if preflight proved that no parent is missing and the order of the rows is irrelevant.
pub fn of_load(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    encoded: &EncodedLoad<'_>,
    known: &OtherLoads<'_>,
) -> Result<Parents, Stop> {
    let load = encoded.load;
    let links = references(load, job.target);
    if links.is_empty() {
        return Ok(Parents::default());
    }
    let quarantine = Quarantine { job, run, refused: known.refused };
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
    let others = Others::of(job, session, encoded, &wanted, known)?;
    let mut members = vec![RelatedLoad { encoded: *encoded, links: wanted.clone() }];
    members.extend(others.members(job, encoded.settled));
    for (n, link) in members.iter().enumerate().flat_map(|(n, member)| member.links.iter().map(move |link| (n, link))) {
        if let Entry::Vacant(unread) = sets.entry(ReferencedKey::by(link)) {
            let mut keys = on_target(session, &job.plan.schema, unread.key(), &job.keys)?;
            if n == 0 && is_own(link) {
                own.held.push((unread.key().clone(), keys.copy()));
            }
            add_quarantined(&quarantine, session, unread.key(), encoded.settled, &mut keys)?;
            unread.insert(keys);
        }
    }
    fixed_point::settle(&job.source.reader()?, &members, &mut sets)?;
    drop(members);
    sets.values_mut().for_each(KeySet::settle);
    let sets: BTreeMap<ReferencedKey, Arc<KeySet>> = sets.into_iter().map(|(r, keys)| (r, Arc::new(keys))).collect();
    let with_keys = |link: Reference| (sets.get(&ReferencedKey::by(&link)).cloned().unwrap_or_default(), link);
    let links = wanted.into_iter().map(with_keys).map(|(keys, link)| (link, keys)).collect();
    Ok(Parents { links, own })
}

/// The other loads of a circle, with the encoders of their rows.
struct Others<'a>(Vec<(&'a LoadPlan, RowEncoder)>);

impl<'a> Others<'a> {
    /// Returns the loads that refer to each other with this one. None if no wanted reference ends at one of them.
    fn of(
        job: &Job<'a>,
        session: &mut Session,
        encoded: &EncodedLoad<'_>,
        wanted: &[Reference],
        known: &OtherLoads<'_>,
    ) -> Result<Others<'a>, Stop> {
        let plan: &'a Plan = job.plan;
        let others = plan.others_in_circle(encoded.load);
        if !others.iter().any(|other| wanted.iter().any(|link| link.parent == other.table)) {
            return Ok(Others(Vec::new()));
        }
        let mut all = Vec::new();
        for load in &others {
            // A lookup in a table of the circle has no map yet: each of its rows counts as found.
            let is_inner = |table: &str| table == encoded.load.table || others.iter().any(|other| other.table == table);
            let maps = match load.lookups().any(|(_, lookup)| is_inner(&lookup.table)) {
                true => Maps::new(),
                false => (known.maps)(session, load)?,
            };
            all.push((*load, RowEncoder::new(load, encoded.settled, &maps).map_err(Stop::Refused)?));
        }
        Ok(Others(all))
    }

    fn members<'s>(&'s self, job: &'s Job<'_>, settled: &'s Settled) -> impl Iterator<Item = RelatedLoad<'s>> {
        self.0.iter().map(move |(load, encoder)| RelatedLoad {
            encoded: EncodedLoad { load, encoder, settled },
            links: references(load, job.target),
        })
    }
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
