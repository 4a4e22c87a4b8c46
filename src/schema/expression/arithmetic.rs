//! Arithmetic on integers and doubles. What leaves the range of a type is an error in PostgreSQL; SQLite continues with a double or
//! an infinity.

use super::sorts::{Refused, Translated, ValueSort};
use super::tree::BinaryOperator;

impl Translated {
    /// Returns the result of an operator between this number and another one.
    ///
    /// # Errors
    /// The reason why PostgreSQL has another result.
    pub fn calculated(&self, operator: BinaryOperator, right: &Translated) -> Result<Translated, Refused> {
        calculated(operator, self, right)
    }
}

fn calculated(operator: BinaryOperator, left: &Translated, right: &Translated) -> Result<Translated, Refused> {
    let word = match operator {
        BinaryOperator::Add => "+",
        BinaryOperator::Subtract => "-",
        BinaryOperator::Multiply => "*",
        BinaryOperator::Divide => "/",
        BinaryOperator::Remainder => "%",
        BinaryOperator::BitAnd => "&",
        BinaryOperator::BitOr => "|",
        BinaryOperator::ShiftLeft => "<<",
        BinaryOperator::ShiftRight => ">>",
        _ => return Err("its form is not known".to_owned()),
    };
    if left.sort == ValueSort::Null || right.sort == ValueSort::Null {
        return Err("arithmetic with NULL is always NULL".to_owned());
    }
    if left.sort == ValueSort::Real || right.sort == ValueSort::Real {
        return doubles(word, left, right);
    }
    let (left, right) = (left.integer()?, right.integer()?);
    let first = if left.is_narrow { format!("{}::bigint", left.operand()) } else { left.operand() };
    let second = match word {
        "<<" | ">>" => {
            let bits = right.number.as_deref().and_then(|bits| bits.parse::<u8>().ok()).filter(|bits| *bits < 64);
            bits.ok_or("SQLite shifts by any number of bits")?.to_string()
        }
        "/" | "%" => divisor(&right),
        _ => right.operand(),
    };
    let can_overflow = matches!(word, "+" | "-" | "*" | "/");
    let found = Translated::wide(format!("{first} {word} {second}"), ValueSort::Integer).of(&[&left, &right]);
    Ok(Translated { can_overflow: found.can_overflow || can_overflow, ..found })
}

/// SQLite divides by zero to NULL.
fn divisor(value: &Translated) -> String {
    match value.number.as_deref() {
        Some(number) if !number.trim_matches(['0', '.', '-']).is_empty() => value.operand(),
        _ => format!("nullif({}, 0)", value.sql),
    }
}

fn doubles(word: &str, left: &Translated, right: &Translated) -> Result<Translated, Refused> {
    let double = |value: &Translated| match value.sort {
        ValueSort::Real => Ok(value.operand()),
        ValueSort::Integer | ValueSort::Truth => Ok(format!("{}::float8", value.integer()?.operand())),
        _ => Err("arithmetic between decimal numbers is one between doubles in SQLite".to_owned()),
    };
    let (first, second) = (double(left)?, double(right)?);
    let second = match word {
        "+" | "-" | "*" => second,
        "/" => match right.number.as_deref() {
            Some(number) if number.parse::<f64>().is_ok_and(|number| number != 0.0) => second,
            _ => format!("nullif({second}, 0)"),
        },
        _ => return Err(format!("{word} between doubles is one between integers in SQLite")),
    };
    let found = Translated::wide(format!("{first} {word} {second}"), ValueSort::Real).of(&[left, right]);
    Ok(Translated { can_overflow: true, ..found })
}
