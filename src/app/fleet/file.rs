//! The work on one file: its plan, its transaction, its proof, and the reason for which it is not loaded.

use crate::convert::Settled;
use crate::job::{Connections, Stop, Tries};
use crate::migrate::fleet::batches::LEASE;
use crate::migrate::fleet::member::MemberWork;
use crate::migrate::fleet::proof::{self, MemberOnTarget, MemberProof};
use crate::model::fleet::{Claim, MemberEnd};
use crate::model::ledger::Run;
use crate::model::record::{Check, CheckKind, FaultRecord, Report, Verdict};
use crate::pg::Session;

use super::super::failure::Failure;
use super::heartbeat;
use super::plans::Plans;
use super::request::FleetRequest;

/// The end of the work on one file.
pub enum FileEnd {
    Done {
        rows: u64,
        differs: Option<String>,
    },
    Quarantined(String),
    Failed(String),
    /// A crash of the server lost its commit.
    Lost,
    /// Another worker has the file, or the fleet has ended.
    Fenced,
    Interrupted,
}

/// Everything that the work on a file needs.
pub struct FileWork<'w, 'a> {
    pub request: FleetRequest<'a>,
    pub run: &'w Run,
    pub plans: &'w mut Plans<'a>,
    pub session: &'w mut Session,
    pub report: &'w mut Report,
}

impl FileWork<'_, '_> {
    /// Works on one file, again after a lost connection.
    pub fn carry_out(&mut self, claim: &Claim) -> Result<FileEnd, Failure> {
        let (mut tries, mut claim) = (Tries::default(), claim.clone());
        loop {
            let attempt = self.kept_attempt(&claim)?;
            // It may have committed batches, or all of the file.
            let is_first = !std::mem::replace(&mut claim.begun, true);
            let stop = match attempt {
                Ok(FileEnd::Lost) => continue,
                Ok(FileEnd::Fenced) if !is_first => return self.written_before(&claim),
                Ok(end) => return Ok(end),
                Err(stop) => stop,
            };
            match stop {
                Stop::Target(e) if e.retry_may_help() => {
                    let m = self.request.m;
                    if let Err(stop) = tries.again(&m.reconnect(), self.session, e) {
                        return Ok(end_of(&m.reason(stop), &claim));
                    }
                }
                stop => return Ok(end_of(&self.request.m.reason(stop), &claim)),
            }
        }
    }

    /// Works on a file, and renews its lease meanwhile over a connection of its own.
    fn kept_attempt(&mut self, claim: &Claim) -> Result<Result<FileEnd, Stop>, Failure> {
        let (m, mut second) = (self.request.m, None::<Session>);
        let renew = || {
            // Without a connection, the lease ends in time, and another worker takes the file over.
            let connection = second.take().or_else(|| m.another().ok());
            second = connection.and_then(|mut session| {
                session.renew_leases(std::slice::from_ref(claim), LEASE).ok().map(|()| session)
            });
        };
        heartbeat::during(heartbeat::EVERY, renew, || self.attempt(claim))
    }

    /// The end of a file that is no longer this worker's after a lost connection: its last commit may have arrived.
    fn written_before(&mut self, claim: &Claim) -> Result<FileEnd, Failure> {
        let run = self.run;
        let written = self.request.m.reconnect().retrying(self.session, |session| {
            if !session.is_member_done(claim)? {
                return Ok(FileEnd::Fenced);
            }
            let found = session.loaded_members(run.id, claim.member - 1, 1)?;
            let Some(member) = found.first().filter(|found| found.member == claim.member) else {
                return Ok(FileEnd::Fenced);
            };
            let checks = proof::again(session, run, member)?;
            let different = checks.iter().find(|check| check.verdict == Verdict::Differs);
            if checks.iter().all(|check| check.verdict == Verdict::Same) {
                session.prove_member(claim)?;
            }
            let rows = member.rows.iter().map(|rows| rows.rows).sum();
            Ok(FileEnd::Done { rows, differs: different.and_then(|check| check.found.clone()) })
        });
        written.map_err(Failure::refused)
    }

    fn attempt(&mut self, claim: &Claim) -> Result<Result<FileEnd, Stop>, Failure> {
        let m = self.request.m;
        let began = m.world().elapsed();
        let source = match self.plans.open(&claim.path) {
            Ok(source) => source,
            Err(e) => return Ok(Err(e.into())),
        };
        let plan = match self.plans.of(self.session, &source, self.report)? {
            Ok(plan) => plan,
            Err(refusals) => return Ok(Err(Stop::Refused(refusals))),
        };
        let unknown = plan.tables_without_images(self.run);
        if !unknown.is_empty() {
            return Ok(Err(Stop::Refused(unknown)));
        }
        let settled = Settled { now: self.run.judged.now, member: claim.values.clone(), ..plan.settled.clone() };
        let millis = || ((m.world().elapsed() - began) * 1000.0) as i64;
        let work = MemberWork {
            plan: &plan.plan,
            target: &plan.target,
            run: self.run,
            source: &source,
            settled: &settled,
            size: self.request.batch_size(),
            millis: &millis,
            is_asked: &|| m.check_stop().is_err(),
        };
        let end = match work.write(self.session, claim) {
            Ok(Some(end)) => end,
            Ok(None) => return Ok(Ok(FileEnd::Fenced)),
            Err(stop) => return Ok(Err(stop)),
        };
        let on_target = MemberOnTarget { plan: &plan.plan, target: &plan.target, run: self.run };
        let rows = end.rows.iter().map(|rows| rows.rows).sum();
        let proof = m.reconnect().retrying(self.session, |session| prove(on_target, session, claim, &end));
        Ok(proof.map(|proof| match proof {
            MemberProof::Lost => FileEnd::Lost,
            MemberProof::Differs(how) => FileEnd::Done { rows, differs: Some(how) },
            MemberProof::Same | MemberProof::Later => FileEnd::Done { rows, differs: None },
        }))
    }
}

/// Reads the rows of a file back, and notes that they are those that were sent.
fn prove(
    on_target: MemberOnTarget<'_>,
    session: &mut Session,
    claim: &Claim,
    end: &MemberEnd,
) -> Result<MemberProof, Stop> {
    let proof = on_target.prove(session, end)?;
    match proof {
        MemberProof::Same => session.prove_member(claim)?,
        MemberProof::Differs(_) if !session.is_member_done(claim)? => return Ok(MemberProof::Lost),
        _ => {}
    }
    Ok(proof)
}

/// The check of a file whose rows are others.
pub fn differing(claim: &Claim, how: String) -> Check {
    let mut check = Check::compared(CheckKind::Content, Some(&claim.path), "the rows of the file".to_owned(), how);
    check.why = Some("the target returned other rows right after their commit".to_owned());
    check
}

/// The end of a file that is not done.
fn end_of(stop: &Stop, claim: &Claim) -> FileEnd {
    match stop {
        Stop::Interrupted => FileEnd::Interrupted,
        Stop::Fenced => FileEnd::Fenced,
        Stop::Faults(_) | Stop::Source(_) | Stop::Refused(_) => FileEnd::Quarantined(reason(stop, claim)),
        Stop::Target(e) if e.is_about_rows() => FileEnd::Quarantined(reason(stop, claim)),
        _ => FileEnd::Failed(reason(stop, claim)),
    }
}

/// The reason for which a file is not loaded, with the way out.
pub fn reason(stop: &Stop, claim: &Claim) -> String {
    let owner: Vec<String> = claim.values.iter().map(|(name, value)| format!("--owner {name}={value}")).collect();
    let rows = format!("`migrate --dry-run -s {} {}` lists its rows", claim.path, owner.join(" "));
    match stop {
        Stop::Faults(faults) => {
            let first = faults.first().map(|fault| FaultRecord::of(fault, "", 0, false)).map(|fault| {
                let row = fault.rowid.map_or_else(String::new, |rowid| format!("row {rowid}: "));
                format!("{row}{}", fault.message.trim_end_matches('.'))
            });
            format!("{}. {rows}.", first.unwrap_or_default())
        }
        Stop::Target(e) if e.is_about_rows() => format!("{e}. {rows}."),
        other => other.to_string(),
    }
}
