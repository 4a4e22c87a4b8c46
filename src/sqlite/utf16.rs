//! The SQL function that finds text with half of a surrogate pair, which only a file in UTF-16 can hold.

use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result};

/// The function of a text's bytes, and of 1 if they are big-endian: 1 if the text has half of a surrogate pair, else 0.
pub(super) const HALF_SURROGATE: &str = "migrate_half_surrogate";

/// Registers the function on a connection.
pub(super) fn register(conn: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    conn.create_scalar_function(HALF_SURROGATE, 2, flags, |context| {
        let ValueRef::Blob(bytes) = context.get_raw(0) else { return Ok(false) };
        let unit: fn([u8; 2]) -> u16 = match context.get_raw(1) {
            ValueRef::Integer(1) => u16::from_be_bytes,
            _ => u16::from_le_bytes,
        };
        Ok(has_half_surrogate(bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]))))
    })
}

fn has_half_surrogate(units: impl Iterator<Item = u16>) -> bool {
    char::decode_utf16(units).any(|unit| unit.is_err())
}
