//! Numbers that a blob contains one after the other, as applications store vectors.

use crate::model::cell::Raw;
use crate::model::fault::Reason;
use crate::model::rules::{PackedKind, PackedNumbers};

/// Returns the numbers in a blob, in their order.
///
/// # Errors
/// If the blob is not a whole number of them.
pub(super) fn numbers(bytes: &[u8], form: PackedNumbers) -> Result<impl Iterator<Item = Raw<'static>> + '_, Reason> {
    if form.width == 0 || !bytes.len().is_multiple_of(form.width) {
        return Err(Reason::NotAnArray);
    }
    Ok(bytes.chunks_exact(form.width).map(move |number| one(number, form)))
}

fn one(number: &[u8], form: PackedNumbers) -> Raw<'static> {
    let bits = |all: u64, byte: &u8| all << 8 | u64::from(*byte);
    let bits = if form.is_little { number.iter().rev().fold(0, bits) } else { number.iter().fold(0, bits) };
    match (form.kind, form.width) {
        (PackedKind::Float, 4) => Raw::Real(f64::from(f32::from_bits(bits as u32))),
        (PackedKind::Float, _) => Raw::Real(f64::from_bits(bits)),
        (PackedKind::Signed, width) => {
            let unused = 64 - 8 * width as u32;
            Raw::Integer((bits << unused) as i64 >> unused)
        }
        (PackedKind::Unsigned, _) => Raw::Integer(bits as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(word: &str, bytes: &[u8]) -> Vec<Raw<'static>> {
        numbers(bytes, PackedNumbers::of(word).expect("a form")).expect("whole numbers").collect()
    }

    #[test]
    fn every_form_is_read_with_its_sign_and_order_of_bytes() {
        assert_eq!(read("f32le", &[0, 0, 0xc0, 0x3f, 0, 0, 0, 0xbf]), [Raw::Real(1.5), Raw::Real(-0.5)]);
        assert_eq!(read("f32be", &[0x3f, 0xc0, 0, 0]), [Raw::Real(1.5)]);
        assert_eq!(read("f64le", &0.1f64.to_le_bytes()), [Raw::Real(0.1)]);
        assert_eq!(read("f64be", &0.1f64.to_be_bytes()), [Raw::Real(0.1)]);
        assert_eq!(read("i8", &[0xff, 1]), [Raw::Integer(-1), Raw::Integer(1)]);
        assert_eq!(read("u8", &[0xff]), [Raw::Integer(255)]);
        assert_eq!(read("i16le", &[0xfe, 0xff]), [Raw::Integer(-2)]);
        assert_eq!(read("i32be", &[0xff, 0xff, 0xff, 0xfd]), [Raw::Integer(-3)]);
        assert_eq!(read("i64le", &i64::MIN.to_le_bytes()), [Raw::Integer(i64::MIN)]);
        assert_eq!(read("u16le", &[0xff, 0xff]), [Raw::Integer(65_535)]);
        assert_eq!(read("f32le", &[]), []);
        assert!(numbers(&[0, 0, 0], PackedNumbers::of("f32le").expect("a form")).is_err());
    }

    #[test]
    fn every_word_is_the_word_of_its_form() {
        for word in PackedNumbers::WORDS {
            assert_eq!(PackedNumbers::of(word).map(PackedNumbers::word), Some(word));
        }
        assert!(["", "f16le", "f32", "u8le", "csv"].iter().all(|word| PackedNumbers::of(word).is_none()));
    }
}
