//! Sequences: each hands out next what no row has and what the source never gave.

use crate::model::record::{Check, CheckKind, SequenceRecord, Verdict};
use crate::pg::{ServerError, Session, Wanted};

use super::Subject;

/// Every sequence as it stands, and one check over all of them.
pub(super) fn check(subject: &Subject<'_>, session: &mut Session) -> Result<(Vec<SequenceRecord>, Check), ServerError> {
    let mut records = Vec::new();
    for wanted in Wanted::of(subject.plan, subject.source.schema(), subject.target, &subject.run.judged.shifts) {
        let state = session.sequence_state(&subject.plan.schema, &wanted)?;
        records.push(SequenceRecord {
            sequence: wanted.sequence.name.clone(),
            column: format!("{}.{}", wanted.table, wanted.column),
            max: state.max,
            next: state.next,
            verdict: if wanted.is_past(state) { Verdict::Same } else { Verdict::Differs },
        });
    }
    let wrong: Vec<&str> =
        records.iter().filter(|r| r.verdict == Verdict::Differs).map(|r| r.sequence.as_str()).collect();
    let found = if wrong.is_empty() { "all past".to_owned() } else { format!("not past: {}", wrong.join(", ")) };
    let check = Check::compared(CheckKind::Sequences, None, "all past".to_owned(), found);
    Ok((records, check))
}
