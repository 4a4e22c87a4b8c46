//! A worker of a fleet: takes files from the ledger, writes each in a transaction of its own, and reads it back.

use std::sync::Arc;
use std::time::Duration;

use crate::cli::MostFailed;
use crate::event::{Event, FileCounts};
use crate::exit::Exit;
use crate::job::{Stop, pause};
use crate::migrate::fleet::batches::LEASE;
use crate::migrate::fleet::removal::{self, MemberRemoval};
use crate::model::fleet::{Claim, MemberState, Shard};
use crate::model::ledger::Run;
use crate::model::record::{Refusal, Report, RunState, StepKind, Verdict};
use crate::pg::Session;
use crate::pg::ledger::members::{FleetProgress, MemberLease};

use super::super::failure::Failure;
use super::super::record;
use super::begin::BegunFleet;
use super::file::{FileEnd, FileWork, differing};
use super::plans::Plans;
use super::request::FleetRequest;
use super::{finish, lines};

/// Files that a worker takes at once. Taking ten costs as much as taking one.
const AT_ONCE: i64 = 10;

/// The longest wait for other workers before the ledger is asked again.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// Files in a row that the target stopped, after which the worker ends: the cause is not in the files.
const FAILED_IN_A_ROW: u32 = 3;

/// The time to finish the file in work when the process is asked to stop. Container engines end a process after 30 seconds.
const LAST_FILE: Duration = Duration::from_secs(20);

/// Seconds between two looks at the files of all workers, for the lines of progress.
const COUNTED_EVERY: f64 = 4.0;

/// A worker.
struct Worker<'w, 'a> {
    request: FleetRequest<'a>,
    run: Run,
    plans: Plans<'a>,
    session: &'w mut Session,
    report: &'w mut Report,
    name: String,
    shard: Shard,
    /// Files that it loaded, and their rows.
    done: u64,
    rows: u64,
    failed_in_a_row: u32,
    /// Seconds after the start of the process at which it renewed its leases.
    renewed: f64,
    /// The files of all workers, as far as this one knows.
    files: FileCounts,
    /// Seconds after the start of the process at which the ledger counted them.
    counted: f64,
    /// The last file whose state it wrote.
    last: Option<i32>,
}

/// The reason for which a worker ends.
enum WorkerEnd {
    /// No file is left.
    NoneLeft,
    /// `--max-files` are loaded.
    Enough,
    Interrupted,
    /// Files are left, and working on would be of no use.
    Stopped(Refusal),
}

/// Works until no file is left, and ends the fleet.
pub fn carry_out(
    request: FleetRequest<'_>,
    fleet: BegunFleet<'_>,
    session: &mut Session,
    report: &mut Report,
) -> Result<Exit, Failure> {
    let BegunFleet { run, mut plans, first } = fleet;
    let m = request.m;
    let began = m.world().elapsed();
    m.observer().on_event(Event::Step(StepKind::Load));
    let files = counts(&session.fleet_progress(run.id).map_err(Failure::refused)?);
    m.observer().on_event(Event::Files(files));
    let shard = request.args.shard.map_or(Shard::ALL, |(index, of)| Shard { index, of });
    let is_running = run.state == RunState::Running;
    session.commits_may_be_lost().map_err(Failure::refused)?;
    session.know_backend().map_err(Failure::refused)?;
    // A file in work is finished when the process is asked to stop.
    plans.finish_files();
    session.interrupt_when(Arc::default());
    m.world().ending.allow(LAST_FILE);
    let mut worker = Worker {
        request,
        run: run.clone(),
        plans,
        session,
        report,
        name: format!("{} {}", host(m.world().variable("HOSTNAME")), std::process::id()),
        shard,
        done: 0,
        rows: 0,
        failed_in_a_row: 0,
        renewed: began,
        files,
        counted: began,
        last: None,
    };
    let ended = if is_running { worker.work()? } else { WorkerEnd::NoneLeft };
    worker.end_work()?;
    let (here, took) = (worker.done, m.world().elapsed() - began);
    record::step(report, StepKind::Load, began, m.world().elapsed());
    let mut exit = match ended {
        WorkerEnd::NoneLeft => finish::finish(request, &run, &first, session, report)?,
        WorkerEnd::Enough => Exit::Stopped,
        WorkerEnd::Interrupted => Exit::Interrupted,
        WorkerEnd::Stopped(refusal) => {
            report.refusals.push(refusal);
            Exit::Stopped
        }
    };
    if report.checks.iter().any(|check| check.verdict == Verdict::Differs) {
        exit = Exit::Differs;
    }
    let per_second = (here > 0 && took > 0.0).then(|| record::rounded(here as f64 / took));
    finish::note(session, &run, Some(&first.plan), report).map_err(Failure::refused)?;
    lines::write(m.world(), session, &run).map_err(Failure::refused)?;
    if let Some(fleet) = &mut report.fleet {
        (fleet.here, fleet.per_second) = (here, per_second);
    }
    Ok(finish::with_losses(exit, report))
}

fn counts(progress: &FleetProgress) -> FileCounts {
    let of = |state| progress.counts.get(&state).copied().unwrap_or(0);
    FileCounts {
        loaded: of(MemberState::Done),
        quarantined: of(MemberState::Quarantined),
        failed: of(MemberState::Failed),
        left: of(MemberState::Waiting) + of(MemberState::Taken),
    }
}

/// Quarantines a file. If batches of it are in the target and cannot be removed, it is failed, with the reason.
fn quarantine(session: &mut Session, run: &Run, claim: &Claim, reason: &str) -> Result<(), Stop> {
    if let MemberRemoval::Refused(why) = removal::quarantine(session, run, claim, reason)? {
        let reason = format!("{reason} Its first rows are in the target, and they cannot be removed: {why}.");
        session.end_member(claim, MemberState::Failed, &reason)?;
    }
    Ok(())
}

fn host(variable: Option<&str>) -> String {
    variable.filter(|name| !name.is_empty()).unwrap_or("host").to_owned()
}

impl<'a> Worker<'_, 'a> {
    /// Makes everything that it wrote last. From here on a signal ends the command as it does any other.
    fn end_work(&mut self) -> Result<(), Failure> {
        let m = self.request.m;
        m.world().ending.allow(Duration::ZERO);
        self.session.interrupt_when(Arc::clone(&m.world().asked));
        let (Some(member), run) = (self.last, self.run.id) else { return Ok(()) };
        let last = m.reconnect().retrying(self.session, |session| Ok(session.commits_last(run, member)?));
        last.map_err(Failure::refused)
    }

    fn work(&mut self) -> Result<WorkerEnd, Failure> {
        let m = self.request.m;
        loop {
            if m.check_stop().is_err() {
                return Ok(WorkerEnd::Interrupted);
            }
            let left = self.request.args.max_files.map(|most| most.saturating_sub(self.done));
            let Some(most) = Some(left.map_or(AT_ONCE, |left| AT_ONCE.min(left as i64))).filter(|most| *most > 0)
            else {
                return Ok(if self.is_any_left()? { WorkerEnd::Enough } else { WorkerEnd::NoneLeft });
            };
            if let Some(refusal) = self.too_many_failed()? {
                return Ok(WorkerEnd::Stopped(refusal));
            }
            let claims = self.claim(most)?;
            self.renewed = m.world().elapsed();
            if claims.is_empty() {
                match self.wait_for_others()? {
                    true => continue,
                    false => return Ok(WorkerEnd::NoneLeft),
                }
            }
            for (at, claim) in claims.iter().enumerate() {
                if m.check_stop().is_err() {
                    self.give_back(&claims[at..])?;
                    return Ok(WorkerEnd::Interrupted);
                }
                let end = self.file().carry_out(claim)?;
                let is_interrupted = matches!(end, FileEnd::Interrupted);
                if let Some(refusal) = self.note(claim, end)? {
                    self.give_back(&claims[at + 1..])?;
                    return Ok(WorkerEnd::Stopped(refusal));
                }
                if is_interrupted {
                    self.give_back(&claims[at..])?;
                    return Ok(WorkerEnd::Interrupted);
                }
                self.renew(&claims[at + 1..])?;
            }
        }
    }

    /// Returns true if a file waits, or a worker has one.
    fn is_any_left(&mut self) -> Result<bool, Failure> {
        let run = self.run.id;
        let progress = self.request.m.reconnect().retrying(self.session, |session| Ok(session.fleet_progress(run)?));
        let counts = progress.map_err(Failure::refused)?.counts;
        Ok([MemberState::Waiting, MemberState::Taken].iter().any(|state| counts.get(state).is_some_and(|n| *n > 0)))
    }

    fn claim(&mut self, most: i64) -> Result<Vec<Claim>, Failure> {
        let (run, shard, name) = (self.run.clone(), self.shard, self.name.clone());
        let lease = MemberLease { worker: &name, seconds: LEASE };
        let claimed = self
            .request
            .m
            .reconnect()
            .retrying(self.session, |session| Ok(session.claim_members(&run, shard, most, &lease)?));
        claimed.map_err(Failure::refused)
    }

    /// Waits while other workers have files. Returns false if no file is left.
    fn wait_for_others(&mut self) -> Result<bool, Failure> {
        let run = self.run.id;
        let reconnect = self.request.m.reconnect();
        let FleetProgress { counts, lease } =
            reconnect.retrying(self.session, |session| Ok(session.fleet_progress(run)?)).map_err(Failure::refused)?;
        let taken = counts.get(&MemberState::Taken).copied().unwrap_or(0);
        if taken == 0 || self.shard != Shard::ALL {
            return Ok(false);
        }
        let lease = lease.map_or(LONGEST_WAIT, |left| Duration::from_secs_f64(left.clamp(0.02, 3_600.0)));
        pause(&self.request.m.world().asked, lease.min(LONGEST_WAIT));
        Ok(true)
    }

    /// The refusal to work on if more files are quarantined or failed than `--max-failed` allows.
    fn too_many_failed(&mut self) -> Result<Option<Refusal>, Failure> {
        let Some(most) = self.request.args.max_failed else { return Ok(None) };
        let counts = self.session.fleet_progress(self.run.id).map_err(Failure::refused)?.counts;
        let of = |state| counts.get(&state).copied().unwrap_or(0);
        let (bad, all) = (of(MemberState::Quarantined) + of(MemberState::Failed), counts.values().sum::<u64>());
        let (allowed, shown) = match most {
            MostFailed::Files(most) => (most, most.to_string()),
            MostFailed::Percent(percent) => (all * percent / 100, format!("{percent}%")),
        };
        Ok((bad > allowed).then(|| {
            let reason = format!("{bad} of {all} files are quarantined or failed, and --max-failed allows {shown}");
            Refusal::new(
                "--max-failed",
                reason,
                "`migrate fleet status` lists them. The same command with a larger limit continues.",
            )
        }))
    }

    fn file(&mut self) -> FileWork<'_, 'a> {
        FileWork {
            request: self.request,
            run: &self.run,
            plans: &mut self.plans,
            session: self.session,
            report: self.report,
        }
    }

    /// Notes the end of a file in the ledger. Returns the reason not to work on.
    fn note(&mut self, claim: &Claim, end: FileEnd) -> Result<Option<Refusal>, Failure> {
        self.failed_in_a_row = if matches!(end, FileEnd::Failed(_)) { self.failed_in_a_row + 1 } else { 0 };
        let (state, reason) = match end {
            FileEnd::Done { rows, differs } => {
                self.done += 1;
                self.last = Some(claim.member);
                self.rows += rows;
                self.files.loaded += 1;
                self.report.checks.extend(differs.map(|how| differing(claim, how)));
                self.count()?;
                return Ok(None);
            }
            FileEnd::Lost | FileEnd::Fenced | FileEnd::Interrupted => return Ok(None),
            FileEnd::Quarantined(reason) => {
                self.files.quarantined += 1;
                (MemberState::Quarantined, reason)
            }
            FileEnd::Failed(reason) => {
                self.files.failed += 1;
                (MemberState::Failed, reason)
            }
        };
        self.last = Some(claim.member);
        let (run, reconnect) = (&self.run, self.request.m.reconnect());
        let noted = reconnect.retrying(self.session, |session| match state {
            MemberState::Quarantined => quarantine(session, run, claim, &reason),
            _ => Ok(session.end_member(claim, state, &reason)?),
        });
        noted.map_err(Failure::refused)?;
        self.count()?;
        Ok((self.failed_in_a_row >= FAILED_IN_A_ROW).then(|| {
            let why = format!("the target stopped {FAILED_IN_A_ROW} files in a row; the last one: {reason}");
            Refusal::new("target", why, "Repair the cause. The same command with --retry failed continues.")
        }))
    }

    /// One file less is left. Asks the ledger from time to time, for the files of the other workers.
    fn count(&mut self) -> Result<(), Failure> {
        let now = self.request.m.world().elapsed();
        self.files.left = self.files.left.saturating_sub(1);
        if now - self.counted > COUNTED_EVERY {
            self.counted = now;
            self.files = counts(&self.session.fleet_progress(self.run.id).map_err(Failure::refused)?);
        }
        self.request.m.observer().on_event(Event::Files(self.files));
        Ok(())
    }

    /// Returns files to the other workers.
    fn give_back(&mut self, claims: &[Claim]) -> Result<(), Failure> {
        for claim in claims {
            self.session.end_member(claim, MemberState::Waiting, "").map_err(Failure::refused)?;
        }
        Ok(())
    }

    /// Renews the leases of the files that wait for this worker, in good time.
    fn renew(&mut self, claims: &[Claim]) -> Result<(), Failure> {
        let now = self.request.m.world().elapsed();
        if now - self.renewed < f64::from(LEASE) / 3.0 {
            return Ok(());
        }
        self.renewed = now;
        let reconnect = self.request.m.reconnect();
        let renewed = reconnect.retrying(self.session, |session| Ok(session.renew_leases(claims, LEASE)?));
        renewed.map_err(Failure::refused)
    }
}
