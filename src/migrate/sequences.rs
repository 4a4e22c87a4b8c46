//! Sequences: set past the rows that are there, before anything is issued and at the end.

use crate::event::Event;
use crate::model::record::StepKind;
use crate::model::schema::Sequence;
use crate::pg::ledger::Run;
use crate::pg::{Session, Wanted};

use crate::job::Job;
use crate::job::Stop;

/// Sets every sequence of the loaded tables and of the owner's.
///
/// # Errors
/// What stopped it; the sequences that were set stay set.
pub fn set_sequences(job: &Job<'_>, session: &mut Session, run: &Run) -> Result<(), Stop> {
    job.observer.on_event(Event::Step(StepKind::Sequences));
    for wanted in Wanted::of(job.plan, job.source.schema(), job.target, &run.judged.shifts) {
        job.retrying(session, |session| {
            session.set_sequence(run, &job.plan.schema, &wanted)?;
            Ok(session.leave_sequence(run.id, &wanted.sequence)?)
        })?;
    }
    Ok(())
}

/// Sets a sequence past the rows that are there before it issues anything: loads before this one may have brought ids.
/// How it was is noted first, whether it has to move or not.
pub fn past_rows(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    column: (&str, &str),
    sequence: &Sequence,
) -> Result<(), Stop> {
    let wanted = Wanted::behind(job.plan, job.source.schema(), column, sequence, &run.judged.shifts);
    session.note_sequence(run.id, sequence)?;
    Ok(session.set_sequence(run, &job.plan.schema, &wanted)?)
}
