//! Who is at work on a run: its lock, a new epoch, taking over from a process that is gone, connections after a loss.
//!
//! Nothing here reads or writes a row of the application's.

use crate::job::{Connections, Reconnect, Stop};
use crate::model::ledger::Run;
use crate::model::record::Refusal;
use crate::pg::connect::{ConnectError, Patience};
use crate::pg::{LockHolder, Session};

use super::Failure;
use super::reach::{self, lost_again};
use super::way::Way;

impl Way<'_> {
    /// What trying again needs.
    pub(super) fn reconnect(&self) -> Reconnect<'_> {
        Reconnect { connections: self, observer: self.observer, asked: &self.world.asked }
    }

    /// The lock of this mapping in this database.
    fn lock_key(&self) -> i64 {
        let name = format!("migrate\n{}\n{}", self.common.ledger_schema, self.found.mapping.name);
        xxhash_rust::xxh3::xxh3_64(name.as_bytes()) as i64
    }

    /// Takes the run's lock, from a process that is gone where `--take-over` says so.
    pub(super) fn hold(&self, session: &mut Session) -> Result<(), Failure> {
        let Some(holder) = session.lock(self.lock_key()).map_err(Failure::refused)? else { return Ok(()) };
        let mut advice = "Wait for it, or end it; if its machine is lost, use --take-over.";
        if self.work.take_over {
            let mut ours = match self.known(session).map_err(Failure::refused)?.run {
                Some(run) => session.backends(run.id).map_err(Failure::refused)?,
                None => Vec::new(),
            };
            // Nobody else takes this lock: its holder is a migrate with this mapping, noted in the ledger or not yet.
            ours.extend(holder.backend());
            session.end_backends(&ours).map_err(Failure::refused)?;
            if session.lock(self.lock_key()).map_err(Failure::refused)?.is_none() {
                return Ok(());
            }
            advice = "It was ended and another one came. Wait for that one, or end it.";
        }
        let reason = format!("another migrate is at work on this mapping; {}", shown(&holder));
        Err(Failure::refused(Refusal::new("target", reason, advice)))
    }

    /// Goes on with a run in a new epoch: whatever a process of before still sends finds itself fenced off.
    pub(super) fn take_up(
        &self,
        session: &mut Session,
        mut run: Run,
        (stamp, loads): (&str, &[(String, String)]),
    ) -> Result<Run, Failure> {
        if self.work.take_over {
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
                session.restamp(run.id, stamp)?;
                Ok(session.replan(run.id, loads)?)
            })
            .map_err(Failure::refused)?;
        // What reading ahead has seen is not what will be read now.
        run.read_ahead &= run.stamp == stamp;
        stamp.clone_into(&mut run.stamp);
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

fn shown(holder: &LockHolder) -> String {
    let from = if holder.from.is_empty() { "this machine" } else { &holder.from };
    format!("server process {}, connected from {from} since {}", holder.pid, holder.since)
}
