//! Fields of text COPY, for loads with a type that has no binary encoder here.
//!
//! Each value is written as the server prints it: ISO dates, hex bytea, shortest floats.

use std::fmt::Write;

use crate::model::cell::{Array, Cell};
use crate::model::hex::hex;
use crate::model::numeric::{Numeric, Sign};

use super::calendar::{self, DAY};

/// Appends one field, escaped; NULL is `\N`.
pub fn field(cell: &Cell<'_>, out: &mut Vec<u8>) {
    if matches!(cell, Cell::Null) {
        return out.extend_from_slice(b"\\N");
    }
    for byte in literal(cell).bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => out.push(other),
        }
    }
}

/// Returns the text of a value as the server's input function reads it, unescaped.
pub fn literal(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Bool(b) => if *b { "t" } else { "f" }.to_owned(),
        Cell::Int2(i) => i.to_string(),
        Cell::Int4(i) => i.to_string(),
        Cell::Int8(i) => i.to_string(),
        Cell::Float4(r) => float(f64::from(*r), r.to_string()),
        Cell::Float8(r) => float(*r, r.to_string()),
        Cell::Numeric(n) => numeric(n),
        Cell::Text(t) | Cell::Json(t) | Cell::Jsonb(t) | Cell::Verbatim(t) => t.to_string(),
        Cell::Bytea(bytes) => format!("\\x{}", hex(bytes)),
        Cell::Date(days) => date(i64::from(*days)),
        Cell::Time(micros) => time(micros.unsigned_abs()),
        Cell::Timestamp(micros) => timestamp(*micros),
        Cell::Interval { months, days, micros } => interval(*months, *days, *micros),
        Cell::Uuid(bytes) => uuid(bytes),
        Cell::Inet(inet) => format!("{}/{}", inet.address, inet.prefix),
        Cell::Array(elements) => array(elements),
    }
}

fn float(value: f64, shortest: String) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        shortest
    }
}

/// Returns a numeric's digits, all decimals of its scale included.
pub fn numeric(n: &Numeric) -> String {
    let sign = match n.sign {
        Sign::Plus => "",
        Sign::Minus => "-",
        Sign::NaN => return "NaN".to_owned(),
        Sign::Infinity => return "Infinity".to_owned(),
        Sign::MinusInfinity => return "-Infinity".to_owned(),
    };
    let group = |weight: i32| -> i16 {
        let at = i32::from(n.weight) - weight;
        usize::try_from(at).ok().and_then(|at| n.groups().get(at).copied()).unwrap_or(0)
    };
    let mut whole = String::new();
    for weight in (0..=i32::from(n.weight).max(0)).rev() {
        let _ = write!(whole, "{:04}", group(weight));
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if n.scale == 0 {
        return format!("{sign}{whole}");
    }
    let mut decimals = String::new();
    let scale = usize::from(n.scale);
    for weight in 1..=scale.div_ceil(4) {
        let _ = write!(decimals, "{:04}", group(-(weight as i32)));
    }
    decimals.truncate(scale);
    format!("{sign}{whole}.{decimals}")
}

fn date(days: i64) -> String {
    match days {
        d if d == i64::from(i32::MAX) => return "infinity".to_owned(),
        d if d == i64::from(i32::MIN) => return "-infinity".to_owned(),
        _ => {}
    }
    let (year, month, day) = calendar::date(days);
    if year > 0 { format!("{year:04}-{month:02}-{day:02}") } else { format!("{:04}-{month:02}-{day:02} BC", 1 - year) }
}

// Each part has its own sign, which then holds under any IntervalStyle. Servers before 15 count microseconds in 32 bits.
fn interval(months: i32, days: i32, micros: i64) -> String {
    let sign = if micros < 0 { '-' } else { '+' };
    format!("{months:+} mons {days:+} days {sign}{}", time(micros.unsigned_abs()))
}

fn time(micros: u64) -> String {
    let seconds = micros / 1_000_000;
    let rest = micros % 1_000_000;
    format!("{:02}:{:02}:{:02}.{rest:06}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn timestamp(micros: i64) -> String {
    match micros {
        i64::MAX => return "infinity".to_owned(),
        i64::MIN => return "-infinity".to_owned(),
        _ => {}
    }
    let day = date(micros.div_euclid(DAY));
    let clock = time(micros.rem_euclid(DAY).unsigned_abs());
    match day.strip_suffix(" BC") {
        Some(day) => format!("{day} {clock}+00 BC"),
        None => format!("{day} {clock}+00"),
    }
}

fn uuid(bytes: &[u8; 16]) -> String {
    let digits = hex(bytes);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

fn array(array: &Array<'_>) -> String {
    if array.dimensions.is_empty() {
        return "{}".to_owned();
    }
    let mut elements = array.elements.iter();
    nested(&array.dimensions, &mut elements)
}

fn nested<'a>(dimensions: &[usize], elements: &mut impl Iterator<Item = &'a Cell<'a>>) -> String {
    let Some((length, inner)) = dimensions.split_first() else { return String::new() };
    let parts: Vec<String> = (0..*length)
        .map(|_| match (inner.is_empty(), inner) {
            (false, inner) => nested(inner, elements),
            (true, _) => elements.next().map_or_else(String::new, element),
        })
        .collect();
    format!("{{{}}}", parts.join(","))
}

fn element(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Null => "NULL".to_owned(),
        other => format!("\"{}\"", literal(other).replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_copy_treats_specially_are_escaped() {
        let mut out = Vec::new();
        field(&Cell::Text("a\tb\\c\nd\re\\N".into()), &mut out);
        assert_eq!(out, b"a\\tb\\\\c\\nd\\re\\\\N");
    }

    #[test]
    fn a_numeric_prints_all_digits_of_its_scale() {
        assert_eq!(numeric(&Numeric::new(Sign::Minus, 1, 2, &[1, 2345, 6700])), "-12345.67");
        assert_eq!(numeric(&Numeric::new(Sign::Plus, -1, 5, &[12, 3000])), "0.00123");
        assert_eq!(numeric(&Numeric::new(Sign::Plus, 0, 2, &[])), "0.00");
        assert_eq!(numeric(&Numeric::new(Sign::Plus, 2, 0, &[5])), "500000000");
    }

    #[test]
    fn times_print_in_iso_form_before_christ_too() {
        assert_eq!(literal(&Cell::Date(0)), "2000-01-01");
        assert_eq!(literal(&Cell::Date(-730_120)), "0001-12-31 BC");
        assert_eq!(literal(&Cell::Timestamp(-1)), "1999-12-31 23:59:59.999999+00");
    }

    #[test]
    fn each_part_of_an_interval_has_its_sign() {
        let interval = |months, days, micros| literal(&Cell::Interval { months, days, micros });
        assert_eq!(interval(-14, 3, -14_706_000_007), "-14 mons +3 days -04:05:06.000007");
        assert_eq!(interval(0, 0, i64::MIN), "+0 mons +0 days -2562047788:00:54.775808");
    }

    #[test]
    fn an_array_of_two_dimensions_is_nested() {
        let elements = vec![Cell::Int4(1), Cell::Null, Cell::Int4(3), Cell::Int4(4)];
        let cell = Cell::Array(Array { element_oid: 23, dimensions: vec![2, 2], elements });
        assert_eq!(literal(&cell), "{{\"1\",NULL},{\"3\",\"4\"}}");
    }
}
