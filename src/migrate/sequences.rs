//! Advances sequences past the existing rows, before they issue ids and at the end of a run.

use crate::event::{Event, Extent, WorkUnit};
use crate::job::{Job, Stop};
use crate::model::ledger::Run;
use crate::model::record::StepKind;
use crate::pg::Session;
use crate::plan::sequences::{PlannedSequence, SequenceColumn, planned_sequences};

/// Advances every sequence of the loaded tables and of the owner's table.
///
/// # Errors
/// The reason for the stop. Sequences that were advanced stay so.
pub fn set_sequences(job: &Job<'_>, session: &mut Session, run: &Run) -> Result<(), Stop> {
    job.observer.on_event(Event::Step(StepKind::Sequences));
    let planned = planned_sequences(job.plan, job.source.schema(), job.target, &run.judged.shifts);
    let extent = Extent { units: planned.len() as u64, kind: WorkUnit::Sequence, rows: None };
    job.observer.on_event(Event::Planned(extent));
    let advance = |session: &mut Session| Ok(session.advance_sequences(run, &job.plan.schema, &planned, false)?);
    if !job.retrying(session, advance)? {
        return Err(Stop::Fenced);
    }
    planned.iter().for_each(|_| job.observer.on_event(Event::Done(StepKind::Sequences)));
    Ok(())
}

/// Advances sequences past the existing rows before they issue ids, because previous loads may have written ids. Notes the
/// states of the sequences in the ledger first, in any case.
///
/// # Errors
/// If the target refuses or the connection is lost.
pub fn past_rows(job: &Job<'_>, session: &mut Session, run: &Run, columns: &[SequenceColumn<'_>]) -> Result<(), Stop> {
    let planned = for_columns(job, run, columns);
    let is_mine = session.advance_sequences(run, &job.plan.schema, &planned, true)?;
    if is_mine { Ok(()) } else { Err(Stop::Fenced) }
}

/// The sequences of columns whose ids the target issues.
pub fn for_columns(job: &Job<'_>, run: &Run, columns: &[SequenceColumn<'_>]) -> Vec<PlannedSequence> {
    let planned = |column: &SequenceColumn<'_>| {
        PlannedSequence::for_column(job.plan, job.source.schema(), *column, &run.judged.shifts)
    };
    columns.iter().map(planned).collect()
}
