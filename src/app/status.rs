//! `migrate status`: the state of the runs of a mapping, and the next step.

use serde::Serialize;

use crate::cli::Common;
use crate::event::Observer;
use crate::model::ledger::MadeKind;
use crate::model::record::RunState;
use crate::pg::connect::ReadOnly;
use crate::pg::ledger::status::{MappingStatus, RunStatus};
use crate::plan::{self, Purpose};
use crate::report;
use crate::resume;
use crate::text::{self, count, printable, wrapped};

use super::connect::{self, Connector};
use super::failure::Failure;
use super::inputs;
use super::world::World;

/// The next step if `--create` made objects and no run began.
const NEXT_WITHOUT_RUN: &str = "Run the same command again. Or drop them with `migrate rollback --yes`.";

/// `migrate status`: the runs of the mapping, the latest first.
pub fn command(common: &Common, world: &World, observer: &dyn Observer) -> Result<MappingStatus, Failure> {
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
    let mut found = session.run_statuses(&columns, &file.mapping.name).map_err(Failure::refused)?;
    if let Some(refusal) = resume::unusable(&found.ledger) {
        return Err(Failure::refused(refusal));
    }
    found.runs.iter_mut().for_each(|standing| standing.next = next(standing));
    Ok(found)
}

/// The next step.
fn next(standing: &RunStatus) -> String {
    let off = match standing.off.len() {
        0 => String::new(),
        n => format!(" {n} keys, indexes or triggers are detached until then."),
    };
    match standing.state {
        RunState::Done if standing.made.iter().any(|(kind, _)| kind == MadeKind::Forgotten.word()) => {
            "Done. It cannot be rolled back any more.".to_owned()
        }
        RunState::Done => {
            "Done. `migrate rollback --yes` removes its rows; `migrate forget --yes` ends that possibility.".to_owned()
        }
        RunState::RolledBack if standing.made.is_empty() => "Nothing is left of this run.".to_owned(),
        RunState::RolledBack => "Its rows are removed; the objects that are listed above stay.".to_owned(),
        _ if !standing.at_work.is_empty() => format!("Wait: it is at work.{off}"),
        _ => format!("Run the same command again to resume. Or remove its rows with `migrate rollback --yes`.{off}"),
    }
}

/// Objects of `--create` after which no run began, in the form of a run.
#[derive(Serialize)]
pub struct NoRun<'s> {
    run: Option<i64>,
    mapping: &'s str,
    state: &'static str,
    made: &'s [(String, String)],
    next: &'static str,
}

/// An entry of `status --json`.
#[derive(Serialize)]
#[serde(untagged)]
pub enum StatusEntry<'s> {
    /// A run.
    Run(&'s RunStatus),
    /// Objects without a run.
    NotBegun(Box<NoRun<'s>>),
}

/// The entries for `--json`: objects without a run, then the runs.
pub fn entries(found: &MappingStatus) -> Vec<StatusEntry<'_>> {
    let MappingStatus { mapping, without_run: made, .. } = found;
    let no_run = NoRun { run: None, mapping, state: "NotBegun", made, next: NEXT_WITHOUT_RUN };
    let no_run = (!made.is_empty()).then(|| StatusEntry::NotBegun(Box::new(no_run)));
    no_run.into_iter().chain(found.runs.iter().map(StatusEntry::Run)).collect()
}

/// The runs as text for a terminal of this width.
pub fn text(found: &MappingStatus, width: usize) -> String {
    let mut parts: Vec<String> = found.runs.iter().map(|standing| one(standing, width)).collect();
    if !found.without_run.is_empty() {
        parts.insert(0, without_run(found, width));
    }
    if parts.is_empty() { "The ledger contains no run of this mapping.\n".to_owned() } else { parts.join("\n") }
}

/// The objects that `--create` made before its process ended.
fn without_run(found: &MappingStatus, width: usize) -> String {
    let mut lines = vec!["No run began after --create made these objects:".to_owned()];
    lines.extend(found.without_run.iter().map(|(kind, object)| format!("  {kind}: {object}")));
    lines.push(format!("  {NEXT_WITHOUT_RUN}"));
    lines.iter().flat_map(|line| within(line, width)).map(|line| line + "\n").collect()
}

/// The next command, as the last lines.
pub fn next_command(standings: &[RunStatus], arguments: &[String]) -> String {
    // At most one run of a mapping is not rolled back.
    let latest = standings.iter().find(|run| run.state != RunState::RolledBack).or(standings.first());
    let is_at_work = latest.is_some_and(|run| !run.at_work.is_empty());
    report::after_status(arguments, latest.map(|run| run.state), is_at_work)
}

fn one(standing: &RunStatus, width: usize) -> String {
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
    let longest = standing.loads.iter().map(|l| l.load.chars().count()).max().unwrap_or(0);
    for load in &standing.loads {
        let state = match (load.parts, load.parts_done) {
            _ if load.batches == 0 => "not begun".to_owned(),
            (parts, done) if parts == done => "all".to_owned(),
            (parts, done) => format!("{done} of {parts} parts"),
        };
        let written = count(load.written.unsigned_abs(), "row", "rows");
        let batches = count(load.batches.unsigned_abs(), "batch", "batches");
        let mut line = format!("  {:longest$}  {state}, {written} written in {batches}", load.load);
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
    lines.iter().flat_map(|line| within(line, width)).map(|line| line + "\n").collect()
}

/// The lines of a line that may be wider than the terminal. The lines after the first are indented.
fn within(line: &str, width: usize) -> Vec<String> {
    const INDENT: &str = "      ";
    let line = printable(line);
    if text::width(&line) <= width {
        return vec![line.into_owned()];
    }
    let begin = &line[..line.len() - line.trim_start().len()];
    let lines = wrapped(&line, width.saturating_sub(begin.len()), width.saturating_sub(INDENT.len()));
    lines.into_iter().enumerate().map(|(at, words)| [if at == 0 { begin } else { INDENT }, &words].concat()).collect()
}
