//! Rows that refer to rows of their own load: which of those are there already while a batch gathers, and which are gone.
//!
//! A foreign key that stays on is checked whenever rows are written. So a batch goes on while a row in it waits for a later
//! one, and when the server refuses some of it, parents are tried before their children and circles in one piece.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::convert::Settled;
use crate::model::fault::Reason;
use crate::model::key::Key;
use crate::plan::LoadPlan;

use crate::migrate::rows::guard::Guard;
use crate::migrate::rows::guard::MissingParent;
use crate::migrate::rows::guard::OwnKeys;
use crate::migrate::rows::guard::ReferencedKey;
use crate::migrate::rows::keyset::KeySet;

/// What a load's rows refer to in their own table, with the keys that the table held when the load's turn came.
#[derive(Default)]
pub struct SelfReferencedKeys {
    pub held: Vec<(ReferencedKey, KeySet)>,
    /// One of the foreign keys is on: the server refuses a row that comes before its parent.
    pub is_on: bool,
}

/// The rows of one part as they come by.
pub struct SelfReferences {
    load: Arc<str>,
    keys: Vec<TrackedKey>,
    is_on: bool,
    /// Something was refused since [`SelfReferences::grew`] asked.
    grew: bool,
}

/// One key of the table that its own rows refer to.
struct TrackedKey {
    own: OwnKeys,
    /// Keys of rows that are on the target or came by.
    there: KeySet,
    /// Keys that rows of this batch refer to and that come later.
    waiting: HashSet<u64>,
    /// Keys of rows that were refused while they were written, and where those are.
    gone: HashMap<u64, Key>,
}

impl SelfReferences {
    /// Nothing where the load does not refer to itself, or the keys of its rows are not known while reading.
    pub fn of(load: &LoadPlan, own: &SelfReferencedKeys, settled: &Settled) -> Option<SelfReferences> {
        let known = |(referred, there): &(ReferencedKey, KeySet)| {
            let own = OwnKeys::of(load, std::slice::from_ref(referred), settled).into_iter().find(OwnKeys::is_known)?;
            (!there.unknown).then(|| TrackedKey {
                own,
                there: there.clone(),
                waiting: HashSet::new(),
                gone: HashMap::new(),
            })
        };
        let keys: Vec<TrackedKey> = own.held.iter().filter_map(known).collect();
        let kin = SelfReferences { load: load.name.as_str().into(), keys, is_on: own.is_on, grew: false };
        (!kin.keys.is_empty()).then_some(kin)
    }

    /// What the row refers to and was refused.
    pub fn missing(&self, guards: &[Guard<'_>], image: &[u8]) -> Vec<MissingParent> {
        let mut found = Vec::new();
        for known in self.keys.iter().filter(|known| !known.gone.is_empty()) {
            for guard in guards.iter().filter(|guard| guard.ends_at(&known.own.referred)) {
                if let Some(at) = guard.key(image).and_then(|key| known.gone.get(&key)) {
                    found.push(guard.because(Reason::ParentRefused, Some((self.load.to_string(), at.clone()))));
                }
            }
        }
        found
    }

    /// A row that goes.
    pub fn comes(&mut self, guards: &[Guard<'_>], image: &[u8]) {
        for known in self.keys.iter_mut().filter(|_| self.is_on) {
            if let Some(own) = known.own.of_image(image) {
                known.there.add([own]);
                known.waiting.remove(&own);
            }
            for guard in guards.iter().filter(|guard| guard.ends_at(&known.own.referred)) {
                let waits =
                    |key: &u64| guard.expects(*key) && !known.there.unknown && !known.there.present.contains(*key);
                known.waiting.extend(guard.key(image).filter(waits));
            }
        }
    }

    /// A row that does not go.
    pub fn goes(&mut self, image: &[u8], at: &Key) {
        for known in &mut self.keys {
            if let Some(own) = known.own.of_image(image) {
                known.waiting.remove(&own);
                self.grew |= known.gone.insert(own, at.clone()).is_none();
            }
        }
    }

    /// Whether rows were refused since this was asked: their children may have come by before.
    pub fn grew(&mut self) -> bool {
        std::mem::take(&mut self.grew)
    }

    /// Whether a row waits for a later one.
    pub fn waits(&self) -> bool {
        self.keys.iter().any(|known| !known.waiting.is_empty())
    }

    /// The batch ends here, or is gathered once more.
    pub fn clear(&mut self) {
        self.keys.iter_mut().for_each(|known| known.waiting.clear());
    }

    /// Rows in the order in which they can be written: parents first, else as they come; each circle in one piece.
    pub fn units(&self, guards: &[Guard<'_>], images: &[&[u8]]) -> Vec<Vec<usize>> {
        let mut parents: Vec<Vec<usize>> = vec![Vec::new(); images.len()];
        for known in &self.keys {
            let own = images.iter().enumerate().filter_map(|(n, image)| Some((known.own.of_image(image)?, n)));
            let by_key: HashMap<u64, usize> = own.collect();
            for guard in guards.iter().filter(|guard| guard.ends_at(&known.own.referred)) {
                for (n, image) in images.iter().enumerate() {
                    let parent = guard.key(image).and_then(|key| by_key.get(&key)).filter(|parent| **parent != n);
                    parents[n].extend(parent);
                }
            }
        }
        in_order(&parents)
    }
}

/// Tarjan's strongly connected components: each behind those that it refers to. Without recursion, since chains are long.
fn in_order(parents: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const NEW: usize = usize::MAX;
    let (mut index, mut low) = (vec![NEW; parents.len()], vec![NEW; parents.len()]);
    let (mut open, mut is_open) = (Vec::new(), vec![false; parents.len()]);
    let (mut units, mut count) = (Vec::new(), 0);
    for first in 0..parents.len() {
        let mut path: Vec<(usize, usize)> = if index[first] == NEW { vec![(first, 0)] } else { Vec::new() };
        while let Some((row, next)) = path.pop() {
            if next == 0 {
                (index[row], low[row]) = (count, count);
                count += 1;
                open.push(row);
                is_open[row] = true;
            }
            match parents[row].get(next) {
                Some(parent) => {
                    path.push((row, next + 1));
                    if index[*parent] == NEW {
                        path.push((*parent, 0));
                    } else if is_open[*parent] {
                        low[row] = low[row].min(index[*parent]);
                    }
                }
                None => {
                    if let Some((child, _)) = path.last() {
                        low[*child] = low[*child].min(low[row]);
                    }
                    if low[row] == index[row] {
                        let at = open.iter().rposition(|n| *n == row).unwrap_or(0);
                        let mut unit = open.split_off(at);
                        unit.iter().for_each(|n| is_open[*n] = false);
                        unit.sort_unstable();
                        units.push(unit);
                    }
                }
            }
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first_and_circles_stay_whole() {
        let order = |parents: &[&[usize]]| in_order(&parents.iter().map(|p| p.to_vec()).collect::<Vec<_>>());
        assert_eq!(order(&[&[], &[], &[0]]), [[0], [1], [2]]);
        assert_eq!(order(&[&[2], &[], &[3], &[]]), [[3], [2], [0], [1]]);
        assert_eq!(order(&[&[1], &[2], &[0], &[1]]), [vec![0, 1, 2], vec![3]]);
        assert_eq!(order(&[&[1, 2], &[0], &[]]), [vec![2], vec![0, 1]]);
    }

    #[test]
    fn a_long_chain_is_followed_without_a_deep_stack() {
        let parents: Vec<Vec<usize>> =
            (0..200_000).map(|n| if n < 199_999 { vec![n + 1] } else { Vec::new() }).collect();
        let units = in_order(&parents);
        assert_eq!((units.len(), units[0][0], units[199_999][0]), (200_000, 199_999, 0));
    }
}
