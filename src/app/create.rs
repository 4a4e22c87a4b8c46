//! `--create`: the tables of `[target] ddl = "auto"` are made in the target before the run begins, if none of them exists. The
//! ledger notes them in the same transaction. They are dropped again if no run begins, and by a rollback.

use std::sync::Arc;

use crate::exit::Exit;
use crate::mapping::{Mapping, TargetDdl};
use crate::model::ledger::{CreatedKind, CreatedObject};
use crate::model::record::{Activity, Check, CheckKind, Refusal, Report, Warning};
use crate::pg::ledger::{CreatedRollback, NewTables, RunName};
use crate::pg::{ServerError, Session};
use crate::resume;
use crate::schema::{Ddl, text};
use crate::sqlite::Source;
use crate::text::{count, some_of};

use super::ending::Leaves;
use super::failure::Failure;
use super::plan::FoundTarget;
use super::session::{Migration, Planned};
use super::{dry_run, plan, proposed_tables};

/// The place of messages.
const PLACE: &str = "target.ddl";

/// Names of tables that a message lists.
const LISTED: usize = 5;

/// The result of `--create`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// All tables exist.
    Unneeded,
    /// The tables are new, and no run of this mapping began.
    Created,
    /// The command ends here.
    Ended(Exit),
}

/// Refuses `--create` without `ddl = "auto"`, or with a question. `asks`: neither --dry-run nor --yes was given.
///
/// # Errors
/// If one of both is missing.
pub fn require_auto(mapping: &Mapping, asks: bool) -> Result<(), Failure> {
    if mapping.target.ddl != TargetDdl::Auto {
        let advice = "Write `ddl = \"auto\"` in [target].";
        return Err(Failure::usage_of("--create", "the mapping does not say where its tables come from", advice));
    }
    if asks {
        let advice = "Add --dry-run first, then --yes.";
        return Err(Failure::usage_of("--create", "the tables are made before the plan can be shown", advice));
    }
    Ok(())
}

/// Makes the tables if none exists. A dry run judges the plan for the tables that would be made.
pub fn tables(
    m: &Migration<'_>,
    source: &Source,
    session: &mut Session,
    report: &mut Report,
) -> Result<Creation, Failure> {
    let ledger = m.read_ledger(session).map_err(Failure::refused)?;
    // The tables of an unusable ledger are refused after this, and those of a run that began exist.
    if ledger.run.is_some() || resume::unusable(&ledger.state).is_some() {
        return Ok(Creation::Unneeded);
    }
    let ddl = proposed_tables::ddl(m, source)?;
    let schema = &m.mapping().target.schema;
    let views = ddl.views.iter().map(|view| view.name.as_str());
    let names: Vec<&str> = ddl.tables.iter().map(|table| table.name.as_str()).chain(views).collect();
    let taken = session.taken_names(schema, &names).map_err(Failure::refused)?;
    if taken.is_empty() {
        proposed_tables::require_version(&ddl, session, "--create")?;
        report.warnings.push(announced(m, &ddl));
        report.warnings.extend(proposed_tables::left_out(&ddl));
        return match m.activity() {
            Activity::DryRun => judge(m, source, &ddl, report).map(Creation::Ended),
            _ => create(m, session, &ddl),
        };
    }
    let missing: Vec<&str> = names.into_iter().filter(|name| !taken.iter().any(|taken| taken == name)).collect();
    if !missing.is_empty() {
        let reason = format!(
            "of the tables that --create makes, `{schema}` has {} already, and not {}",
            some_of(&taken, LISTED),
            some_of(&missing, LISTED)
        );
        let advice = "Drop or rename the tables that exist. Or create the others from the file of `migrate schema`, and \
                      leave --create out.";
        report.refusals.push(Refusal::new("--create", reason, advice));
        return Ok(Creation::Ended(Exit::Refused));
    }
    // The process that made them may have ended before its run began.
    let noted = created_objects(m, session).map_err(Failure::refused)?;
    Ok(if noted.is_empty() || m.activity() == Activity::DryRun { Creation::Unneeded } else { Creation::Created })
}

fn announced(m: &Migration<'_>, ddl: &Ddl) -> Warning {
    let names: Vec<&str> = ddl.tables.iter().map(|table| table.name.as_str()).collect();
    let (tables, schema) = (count(names.len() as u64, "table", "tables"), &m.mapping().target.schema);
    let (would, some) = (m.activity() == Activity::DryRun, some_of(&names, LISTED));
    let done = if would { "would be created" } else { "created" };
    Warning::new(PLACE, format!("{tables} {done} in `{schema}` from the source: {some}"))
}

fn create(m: &Migration<'_>, session: &mut Session, ddl: &Ddl) -> Result<Creation, Failure> {
    let schema = &m.mapping().target.schema;
    let object = |kind, name: &String| CreatedObject { kind, schema: schema.clone(), name: name.clone() };
    let tables = ddl.tables.iter().map(|table| object(CreatedKind::Table, &table.name));
    let triggers = ddl.tables.iter().flat_map(|table| &table.triggers);
    let functions = triggers.map(|trigger| object(CreatedKind::Function, &trigger.function));
    let views = ddl.views.iter().map(|view| object(CreatedKind::View, &view.name));
    let objects: Vec<CreatedObject> = tables.chain(functions).chain(views).collect();
    let statements = text(ddl, &m.mapping().name);
    m.world().ending.note(Leaves::Tables);
    let owner = m.owner_identity();
    let new = NewTables { schema, statements: &statements, objects: &objects };
    session.create_tables(RunName { mapping: &m.mapping().name, owner: &owner }, &new).map_err(|e| {
        if e.lost {
            return Failure::refused(e);
        }
        let advice = "The role needs the right CREATE on the schema. `migrate schema` writes the statements, for another role or \
                      to be changed.";
        Failure::refused(Refusal::new("--create", format!("the tables cannot be created ({})", e.answer()), advice))
    })?;
    Ok(Creation::Created)
}

/// Judges the plan for the tables that would be made.
fn judge(m: &Migration<'_>, source: &Source, ddl: &Ddl, report: &mut Report) -> Result<Exit, Failure> {
    let found = FoundTarget::proposed(m, source, ddl.target())?;
    let Some((plan, target)) = plan::make(m, source, Some(&found), report)? else { return Ok(Exit::Refused) };
    dry_run::record_unread(Planned { source, plan: &plan, target: &target }, report)?;
    let why = "the tables are not made yet";
    for check in [CheckKind::TypesAndValues, CheckKind::Rights, CheckKind::RowsOfTarget] {
        report.checks.push(Check::not_checked(check, None, why));
    }
    Ok(Exit::Done)
}

fn created_objects(m: &Migration<'_>, session: &mut Session) -> Result<Vec<CreatedObject>, ServerError> {
    let owner = m.owner_identity();
    session.created_objects(RunName { mapping: &m.mapping().name, owner: &owner })
}

/// Drops the tables of which no run began. `None` if there are none.
///
/// # Errors
/// If the server refuses or the connection is lost.
pub fn remove(m: &Migration<'_>, session: &mut Session) -> Result<Option<CreatedRollback>, ServerError> {
    let owner = m.owner_identity();
    session.drop_created_tables(RunName { mapping: &m.mapping().name, owner: &owner })
}

/// Drops the tables that this command made if its run did not begin, and reports it, even if the command has no report.
pub fn end(
    m: &Migration<'_>,
    session: &mut Session,
    report: &mut Report,
    exit: Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let Some(message) = remove_unless_begun(m, session, report) else { return exit };
    match exit {
        Ok(exit) => {
            report.warnings.push(Warning::new(PLACE, message));
            Ok(exit)
        }
        Err(mut failure) => {
            failure.problems.push(Refusal::new(PLACE, message, ""));
            Err(failure)
        }
    }
}

/// Drops the tables that this command made if its run did not begin. Returns the result in words.
fn remove_unless_begun(m: &Migration<'_>, session: &mut Session, report: &Report) -> Option<String> {
    if report.run.is_some() {
        return None;
    }
    // A request to stop must not leave the tables.
    session.interrupt_when(Arc::default());
    match remove(m, session) {
        Ok(Some(CreatedRollback::Dropped(_))) => Some("the tables that were created are dropped again".to_owned()),
        Ok(Some(CreatedRollback::Kept(_, why))) => Some(format!("the tables that were created stay: {why}")),
        // Another process began the run.
        Ok(None) => None,
        Err(_) => Some(Leaves::Tables.words().to_owned()),
    }
}

/// Adds to the report what was dropped, or what stays.
pub fn record(removed: &CreatedRollback, report: &mut Report) {
    let tables = |objects: &[CreatedObject]| {
        let tables: Vec<&str> =
            objects.iter().filter(|one| one.kind == CreatedKind::Table).map(|one| one.name.as_str()).collect();
        format!("{} of --create ({})", count(tables.len() as u64, "table", "tables"), some_of(&tables, LISTED))
    };
    report.warnings.push(match removed {
        CreatedRollback::Dropped(objects) => Warning::removed(PLACE, format!("{}: dropped", tables(objects))),
        CreatedRollback::Kept(objects, why) => Warning::stays(tables(objects), why),
    });
}
