//! Detects ids that refer to different rows in source and target, before anything is written.
//!
//! Only references that carry the source's own numbers are at risk. Stamped, looked-up and shifted values contain no number
//! of the source, and a text is the same on both sides. Rows are compared by a natural key. Without a natural key, a
//! reference to a row that this run does not write is refused. A reference of several columns is compared as far as its
//! columns are known. If the owner is one of those that are not, a number means the row that this run writes under it.

use xxhash_rust::xxh3::xxh3_64;

use crate::convert::Settled;
use crate::convert::row::{Notes, RowEncoder};
use crate::job::{KeyMemory, MOST_BYTES, Stop};
use crate::migrate::rows::keyset::{KeySet, key};
use crate::model::key::KeyRange;
use crate::model::record::Refusal;
use crate::model::rules::{Rules, Value};
use crate::model::schema::{ForeignKey, TargetSchema, TargetTable};
use crate::model::select::{CONTINUE, Expr, Relation, Select};
use crate::pg::{ReadBack, Session};
use crate::plan::{ColumnPlan, Comparison, Feed, LoadPlan, Plan};
use crate::sqlite::Source;
use crate::wire::binary;

use super::skipped_ids::surrogate_conflict;

/// Refuses every load whose rows would belong to another owner or another parent, or be skipped for another row. Returns
/// nothing if the referenced tables held no rows. `settled`: with the key of the owner's row, if there is one.
///
/// # Errors
/// If the source cannot be read, the target refuses a query or the connection is lost.
pub fn find(
    session: &mut Session,
    plan: &Plan,
    target: &TargetSchema,
    source: &Source,
    settled: &Settled,
) -> Result<Vec<Refusal>, Stop> {
    let mut refusals = Vec::new();
    for parent in parents(plan, target, source, settled) {
        let check = ParentCheck { plan, target, source, settled, parent: &parent, memory: KeyMemory::default() };
        let issued = check.issued_anew();
        if issued.is_empty() { check.compare(session, &mut refusals)? } else { refusals.extend(issued) }
    }
    Ok(refusals)
}

/// Columns of a table to which rows refer by the source's own numbers.
struct Parent<'p> {
    columns: ParentColumns,
    /// True if the columns are the owner's key.
    is_owner: bool,
    /// Empty if the columns are only the key by which a load skips rows.
    references: Vec<CarriedKey<'p>>,
}

/// The referenced columns of a table whose values are known before the run.
#[derive(PartialEq)]
struct ParentColumns {
    table: String,
    keys: Vec<String>,
    compared: Vec<Comparison>,
    /// The keys that are numbers of the source.
    numbers: Vec<String>,
    /// True if the owner is another part of the key, and is not known yet: the same number is another row for each owner.
    is_by_owner: bool,
}

/// A load, and its columns that refer to the parent.
struct CarriedKey<'p> {
    load: &'p LoadPlan,
    columns: Vec<&'p ColumnPlan>,
}

/// The parents of all references: by foreign keys, and by the columns that determine the owner. Also the tables into which
/// loads skip rows by a surrogate id.
fn parents<'p>(plan: &'p Plan, target: &TargetSchema, source: &Source, settled: &Settled) -> Vec<Parent<'p>> {
    let mut found: Vec<Parent<'p>> = Vec::new();
    for load in &plan.loads {
        for key in foreign_keys(plan, target, load) {
            let is_owner =
                plan.owner.as_ref().is_some_and(|o| o.table == key.parent && key.parent_columns == [o.key.clone()]);
            let unknown_owner = settled.owner.is_none();
            let Some((columns, by)) = parent_columns(target, load, &key, is_owner, unknown_owner) else { continue };
            let reference = CarriedKey { load, columns: by };
            match found.iter_mut().find(|parent| parent.columns == columns) {
                Some(parent) => parent.references.push(reference),
                None => found.push(Parent { columns, is_owner, references: vec![reference] }),
            }
        }
    }
    for load in &plan.loads {
        let Some(key) = surrogate_conflict(load, target, source) else { continue };
        let is_owner =
            plan.owner.as_ref().is_some_and(|o| o.table == key.parent && key.parent_columns == [o.key.clone()]);
        if let Some((columns, _)) = parent_columns(target, load, &key, is_owner, settled.owner.is_none())
            && !found.iter().any(|parent| parent.columns == columns)
        {
            found.push(Parent { columns, is_owner, references: Vec::new() });
        }
    }
    found
}

/// The foreign keys of a load within the schema. The columns that determine the owner count as a foreign key.
fn foreign_keys(plan: &Plan, target: &TargetSchema, load: &LoadPlan) -> Vec<ForeignKey> {
    let foreign = target.tables.get(&load.table).map(|t| t.foreign.as_slice()).unwrap_or_default();
    let within = foreign.iter().filter(|f| f.parent_schema == target.schema);
    let unnamed = |f: &ForeignKey| ForeignKey {
        columns: f.columns.clone(),
        parent: f.parent.clone(),
        parent_columns: f.parent_columns.clone(),
        ..ForeignKey::default()
    };
    let mut found: Vec<ForeignKey> = within.map(unnamed).collect();
    let path = plan.paths.get(&load.table).filter(|path| !path.stamped && path.hops.is_empty());
    if let (Some(owner), Some(path)) = (plan.owner.as_ref(), path) {
        let columns = vec![path.column.clone()];
        let parent_columns = vec![owner.key.clone()];
        found.push(ForeignKey { columns, parent: owner.table.clone(), parent_columns, ..ForeignKey::default() });
    }
    found.sort_by(|a, b| (&a.columns, &a.parent, &a.parent_columns).cmp(&(&b.columns, &b.parent, &b.parent_columns)));
    found.dedup();
    found
}

/// The parent's columns of a foreign key, and the load's columns that refer to them. `None` if no number of the source is
/// among them, or if they cannot refer to an existing row: a shifted column, or the key of an owner that does not exist yet.
fn parent_columns<'p>(
    target: &TargetSchema,
    load: &'p LoadPlan,
    key: &ForeignKey,
    is_owner: bool,
    unknown_owner: bool,
) -> Option<(ParentColumns, Vec<&'p ColumnPlan>)> {
    let parent = target.tables.get(&key.parent)?;
    let (keys, compared, numbers) = (Vec::new(), Vec::new(), Vec::new());
    let mut found = ParentColumns { table: key.parent.clone(), keys, compared, numbers, is_by_owner: false };
    let mut columns = Vec::new();
    for (name, parent_name) in key.columns.iter().zip(&key.parent_columns) {
        let Some(column) = load.columns.iter().find(|c| c.name == *name) else { continue };
        let is_owners = parent.foreign.iter().any(|f| f.columns == [parent_name.clone()]);
        match &column.feed {
            Feed::Cell(_) if column.shift.is_some() => return None,
            Feed::Owner | Feed::Constant(Value::Owner) if unknown_owner && is_owners => return None,
            Feed::Owner | Feed::Constant(Value::Owner) if unknown_owner => continue,
            Feed::Cell(_) | Feed::Constant(_) | Feed::Owner => {}
            Feed::Issued(_) | Feed::Lookup(_) => {
                found.is_by_owner |= is_owners;
                continue;
            }
        }
        let compared = Comparison::of(&column.kind.kind);
        if compared != Comparison::of(&parent.column(parent_name)?.kind.kind) {
            continue;
        }
        if is_cell(column) && (is_owner || compared == Some(Comparison::Integer)) {
            found.numbers.push(parent_name.clone());
        }
        found.keys.push(parent_name.clone());
        found.compared.push(compared.unwrap_or(Comparison::Bytea));
        columns.push(column);
    }
    (!found.numbers.is_empty()).then_some((found, columns))
}

/// The comparison of one parent's rows in source and target.
struct ParentCheck<'g> {
    plan: &'g Plan,
    target: &'g TargetSchema,
    source: &'g Source,
    settled: &'g Settled,
    parent: &'g Parent<'g>,
    memory: KeyMemory,
}

/// The keys of the target's rows. Integers are stored as they are, all other keys as hashes.
struct TargetKeys {
    keys: KeySet,
    natural: KeySet,
    both: KeySet,
}

impl ParentCheck<'_> {
    /// The loads that write rows into the parent's table.
    fn loads(&self) -> impl Iterator<Item = &LoadPlan> {
        let table = &self.parent.columns.table;
        let holds = self.target.tables.get(table).is_some_and(|table| table.has_rows);
        self.plan.loads.iter().filter(move |load| load.table == *table && !(load.when_empty && holds))
    }

    /// Refuses the references if the target issues the ids of all new rows, since the source's own numbers then refer to no
    /// row or to another one.
    fn issued_anew(&self) -> Vec<Refusal> {
        let Parent { columns: ParentColumns { table, numbers, .. }, references, is_owner } = self.parent;
        let is_issued = |load: &LoadPlan| {
            let mut own = load.columns.iter().filter(|c| numbers.contains(&c.name)).peekable();
            own.peek().is_some().then(|| own.any(|c| matches!(c.feed, Feed::Issued(_))))
        };
        let mut loads = self.loads().filter_map(is_issued).peekable();
        if loads.peek().is_none() || loads.any(|issued| !issued) {
            return Vec::new();
        }
        let others = if *is_owner { "other owners".to_owned() } else { format!("other rows of `{table}`") };
        let key = numbers.join(", ");
        let reason =
            format!("carries the source's `{key}`, but the target issues new ones: the rows would refer to {others}");
        references.iter().map(|r| Refusal::new(self.place(r), reason.clone(), self.advice())).collect()
    }

    /// The place of a reference's number in the mapping.
    fn place(&self, reference: &CarriedKey<'_>) -> String {
        let ParentColumns { keys, numbers, .. } = &self.parent.columns;
        let number = keys.iter().position(|key| numbers.contains(key)).and_then(|n| reference.columns.get(n));
        format!("{}.columns.{}", reference.load.place(), number.map(|c| c.name.as_str()).unwrap_or_default())
    }

    /// Compares the source's rows with the target's rows and adds the refusals.
    fn compare(&self, session: &mut Session, refusals: &mut Vec<Refusal>) -> Result<(), Stop> {
        let ParentColumns { table, keys, numbers, .. } = &self.parent.columns;
        let Some(catalogued) = self.target.tables.get(table).filter(|table| table.has_rows) else { return Ok(()) };
        let natural = self.natural_key(catalogued);
        // A natural key that is part of the key itself cannot identify another row.
        if !natural.is_empty() && natural.iter().all(|column| keys.contains(column)) {
            return Ok(());
        }
        let held = self.target_keys(session, &natural)?;
        if held.keys.unknown || held.natural.unknown || held.both.unknown {
            let reason = format!("holds too many rows to compare ids: more than {} MiB of ids", MOST_BYTES >> 20);
            refusals.push(Refusal::new(format!("{}.{table}", self.plan.schema), reason, self.advice()));
            return Ok(());
        }
        let mut same = held.keys.sibling();
        let mut is_loaded = false;
        let fed = |load: &LoadPlan, name: &String| load.columns.iter().any(|c| c.name == *name && is_cell(c));
        for load in self.loads().filter(|load| numbers.iter().all(|name| fed(load, name))) {
            if self.parent.columns.is_by_owner && load.conflict.is_none() {
                // A row of the same number has another owner, or the server refuses its key.
                self.each_key(load, &keys.iter().collect::<Vec<_>>(), |key, _| same.add([key]))?;
            } else {
                refusals.extend(self.compare_load(load, &natural, &held, &mut same)?);
            }
            is_loaded = true;
        }
        if let Some(load) = self.unmapped_load(catalogued, &natural).filter(|_| !is_loaded) {
            self.compare_load(&load, &natural, &held, &mut same)?;
        }
        for reference in &self.parent.references {
            refusals.extend(self.compare_reference(reference, &held, &same)?);
        }
        Ok(())
    }

    /// The columns that identify rows: those of the owner's `match`, of a `conflict`, or of another unique key of the table.
    /// If rows are skipped by the key itself and nothing else identifies them, all other columns that are sent.
    fn natural_key(&self, table: &TargetTable) -> Vec<String> {
        let owner = self.plan.owner.as_ref().filter(|_| self.parent.is_owner);
        let by_match: Vec<String> = owner.iter().flat_map(|o| o.natural.iter().map(|c| c.name.clone())).collect();
        let ParentColumns { keys, numbers, .. } = &self.parent.columns;
        let is_natural =
            |c: &Vec<String>| !numbers.iter().all(|n| c.contains(n)) && !c.iter().all(|n| keys.contains(n));
        let conflict = || self.loads().filter_map(|load| load.conflict.clone()).find(is_natural);
        let skipping = self.loads().find(|load| load.conflict.as_ref() == Some(keys));
        let is_sent =
            |c: &Vec<String>| skipping.is_none_or(|load| c.iter().all(|n| load.columns.iter().any(|s| s.name == *n)));
        let unique = || table.unique.iter().map(|u| u.columns.clone()).find(|c| is_natural(c) && is_sent(c));
        let others = || {
            let is_other = |c: &&ColumnPlan| is_cell(c) && c.kind.is_binary() && !keys.contains(&c.name);
            Some(skipping?.columns.iter().filter(is_other).map(|c| c.name.clone()).collect())
        };
        if by_match.is_empty() { conflict().or_else(unique).or_else(others).unwrap_or_default() } else { by_match }
    }

    fn target_keys(&self, session: &mut Session, natural: &[String]) -> Result<TargetKeys, Stop> {
        let set = || KeySet::within(&self.memory);
        let mut held = TargetKeys { keys: set(), natural: set(), both: set() };
        let ParentColumns { table, keys, compared, .. } = &self.parent.columns;
        let columns: Vec<String> = keys.iter().chain(natural).cloned().collect();
        let rows = ReadBack { schema: &self.plan.schema, table, columns: &columns, only: None };
        session.read_back(&rows, &mut |image| {
            if let Some((key, natural)) = split(image, compared) {
                held.keys.add([key]);
                held.natural.add([natural]);
                held.both.add([both(key, natural)]);
            }
        })?;
        Ok(held)
    }

    /// A load of the source's table of the same name without any change, to compare it if no load writes the table.
    fn unmapped_load(&self, target: &TargetTable, natural: &[String]) -> Option<LoadPlan> {
        let ParentColumns { table, keys, .. } = &self.parent.columns;
        let source = self.source.schema().tables.get(table).filter(|_| !natural.is_empty())?;
        let names: Vec<&String> = keys.iter().chain(natural).collect();
        let column = |(n, name): (usize, &&String)| {
            source.column(name)?;
            let column = target.column(name).filter(|c| c.kind.is_binary())?;
            Some(ColumnPlan {
                name: column.name.clone(),
                kind: column.kind.clone(),
                not_null: false,
                feed: Feed::Cell(n),
                rules: Rules::default(),
                declared: None,
                shift: None,
                refers: None,
            })
        };
        Some(LoadPlan {
            name: table.clone(),
            table: table.clone(),
            source: table.clone(),
            select: Select {
                relation: Relation::Table(table.clone()),
                address: source.address.clone(),
                exprs: names.iter().map(|name| Expr::Column((*name).clone())).collect(),
                params: Default::default(),
            },
            columns: names.iter().enumerate().map(column).collect::<Option<_>>()?,
            conflict: None,
            when_empty: false,
            existing: None,
            surrogate: None,
            triggers_fire: false,
            as_text: false,
            unfed: Vec::new(),
        })
    }

    /// Compares the rows that a load brings into the table. Adds the ids that identify the same row on both sides to `same`.
    fn compare_load(
        &self,
        load: &LoadPlan,
        natural: &[String],
        held: &TargetKeys,
        same: &mut KeySet,
    ) -> Result<Option<Refusal>, Stop> {
        let ParentColumns { keys, numbers, .. } = &self.parent.columns;
        let (mut taken, mut elsewhere) = (0, 0u64);
        let (names, key): (Vec<&String>, _) = (keys.iter().chain(natural).collect(), numbers.join(", "));
        self.each_key(load, &names, |key, natural| {
            match held.keys.present.contains(key) {
                // Without a natural key it is unknown whether the rows are the same.
                _ if names.len() == keys.len() => {}
                true if held.both.present.contains(both(key, natural)) => same.add([key]),
                true => taken += 1,
                false => elsewhere += u64::from(held.natural.present.contains(natural)),
            }
        })?;
        let by = natural.join(", ");
        if self.parent.references.is_empty() {
            let reason = format!(
                "`conflict` skips {taken} of its rows, because the target has other rows under their {key} (identified by \
                 {by}): these rows would be lost"
            );
            return Ok((taken > 0).then(|| Refusal::new(load.place(), reason, self.new_ids(&key, &by))));
        }
        let (other, whose) = if self.parent.is_owner { ("owner", "owner's") } else { ("row", "parent's") };
        let found = match (taken, elsewhere) {
            (0, 0) => return Ok(None),
            (0, n) => format!("{n} of its rows are on the target already under another {key} (identified by {by})"),
            (n, 0) => format!("{n} of its ids are taken on the target by another {other} (identified by {by})"),
            (n, m) => format!(
                "{n} of its ids are taken on the target by another {other}, and {m} rows are on it under another {key} \
                 (identified by {by})"
            ),
        };
        let reason = format!("{found}: rows that carry such an id would become another {whose}");
        Ok(Some(Refusal::new(load.place(), reason, self.new_ids(&key, &by))))
    }

    fn new_ids(&self, key: &str, by: &str) -> String {
        format!(
            "Leave `{key}` to the target (`{key} = {{ omit = true }}`, `conflict = {{ skip = [...] }}`) and look it up by {by} \
             wherever rows refer to it."
        )
    }

    /// Refuses references to rows of the target that this run does not write and that cannot be identified.
    fn compare_reference(
        &self,
        reference: &CarriedKey<'_>,
        held: &TargetKeys,
        same: &KeySet,
    ) -> Result<Option<Refusal>, Stop> {
        let mut unidentified = 0;
        let names: Vec<&String> = reference.columns.iter().map(|column| &column.name).collect();
        self.each_key(reference.load, &names, |key, _| {
            unidentified += u64::from(held.keys.present.contains(key) && !same.present.contains(key));
        })?;
        let thing = if self.parent.is_owner { "owner" } else { "row" };
        let reason = format!(
            "{unidentified} rows refer to rows of `{}` that existed on the target before this run, and it cannot be \
             determined whether these ids mean the same {thing}",
            self.parent.columns.table
        );
        Ok((unidentified > 0).then(|| Refusal::new(self.place(reference), reason, self.advice())))
    }

    fn advice(&self) -> String {
        match self.parent.is_owner {
            true => "Look the owner up by a natural key (`lookup = { ... }`).".to_owned(),
            false => format!(
                "Look the row of `{}` up by a natural key (`lookup = {{ ... }}`), or load it with its own ids.",
                self.parent.columns.table
            ),
        }
    }

    /// Calls `on_key` for every row that can be converted: with the key, which is the first of these columns, and with the
    /// hash of the other columns. Skips rows with a NULL in the key.
    fn each_key(&self, load: &LoadPlan, names: &[&String], mut on_key: impl FnMut(u64, u64)) -> Result<(), Stop> {
        let columns: Option<Vec<ColumnPlan>> =
            names.iter().map(|name| load.columns.iter().find(|c| c.name == **name).cloned()).collect();
        let Some(columns) = columns else { return Ok(()) };
        let encoder = RowEncoder::project(load, columns, self.settled).map_err(Stop::Refused)?;
        let (mut image, mut notes) = (Vec::new(), Notes::default());
        self.source.reader()?.each(&load.select, KeyRange::ALL, |row| {
            image.clear();
            if encoder.encode(row, &mut image, &mut notes)
                && let Some((key, rest)) = split(&image, &self.parent.columns.compared)
            {
                on_key(key, rest);
            }
            CONTINUE
        })?;
        Ok(())
    }
}

fn is_cell(column: &ColumnPlan) -> bool {
    matches!(column.feed, Feed::Cell(_))
}

/// The key in a row's first fields, and the hash of its other fields. `None` if the key contains NULL.
fn split(image: &[u8], compared: &[Comparison]) -> Option<(u64, u64)> {
    let places: Vec<usize> = (0..compared.len()).collect();
    let key = key(image, &places, compared)?;
    let fields = binary::fields(image)?;
    let others = fields.get(compared.len()..)?;
    let mut rest = Vec::new();
    for field in others {
        rest.extend_from_slice(&field.map_or(-1, |f| f.len() as i64).to_be_bytes());
        rest.extend_from_slice(field.unwrap_or_default());
    }
    Some((key, xxh3_64(&rest)))
}

fn both(key: u64, natural: u64) -> u64 {
    xxh3_64(&[key.to_be_bytes(), natural.to_be_bytes()].concat())
}
