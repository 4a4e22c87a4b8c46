//! Verification: compares what the target holds with what the ledger says was sent.
//!
//! Every check has a verdict; a check that was not made has a reason. Verification changes nothing.

mod altered;
pub mod changed_source;
mod comparison;
mod computed;
mod constraints;
mod content;
mod counts;
mod differing_rows;
mod foreign_rows;
mod meanwhile_altered;
mod reading;
mod recompute;
mod returned;
mod subject;
mod table;

use std::collections::BTreeMap;

use crate::event::Event;
use crate::job::Stop;
use crate::model::record::{Check, CheckKind, OwnerRows, SequenceRecord, StepKind, Verdict};
use crate::pg::Session;

use comparison::TableComparison;
use constraints::Orphans;
use reading::Snapshot;
use table::VerifiedTable;

pub use constraints::of_fleet as constraints_of_fleet;
pub use subject::{KnownOwner, Lanes, Meanwhile, Subject};

/// The extent of verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyDepth {
    /// All checks.
    Full,
    /// All checks except the content.
    Counts,
    /// No checks.
    None,
}

/// The result of verification.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The checks.
    pub checks: Vec<Check>,
    /// Every sequence.
    pub sequences: Vec<SequenceRecord>,
    /// Rows per owner.
    pub owners: Vec<OwnerRows>,
}

impl Findings {
    /// Returns true if a check found a difference.
    pub fn differs(&self) -> bool {
        self.checks.iter().any(|c| c.verdict == Verdict::Differs)
            || self.sequences.iter().any(|s| s.verdict == Verdict::Differs)
    }
}

/// Makes all checks on one snapshot of the target. If work was done meanwhile, the check of constraints uses a later
/// snapshot.
///
/// # Errors
/// If the source cannot be read, the target refuses a query or the connection is lost. A difference is not an error.
pub fn verify(subject: &Subject<'_>, session: &mut Session, depth: VerifyDepth) -> Result<Findings, Stop> {
    let busy = session_for_meanwhile(subject, session, depth)?;
    if depth == VerifyDepth::None {
        let all = [
            CheckKind::Rows,
            CheckKind::Content,
            CheckKind::Sequences,
            CheckKind::Constraints,
            CheckKind::Owners,
            CheckKind::Others,
            CheckKind::Source,
        ];
        let checks =
            all.into_iter().filter(|kind| *kind != CheckKind::Others || !subject.run.judged.holding.is_empty());
        let checks = checks.map(|kind| Check::not_checked(kind, None, "--verify none")).collect();
        return Ok(Findings { checks, ..Findings::default() });
    }
    subject.lanes.observer.on_event(Event::Step(StepKind::Verify));
    subject.maps.forget();
    let name = session.begin_snapshot(subject.lanes.jobs > 1)?;
    let found = check(subject, Snapshot { session, name: name.as_deref(), busy }, depth);
    session.end_snapshot();
    let mut found = found?;
    meanwhile_altered::explain(subject, session, &mut found.checks)?;
    if !(subject.later && depth == VerifyDepth::Full) {
        found.checks.push(content::source_at_end(subject));
    }
    Ok(found)
}

/// Opens the connection for the work that runs while rows are read back. Does that work at once if there is too little to
/// read, or if there is no further connection; then `None`.
fn session_for_meanwhile(
    subject: &Subject<'_>,
    session: &mut Session,
    depth: VerifyDepth,
) -> Result<Option<Session>, Stop> {
    let Some(meanwhile) = subject.lanes.meanwhile else { return Ok(None) };
    let pays = depth == VerifyDepth::Full && subject.lanes.jobs > 1 && reading::pays_lanes(subject);
    if let Some(Ok(other)) = pays.then(|| subject.lanes.connections.another()) {
        return Ok(Some(other));
    }
    meanwhile(session, subject.lanes.jobs)?;
    Ok(None)
}

/// Makes the checks, in the order of the report.
fn check(subject: &Subject<'_>, snapshot: Snapshot<'_>, depth: VerifyDepth) -> Result<Findings, Stop> {
    let Snapshot { session, name, busy } = snapshot;
    let objects_change = busy.is_some();
    let mut findings = Findings::default();
    let tables = if depth == VerifyDepth::Full { VerifiedTable::all(subject, session)? } else { Vec::new() };
    let snapshot = Snapshot { session: &mut *session, name, busy };
    let scoped: Vec<&str> = tables.iter().filter(|table| table.scope.is_some()).map(|table| table.name).collect();
    let stable = if objects_change { Vec::new() } else { constraints::tables(subject) };
    let (read, (planned, state)) = reading::read(subject, snapshot, &tables, |session| {
        Ok(counts::read_state(subject, session, &scoped, &stable)?)
    })?;
    let theirs = counts::theirs(subject, session, &planned, &state.sequences)?;
    let found = counts::FoundSequences { planned: &planned, states: &state.sequences, theirs: &theirs };
    let sequences = counts::sequences(subject, &found);
    let owners = counts::owners(subject, state.owned);
    let all: BTreeMap<&str, u64> = scoped.iter().copied().zip(state.counts).collect();
    let (mut counted, mut found) = (BTreeMap::new(), Vec::new());
    for (table, read) in tables.iter().zip(read) {
        let rows = all.get(table.name).map_or(read.rows, |rows| table.without_owner(*rows));
        counted.insert(table.name, rows);
        found.push(TableComparison::new(table, read, rows));
    }
    findings.checks.extend(counts::rows(subject, session, &counted)?);
    match depth {
        VerifyDepth::Full => {
            findings.checks.extend(content::check(subject, session, &tables, &found)?);
            findings.checks.extend(computed::check(session, &tables)?);
        }
        _ => {
            findings.checks.push(Check::not_checked(CheckKind::Content, None, "--verify counts"));
            if !subject.run.judged.holding.is_empty() {
                findings.checks.push(Check::not_checked(CheckKind::Others, None, "--verify counts"));
            }
        }
    }
    let (sequences, checks) = sequences;
    findings.sequences = sequences;
    findings.checks.extend(checks);
    let mut objects = state.objects;
    if objects_change {
        session.end_snapshot();
        session.begin_snapshot(false)?;
        objects = session.object_states(&subject.plan.schema, &constraints::tables(subject))?;
    }
    let orphans = Orphans { subject, before: &findings.checks, owned: &owners.without_orphans };
    let checks = constraints::check(subject, session, objects, &orphans)?;
    findings.checks.extend(checks);
    findings.checks.extend(constraints::owner_row(subject, state.owner_changed));
    findings.owners = owners.owners;
    findings.checks.extend(owners.checks);
    findings.checks.extend(foreign_rows::of_nodes(subject));
    Ok(findings)
}
