//! `existing = "replace"`: rows that are there are removed before the first row is loaded, and the ledger keeps them.
//!
//! Nothing else changes by the removal. Triggers are disabled meanwhile. A foreign key by which a row that stays refers to a
//! removed row is detached until the source's rows are loaded, so that no rule of the key acts.

use std::collections::{BTreeMap, BTreeSet};

use crate::convert::Settled;
use crate::convert::row::{Maps, Notes, RowEncoder};
use crate::job::{Reconnect, Stop};
use crate::migrate::owner;
use crate::migrate::rows::keyset::{KeySet, key as key_of};
use crate::model::key::KeyRange;
use crate::model::ledger::Run;
use crate::model::record::Refusal;
use crate::model::rules::Differ;
use crate::model::schema::{DetachKind, Detachable, TargetSchema};
use crate::model::select::CONTINUE;
use crate::pg::existing::{HeldReference, RemovalOutcome, TargetName};
use crate::pg::owner::OwnedRows;
use crate::pg::state::StateRequest;
use crate::pg::triggers::RowEvent;
use crate::pg::{ServerError, Session};
use crate::plan::{CircleKey, Comparison, Feed, LoadPlan, Node, Plan};
use crate::sqlite::Source;

/// The number of other owners that a refusal names.
const OWNERS_NAMED: usize = 5;

/// The context of the checks before a removal.
pub struct ReplaceCheck<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The target's catalogue.
    pub target: &'a TargetSchema,
    /// The source of the rows that take the place of the removed ones.
    pub source: &'a Source,
    /// Values that are the same for every row.
    pub settled: &'a Settled,
}

/// A foreign key by which rows that stay refer to rows that are removed.
struct BlockingKey {
    table: String,
    by: HeldReference,
    rows: u64,
}

impl BlockingKey {
    fn child(&self) -> String {
        format!("{}.{}", self.by.child_schema, self.by.child)
    }
}

/// Removes the rows of the tables that the run replaces, once, and keeps them in the ledger.
///
/// # Errors
/// If a row that stays refers to a row since the preflight, the target refuses, or the run was taken over.
pub fn remove(reconnect: &Reconnect<'_>, session: &mut Session, plan: &Plan, run: &Run) -> Result<(), Stop> {
    let tables = in_order(plan, &run.judged.replaced);
    if tables.is_empty() {
        return Ok(());
    }
    match reconnect.retrying(session, |session| Ok(session.remove_held(run, &plan.schema, &tables)?))? {
        RemovalOutcome::Removed => Ok(()),
        RemovalOutcome::Fenced => Err(Stop::Fenced),
    }
}

/// Returns the foreign keys that are detached before the rows of the replaced tables are removed.
///
/// # Errors
/// If the target refuses or the connection is lost.
pub fn blocking_keys(session: &mut Session, plan: &Plan, run: &Run) -> Result<Vec<Detachable>, ServerError> {
    let tables = in_order(plan, &run.judged.replaced);
    let mut found = Vec::new();
    for blocking in blocking(session, plan, &tables)? {
        found.extend(detachable(session, &plan.schema, &blocking)?);
    }
    Ok(found)
}

/// The replaced tables, children before their parents.
fn in_order<'p>(plan: &'p Plan, replaced: &BTreeMap<String, u64>) -> Vec<&'p str> {
    let mut tables: Vec<&str> = Vec::new();
    for node in plan.order.iter().rev() {
        let Node::Load(n) = node else { continue };
        let table = plan.loads[*n].table.as_str();
        if replaced.contains_key(table) && !tables.contains(&table) {
            tables.push(table);
        }
    }
    tables
}

/// The foreign keys by which rows refer to a table at the time when its rows are removed.
fn blocking(session: &mut Session, plan: &Plan, tables: &[&str]) -> Result<Vec<BlockingKey>, ServerError> {
    let schema = plan.schema.as_str();
    // Rows of both tables are removed while the key is detached.
    let is_opened = |by: &HeldReference| {
        let opens = |key: &CircleKey| key.table == by.child && key.name == by.name;
        tables.contains(&by.child.as_str()) && plan.circles.iter().any(|circle| circle.detached.iter().any(opens))
    };
    let mut found = Vec::new();
    for (place, table) in tables.iter().enumerate() {
        let to = TargetName { schema, table };
        for by in session.references_to(to)? {
            let is_emptied = tables[..=place].contains(&by.child.as_str()) || is_opened(&by);
            let is_empty = by.child_schema == schema && is_emptied;
            let rows = if is_empty { 0 } else { session.count_referring(to, &by)? };
            if rows > 0 {
                found.push(BlockingKey { table: (*table).to_owned(), by, rows });
            }
        }
    }
    Ok(found)
}

/// The foreign key as an object to detach. `None` if it belongs to a table of another schema.
fn detachable(session: &mut Session, schema: &str, key: &BlockingKey) -> Result<Option<Detachable>, ServerError> {
    if key.by.child_schema != schema {
        return Ok(None);
    }
    let objects = session.detachable(schema, std::slice::from_ref(&key.by.child))?;
    Ok(objects.into_iter().find(|o| o.kind == DetachKind::Foreign && o.object == key.by.name))
}

impl ReplaceCheck<'_> {
    /// Returns a refusal for each reason why the rows cannot be removed, or why their removal would change other rows.
    ///
    /// # Errors
    /// If the source cannot be read, the target refuses, or the connection is lost.
    pub fn find(&self, session: &mut Session) -> Result<Vec<Refusal>, Stop> {
        let replaced: BTreeMap<String, u64> =
            self.plan.replaced().map(|held| (held.table.clone(), held.rows)).collect();
        let tables = in_order(self.plan, &replaced);
        let mut refusals = Vec::new();
        for table in &tables {
            refusals.extend(self.triggers(session, table)?);
            refusals.extend(self.other_owners(session, table)?);
        }
        for load in &self.plan.loads {
            refusals.extend(self.written_over(session, load)?);
        }
        for key in blocking(session, self.plan, &tables)? {
            let refusal = self.not_detachable(session, &key)?;
            refusals.extend(match refusal {
                Some(refusal) => Some(refusal),
                None => self.untaken(session, &key)?,
            });
        }
        Ok(refusals)
    }

    fn loads(&self, table: &str) -> impl Iterator<Item = &LoadPlan> {
        self.plan.loads.iter().filter(move |load| load.table == table)
    }

    fn place(&self, table: &str) -> String {
        self.loads(table).next().map_or_else(|| "load".to_owned(), |load| format!("{}.existing", load.place()))
    }

    fn triggers(&self, session: &mut Session, table: &str) -> Result<Option<Refusal>, Stop> {
        let of = TargetName { schema: &self.plan.schema, table };
        let found = session.firing_triggers(of, RowEvent::Delete)?;
        let strange = found.iter().filter(|trigger| !trigger.is_ours);
        let names: BTreeSet<&str> = strange.clone().map(|trigger| trigger.object.as_str()).collect();
        Ok(strange.clone().next().map(|first| {
            let names: Vec<&str> = names.into_iter().collect();
            let reason = format!(
                "triggers or rules of {} would run for the rows that are removed ({}), and only the table's owner may \
                 disable them",
                first.table,
                names.join(", ")
            );
            Refusal::new(self.place(table), reason, self.grant(&first.owner))
        }))
    }

    /// Refuses to write over rows if that would run a trigger, or change a column to which other rows refer.
    fn written_over(&self, session: &mut Session, load: &LoadPlan) -> Result<Option<Refusal>, Stop> {
        let rows = self.plan.skipped_rows(load).filter(|rows| rows.differ == Some(Differ::Source));
        let Some(rows) = rows.filter(|_| self.target.tables.get(&load.table).is_some_and(|t| t.has_rows)) else {
            return Ok(None);
        };
        let of = TargetName { schema: &self.plan.schema, table: &load.table };
        let found = session.firing_triggers(of, RowEvent::Update)?;
        if let Some(first) = found.iter().find(|trigger| !trigger.is_ours && !load.triggers_fire) {
            let reason = format!(
                "{} of {} would run for the rows that are written over, and only the table's owner may disable it",
                first.object, first.table
            );
            return Ok(Some(Refusal::new(self.place(&load.table), reason, self.grant(&first.owner))));
        }
        let referred = session.references_to(of)?;
        let is_written =
            |by: &&HeldReference| by.parent_columns.iter().any(|column| rows.columns().any(|name| name == column));
        Ok(referred.iter().find(is_written).map(|by| {
            let reason = format!(
                "a column that is written over is referred to by {}.{} ({})",
                by.child_schema, by.child, by.name
            );
            let advice = "Write `differ = \"target\"`, or match by this column.";
            Refusal::new(self.place(&load.table), reason, advice)
        }))
    }

    fn grant(&self, owner: &str) -> String {
        format!("GRANT {owner} TO {};", self.target.rights.role)
    }

    /// Refuses to remove rows that belong to another owner than that of the run.
    fn other_owners(&self, session: &mut Session, table: &str) -> Result<Option<Refusal>, Stop> {
        let (plan, schema) = (self.plan, &self.plan.schema);
        let (Some(path), Some(owner)) = (plan.paths.get(table), plan.owner.as_ref()) else { return Ok(None) };
        let own = owner::find(session, plan, self.settled)?;
        let paths = [(table, path)];
        let request = StateRequest { schema, owner: Some(owner), paths: &paths, ..StateRequest::default() };
        let OwnedRows { names, counts } = session.target_state(&request)?.owned;
        let mut others = counts.into_iter().next().unwrap_or_default();
        others.retain(|(key, _)| key.is_some() && *key != own);
        let rows: u64 = others.iter().map(|(_, rows)| rows).sum();
        if rows == 0 {
            return Ok(None);
        }
        let names: BTreeMap<String, String> = names.into_iter().collect();
        let name = |key: &Option<String>| key.as_ref().map(|key| names.get(key).unwrap_or(key).clone());
        let listed: Vec<String> = others
            .iter()
            .take(OWNERS_NAMED)
            .map(|(key, rows)| format!("{} ({rows})", name(key).unwrap_or_default()))
            .collect();
        let more = if others.len() > OWNERS_NAMED { ", ..." } else { "" };
        let reason =
            format!("{rows} of the rows that would be removed belong to other owners: {}{more}", listed.join(", "));
        let advice = "Write `existing = \"append\"` or `\"match\"`, which remove no row.";
        Ok(Some(Refusal::new(self.place(table), reason, advice)))
    }

    /// Refuses a foreign key that has to be detached and cannot be.
    fn not_detachable(&self, session: &mut Session, key: &BlockingKey) -> Result<Option<Refusal>, Stop> {
        let found = detachable(session, &self.plan.schema, key)?;
        let why = match &found {
            None => "it belongs to a table of another schema".to_owned(),
            Some(object) => match &object.kept_because {
                None => return Ok(None),
                Some(why) => why.clone(),
            },
        };
        let reason = format!(
            "{} rows of {} refer to rows that would be removed, and their foreign key {} cannot be detached meanwhile: {why}",
            key.rows,
            key.child(),
            key.by.name
        );
        let advice = format!(
            "{} Or write `existing = \"append\"` or `\"match\"`, which remove no row.",
            self.grant(&key.by.owner)
        );
        Ok(Some(Refusal::new(self.place(&key.table), reason, advice)))
    }

    /// Refuses rows that stay and refer to a removed row whose key no row of the source takes.
    fn untaken(&self, session: &mut Session, key: &BlockingKey) -> Result<Option<Refusal>, Stop> {
        let BlockingKey { table, by, rows } = key;
        let refers =
            format!("{rows} rows of {} refer to rows of `{table}` that would be removed ({})", key.child(), by.name);
        let advice = "Write `existing = \"match\"` or `\"append\"`, which remove no row, or remove these rows first.";
        let refusal = |what: &str| Refusal::new(self.place(table), format!("{refers}, and {what}"), advice);
        let Some(compared) = self.compared(key) else {
            return Ok(Some(refusal("it cannot be determined whether rows of the source take their keys")));
        };
        let places: Vec<usize> = (0..compared.len()).collect();
        let (mut untaken, mut taken) = (BTreeSet::new(), KeySet::default());
        for load in self.loads(table) {
            self.add_keys(load, by, &compared, &mut taken)?;
        }
        let to = TargetName { schema: &self.plan.schema, table };
        session.read_referred(to, by, &mut |image| {
            untaken.extend(key_of(image, &places, &compared).filter(|key| !taken.present.contains(*key)));
        })?;
        if taken.unknown {
            return Ok(Some(refusal("there are too many keys to compare")));
        }
        let count = untaken.len();
        Ok((count > 0).then(|| refusal(&format!("no row of the source takes the key of {count} of them"))))
    }

    /// The way in which the referenced columns are compared. `None` if the source's values are unknown, or only the server
    /// can compare them.
    fn compared(&self, key: &BlockingKey) -> Option<Vec<Comparison>> {
        let is_fed = |load: &LoadPlan, name: &String| {
            load.columns.iter().any(|c| c.name == *name && matches!(c.feed, Feed::Cell(_) | Feed::Constant(_)))
        };
        let is_known = |load: &LoadPlan| key.by.parent_columns.iter().all(|name| is_fed(load, name));
        let facts = self.target.tables.get(&key.table)?;
        if !self.loads(&key.table).all(is_known) {
            return None;
        }
        key.by.parent_columns.iter().map(|name| Comparison::of(&facts.column(name)?.kind.kind)).collect()
    }

    /// Adds the keys of the rows of a load that can be loaded.
    fn add_keys(
        &self,
        load: &LoadPlan,
        by: &HeldReference,
        compared: &[Comparison],
        taken: &mut KeySet,
    ) -> Result<(), Stop> {
        let column = |name: &String| load.columns.iter().find(|c| c.name == *name).cloned();
        let Some(columns) = by.parent_columns.iter().map(column).collect::<Option<Vec<_>>>() else { return Ok(()) };
        let whole = RowEncoder::new(load, self.settled, &Maps::new()).map_err(Stop::Refused)?;
        let keys = RowEncoder::project(load, columns, self.settled).map_err(Stop::Refused)?;
        let places: Vec<usize> = (0..compared.len()).collect();
        let (mut image, mut notes) = (Vec::new(), Notes::default());
        self.source.reader()?.each(&load.select, KeyRange::ALL, |row| {
            image.clear();
            let fits = whole.encode(row, &mut image, &mut notes);
            image.clear();
            if fits && keys.encode(row, &mut image, &mut notes) {
                taken.add(key_of(&image, &places, compared));
            }
            CONTINUE
        })?;
        Ok(())
    }
}
