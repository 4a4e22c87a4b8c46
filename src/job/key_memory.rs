//! The memory of all key sets of the process: one budget, whatever the number of sets and lanes.
//!
//! Each key has an account that all of its sets share: the sets of the ranges that are being read, and the set that they are
//! merged into. If all accounts together exceed [`MOST_BYTES`], the largest one that still grows is dropped: each of its sets
//! forgets its keys the next time that it grows.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Maximum memory for the keys of all sets. With 22 MiB, a dry run over four parents of 3,500,000 keys each reached 65.5 MiB
/// (measured with two lanes), and the allocator takes a third on top of the keys.
pub const MOST_BYTES: usize = 20 << 20;

/// Growth after which a set reports its size. Smaller changes are not worth the lock.
const STEP: usize = 64 << 10;

/// The memory that sets of keys share.
#[derive(Clone, Debug, Default)]
pub struct KeyMemory(Arc<Mutex<Accounts>>);

#[derive(Debug, Default)]
struct Accounts {
    used: usize,
    open: Vec<Arc<Account>>,
}

/// The memory of the sets of one key.
#[derive(Debug, Default)]
struct Account {
    size: Mutex<AccountSize>,
    is_dropped: AtomicBool,
}

#[derive(Debug, Default)]
struct AccountSize {
    bytes: usize,
    /// True while other lanes only read its sets, so that dropping it would free nothing.
    is_settled: bool,
}

/// The part of the memory that one set takes.
#[derive(Debug)]
pub struct KeyRoom {
    memory: KeyMemory,
    account: Arc<Account>,
    /// The bytes that the set reported.
    reported: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl KeyMemory {
    /// Opens an account for the sets of one key.
    pub fn room(&self) -> KeyRoom {
        let account = Arc::default();
        lock(&self.0).open.push(Arc::clone(&account));
        KeyRoom { memory: self.clone(), account, reported: 0 }
    }
}

impl Accounts {
    /// Replaces the size of one set of an account, and drops accounts until the rest fits.
    fn report(&mut self, account: &Arc<Account>, before: usize, now: usize) {
        if account.is_dropped.load(Ordering::Relaxed) {
            return;
        }
        let mut size = lock(&account.size);
        size.bytes = size.bytes + now - before;
        size.is_settled &= now <= before;
        drop(size);
        self.used = self.used + now - before;
        while self.used > MOST_BYTES {
            let growing = self.open.iter().filter(|account| !lock(&account.size).is_settled);
            let Some(largest) = growing.max_by_key(|account| lock(&account.size).bytes).cloned() else { return };
            largest.is_dropped.store(true, Ordering::Relaxed);
            self.used -= std::mem::take(&mut lock(&largest.size).bytes);
            self.open.retain(|account| !Arc::ptr_eq(account, &largest));
        }
    }
}

impl KeyRoom {
    /// Reports the size of the set. Returns false if the set must forget its keys.
    pub fn holds(&mut self, bytes: usize) -> bool {
        if bytes.abs_diff(self.reported) >= STEP {
            lock(&self.memory.0).report(&self.account, self.reported, bytes);
            self.reported = bytes;
        }
        !self.account.is_dropped.load(Ordering::Relaxed)
    }

    /// Returns the room of another set of the same key.
    pub fn sibling(&self) -> KeyRoom {
        KeyRoom { memory: self.memory.clone(), account: Arc::clone(&self.account), reported: 0 }
    }

    /// Notes that no set of the key grows for now. Returns false if the set must forget its keys.
    pub fn settle(&mut self) -> bool {
        lock(&self.account.size).is_settled = true;
        !self.account.is_dropped.load(Ordering::Relaxed)
    }
}

impl Default for KeyRoom {
    /// The room of a set that has a memory of its own.
    fn default() -> KeyRoom {
        KeyMemory::default().room()
    }
}

impl Drop for KeyRoom {
    fn drop(&mut self) {
        let mut accounts = lock(&self.memory.0);
        accounts.report(&self.account, self.reported, 0);
        // The list, this room, and no other set of the key.
        if Arc::strong_count(&self.account) <= 2 {
            accounts.open.retain(|account| !Arc::ptr_eq(account, &self.account));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_growing_set_is_dropped_and_the_others_stay() {
        let memory = KeyMemory::default();
        let (mut small, mut large, mut settled) = (memory.room(), memory.room(), memory.room());
        assert!(settled.holds(MOST_BYTES / 2) && settled.settle());
        assert!(large.holds(MOST_BYTES / 4));
        assert!(small.holds(MOST_BYTES / 8));
        assert!(small.holds(MOST_BYTES / 4 - STEP) && large.holds(MOST_BYTES / 4), "all of it fits");
        assert!(!large.holds(MOST_BYTES / 4 + 2 * STEP), "the largest of those that grow");
        assert!(small.holds(MOST_BYTES / 2) && settled.holds(MOST_BYTES / 2), "its memory is free again");
    }

    #[test]
    fn the_sets_of_one_key_are_one_account_and_return_their_memory() {
        let memory = KeyMemory::default();
        let mut first = memory.room();
        let mut second = first.sibling();
        assert!(first.holds(MOST_BYTES / 2));
        drop(first);
        assert!(second.holds(MOST_BYTES - STEP));
        let mut third = second.sibling();
        assert!(!third.holds(MOST_BYTES / 2) && !second.holds(MOST_BYTES - STEP), "both are dropped");
        drop((second, third));
        assert!(memory.room().holds(MOST_BYTES - STEP), "nothing is taken any more");
        assert!(lock(&memory.0).open.is_empty(), "accounts end with their sets");
    }
}
