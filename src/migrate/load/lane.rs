//! The context of one lane that works on one part of a load.

use crate::convert::Settled;
use crate::convert::row::RowEncoder;
use crate::event::Event;
use crate::job::{Job, Stop, Tries};
use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::guard::Guard;
use crate::migrate::rows::parents::Parents;
use crate::migrate::rows::self_references::SelfReferences;
use crate::model::ledger::{PartDone, Run};
use crate::model::quarantine::QuarantinedRow;
use crate::pg::batch::BatchId;
use crate::pg::copy::Destination;
use crate::pg::{ServerError, Session};
use crate::plan::{LoadPlan, SkippedRows};

/// A load that has begun, shared by all lanes that work on it.
pub struct StartedLoad<'a> {
    /// The load.
    pub load: &'a LoadPlan,
    /// The encoder of its rows.
    pub encoder: RowEncoder,
    /// Names of the columns that are sent, in order.
    pub columns: Vec<String>,
    /// The references of its rows, with the keys that are present.
    pub parents: Parents,
    /// Values that are the same for every row.
    pub settled: Settled,
    /// The comparison of the rows that it skips.
    pub skipped: Option<SkippedRows>,
    /// Its parts.
    pub parts: Vec<PartDone>,
}

impl StartedLoad<'_> {
    /// Returns the parts that are not done.
    pub fn remaining(&self) -> impl Iterator<Item = &PartDone> {
        self.parts.iter().filter(|part| !part.done)
    }

    /// Reports that all parts are done.
    pub fn report_end(&self, job: &Job<'_>) {
        job.observer.on_event(Event::Ended { load: &self.load.name });
    }
}

/// A part of a load that has begun.
#[derive(Clone, Copy)]
pub struct StartedPart<'a> {
    /// The run.
    pub job: &'a Job<'a>,
    /// The run in the ledger.
    pub run: &'a Run,
    /// The load.
    pub started: &'a StartedLoad<'a>,
    /// The references of the load's rows.
    pub guards: &'a [Guard<'a>],
    /// The number of the part.
    pub part: i32,
}

/// A lane at work on one part of a load.
pub struct Lane<'a> {
    /// The part.
    pub at: StartedPart<'a>,
    /// The lane's connection.
    pub session: &'a mut Session,
    /// Retries since the last commit.
    pub tries: Tries,
}

impl<'a> StartedPart<'a> {
    /// Returns the load.
    pub fn load(&self) -> &'a LoadPlan {
        self.started.load
    }

    /// Returns an empty batch of the part.
    pub fn empty_batch(&self) -> Batch<'a> {
        let StartedLoad { load, encoder, parents, settled, .. } = self.started;
        let references = SelfReferences::of(load, &parents.own, settled);
        Batch::new(load, encoder, self.guards).with_self_references(references).with_fingerprints(self.run.seed)
    }

    /// Returns the key of a batch in the ledger.
    pub fn batch_id(&self, batch: i32) -> BatchId<'a> {
        let load = &self.started.load.name;
        BatchId { run: self.run.id, epoch: self.run.epoch, load, part: self.part, batch }
    }

    /// Returns the destination of the rows.
    pub fn destination(&self) -> Destination<'a> {
        let load = self.started.load;
        Destination {
            schema: &self.job.plan.schema,
            table: &load.table,
            columns: &self.started.columns,
            as_text: load.as_text,
            skipped: self.started.skipped.as_ref(),
            nulls_equal: load.conflict.as_ref().is_some_and(|key| self.job.target.equates_nulls(&load.table, key)),
        }
    }

    /// Returns the columns of the table that are read back in the server's own form. Empty if there are none.
    pub fn returned(&self) -> &'a [String] {
        self.run.judged.returned.get(&self.load().table).map(Vec::as_slice).unwrap_or_default()
    }

    /// Waits after an error, and replaces the connection if it is lost.
    pub fn reconnect(&self, session: &mut Session, tries: &mut Tries, mut failed: ServerError) -> Result<(), Stop> {
        loop {
            tries.again(&self.job.reconnect(), session, failed)?;
            match session.note_backend(self.run.id, self.run.epoch) {
                Ok(()) => return Ok(()),
                Err(e) if e.retry_may_help() => failed = e,
                Err(e) => return Err(e.into()),
            }
        }
    }
}

impl Lane<'_> {
    /// Returns the lane's part as the ledger has it now.
    pub fn read_part(&mut self) -> Result<PartDone, Stop> {
        let (run, load) = (self.at.run.id, &self.at.load().name);
        let known = self.at.job.retrying(self.session, |session| Ok(session.load_done(run, load)?))?;
        let found = known.into_iter().flat_map(|done| done.parts).find(|p| p.part == self.at.part);
        let lost = || ServerError::new("reading the ledger", "a part of this run is not there any more");
        found.ok_or_else(|| Stop::Target(lost()))
    }

    /// Waits after an error, and replaces the connection if it is lost.
    pub fn reconnect(&mut self, failed: ServerError) -> Result<(), Stop> {
        self.at.reconnect(self.session, &mut self.tries, failed)
    }
}

/// Returns the faults of a batch as the ledger stores them: location and reason, no values.
pub fn ledger_faults(job: &Job<'_>, batch: &Batch<'_>, load: &LoadPlan) -> Vec<String> {
    let table = format!("{}.{}", job.plan.schema, load.table);
    let faults = batch.faults.iter().map(|fault| QuarantinedRow::of(fault, &table));
    faults.filter_map(|fault| serde_json::to_string(&fault).ok()).collect()
}
