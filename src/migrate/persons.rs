//! The wrong person, the wrong parent: a number that means one row in the source and another on the target, found before
//! anything is written.
//!
//! Only references that bring the source's number along are in danger; what is stamped, looked up or shifted names no number
//! of the source's, and a text is the same on both sides. Rows are compared by a natural key; where there is none, a reference
//! to a row that this run does not write is refused.

use std::ops::ControlFlow;

use xxhash_rust::xxh3::xxh3_64;

use crate::convert::Settled;
use crate::convert::row::{Maps, Notes, RowEncoder};
use crate::model::key::Key;
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::record::Refusal;
use crate::model::rules::Rules;
use crate::model::schema::{TargetSchema, TargetTable};
use crate::model::select::{Expr, Failed, Relation, Row, Select, Sink};
use crate::plan::{ColumnPlan, Compared, Feed, LoadPlan, Plan};
use crate::source::Source;
use crate::target::{ReadBack, Session};
use crate::wire::binary;

use super::Stop;
use super::batch::GO_ON;
use super::keyset::{KeySet, MOST_BYTES};

/// A refusal for every load whose rows would become somebody else's, or another parent's. Nothing where the tables that are
/// referred to held no rows.
///
/// # Errors
/// When the source cannot be read or the target refuses.
pub fn mistaken(
    session: &mut Session,
    (plan, target): (&Plan, &TargetSchema),
    source: &Source,
    settled: &Settled,
) -> Result<Vec<Refusal>, Stop> {
    let mut refusals = Vec::new();
    for parent in parents(plan, target) {
        let ground = Ground { plan, target, source, settled, parent: &parent };
        let anew = ground.issued_anew();
        if anew.is_empty() { ground.compare(session, &mut refusals)? } else { refusals.extend(anew) }
    }
    Ok(refusals)
}

/// A column that rows refer to by the source's own value.
struct Parent<'p> {
    table: String,
    key: String,
    kind: ColumnType,
    /// It is the owner's.
    is_owner: bool,
    carriers: Vec<(&'p LoadPlan, &'p ColumnPlan)>,
}

/// What carried references end at: integers by foreign keys, and whatever says who the owner is.
fn parents<'p>(plan: &'p Plan, target: &TargetSchema) -> Vec<Parent<'p>> {
    let mut found: Vec<Parent<'p>> = Vec::new();
    for (load, column) in plan.loads.iter().flat_map(|load| load.columns.iter().map(move |column| (load, column))) {
        if !matches!(column.feed, Feed::Cell(_)) || column.shift.is_some() {
            continue;
        }
        for (table, key, kind) in ends(plan, target, load, column) {
            let is_owner = plan.owner.as_ref().is_some_and(|o| o.table == table && o.key == key);
            if !is_owner && (load.as_text || Compared::of(&kind.kind) != Some(Compared::Integer)) {
                continue;
            }
            match found.iter_mut().find(|p| p.table == table && p.key == key) {
                Some(parent) => parent.carriers.push((load, column)),
                None => found.push(Parent { table, key, kind, is_owner, carriers: vec![(load, column)] }),
            }
        }
    }
    found
}

/// The columns that a column refers to.
fn ends(plan: &Plan, target: &TargetSchema, load: &LoadPlan, column: &ColumnPlan) -> Vec<(String, String, ColumnType)> {
    let foreign = target.tables.get(&load.table).map(|t| t.foreign.as_slice()).unwrap_or_default();
    let meant = foreign.iter().filter(|f| f.columns == [column.name.clone()] && f.parent_schema == target.schema);
    let mut ends: Vec<(String, String)> =
        meant.filter_map(|f| Some((f.parent.clone(), f.parent_columns.first()?.clone()))).collect();
    let path = plan.paths.get(&load.table);
    if let Some(owner) = plan.owner.as_ref()
        && path.is_some_and(|path| !path.stamped && path.hops.is_empty() && path.column == column.name)
    {
        ends.push((owner.table.clone(), owner.key.clone()));
    }
    ends.sort();
    ends.dedup();
    let typed = |(table, key): (String, String)| {
        let kind = target.tables.get(&table)?.column(&key)?.kind.clone();
        Some((table, key, kind))
    };
    ends.into_iter().filter_map(typed).collect()
}

/// One table that is referred to, and everything that is asked about it.
struct Ground<'g> {
    plan: &'g Plan,
    target: &'g TargetSchema,
    source: &'g Source,
    settled: &'g Settled,
    parent: &'g Parent<'g>,
}

/// Who is on the target, as numbers: integers as they are, all else hashed.
#[derive(Default)]
struct There {
    keys: KeySet,
    natural: KeySet,
    both: KeySet,
}

impl Ground<'_> {
    /// The loads that write rows into the table.
    fn loads(&self) -> impl Iterator<Item = &LoadPlan> {
        let holds = self.target.tables.get(&self.parent.table).is_some_and(|table| table.has_rows);
        self.plan.loads.iter().filter(move |load| load.table == self.parent.table && !(load.when_empty && holds))
    }

    /// Where the target issues all ids of the rows that come, the source's own numbers mean nothing or something else.
    fn issued_anew(&self) -> Vec<Refusal> {
        let Parent { table, key, carriers, is_owner, .. } = self.parent;
        let feed = |load: &LoadPlan| load.columns.iter().find(|c| c.name == *key).map(|c| c.feed.clone());
        let mut keys = self.loads().filter_map(feed).peekable();
        if keys.peek().is_none() || keys.any(|feed| !matches!(feed, Feed::Issued(_))) {
            return Vec::new();
        }
        let mean = if *is_owner { "other people".to_owned() } else { format!("other rows of `{table}`") };
        let refusal = |(load, column): &(&LoadPlan, &ColumnPlan)| {
            let what =
                format!("brings the source's `{key}` along, and the target issues these anew: they would mean {mean}");
            Refusal::new(format!("{}.columns.{}", load.place(), column.name), what, self.advice())
        };
        carriers.iter().map(refusal).collect()
    }

    fn compare(&self, session: &mut Session, refusals: &mut Vec<Refusal>) -> Result<(), Stop> {
        let Parent { table, key, .. } = self.parent;
        let Some(facts) = self.target.tables.get(table).filter(|facts| facts.has_rows) else { return Ok(()) };
        let natural = self.natural(facts);
        // A natural key that is the key itself cannot mean something else.
        if natural == [key.clone()] {
            return Ok(());
        }
        let there = self.there(session, &natural)?;
        if there.keys.open || there.natural.open || there.both.open {
            let what = format!("holds too many rows to compare ids with: more than {} MiB of them", MOST_BYTES >> 20);
            refusals.push(Refusal::new(format!("{}.{table}", self.plan.schema), what, self.advice()));
            return Ok(());
        }
        let mut same = KeySet::default();
        let mut brings = false;
        for load in self.loads().filter(|load| load.columns.iter().any(|c| c.name == *key && is_cell(c))) {
            refusals.extend(self.take_in(load, &natural, &there, &mut same)?);
            brings = true;
        }
        if let Some(twin) = self.twin(facts, &natural).filter(|_| !brings) {
            self.take_in(&twin, &natural, &there, &mut same)?;
        }
        for (load, column) in &self.parent.carriers {
            refusals.extend(self.carried(load, column, &there, &same)?);
        }
        Ok(())
    }

    /// The columns by which rows are known: those of the owner's `match`, of a `conflict`, else another unique key of the table.
    fn natural(&self, facts: &TargetTable) -> Vec<String> {
        let owner = self.plan.owner.as_ref().filter(|_| self.parent.is_owner);
        let by_match: Vec<String> = owner.iter().flat_map(|o| o.natural.iter().map(|c| c.name.clone())).collect();
        let conflict = || self.loads().find_map(|load| load.conflict.clone());
        let unique = || facts.unique.iter().map(|u| u.columns.clone()).find(|c| !c.contains(&self.parent.key));
        if by_match.is_empty() { conflict().or_else(unique).unwrap_or_default() } else { by_match }
    }

    fn there(&self, session: &mut Session, natural: &[String]) -> Result<There, Stop> {
        let mut there = There::default();
        let columns: Vec<String> = std::iter::once(self.parent.key.clone()).chain(natural.iter().cloned()).collect();
        let what = ReadBack { schema: &self.plan.schema, table: &self.parent.table, columns: &columns, only: None };
        session.read_back(&what, &mut |image| {
            if let Some((key, natural)) = split(image, &self.parent.kind.kind) {
                there.keys.add([key]);
                there.natural.add([natural]);
                there.both.add([both(key, natural)]);
            }
        })?;
        Ok(there)
    }

    /// The source's table of the same name, as if it were loaded unchanged: to compare with what no load writes.
    fn twin(&self, facts: &TargetTable, natural: &[String]) -> Option<LoadPlan> {
        let Parent { table, key, .. } = self.parent;
        let from = self.source.schema().tables.get(table).filter(|_| !natural.is_empty())?;
        let names: Vec<&String> = std::iter::once(key).chain(natural).collect();
        let column = |(n, name): (usize, &&String)| {
            from.column(name)?;
            let facts = facts.column(name).filter(|c| c.kind.is_binary())?;
            Some(ColumnPlan {
                name: facts.name.clone(),
                kind: facts.kind.clone(),
                not_null: false,
                feed: Feed::Cell(n),
                rules: Rules::default(),
                declared: None,
                shift: None,
            })
        };
        Some(LoadPlan {
            name: table.clone(),
            table: table.clone(),
            source: table.clone(),
            select: Select {
                relation: Relation::Table(table.clone()),
                address: from.address.clone(),
                exprs: names.iter().map(|name| Expr::Column((*name).clone())).collect(),
                params: Default::default(),
            },
            columns: names.iter().enumerate().map(column).collect::<Option<_>>()?,
            conflict: None,
            when_empty: false,
            append: false,
            triggers_fire: false,
            as_text: false,
        })
    }

    /// The rows that a load brings into the table; those that mean the same on both sides go into `same`.
    fn take_in(
        &self,
        load: &LoadPlan,
        natural: &[String],
        there: &There,
        same: &mut KeySet,
    ) -> Result<Option<Refusal>, Stop> {
        let Parent { key, is_owner, .. } = self.parent;
        let (mut taken, mut elsewhere) = (0, 0u64);
        let names: Vec<&String> = std::iter::once(key).chain(natural).collect();
        self.rows(load, &names, &mut |key, natural| {
            match there.keys.there.contains(key) {
                // Nothing says whether they are the same.
                _ if names.len() == 1 => {}
                true if there.both.there.contains(both(key, natural)) => same.add([key]),
                true => taken += 1,
                false => elsewhere += u64::from(there.natural.there.contains(natural)),
            }
        })?;
        let by = natural.join(", ");
        let (other, whose) = match is_owner {
            true => ("by somebody else", "another person's"),
            false => ("by another row", "another parent's"),
        };
        let what = match (taken, elsewhere) {
            (0, 0) => return Ok(None),
            (0, n) => format!("{n} of its rows are on the target already under another {key} (known by {by})"),
            (n, 0) => format!("{n} of its ids are taken on the target {other} (known by {by})"),
            (n, m) => format!(
                "{n} of its ids are taken on the target {other}, and {m} rows are there under another {key} (known by {by})"
            ),
        };
        let what = format!("{what}: rows that bring such an id along would become {whose}");
        let advice = format!(
            "Leave `{key}` to the target (`{key} = {{ omit = true }}`, `conflict = {{ skip = [...] }}`) and look it up by {by} \
             wherever rows refer to it."
        );
        Ok(Some(Refusal::new(load.place(), what, advice)))
    }

    /// References that end at a row of the target which this run does not write and of which nobody knows what it is.
    fn carried(
        &self,
        load: &LoadPlan,
        column: &ColumnPlan,
        there: &There,
        same: &KeySet,
    ) -> Result<Option<Refusal>, Stop> {
        let mut strange = 0;
        self.rows(load, &[&column.name], &mut |key, _| {
            strange += u64::from(there.keys.there.contains(key) && !same.there.contains(key));
        })?;
        let person = if self.parent.is_owner { "person" } else { "row" };
        let what = format!(
            "{strange} rows refer to rows of `{}` that were on the target before, and that the same number means the same \
             {person} there is not known",
            self.parent.table
        );
        let place = format!("{}.columns.{}", load.place(), column.name);
        Ok((strange > 0).then(|| Refusal::new(place, what, self.advice())))
    }

    fn advice(&self) -> String {
        match self.parent.is_owner {
            true => "Look the owner up by what the person is known by (`lookup = { ... }`).".to_owned(),
            false => format!(
                "Look the row of `{}` up by what it is known by (`lookup = {{ ... }}`), or load it with its own ids.",
                self.parent.table
            ),
        }
    }

    /// Of every row that can be converted: the first of these columns, and the others together. NULL in the first is left out.
    fn rows(&self, load: &LoadPlan, names: &[&String], each: &mut dyn FnMut(u64, u64)) -> Result<(), Stop> {
        let columns: Option<Vec<ColumnPlan>> =
            names.iter().map(|name| load.columns.iter().find(|c| c.name == **name).cloned()).collect();
        let Some(columns) = columns else { return Ok(()) };
        let kind = columns.first().map(|c| c.kind.kind.clone()).unwrap_or(Kind::Other);
        let encoder =
            RowEncoder::new(&LoadPlan { columns, as_text: false, ..load.clone() }, self.settled, &Maps::new());
        let encoder = encoder.map_err(Stop::Refused)?;
        let mut sink = Rows { encoder, kind, image: Vec::new(), notes: Notes::default(), each };
        self.source.reader()?.scan(&load.select, None, None, &mut sink)?;
        Ok(())
    }
}

fn is_cell(column: &ColumnPlan) -> bool {
    matches!(column.feed, Feed::Cell(_))
}

struct Rows<'r> {
    encoder: RowEncoder,
    kind: Kind,
    image: Vec<u8>,
    notes: Notes,
    each: &'r mut dyn FnMut(u64, u64),
}

impl Sink for Rows<'_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.image.clear();
        if self.encoder.encode(row, &mut self.image, &mut self.notes)
            && let Some((key, natural)) = split(&self.image, &self.kind)
        {
            (self.each)(key, natural);
        }
        GO_ON
    }

    fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
        GO_ON
    }
}

/// A row's first field, an integer as itself, and the hash of the others.
fn split(image: &[u8], kind: &Kind) -> Option<(u64, u64)> {
    let fields = binary::fields(image)?;
    let (first, others) = fields.split_first()?;
    let first = (*first)?;
    let key = match kind {
        Kind::Int2 => i64::from(i16::from_be_bytes(first.try_into().ok()?)) as u64,
        Kind::Int4 => i64::from(i32::from_be_bytes(first.try_into().ok()?)) as u64,
        Kind::Int8 => i64::from_be_bytes(first.try_into().ok()?) as u64,
        _ => xxh3_64(first),
    };
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
