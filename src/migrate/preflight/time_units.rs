//! Checks the numbers in columns of dates during a dry run. Reports the unit on which a whole column agrees if the mapping
//! states none, and the numbers that the stated unit makes implausible. Decides nothing and shows no value.

use crate::model::pgtype::Kind;
use crate::model::record::Warning;
use crate::model::rules::Epoch;
use crate::model::select::{Expr, Relation};
use crate::plan::{ColumnPlan, Feed, LoadPlan};
use crate::sqlite::{Reader, Source, SourceError};

/// Seconds since 1970, from March 1973 to February 2103. No number is in this range in two units.
const PLAUSIBLE_SECONDS: (f64, f64) = (1e8, 4.2e9);

/// Columns of one query. Each takes five of the query's 2,000 results.
const COLUMNS_AT_ONCE: usize = 100;

/// A time unit of a mapping.
struct TimeUnit {
    epoch: Epoch,
    /// The word in a mapping.
    word: &'static str,
    name: &'static str,
    per_second: f64,
}

const UNITS: [TimeUnit; 4] = [
    TimeUnit { epoch: Epoch::Seconds, word: "s", name: "seconds", per_second: 1.0 },
    TimeUnit { epoch: Epoch::Millis, word: "ms", name: "milliseconds", per_second: 1e3 },
    TimeUnit { epoch: Epoch::Micros, word: "us", name: "microseconds", per_second: 1e6 },
    TimeUnit { epoch: Epoch::Nanos, word: "ns", name: "nanoseconds", per_second: 1e9 },
];

/// Checks the numbers of every table column that feeds a date or a timestamp unchanged. Numbers that cannot be read are a
/// warning.
pub fn unclear(loads: &[LoadPlan], source: &Source) -> Vec<Warning> {
    let of_load = |load: &LoadPlan| {
        let unknown = |error| vec![Warning::new(load.place(), format!("the unit of its numbers is unknown: {error}"))];
        source.reader().and_then(|reader| unclear_in(load, &reader)).unwrap_or_else(unknown)
    };
    loads.iter().flat_map(of_load).collect()
}

fn unclear_in(load: &LoadPlan, reader: &Reader) -> Result<Vec<Warning>, SourceError> {
    let Relation::Table(table) = &load.select.relation else { return Ok(Vec::new()) };
    let bands = UNITS.map(|unit| (PLAUSIBLE_SECONDS.0 * unit.per_second, PLAUSIBLE_SECONDS.1 * unit.per_second));
    let mut found = Vec::new();
    let dated: Vec<(&ColumnPlan, &str)> =
        load.columns.iter().filter_map(|column| Some((column, dated_source(load, column)?))).collect();
    for columns in dated.chunks(COLUMNS_AT_ONCE) {
        let names: Vec<&str> = columns.iter().map(|(_, name)| *name).collect();
        for ((column, _), (numbers, within)) in columns.iter().zip(reader.magnitudes(table, &names, &bands)?) {
            let place = format!("{}.columns.{}", load.place(), column.name);
            let message = message(column.rules.epoch, numbers, &within);
            found.extend(message.map(|message| Warning::new(place, message)));
        }
    }
    Ok(found)
}

/// The source column that feeds a date or a timestamp. `None` for every other column.
fn dated_source<'l>(load: &'l LoadPlan, column: &ColumnPlan) -> Option<&'l str> {
    let is_dated = matches!(column.kind.kind, Kind::Date | Kind::Timestamp { .. } | Kind::Timestamptz { .. });
    match column.feed {
        Feed::Cell(n) if is_dated => match load.select.exprs.get(n)? {
            Expr::Column(name) => Some(name),
            Expr::Sql(_) => None,
        },
        _ => None,
    }
}

/// The warning about a column with this many numbers other than 0. `within`: the plausible numbers, per unit.
fn message(stated: Option<Epoch>, numbers: u64, within: &[u64]) -> Option<String> {
    if numbers == 0 {
        return None;
    }
    let Some(stated) = stated else {
        let (unit, _) = UNITS.iter().zip(within).find(|(_, count)| **count == numbers)?;
        return Some(format!(
            "holds {numbers} numbers other than 0, and no epoch is stated; in {}, all are between 1973 and 2103. \
             If this is their unit, write epoch = \"{}\".",
            unit.name, unit.word
        ));
    };
    let (unit, count) = UNITS.iter().zip(within).find(|(unit, _)| unit.epoch == stated)?;
    let implausible = numbers - count;
    (implausible > 0).then(|| {
        format!(
            "{implausible} of its {numbers} numbers other than 0 are before 1973 or after 2103 in {}, the unit that the \
             mapping states. Check that all of them have the same unit.",
            unit.name
        )
    })
}
