//! Comparisons: the operands in a form that PostgreSQL compares as SQLite does.

use super::columns::Scope;
use super::sorts::{Refused, Translated, ValueSort, common_ids};
use super::tree::BinaryOperator;

/// The two operands of a comparison.
pub struct Compared {
    /// The left one as SQL.
    pub left: String,
    /// The right one as SQL.
    pub right: String,
}

/// Returns the condition of a comparison between a boolean and the literal 0 or 1. `None` for any other comparison.
pub fn with_literal_truth(operator: BinaryOperator, left: &Translated, right: &Translated) -> Option<Translated> {
    let (boolean, literal) = match (left.sort, right.sort) {
        (ValueSort::Truth, ValueSort::Integer) => (left, right),
        (ValueSort::Integer, ValueSort::Truth) => (right, left),
        _ => return None,
    };
    let is_one = match literal.number.as_deref()? {
        "1" => true,
        "0" => false,
        _ => return None,
    };
    let is_positive = match operator {
        BinaryOperator::Equal => is_one,
        BinaryOperator::NotEqual => !is_one,
        _ => return None,
    };
    let negative = || Translated::wide(format!("NOT {}", boolean.operand()), ValueSort::Truth).of(&[boolean]);
    Some(if is_positive { boolean.clone() } else { negative() })
}

/// The reason why PostgreSQL cannot order texts as SQLite does in a UTF-16 database.
pub const UTF16_ORDER: &str =
    "SQLite orders the texts of this UTF-16 database by the bytes of UTF-16, and PostgreSQL by those of UTF-8";

impl Scope {
    /// Requires that PostgreSQL orders texts of a collation as SQLite does. NOCASE and RTRIM compare in UTF-8 in every database.
    pub fn require_order_of_texts(&self, collation: &str) -> Result<(), Refused> {
        let is_by_bytes = ["", "BINARY"].contains(&collation);
        if self.is_utf16 && is_by_bytes { Err(UTF16_ORDER.to_owned()) } else { Ok(()) }
    }
}

/// Returns the collation by which two texts are compared. Empty: by their bytes.
pub fn collation_of(left: &Translated, right: &Translated) -> String {
    let written = [left, right].into_iter().find(|operand| operand.is_collated);
    let found = written.or_else(|| [left, right].into_iter().find(|operand| !operand.collation.is_empty()));
    found.map(|operand| operand.collation.clone()).unwrap_or_default()
}

/// Returns the operands of a comparison.
pub fn compared(left: &Translated, right: &Translated, is_ordered: bool) -> Result<Compared, Refused> {
    use ValueSort::{Blob, Decimal, Integer, Moment, Real, Text, Truth};
    common_ids([left, right])?;
    let both = |left: String, right: String| Ok(Compared { left, right });
    match (left.sort, right.sort) {
        (Text, Text) => {
            let collation = collation_of(left, right);
            let form = |operand: &Translated| match collation.as_str() {
                "NOCASE" => format!("lower({} COLLATE \"C\")", operand.operand()),
                "RTRIM" if is_ordered => format!("(rtrim({}, ' ') COLLATE \"C\")", operand.operand()),
                "RTRIM" => format!("rtrim({}, ' ')", operand.operand()),
                _ if is_ordered => format!("({} COLLATE \"C\")", operand.operand()),
                _ => operand.operand(),
            };
            both(form(left), form(right))
        }
        (Integer | Decimal, Integer | Decimal) | (Real, Real) | (Blob, Blob) | (Truth, Truth) => {
            both(left.operand(), right.operand())
        }
        (Moment, Moment) if left.moment == right.moment => both(left.operand(), right.operand()),
        (Truth, Integer) | (Integer, Truth) => both(left.integer()?.operand(), right.integer()?.operand()),
        (Integer | Decimal, Real) if right.number.is_some() => both(left.operand(), plain_number(right)?),
        (Real, Integer | Decimal) if left.number.is_some() => both(plain_number(left)?, right.operand()),
        (Real, Integer) if is_small(right) => both(left.operand(), right.operand()),
        (Integer, Real) if is_small(left) => both(left.operand(), right.operand()),
        (one, other) => Err(format!("SQLite compares {} and {} by their classes", one.words(), other.words())),
    }
}

/// Returns a literal double as a decimal number. From 2^53 on, its shortest digits are another number than its value.
fn plain_number(value: &Translated) -> Result<String, Refused> {
    let number = value.number.clone().unwrap_or_default();
    if number.parse::<f64>().is_ok_and(|number| number.abs() >= (1_u64 << 53) as f64) {
        return Err("a literal double of this size has other digits than its value".to_owned());
    }
    Ok(if number.starts_with('-') { format!("({number})") } else { number })
}

/// Returns true for a literal that a double represents.
fn is_small(value: &Translated) -> bool {
    let number = value.number.as_deref().and_then(|number| number.parse::<i64>().ok());
    number.is_some_and(|number| number.unsigned_abs() <= 1 << 53)
}
