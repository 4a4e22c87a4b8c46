//! One commit, seen by several connections: begun together, proved to be one by a connection that watches, held until dropped.
//!
//! In rollback mode a held snapshot keeps writers from committing; in WAL mode they go on and are not seen. (There the
//! first reader's lock is the whole process's, so the others begin at once, whatever another process waits for.)

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::error::Said;

/// A wait between two tries; short against any commit that is worth waiting for.
const PAUSE: Duration = Duration::from_millis(3);

/// What stopped a snapshot from being begun.
pub(super) enum SnapshotFailure {
    /// SQLite failed.
    Sqlite(Said),
    /// Commits came faster than all connections could begin between two of them.
    Restless,
}

impl From<rusqlite::Error> for SnapshotFailure {
    fn from(error: rusqlite::Error) -> SnapshotFailure {
        SnapshotFailure::Sqlite(Said::of(&error))
    }
}

/// The number that changes when anybody else commits. Means something only against the same connection's earlier one.
pub(super) fn version(watch: &Connection) -> rusqlite::Result<i64> {
    watch.query_row("PRAGMA data_version", [], |row| row.get(0))
}

/// Begins a read transaction and takes the snapshot now: `BEGIN` alone takes none.
pub(super) fn begin(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("BEGIN")?;
    conn.query_row("SELECT count(*) FROM sqlite_schema LIMIT 1", [], |_| Ok(()))
}

/// Begins on all connections until nobody has committed in between, calling `look` before that is proved. Gives the
/// watching connection's version. The connections' own waiting must be short: a writer that waits for our first
/// reader to end keeps our second from beginning, so all must let go and try again.
pub(super) fn begin_all<T>(
    watch: &Connection,
    lanes: &[&Connection],
    wait: Duration,
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
