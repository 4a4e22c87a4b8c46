//! From mapping, source and target to the plan, and `migrate plan`, which prints it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cli::{PlanArgs, Reporting, Work};
use crate::convert::Settled;
use crate::event::Observer;
use crate::exit::Exit;
use crate::job::Stop;
use crate::mapping::{Mapping, Unlisted, VersionRule};
use crate::migrate;
use crate::migrate::existing::replace::ReplaceCheck;
use crate::migrate::preflight::id_offset::ShiftChoice;
use crate::migrate::preflight::read_ahead;
use crate::migrate::preflight::versions::{self, VersionDifference};
use crate::model::cell::RawBuf;
use crate::model::ledger::{IdRange, MadeKind, Run};
use crate::model::pgtype::ColumnType;
use crate::model::record::{Activity, CommandKind, Refusal, Report, RunState, Warning};
use crate::model::schema::{Detachable, Rights, TargetSchema};
use crate::pg::ledger::{LedgerView, RunName};
use crate::pg::{Catalogued, OtherSession, ServerError, Session};
use crate::plan::{self, Detaching, Inputs, Plan, Purpose, SqlFacts, WithMatches};
use crate::resume::{self, recorded};
use crate::sqlite::{ErrorClass, Source, stamp};

use super::failure::Failure;
use super::session::{Migration, Planned, Request};
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
    let found = match &mut target {
        Some(session) => Some(look(&m, &source, session)?),
        None => None,
    };
    let unusable = found.as_ref().and_then(|found| resume::unusable(&found.ledger.state));
    let planned = match unusable {
        None => make(&m, &source, found.as_ref(), &mut report)?,
        Some(refusal) => {
            report.refusals.push(refusal);
            None
        }
    };
    add_lines(&m, &mut report);
    record::end(&mut report, Exit::Refused);
    let known = found.as_ref().and_then(|found| found.ledger.run.as_ref()).map(known_run);
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

/// The target as a command finds it.
#[derive(Default)]
pub struct FoundTarget {
    /// The catalogue as it was before the run.
    target: TargetSchema,
    /// The mapping with its rules of `existing = "match"` rewritten.
    matches: Option<WithMatches>,
    detachable: Vec<Detachable>,
    /// Other sessions that hold locks on tables of loads.
    busy: Vec<OtherSession>,
    /// The ledger's view of the run. Empty if the role may not read the ledger; the plan then refuses that right, too.
    pub ledger: LedgerView,
    expressions: Expressions,
    /// The number of rows of each loaded table that holds rows.
    held: BTreeMap<String, u64>,
    /// Differences of the version tables.
    versions: Vec<VersionDifference>,
}

impl FoundTarget {
    /// A target whose tables are not made yet.
    pub fn proposed(m: &Migration<'_>, source: &Source, target: TargetSchema) -> Result<FoundTarget, Failure> {
        let sql = sql_of(m, source, m.mapping(), None)?;
        let matches = plan::with_matches(m.mapping(), source.schema(), &sql, &target);
        Ok(FoundTarget { target, matches: Some(matches), ..FoundTarget::default() })
    }

    /// Forgets which rights the role lacks, so that the plan shows everything else.
    pub fn forget_rights(&mut self) {
        self.target.rights = Rights::default();
    }
}

/// By table and SQL: the type of an expression over the table, or the reason why it has none.
type Expressions = BTreeMap<(String, String), Result<ColumnType, String>>;

/// Reads everything about the target that a plan needs, and the ledger if the role may read it.
pub fn look(m: &Migration<'_>, source: &Source, session: &mut Session) -> Result<FoundTarget, Failure> {
    let sql = sql_of(m, source, m.mapping(), None)?;
    find(m, source, session, &sql).map_err(Failure::refused)
}

fn find(
    m: &Migration<'_>,
    source: &Source,
    session: &mut Session,
    sql: &BTreeMap<String, SqlFacts>,
) -> Result<FoundTarget, ServerError> {
    let mapping = m.mapping();
    let copies = mapping.defaults.unlisted_tables == Unlisted::Copy;
    let wanted: Option<Vec<String>> = (!copies).then(|| mapping.loads.iter().map(|load| load.to.clone()).collect());
    let mut catalogued = session.catalog(&mapping.target.schema, wanted.as_deref())?;
    let owner = m.owner_identity();
    let may_read = plan::ledger_rights(&catalogued.target.rights, Purpose::Verify).is_empty();
    let run = may_read.then_some(RunName { mapping: &mapping.name, owner: &owner });
    let ledger = session.contents(&mut catalogued, run)?;
    let Catalogued { mut target, mut detachable, busy, .. } = catalogued;
    let versions = match ledger.run {
        None if matches!(m.activity(), Activity::DryRun | Activity::Cutover) => {
            versions::differences(session, source, &target)
        }
        _ => Vec::new(),
    };
    let loaded = loaded(m, &target);
    detachable.retain(|object| loaded.contains(&object.table));
    migrate::indexes::detach::as_if_detachable(&mut detachable, &ledger.detached);
    before_the_run(m, &mut target, &ledger);
    let matches = plan::with_matches(mapping, source.schema(), sql, &target);
    let asked = plan::expressions(&matches.mapping, &target);
    let expressions = session.expression_types(&mapping.target.schema, &asked)?;
    let expressions = asked.into_iter().zip(expressions).collect();
    let held = match &ledger.run {
        Some(run) => run.judged.holding.clone(),
        None => {
            let has_rows = |table: &&String| target.tables.get(*table).is_some_and(|facts| facts.has_rows);
            session.count_each(&target.schema, &loaded.iter().filter(has_rows).cloned().collect::<Vec<_>>())?
        }
    };
    Ok(FoundTarget { target, matches: Some(matches), detachable, busy, ledger, expressions, held, versions })
}

/// Makes the plan, with the catalogue for which it was made. `None` if it was refused; the report has the reasons.
pub fn make(
    m: &Migration<'_>,
    source: &Source,
    found: Option<&FoundTarget>,
    report: &mut Report,
) -> Result<Option<(Plan, TargetSchema)>, Failure> {
    let nothing = FoundTarget::default();
    let target = found.map(|found| found.target.clone());
    let found = found.unwrap_or(&nothing);
    let run = found.ledger.run.as_ref();
    let mapping = found.matches.as_ref().map_or(m.mapping(), |matches| &matches.mapping);
    let (env, owner, sql) = (m.env(), m.owner_flag(), sql_of(m, source, mapping, run)?);
    let now = inputs::now_text(mapping, run.map_or(m.world().now_micros(), |r| r.judged.now));
    let empty = source.tables_without_rows().map_err(Failure::refused)?;
    let inputs = Inputs {
        source: source.schema(),
        sql: &sql,
        target: target.as_ref(),
        expressions: &found.expressions,
        env: &env,
        owner: &owner,
        now: &now,
        detachable: &found.detachable,
        detaching: detaching(m),
        empty: &empty,
        held: &found.held,
        purpose: purpose(m, &found.ledger),
        has_later_schema: verifies_later_schema(m, source, run),
        is_member: m.is_fleet(),
    };
    let refused = note_facts(m, found, report);
    let versions = report_versions(mapping, &found.versions, report);
    match plan::build(mapping, &inputs) {
        Ok(mut plan) => {
            target.iter().for_each(|target| recorded::keep_owner_types(&mut plan, target));
            plan.warnings.splice(0..0, versions);
            report.warnings.extend(plan.warnings.iter().cloned());
            let bad = (report.refusals.len() == refused).then(|| bad_constants(m, &plan, run));
            report.refusals.extend(bad.into_iter().flatten());
            Ok((report.refusals.len() == refused).then(|| accepted(plan, target, report)))
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
fn note_facts(m: &Migration<'_>, found: &FoundTarget, report: &mut Report) -> usize {
    let before = report.refusals.len();
    report.refusals.extend(found.matches.iter().flat_map(|matches| matches.refusals.iter().cloned()));
    if found.ledger.run.is_none() && matches!(m.activity(), Activity::DryRun | Activity::Cutover) {
        found.busy.iter().for_each(|busy| note_busy(m, busy, report));
    }
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
fn report_versions(mapping: &Mapping, differences: &[VersionDifference], report: &mut Report) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for difference in differences {
        match mapping.target.versions {
            VersionRule::Warn => warnings.push(difference.warning()),
            VersionRule::Refuse => report.refusals.push(difference.refusal()),
        }
    }
    warnings
}

/// The rights that the command needs on the target. Every command only verifies a finished run.
fn purpose(m: &Migration<'_>, ledger: &LedgerView) -> Purpose {
    match (m.activity(), &ledger.run) {
        (Activity::Rollback, Some(_)) => {
            Purpose::Rollback { owner: ledger.made.iter().any(|made| made.kind == MadeKind::Owner) }
        }
        (Activity::Verification | Activity::Rollback, _) => Purpose::Verify,
        (Activity::DryRun | Activity::Cutover | Activity::Rehearsal, Some(run)) if run.state == RunState::Done => {
            Purpose::Verify
        }
        (Activity::DryRun | Activity::Cutover | Activity::Rehearsal, _) => Purpose::Write,
    }
}

/// Returns true if a run is verified whose source has another schema than when the run began.
pub fn verifies_later_schema(m: &Migration<'_>, source: &Source, run: Option<&Run>) -> bool {
    let now = source.stamp();
    let differs = |run: &Run| run.stamp != now && !stamp::have_same_schema(&run.stamp, &now);
    m.activity() == Activity::Verification && run.is_some_and(differs)
}

/// Turns the catalogue into that of the target before the run: with everything attached that the run detached, without the
/// rows of the run, and for a command that only compares or removes them with the tables that the ledger recorded.
fn before_the_run(m: &Migration<'_>, target: &mut TargetSchema, ledger: &LedgerView) {
    if let Some(run) = &ledger.run {
        for (name, table) in &mut target.tables {
            table.has_rows = run.judged.holding.contains_key(name);
        }
    }
    migrate::indexes::detach::as_if_back(target, &ledger.detached);
    // A run that still writes needs the tables as they are.
    let only_compares =
        |run: &&Run| matches!(m.activity(), Activity::Verification | Activity::Rollback) || run.state == RunState::Done;
    if let Some(run) = ledger.run.as_ref().filter(only_compares) {
        recorded::restore(target, &run.judged.tables);
    }
}

/// The target's tables that loads write to.
fn loaded(m: &Migration<'_>, target: &TargetSchema) -> BTreeSet<String> {
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

/// The constants of a run, and what the target has for them.
pub struct SettledRun {
    /// The constants, with the id offsets.
    pub settled: Settled,
    /// The key of the owner's row. `None` without an owner, or if there is no such row yet.
    pub owner: Option<String>,
    /// The warnings about ids in texts that become wrong.
    pub stale: Vec<Warning>,
    /// The ids that the run takes in tables that other runs may load at the same time. Empty for a run that began.
    pub reserved: BTreeMap<String, IdRange>,
}

impl SettledRun {
    /// The constants with the key of the owner's row.
    pub fn with_owner(&self) -> Settled {
        Settled { owner: self.owner.clone().map(RawBuf::text), ..self.settled.clone() }
    }
}

/// Settles the constants of a run, and looks for its owner. A run that began has its offsets already.
///
/// # Errors
/// If a source id names a different row on the target, or several rows have the owner's natural key.
pub fn settle(
    m: &Migration<'_>,
    session: &mut Session,
    Planned { source, plan, target }: Planned<'_>,
    run: Option<&Run>,
) -> Result<SettledRun, Stop> {
    let mut settled = m.constants(run);
    let mut reserved = BTreeMap::new();
    let owner = migrate::owner::find(session, plan, &settled)?;
    if run.is_none() {
        let known = Settled { owner: owner.clone().map(RawBuf::text), ..settled.clone() };
        let shared = plan::shared_tables(plan);
        let choice = ShiftChoice { plan, source, target, settled: &known, shared: &shared };
        let chosen = choice.choose(session)?;
        (settled.shifts, reserved) = (chosen.shifts, chosen.reserved);
        let known = Settled { owner: known.owner, ..settled.clone() };
        let mut mistaken = migrate::preflight::id_collisions::find(session, plan, target, source, &known)?;
        mistaken.extend(ReplaceCheck { plan, target, source, settled: &settled }.find(session)?);
        if !mistaken.is_empty() {
            return Err(Stop::Refused(mistaken));
        }
    }
    let (doubts, mut stale) = migrate::preflight::zone_data::compare(session, plan)?;
    settled.doubts = Arc::new(doubts);
    stale.extend(migrate::preflight::ids_in_text::find(plan, source, &settled));
    Ok(SettledRun { settled, owner, stale, reserved })
}

/// SQLite's answers about the SQL of a mapping, before anything is known of the target.
fn sql_of(
    m: &Migration<'_>,
    source: &Source,
    mapping: &Mapping,
    run: Option<&Run>,
) -> Result<BTreeMap<String, SqlFacts>, Failure> {
    let (env, owner) = (m.env(), m.owner_flag());
    let now = inputs::now_text(mapping, run.map_or(m.world().now_micros(), |r| r.judged.now));
    let inputs = Inputs {
        source: source.schema(),
        sql: &BTreeMap::new(),
        target: None,
        expressions: &BTreeMap::new(),
        env: &env,
        owner: &owner,
        now: &now,
        detachable: &[],
        detaching: detaching(m),
        empty: &Default::default(),
        held: &BTreeMap::new(),
        purpose: Purpose::default(),
        has_later_schema: false,
        is_member: m.is_fleet(),
    };
    sql_facts(source, mapping, &inputs)
}

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
