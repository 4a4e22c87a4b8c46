//! The dry run of a proposal: its plan and the preflight of its rows, with each finding written at its place.

use std::collections::{BTreeMap, BTreeSet};

use crate::init::{self, DryRunFinding, MappingDraft};
use crate::job::Stop;
use crate::mapping::{self, Mapping, OpenQuestion};
use crate::migrate::preflight::read_ahead::LoadPreflight;
use crate::model::fault::Reason;
use crate::model::record::{CommandKind, Refusal, Report};
use crate::model::schema::TargetSchema;
use crate::pg::Session;
use crate::resume;
use crate::sqlite::Source;
use crate::text::{count, grouped, sentence};

use super::super::failure::{self, Failure};
use super::super::session::{Migration, Planned};
use super::super::{plan, preflight};
use super::start::Start;

/// Questions about sequences make one more round of planning, and their answers show no further sequence.
const ROUNDS: usize = 3;

/// Both sides of a proposal.
#[derive(Clone, Copy)]
pub struct Sides<'a> {
    pub source: &'a Source,
    pub target: &'a TargetSchema,
}

/// Plans the proposal and checks its rows, as a dry run does. Writes each finding at its place.
pub fn check(
    start: &Start<'_>,
    draft: &mut MappingDraft,
    known: Sides<'_>,
    session: &mut Session,
) -> Result<(), Failure> {
    for _ in 0..ROUNDS {
        let text = init::text(draft);
        let (mapping, questions) = read_draft(&text)?;
        let mut mapping = init::plannable(mapping, &questions, known.target);
        mapping.mapping.source.path.clone_from(&start.base.source.path);
        let m = start.migration(mapping.mapping)?;
        let mut found = dry_run(&m, known, session)?;
        // The rows of an owner who is not known yet cannot be looked for.
        let knows_owner = questions.iter().all(|question| !question.place.starts_with("owner."));
        found.retain(|finding| knows_owner || finding.place != "owner");
        let unassigned = |place: &str| {
            let mut all = known.target.sequences.iter();
            all.find(|(_, facts)| place == format!("sequence {}", facts.sequence.name)).map(|(name, _)| name.as_str())
        };
        let names: BTreeSet<&str> = found.iter().filter_map(|finding| unassigned(&finding.place)).collect();
        if names.is_empty() {
            found.into_iter().for_each(|finding| init::annotate(draft, finding));
            if !mapping.unplanned.is_empty() {
                let names: Vec<&str> = mapping.unplanned.iter().map(String::as_str).collect();
                draft.notes.push(format!("Not checked before its questions are answered: {}.", names.join(", ")));
            }
            return Ok(());
        }
        names.into_iter().for_each(|name| init::ask_for_sequence(draft, name, known.target));
    }
    Ok(())
}

/// The findings of the plan, and of the preflight if the plan has none.
fn dry_run(m: &Migration<'_>, known: Sides<'_>, session: &mut Session) -> Result<Vec<DryRunFinding>, Failure> {
    let mut report = Report::new(CommandKind::Init, &m.mapping().name);
    if m.mapping().loads.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = plan::look(m, known.source, session)?;
    report.refusals.extend(resume::unusable(&found.ledger.state));
    let mut lacking = Vec::new();
    let mut made = None;
    if report.refusals.is_empty() {
        made = plan::make(m, known.source, Some(&found), &mut report)?;
        lacking.extend(grants(&mut report.refusals));
        if !lacking.is_empty() && report.refusals.is_empty() {
            found.forget_rights();
            made = plan::make(m, known.source, Some(&found), &mut report)?;
        }
    }
    let mut findings = lacking;
    if let Some((plan, target)) = made.filter(|_| report.refusals.is_empty()) {
        let planned = Planned { source: known.source, plan: &plan, target: &target };
        let refused = |stop| match stop {
            Stop::Refused(refusals) => Ok(refusals),
            stop => Err(Failure::refused(stop)),
        };
        match plan::settle(m, session, planned, None) {
            Err(stop) => report.refusals.extend(refused(stop)?),
            Ok(settled) => {
                let no_owner = plan.settled_owner().filter(|owner| settled.owner.is_none() && owner.create.is_none());
                if no_owner.is_some() {
                    let reason = "no row of the owner's table has this key";
                    report.refusals.push(Refusal::new(
                        "owner",
                        reason,
                        "Make the user first, or write create = { ... }",
                    ));
                }
                match preflight::read(m, session, planned, &settled, &mut report) {
                    Err(stop) => report.refusals.extend(refused(stop)?),
                    Ok(result) => {
                        report.refusals.extend(result.refusals);
                        findings.extend(result.found.iter().flat_map(faults));
                    }
                }
            }
        }
    }
    findings.extend(refusals(&report));
    Ok(findings)
}

/// Removes the refusals of rights. Returns them as one finding with their GRANTs.
fn grants(refusals: &mut Vec<Refusal>) -> Option<DryRunFinding> {
    let (rights, others): (Vec<Refusal>, Vec<Refusal>) = refusals.drain(..).partition(|refusal| refusal.is_right);
    *refusals = others;
    let grants: BTreeSet<&str> = rights.iter().map(|refusal| refusal.advice.as_str()).collect();
    (!grants.is_empty()).then(|| DryRunFinding {
        place: "rights".to_owned(),
        text: format!(
            "this role lacks rights that the cutover needs. {}",
            grants.into_iter().collect::<Vec<_>>().join(" ")
        ),
    })
}

fn refusals(report: &Report) -> impl Iterator<Item = DryRunFinding> {
    report.refusals.iter().map(|refusal| DryRunFinding {
        place: refusal.place.clone(),
        text: format!("{} {}", sentence(&refusal.reason), sentence(&refusal.advice)).trim_end().to_owned(),
    })
}

/// The faults of one load, by column and reason.
fn faults(load: &LoadPreflight) -> Vec<DryRunFinding> {
    let mut counts: BTreeMap<(Option<&str>, Reason), u64> = BTreeMap::new();
    load.faults.iter().for_each(|fault| *counts.entry((fault.column.as_deref(), fault.reason)).or_default() += 1);
    let kept = load.faults.len() as u64;
    let way_out = |reason: Reason| match reason {
        Reason::Differs => "existing = { differ = \"source\" } or { differ = \"target\" }",
        reason => reason.advice(),
    };
    let finding = |((column, reason), rows): ((Option<&str>, Reason), u64)| {
        let at_least = if kept < load.fault_total { "at least " } else { "" };
        let place = column.map_or_else(|| format!("load.{}", load.load), |c| format!("load.{}.columns.{c}", load.load));
        let rows = format!("{at_least}{} of {}", grouped(rows), count(load.sums.read, "row", "rows"));
        DryRunFinding {
            place,
            text: format!(
                "{rows} cannot be loaded ({}: {}). Way out: {}",
                reason.word(),
                reason.says(),
                way_out(reason)
            ),
        }
    };
    counts.into_iter().map(finding).collect()
}

pub fn read_draft(text: &str) -> Result<(Mapping, Vec<OpenQuestion>), Failure> {
    let wrong = |problems: Vec<mapping::FormProblem>| failure::of_mapping("proposal", &problems);
    let (mapping, questions) = mapping::read_draft(text).map_err(wrong)?;
    Ok((mapping.map_err(wrong)?, questions))
}
