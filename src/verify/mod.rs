//! The proof: what the target holds, asked of the target itself, compared with what the ledger says was sent.
//!
//! Every check has a verdict; what was not looked at says why. Nothing is mended here.

mod content;
mod owners;
mod rows;
mod sequences;

use std::collections::BTreeMap;

use crate::event::{Event, Watch};
use crate::model::record::{Check, OwnerRows, SequenceRecord, Verdict};
use crate::model::schema::TargetSchema;
use crate::plan::Plan;
use crate::source::Source;
use crate::target::detach::Detached;
use crate::target::ledger::{LoadDone, Run};
use crate::target::{ServerError, Session};

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
    /// Who hears of it.
    pub watch: &'a dyn Watch,
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

/// Makes the checks.
///
/// # Errors
/// When the target refuses or is gone; a difference is no error.
pub fn verify(subject: &Subject<'_>, session: &mut Session, depth: Depth) -> Result<Findings, ServerError> {
    let mut findings = Findings::default();
    if depth == Depth::None {
        findings.checks.push(Check::not_checked("rows", None, "--verify none"));
        findings.checks.push(Check::not_checked("content", None, "--verify none"));
        return Ok(findings);
    }
    subject.watch.hear(Event::Step("verify"));
    findings.checks.extend(rows::check(subject, session)?);
    match depth {
        Depth::Full => findings.checks.extend(content::check(subject, session)?),
        _ => findings.checks.push(Check::not_checked("content", None, "--verify counts")),
    }
    let (sequences, check) = sequences::check(subject, session)?;
    findings.sequences = sequences;
    findings.checks.push(check);
    findings.checks.push(constraints(subject, session)?);
    let (owners, checks) = owners::check(subject, session)?;
    findings.owners = owners;
    findings.checks.extend(checks);
    Ok(findings)
}

/// Constraints are validated and indexes valid, on every table that a load went to.
fn constraints(subject: &Subject<'_>, session: &mut Session) -> Result<Check, ServerError> {
    let mut tables: Vec<String> = subject.plan.loads.iter().map(|l| l.table.clone()).collect();
    tables.sort();
    tables.dedup();
    let invalid = session.invalid_objects(&subject.plan.schema, &tables)?;
    let found: Vec<String> = invalid.iter().map(|(table, object)| format!("{table}.{object}")).collect();
    let found = if found.is_empty() { "all valid".to_owned() } else { format!("not valid: {}", found.join(", ")) };
    Ok(Check::compared("constraints", None, "all valid".to_owned(), found))
}
