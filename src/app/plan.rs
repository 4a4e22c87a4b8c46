//! From mapping, source and target to the plan, and `migrate plan`, which prints it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cli::{PlanArgs, Reporting, Work};
use crate::convert::Settled;
use crate::event::Observer;
use crate::exit::Exit;
use crate::job::Stop;
use crate::mapping::{Mapping, Unlisted, VersionRule};
use crate::migrate;
use crate::migrate::existing::replace::ReplaceCheck;
use crate::migrate::preflight::read_ahead;
use crate::migrate::preflight::versions::{self, VersionDifference};
use crate::model::ledger::{MadeKind, Run};
use crate::model::pgtype::ColumnType;
use crate::model::record::{Activity, CommandKind, Refusal, Report, RunState, Warning};
use crate::model::schema::{Detachable, TargetSchema};
use crate::pg::{OtherSession, ServerError, Session};
use crate::plan::{self, Detaching, Inputs, Plan, Purpose, SqlFacts, WithMatches};
use crate::resume::{self, recorded};
use crate::sqlite::{ErrorClass, Source};

use super::failure::Failure;
use super::session::{LedgerView, Migration, Planned, Request};
use super::situation::readable_ledger;
use super::world::World;
use super::{inputs, record};

/// `migrate plan`: the plan, or the report of its refusals.
pub fn command(args: &PlanArgs, world: &World, observer: &dyn Observer) -> Result<Result<Plan, Box<Report>>, Failure> {
    let file = inputs::one_mapping(&args.common, world)?;
    let work = Work { detach: args.detach, ..Work::default() };
    let reporting = Reporting::default();
    let request =
        Request { common: &args.common, reporting: &reporting, work, activity: Activity::DryRun, asks: false };
    let m = Migration::new(request, file, world, observer)?;
    let mut report = Report::new(CommandKind::Plan, &m.mapping().name);
    report.dry_run = true;
    let source = m.open_source(&mut report)?;
    let mut target = m.open_target(&mut report)?;
    let ledger = target.as_mut().map(|session| readable_ledger(&m, session)).transpose().map_err(Failure::refused)?;
    let unusable = ledger.as_ref().and_then(|ledger| resume::unusable(&ledger.state));
    let planned = match unusable {
        None => make(&m, &source, target.as_mut(), ledger.as_ref(), &mut report)?,
        Some(refusal) => {
            report.refusals.push(refusal);
            None
        }
    };
    add_lines(&m, &mut report);
    record::end(&mut report, Exit::Refused);
    let known = ledger.and_then(|ledger| ledger.run).map(|run| known_run(&run));
    let planned = planned.map(|(mut plan, _)| {
        plan.warnings.splice(0..0, known);
        plan
    });
    Ok(planned.ok_or(Box::new(report)))
}

/// The warning that the ledger knows a run of this plan.
fn known_run(run: &Run) -> Warning {
    let message = match run.state {
        RunState::Done => "is done already: the same command loads nothing and verifies its rows again",
        _ => "began and did not end: the same command resumes it",
    };
    Warning::new(format!("run {}", run.id), message)
}

/// Adds the line of the mapping file to each refusal and warning about the mapping.
pub fn add_lines(m: &Migration<'_>, report: &mut Report) {
    let lines = &m.mapping().lines;
    report.refusals.iter_mut().for_each(|refusal| refusal.place = lines.shown(&refusal.place));
    report.warnings.iter_mut().for_each(|warning| warning.place = lines.shown(&warning.place));
}

/// Everything about the target that a plan needs.
#[derive(Default)]
struct TargetFacts {
    /// `None` if no target was named.
    catalog: Option<TargetSchema>,
    /// The mapping with its rules of `existing = "match"` rewritten.
    matches: Option<WithMatches>,
    detachable: Vec<Detachable>,
    expressions: Expressions,
    purpose: Purpose,
    /// The number of rows of each loaded table that holds rows.
    held: BTreeMap<String, u64>,
    /// Sessions that hold locks on the tables.
    busy: Vec<OtherSession>,
    /// Differences of the version tables.
    versions: Vec<VersionDifference>,
}

/// By table and SQL: the type of an expression over the table, or the reason why it has none.
type Expressions = BTreeMap<(String, String), Result<ColumnType, String>>;

/// Makes the plan, with the catalogue for which it was made. `None` if it was refused; the report has the reasons.
pub fn make(
    m: &Migration<'_>,
    source: &Source,
    session: Option<&mut Session>,
    ledger: Option<&LedgerView>,
    report: &mut Report,
) -> Result<Option<(Plan, TargetSchema)>, Failure> {
    let (env, owner, run) = (m.env(), m.owner_flag(), ledger.and_then(|k| k.run.as_ref()));
    let now = inputs::now_text(m.mapping(), run.map_or(m.world().now_micros(), |r| r.judged.now));
    let (no_sql, no_expressions, no_rows) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let empty = source.tables_without_rows().map_err(Failure::refused)?;
    let mut inputs = Inputs {
        source: source.schema(),
        sql: &no_sql,
        target: None,
        expressions: &no_expressions,
        env: &env,
        owner: &owner,
        now: &now,
        detachable: &[],
        detaching: detaching(m),
        empty: &empty,
        held: &no_rows,
        purpose: Purpose::default(),
    };
    let written = sql_facts(source, m.mapping(), &inputs)?;
    let facts = match session {
        None => TargetFacts::default(),
        Some(session) => target_facts(m, source, session, ledger, &written).map_err(Failure::refused)?,
    };
    let rewritten = facts.matches.as_ref().map(|matches| &matches.mapping);
    let mapping = rewritten.unwrap_or(m.mapping());
    let sql = rewritten.map(|mapping| sql_facts(source, mapping, &inputs)).transpose()?.unwrap_or(written);
    inputs = Inputs {
        sql: &sql,
        target: facts.catalog.as_ref(),
        expressions: &facts.expressions,
        detachable: &facts.detachable,
        held: &facts.held,
        purpose: facts.purpose,
        ..inputs
    };
    let refused = note_facts(m, &facts, report);
    let versions = report_versions(mapping, facts.versions, report);
    match plan::build(mapping, &inputs) {
        Ok(mut plan) => {
            facts.catalog.iter().for_each(|target| recorded::keep_owner_types(&mut plan, target));
            plan.warnings.splice(0..0, versions);
            report.warnings.extend(plan.warnings.iter().cloned());
            let bad = (report.refusals.len() == refused).then(|| bad_constants(m, &plan, run));
            report.refusals.extend(bad.into_iter().flatten());
            Ok((report.refusals.len() == refused).then(|| accepted(plan, facts.catalog, report)))
        }
        Err((refusals, warnings)) => {
            report.refusals.extend(refusals);
            report.warnings.extend(versions.into_iter().chain(warnings));
            Ok(None)
        }
    }
}

/// Reports the rules of `existing = "match"` that cannot be carried out, and the sessions that hold locks. Returns the number of
/// refusals before.
fn note_facts(m: &Migration<'_>, facts: &TargetFacts, report: &mut Report) -> usize {
    let before = report.refusals.len();
    report.refusals.extend(facts.matches.iter().flat_map(|matches| matches.refusals.iter().cloned()));
    facts.busy.iter().for_each(|busy| note_busy(m, busy, report));
    before
}

/// Reports the owner of an accepted plan. Returns the plan and the catalogue that it was made for.
fn accepted(plan: Plan, catalog: Option<TargetSchema>, report: &mut Report) -> (Plan, TargetSchema) {
    report.owner = plan.settled_owner().map(|o| record::owner(o, None, false));
    let mut target = catalog.unwrap_or_default();
    plan::empty_replaced(&mut target, &plan.held);
    (plan, target)
}

/// Refuses differences of the version tables, or returns them as warnings, as the mapping says.
fn report_versions(mapping: &Mapping, differences: Vec<VersionDifference>, report: &mut Report) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for difference in differences {
        match mapping.target.versions {
            VersionRule::Warn => warnings.push(difference.warning()),
            VersionRule::Refuse => report.refusals.push(difference.refusal()),
        }
    }
    warnings
}

fn target_facts(
    m: &Migration<'_>,
    source: &Source,
    session: &mut Session,
    ledger: Option<&LedgerView>,
    sql: &BTreeMap<String, SqlFacts>,
) -> Result<TargetFacts, ServerError> {
    let run = ledger.and_then(|k| k.run.as_ref());
    let purpose = purpose(m, session, run)?;
    let (catalog, detachable) = catalog(m, session, ledger)?;
    let matches = plan::with_matches(m.mapping(), source.schema(), sql, &catalog);
    let expressions = expressions(session, &matches.mapping, &catalog)?;
    let mut holding = loaded(m, &catalog);
    holding.retain(|table| catalog.tables.get(table).is_some_and(|facts| facts.has_rows));
    let held = match run {
        Some(run) => run.judged.holding.clone(),
        None => session.count_each(&catalog.schema, &holding)?,
    };
    let (busy, versions) = match run {
        None if matches!(m.activity(), Activity::DryRun | Activity::Cutover) => (
            session.other_sessions(&catalog.schema, &loaded(m, &catalog))?,
            versions::differences(session, source, &catalog),
        ),
        _ => Default::default(),
    };
    Ok(TargetFacts {
        catalog: Some(catalog),
        matches: Some(matches),
        detachable,
        expressions,
        purpose,
        held,
        busy,
        versions,
    })
}

/// The rights that the command needs on the target. Every command only verifies a finished run.
fn purpose(m: &Migration<'_>, session: &mut Session, run: Option<&Run>) -> Result<Purpose, ServerError> {
    Ok(match (m.activity(), run) {
        (Activity::Rollback, Some(run)) => {
            Purpose::Rollback { owner: session.made(run.id)?.iter().any(|made| made.kind == MadeKind::Owner) }
        }
        (Activity::Verification | Activity::Rollback, _) => Purpose::Verify,
        (Activity::DryRun | Activity::Cutover | Activity::Rehearsal, Some(run)) if run.state == RunState::Done => {
            Purpose::Verify
        }
        (Activity::DryRun | Activity::Cutover | Activity::Rehearsal, _) => Purpose::Write,
    })
}

/// The catalogue of the target as it was before the run: with everything attached that the run detached, without the rows
/// of the run, and for a command that only compares or removes them with the tables that the ledger recorded. Also everything
/// that can be detached.
fn catalog(
    m: &Migration<'_>,
    session: &mut Session,
    ledger: Option<&LedgerView>,
) -> Result<(TargetSchema, Vec<Detachable>), ServerError> {
    let mut target = session.catalog(&m.mapping().target.schema)?;
    if let Some(run) = ledger.and_then(|k| k.run.as_ref()) {
        for (name, table) in &mut target.tables {
            table.has_rows = run.judged.holding.contains_key(name);
        }
    }
    if let Some(ledger) = ledger {
        migrate::indexes::detach::as_if_back(&mut target, &ledger.detached);
    }
    let mut detachable = session.detachable(&target.schema, &loaded(m, &target))?;
    if let Some(ledger) = ledger {
        migrate::indexes::detach::as_if_detachable(&mut detachable, &ledger.detached);
    }
    let run = ledger.and_then(|ledger| ledger.run.as_ref()).filter(|run| {
        // A run that still writes needs the tables as they are.
        matches!(m.activity(), Activity::Verification | Activity::Rollback) || run.state == RunState::Done
    });
    if let Some(run) = run {
        recorded::restore(&mut target, &run.judged.tables);
    }
    Ok((target, detachable))
}

/// The target's tables that loads write to.
fn loaded(m: &Migration<'_>, target: &TargetSchema) -> Vec<String> {
    let mapping = m.mapping();
    let copies = mapping.defaults.unlisted_tables == Unlisted::Copy;
    let is_loaded = |table: &&String| copies || mapping.loads.iter().any(|load| load.to == **table);
    target.tables.keys().filter(is_loaded).cloned().collect()
}

/// Reports another session that works on tables of a load. The plan does not see its uncommitted rows, and the load would
/// wait for its locks.
fn note_busy(m: &Migration<'_>, busy: &OtherSession, report: &mut Report) {
    let name = if busy.name.is_empty() { String::new() } else { format!(" ({})", busy.name) };
    let who = format!("server process {}{name} holds locks on {}", busy.pid, busy.tables);
    if m.activity() == Activity::DryRun {
        let message = format!("{who}. The cutover is refused while it does");
        report.warnings.push(Warning::new("target", message));
    } else {
        let advice = format!("Stop the application first, or: SELECT pg_terminate_backend({});", busy.pid);
        report.refusals.push(Refusal::new("target", who, advice));
    }
}

/// The value of `--detach`.
pub fn detaching(m: &Migration<'_>) -> Detaching {
    match m.work().detach {
        crate::cli::DetachWhat::Auto => Detaching::Auto,
        crate::cli::DetachWhat::Never => Detaching::Never,
        crate::cli::DetachWhat::Always => Detaching::Always,
    }
}

/// The warnings about variables for which a rehearsal uses a placeholder.
pub fn placeholders(m: &Migration<'_>) -> Vec<Warning> {
    let set = inputs::env(m.mapping(), m.world());
    let names = inputs::names(m.mapping()).into_iter();
    let unset = names.filter(|name| m.activity() == Activity::Rehearsal && !set.contains_key(name));
    let warning = |name| {
        let message = format!("is not set; this rehearsal uses placeholder-for-{name}. The cutover needs it.");
        Warning::new(format!("env {name}"), message)
    };
    unset.map(warning).collect()
}

/// The constants of the mapping that do not fit their columns.
fn bad_constants(m: &Migration<'_>, plan: &Plan, run: Option<&Run>) -> Vec<Refusal> {
    if !m.has_target() {
        return Vec::new();
    }
    let settled = m.constants(run);
    let mut refusals = migrate::owner::mistakes(plan, &settled);
    for refusal in read_ahead::prepare(plan, &settled).err().into_iter().flatten().map(|r| plan.blame(r)) {
        if !refusals.contains(&refusal) {
            refusals.push(refusal);
        }
    }
    refusals
}

/// The constants of a run with its id offsets, and the warnings about ids in texts that become wrong. A run that began
/// has its offsets already.
///
/// # Errors
/// If a source id names a different row on the target.
pub fn settle(
    m: &Migration<'_>,
    session: &mut Session,
    Planned { source, plan, target }: Planned<'_>,
    run: Option<&Run>,
) -> Result<(Settled, Vec<Warning>), Stop> {
    let mut settled = m.constants(run);
    if run.is_none() {
        settled.shifts = migrate::preflight::id_offset::choose(session, plan, source, target, &settled)?;
        let mut mistaken = migrate::preflight::id_collisions::find(session, plan, target, source, &settled)?;
        mistaken.extend(ReplaceCheck { plan, target, source, settled: &settled }.find(session)?);
        if !mistaken.is_empty() {
            return Err(Stop::Refused(mistaken));
        }
    }
    let (doubts, mut warnings) = migrate::preflight::zone_data::compare(session, plan)?;
    settled.doubts = Arc::new(doubts);
    warnings.extend(migrate::preflight::ids_in_text::find(plan, source, &settled));
    Ok((settled, warnings))
}

/// SQLite's answers about the SQL of the mapping.
fn sql_facts(source: &Source, mapping: &Mapping, inputs: &Inputs<'_>) -> Result<BTreeMap<String, SqlFacts>, Failure> {
    let reader = source.reader().map_err(Failure::refused)?;
    let mut facts = BTreeMap::new();
    for (load, select) in plan::selects(mapping, inputs) {
        let checked = reader.check(&select).and_then(|columns| Ok((columns, reader.columns_read(&select)?)));
        let found = match checked {
            Ok((columns, reads)) => {
                reader.check_indexes(&select).map_err(Failure::refused)?;
                SqlFacts { columns, reads, mistake: None }
            }
            Err(e) if e.class == ErrorClass::Interrupted => return Err(Failure::refused(e)),
            Err(e) => SqlFacts { mistake: Some((e.expr, e.to_string())), ..SqlFacts::default() },
        };
        facts.insert(load, found);
    }
    Ok(facts)
}

/// The server's answers about the expressions of the lookups.
fn expressions(session: &mut Session, mapping: &Mapping, target: &TargetSchema) -> Result<Expressions, ServerError> {
    let mut found = BTreeMap::new();
    for (table, sql) in plan::expressions(mapping, target) {
        let kind = session.expression_type(&target.schema, &table, &sql)?;
        found.insert((table, sql), kind);
    }
    Ok(found)
}
