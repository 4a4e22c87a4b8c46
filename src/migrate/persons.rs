//! The wrong person: an id that means one person in the source and another on the target, found before anything is written.
//!
//! Only rows that bring their owner's id along are in danger; what is stamped, looked up or shifted names no id of theirs.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use crate::convert::Settled;
use crate::convert::row::{Maps, Notes, RowEncoder};
use crate::model::key::Key;
use crate::model::pgtype::Kind;
use crate::model::record::Refusal;
use crate::model::schema::{TargetSchema, TargetTable};
use crate::model::select::{Row, Sink};
use crate::plan::{ColumnPlan, Feed, LoadPlan, OwnerPlan, Plan};
use crate::source::Source;
use crate::target::{ReadBack, Session};
use crate::wire::binary;

use super::Stop;
use super::batch::GO_ON;

/// A refusal for every load whose rows would become somebody else's. Nothing where the owner's table held no rows.
///
/// # Errors
/// When the source cannot be read or the target refuses.
pub fn mistaken(
    session: &mut Session,
    (plan, target): (&Plan, &TargetSchema),
    source: &Source,
    settled: &Settled,
) -> Result<Vec<Refusal>, Stop> {
    let Some(owner) = &plan.owner else { return Ok(Vec::new()) };
    let carriers = carriers(plan, owner, target);
    let anew = issued_anew(plan, owner, &carriers);
    let Some(table) = target.tables.get(&owner.table).filter(|table| table.has_rows && anew.is_empty()) else {
        return Ok(anew);
    };
    let natural = natural(plan, owner, table);
    // A natural key that is the key itself cannot mean somebody else.
    if carriers.is_empty() || natural == [owner.key.clone()] {
        return Ok(Vec::new());
    }
    let mut people = People::read(session, plan, owner, &natural)?;
    let mut refusals = Vec::new();
    for load in plan.loads.iter().filter(|load| load.table == owner.table) {
        refusals.extend(people.take_in(source, load, (&owner.key, &natural), settled)?);
    }
    for (load, column) in carriers {
        refusals.extend(people.carried(source, load, column, (owner, &natural), settled)?);
    }
    Ok(refusals)
}

/// Where the target issues all ids of the people who come, the source's own numbers mean nobody or somebody else.
fn issued_anew(plan: &Plan, owner: &OwnerPlan, carriers: &[(&LoadPlan, &ColumnPlan)]) -> Vec<Refusal> {
    let key = |load: &LoadPlan| load.columns.iter().find(|c| c.name == owner.key).map(|c| c.feed.clone());
    let mut keys = plan.loads.iter().filter(|load| load.table == owner.table).filter_map(key).peekable();
    if keys.peek().is_none() || keys.any(|feed| !matches!(feed, Feed::Issued(_))) {
        return Vec::new();
    }
    let refusal = |(load, column): &(&LoadPlan, &ColumnPlan)| {
        Refusal::new(
            format!("{}.columns.{}", load.place(), column.name),
            format!(
                "brings the source's `{}` along, and the target issues these anew: they would mean other people",
                owner.key
            ),
            "Look the owner up by what the person is known by (`lookup = { ... }`).",
        )
    };
    carriers.iter().map(refusal).collect()
}

/// Columns that refer to the owner's table and bring the source's own value.
fn carriers<'p>(plan: &'p Plan, owner: &OwnerPlan, target: &TargetSchema) -> Vec<(&'p LoadPlan, &'p ColumnPlan)> {
    let refers = |load: &LoadPlan, column: &ColumnPlan| {
        let foreign = target.tables.get(&load.table).map(|t| t.foreign.as_slice()).unwrap_or_default();
        let by_key = foreign.iter().any(|f| {
            f.parent == owner.table && f.columns == [column.name.clone()] && f.parent_columns == [owner.key.clone()]
        });
        let path = plan.paths.get(&load.table);
        by_key || path.is_some_and(|path| !path.stamped && path.hops.is_empty() && path.column == column.name)
    };
    let all = plan.loads.iter().flat_map(|load| load.columns.iter().map(move |column| (load, column)));
    all.filter(|(load, column)| {
        matches!(column.feed, Feed::Cell(_)) && column.shift.is_none() && !load.as_text && refers(load, column)
    })
    .collect()
}

/// The columns by which people are known: those of `match`, of a `conflict`, else another unique key of the table.
fn natural(plan: &Plan, owner: &OwnerPlan, table: &TargetTable) -> Vec<String> {
    let by_match: Vec<String> = owner.natural.iter().map(|column| column.name.clone()).collect();
    let conflict = || plan.loads.iter().filter(|l| l.table == owner.table).find_map(|l| l.conflict.clone());
    let unique = || table.unique.iter().map(|u| u.columns.clone()).find(|columns| !columns.contains(&owner.key));
    if by_match.is_empty() { conflict().or_else(unique).unwrap_or_default() } else { by_match }
}

type Bytes = Vec<u8>;

/// Who is on the target, and who comes.
struct People {
    /// Natural key by key, of the target's rows.
    there: HashMap<Bytes, Bytes>,
    /// Key by natural key.
    by_natural: HashMap<Bytes, Bytes>,
    /// Keys of the rows that come.
    coming: HashSet<Bytes>,
}

impl People {
    fn read(session: &mut Session, plan: &Plan, owner: &OwnerPlan, natural: &[String]) -> Result<People, Stop> {
        let mut people = People { there: HashMap::new(), by_natural: HashMap::new(), coming: HashSet::new() };
        let columns: Vec<String> = std::iter::once(owner.key.clone()).chain(natural.iter().cloned()).collect();
        let what = ReadBack { schema: &plan.schema, table: &owner.table, columns: &columns, only: None };
        session.read_back(&what, &mut |image| {
            if let Some((key, natural)) = split(image, &owner.key_type.kind) {
                people.by_natural.insert(natural.clone(), key.clone());
                people.there.insert(key, natural);
            }
        })?;
        Ok(people)
    }

    /// The rows that a load brings into the owner's table.
    fn take_in(
        &mut self,
        source: &Source,
        load: &LoadPlan,
        (key, natural): (&String, &[String]),
        settled: &Settled,
    ) -> Result<Option<Refusal>, Stop> {
        let (mut taken, mut elsewhere) = (0, 0);
        let wanted: Vec<&String> = std::iter::once(key).chain(natural).collect();
        let brings = load.columns.iter().any(|c| c.name == *key && matches!(c.feed, Feed::Cell(_)));
        for (key, natural) in if brings { rows(source, load, &wanted, settled)? } else { Vec::new() } {
            match self.there.get(&key) {
                Some(other) if *other != natural => taken += 1,
                None if self.by_natural.contains_key(&natural) => elsewhere += 1,
                _ => {}
            }
            self.coming.insert(key);
        }
        let by = natural.join(", ");
        let advice = format!(
            "Leave `{key}` to the target (`{key} = {{ omit = true }}`, `conflict = {{ skip = [...] }}`) and look the owner up by {by} \
             wherever rows refer to it."
        );
        let what = match (taken, elsewhere) {
            (0, 0) => return Ok(None),
            (0, n) => format!("{n} of its rows are on the target already under another {key} (known by {by})"),
            (n, 0) => format!("{n} of its ids are taken on the target by somebody else (known by {by})"),
            (n, m) => format!(
                "{n} of its ids are taken on the target by somebody else, and {m} rows are there under another {key} (known by {by})"
            ),
        };
        let what = format!("{what}: rows that bring such an id along would become another person's");
        Ok(Some(Refusal::new(load.place(), what, advice)))
    }

    /// References that end at a row of the target which this run does not write and of which nobody knows whose it is.
    fn carried(
        &self,
        source: &Source,
        load: &LoadPlan,
        column: &ColumnPlan,
        (owner, natural): (&OwnerPlan, &[String]),
        settled: &Settled,
    ) -> Result<Option<Refusal>, Stop> {
        let found = rows(source, load, &[&column.name], settled)?;
        let is_strange = |key: &Bytes| {
            let known = self.coming.contains(key) && !natural.is_empty();
            self.there.contains_key(key) && !known
        };
        let strange = found.iter().filter(|(key, _)| is_strange(key)).count();
        if strange == 0 {
            return Ok(None);
        }
        Ok(Some(Refusal::new(
            format!("{}.columns.{}", load.place(), column.name),
            format!(
                "{strange} rows refer to rows of `{}` that were on the target before, and that the same number means the same \
                 person there is not known",
                owner.table
            ),
            "Look the owner up by what the person is known by (`lookup = { ... }`).",
        )))
    }
}

/// Of every row that can be converted: the first of these columns, and the others together. NULL in the first is left out.
fn rows(source: &Source, load: &LoadPlan, names: &[&String], settled: &Settled) -> Result<Vec<(Bytes, Bytes)>, Stop> {
    let columns: Option<Vec<ColumnPlan>> =
        names.iter().map(|name| load.columns.iter().find(|c| c.name == **name).cloned()).collect();
    let Some(columns) = columns else { return Ok(Vec::new()) };
    let kind = columns.first().map(|c| c.kind.kind.clone()).unwrap_or(Kind::Other);
    let encoder = RowEncoder::new(&LoadPlan { columns, as_text: false, ..load.clone() }, settled, &Maps::new());
    let encoder = encoder.map_err(Stop::Refused)?;
    let mut sink = Rows { encoder, kind, image: Vec::new(), notes: Notes::default(), found: Vec::new() };
    source.reader()?.scan(&load.select, None, None, &mut sink)?;
    Ok(sink.found)
}

struct Rows {
    encoder: RowEncoder,
    kind: Kind,
    image: Vec<u8>,
    notes: Notes,
    found: Vec<(Bytes, Bytes)>,
}

impl Sink for Rows {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.image.clear();
        if self.encoder.encode(row, &mut self.image, &mut self.notes) {
            self.found.extend(split(&self.image, &self.kind));
        }
        GO_ON
    }

    fn failed(&mut self, _: Key, _: Option<usize>) -> ControlFlow<()> {
        GO_ON
    }
}

/// A row's first field, integers in one width, and the others as they are.
fn split(image: &[u8], kind: &Kind) -> Option<(Bytes, Bytes)> {
    let fields = binary::fields(image)?;
    let (first, others) = fields.split_first()?;
    let first = (*first)?;
    let key = match kind {
        Kind::Int2 => i64::from(i16::from_be_bytes(first.try_into().ok()?)).to_be_bytes().to_vec(),
        Kind::Int4 => i64::from(i32::from_be_bytes(first.try_into().ok()?)).to_be_bytes().to_vec(),
        _ => first.to_vec(),
    };
    let mut rest = Vec::new();
    for field in others {
        rest.extend_from_slice(&field.map_or(-1, |f| f.len() as i64).to_be_bytes());
        rest.extend_from_slice(field.unwrap_or_default());
    }
    Some((key, rest))
}
