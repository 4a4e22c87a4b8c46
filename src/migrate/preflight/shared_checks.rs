//! The session that asks the target and the unique keys that were read so far: all lanes of a preflight share them.

use std::sync::Mutex;

use crate::job::KeyMemory;
use crate::pg::Session;

use super::unique_keys::SeenKeys;

/// The session and the keys read so far, shared by all lanes.
pub struct SharedChecks<'a> {
    pub session: &'a mut Session,
    pub seen: SeenKeys,
}

impl SharedChecks<'_> {
    pub fn new<'a>(session: &'a mut Session, memory: &KeyMemory) -> Mutex<SharedChecks<'a>> {
        Mutex::new(SharedChecks { session, seen: SeenKeys::new(memory) })
    }
}
