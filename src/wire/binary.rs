//! Rows of binary COPY: the form that the server's `*_recv` functions read and its `*_send` functions write.
//!
//! The encoder trusts its cells. The conversion checked range, scale, length and labels, because the server would round,
//! cut or accept a wrong value silently.

use std::net::IpAddr;

use crate::model::cell::{Array, Cell, Inet};
use crate::model::numeric::{Numeric, Sign};

/// The start of a binary COPY: signature, flags, no header extension.
pub const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// The end of a binary COPY.
pub const TRAILER: &[u8; 2] = &[0xff, 0xff];

/// The length that marks NULL.
const NULL: i32 = -1;

/// The address families of `inet`, as the server numbers them on the wire.
const FAMILY_4: u8 = 2;
const FAMILY_6: u8 = 3;

/// Appends one field: its length and its bytes.
pub fn field(cell: &Cell<'_>, out: &mut Vec<u8>) {
    if matches!(cell, Cell::Null) {
        return out.extend_from_slice(&NULL.to_be_bytes());
    }
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    payload(cell, out);
    let length = (out.len() - at - 4) as i32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// Appends one field with these bytes.
#[inline]
pub fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn payload(cell: &Cell<'_>, out: &mut Vec<u8>) {
    match cell {
        Cell::Null => {}
        Cell::Bool(b) => out.push(u8::from(*b)),
        Cell::Int2(i) => out.extend_from_slice(&i.to_be_bytes()),
        Cell::Int4(i) | Cell::Date(i) => out.extend_from_slice(&i.to_be_bytes()),
        Cell::Int8(i) | Cell::Time(i) | Cell::Timestamp(i) => out.extend_from_slice(&i.to_be_bytes()),
        Cell::Float4(r) => out.extend_from_slice(&r.to_be_bytes()),
        Cell::Float8(r) => out.extend_from_slice(&r.to_be_bytes()),
        Cell::Numeric(n) => numeric(n, out),
        Cell::Text(text) | Cell::Json(text) | Cell::Verbatim(text) => out.extend_from_slice(text.as_bytes()),
        Cell::Bytea(bytes) => out.extend_from_slice(bytes),
        Cell::Interval { months, days, micros } => {
            out.extend_from_slice(&micros.to_be_bytes());
            out.extend_from_slice(&days.to_be_bytes());
            out.extend_from_slice(&months.to_be_bytes());
        }
        Cell::Uuid(bytes) => out.extend_from_slice(bytes),
        Cell::Jsonb(text) => {
            // The version of jsonb's binary form; 1 is the only version.
            out.push(1);
            out.extend_from_slice(text.as_bytes());
        }
        Cell::Inet(address) => inet(address, out),
        Cell::Array(elements) => array(elements, out),
    }
}

fn numeric(n: &Numeric, out: &mut Vec<u8>) {
    let sign: u16 = match n.sign {
        Sign::Plus => 0x0000,
        Sign::Minus => 0x4000,
        Sign::NaN => 0xC000,
        Sign::Infinity => 0xD000,
        Sign::MinusInfinity => 0xF000,
    };
    // The server keeps no scale of an infinity. It sends the value in its header: 32, since version 14.
    let scale = if matches!(n.sign, Sign::Infinity | Sign::MinusInfinity) { 32 } else { n.scale };
    let groups = n.groups();
    out.extend_from_slice(&(groups.len() as u16).to_be_bytes());
    out.extend_from_slice(&n.weight.to_be_bytes());
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&scale.to_be_bytes());
    for group in groups {
        out.extend_from_slice(&group.to_be_bytes());
    }
}

fn inet(inet: &Inet, out: &mut Vec<u8>) {
    let (family, bytes): (u8, &[u8]) = match &inet.address {
        IpAddr::V4(v4) => (FAMILY_4, &v4.octets()),
        IpAddr::V6(v6) => (FAMILY_6, &v6.octets()),
    };
    out.extend_from_slice(&[family, inet.prefix, 0, bytes.len() as u8]);
    out.extend_from_slice(bytes);
}

fn array(array: &Array<'_>, out: &mut Vec<u8>) {
    let nulls = array.elements.iter().any(|e| matches!(e, Cell::Null));
    out.extend_from_slice(&(array.dimensions.len() as i32).to_be_bytes());
    out.extend_from_slice(&i32::from(nulls).to_be_bytes());
    out.extend_from_slice(&array.element_oid.to_be_bytes());
    for length in &array.dimensions {
        out.extend_from_slice(&(*length as i32).to_be_bytes());
        out.extend_from_slice(&1_i32.to_be_bytes());
    }
    for element in &array.elements {
        field(element, out);
    }
}

/// Returns the fields of one row's image, `None` for NULL. Returns `None` if the bytes are not a row.
pub fn fields(row: &[u8]) -> Option<Vec<Option<&[u8]>>> {
    let count = u16::from_be_bytes(row.get(..2)?.try_into().ok()?);
    let mut at = 2;
    let mut fields = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let length = i32::from_be_bytes(row.get(at..at + 4)?.try_into().ok()?);
        at += 4;
        if length < 0 {
            fields.push(None);
        } else {
            let end = at + length as usize;
            fields.push(Some(row.get(at..end)?));
            at = end;
        }
    }
    (at == row.len()).then_some(fields)
}

/// Appends a row of other columns: for each place the field of that number, or NULL. Returns false, and leaves `out` as
/// it was, if the bytes are not a row.
pub fn project(row: &[u8], places: &[Option<usize>], out: &mut Vec<u8>) -> bool {
    let Some(fields) = fields(row) else { return false };
    out.extend_from_slice(&(places.len() as u16).to_be_bytes());
    for place in places {
        match place.and_then(|n| fields.get(n).copied().flatten()) {
            None => out.extend_from_slice(&NULL.to_be_bytes()),
            Some(bytes) => {
                out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
                out.extend_from_slice(bytes);
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(cell: &Cell<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        field(cell, &mut out);
        out
    }

    #[test]
    fn a_field_is_its_length_and_its_bytes() {
        assert_eq!(bytes(&Cell::Null), [0xff; 4]);
        assert_eq!(bytes(&Cell::Int4(-2)), [0, 0, 0, 4, 0xff, 0xff, 0xff, 0xfe]);
        assert_eq!(bytes(&Cell::Text("é".into())), [0, 0, 0, 2, 0xc3, 0xa9]);
    }

    #[test]
    fn a_numeric_is_base_10000_with_weight_sign_and_scale() {
        // -12345.67: groups 1, 2345, 6700.
        let n = Numeric::new(Sign::Minus, 1, 2, &[1, 2345, 6700]);
        assert_eq!(bytes(&Cell::Numeric(n)), [0, 0, 0, 14, 0, 3, 0, 1, 0x40, 0, 0, 2, 0, 1, 0x09, 0x29, 0x1a, 0x2c]);
    }

    #[test]
    fn a_row_splits_into_its_fields() {
        let mut row = vec![0, 2];
        field(&Cell::Null, &mut row);
        field(&Cell::Bool(true), &mut row);
        assert_eq!(fields(&row), Some(vec![None, Some(&[1_u8][..])]));
        let mut other = Vec::new();
        assert!(project(&row, &[Some(1), None, Some(0)], &mut other));
        assert_eq!(fields(&other), Some(vec![Some(&[1_u8][..]), None, None]));
        row.push(0);
        assert_eq!(fields(&row), None);
    }
}
