//! Checks `constraints`: constraints are validated, indexes are valid, nothing is detached, and every reference has a parent.
//! Also checks the owner's row that the run made.

use crate::job::Stop;
use crate::migrate;
use crate::model::ident::quoted;
use crate::model::record::{Check, CheckKind, Verdict};
use crate::model::schema::ForeignKey;
use crate::pg::Session;

use super::subject::Subject;

/// One check `constraints` per object that is wrong, or a single check if none is; and a check of the owner's row.
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

/// The tables of all loads, and the owner's table.
fn tables(subject: &Subject<'_>) -> Vec<String> {
    let loaded = subject.plan.loads.iter().map(|l| l.table.clone());
    let mut tables: Vec<String> = loaded.chain(subject.plan.owner.iter().map(|o| o.table.clone())).collect();
    tables.sort();
    tables.dedup();
    tables
}

/// Reports objects that changed since the run began, and objects that are invalid now.
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
            check.why = Some("it changed since the run began".to_owned());
            checks.push(check);
        }
    }
    for (table, object) in session.invalid_objects(schema, &tables)? {
        let name = format!("{schema}.{table}.{object}");
        let before = subject.run.judged.objects.iter().find(|o| o.table == table && o.object == object);
        if before.is_some_and(|o| o.state.contains("not valid")) {
            let why = "it was not valid when the run began, and is unchanged";
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

/// Reports references without a parent. The triggers of a foreign key can be disabled, which its validity does not show.
fn orphans(subject: &Subject<'_>, session: &mut Session, before: &[Check]) -> Result<Vec<Check>, Stop> {
    let schema = &subject.plan.schema;
    // Unchanged rows whose parents' table is unchanged have parents, since they had them when they were sent.
    let unchanged = |table: &str| {
        let loads: Vec<&str> =
            subject.plan.loads.iter().filter(|l| l.table == table).map(|l| l.name.as_str()).collect();
        let content =
            |c: &&Check| c.check == CheckKind::Content && c.load.as_deref() == Some(loads.join(", ").as_str());
        let checks: Vec<&Check> = before.iter().filter(content).collect();
        let held = subject.held_before(table).is_some();
        !loads.is_empty() && !held && !checks.is_empty() && checks.iter().all(|c| c.verdict == Verdict::Same)
    };
    let mut checks = Vec::new();
    for table in tables(subject) {
        let Some(catalogued) = subject.target.tables.get(&table) else { continue };
        let is_open = |f: &&ForeignKey| f.parent_schema != *schema || !(unchanged(&table) && unchanged(&f.parent));
        for key in catalogued.foreign.iter().filter(is_open) {
            let found = session.count_orphans(&format!("{}.{}", quoted(schema), quoted(&table)), key)?;
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

/// Compares the owner's row that the run made with the mapping, column by column. `None` if the run made no such row.
fn owner_row(subject: &Subject<'_>, session: &mut Session) -> Result<Option<Check>, Stop> {
    let Some(owner) = subject.plan.owner.as_ref().filter(|_| subject.owner.made) else { return Ok(None) };
    let name = format!("{}.{}", subject.plan.schema, owner.table);
    let Some(key) = subject.owner.key else {
        let found = "no row with this natural key".to_owned();
        return Ok(Some(Check::compared(
            CheckKind::Owners,
            Some(&name),
            "the row that the run made".to_owned(),
            found,
        )));
    };
    let wrong = match migrate::owner::columns_changed(session, subject.plan, subject.settled, key)? {
        None => {
            return Ok(Some(Check::not_checked(
                CheckKind::Owners,
                Some(&name),
                "a variable of `create` is no longer set",
            )));
        }
        Some(wrong) => wrong,
    };
    let found = if wrong.is_empty() { "as made".to_owned() } else { format!("changed: {}", wrong.join(", ")) };
    Ok(Some(Check::compared(CheckKind::Owners, Some(&name), "as made".to_owned(), found)))
}
