//! What hangs on the tables: constraints are validated, indexes valid, nothing is left off, every reference ends at a row,
//! and the row of an owner that the run made says what the mapping says.

use crate::migrate::{self, Stop};
use crate::model::ident::quoted;
use crate::model::record::{Check, CheckKind, Verdict};
use crate::model::schema::ForeignKey;
use crate::pg::Session;

use super::Subject;

/// The check `constraints`, one for each thing that is not as it should be, else one over all; and the owner's row.
/// `before`: the checks made so far.
pub(super) fn check(subject: &Subject<'_>, session: &mut Session, before: &[Check]) -> Result<Vec<Check>, Stop> {
    let mut checks = states(subject, session)?;
    checks.extend(orphans(subject, session, before)?);
    if checks.is_empty() {
        checks.push(Check::compared(CheckKind::Constraints, None, "all valid".to_owned(), "all valid".to_owned()));
    }
    checks.extend(owner_row(subject, session)?);
    Ok(checks)
}

/// The tables that a load went to, and the owner's.
fn tables(subject: &Subject<'_>) -> Vec<String> {
    let loaded = subject.plan.loads.iter().map(|l| l.table.clone());
    let mut tables: Vec<String> = loaded.chain(subject.plan.owner.iter().map(|o| o.table.clone())).collect();
    tables.sort();
    tables.dedup();
    tables
}

/// Objects that were there when the run began and are not as they were, and those that do not work now.
fn states(subject: &Subject<'_>, session: &mut Session) -> Result<Vec<Check>, Stop> {
    let schema = &subject.plan.schema;
    let tables = tables(subject);
    let now = session.objects(schema, &tables)?;
    let mut checks = Vec::new();
    for was in &subject.run.judged.objects {
        let is = now.iter().find(|o| o.table == was.table && o.object == was.object && o.state == was.state);
        if is.is_none() {
            let other = now.iter().find(|o| o.table == was.table && o.object == was.object);
            let found = other.map_or("not there", |o| o.state.as_str());
            let name = format!("{schema}.{}.{}", was.table, was.object);
            let mut check = Check::compared(CheckKind::Constraints, Some(&name), was.state.clone(), found.to_owned());
            check.why = Some("it is not as it was when the run began".to_owned());
            checks.push(check);
        }
    }
    for (table, object) in session.invalid_objects(schema, &tables)? {
        let name = format!("{schema}.{table}.{object}");
        let before = subject.run.judged.objects.iter().find(|o| o.table == table && o.object == object);
        if before.is_some_and(|o| o.state.contains("not valid")) {
            let why = "it was not valid when the run began, and is as it was";
            checks.push(Check::not_checked(CheckKind::Constraints, Some(&name), why));
            continue;
        }
        if !checks.iter().any(|c| c.load.as_ref() == Some(&name)) {
            checks.push(Check::compared(
                CheckKind::Constraints,
                Some(&name),
                "valid".to_owned(),
                "not valid".to_owned(),
            ));
        }
    }
    Ok(checks)
}

/// References that end nowhere. A trigger behind a foreign key can be switched off, and validity does not tell.
fn orphans(subject: &Subject<'_>, session: &mut Session, before: &[Check]) -> Result<Vec<Check>, Stop> {
    let schema = &subject.plan.schema;
    // Rows that are as they were sent, among parents that are, had their parents then.
    let proved = |table: &str| {
        let loads: Vec<&str> =
            subject.plan.loads.iter().filter(|l| l.table == table).map(|l| l.name.as_str()).collect();
        let content =
            |c: &&Check| c.check == CheckKind::Content && c.load.as_deref() == Some(loads.join(", ").as_str());
        let held = subject.run.judged.holding.contains_key(table);
        let checks: Vec<&Check> = before.iter().filter(content).collect();
        !loads.is_empty() && !held && !checks.is_empty() && checks.iter().all(|c| c.verdict == Verdict::Same)
    };
    let mut checks = Vec::new();
    for table in tables(subject) {
        let Some(facts) = subject.target.tables.get(&table) else { continue };
        for key in facts.foreign.iter().filter(|f| f.parent_schema != *schema || !(proved(&table) && proved(&f.parent)))
        {
            let found = session.orphans(&format!("{}.{}", quoted(schema), quoted(&table)), key)?;
            if found > 0 {
                let name = format!("{schema}.{table}.{}", key.name);
                checks.push(Check::compared(
                    CheckKind::Constraints,
                    Some(&name),
                    "no orphan".to_owned(),
                    orphaned(key, found),
                ));
            }
        }
    }
    Ok(checks)
}

fn orphaned(key: &ForeignKey, rows: u64) -> String {
    format!("{rows} rows whose {} is not in {}", key.columns.join(", "), key.parent)
}

/// The row that the run made for the owner, column by column.
fn owner_row(subject: &Subject<'_>, session: &mut Session) -> Result<Option<Check>, Stop> {
    let Some(owner) = subject.plan.owner.as_ref().filter(|_| subject.owner_made) else { return Ok(None) };
    let name = format!("{}.{}", subject.plan.schema, owner.table);
    let Some(key) = subject.owner else {
        let found = "no row with this natural key".to_owned();
        return Ok(Some(Check::compared(
            CheckKind::Owners,
            Some(&name),
            "the row that the run made".to_owned(),
            found,
        )));
    };
    let wrong = match migrate::owner_columns_changed(session, subject.plan, subject.settled, key)? {
        None => {
            return Ok(Some(Check::not_checked(
                CheckKind::Owners,
                Some(&name),
                "a variable of `create` is not set any more",
            )));
        }
        Some(wrong) => wrong,
    };
    let found = if wrong.is_empty() { "as made".to_owned() } else { format!("changed: {}", wrong.join(", ")) };
    Ok(Some(Check::compared(CheckKind::Owners, Some(&name), "as made".to_owned(), found)))
}
