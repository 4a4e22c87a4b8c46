//! Tests of the conversion with values that commonly fail between SQLite and PostgreSQL, by type.

mod arrays;
mod epochs;
mod fuzz;
mod intervals;
mod jsons;
mod modifiers;
mod numbers;
mod random;
mod texts;
mod times;
mod zones;

use super::{Converter, RuleError, Settled};
use crate::model::cell::{Cell, Raw};
use crate::model::fault::{Loss, LossSet, Reason};
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::rules::Rules;

fn column(kind: Kind) -> ColumnType {
    ColumnType::new(kind, 0, "a type")
}

fn rules() -> Rules {
    Rules::default()
}

fn converter(kind: Kind, rules: &Rules) -> Converter {
    made(kind, rules).expect("rules that fit the column")
}

fn made(kind: Kind, rules: &Rules) -> Result<Converter, RuleError> {
    Converter::new(&column(kind), rules, &Settled::default())
}

/// Returns the cell and the losses.
fn with_losses(kind: Kind, rules: &Rules, raw: Raw<'_>) -> (Result<Cell<'static>, Reason>, Vec<Loss>) {
    let converter = converter(kind, rules);
    let mut losses = LossSet::default();
    let cell = converter.convert(raw, &mut losses).map(Cell::into_owned);
    (cell, losses.iter().collect())
}

/// Returns the cell of a conversion that must not lose anything.
fn exact(kind: Kind, rules: &Rules, raw: Raw<'_>) -> Result<Cell<'static>, Reason> {
    let (cell, losses) = with_losses(kind, rules, raw);
    assert_eq!(losses, [], "{raw:?}");
    cell
}

fn txt(text: &str) -> Raw<'_> {
    Raw::Text(text.as_bytes())
}
