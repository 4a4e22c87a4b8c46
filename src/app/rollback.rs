//! `migrate rollback`: a run is taken back, and what became of its rows is told.
//!
//! Part of [`Way`]; what comes before stands in `cutover`. Which rows are the run's is `migrate::rollback`'s knowledge.

use crate::cli::{Rollback, Work};
use crate::event::Observer;
use crate::exit::Exit;
use crate::job::Stop;
use crate::migrate::rollback::{self, RollbackResult};
use crate::model::record::{Refusal, Report, RunState, Warning};
use crate::pg::Session;
use crate::pg::rollback::{OwnerRollback, SequenceRollback};

use super::way::{Known, Manner, Planned, Typed, Way, one_mapping};
use super::{Failure, World};

/// `migrate rollback`
pub fn rollback(args: &Rollback, world: &World, observer: &dyn Observer) -> Result<Report, Failure> {
    let found = one_mapping(&args.common, world)?;
    if !args.yes && !world.stdin_is_terminal {
        let reason = "nothing was done; --yes was not given, and stdin is no terminal to ask on";
        let advice = "`migrate status` lists what a rollback removes.";
        return Err(Failure::refused(Refusal::new("rollback", reason, advice)));
    }
    let work = Work { take_over: args.take_over, ..Work::default() };
    let typed = Typed { common: &args.common, reporting: &args.reporting, work };
    Way { asks: !args.yes, ..Way::new(typed, (Manner::Rollback, found), world, observer)? }.go()
}

impl Way<'_> {
    /// Takes the run back and reports it.
    pub(super) fn take_back(
        &self,
        session: &mut Session,
        planned: Planned<'_>,
        known: Known,
        report: &mut Report,
    ) -> Result<Exit, Failure> {
        let Some(run) = known.run else {
            report.refusals.push(Refusal::new(
                "target",
                "the ledger knows no run of this mapping",
                "Nothing is to be done.",
            ));
            return Ok(Exit::Refused);
        };
        report.run = Some(run.id.to_string());
        if self.asks {
            self.confirm(session, planned.plan)?;
        }
        let stamp = run.stamp.clone();
        let run = self.take_up(session, run, (&stamp, &[]))?;
        // What the process of before still committed counts as well.
        let done = session.loads_done(run.id).map_err(Failure::refused)?;
        let (env, sizes) = (self.env(), Default::default());
        let job = self.job(planned, &env, &sizes);
        match rollback::remove(&job, session, &run, &done) {
            Ok(taken) => {
                report.state = RunState::RolledBack;
                tell(taken, report);
                Ok(Exit::Done)
            }
            Err(Stop::Refused(refusals)) => {
                report.refusals.extend(refusals);
                Ok(Exit::Refused)
            }
            Err(stop) => {
                let (exit, advice) = match &stop {
                    Stop::Interrupted => (Exit::Interrupted, "Nothing was taken out."),
                    Stop::Target(e) if !e.lost => (Exit::Refused, "Nothing was taken out."),
                    Stop::Source(_) => (Exit::Refused, "Nothing was taken out."),
                    _ => (
                        Exit::Stopped,
                        "It is taken out whole or not at all: `migrate status` says which. The same command goes on.",
                    ),
                };
                report.refusals.push(Refusal::new("target", stop.to_string(), advice));
                Ok(exit)
            }
        }
    }
}

/// What is out, and what stays.
fn tell(taken: RollbackResult, report: &mut Report) {
    let said = |place: String, message: &str| Warning::new(place, message);
    for (load, rows) in taken.loads {
        report.warnings.push(said(format!("load.{load}"), &format!("{rows} rows are out")));
    }
    report.warnings.extend(taken.owner.map(|owner| match owner {
        OwnerRollback::Deleted => said("owner".to_owned(), "the row that the run made is out"),
        OwnerRollback::Kept(why) => Warning::stays("owner", why),
    }));
    report.warnings.extend(taken.sequences.into_iter().map(|(sequence, rewound)| {
        let place = format!("sequence {sequence}");
        match rewound {
            SequenceRollback::Kept(why) => Warning::stays(place, why),
            _ => said(place, "is back where it was"),
        }
    }));
}
