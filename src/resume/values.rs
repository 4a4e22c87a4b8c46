//! The modifiers of a column and the values that a mapping writes down, as expressions of a fingerprint.

use super::expression::Expression;
use crate::model::cell::RawBuf;
use crate::model::hex::hex;
use crate::model::rules::{Charset, Epoch, Offset, Overlap, PackedNumbers, Rules, Unit, UuidBytes, Value, Zone};

/// Adds the modifiers that differ from the default, in the order in which they act.
pub fn add_rules(to: Expression, rules: &Rules) -> Expression {
    let Rules {
        charset,
        blob_as_text,
        strip_nul,
        trim,
        null_if,
        map,
        map_else,
        epoch,
        format,
        offset,
        overlap,
        zone,
        unit,
        since,
        array_csv,
        packed,
        uuid_bytes,
        if_bad,
        round,
        truncate,
        if_orphan,
        drop_orphan,
        if_null,
    } = rules;
    let word = |key: &str, word: Option<&str>| word.map(|word| Expression::new(key).text(word));
    let fallback =
        |key: &str, fallback: &Option<Value>| fallback.as_ref().map(|it| Expression::new(key).with(value(it)));
    to.with_all(word("charset", charset.map(charset_word)))
        .flag("blob-as-text", *blob_as_text)
        .flag("strip-nul", *strip_nul)
        .flag("trim", *trim)
        .with_all(null_if.iter().map(|text| Expression::new("null-if").text(text)))
        .with_all(map.iter().map(|(text, to)| Expression::new("map").text(text).with(value(to))))
        .with_all(fallback("map-else", map_else))
        .with_all(word("epoch", epoch.map(epoch_word)))
        .with_all(format.iter().map(|text| Expression::new("format").text(text)))
        .with_all(word("offset", offset.map(offset_word)))
        .with_all(word("overlap", overlap.map(overlap_word)))
        .with_all(zone.map(zone_expression))
        .with_all(word("unit", unit.map(unit_word)))
        .with_all(since.map(|day| Expression::new("since").number(day.into())))
        .flag("array-csv", *array_csv)
        .with_all(word("packed", packed.map(PackedNumbers::word)))
        .with_all(word("uuid-bytes", uuid_bytes.map(uuid_word)))
        .with_all(fallback("if-bad", if_bad))
        .flag("round", *round)
        .flag("truncate", *truncate)
        .with_all(fallback("if-orphan", if_orphan))
        .flag("drop-orphan", *drop_orphan)
        .with_all(fallback("if-null", if_null))
}

/// Writes a value of the mapping.
pub fn value(value: &Value) -> Expression {
    match value {
        Value::Literal(constant) => raw(constant),
        Value::Null => Expression::new("sql-null"),
        Value::Now => Expression::new("now"),
        Value::Owner => Expression::new("owner"),
        Value::Env(name) => Expression::new("env").text(name),
        Value::Fault => Expression::new("fault"),
        Value::Member => Expression::new("member"),
    }
}

/// Writes a value of SQLite. A double is written by its bits, and text that is not UTF-8 in hexadecimal.
pub fn raw(constant: &RawBuf) -> Expression {
    match constant {
        RawBuf::Null => Expression::new("null"),
        RawBuf::Integer(number) => Expression::new("integer").number(*number),
        RawBuf::Real(number) => Expression::new("real").text(&hex(&number.to_bits().to_be_bytes())),
        RawBuf::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Expression::new("text").text(text),
            Err(_) => Expression::new("text-bytes").text(&hex(bytes)),
        },
        RawBuf::Blob(bytes) => Expression::new("blob").text(&hex(bytes)),
    }
}

fn charset_word(charset: Charset) -> &'static str {
    match charset {
        Charset::Windows1252 => "windows-1252",
        Charset::Latin1 => "latin1",
    }
}

fn epoch_word(epoch: Epoch) -> &'static str {
    match epoch {
        Epoch::Seconds => "s",
        Epoch::Millis => "ms",
        Epoch::Micros => "us",
        Epoch::Nanos => "ns",
        Epoch::Julian => "julian",
    }
}

fn uuid_word(order: UuidBytes) -> &'static str {
    match order {
        UuidBytes::Rfc => "rfc",
        UuidBytes::Dotnet => "dotnet",
    }
}

fn offset_word(offset: Offset) -> &'static str {
    match offset {
        Offset::Zone => "zone",
        Offset::Drop => "drop",
    }
}

fn overlap_word(overlap: Overlap) -> &'static str {
    match overlap {
        Overlap::Earlier => "earlier",
        Overlap::Later => "later",
    }
}

fn unit_word(unit: Unit) -> &'static str {
    match unit {
        Unit::Seconds => "s",
        Unit::Millis => "ms",
        Unit::Micros => "us",
    }
}

fn zone_expression(zone: Zone) -> Expression {
    match zone {
        Zone::Fixed(seconds) => Expression::new("zone").number(seconds.into()),
        Zone::Named(tz) => Expression::new("zone").text(tz.name()),
    }
}
