//! A field in the binary form of its column's type before and after `ALTER COLUMN ... TYPE`, for types between which the
//! server's own cast keeps every value. It also covers a type whose OID is another one after a dump and a restore.

use crate::model::cell::Cell;
use crate::model::numeric::{Numeric, Sign};
use crate::model::pgtype::{ColumnType, Kind};

use super::{binary, image};

/// The change of a field's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Widening {
    /// The bytes are the same.
    Same,
    /// An integer of this many bytes.
    Integer(usize),
    /// An integer as a numeric with this many decimals.
    Decimal(u16),
    /// A numeric with this many decimals.
    Scale(u16),
    /// A `real` as a `double precision`.
    Double,
    /// An array whose elements have this OID.
    Element(u32),
    /// Text without blanks at its end, padded to this many characters.
    Padded(u32),
}

/// Returns the change from one type to the other. `None` if the server's cast may change a value, or if it is unknown here.
pub fn widening(was: &ColumnType, is: &ColumnType) -> Option<Widening> {
    use Widening::{Decimal, Double, Element, Integer, Padded, Same, Scale};
    if !(was.is_binary() && is.is_binary()) {
        return None;
    }
    if was.kind == is.kind {
        return Some(Same);
    }
    let decimals = |limit: Option<(u16, i16)>| u16::try_from(limit.map_or(0, |(_, scale)| scale)).ok();
    match (&was.kind, &is.kind) {
        (Kind::Array(was), Kind::Array(is)) if widening(was, is) == Some(Same) => Some(Element(is.oid)),
        (Kind::Enum { labels: was }, Kind::Enum { labels: is }) => was.iter().all(|l| is.contains(l)).then_some(Same),
        (Kind::Int2 | Kind::Int4 | Kind::Int8, Kind::Int2) => Some(Integer(2)),
        (Kind::Int2 | Kind::Int4 | Kind::Int8, Kind::Int4) => Some(Integer(4)),
        (Kind::Int2 | Kind::Int4 | Kind::Int8, Kind::Int8) => Some(Integer(8)),
        (Kind::Int2 | Kind::Int4 | Kind::Int8, Kind::Numeric { limit }) => Some(Decimal(decimals(*limit)?)),
        (Kind::Numeric { .. }, Kind::Numeric { limit: None }) => Some(Same),
        (Kind::Numeric { limit: was @ Some(_) }, Kind::Numeric { limit: is @ Some(_) }) => {
            let (was, is) = (decimals(*was)?, decimals(*is)?);
            (was <= is).then_some(Scale(is))
        }
        (Kind::Float4, Kind::Float8) => Some(Double),
        (Kind::Text | Kind::Varchar { .. } | Kind::Citext, Kind::Text | Kind::Varchar { .. } | Kind::Citext) => {
            Some(Same)
        }
        (Kind::Char { .. }, Kind::Text | Kind::Varchar { .. } | Kind::Citext) => Some(Padded(0)),
        (Kind::Char { .. } | Kind::Text | Kind::Varchar { .. }, Kind::Char { width }) => {
            (!is.bytewise).then_some(Padded(*width))
        }
        (Kind::Time { precision: was }, Kind::Time { precision: is })
        | (Kind::Timestamp { precision: was }, Kind::Timestamp { precision: is })
        | (Kind::Timestamptz { precision: was }, Kind::Timestamptz { precision: is })
        | (Kind::Interval { precision: was }, Kind::Interval { precision: is }) => (was <= is).then_some(Same),
        _ => None,
    }
}

/// Appends an image of these fields of a row, each by its index and with its change. Returns false, and appends nothing
/// that can be used, if the row is not an image.
pub fn widen(row: &[u8], fields: &[(usize, Widening)], out: &mut Vec<u8>) -> bool {
    let Some(sent) = binary::fields(row) else { return false };
    out.extend_from_slice(&(fields.len() as u16).to_be_bytes());
    for (place, widening) in fields {
        match sent.get(*place).copied().flatten() {
            None => binary::field(&Cell::Null, out),
            // A value that does not fit keeps its bytes, which no value of the new type has.
            Some(bytes) => widening.apply(bytes, out).unwrap_or_else(|| binary::bytes(bytes, out)),
        }
    }
    true
}

impl Widening {
    /// Appends the field. `None` if the bytes are not a value of the type, or do not fit.
    fn apply(self, field: &[u8], out: &mut Vec<u8>) -> Option<()> {
        match self {
            Widening::Same => binary::bytes(field, out),
            Widening::Integer(width) => {
                let number = image::integer(field)?.to_be_bytes();
                let (cut, kept) = number.split_at(8 - width);
                let sign = if kept[0] & 0x80 == 0 { 0 } else { 0xff };
                if cut.iter().any(|byte| *byte != sign) {
                    return None;
                }
                binary::bytes(kept, out);
            }
            Widening::Decimal(scale) => binary::field(&Cell::Numeric(of_integer(image::integer(field)?, scale)), out),
            Widening::Scale(scale) => {
                let mut bytes = field.to_vec();
                // Sign and scale are the third and the fourth word. A value that is no number has no scale.
                if matches!(bytes.get(4..6)?, [0x00 | 0x40, 0]) {
                    bytes.get_mut(6..8)?.copy_from_slice(&scale.to_be_bytes());
                }
                binary::bytes(&bytes, out);
            }
            Widening::Double => {
                let value = f64::from(f32::from_be_bytes(field.try_into().ok()?));
                binary::field(&Cell::Float8(value), out);
            }
            Widening::Element(oid) => {
                let mut bytes = field.to_vec();
                bytes.get_mut(8..12)?.copy_from_slice(&oid.to_be_bytes());
                binary::bytes(&bytes, out);
            }
            Widening::Padded(width) => {
                let text = std::str::from_utf8(field).ok()?.trim_end_matches(' ');
                let width = usize::try_from(width).ok()?;
                binary::bytes(format!("{text:<width$}").as_bytes(), out);
            }
        }
        Some(())
    }
}

/// The integer as a numeric: its digits in groups of four.
fn of_integer(number: i64, scale: u16) -> Numeric {
    let sign = if number < 0 { Sign::Minus } else { Sign::Plus };
    let units = [10_000_u64.pow(4), 10_000_u64.pow(3), 10_000_u64.pow(2), 10_000, 1];
    let groups = units.map(|unit| (number.unsigned_abs() / unit % 10_000) as i16);
    Numeric::new(sign, 4, scale, &groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: Kind) -> ColumnType {
        ColumnType::new(kind, 0, "")
    }

    /// The field of a cell after the change between two types.
    fn widened(cell: &Cell<'_>, was: Kind, is: Kind) -> Option<Vec<u8>> {
        let mut row = vec![0, 1];
        binary::field(cell, &mut row);
        let mut out = Vec::new();
        assert!(widen(&row, &[(0, widening(&of(was), &of(is))?)], &mut out));
        Some(out)
    }

    fn row(cell: &Cell<'_>) -> Option<Vec<u8>> {
        let mut row = vec![0, 1];
        binary::field(cell, &mut row);
        Some(row)
    }

    fn numeric(limit: Option<(u16, i16)>) -> Kind {
        Kind::Numeric { limit }
    }

    #[test]
    fn a_widened_field_has_the_bytes_that_the_server_casts_it_to() {
        assert_eq!(widened(&Cell::Int4(-7), Kind::Int4, Kind::Int8), row(&Cell::Int8(-7)));
        assert_eq!(widened(&Cell::Int8(300), Kind::Int8, Kind::Int2), row(&Cell::Int2(300)));
        assert_eq!(widened(&Cell::Null, Kind::Int4, Kind::Int8), row(&Cell::Null));
        let number = |n, scale| Cell::Numeric(of_integer(n, scale));
        assert_eq!(widened(&Cell::Int8(-120_000_034), Kind::Int8, numeric(None)), row(&number(-120_000_034, 0)));
        assert_eq!(widened(&number(0, 2), numeric(Some((10, 2))), numeric(Some((12, 4)))), row(&number(0, 4)));
        let nan = Cell::Numeric(Numeric::special(Sign::NaN));
        assert_eq!(widened(&nan, numeric(Some((10, 2))), numeric(Some((12, 4)))), row(&nan));
        assert_eq!(widened(&Cell::Float4(0.1), Kind::Float4, Kind::Float8), row(&Cell::Float8(f64::from(0.1_f32))));
        let text = |text: &'static str| Cell::Text(text.into());
        assert_eq!(widened(&text("ä  "), Kind::Char { width: 3 }, Kind::Text), row(&text("ä")));
        assert_eq!(widened(&text("ä  "), Kind::Char { width: 3 }, Kind::Char { width: 5 }), row(&text("ä    ")));
    }

    #[test]
    fn an_integer_becomes_groups_of_four_digits() {
        assert_eq!(of_integer(120_000_000, 0), Numeric::new(Sign::Plus, 2, 0, &[1, 2000]));
        assert_eq!(of_integer(0, 2), Numeric::new(Sign::Plus, 0, 2, &[]));
        assert_eq!(of_integer(-10_000, 0), Numeric::new(Sign::Minus, 1, 0, &[1]));
    }

    #[test]
    fn a_cast_that_may_change_a_value_is_no_widening() {
        let loses =
            |was: Kind, is: Kind| assert_eq!(widening(&of(was.clone()), &of(is.clone())), None, "{was:?} {is:?}");
        loses(numeric(Some((10, 2))), numeric(Some((10, 1))));
        loses(numeric(None), numeric(Some((10, 2))));
        loses(Kind::Timestamp { precision: 6 }, Kind::Timestamp { precision: 3 });
        loses(Kind::Timestamp { precision: 6 }, Kind::Timestamptz { precision: 6 });
        loses(Kind::Float8, Kind::Float4);
        loses(Kind::Json, Kind::Jsonb);
        loses(Kind::Money, Kind::Money);
        loses(Kind::Enum { labels: vec!["a".to_owned()] }, Kind::Enum { labels: vec!["b".to_owned()] });
    }

    #[test]
    fn an_array_of_a_type_with_another_oid_has_that_oid() {
        let array = |oid| of(Kind::Array(Box::new(ColumnType::new(Kind::Citext, oid, "citext"))));
        assert_eq!(widening(&array(16_400), &array(16_400)), Some(Widening::Same));
        assert_eq!(widening(&array(16_400), &array(17_000)), Some(Widening::Element(17_000)));
    }
}
