//! `migrate status`: the state of the runs of a mapping, and the next step.

use crate::cli::Common;
use crate::event::Observer;
use crate::model::ledger::MadeKind;
use crate::model::record::RunState;
use crate::pg::connect::ReadOnly;
use crate::pg::ledger::status::RunStatus;
use crate::plan::{self, Purpose};
use crate::resume;
use crate::text::{count, printable};

use super::connect::{self, Connector};
use super::failure::Failure;
use super::inputs;
use super::world::World;

/// `migrate status`: the runs of the mapping, the latest first.
pub fn command(common: &Common, world: &World, observer: &dyn Observer) -> Result<Vec<RunStatus>, Failure> {
    let file = inputs::one_mapping(common, world)?;
    let settings = connect::settings(common, &file.mapping, world)?;
    let schema = &file.mapping.target.schema;
    let connector =
        Connector { settings: &settings, common, schema, read_only: ReadOnly(true), observer, asked: &world.asked };
    let mut session = connector.first()?;
    let (rights, columns) = session.rights_and_ledger(schema).map_err(Failure::refused)?;
    let lacking = plan::ledger_rights(&rights, Purpose::Verify);
    if !lacking.is_empty() {
        return Err(Failure::refused(lacking));
    }
    let (ledger, mut all) = session.run_statuses(&columns, &file.mapping.name).map_err(Failure::refused)?;
    if let Some(refusal) = resume::unusable(&ledger) {
        return Err(Failure::refused(refusal));
    }
    all.iter_mut().for_each(|standing| standing.next = next(standing));
    Ok(all)
}

/// The next step.
fn next(standing: &RunStatus) -> String {
    let off = match standing.off.len() {
        0 => String::new(),
        n => format!(" {n} keys, indexes or triggers are detached until then."),
    };
    match standing.state {
        RunState::Done if standing.made.iter().any(|(kind, _)| kind == MadeKind::Forgotten.word()) => {
            "Nothing. `migrate verify` compares again. It cannot be rolled back any more.".to_owned()
        }
        RunState::Done => {
            "Nothing. `migrate verify` compares again; `migrate rollback --yes` removes its rows; `migrate forget --yes` \
             removes what the ledger keeps for a rollback."
                .to_owned()
        }
        RunState::RolledBack if standing.made.is_empty() => "Nothing is left of this run.".to_owned(),
        RunState::RolledBack => "Its rows are removed; the objects that are listed above stay.".to_owned(),
        _ if !standing.at_work.is_empty() => format!("Wait: it is at work.{off}"),
        _ => format!("Run the same command again to resume. Or remove its rows with `migrate rollback --yes`.{off}"),
    }
}

/// The runs as text for a terminal.
pub fn text(standings: &[RunStatus]) -> String {
    if standings.is_empty() {
        return "The ledger contains no run of this mapping.\n".to_owned();
    }
    standings.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn one(standing: &RunStatus) -> String {
    let mut lines = vec![format!(
        "Run {} of {}: {:?}, begun {} by migrate {}, epoch {}",
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
        let written = count(load.written.unsigned_abs(), "row", "rows");
        let batches = count(load.batches.unsigned_abs(), "batch", "batches");
        let mut line = format!("  {:width$}  {state}, {written} written in {batches}", load.load);
        for (count, what) in [(load.skipped, "skipped"), (load.faults, "quarantined")] {
            if count > 0 {
                line += &format!(", {count} {what}");
            }
        }
        lines.push(line);
    }
    lines.extend(standing.off.iter().map(|(table, object)| format!("  detached: {object} on {table}")));
    lines.extend(standing.made.iter().map(|(kind, object)| format!("  {kind}: {object}")));
    lines.extend(standing.kept.iter().map(|(table, rows)| {
        let rows = count(rows.unsigned_abs(), "previous row", "previous rows");
        format!("  kept for a rollback: {rows} of {table}, with all values")
    }));
    lines.push(format!("  {}", standing.next));
    lines.iter().map(|line| printable(line) + "\n").collect()
}
