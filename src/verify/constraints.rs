//! Checks `constraints`: constraints are validated, indexes are valid, nothing is detached, and every reference has a parent.
//! Also checks the owner's row that the run made.

use std::collections::BTreeSet;

use crate::job::Stop;
use crate::model::ident::qualified;
use crate::model::ledger::{Object, Run};
use crate::model::record::{Check, CheckKind, Verdict};
use crate::model::schema::ForeignKey;
use crate::pg::Session;
use crate::pg::inspect::{KeyOfTable, ObjectStates, PartitionKey};
use crate::plan::{LoadPlan, references};

use super::subject::Subject;

/// One check `constraints` per object that is wrong, or a single check if none is. `found`: the objects of [`tables`].
pub(super) fn check(
    subject: &Subject<'_>,
    session: &mut Session,
    found: ObjectStates,
    orphans: &Orphans<'_, '_>,
) -> Result<Vec<Check>, Stop> {
    let ObjectStates { objects, invalid, of_partitions } = found;
    let mut checks = states(&subject.plan.schema, subject.run, &objects, invalid);
    checks.extend(orphans.find(session, &of_partitions)?);
    Ok(or_all_valid(checks))
}

/// One check `constraints` for each object of the tables of a fleet that is wrong, or a single check if none is. A fleet detaches
/// nothing, so that the server judged each reference when it was written.
///
/// # Errors
/// If the target refuses or the connection is lost.
pub fn of_fleet(session: &mut Session, run: &Run) -> Result<Vec<Check>, Stop> {
    let recorded = run.judged.objects.iter().map(|object| &object.table);
    let tables: BTreeSet<&String> = run.judged.images.keys().chain(recorded).collect();
    let tables: Vec<String> = tables.into_iter().cloned().collect();
    let ObjectStates { objects, invalid, .. } = session.object_states(&run.judged.schema, &tables)?;
    Ok(or_all_valid(states(&run.judged.schema, run, &objects, invalid)))
}

fn or_all_valid(mut checks: Vec<Check>) -> Vec<Check> {
    if checks.is_empty() {
        checks.push(Check::compared(CheckKind::Constraints, None, "all valid".to_owned(), "all valid".to_owned()));
    }
    checks
}

/// The tables of all loads, and the owner's table.
pub(super) fn tables(subject: &Subject<'_>) -> Vec<String> {
    let loaded = subject.plan.loads.iter().map(|l| l.table.clone());
    let mut tables: Vec<String> = loaded.chain(subject.plan.owner.iter().map(|o| o.table.clone())).collect();
    tables.sort();
    tables.dedup();
    tables
}

/// Reports objects that changed since the run began, and objects that are invalid now.
fn states(schema: &str, run: &Run, now: &[Object], invalid: Vec<(String, String)>) -> Vec<Check> {
    let mut checks = Vec::new();
    for was in &run.judged.objects {
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
    for (table, object) in invalid {
        let name = format!("{schema}.{table}.{object}");
        let before = run.judged.objects.iter().find(|o| o.table == table && o.object == object);
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
    checks
}

/// The search for references without a parent. The triggers of a foreign key can be disabled, which its validity does not
/// show.
pub(super) struct Orphans<'o, 's> {
    pub subject: &'o Subject<'s>,
    /// The checks made so far.
    pub before: &'o [Check],
    /// Tables and columns in which every value is the key of an owner's row.
    pub owned: &'o [(String, String)],
}

impl Orphans<'_, '_> {
    fn find(&self, session: &mut Session, of_partitions: &[PartitionKey]) -> Result<Vec<Check>, Stop> {
        let (schema, tables) = (self.subject.plan.schema.as_str(), tables(self.subject));
        let catalogued = tables.iter().filter_map(|table| Some((table, self.subject.target.tables.get(table)?)));
        let all = catalogued.flat_map(|(table, found)| found.foreign.iter().map(|key| (table.as_str(), key)));
        let mut keys: Vec<KeyOfTable<'_>> = all
            .filter(|(table, key)| !self.is_proved(table, key))
            .map(|(table, key)| KeyOfTable { schema, table, key, rows: qualified(schema, table) })
            .collect();
        // The plan knows no key of a partition, so that the reader compared none.
        keys.extend(of_partitions.iter().filter(|of| of.may_read).map(|of| KeyOfTable {
            schema: &of.schema,
            table: &of.table,
            key: &of.key,
            rows: of.rows.clone(),
        }));
        let name = |schema: &str, table: &str, key: &ForeignKey| format!("{schema}.{table}.{}", key.name);
        let found = session.count_orphans(&keys)?;
        let orphans = keys.into_iter().zip(found).filter(|(_, rows)| *rows > 0).map(|(of, rows)| {
            let name = name(of.schema, of.table, of.key);
            Check::compared(CheckKind::Constraints, Some(&name), "no orphan".to_owned(), orphaned(of.key, rows))
        });
        let unread = of_partitions.iter().filter(|of| !of.may_read).map(|of| {
            let why = format!("this role may not read {}.{}, to which it refers", of.key.parent_schema, of.key.parent);
            Check::not_checked(CheckKind::Constraints, Some(&name(&of.schema, &of.table, &of.key)), why)
        });
        Ok(orphans.chain(unread).collect())
    }

    /// Returns true if no row of the table lacks a parent: every value was found among the owners, or rows and parents are
    /// as they were sent and this process compared them while reading. All other keys are asked of the server.
    fn is_proved(&self, table: &str, key: &ForeignKey) -> bool {
        if key.parent_schema != self.subject.plan.schema {
            return false;
        }
        let mut loads = self.subject.plan.loads.iter().filter(|load| load.table == table);
        let is_compared =
            |load: &LoadPlan| references(load, self.subject.target).iter().any(|link| link.name == key.name);
        let is_unchanged = || self.is_unchanged(table) && self.is_unchanged(&key.parent);
        self.is_owned(table, key) || key.is_enforced && is_unchanged() && loads.all(is_compared)
    }

    /// Returns true if the key refers to the owner's table, and every row was found to have an owner.
    fn is_owned(&self, table: &str, key: &ForeignKey) -> bool {
        let Some(owner) = &self.subject.plan.owner else { return false };
        let is_owners = key.parent == owner.table && key.parent_columns == [owner.key.clone()];
        is_owners && self.owned.iter().any(|(of, column)| of == table && key.columns == [column.clone()])
    }

    /// Returns true if the rows of a table are exactly those that this run sent.
    fn is_unchanged(&self, table: &str) -> bool {
        let loads: Vec<&str> =
            self.subject.plan.loads.iter().filter(|l| l.table == table).map(|l| l.name.as_str()).collect();
        let label = loads.join(", ");
        let content = |c: &&Check| c.check == CheckKind::Content && c.load.as_deref() == Some(label.as_str());
        let checks: Vec<&Check> = self.before.iter().filter(content).collect();
        let held = self.subject.held_before(table).is_some();
        !loads.is_empty() && !held && !checks.is_empty() && checks.iter().all(|c| c.verdict == Verdict::Same)
    }
}

fn orphaned(key: &ForeignKey, rows: u64) -> String {
    format!("{rows} rows whose {} is not in {}", key.columns.join(", "), key.parent)
}

/// Compares the owner's row that the run made with the mapping, column by column. `None` if the run made no such row.
/// `changed`: the columns that hold another value; `None` if the mapping's values cannot be determined any more.
pub(super) fn owner_row(subject: &Subject<'_>, changed: Option<Vec<String>>) -> Option<Check> {
    let owner = subject.plan.owner.as_ref().filter(|_| subject.owner.made)?;
    let name = format!("{}.{}", subject.plan.schema, owner.table);
    if subject.owner.key.is_none() {
        let found = "no row with this natural key".to_owned();
        return Some(Check::compared(CheckKind::Owners, Some(&name), "the row that the run made".to_owned(), found));
    }
    let Some(wrong) = changed else {
        let why = "a variable of `create` is no longer set";
        return Some(Check::not_checked(CheckKind::Owners, Some(&name), why));
    };
    let found = if wrong.is_empty() { "as made".to_owned() } else { format!("changed: {}", wrong.join(", ")) };
    Some(Check::compared(CheckKind::Owners, Some(&name), "as made".to_owned(), found))
}
