//! The SQL function `ts(x)` of mappings: reads a time as the converter does, and returns text that sorts in order of
//! time.

use super::reader::TypeReader;
use crate::model::cell::{Raw, RawBuf};
use crate::model::fault::{LossSet, Reason};
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::rules::{Offset, Rules, Zone};
use crate::wire::text;

/// Returns a time as `YYYY-MM-DD HH:MM:SS.ffffff`, local to `zone` (default UTC). NULL stays NULL.
///
/// # Errors
/// The reason why the value is no time, without the value.
pub fn time_as_text(raw: Raw<'_>, zone: Option<Zone>) -> Result<RawBuf, String> {
    if matches!(raw, Raw::Null) {
        return Ok(RawBuf::Null);
    }
    let kind = Kind::Timestamp { precision: 6 };
    let column = ColumnType::new(kind, 1114, "timestamp without time zone");
    let rules = Rules { zone: Some(zone.unwrap_or(Zone::Fixed(0))), offset: Some(Offset::Zone), ..Rules::default() };
    let says = |reason: Reason| format!("ts: the value {}", reason.says());
    let reader = TypeReader::new(&column, &rules).map_err(|_| says(Reason::BadFormat))?;
    let cell = reader.read(raw, &mut LossSet::default()).map_err(says)?;
    Ok(RawBuf::text(text::literal(&cell).replacen("+00", "", 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ts(text: &str) -> Result<RawBuf, String> {
        time_as_text(Raw::Text(text.as_bytes()), Zone::parse("Europe/Berlin"))
    }

    #[test]
    fn times_of_all_shapes_become_one_form_that_sorts() {
        let expected = Ok(RawBuf::text("2025-06-28 16:16:09.000000"));
        assert_eq!(ts("2025-06-28T16:16:09"), expected);
        assert_eq!(ts("2025-06-28 16:16:09.000"), expected);
        assert_eq!(ts("2025-06-28T14:16:09Z"), expected);
        assert_eq!(time_as_text(Raw::Null, None), Ok(RawBuf::Null));
    }

    #[test]
    fn an_error_never_contains_the_value() {
        let words = ts("secret").unwrap_err();
        assert!(words.starts_with("ts: the value ") && !words.contains("secret"), "{words}");
        assert!(time_as_text(Raw::Integer(5), None).is_err());
    }
}
