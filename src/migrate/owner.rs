//! The owner: its row is found by the natural key or made once.

use crate::convert::{Converter, Settled, constant_advice};
use crate::job::{Job, Stop};
use crate::migrate::sequences::for_columns;
use crate::model::cell::{Cell, RawBuf};
use crate::model::ledger::{MadeKind, Run};
use crate::model::record::Refusal;
use crate::model::rules::Value;
use crate::model::schema::TargetSchema;
use crate::pg::owner::{ColumnValue, OwnerKey, OwnerQuery, OwnerRowQuery};
use crate::pg::{OwnerFound, ServerError, Session};
use crate::plan::sequences::SequenceColumn;
use crate::plan::{OwnerColumn, OwnerPlan, Plan, to_make_the_owner};

/// The owner of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The key of its row as text, which is written into owner columns.
    pub key: String,
    /// True if this run made the row.
    pub made: bool,
}

/// Finds the owner, or makes its row if the mapping defines it.
pub fn settle(job: &Job<'_>, session: &mut Session, run: &Run, settled: &Settled) -> Result<Option<Owner>, Stop> {
    job.retrying(session, |session| settle_once(job, session, run, settled))
}

/// A repetition finds the row that the first attempt made.
fn settle_once(job: &Job<'_>, session: &mut Session, run: &Run, settled: &Settled) -> Result<Option<Owner>, Stop> {
    let Some(plan) = job.plan.settled_owner() else { return Ok(None) };
    let schema = &job.plan.schema;
    let Some(query) = query(session, job.plan, settled)? else { return Ok(None) };
    // The sequence of the row to make is read together with the row that may exist.
    let sequence = plan.sequence.as_ref().filter(|_| plan.create.is_some());
    let column = sequence.map(|sequence| SequenceColumn { table: &plan.table, column: &plan.key, sequence });
    let sequences = for_columns(job, run, column.as_slice());
    let (found, states) = session.find_owner(&query, schema, &sequences)?;
    if let Some(key) = one(plan, found)? {
        let object = format!("{schema}.{}", plan.table);
        let made = session
            .made(run.id)?
            .iter()
            .any(|m| m.kind == MadeKind::Owner && m.object == object && m.became.as_ref() == Some(&key));
        return Ok(Some(Owner { key, made }));
    }
    if plan.create.is_none() {
        return Err(absent(plan));
    }
    if !session.move_sequences(run, &sequences, &states, true)? {
        return Err(Stop::Fenced);
    }
    let converted = cells(plan, settled).map_err(Stop::Refused)?;
    let created = session.create_owner(run, schema, &plan.table, &plan.key, &converted)?;
    let key = created.ok_or(Stop::Fenced)?;
    Ok(Some(Owner { key, made: true }))
}

/// Returns the key of the owner. `None` if no row has its natural key.
///
/// # Errors
/// If several rows have its natural key, or the target refuses.
pub fn find(session: &mut Session, plan: &Plan, settled: &Settled) -> Result<Option<String>, Stop> {
    let (Some(owner), Some(query)) = (plan.settled_owner(), query(session, plan, settled)?) else { return Ok(None) };
    one(owner, session.find_owner(&query, &plan.schema, &[])?.0)
}

/// Returns the query for the owner. `None` if the plan has no owner.
///
/// # Errors
/// If a value of its natural key does not fit, or the target refuses.
pub fn query(session: &mut Session, plan: &Plan, settled: &Settled) -> Result<Option<OwnerQuery>, Stop> {
    let Some(owner) = plan.settled_owner() else { return Ok(None) };
    let natural = OwnerPlan { create: None, ..owner.clone() };
    let converted = cells(&natural, settled).map_err(Stop::Refused)?;
    Ok(Some(session.owner_query(&plan.schema, &owner.table, &owner.key, &converted)?))
}

/// Returns the key of the owner that was found.
///
/// # Errors
/// If several rows have its natural key.
pub fn one(owner: &OwnerPlan, found: OwnerFound) -> Result<Option<String>, Stop> {
    match found {
        OwnerFound::One(key) => Ok(Some(key)),
        OwnerFound::None => Ok(None),
        OwnerFound::Several => Err(Stop::Refused(vec![Refusal::new(
            "owner.match",
            format!("several rows of `{}` have this natural key", owner.table),
            "Add a column to `match` so that one row is meant.",
        )])),
    }
}

/// Checks that a missing owner can be made: the values of its row fit, and this role may write it.
///
/// # Errors
/// A refusal for each value that does not fit its column and each right that is missing.
pub fn fits(plan: &Plan, target: &TargetSchema, settled: &Settled) -> Result<(), Vec<Refusal>> {
    let Some(owner) = plan.settled_owner() else { return Ok(()) };
    let mut refusals = to_make_the_owner(plan, target);
    if let Err(more) = cells(owner, settled) {
        refusals.extend(more);
    }
    if refusals.is_empty() { Ok(()) } else { Err(refusals) }
}

/// Returns a refusal for each known value that does not fit. A variable of the environment that is not set is skipped,
/// because it may never be needed, and so is a value that comes with a file that is not known yet.
pub fn mistakes(plan: &Plan, settled: &Settled) -> Vec<Refusal> {
    let Some(owner) = plan.settled_owner() else { return Vec::new() };
    let is_known = |c: &&OwnerColumn| match &c.value {
        Value::Env(name) => settled.env.contains_key(name),
        Value::Member => settled.member.contains_key(&c.name),
        _ => true,
    };
    let known = |columns: &[OwnerColumn]| columns.iter().filter(is_known).cloned().collect::<Vec<_>>();
    let create = owner.create.as_deref().map(known);
    let owner = OwnerPlan { natural: known(&owner.natural), create, ..owner.clone() };
    cells(&owner, settled).err().unwrap_or_default()
}

/// Returns the query for the columns of the row made for the owner that have another value now. `None` if the expected values
/// cannot be determined any more.
///
/// # Errors
/// If the target refuses or the connection is lost.
pub fn row_query(
    session: &mut Session,
    plan: &Plan,
    settled: &Settled,
    key: &str,
) -> Result<Option<OwnerRowQuery>, ServerError> {
    let Some(owner) = &plan.owner else { return Ok(None) };
    let Ok(converted) = cells(owner, settled) else { return Ok(None) };
    let row = OwnerKey { column: &owner.key, kind: &owner.key_type, value: key };
    session.owner_row_query(&plan.schema, &owner.table, &row, &converted).map(Some)
}

/// Returns the refusal of an owner that is missing and that the mapping does not define.
pub fn absent(plan: &OwnerPlan) -> Stop {
    Stop::Refused(vec![Refusal::new(
        "owner.match",
        format!("no row of `{}` has this natural key, and the mapping does not say how to make one", plan.table),
        "Correct `match`, or write `create = { ... }`.",
    )])
}

/// Returns the values of the natural key and of `create`.
pub(super) fn cells<'a>(owner: &'a OwnerPlan, settled: &Settled) -> Result<Vec<ColumnValue<'a>>, Vec<Refusal>> {
    let natural = owner.natural.iter().map(|column| ("match", column));
    let create = owner.create.iter().flatten().map(|column| ("create", column));
    let mut refusals = Vec::new();
    let mut cells = Vec::new();
    for (key, column) in natural.chain(create) {
        match cell(column, settled) {
            Ok(cell) => cells.push(ColumnValue { name: &column.name, kind: &column.kind, cell }),
            Err((what, advice)) => refusals.push(Refusal::new(format!("owner.{key}.{}", column.name), what, advice)),
        }
    }
    if refusals.is_empty() { Ok(cells) } else { Err(refusals) }
}

fn cell(column: &OwnerColumn, settled: &Settled) -> Result<Cell<'static>, (String, String)> {
    if let Value::Env(name) = &column.value
        && !settled.env.contains_key(name)
    {
        return Err((format!("the variable `{name}` is not set"), format!("Set {name} in the environment.")));
    }
    let value = match (&column.value, settled.member.get(&column.name)) {
        (Value::Member, Some(text)) => &Value::Literal(RawBuf::text(text.clone())),
        (Value::Member, None) => {
            let advice = format!(
                "Name it: a column `{}` of the manifest, or a group of that name in --owner-from.",
                column.name
            );
            return Err(("the file comes without this value".to_owned(), advice));
        }
        (value, _) => value,
    };
    let converter = Converter::new(&column.kind, &column.rules, settled);
    let cell = converter.and_then(|converter| converter.constant(value));
    cell.map_err(|mistake| (mistake.to_string(), constant_advice(&column.kind, value)))
}
