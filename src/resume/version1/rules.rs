//! The modifiers of a column and the values that a mapping writes down, as ledgers of version 1 have them.

use super::debug::{list, option, record, text, texts, variant};
use crate::model::cell::RawBuf;
use crate::model::rules::{Charset, Epoch, Offset, Overlap, Rules, Unit, Value, Zone};

pub fn rules(modifiers: &Rules) -> String {
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
        zone: local,
        unit,
        since: _,
        array_csv,
        packed: _,
        uuid_bytes: _,
        if_bad,
        round,
        truncate,
        if_orphan,
        drop_orphan: _,
        if_null,
    } = modifiers;
    let word = |word: Option<&str>| option(word.map(str::to_owned));
    let fallback = |written: &Option<Value>| option(written.as_ref().map(value));
    record(
        "Rules",
        [
            ("charset", word(charset.map(charset_word))),
            ("blob_as_text", blob_as_text.to_string()),
            ("strip_nul", strip_nul.to_string()),
            ("trim", trim.to_string()),
            ("null_if", texts(null_if)),
            ("map", list(map.iter().map(|(from, to)| variant("", [text(from), value(to)])))),
            ("map_else", fallback(map_else)),
            ("epoch", word(epoch.map(epoch_word))),
            ("format", option((!format.is_empty()).then(|| text(&format.join("\n"))))),
            ("offset", word(offset.map(offset_word))),
            ("overlap", word(overlap.map(overlap_word))),
            ("zone", option(local.map(zone))),
            ("unit", word(unit.map(unit_word))),
            ("array_csv", array_csv.to_string()),
            ("if_bad", fallback(if_bad)),
            ("round", round.to_string()),
            ("truncate", truncate.to_string()),
            ("if_orphan", fallback(if_orphan)),
            ("if_null", fallback(if_null)),
        ],
    )
}

fn charset_word(charset: Charset) -> &'static str {
    match charset {
        Charset::Windows1252 => "Windows1252",
        Charset::Latin1 => "Latin1",
    }
}

fn epoch_word(epoch: Epoch) -> &'static str {
    match epoch {
        Epoch::Seconds => "Seconds",
        Epoch::Millis => "Millis",
        Epoch::Micros => "Micros",
        Epoch::Nanos => "Nanos",
        Epoch::Julian => "Julian",
    }
}

fn offset_word(offset: Offset) -> &'static str {
    match offset {
        Offset::Zone => "Zone",
        Offset::Drop => "Drop",
    }
}

fn overlap_word(overlap: Overlap) -> &'static str {
    match overlap {
        Overlap::Earlier => "Earlier",
        Overlap::Later => "Later",
    }
}

fn unit_word(unit: Unit) -> &'static str {
    match unit {
        Unit::Seconds => "Seconds",
        Unit::Millis => "Millis",
        Unit::Micros => "Micros",
    }
}

fn zone(zone: Zone) -> String {
    match zone {
        Zone::Fixed(seconds) => variant("Fixed", [seconds.to_string()]),
        Zone::Named(tz) => variant("Named", [tz.name().to_owned()]),
    }
}

pub fn value(written: &Value) -> String {
    match written {
        Value::Literal(constant) => variant("Literal", [raw(constant)]),
        Value::Null => "Null".to_owned(),
        Value::Now => "Now".to_owned(),
        Value::Owner => "Owner".to_owned(),
        Value::Env(name) => variant("Env", [text(name)]),
        Value::Fault => "Fault".to_owned(),
        Value::Member => "Member".to_owned(),
    }
}

pub fn raw(constant: &RawBuf) -> String {
    let bytes = |bytes: &[u8]| list(bytes.iter().map(ToString::to_string));
    match constant {
        RawBuf::Null => "Null".to_owned(),
        RawBuf::Integer(number) => variant("Integer", [number.to_string()]),
        RawBuf::Real(number) => variant("Real", [format!("{number:?}")]),
        RawBuf::Text(held) => variant("Text", [bytes(held)]),
        RawBuf::Blob(held) => variant("Blob", [bytes(held)]),
    }
}
