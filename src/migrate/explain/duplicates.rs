//! Of rows that were refused because another row has their key: which row that is.
//!
//! Derived from the source when a report is made, and kept nowhere. Says nothing of keys that the server alone compares, of
//! rows that the target held before, nor of rows whose place is a value.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;

use crate::convert::Settled;
use crate::convert::row::{Maps, Notes, RowEncoder};
use crate::model::key::{Key, KeyRange};
use crate::model::schema::TargetUnique;
use crate::model::select::{Failed, Row, Sink};
use crate::plan::{Comparison, LoadPlan, Plan, compared_key};
use crate::sqlite::Source;

use crate::job::Stop;
use crate::migrate::rows::keyset::hash;
use crate::model::select::CONTINUE;

/// A load, and the rowid of one of its rows, or its ordinal.
pub type Place = (String, i64);

/// By load, the rows that are meant.
pub type Places = BTreeMap<String, HashSet<i64>>;

/// Finds for the rows `later`, which were refused for this unique key of the table, the rows that have it. `gone`: all rows
/// that were refused, for whatever reason, with which no key went in.
///
/// # Errors
/// When the source cannot be read.
pub fn earlier(
    source: &Source,
    plan: &Plan,
    (table, key): (&str, &TargetUnique),
    settled: &Settled,
    (later, gone): (&Places, &Places),
) -> Result<BTreeMap<Place, Place>, Stop> {
    let is_in = |places: &Places, load: &LoadPlan, at: i64| places.get(&load.name).is_some_and(|p| p.contains(&at));
    let loads = || plan.loads.iter().filter(|load| load.table == table);
    let mut wanted: HashMap<u128, Vec<Place>> = HashMap::new();
    for load in loads().filter(|load| later.contains_key(&load.name)) {
        each(source, plan, (load, key), settled, &mut |at, hash| {
            if is_in(later, load, at) {
                wanted.entry(hash).or_default().push((load.name.clone(), at));
            }
            CONTINUE
        })?;
    }
    let mut found = BTreeMap::new();
    for load in loads() {
        each(source, plan, (load, key), settled, &mut |at, hash| {
            if !is_in(gone, load, at)
                && let Some(places) = wanted.remove(&hash)
            {
                found.extend(places.into_iter().map(|place| (place, (load.name.clone(), at))));
            }
            if wanted.is_empty() { ControlFlow::Break(()) } else { CONTINUE }
        })?;
    }
    Ok(found)
}

/// Reads a load: for each row with a place that may be shown, that and the hash of its key.
fn each(
    source: &Source,
    plan: &Plan,
    (load, key): (&LoadPlan, &TargetUnique),
    settled: &Settled,
    hear: &mut dyn FnMut(i64, u128) -> ControlFlow<()>,
) -> Result<(), Stop> {
    // Whatever the load's other columns need: those of a key that is compared here have a binary form.
    let load = &LoadPlan { as_text: false, ..load.clone() };
    let Ok(Some(unique)) = compared_key(load, &plan.loads, key) else { return Ok(()) };
    let columns = unique.columns.iter().map(|n| load.columns[*n].clone()).collect();
    let alone = LoadPlan { columns, ..load.clone() };
    let encoder = RowEncoder::new(&alone, settled, &Maps::new()).map_err(Stop::Refused)?;
    let places = (0..unique.columns.len()).collect();
    let (image, notes) = (Vec::new(), Notes::default());
    let mut keyed = Keyed { encoder, places, compared: unique.compared, image, notes, hear };
    source.reader()?.scan(&load.select, KeyRange::ALL, &mut keyed)?;
    Ok(())
}

struct Keyed<'h> {
    encoder: RowEncoder,
    places: Vec<usize>,
    compared: Vec<Comparison>,
    image: Vec<u8>,
    notes: Notes,
    hear: &'h mut dyn FnMut(i64, u128) -> ControlFlow<()>,
}

impl Sink for Keyed<'_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.image.clear();
        if !self.encoder.encode(row, &mut self.image, &mut self.notes) {
            return CONTINUE;
        }
        match (row.key().as_rowid(), hash(&self.image, &self.places, &self.compared)) {
            (Some(at), Some(hash)) => (self.hear)(at, hash),
            _ => CONTINUE,
        }
    }

    fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
        CONTINUE
    }
}
