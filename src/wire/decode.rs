//! Binary fields back to text, for people who asked to see values. Nothing here is compared.

use crate::model::cell::Cell;
use crate::model::hex::hex;
use crate::model::numeric::{Numeric, Sign};
use crate::model::pgtype::Kind;

use super::text::literal;

/// Returns the value of a binary field as the server would print it, or its bytes if the type is unknown here.
pub fn shown(kind: &Kind, bytes: &[u8]) -> String {
    cell(kind, bytes).map_or_else(|| format!("\\x{}", hex(bytes)), |cell| literal(&cell))
}

fn cell<'a>(kind: &Kind, bytes: &'a [u8]) -> Option<Cell<'a>> {
    Some(match kind {
        Kind::Bool => Cell::Bool(*bytes.first()? != 0),
        Kind::Int2 => Cell::Int2(i16::from_be_bytes(bytes.try_into().ok()?)),
        Kind::Int4 => Cell::Int4(i32::from_be_bytes(bytes.try_into().ok()?)),
        Kind::Int8 => Cell::Int8(i64::from_be_bytes(bytes.try_into().ok()?)),
        Kind::Float4 => Cell::Float4(f32::from_be_bytes(bytes.try_into().ok()?)),
        Kind::Float8 => Cell::Float8(f64::from_be_bytes(bytes.try_into().ok()?)),
        Kind::Numeric { .. } => Cell::Numeric(numeric(bytes)?),
        Kind::Text | Kind::Varchar { .. } | Kind::Char { .. } | Kind::Citext | Kind::Enum { .. } | Kind::Json => {
            Cell::Text(std::str::from_utf8(bytes).ok()?.into())
        }
        Kind::Jsonb => Cell::Text(std::str::from_utf8(bytes.get(1..)?).ok()?.into()),
        Kind::Date => Cell::Date(i32::from_be_bytes(bytes.try_into().ok()?)),
        Kind::Time { .. } => Cell::Time(i64::from_be_bytes(bytes.try_into().ok()?)),
        Kind::Timestamp { .. } | Kind::Timestamptz { .. } => {
            Cell::Timestamp(i64::from_be_bytes(bytes.try_into().ok()?))
        }
        Kind::Uuid => Cell::Uuid(bytes.try_into().ok()?),
        _ => return None,
    })
}

fn numeric(bytes: &[u8]) -> Option<Numeric> {
    let words: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|w| u16::from_be_bytes(*w)).collect();
    let [_, weight, sign, scale, groups @ ..] = words.as_slice() else { return None };
    let sign = match sign {
        0x0000 => Sign::Plus,
        0x4000 => Sign::Minus,
        0xD000 => return Some(Numeric::special(Sign::Infinity)),
        0xF000 => return Some(Numeric::special(Sign::MinusInfinity)),
        _ => return Some(Numeric::special(Sign::NaN)),
    };
    let groups: Vec<i16> = groups.iter().map(|g| *g as i16).collect();
    Some(Numeric::new(sign, *weight as i16, *scale, &groups))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::binary;

    #[test]
    fn a_decoded_field_shows_the_encoded_value() {
        let n = Numeric::new(Sign::Minus, 1, 2, &[1, 2345, 6700]);
        let mut field = Vec::new();
        binary::field(&Cell::Numeric(n), &mut field);
        assert_eq!(shown(&Kind::Numeric { limit: None }, &field[4..]), "-12345.67");
        assert_eq!(shown(&Kind::Int4, &[0, 0, 0, 7]), "7");
        assert_eq!(shown(&Kind::Int4, &[7]), "\\x07");
        assert_eq!(shown(&Kind::Jsonb, b"\x01{}"), "{}");
    }
}
