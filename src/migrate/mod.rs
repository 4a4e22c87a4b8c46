//! Carrying the plan out: reading ahead, the owner, the loads batch by batch, the sequences.
//!
//! Decides nothing that the plan has not decided. What was done is read from the ledger afterwards, never remembered.

pub mod ahead;
mod batch;
pub mod detach;
mod load;
pub mod owner;
mod piece;

use std::collections::BTreeMap;
use std::fmt;

use crate::convert::Settled;
use crate::event::{Event, Watch};
use crate::mapping::OnFault;
use crate::model::cell::RawBuf;
use crate::model::fault::Fault;
use crate::model::record::Refusal;
use crate::model::schema::{SourceSchema, TargetSchema};
use crate::model::select::Relation;
use crate::plan::{Feed, Node, Plan};
use crate::source::{Source, SourceError};
use crate::target::connect::ConnectError;
use crate::target::ledger::Run;
use crate::target::{ServerError, Session, Wanted};

pub use owner::{Owner, absent as owner_absent, find as find_owner, fits as owner_fits};

/// How a run works: nothing here changes what arrives.
#[derive(Clone, Copy, Debug)]
pub struct Options {
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
    /// How.
    pub options: Options,
    /// Who hears of it.
    pub watch: &'a dyn Watch,
    /// Values of the variables that the mapping names.
    pub env: &'a BTreeMap<String, String>,
    /// Makes another connection like the first, after that one was lost.
    pub reconnect: &'a dyn Fn() -> Result<Session, ConnectError>,
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
    /// Something does not fit that could only be seen now.
    Refused(Vec<Refusal>),
    /// The run was taken over by another process.
    Fenced,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Source(e) => write!(f, "{e}"),
            Stop::Target(e) => write!(f, "{e}"),
            Stop::Connect(e) => write!(f, "{e}"),
            Stop::Faults(faults) => write!(f, "{} values cannot go as they are", faults.len()),
            Stop::Refused(refusals) => {
                let all: Vec<String> =
                    refusals.iter().map(|r| format!("{}: {}. {}", r.place, r.reason, r.advice)).collect();
                f.write_str(&all.join(" "))
            }
            Stop::Fenced => f.write_str("another process took this run over"),
        }
    }
}

impl std::error::Error for Stop {}

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
    let mut settled = Settled { now: run.judged.now, owner: None, env: job.env.clone() };
    let mut owner = None;
    job.watch.hear(Event::Step("load"));
    for node in &job.plan.order {
        match node {
            Node::Owner => {
                owner = owner::settle(job, session, run, &settled)?;
                settled.owner = owner.as_ref().map(|o| RawBuf::text(o.key.clone()));
            }
            Node::Load(n) => load::load(job, session, run, &job.plan.loads[*n], &settled)?,
        }
    }
    Ok(owner)
}

/// Sets every sequence of the loaded tables and of the owner's.
///
/// # Errors
/// What stopped it; the sequences that were set stay set.
pub fn set_sequences(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    source: &SourceSchema,
    target: &TargetSchema,
) -> Result<(), Stop> {
    job.watch.hear(Event::Step("sequences"));
    for wanted in sequences(job.plan, source, target) {
        session.set_sequence(run.id, &job.plan.schema, &wanted)?;
    }
    Ok(())
}

/// The sequences behind columns of the loaded tables and the owner's, each with the source's counter where its column is
/// fed from the source's own numbering.
pub fn sequences(plan: &Plan, source: &SourceSchema, target: &TargetSchema) -> Vec<Wanted> {
    let mut found: Vec<Wanted> = Vec::new();
    let is_meant =
        |name: &str| plan.loads.iter().any(|l| l.table == name) || plan.owner.as_ref().is_some_and(|o| o.table == name);
    for (table, facts) in target.tables.iter().filter(|(name, _)| is_meant(name)) {
        for column in &facts.columns {
            let Some(sequence) = &column.sequence else { continue };
            let counters = plan.loads.iter().filter(|l| l.table == *table).filter_map(|load| {
                let Relation::Table(from) = &load.select.relation else { return None };
                let fed = load.columns.iter().any(|c| c.name == column.name && matches!(c.feed, Feed::Cell(_)));
                source.tables.get(from).and_then(|t| t.counter).filter(|_| fed)
            });
            found.push(Wanted {
                sequence: sequence.clone(),
                table: table.clone(),
                column: column.name.clone(),
                counter: counters.max(),
            });
        }
    }
    found
}
