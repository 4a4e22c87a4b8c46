//! A run that another process continues.

use crate::job::Stop;
use crate::model::ledger::{Form, LEDGER_VERSION, LedgerState, Run};
use crate::model::record::Refusal;
use crate::pg::Session;
use crate::resume::RunIdentity;

use super::failure::Failure;
use super::session::Migration;

impl Migration<'_> {
    /// Resumes the run in a new epoch, so that late writes of the previous process are rejected. Records the identity of
    /// the rows to come; a rollback has none. `found`: the state of the ledger under the run's lock.
    pub fn resume(
        &self,
        session: &mut Session,
        found: &LedgerState,
        mut run: Run,
        identity: Option<&RunIdentity>,
    ) -> Result<Run, Failure> {
        if self.work().take_over {
            let others = session.backends(run.id).map_err(Failure::refused)?;
            session.end_backends(&others).map_err(Failure::refused)?;
        }
        let raised = self.reconnect().retrying(session, |session| Ok(session.raise_epoch(run.id)?));
        run.epoch = match raised {
            Ok(epoch) => epoch,
            Err(Stop::Target(e)) if e.is_lock_wait() => {
                let pids: Vec<String> =
                    session.backends(run.id).unwrap_or_default().iter().map(|b| b.pid().to_string()).collect();
                let reason = format!("a batch of this run is still open, in server process {}", pids.join(", "));
                let advice = "Wait until the server notices that its client is lost, or use --take-over.";
                return Err(Failure::refused(Refusal::new("target", reason, advice)));
            }
            Err(stop) => return Err(Failure::refused(stop)),
        };
        self.reconnect()
            .retrying(session, |session| {
                session.note_backend(run.id, run.epoch)?;
                // A run of another mapping may have upgraded the ledger since, which is never undone.
                let is_older = |state: &LedgerState| matches!(state, LedgerState::Version(v) if *v < LEDGER_VERSION);
                if is_older(found)
                    && let LedgerState::Version(version) = session.ledger_state()?
                    && version < LEDGER_VERSION
                {
                    session.upgrade_ledger(version)?;
                }
                let Some(identity) = identity else { return Ok(()) };
                session.restamp(&run, &identity.stamp)?;
                let is_mine = run.form == Form::Two
                    || session.rewrite_fingerprints(&mut run, &identity.form1, &identity.fingerprints)?;
                if is_mine && session.replan(&run, &identity.fingerprints.loads)? { Ok(()) } else { Err(Stop::Fenced) }
            })
            .map_err(Failure::refused)?;
        if let Some(identity) = identity {
            // The preflight read another state of the source than this run will.
            run.read_ahead &= run.stamp == identity.stamp;
            run.stamp.clone_from(&identity.stamp);
        }
        Ok(run)
    }
}
