//! SQLite's mathematical functions, which the library is built without: `floor`, `ln`, `pow` and so on, with SQLite's own
//! rules. A value that is no number, or a result that is none, is NULL.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Result};

type Unary = fn(f64) -> f64;
type Binary = fn(f64, f64) -> f64;

/// Functions of one number. `log` without a base has base 10.
const OF_ONE: [(&str, Unary); 20] = [
    ("acos", f64::acos),
    ("acosh", f64::acosh),
    ("asin", f64::asin),
    ("asinh", f64::asinh),
    ("atan", f64::atan),
    ("atanh", f64::atanh),
    ("cos", f64::cos),
    ("cosh", f64::cosh),
    ("degrees", f64::to_degrees),
    ("exp", f64::exp),
    ("ln", logarithm),
    ("log", logarithm_10),
    ("log10", logarithm_10),
    ("log2", logarithm_2),
    ("radians", f64::to_radians),
    ("sin", f64::sin),
    ("sinh", f64::sinh),
    ("sqrt", f64::sqrt),
    ("tan", f64::tan),
    ("tanh", f64::tanh),
];

/// Functions of two numbers.
const OF_TWO: [(&str, Binary); 5] = [
    ("atan2", f64::atan2),
    ("log", |base, value| if base > 0.0 && base != 1.0 { logarithm(value) / base.ln() } else { f64::NAN }),
    ("mod", |value, by| value % by),
    ("pow", f64::powf),
    ("power", f64::powf),
];

/// Functions that leave an integer as it is.
const ROUNDING: [(&str, Unary); 4] =
    [("ceil", f64::ceil), ("ceiling", f64::ceil), ("floor", f64::floor), ("trunc", f64::trunc)];

fn logarithm(value: f64) -> f64 {
    if value > 0.0 { value.ln() } else { f64::NAN }
}

fn logarithm_10(value: f64) -> f64 {
    if value > 0.0 { value.log10() } else { f64::NAN }
}

fn logarithm_2(value: f64) -> f64 {
    if value > 0.0 { value.log2() } else { f64::NAN }
}

/// Registers all functions on a connection. Views of the source may call them too: they mean what SQLite means.
pub(super) fn register(conn: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    for (name, function) in OF_ONE {
        conn.create_scalar_function(name, 1, flags, move |context| {
            Ok(number(context, 0).map(function).and_then(known))
        })?;
    }
    for (name, function) in OF_TWO {
        conn.create_scalar_function(name, 2, flags, move |context| {
            let both = number(context, 0).zip(number(context, 1));
            Ok(both.map(|(first, second)| function(first, second)).and_then(known))
        })?;
    }
    for (name, function) in ROUNDING {
        conn.create_scalar_function(name, 1, flags, move |context| match context.get_raw(0) {
            ValueRef::Integer(value) => Ok(Value::Integer(value)),
            _ => Ok(number(context, 0).map(function).and_then(known).map_or(Value::Null, Value::Real)),
        })?;
    }
    conn.create_scalar_function("pi", 0, flags, |_| Ok(std::f64::consts::PI))
}

/// SQLite has no NaN.
fn known(value: f64) -> Option<f64> {
    if value.is_nan() { None } else { Some(value) }
}

fn number(context: &Context<'_>, n: usize) -> Option<f64> {
    match context.get_raw(n) {
        ValueRef::Integer(value) => Some(value as f64),
        ValueRef::Real(value) => Some(value),
        ValueRef::Text(text) => {
            std::str::from_utf8(text).ok()?.trim().parse().ok().filter(|value: &f64| value.is_finite())
        }
        ValueRef::Null | ValueRef::Blob(_) => None,
    }
}
