//! What a dry run says of numbers in columns of dates: the unit that a whole column agrees on where the mapping states none,
//! and how many of them that unit makes strange where it states one. Nothing is decided here and no value is named.

use crate::model::pgtype::Kind;
use crate::model::record::Warning;
use crate::model::rules::Epoch;
use crate::model::select::{Expr, Relation};
use crate::plan::{ColumnPlan, Feed, LoadPlan};
use crate::sqlite::{Reader, SourceError};

/// Seconds since 1970, from March 1973 to February 2103: in this range no number is a moment in two units.
const YEARS: (f64, f64) = (1e8, 4.2e9);

/// The units as a mapping writes them, in words, and how many make a second.
const UNITS: [(Epoch, &str, &str, f64); 4] = [
    (Epoch::Seconds, "s", "seconds", 1.0),
    (Epoch::Millis, "ms", "milliseconds", 1e3),
    (Epoch::Micros, "us", "microseconds", 1e6),
    (Epoch::Nanos, "ns", "nanoseconds", 1e9),
];

/// Looks at the numbers of every column of a table that goes into a date or a timestamp as it is.
///
/// # Errors
/// When the source cannot be read.
pub fn doubtful(loads: &[LoadPlan], reader: &Reader) -> Result<Vec<Warning>, SourceError> {
    let bands = UNITS.map(|(_, _, _, unit)| (YEARS.0 * unit, YEARS.1 * unit));
    let mut found = Vec::new();
    for load in loads {
        let Relation::Table(table) = &load.select.relation else { continue };
        let dated: Vec<(&ColumnPlan, &str)> = load.columns.iter().filter_map(|c| dated(load, c)).collect();
        for columns in dated.chunks(AT_ONCE) {
            let names: Vec<&str> = columns.iter().map(|(_, name)| *name).collect();
            for ((column, _), (numbers, within)) in columns.iter().zip(reader.magnitudes(table, &names, &bands)?) {
                let place = format!("{}.columns.{}", load.place(), column.name);
                let message = said(column.rules.epoch, numbers, &within);
                found.extend(message.map(|message| Warning::new(place, message)));
            }
        }
    }
    Ok(found)
}

/// Columns of one query: each is five of its 2,000 results.
const AT_ONCE: usize = 100;

/// The source's column, where a date or a timestamp is fed from one.
fn dated<'l>(load: &'l LoadPlan, column: &'l ColumnPlan) -> Option<(&'l ColumnPlan, &'l str)> {
    let is_dated = matches!(column.kind.kind, Kind::Date | Kind::Timestamp { .. } | Kind::Timestamptz { .. });
    match column.feed {
        Feed::Cell(n) if is_dated => match load.select.exprs.get(n)? {
            Expr::Column(name) => Some((column, name)),
            Expr::Sql(_) => None,
        },
        _ => None,
    }
}

fn said(stated: Option<Epoch>, numbers: u64, within: &[u64]) -> Option<String> {
    if numbers == 0 {
        return None;
    }
    let Some(stated) = stated else {
        let (_, word, unit, _) = UNITS.iter().zip(within).find(|(_, count)| **count == numbers)?.0;
        return Some(format!(
            "it holds numbers other than 0: {numbers}; no epoch is stated; counted in {unit}, all lie between 1973 and \
             2103. If they are that, write epoch = \"{word}\"."
        ));
    };
    let ((_, _, unit, _), count) = UNITS.iter().zip(within).find(|((epoch, ..), _)| *epoch == stated)?;
    let strange = numbers - count;
    (strange > 0).then(|| {
        format!(
            "{strange} of its {numbers} numbers other than 0, counted in {unit} as the mapping says, lie before 1973 or \
             behind 2103. See whether all of them count the same."
        )
    })
}
