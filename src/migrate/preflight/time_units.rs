//! Checks the numbers in columns of dates during a dry run. Reports the unit on which a whole column agrees if the mapping
//! states none, and the numbers that the stated unit makes implausible. Decides nothing and shows no value.

use crate::model::pgtype::Kind;
use crate::model::record::Warning;
use crate::model::rules::Epoch;
use crate::model::select::{Expr, Relation};
use crate::plan::{ColumnPlan, Feed, LoadPlan};

use super::source_numbers::SourceNumbers;

/// A time unit of a mapping.
struct TimeUnit {
    epoch: Epoch,
    /// The word in a mapping.
    word: &'static str,
    name: &'static str,
}

/// In the order of [`PLAUSIBLE_TIMES`](crate::model::column_numbers::PLAUSIBLE_TIMES).
const UNITS: [TimeUnit; 4] = [
    TimeUnit { epoch: Epoch::Seconds, word: "s", name: "seconds" },
    TimeUnit { epoch: Epoch::Millis, word: "ms", name: "milliseconds" },
    TimeUnit { epoch: Epoch::Micros, word: "us", name: "microseconds" },
    TimeUnit { epoch: Epoch::Nanos, word: "ns", name: "nanoseconds" },
];

/// A column of the target that receives dates or timestamps, and the source column that feeds it unchanged.
pub struct DatedColumn<'l> {
    column: &'l ColumnPlan,
    /// The column of the source.
    pub source: &'l str,
}

/// Returns the columns of a load that table columns of the source feed unchanged, and that receive dates or timestamps.
pub fn dated_columns(load: &LoadPlan) -> impl Iterator<Item = DatedColumn<'_>> {
    load.columns.iter().filter_map(|column| {
        let is_dated = matches!(column.kind.kind, Kind::Date | Kind::Timestamp { .. } | Kind::Timestamptz { .. });
        match column.feed {
            Feed::Cell(n) if is_dated => match load.select.exprs.get(n)? {
                Expr::Column(source) => Some(DatedColumn { column, source }),
                Expr::Sql(_) => None,
            },
            _ => None,
        }
    })
}

/// Checks the numbers in the columns of every load that receive dates or timestamps.
pub fn unclear(loads: &[LoadPlan], numbers: &SourceNumbers) -> Vec<Warning> {
    let mut found = Vec::new();
    for load in loads {
        let Relation::Table(table) = &load.select.relation else { continue };
        for dated in dated_columns(load) {
            let Some(numbers) = numbers.of(table, dated.source) else { continue };
            let place = format!("{}.columns.{}", load.place(), dated.column.name);
            let message = message(dated.column.rules.epoch, numbers.nonzero, &numbers.plausible);
            found.extend(message.map(|message| Warning::new(place, message)));
        }
    }
    found
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
