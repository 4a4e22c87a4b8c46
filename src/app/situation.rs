//! The situation that a command finds: its plan, the ledger's view of the run, and the identity that both are compared by.

use std::io::BufRead;

use crate::convert::Settled;
use crate::job::Stop;
use crate::migrate;
use crate::model::record::{Activity, Refusal, Report, Warning};
use crate::pg::Session;
use crate::pg::ledger::LedgerView;
use crate::plan;
use crate::resume::RunIdentity;
use crate::sqlite::stamp;
use crate::text::printable;
use crate::verify::changed_source;

use super::failure::Failure;
use super::finish::subject;
use super::output::ask;
use super::owner::OwnerState;
use super::session::{Migration, Planned, run_state};

/// A plan, the ledger's view of its run, and the identity of a run of this plan.
pub struct Situation<'a> {
    pub planned: Planned<'a>,
    pub ledger: LedgerView,
    pub identity: RunIdentity,
}

/// Returns the identity that is compared with the ledger. If the source was written to since the run began,
/// and still produces every row that was committed, it has the stamp of the run. `None` if it does not; the report has
/// the reasons.
pub fn comparable(
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
    let question = format!("Type the database's name ({}) to continue: ", printable(&database));
    ask(&format!("{}\n{question}", plan::text(plan)));
    let mut typed = String::new();
    let _ = std::io::stdin().lock().read_line(&mut typed);
    if typed.trim() == database {
        return Ok(());
    }
    let place = if m.activity() == Activity::Rollback { "rollback" } else { "run" };
    Err(Failure::refused(Refusal::new(place, "nothing was done; the database's name was not typed", "")))
}
