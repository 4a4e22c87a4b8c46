//! The proof: what the target holds, asked of the target itself, compared with what the ledger says was sent.
//!
//! Every check has a verdict; what was not looked at says why. Nothing is mended here.

pub mod before;
mod content;
mod objects;
mod open;
mod owners;
mod rows;
mod sequences;
mod table;

use std::collections::BTreeMap;

use crate::convert::Settled;
use crate::event::{Event, Watch};
use crate::migrate::Stop;
use crate::model::record::{Check, OwnerRows, SequenceRecord, Verdict};
use crate::model::schema::TargetSchema;
use crate::plan::Plan;
use crate::source::Source;
use crate::target::Session;
use crate::target::detach::Detached;
use crate::target::ledger::{LoadDone, Run};

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
    /// What is the same for every value of the run, the owner included.
    pub settled: &'a Settled,
    /// The run ended long ago: others may have written since, and the source may have moved.
    pub later: bool,
    /// Values and text keys may be shown.
    pub show_values: bool,
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
/// When the source cannot be read, or the target refuses or is gone; a difference is no error.
pub fn verify(subject: &Subject<'_>, session: &mut Session, depth: Depth) -> Result<Findings, Stop> {
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
    findings.checks.extend(objects::check(subject, session, &findings.checks)?);
    let (owners, checks) = owners::check(subject, session)?;
    findings.owners = owners;
    findings.checks.extend(checks);
    if !(subject.later && depth == Depth::Full) {
        findings.checks.push(content::source_at_end(subject));
    }
    Ok(findings)
}
