//! The way that every command with a report shares: open both sides, make the plan, compare it with the ledger, and carry
//! out what the command and the ledger decide together.

use std::io::{BufRead, Write};

use crate::convert::Settled;
use crate::exit::Exit;
use crate::job::Stop;
use crate::migrate;
use crate::model::record::{Activity, Refusal, Report, Warning};
use crate::pg::{ServerError, Session};
use crate::plan::{self, Purpose};
use crate::resume::{self, Decision, RunIdentity};
use crate::sqlite::{Source, stamp};
use crate::verify::changed_source;

use super::failure::Failure;
use super::finish::{OwnerState, finish, subject};
use super::record::Timing;
use super::session::{LedgerView, Migration, Planned, run_state};
use super::{cutover, dry_run, explain, inputs, record, rollback};

/// A plan, the ledger's view of its run, and the identity of a run of this plan.
pub struct Situation<'a> {
    pub planned: Planned<'a>,
    pub ledger: LedgerView,
    pub identity: RunIdentity,
}

/// Carries out the command, and returns its report with times.
pub fn report(m: Migration<'_>) -> Result<Report, Failure> {
    let timing = Timing::new(m.world(), m.observer());
    let mut report = untimed(&m.observed_by(&timing))?;
    timing.complete(&mut report);
    Ok(report)
}

fn untimed(m: &Migration<'_>) -> Result<Report, Failure> {
    let mut report = Report::new(m.activity().command(), &m.mapping().name);
    report.dry_run = m.activity() == Activity::DryRun;
    report.warnings.extend(super::plan::placeholders(m));
    let source = m.open_source(&mut report)?;
    let mut session = m.open_target(&mut report)?;
    let exit = match &mut session {
        None => dry_run::without_target(m, &source, &mut report)?,
        Some(session) => with_target(m, &source, session, &mut report)?,
    };
    super::plan::add_lines(m, &mut report);
    record::end(&mut report, exit);
    Ok(report)
}

fn with_target(
    m: &Migration<'_>,
    source: &Source,
    session: &mut Session,
    report: &mut Report,
) -> Result<Exit, Failure> {
    if m.activity().writes() {
        m.lock(session)?;
    }
    let ledger = readable_ledger(m, session).map_err(Failure::refused)?;
    if let Some(refusal) = resume::unusable(&ledger.state) {
        report.refusals.push(refusal);
        return Ok(Exit::Refused);
    }
    let Some((plan, target)) = super::plan::make(m, source, Some(session), Some(&ledger), report)? else {
        return Ok(Exit::Refused);
    };
    let planned = Planned { source, plan: &plan, target: &target };
    let identity = RunIdentity::of(&plan, &target, &source.stamp(), &inputs::env(m.mapping(), m.world()));
    let situation = Situation { planned, ledger, identity };
    let Some(comparable) = comparable(m, session, &situation, report)? else {
        return Ok(Exit::Refused);
    };
    let ledger = &situation.ledger;
    let decision = resume::decide(&ledger.state, ledger.run.as_ref(), &ledger.done, &comparable);
    let exit = carry_out(m, session, decision, situation, report);
    explain::name_duplicates(m, session, planned, report);
    exit
}

/// Carries out the decision, as far as the command allows it.
fn carry_out(
    m: &Migration<'_>,
    session: &mut Session,
    decision: Decision,
    situation: Situation<'_>,
    report: &mut Report,
) -> Result<Exit, Failure> {
    let Situation { planned, ledger, .. } = &situation;
    match (decision, m.activity()) {
        (Decision::Refuse(refusals), _) => {
            report.refusals.extend(refusals);
            report.state = run_state(ledger.run.as_ref());
            Ok(Exit::Refused)
        }
        (_, Activity::Rollback) => rollback::carry_out(m, session, situation, report),
        (Decision::Begin, Activity::Verification) => {
            report.refusals.push(Refusal::new(
                "target",
                "the ledger contains no run of this mapping",
                "Run the cutover first, or name the database in which it was run.",
            ));
            Ok(Exit::Refused)
        }
        (_, Activity::Verification) => Ok(finish(m, session, *planned, None, report)),
        (Decision::Verify, _) => {
            report.warnings.push(Warning::new(
                format!("run {}", ledger.run.as_ref().map_or(0, |r| r.id)),
                "is done already: nothing was loaded, its rows were verified again",
            ));
            Ok(finish(m, session, *planned, None, report))
        }
        (_, Activity::DryRun) => dry_run::with_target(m, session, *planned, ledger.run.as_ref(), report),
        (_, Activity::Cutover | Activity::Rehearsal) => cutover::carry_out(m, session, situation, report),
    }
}

/// The ledger's view of the run. Empty if the role may not read the ledger; the plan then refuses that right, too.
fn readable_ledger(m: &Migration<'_>, session: &mut Session) -> Result<LedgerView, ServerError> {
    let rights = session.rights(&m.mapping().target.schema)?;
    match plan::ledger_rights(&rights, Purpose::Verify).as_slice() {
        [] => m.read_ledger(session),
        _ => Ok(LedgerView::default()),
    }
}

/// Returns the identity that is compared with the ledger. If the source was written to since the run began,
/// and still produces every row that was committed, it has the stamp of the run. `None` if it does not; the report has
/// the reasons.
fn comparable(
    m: &Migration<'_>,
    session: &mut Session,
    situation: &Situation<'_>,
    report: &mut Report,
) -> Result<Option<RunIdentity>, Failure> {
    let mut identity = situation.identity.clone();
    let Some(run) = &situation.ledger.run else { return Ok(Some(identity)) };
    if m.activity() == Activity::Verification {
        // The checks report each row and each object that changed since.
        identity.adopt(run);
    }
    if identity.stamp == run.stamp {
        return Ok(Some(identity));
    }
    let changes = m.reconnect().retrying(session, |session| changed_rows(m, session, situation, report));
    match changes.map_err(Failure::refused)? {
        // `resume::decide` reports a different schema or dump.
        None => {}
        Some(refusals) if refusals.is_empty() => identity.stamp.clone_from(&run.stamp),
        Some(refusals) => {
            report.refusals.extend(refusals);
            report.state = run_state(Some(run));
            return Ok(None);
        }
    }
    Ok(Some(identity))
}

/// The committed or quarantined rows that a changed source no longer produces. `None` if its schema changed or it is a
/// dump: then the rows need not be compared.
fn changed_rows(
    m: &Migration<'_>,
    session: &mut Session,
    situation: &Situation<'_>,
    report: &mut Report,
) -> Result<Option<Vec<Refusal>>, Stop> {
    let Situation { planned, ledger, .. } = situation;
    let now = planned.source.stamp();
    let Some(run) = ledger.run.as_ref().filter(|run| stamp::have_same_schema(&run.stamp, &now)) else {
        return Ok(None);
    };
    let settled: Settled = m.constants(Some(run));
    let key = migrate::owner::find(session, planned.plan, &settled)?;
    let owner = OwnerState::new(key, false, settled);
    let mut subject = subject(m, *planned, run, ledger, &owner);
    subject.later = true;
    subject.show_values = false;
    let mut refusals = changed_source::committed_rows(&subject, session)?;
    // Quarantined rows were never written, so rollback ignores them.
    if m.activity() != Activity::Rollback {
        refusals.extend(changed_source::quarantined_rows(&subject, session)?);
    }
    if refusals.is_empty() {
        let message = "was written to since the run began; its committed rows were read again and are unchanged";
        report.warnings.push(Warning::new("source", message));
    }
    Ok(Some(refusals))
}

/// Prints the plan, and asks for the name of the database.
///
/// # Errors
/// If the answer is another text.
pub fn confirm(m: &Migration<'_>, session: &mut Session, plan: &plan::Plan) -> Result<(), Failure> {
    let database = session.database_name().map_err(Failure::refused)?;
    eprint!("{}\nType the database's name ({database}) to continue: ", plan::text(plan));
    let _ = std::io::stderr().flush();
    let mut typed = String::new();
    let _ = std::io::stdin().lock().read_line(&mut typed);
    if typed.trim() == database {
        return Ok(());
    }
    let place = if m.activity() == Activity::Rollback { "rollback" } else { "run" };
    Err(Failure::refused(Refusal::new(place, "nothing was done; the database's name was not typed", "")))
}
