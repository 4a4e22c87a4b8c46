//! Sequences: set past the rows that are there, before anything is issued and at the end.

use crate::event::Event;
use crate::model::ledger::Run;
use crate::model::record::StepKind;
use crate::pg::Session;
use crate::plan::sequences::{PlannedSequence, SequenceColumn, planned_sequences};

use crate::job::Job;
use crate::job::Stop;

/// Sets every sequence of the loaded tables and of the owner's.
///
/// # Errors
/// What stopped it; the sequences that were set stay set.
pub fn set_sequences(job: &Job<'_>, session: &mut Session, run: &Run) -> Result<(), Stop> {
    job.observer.on_event(Event::Step(StepKind::Sequences));
    for planned in planned_sequences(job.plan, job.source.schema(), job.target, &run.judged.shifts) {
        job.retrying(session, |session| {
            session.advance_sequence(run, &job.plan.schema, &planned)?;
            Ok(session.note_sequence_end(run.id, &planned.sequence)?)
        })?;
    }
    Ok(())
}

/// Sets a sequence past the rows that are there before it issues anything: loads before this one may have brought ids.
/// How it was is noted first, whether it has to move or not.
pub fn past_rows(job: &Job<'_>, session: &mut Session, run: &Run, column: SequenceColumn<'_>) -> Result<(), Stop> {
    let planned = PlannedSequence::for_column(job.plan, job.source.schema(), column, &run.judged.shifts);
    session.note_sequence_start(run.id, column.sequence)?;
    Ok(session.advance_sequence(run, &job.plan.schema, &planned)?)
}
