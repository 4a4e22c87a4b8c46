//! Values that go as they are: from SQLite's cell to the wire's field in one step, without a `Cell` between.
//!
//! What is not written here is read by [`Converter::convert`], and what is written here it reads the same: this is a
//! shorter way, not another meaning. Half the cells of a row are of this kind, and the copies of a cell cost more than they.

use super::converter::Converter;
use super::reader::TypeReader;
use super::text::is_plain_ascii;
use crate::model::cell::Raw;
use crate::wire::binary;

impl Converter {
    /// Appends the binary field of a value that goes as it is. False: it is none of these, and `out` is as it was.
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
