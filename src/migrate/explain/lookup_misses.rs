//! The values that no step of a lookup found, told apart: how many there are, and the first of them.
//!
//! Derived from the source when a report is made, and kept nowhere: the ledger counts rows and holds no value.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use xxhash_rust::xxh3::xxh3_64;

use crate::convert::Settled;
use crate::convert::lookup::LookupOutcome;
use crate::convert::row::{Maps, Notes, RowEncoder};
use crate::model::cell::{Raw, RawBuf};
use crate::model::fault::Reason;
use crate::model::key::{Key, KeyRange};
use crate::model::select::{Failed, Row, Sink};
use crate::plan::{LoadPlan, LookupPlan};
use crate::sqlite::Source;

use crate::job::Stop;
use crate::model::select::CONTINUE;

/// Values of one column that are kept for a list.
pub const VALUES_LISTED: usize = 100;

/// Values of one column that are told apart, 16 bytes each; of more, this number is said.
pub const MOST_APART: usize = 500_000;

/// Values that no step of one column's lookup found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Missed {
    /// How many different ones; [`MOST_APART`] where there are as many or more.
    pub different: u64,
    /// The first [`VALUES_LISTED`] in the order of the source; the parts of a key of several columns by commas.
    pub first: Vec<String>,
}

/// Rows that did not go, by hashes of their places, 8 bytes each.
#[derive(Default)]
pub struct Aside {
    rows: HashSet<u64>,
    /// Those of them, with the column, that a lookup refused because it found nothing.
    missing: HashSet<u64>,
}

impl Aside {
    /// Takes in one fault: its row's place as [`Key::written`] writes it, the column, the reason.
    pub fn take(&mut self, at: &str, column: Option<&str>, reason: Reason) {
        self.rows.insert(xxh3_64(at.as_bytes()));
        if let (Some(column), Reason::LookupMissing) = (column, reason) {
            self.missing.insert(of(at, column));
        }
    }

    /// Whether what became of this row's lookup was counted.
    fn counts(&self, at: &str, column: &str) -> bool {
        !self.rows.contains(&xxh3_64(at.as_bytes())) || self.missing.contains(&of(at, column))
    }
}

fn of(at: &str, column: &str) -> u64 {
    xxh3_64(format!("{at}\n{column}").as_bytes())
}

/// Reads a load again and looks its rows up once more: by column, what no step found. Lookups without a map are passed over.
///
/// # Errors
/// When the source cannot be read.
pub fn values(
    source: &Source,
    load: &LoadPlan,
    settled: &Settled,
    maps: &Maps,
    aside: &Aside,
) -> Result<BTreeMap<String, Missed>, Stop> {
    let wanted = |(column, _): &(&crate::plan::ColumnPlan, &LookupPlan)| maps.contains_key(&column.name);
    let columns: Vec<(String, &LookupPlan)> =
        load.lookups().filter(wanted).map(|(column, plan)| (column.name.clone(), plan)).collect();
    let only = load.columns.iter().filter(|c| columns.iter().any(|(name, _)| *name == c.name)).cloned().collect();
    let encoder = RowEncoder::new(&LoadPlan { columns: only, ..load.clone() }, settled, maps).map_err(Stop::Refused)?;
    let told = columns.iter().map(|_| Told::default()).collect();
    let (image, notes) = (Vec::new(), Notes::default());
    let mut looking = Again { columns, encoder, aside, told, image, notes };
    source.reader()?.scan(&load.select, KeyRange::ALL, &mut looking)?;
    let Again { columns, told, .. } = looking;
    let missed = |told: Told| Missed { different: told.apart.len() as u64, first: told.first };
    Ok(columns.into_iter().zip(told).map(|((name, _), told)| (name, missed(told))).collect())
}

/// Values of one column, told apart by their hashes.
#[derive(Default)]
struct Told {
    apart: HashSet<u64>,
    first: Vec<String>,
}

struct Again<'a> {
    columns: Vec<(String, &'a LookupPlan)>,
    encoder: RowEncoder,
    aside: &'a Aside,
    told: Vec<Told>,
    image: Vec<u8>,
    notes: Notes,
}

impl Sink for Again<'_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.image.clear();
        self.encoder.encode(row, &mut self.image, &mut self.notes);
        for (n, _) in self.notes.lookups.iter().filter(|(_, outcome)| *outcome == LookupOutcome::Missing) {
            let ((name, plan), told) = (&self.columns[*n], &mut self.told[*n]);
            if told.apart.len() >= MOST_APART || !self.aside.counts(&row.key().written(), name) {
                continue;
            }
            let value = looked_up(plan, row);
            if told.apart.insert(xxh3_64(value.written().as_bytes())) && told.first.len() < VALUES_LISTED {
                told.first.push(value.to_string());
            }
        }
        CONTINUE
    }

    fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
        CONTINUE
    }
}

/// What was looked up: the first step's key that is not NULL.
fn looked_up(plan: &LookupPlan, row: &dyn Row) -> Key {
    let key = |source: &Vec<usize>| Key(source.iter().map(|cell| row.cell(*cell).to_buf()).collect());
    let mut keys = plan.steps.iter().map(|step| key(&step.source));
    let whole = keys.find(|key| key.0.iter().all(|part| !matches!(part.as_raw(), Raw::Null)));
    whole.unwrap_or(Key(vec![RawBuf::Null]))
}
