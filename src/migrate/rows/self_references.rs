//! References of a load's rows to rows of the same load, tracked while a batch is filled: rows that were loaded, rows that
//! wait for a later one, and rows that were refused.
//!
//! A foreign key that is not detached is checked whenever rows are written. So a batch grows while one of its rows waits for
//! a later one. If the server refuses the batch, parents are tried before their children, and circles as one unit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::convert::Settled;
use crate::model::components::components;
use crate::model::fault::Reason;
use crate::model::key::Key;
use crate::plan::LoadPlan;

use crate::migrate::rows::guard::{Guard, MissingParent, OwnKeys, ReferencedKey};
use crate::migrate::rows::keyset::KeySet;

/// The keys of a load's own table that its rows refer to, with the keys that the table held when the load started.
#[derive(Default)]
pub struct SelfReferencedKeys {
    /// Each key, with the keys of the rows that the table held.
    pub held: Vec<(ReferencedKey, KeySet)>,
    /// True if one of the foreign keys is not detached: the server refuses a row that is written before its parent.
    pub is_on: bool,
}

/// The references among the rows of one part.
pub struct SelfReferences {
    load: Arc<str>,
    keys: Vec<TrackedKey>,
    is_on: bool,
    /// True if a row was refused since the last call of [`SelfReferences::refused_parents`].
    has_new_refusals: bool,
}

/// One key of the table, and the state of the rows that have it or refer to it.
struct TrackedKey {
    own: OwnKeys,
    /// Keys of rows that are on the target or were read.
    present: KeySet,
    /// Keys of later rows that rows of this batch refer to.
    waiting: HashSet<u64>,
    /// Keys of rows that were refused while they were written, and the places of these rows.
    refused: HashMap<u64, Key>,
}

impl SelfReferences {
    /// Returns the tracker of a load. `None` if the load does not refer to itself, or the keys of its rows are not known while
    /// reading.
    pub fn of(load: &LoadPlan, own: &SelfReferencedKeys, settled: &Settled) -> Option<SelfReferences> {
        let known = |(referenced, present): &(ReferencedKey, KeySet)| {
            let own =
                OwnKeys::of(load, std::slice::from_ref(referenced), settled).into_iter().find(OwnKeys::is_known)?;
            (!present.unknown).then(|| TrackedKey {
                own,
                present: present.copy(),
                waiting: HashSet::new(),
                refused: HashMap::new(),
            })
        };
        let keys: Vec<TrackedKey> = own.held.iter().filter_map(known).collect();
        let references =
            SelfReferences { load: load.name.as_str().into(), keys, is_on: own.is_on, has_new_refusals: false };
        (!references.keys.is_empty()).then_some(references)
    }

    /// Returns the references of a row that end at refused rows.
    pub fn missing(&self, guards: &[Guard<'_>], image: &[u8]) -> Vec<MissingParent> {
        let mut found = Vec::new();
        for known in self.keys.iter().filter(|known| !known.refused.is_empty()) {
            for guard in guards.iter().filter(|guard| guard.ends_at(&known.own.referenced)) {
                if let Some(at) = guard.key(image).and_then(|key| known.refused.get(&key)) {
                    found.push(guard.because(Reason::ParentRefused, Some((self.load.to_string(), at.clone()))));
                }
            }
        }
        found
    }

    /// Adds a row that is loaded.
    pub fn add_loaded(&mut self, guards: &[Guard<'_>], image: &[u8]) {
        for known in self.keys.iter_mut().filter(|_| self.is_on) {
            if let Some(own) = known.own.of_image(image) {
                known.present.add([own]);
                known.waiting.remove(&own);
            }
            for guard in guards.iter().filter(|guard| guard.ends_at(&known.own.referenced)) {
                let waits =
                    |key: &u64| guard.expects(*key) && !known.present.unknown && !known.present.present.contains(*key);
                known.waiting.extend(guard.key(image).filter(waits));
            }
        }
    }

    /// Adds a row that is refused.
    pub fn add_refused(&mut self, image: &[u8], at: &Key) {
        for known in &mut self.keys {
            if let Some(own) = known.own.of_image(image) {
                known.waiting.remove(&own);
                self.has_new_refusals |= known.refused.insert(own, at.clone()).is_none();
            }
        }
    }

    /// Returns true if, since the last call, a row was refused whose children may already have been read.
    pub fn refused_parents(&mut self) -> bool {
        std::mem::take(&mut self.has_new_refusals)
    }

    /// Returns true if a row waits for a later one.
    pub fn waits(&self) -> bool {
        self.keys.iter().any(|known| !known.waiting.is_empty())
    }

    /// Begins the next batch, or the same batch again.
    pub fn clear(&mut self) {
        self.keys.iter_mut().for_each(|known| known.waiting.clear());
    }

    /// Returns the rows in an order in which they can be written: parents first, else as read; each circle as one unit.
    pub fn units(&self, guards: &[Guard<'_>], images: &[&[u8]]) -> Vec<Vec<usize>> {
        let mut parents: Vec<Vec<usize>> = vec![Vec::new(); images.len()];
        for known in &self.keys {
            let own = images.iter().enumerate().filter_map(|(n, image)| Some((known.own.of_image(image)?, n)));
            let by_key: HashMap<u64, usize> = own.collect();
            for guard in guards.iter().filter(|guard| guard.ends_at(&known.own.referenced)) {
                for (n, image) in images.iter().enumerate() {
                    let parent = guard.key(image).and_then(|key| by_key.get(&key)).filter(|parent| **parent != n);
                    parents[n].extend(parent);
                }
            }
        }
        components(&parents)
    }
}
