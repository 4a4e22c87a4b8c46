//! One snapshot for several connections. All begin together, and a watching connection verifies that no commit happened
//! meanwhile. The snapshot is held until it is dropped.
//!
//! In rollback mode a held snapshot prevents commits. In WAL mode commits continue and are not visible. The lock of the
//! first reader belongs to the whole process, so the other readers begin at once, even if another process waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::error::Said;

/// The pause between two attempts; short compared with any commit worth waiting for.
const PAUSE: Duration = Duration::from_millis(3);

/// The reason why a snapshot could not begin.
pub(super) enum SnapshotFailure {
    /// SQLite failed.
    Sqlite(Said),
    /// Commits came so fast that all connections could not begin between two of them.
    Restless,
    /// The process was asked to stop.
    Interrupted,
}

impl From<rusqlite::Error> for SnapshotFailure {
    fn from(error: rusqlite::Error) -> SnapshotFailure {
        SnapshotFailure::Sqlite(Said::of(&error))
    }
}

/// Returns a number that changes when another connection commits. It is comparable only with earlier numbers of the
/// same connection.
pub(super) fn version(watch: &Connection) -> rusqlite::Result<i64> {
    watch.query_row("PRAGMA data_version", [], |row| row.get(0))
}

/// Begins a read transaction and takes the snapshot immediately, which `BEGIN` alone does not.
pub(super) fn begin(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("BEGIN")?;
    conn.query_row("SELECT count(*) FROM sqlite_schema LIMIT 1", [], |_| Ok(()))
}

/// Begins on all connections, and repeats this until no commit happened meanwhile. Calls `look` before that is
/// verified. Returns the watching connection's data version.
///
/// The connections' own waits must be short. A writer that waits for the first reader to end blocks the second reader,
/// so all must roll back and retry.
pub(super) fn begin_all<T>(
    watch: &Connection,
    lanes: &[&Connection],
    wait: Duration,
    asked: &AtomicBool,
    mut look: impl FnMut() -> T,
) -> Result<(i64, T), SnapshotFailure> {
    let deadline = Instant::now() + wait;
    loop {
        let outcome = attempt(watch, lanes, &mut look);
        let trouble = match outcome {
            Ok(Some(done)) => return Ok(done),
            Ok(None) => SnapshotFailure::Restless,
            Err(error) => SnapshotFailure::from(error),
        };
        for lane in lanes {
            if !lane.is_autocommit() {
                lane.execute_batch("ROLLBACK")?;
            }
        }
        if asked.load(Ordering::Relaxed) {
            return Err(SnapshotFailure::Interrupted);
        }
        let hopeless = matches!(&trouble, SnapshotFailure::Sqlite(said) if !said.is_busy());
        if hopeless || Instant::now() >= deadline {
            return Err(trouble);
        }
        std::thread::sleep(PAUSE);
    }
}

fn attempt<T>(
    watch: &Connection,
    lanes: &[&Connection],
    look: &mut impl FnMut() -> T,
) -> rusqlite::Result<Option<(i64, T)>> {
    let before = version(watch)?;
    for lane in lanes {
        begin(lane)?;
    }
    let seen = look();
    let after = version(watch)?;
    Ok((before == after).then_some((after, seen)))
}
