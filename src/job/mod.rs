//! The context of one run, shared by writing (`migrate`) and verifying (`verify`): plan, source, connections, options, and
//! the reasons for which a run stops.

mod key_memory;
mod pool;
mod retry;
mod stop;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::event::{Event, Observer};
use crate::mapping::OnFault;
use crate::model::schema::TargetSchema;
use crate::pg::Session;
use crate::pg::connect::ConnectError;
use crate::plan::{Node, Plan};
use crate::sqlite::Source;

pub use key_memory::{KeyMemory, KeyRoom, MOST_BYTES};
pub use pool::{TaskQueue, each};
pub use retry::{RETRIES, Reconnect, Tries, pause};
pub use stop::Stop;

/// Number of parts of a load per lane. More parts mean a shorter wait for the last one.
pub const PARTS_PER_LANE: usize = 4;

/// Minimum number of rows of a part. For smaller parts the round trips of further lanes cost more than they save.
pub const PART_ROWS: u64 = 10_000;

/// Speed and fault policy of a run. No option changes the values that are written.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Number of lanes: readers and connections that work at the same time.
    pub jobs: usize,
    /// Maximum number of rows in a batch.
    pub batch_rows: u64,
    /// Maximum number of bytes in a batch. A single row may exceed it.
    pub batch_bytes: usize,
    /// Treatment of rows that cannot be loaded: `Quarantine` if some load quarantines them, or the
    /// mapping leaves out rows.
    pub on_fault: OnFault,
    /// Maximum number of quarantined rows, over all resumes. `None` if unlimited.
    pub max_faults: Option<u64>,
}

/// Everything that a run needs.
pub struct Job<'a> {
    /// The plan that is carried out.
    pub plan: &'a Plan,
    /// The source of the rows.
    pub source: &'a Source,
    /// The target's catalogue, with everything that is detached added again.
    pub target: &'a TargetSchema,
    /// Speed and fault policy.
    pub options: Options,
    /// The loads that allow no fault.
    pub aborting: BTreeSet<String>,
    /// Receives the events of the run.
    pub observer: &'a dyn Observer,
    /// Values of the environment variables that the mapping names.
    pub env: &'a BTreeMap<String, String>,
    /// By zone, the spans of seconds since 1970 in which the server's time zone data differ.
    pub doubts: Arc<BTreeMap<String, Vec<Range<i64>>>>,
    /// Number of rows quarantined so far, including those in the ledger.
    pub quarantined: AtomicU64,
    /// Opens further connections to the target.
    pub connections: &'a dyn Connections,
    /// Estimated number of rows of each load, if known.
    pub sizes: &'a BTreeMap<String, u64>,
    /// The memory of the keys that rows refer to.
    pub keys: KeyMemory,
    /// Set from outside when the process was asked to stop.
    pub asked: &'a AtomicBool,
    /// Set by the first lane that stops, so that no lane begins another batch.
    pub halted: AtomicBool,
}

impl Job<'_> {
    /// Returns the estimated number of rows of one step of the plan.
    pub fn size(&self, place: usize) -> u64 {
        match self.plan.order[place] {
            // Other steps wait for the owner.
            Node::Owner => u64::MAX,
            Node::Load(n) => self.sizes.get(&self.plan.loads[n].name).copied().unwrap_or(0),
        }
    }

    /// Returns the policy for lost connections.
    pub fn reconnect(&self) -> Reconnect<'_> {
        Reconnect { connections: self.connections, observer: self.observer, asked: self.asked }
    }

    /// Runs idempotent work, and repeats it as [`Reconnect::retrying`] does.
    ///
    /// # Errors
    /// The last error, if repeating the work cannot help or did not.
    pub fn retrying<T>(
        &self,
        session: &mut Session,
        work: impl FnMut(&mut Session) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        self.reconnect().retrying(session, work)
    }

    /// Runs `work` in a number of lanes at once, each with a connection of its own. The first lane uses the given one. A lane
    /// that cannot connect reports this and leaves its work to the others.
    pub fn in_lanes(&self, session: &mut Session, lanes: usize, work: impl Fn(&mut Session) + Sync) {
        std::thread::scope(|scope| {
            for _ in 1..lanes {
                scope.spawn(|| match self.connections.another() {
                    Ok(mut session) => work(&mut session),
                    Err(e) => self.observer.on_event(Event::Said(&format!("one lane less: {e}"))),
                });
            }
            work(session);
        });
    }

    /// Returns true if the process was asked to stop.
    pub fn is_stop_requested(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

/// Opens connections to the target.
pub trait Connections: Sync {
    /// Opens a connection for another lane. Tries once: the other lanes do the work of a lane that cannot be had, and nothing
    /// waits for it.
    ///
    /// # Errors
    /// The reason why no connection could be opened.
    fn another(&self) -> Result<Session, ConnectError>;

    /// Opens a connection that replaces a lost one and holds the same lock. Ends the work that the server still does for
    /// the lost connection.
    ///
    /// # Errors
    /// The reason why no connection could be opened.
    fn again(&self, lost: &Session) -> Result<Session, ConnectError>;

    /// The number of retries in a row before a run gives up.
    fn most_retries(&self) -> u32;
}
