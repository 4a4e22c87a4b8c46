//! The proof: what the target holds, asked of the target itself, compared with what the ledger says was sent.
//!
//! Every check has a verdict; what was not looked at says why. Nothing is mended here.

mod again;
pub mod before;
mod computed;
mod content;
mod objects;
mod open;
mod others;
mod owners;
mod reading;
pub mod reread;
mod rows;
mod sequences;
mod table;

use std::collections::BTreeMap;

use crate::convert::Settled;
use crate::event::{Event, Observer};
use crate::migrate::{Connections, Stop};
use crate::model::record::{Check, CheckKind, OwnerRows, SequenceRecord, StepKind, Verdict};
use crate::model::schema::TargetSchema;
use crate::pg::Session;
use crate::pg::detach::Detached;
use crate::pg::ledger::{LoadDone, Run};
use crate::plan::Plan;
use crate::sqlite::Source;

use content::Found;
use table::Table;

/// How much is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Everything.
    Full,
    /// All but the content.
    Counts,
    /// Nothing.
    None,
}

/// What is left to do on the target, in at most so many lanes, while its rows are read back: none of them changes by it.
pub type Meanwhile<'a> = dyn Fn(&mut Session, usize) -> Result<(), Stop> + Sync + 'a;

/// What is compared with what.
pub struct Subject<'a> {
    /// What was to be done.
    pub plan: &'a Plan,
    /// The source as it is now.
    pub source: &'a Source,
    /// The target's catalogue.
    pub target: &'a TargetSchema,
    /// The run.
    pub run: &'a Run,
    /// What the ledger says of its loads.
    pub done: &'a BTreeMap<String, LoadDone>,
    /// What the run took off the target.
    pub detached: &'a [Detached],
    /// Whether the run made the owner's row.
    pub owner_made: bool,
    /// The owner's key.
    pub owner: Option<&'a str>,
    /// What is the same for every value of the run, the owner included.
    pub settled: &'a Settled,
    /// The run ended long ago: others may have written since, and the source may have moved.
    pub later: bool,
    /// Makes connections for more lanes.
    pub connections: &'a dyn Connections,
    /// Lanes that read tables back.
    pub jobs: usize,
    /// What is left to do beside it.
    pub meanwhile: Option<&'a Meanwhile<'a>>,
    /// Values and text keys may be shown.
    pub show_values: bool,
    /// Who hears of it.
    pub observer: &'a dyn Observer,
}

/// What was found.
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
    /// Whether anything is not as it should be.
    pub fn differs(&self) -> bool {
        self.checks.iter().any(|c| c.verdict == Verdict::Differs)
            || self.sequences.iter().any(|s| s.verdict == Verdict::Differs)
    }
}

/// Makes the checks, all of them of one state of the target; the objects in a later one where something was left to do.
///
/// # Errors
/// When the source cannot be read, or the target refuses or is gone; a difference is no error.
pub fn verify(subject: &Subject<'_>, session: &mut Session, depth: Depth) -> Result<Findings, Stop> {
    let beside = beside(subject, session, depth)?;
    if depth == Depth::None {
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
            all.into_iter().filter(|check| *check != CheckKind::Others || !subject.run.judged.holding.is_empty());
        let checks = checks.map(|check| Check::not_checked(check, None, "--verify none")).collect();
        return Ok(Findings { checks, ..Findings::default() });
    }
    subject.observer.on_event(Event::Step(StepKind::Verify));
    let state = session.hold_state(subject.jobs > 1)?;
    let found = check(subject, (session, state.as_deref()), beside, depth);
    let ended = session.let_go();
    let mut found = found?;
    ended?;
    if !(subject.later && depth == Depth::Full) {
        found.checks.push(content::source_at_end(subject));
    }
    Ok(found)
}

/// The connection that does what is left to do while others read. Where there is little to read, it is done now.
fn beside(subject: &Subject<'_>, session: &mut Session, depth: Depth) -> Result<Option<Session>, Stop> {
    let Some(meanwhile) = subject.meanwhile else { return Ok(None) };
    let pays = depth == Depth::Full && subject.jobs > 1 && reading::pays_lanes(subject);
    if let Some(Ok(other)) = pays.then(|| subject.connections.another()) {
        return Ok(Some(other));
    }
    meanwhile(session, subject.jobs)?;
    Ok(None)
}

/// The checks, in the order in which they are told.
fn check(
    subject: &Subject<'_>,
    (session, state): (&mut Session, Option<&str>),
    beside: Option<Session>,
    depth: Depth,
) -> Result<Findings, Stop> {
    let is_old = beside.is_some();
    let mut findings = Findings::default();
    let tables = if depth == Depth::Full { Table::all(subject, session)? } else { Vec::new() };
    let (held, (sequences, owners)) = reading::read(subject, (session, state, beside), &tables, |session| {
        Ok((sequences::check(subject, session)?, owners::check(subject, session)?))
    })?;
    let (mut counted, mut found) = (BTreeMap::new(), Vec::new());
    for (table, held) in tables.iter().zip(held) {
        let rows = if table.scope.is_some() { table.count(session)? } else { held.rows };
        counted.insert(table.name, rows);
        found.push(Found::of(table, held, rows));
    }
    findings.checks.extend(rows::check(subject, session, &counted)?);
    match depth {
        Depth::Full => {
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
    let (sequences, check) = sequences;
    findings.sequences = sequences;
    findings.checks.push(check);
    if is_old {
        session.let_go()?;
        session.hold_state(false)?;
    }
    findings.checks.extend(objects::check(subject, session, &findings.checks)?);
    let (owners, checks) = owners;
    findings.owners = owners;
    findings.checks.extend(checks);
    Ok(findings)
}
