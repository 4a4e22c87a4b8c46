//! `migrate status` and `migrate rollback`: how runs stand, and taking one back.

use std::sync::atomic::AtomicBool;

use crate::cli::{Common, Rollback, Work};
use crate::event::Watch;
use crate::exit::Exit;
use crate::migrate::{Job, Stop, take_back};
use crate::model::record::{Refusal, Report, RunState, Warning};
use crate::model::schema::TargetSchema;
use crate::plan::{self, Plan, Purpose};
use crate::resume;
use crate::source::Source;
use crate::target::connect::ReadOnly;
use crate::target::standing::Standing;
use crate::target::take_back::{OwnerBack, Rewound};
use crate::target::{ServerError, Session};

use super::cutover::{Known, Manner, Way, one_mapping};
use super::reach::{self, Door, settings};
use super::{Failure, World};

/// `migrate status`: the runs of the mapping, the latest first.
pub fn status(common: &Common, world: &World, watch: &dyn Watch) -> Result<Vec<Standing>, Failure> {
    let found = one_mapping(common, world)?;
    let Some(settings) = settings(common, &found.mapping, world, false)? else { return Ok(Vec::new()) };
    let refused = |e: ServerError| Failure::refused(e.to_string());
    let schema = &found.mapping.target.schema;
    let door = Door { settings: &settings, common, schema, read_only: ReadOnly(true), watch, asked: &world.asked };
    let mut session = reach::first(&door)?;
    let rights = session.rights(&found.mapping.target.schema).map_err(refused)?;
    let lacking = plan::ledger_rights(&rights, Purpose::Verify);
    let lacking: Vec<String> = lacking.iter().map(|r| format!("{}: {}. {}", r.place, r.reason, r.advice)).collect();
    if !lacking.is_empty() {
        return Err(Failure::refused(lacking.join("\n")));
    }
    let version = session.ledger_version().map_err(refused)?;
    if let Some(newer) = resume::newer(version) {
        return Err(Failure::refused(format!("{}: {}. {}", newer.place, newer.reason, newer.advice)));
    }
    match version {
        None => Ok(Vec::new()),
        Some(_) => {
            let mut all = session.standings(&found.mapping.name).map_err(refused)?;
            all.iter_mut().for_each(|standing| standing.next = next(standing));
            Ok(all)
        }
    }
}

/// What to do next.
fn next(standing: &Standing) -> String {
    let off = match standing.off.len() {
        0 => String::new(),
        n => format!(" {n} keys, indexes or triggers are off until then."),
    };
    match standing.state.as_str() {
        "Done" => "Nothing. `migrate verify` compares again; `migrate rollback --yes` takes it out.".to_owned(),
        "RolledBack" if standing.made.is_empty() => "Nothing is left of this run.".to_owned(),
        "RolledBack" => "Its rows are out; what is listed above stays.".to_owned(),
        _ if !standing.at_work.is_empty() => format!("Wait: it is at work.{off}"),
        _ => format!("Run the same command again: it goes on. Or take it out with `migrate rollback --yes`.{off}"),
    }
}

/// The runs as text.
pub fn text(standings: &[Standing]) -> String {
    if standings.is_empty() {
        return "The ledger knows no run of this mapping.\n".to_owned();
    }
    standings.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn one(standing: &Standing) -> String {
    let mut lines = vec![format!(
        "Run {} of {}: {}, begun {} by migrate {}, epoch {}",
        standing.run, standing.mapping, standing.state, standing.started, standing.tool, standing.epoch
    )];
    if let Some(ended) = &standing.ended {
        lines.push(format!("  ended {ended}"));
    }
    if !standing.at_work.is_empty() {
        let pids: Vec<String> = standing.at_work.iter().map(ToString::to_string).collect();
        lines.push(format!("  at work now: server process {}", pids.join(", ")));
    }
    let width = standing.loads.iter().map(|l| l.load.chars().count()).max().unwrap_or(0);
    for load in &standing.loads {
        let state = match (load.parts, load.parts_done) {
            _ if load.batches == 0 => "not begun".to_owned(),
            (parts, done) if parts == done => "all".to_owned(),
            (parts, done) => format!("{done} of {parts} parts"),
        };
        let mut line =
            format!("  {:width$}  {state}, {} rows written in {} batches", load.load, load.written, load.batches);
        for (count, what) in [(load.skipped, "skipped"), (load.faults, "set aside")] {
            if count > 0 {
                line += &format!(", {count} {what}");
            }
        }
        lines.push(line);
    }
    lines.extend(standing.off.iter().map(|(table, object)| format!("  off: {object} on {table}")));
    lines.extend(standing.made.iter().map(|(kind, object)| format!("  {kind}: {object}")));
    lines.push(format!("  {}\n", standing.next));
    lines.join("\n")
}

/// `migrate rollback`
pub fn rollback(args: &Rollback, world: &World, watch: &dyn Watch) -> Result<Report, Failure> {
    let common = &args.common;
    let found = one_mapping(common, world)?;
    if !args.yes && !world.stdin_is_terminal {
        return Err(Failure::refused(
            "rollback: nothing was done; --yes was not given, and nobody is here to ask. `migrate status` says what would be taken out.",
        ));
    }
    let settings = settings(common, &found.mapping, world, false)?;
    let work = Work { take_over: args.take_over, ..Work::default() };
    let (manner, asks) = (Manner::Rollback, !args.yes);
    Way { common, work: &work, manner, asks, settings, found, world, watch, connections: usize::MAX }.go()
}

impl Way<'_> {
    /// Takes the run back and reports it.
    pub(super) fn take_back(
        &self,
        source: &Source,
        session: &mut Session,
        (plan, target): (&Plan, &TargetSchema),
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
        if self.asks && !self.confirmed(session, plan)? {
            return Err(Failure::refused("rollback: nothing was done; the database's name was not typed."));
        }
        let stamp = run.stamp.clone();
        let run = self.take_up(session, run, (&stamp, &[]))?;
        // What the process of before still committed counts as well.
        let done = session.loads_done(run.id).map_err(|e| Failure::refused(e.to_string()))?;
        let env = self.env();
        let job = Job {
            plan,
            source,
            target,
            options: self.options(),
            watch: self.watch,
            env: &env,
            aside: 0.into(),
            connections: self,
            sizes: &Default::default(),
            asked: &self.world.asked,
            halted: AtomicBool::new(false),
        };
        match take_back::take_back(&job, session, &run, target, &done) {
            Ok(taken) => {
                report.state = RunState::RolledBack;
                let said = |place: String, message: &str| Warning { place, message: message.to_owned() };
                for (load, rows) in taken.loads {
                    report.warnings.push(said(format!("load.{load}"), &format!("{rows} rows are out")));
                }
                report.warnings.extend(taken.owner.map(|owner| match owner {
                    OwnerBack::Out => said("owner".to_owned(), "the row that the run made is out"),
                    OwnerBack::Stays(why) => Warning::stays("owner", why),
                }));
                report.warnings.extend(taken.sequences.into_iter().map(|(sequence, rewound)| {
                    let place = format!("sequence {sequence}");
                    match rewound {
                        Rewound::Stays(why) => Warning::stays(place, why),
                        _ => said(place, "is back where it was"),
                    }
                }));
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
