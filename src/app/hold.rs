//! Who is at work on a run: its lock, a new epoch, taking over from a process that is gone, connections after a loss.
//!
//! Nothing here reads or writes a row of the application's.

use crate::migrate::{Connections, Line, Stop, until_done};
use crate::target::connect::{ConnectError, Patience};
use crate::target::ledger::Run;
use crate::target::{Holder, ServerError, Session};

use super::Failure;
use super::cutover::Way;
use super::reach::{self, lost_again};

impl Way<'_> {
    /// What trying again needs.
    pub(super) fn line(&self) -> Line<'_> {
        Line { connections: self, watch: self.watch, asked: &self.world.asked }
    }

    /// Takes the run's lock, from a process that is gone where `--take-over` says so.
    pub(super) fn hold(&self, session: &mut Session) -> Result<(), Failure> {
        let refused = |e: ServerError| Failure::refused(e.to_string());
        let Some(holder) = session.lock(self.lock_key()).map_err(refused)? else { return Ok(()) };
        let mut advice = "Wait for it, or end it; if its machine is gone, say --take-over";
        if self.work.take_over {
            let run = self.known(session).map_err(refused)?.run;
            let ours = match run {
                Some(run) => session.backends(run.id).map_err(refused)?,
                None => Vec::new(),
            };
            if ours.iter().any(|backend| backend.pid() == holder.pid) {
                session.end_backends(&ours).map_err(refused)?;
                if session.lock(self.lock_key()).map_err(refused)?.is_none() {
                    return Ok(());
                }
            }
            advice = "It is not one that the ledger knows, so it was not ended. Wait for it, or end it yourself";
        }
        Err(Failure::refused(format!(
            "target: another migrate is at work on this mapping; {}. {advice}.",
            shown(&holder)
        )))
    }

    /// Goes on with a run in a new epoch: whatever a process of before still sends finds itself fenced off.
    pub(super) fn take_up(
        &self,
        session: &mut Session,
        mut run: Run,
        loads: &[(String, String)],
    ) -> Result<Run, Failure> {
        let refused = |stop: Stop| Failure::refused(stop.to_string());
        if self.work.take_over {
            let others = session.backends(run.id).map_err(|e| refused(Stop::Target(e)))?;
            session.end_backends(&others).map_err(|e| refused(Stop::Target(e)))?;
        }
        let raised = until_done(&self.line(), session, |session| Ok(session.raise_epoch(run.id)?));
        run.epoch = match raised {
            Ok(epoch) => epoch,
            Err(Stop::Target(e)) if e.is("55P03") => {
                let pids: Vec<String> =
                    session.backends(run.id).unwrap_or_default().iter().map(|b| b.pid().to_string()).collect();
                return Err(Failure::refused(format!(
                    "target: a batch of this run is open still, in server process {}. Wait until the server notices that its \
                     client is gone, or say --take-over.",
                    pids.join(", ")
                )));
            }
            Err(stop) => return Err(refused(stop)),
        };
        until_done(&self.line(), session, |session| {
            session.note_backend(run.id, run.epoch)?;
            Ok(session.replan(run.id, loads)?)
        })
        .map_err(refused)?;
        Ok(run)
    }

    /// Whether the process was asked to stop, as a stop.
    pub(super) fn if_asked(&self) -> Result<(), Stop> {
        if self.world.asked.load(std::sync::atomic::Ordering::Relaxed) { Err(Stop::Interrupted) } else { Ok(()) }
    }
}

impl Connections for Way<'_> {
    fn another(&self) -> Result<Session, ConnectError> {
        let Some(settings) = &self.settings else {
            return Err(ConnectError::lost("the connection is lost", "there is no way back to it"));
        };
        reach::session(&self.door(settings), Patience::FIRST)
    }

    /// Once: who lost a connection waits and counts by itself.
    fn again(&self, lost: &Session) -> Result<Session, ConnectError> {
        let Some(settings) = &self.settings else { return self.another() };
        let mut session = reach::session(&self.door(settings), Patience::NONE)?;
        match session.replace(lost).map_err(lost_again)? {
            None => Ok(session),
            // The server may not have noticed yet that the old connection is gone.
            Some(holder) => Err(ConnectError::lost("the run's lock is held", shown(&holder))),
        }
    }
}

fn shown(holder: &Holder) -> String {
    let from = if holder.from.is_empty() { "this machine" } else { &holder.from };
    format!("server process {}, connected from {from} since {}", holder.pid, holder.since)
}
