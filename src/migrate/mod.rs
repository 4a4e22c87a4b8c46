//! Carrying the plan out: reading ahead, the owner, the loads batch by batch, the sequences.
//!
//! Decides nothing that the plan has not decided. What was done is read from the ledger afterwards, never remembered.

pub mod ahead;
pub mod baseline;
mod batch;
mod bisect;
pub mod detach;
mod doubts;
pub mod earlier;
pub mod epochs;
mod keyset;
mod kin;
mod lanes;
mod load;
mod looking;
pub mod lookup;
pub mod missed;
mod orphans;
pub mod owner;
mod parents;
pub mod persons;
mod piece;
mod retry;
pub mod seen;
mod sequence;
pub mod shift;
pub mod stale;
pub mod take_back;
mod wide;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::convert::Settled;
use crate::event::{Event, Observer};
use crate::mapping::OnFault;
use crate::model::fault::Fault;
use crate::model::record::{Refusal, StepKind};
use crate::model::schema::TargetSchema;
use crate::model::select::Relation;
use crate::pg::connect::ConnectError;
use crate::pg::ledger::Run;
use crate::pg::{ServerError, Session};
use crate::plan::{LoadPlan, Node, Plan};
use crate::sqlite::{Source, SourceError};

pub use orphans::StandIns;
pub use retry::{Line, until_done};

pub use owner::{
    Owner, absent as owner_absent, columns_changed as owner_columns_changed, find as find_owner, fits as owner_fits,
    mistakes as owner_mistakes,
};
pub use sequence::set_sequences;

/// How a run works: nothing here changes what arrives.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Lanes: readers and connections at work at once.
    pub jobs: usize,
    /// Most rows of a batch.
    pub batch_rows: u64,
    /// Most bytes of a batch; one row may go beyond it.
    pub batch_bytes: usize,
    /// What happens to a row that cannot go.
    pub on_fault: OnFault,
    /// Most faults that quarantine bears, over all resumes.
    pub max_faults: Option<u64>,
}

/// Everything that carrying out needs.
pub struct Job<'a> {
    /// What to do.
    pub plan: &'a Plan,
    /// Where rows come from.
    pub source: &'a Source,
    /// The target's catalogue, as if everything that was taken off were back.
    pub target: &'a TargetSchema,
    /// How.
    pub options: Options,
    /// Who hears of it.
    pub observer: &'a dyn Observer,
    /// Values of the variables that the mapping names.
    pub env: &'a BTreeMap<String, String>,
    /// Rows that quarantine has set aside so far, those of the ledger among them.
    pub aside: AtomicU64,
    /// Makes more connections like the first.
    pub connections: &'a dyn Connections,
    /// About how many rows each load has, where that is known.
    pub sizes: &'a BTreeMap<String, u64>,
    /// Set from outside when the process was asked to stop.
    pub asked: &'a AtomicBool,
    /// Set by the first lane that stops: no lane begins another batch.
    pub halted: AtomicBool,
}

impl Job<'_> {
    /// Rows behind a place in the plan's order, about.
    fn size(&self, place: usize) -> u64 {
        match self.plan.order[place] {
            // Others wait for the owner.
            Node::Owner => u64::MAX,
            Node::Load(n) => self.sizes.get(&self.plan.loads[n].name).copied().unwrap_or(0),
        }
    }

    /// The way back to the target.
    fn line(&self) -> Line<'_> {
        Line { connections: self.connections, observer: self.observer, asked: self.asked }
    }

    /// Whether the process was asked to stop.
    fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

/// Where connections to the target come from.
pub trait Connections: Sync {
    /// One more, for one more lane.
    ///
    /// # Errors
    /// Why there is none.
    fn another(&self) -> Result<Session, ConnectError>;

    /// One in place of one that was lost, with the lock that it held; what the server still does for the old one is
    /// ended.
    ///
    /// # Errors
    /// Why there is none.
    fn again(&self, lost: &Session) -> Result<Session, ConnectError>;
}

/// Why a run did not come to its end. What was committed is whole.
#[derive(Debug)]
pub enum Stop {
    /// The source could not be read.
    Source(SourceError),
    /// The target refused, or is gone.
    Target(ServerError),
    /// No connection came about again.
    Connect(ConnectError),
    /// Rows cannot go as they are, and the mapping says to stop there.
    Faults(Vec<Fault>),
    /// More rows cannot go as they are than `--max-faults` bears: the bound, and the faults that went beyond it.
    TooManyFaults {
        /// The bound.
        most: u64,
        /// Those that went beyond it.
        faults: Vec<Fault>,
    },
    /// Something does not fit that could only be seen now.
    Refused(Vec<Refusal>),
    /// The run was taken over by another process.
    Fenced,
    /// The process was asked to stop.
    Interrupted,
    /// Another lane stopped.
    Halted,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Source(e) => write!(f, "{e}"),
            Stop::Target(e) => write!(f, "{e}"),
            Stop::Connect(e) => write!(f, "{e}"),
            Stop::Faults(faults) => write!(f, "{} values cannot go as they are", faults.len()),
            Stop::TooManyFaults { most, .. } => {
                write!(f, "more than {most} rows cannot go as they are, which is what --max-faults bears")
            }
            Stop::Refused(refusals) => {
                let all: Vec<String> = refusals.iter().map(ToString::to_string).collect();
                f.write_str(&all.join(" "))
            }
            Stop::Fenced => f.write_str("another process took this run over"),
            Stop::Interrupted => f.write_str("the process was asked to stop"),
            Stop::Halted => f.write_str("another lane stopped"),
        }
    }
}

impl std::error::Error for Stop {}

/// What stopped the reading of a load: SQL of its own is a refusal that names it.
fn unread(load: &LoadPlan, e: SourceError) -> Stop {
    match &load.select.relation {
        Relation::Sql(_) if e.is_of_mapping_sql => {
            let place = format!("load.{}.from.sql", load.name);
            Stop::Refused(vec![Refusal::new(place, format!("its SQL {}; {}", e.what, e.why), e.advice)])
        }
        _ => Stop::Source(e),
    }
}

impl From<SourceError> for Stop {
    fn from(e: SourceError) -> Stop {
        Stop::Source(e)
    }
}

impl From<ServerError> for Stop {
    fn from(e: ServerError) -> Stop {
        Stop::Target(e)
    }
}

impl From<ConnectError> for Stop {
    fn from(e: ConnectError) -> Stop {
        Stop::Connect(e)
    }
}

/// Carries the plan out, from wherever the ledger says that it stands.
///
/// # Errors
/// What stopped it. All that was committed stays and is known to the ledger.
pub fn run(job: &Job<'_>, session: &mut Session, run: &Run) -> Result<Option<Owner>, Stop> {
    let settled = Settled { now: run.judged.now, owner: None, shifts: run.judged.shifts.clone(), env: job.env.clone() };
    job.observer.on_event(Event::Step(StepKind::Load));
    lanes::run(job, session, run, settled)
}
