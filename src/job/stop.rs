//! The reasons for which a run stops before its end.

use std::fmt;

use crate::model::fault::Fault;
use crate::model::record::Refusal;
use crate::model::select::Relation;
use crate::pg::ServerError;
use crate::pg::connect::ConnectError;
use crate::plan::LoadPlan;
use crate::sqlite::{ErrorClass, SourceError};

/// The reason for which a run stopped. Committed batches stay complete.
#[derive(Debug)]
pub enum Stop {
    /// The source could not be read.
    Source(SourceError),
    /// The target returned an error, or the connection was lost.
    Target(ServerError),
    /// A lost connection could not be replaced.
    Connect(ConnectError),
    /// Rows cannot be loaded as they are, and the mapping says `on_fault = "abort"`.
    Faults(Vec<Fault>),
    /// More rows cannot be loaded as they are than `--max-faults` allows.
    TooManyFaults {
        /// The limit.
        most: u64,
        /// The faults of the batch that exceeded it.
        faults: Vec<Fault>,
    },
    /// A mistake in the mapping that only this step could see.
    Refused(Vec<Refusal>),
    /// Another process took the run over.
    Fenced,
    /// The process was asked to stop.
    Interrupted,
    /// Another lane stopped.
    Halted,
}

impl Stop {
    /// Returns the reason for which the rows of a load cannot be read. An error in the load's own SQL is a refusal that
    /// names the key of the mapping.
    pub fn reading(load: &LoadPlan, e: SourceError) -> Stop {
        match &load.select.relation {
            Relation::Sql(_) if e.is_of_mapping_sql && e.class != ErrorClass::Interrupted => {
                let place = format!("load.{}.from.sql", load.name);
                Stop::Refused(vec![Refusal::new(place, format!("its SQL {}; {}", e.what, e.why), e.advice)])
            }
            _ => e.into(),
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Source(e) => write!(f, "{e}"),
            Stop::Target(e) => write!(f, "{e}"),
            Stop::Connect(e) => write!(f, "{e}"),
            Stop::Faults(faults) => write!(f, "{} values cannot be loaded as they are", faults.len()),
            Stop::TooManyFaults { most, .. } => {
                write!(f, "more than {most} rows cannot be loaded as they are, and --max-faults allows {most}")
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

impl From<SourceError> for Stop {
    fn from(e: SourceError) -> Stop {
        if e.class == ErrorClass::Interrupted { Stop::Interrupted } else { Stop::Source(e) }
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
