//! The fast path for values that are sent unchanged: encodes the field directly, without an intermediate `Cell`.
//!
//! [`Converter::convert`] reads all other values, and encodes the values handled here identically. About half of a
//! row's cells take this path; copying their cells would cost more than encoding them.

use super::converter::Converter;
use super::reader::TypeReader;
use super::text::is_plain_ascii;
use crate::model::cell::Raw;
use crate::wire::binary;

impl Converter {
    /// Appends the binary field of a value that is sent unchanged. Returns false, and leaves `out` as it was, for any
    /// other value.
    #[inline]
    pub(super) fn fast_path(&self, raw: &Raw<'_>, out: &mut Vec<u8>) -> bool {
        if !self.prepare.is_plain() {
            return false;
        }
        match (&self.reader, *raw) {
            (TypeReader::Int8 { .. }, Raw::Integer(value)) => binary::bytes(&value.to_be_bytes(), out),
            (TypeReader::Int4 { .. }, Raw::Integer(value)) => match i32::try_from(value) {
                Ok(value) => binary::bytes(&value.to_be_bytes(), out),
                Err(_) => return false,
            },
            (TypeReader::Bool, Raw::Integer(value @ (0 | 1))) => binary::bytes(&[value as u8], out),
            (TypeReader::Float8 { .. }, Raw::Real(value)) => binary::bytes(&value.to_be_bytes(), out),
            (TypeReader::Text(texts), Raw::Text(text)) if texts.takes(text.len()) && is_plain_ascii(text) => {
                binary::bytes(text, out);
            }
            _ => return false,
        }
        true
    }
}
