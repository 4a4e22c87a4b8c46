//! The wrong person, the wrong parent: a number that means one row in the source and another on the target, found before
//! anything is written.
//!
//! Only references that bring the source's number along are in danger; what is stamped, looked up or shifted names no number
//! of the source's, and a text is the same on both sides. Rows are compared by a natural key; where there is none, a reference
//! to a row that this run does not write is refused. A reference of several columns is compared as far as they are known.

use std::ops::ControlFlow;

use xxhash_rust::xxh3::xxh3_64;

use crate::convert::Settled;
use crate::convert::row::{Maps, Notes, RowEncoder};
use crate::migrate::owner;
use crate::model::cell::RawBuf;
use crate::model::key::{Key, KeyRange};
use crate::model::record::Refusal;
use crate::model::rules::{Rules, Value};
use crate::model::schema::{ForeignKey, TargetSchema, TargetTable};
use crate::model::select::{Expr, Failed, Relation, Row, Select, Sink};
use crate::pg::{ReadBack, Session};
use crate::plan::{ColumnPlan, Comparison, Feed, LoadPlan, Plan};
use crate::sqlite::Source;
use crate::wire::binary;

use crate::job::Stop;
use crate::migrate::rows::keyset::KeySet;
use crate::migrate::rows::keyset::MOST_BYTES;
use crate::migrate::rows::keyset::key;
use crate::model::select::CONTINUE;

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
    let owner = owner::find(session, plan, settled)?.map(RawBuf::text);
    let settled = &Settled { owner, ..settled.clone() };
    let mut refusals = Vec::new();
    for parent in parents(plan, target, settled) {
        let ground = Ground { plan, target, source, settled, parent: &parent };
        let anew = ground.issued_anew();
        if anew.is_empty() { ground.compare(session, &mut refusals)? } else { refusals.extend(anew) }
    }
    Ok(refusals)
}

/// What rows refer to by the source's own numbers.
struct Parent<'p> {
    end: End,
    /// It is the owner's.
    is_owner: bool,
    carriers: Vec<Carrier<'p>>,
}

/// Columns of a table that a reference ends at, as far as what it says of them is known beforehand.
#[derive(PartialEq)]
struct End {
    table: String,
    keys: Vec<String>,
    compared: Vec<Comparison>,
    /// Those of the keys that are numbers of the source's own.
    numbers: Vec<String>,
}

/// A load, and its columns that say the keys.
type Carrier<'p> = (&'p LoadPlan, Vec<&'p ColumnPlan>);

/// What carried references end at: numbers by foreign keys, and whatever says who the owner is.
fn parents<'p>(plan: &'p Plan, target: &TargetSchema, settled: &Settled) -> Vec<Parent<'p>> {
    let mut found: Vec<Parent<'p>> = Vec::new();
    for load in &plan.loads {
        for key in references(plan, target, load) {
            let is_owner =
                plan.owner.as_ref().is_some_and(|o| o.table == key.parent && key.parent_columns == [o.key.clone()]);
            let Some((end, columns)) = end(target, load, &key, (settled, is_owner)) else { continue };
            match found.iter_mut().find(|p| p.end == end) {
                Some(parent) => parent.carriers.push((load, columns)),
                None => found.push(Parent { end, is_owner, carriers: vec![(load, columns)] }),
            }
        }
    }
    found
}

/// The references of a load within the schema; what says who the owner is counts as one.
fn references(plan: &Plan, target: &TargetSchema, load: &LoadPlan) -> Vec<ForeignKey> {
    let foreign = target.tables.get(&load.table).map(|t| t.foreign.as_slice()).unwrap_or_default();
    let meant = foreign.iter().filter(|f| f.parent_schema == target.schema);
    let unnamed = |f: &ForeignKey| ForeignKey {
        columns: f.columns.clone(),
        parent: f.parent.clone(),
        parent_columns: f.parent_columns.clone(),
        ..ForeignKey::default()
    };
    let mut found: Vec<ForeignKey> = meant.map(unnamed).collect();
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

/// Where a reference ends and the columns that say so. Nothing where no number of the source's is among them, or where
/// they cannot end at a row that was there: what is shifted, and what an owner says who is not there yet.
fn end<'p>(
    target: &TargetSchema,
    load: &'p LoadPlan,
    key: &ForeignKey,
    (settled, is_owner): (&Settled, bool),
) -> Option<(End, Vec<&'p ColumnPlan>)> {
    let parent = target.tables.get(&key.parent)?;
    let (keys, compared, numbers) = (Vec::new(), Vec::new(), Vec::new());
    let mut end = End { table: key.parent.clone(), keys, compared, numbers };
    let mut columns = Vec::new();
    for (name, parent_name) in key.columns.iter().zip(&key.parent_columns) {
        let Some(column) = load.columns.iter().find(|c| c.name == *name) else { continue };
        match &column.feed {
            Feed::Cell(_) if column.shift.is_some() => return None,
            Feed::Owner | Feed::Constant(Value::Owner) if settled.owner.is_none() => {
                let owners = |f: &ForeignKey| f.columns == [parent_name.clone()];
                if parent.foreign.iter().any(owners) {
                    return None;
                }
                continue;
            }
            Feed::Cell(_) | Feed::Constant(_) | Feed::Owner => {}
            Feed::Issued(_) | Feed::Lookup(_) => continue,
        }
        let how = Comparison::of(&column.kind.kind);
        if how != Comparison::of(&parent.column(parent_name)?.kind.kind) {
            continue;
        }
        if is_cell(column) && (is_owner || how == Some(Comparison::Integer)) {
            end.numbers.push(parent_name.clone());
        }
        end.keys.push(parent_name.clone());
        end.compared.push(how.unwrap_or(Comparison::Bytea));
        columns.push(column);
    }
    (!end.numbers.is_empty()).then_some((end, columns))
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
        let holds = self.target.tables.get(&self.parent.end.table).is_some_and(|table| table.has_rows);
        self.plan.loads.iter().filter(move |load| load.table == self.parent.end.table && !(load.when_empty && holds))
    }

    /// Where the target issues all ids of the rows that come, the source's own numbers mean nothing or something else.
    fn issued_anew(&self) -> Vec<Refusal> {
        let Parent { end: End { table, numbers, .. }, carriers, is_owner } = self.parent;
        let is_issued = |load: &LoadPlan| {
            let mut own = load.columns.iter().filter(|c| numbers.contains(&c.name)).peekable();
            own.peek().is_some().then(|| own.any(|c| matches!(c.feed, Feed::Issued(_))))
        };
        let mut loads = self.loads().filter_map(is_issued).peekable();
        if loads.peek().is_none() || loads.any(|issued| !issued) {
            return Vec::new();
        }
        let mean = if *is_owner { "other people".to_owned() } else { format!("other rows of `{table}`") };
        let key = numbers.join(", ");
        let refusal = |carrier: &Carrier<'_>| {
            let what =
                format!("brings the source's `{key}` along, and the target issues these anew: they would mean {mean}");
            Refusal::new(self.place(carrier), what, self.advice())
        };
        carriers.iter().map(refusal).collect()
    }

    /// Where the number of a reference stands in the mapping.
    fn place(&self, (load, columns): &Carrier<'_>) -> String {
        let End { keys, numbers, .. } = &self.parent.end;
        let number = keys.iter().position(|key| numbers.contains(key)).and_then(|n| columns.get(n));
        format!("{}.columns.{}", load.place(), number.map(|c| c.name.as_str()).unwrap_or_default())
    }

    fn compare(&self, session: &mut Session, refusals: &mut Vec<Refusal>) -> Result<(), Stop> {
        let End { table, keys, numbers, .. } = &self.parent.end;
        let Some(facts) = self.target.tables.get(table).filter(|facts| facts.has_rows) else { return Ok(()) };
        let natural = self.natural(facts);
        // A natural key that is the key itself cannot mean something else.
        if !natural.is_empty() && natural.iter().all(|column| keys.contains(column)) {
            return Ok(());
        }
        let there = self.there(session, &natural)?;
        if there.keys.unknown || there.natural.unknown || there.both.unknown {
            let what = format!("holds too many rows to compare ids with: more than {} MiB of them", MOST_BYTES >> 20);
            refusals.push(Refusal::new(format!("{}.{table}", self.plan.schema), what, self.advice()));
            return Ok(());
        }
        let mut same = KeySet::default();
        let mut brings = false;
        let fed = |load: &LoadPlan, name: &String| load.columns.iter().any(|c| c.name == *name && is_cell(c));
        for load in self.loads().filter(|load| numbers.iter().all(|name| fed(load, name))) {
            refusals.extend(self.take_in(load, &natural, &there, &mut same)?);
            brings = true;
        }
        if let Some(twin) = self.twin(facts, &natural).filter(|_| !brings) {
            self.take_in(&twin, &natural, &there, &mut same)?;
        }
        for carrier in &self.parent.carriers {
            refusals.extend(self.carried(carrier, &there, &same)?);
        }
        Ok(())
    }

    /// The columns by which rows are known: those of the owner's `match`, of a `conflict`, else another unique key of the table.
    fn natural(&self, facts: &TargetTable) -> Vec<String> {
        let owner = self.plan.owner.as_ref().filter(|_| self.parent.is_owner);
        let by_match: Vec<String> = owner.iter().flat_map(|o| o.natural.iter().map(|c| c.name.clone())).collect();
        let conflict = || self.loads().find_map(|load| load.conflict.clone());
        let End { keys, numbers, .. } = &self.parent.end;
        let says_more = |c: &Vec<String>| !numbers.iter().all(|n| c.contains(n)) && !c.iter().all(|n| keys.contains(n));
        let unique = || facts.unique.iter().map(|u| u.columns.clone()).find(says_more);
        if by_match.is_empty() { conflict().or_else(unique).unwrap_or_default() } else { by_match }
    }

    fn there(&self, session: &mut Session, natural: &[String]) -> Result<There, Stop> {
        let mut there = There::default();
        let End { table, keys, compared, .. } = &self.parent.end;
        let columns: Vec<String> = keys.iter().chain(natural).cloned().collect();
        let what = ReadBack { schema: &self.plan.schema, table, columns: &columns, only: None };
        session.read_back(&what, &mut |image| {
            if let Some((key, natural)) = split(image, compared) {
                there.keys.add([key]);
                there.natural.add([natural]);
                there.both.add([both(key, natural)]);
            }
        })?;
        Ok(there)
    }

    /// The source's table of the same name, as if it were loaded unchanged: to compare with what no load writes.
    fn twin(&self, facts: &TargetTable, natural: &[String]) -> Option<LoadPlan> {
        let End { table, keys, .. } = &self.parent.end;
        let from = self.source.schema().tables.get(table).filter(|_| !natural.is_empty())?;
        let names: Vec<&String> = keys.iter().chain(natural).collect();
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
            unfed: Vec::new(),
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
        let Parent { end: End { keys, numbers, .. }, is_owner, .. } = self.parent;
        let (mut taken, mut elsewhere) = (0, 0u64);
        let (names, key): (Vec<&String>, _) = (keys.iter().chain(natural).collect(), numbers.join(", "));
        self.rows(load, &names, &mut |key, natural| {
            match there.keys.present.contains(key) {
                // Nothing says whether they are the same.
                _ if names.len() == keys.len() => {}
                true if there.both.present.contains(both(key, natural)) => same.add([key]),
                true => taken += 1,
                false => elsewhere += u64::from(there.natural.present.contains(natural)),
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
    fn carried(&self, carrier: &Carrier<'_>, there: &There, same: &KeySet) -> Result<Option<Refusal>, Stop> {
        let mut strange = 0;
        let (load, columns) = carrier;
        let names: Vec<&String> = columns.iter().map(|column| &column.name).collect();
        self.rows(load, &names, &mut |key, _| {
            strange += u64::from(there.keys.present.contains(key) && !same.present.contains(key));
        })?;
        let person = if self.parent.is_owner { "person" } else { "row" };
        let what = format!(
            "{strange} rows refer to rows of `{}` that were on the target before, and that the same number means the same \
             {person} there is not known",
            self.parent.end.table
        );
        Ok((strange > 0).then(|| Refusal::new(self.place(carrier), what, self.advice())))
    }

    fn advice(&self) -> String {
        match self.parent.is_owner {
            true => "Look the owner up by what the person is known by (`lookup = { ... }`).".to_owned(),
            false => format!(
                "Look the row of `{}` up by what it is known by (`lookup = {{ ... }}`), or load it with its own ids.",
                self.parent.end.table
            ),
        }
    }

    /// Of every row that can be converted: the first of these columns, as many as the key has, and the others together. A row
    /// with a NULL in its key is left out.
    fn rows(&self, load: &LoadPlan, names: &[&String], each: &mut dyn FnMut(u64, u64)) -> Result<(), Stop> {
        let columns: Option<Vec<ColumnPlan>> =
            names.iter().map(|name| load.columns.iter().find(|c| c.name == **name).cloned()).collect();
        let Some(columns) = columns else { return Ok(()) };
        let encoder =
            RowEncoder::new(&LoadPlan { columns, as_text: false, ..load.clone() }, self.settled, &Maps::new());
        let encoder = encoder.map_err(Stop::Refused)?;
        let compared = &self.parent.end.compared;
        let mut sink = Rows { encoder, compared, image: Vec::new(), notes: Notes::default(), each };
        self.source.reader()?.scan(&load.select, KeyRange::ALL, &mut sink)?;
        Ok(())
    }
}

fn is_cell(column: &ColumnPlan) -> bool {
    matches!(column.feed, Feed::Cell(_))
}

struct Rows<'r> {
    encoder: RowEncoder,
    compared: &'r [Comparison],
    image: Vec<u8>,
    notes: Notes,
    each: &'r mut dyn FnMut(u64, u64),
}

impl Sink for Rows<'_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.image.clear();
        if self.encoder.encode(row, &mut self.image, &mut self.notes)
            && let Some((key, natural)) = split(&self.image, self.compared)
        {
            (self.each)(key, natural);
        }
        CONTINUE
    }

    fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
        CONTINUE
    }
}

/// What a row's first fields are known by, and the hash of the others.
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
