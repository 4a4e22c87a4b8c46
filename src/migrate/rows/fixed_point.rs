//! The keys of rows that refer to rows of the same table, or to each other in a circle of tables: the largest set of rows in
//! which every parent of a row is in the set too.
//!
//! All rows are read and count as present at first. A row that cannot be loaded is withdrawn, and with it all rows that
//! refer to it, until nothing changes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::convert::row::Notes;
use crate::job::Stop;
use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::guard::{EncodedLoad, Guard, OwnKeys, ReferencedKey, guards};
use crate::migrate::rows::keyset::KeySet;
use crate::model::key::KeyRange;
use crate::model::select::{CONTINUE, Row};
use crate::plan::Reference;
use crate::sqlite::Reader;

/// A load whose rows refer to rows of the same loads, and all its references.
pub struct RelatedLoad<'a> {
    /// The load.
    pub encoded: EncodedLoad<'a>,
    /// The references of its rows.
    pub links: Vec<Reference>,
}

/// Adds the keys of the rows that can be loaded to the sets of the keys by which these loads refer to each other or to
/// themselves, and records the keys of the other rows as refused. All other sets that the loads refer to are complete.
///
/// # Errors
/// If the source cannot be read, or a value of `if_orphan` does not fit its column.
pub fn settle(
    reader: &Reader,
    members: &[RelatedLoad<'_>],
    sets: &mut BTreeMap<ReferencedKey, KeySet>,
) -> Result<(), Stop> {
    let is_inner = |link: &&Reference| members.iter().any(|member| member.encoded.load.table == link.parent);
    let mut keys: Vec<ReferencedKey> =
        members.iter().flat_map(|member| &member.links).filter(is_inner).map(ReferencedKey::by).collect();
    keys.sort();
    keys.dedup();
    if keys.is_empty() {
        return Ok(());
    }
    let mut inner: Vec<KeySet> = keys.iter().map(|key| sets.remove(key).unwrap_or_default()).collect();
    let no_keys = KeySet::default();
    let judged: Result<Vec<JudgedLoad<'_>>, Stop> =
        members.iter().map(|member| JudgedLoad::of(member, &keys, sets, &no_keys)).collect();
    let done = judged.and_then(|judged| withdraw_all(reader, &judged, &mut inner));
    sets.extend(keys.into_iter().zip(inner));
    done
}

/// Reads the loads until no row is withdrawn any more.
fn withdraw_all(reader: &Reader, loads: &[JudgedLoad<'_>], inner: &mut [KeySet]) -> Result<(), Stop> {
    for (set, own) in loads.iter().flat_map(|load| &load.own) {
        inner[*set].unknown |= !own.is_known();
    }
    for reading in 0.. {
        let mut waiting = WaitingRows { is_first: reading == 0, ..WaitingRows::default() };
        for load in loads {
            load.read(reader, inner, &mut waiting)?;
        }
        let more = waiting.more;
        let missing = waiting.missing(inner);
        if missing.iter().all(HashSet::is_empty) && !more {
            break;
        }
        inner.iter_mut().zip(&missing).for_each(|(keys, missing)| keys.withdraw(missing));
    }
    Ok(())
}

/// A load, with the keys of its rows and its references, each with the index of the inner set.
struct JudgedLoad<'a> {
    encoded: EncodedLoad<'a>,
    name: Arc<str>,
    own: Vec<(usize, OwnKeys)>,
    inner: Vec<(usize, Guard<'a>)>,
    /// The references to other tables.
    outer: Vec<Guard<'a>>,
}

impl<'a> JudgedLoad<'a> {
    fn of(
        member: &'a RelatedLoad<'_>,
        keys: &[ReferencedKey],
        outer: &'a BTreeMap<ReferencedKey, KeySet>,
        no_keys: &'a KeySet,
    ) -> Result<JudgedLoad<'a>, Stop> {
        let encoded = member.encoded;
        let EncodedLoad { load, settled, .. } = encoded;
        let set = |key: &ReferencedKey| keys.iter().position(|inner| inner == key);
        let own = OwnKeys::of(load, keys, settled).into_iter();
        let own = own.filter_map(|own| Some((set(&own.referenced)?, own))).collect();
        let (mut inner, mut others) = (Vec::new(), Vec::new());
        for link in &member.links {
            match set(&ReferencedKey::by(link)) {
                Some(set) => {
                    inner.push((set, Guard::new(load, link.clone(), no_keys, settled).map_err(Stop::Refused)?))
                }
                None => others.extend(outer.get(&ReferencedKey::by(link)).map(|keys| (link, keys))),
            }
        }
        let outer = guards(load, others.into_iter(), settled)?;
        Ok(JudgedLoad { encoded, name: load.name.as_str().into(), own, inner, outer })
    }

    /// Reads the load once.
    fn read(&self, reader: &Reader, sets: &mut [KeySet], waiting: &mut WaitingRows) -> Result<(), Stop> {
        let EncodedLoad { load, encoder, .. } = self.encoded;
        let batch = Batch::new(load, encoder, &self.outer);
        let mut pass =
            Pass { load: self, batch, sets, waiting, keys: Vec::new(), scratch: Vec::new(), notes: Notes::default() };
        reader.each(&load.select, KeyRange::ALL, |row| {
            pass.row(row);
            CONTINUE
        })?;
        Ok(())
    }
}

/// One reading of a load.
struct Pass<'p> {
    load: &'p JudgedLoad<'p>,
    batch: Batch<'p>,
    sets: &'p mut [KeySet],
    waiting: &'p mut WaitingRows,
    /// The keys of the current row, each with the index of its set.
    keys: Vec<(usize, u64)>,
    scratch: Vec<u8>,
    notes: Notes,
}

impl Pass<'_> {
    fn row(&mut self, row: &dyn Row) {
        self.batch.row(row);
        self.keys.clear();
        let is_encoded = self.batch.rows() == 1;
        for (set, own) in &self.load.own {
            let key = match is_encoded {
                true => own.of_image(self.batch.images(0..1)),
                false => own.of_row(row, &mut self.scratch, &mut self.notes),
            };
            self.keys.extend(key.map(|key| (*set, key)));
        }
        if is_encoded && !self.keys.iter().any(|(set, key)| self.sets[*set].is_refused(*key)) {
            self.keys.iter().for_each(|(set, key)| self.sets[*set].add([*key]));
            self.note_parents();
        } else {
            self.keys.iter().for_each(|(set, key)| self.sets[*set].refuse(*key, &self.load.name, row.key()));
        }
        self.batch.clear();
    }

    fn note_parents(&mut self) {
        for (parent_set, guard) in &self.load.inner {
            let keys = &self.sets[*parent_set];
            let Some(parent) = guard.key(self.batch.images(0..1)).filter(|_| !keys.unknown) else { continue };
            let is_missing = !keys.present.contains(parent);
            for (own_set, own) in self.keys.iter().filter(|(set, _)| !self.sets[*set].unknown) {
                let (parent_set, own_set) = (*parent_set as u16, *own_set as u16);
                let is_strict = !guard.replaces_orphans();
                self.waiting.note(WaitingRow { parent_set, parent, own_set, own: *own, is_strict }, is_missing);
            }
        }
    }
}

/// One key of a row, and the key of a parent that decides about the row. The sets are indexes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct WaitingRow {
    parent_set: u16,
    parent: u64,
    own_set: u16,
    own: u64,
    /// True if the row cannot be loaded without the parent. Otherwise `if_orphan` replaces the reference, unless the parent
    /// was refused.
    is_strict: bool,
}

/// Rows whose parents decide about them. A chain whose end is missing is found in one reading, whatever its order.
#[derive(Default)]
struct WaitingRows {
    /// True in the first reading: keys may follow, so a row is noted only if it waits for one. Later all rows are noted.
    is_first: bool,
    /// At most [`MOST_WAITING`] rows.
    rows: Vec<WaitingRow>,
    /// Further rows whose parents are missing, as set and key.
    missing: HashSet<(u16, u64)>,
    /// True if the first reading had further rows. Another reading, with all keys known, finds the remaining ones.
    more: bool,
}

/// Maximum number of references that one reading keeps, 32 bytes each. In a larger table a chain costs another reading each
/// time it turns back in the order of the rows.
const MOST_WAITING: usize = 125_000;

impl WaitingRows {
    fn note(&mut self, row: WaitingRow, is_missing: bool) {
        let is_missing = is_missing || self.missing.contains(&(row.parent_set, row.parent));
        match self.rows.len() < MOST_WAITING {
            true if is_missing || !self.is_first => self.rows.push(row),
            false if is_missing && self.is_first => self.more = true,
            false if is_missing && row.is_strict => _ = self.missing.insert((row.own_set, row.own)),
            _ => {}
        }
    }

    /// Returns, for each set, the keys of the rows whose parents are missing, and of all their descendants.
    fn missing(self, sets: &[KeySet]) -> Vec<HashSet<u64>> {
        let WaitingRows { mut rows, mut missing, .. } = self;
        rows.sort_unstable();
        let is_root = |row: &&WaitingRow| {
            let keys = &sets[usize::from(row.parent_set)];
            !keys.present.contains(row.parent) && (row.is_strict || keys.is_refused(row.parent))
        };
        missing.extend(rows.iter().filter(is_root).map(|row| (row.own_set, row.own)));
        let mut above: Vec<(u16, u64)> = missing.iter().copied().collect();
        while let Some(ancestor) = above.pop() {
            let first = rows.partition_point(|row| (row.parent_set, row.parent) < ancestor);
            let below = rows[first..].iter().take_while(|row| (row.parent_set, row.parent) == ancestor);
            above.extend(below.map(|row| (row.own_set, row.own)).filter(|own| missing.insert(*own)));
        }
        let mut by_set = vec![HashSet::new(); sets.len()];
        missing.into_iter().for_each(|(set, key)| _ = by_set[usize::from(set)].insert(key));
        by_set
    }
}
