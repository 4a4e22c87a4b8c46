//! The [`Rules`] of one column: merges the levels of its modifiers, reads their words and refuses misplaced ones.

use chrono::NaiveDate;

use crate::mapping::{Defaults, Load, Mapping, Modifiers, OrphanRule, Switch, WrittenValue};
use crate::model::ident::did_you_mean;
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::rules::{Charset, Epoch, Offset, Overlap, PackedNumbers, Rules, Unit, UuidBytes, Value, Zone};
use crate::model::schema::{TargetColumn, TargetSchema};

use super::PlanFindings;

/// Returns the rules of one column: its own modifiers, then those of the load, `defaults.columns`, `defaults.types` and
/// `defaults`, merged one by one.
pub(super) fn rules(
    mapping: &Mapping,
    load: &Load,
    column: &TargetColumn,
    written: &Modifiers,
    findings: &mut PlanFindings,
) -> Rules {
    let TargetColumn { name, kind, .. } = column;
    let place = format!("load.{}.columns.{name}", load.name);
    for modifier in written.written() {
        if !applies(modifier, &kind.kind) {
            findings.refuse(
                format!("{place}.{modifier}"),
                format!("`{modifier}` has no effect on a column of type {}", kind.shown()),
                "Remove it.",
            );
        }
    }
    let levels = levels(&mapping.defaults, load, name, kind);
    let merged = levels.iter().fold(written.clone(), |merged, (_, lower)| merged.over(lower));
    let own = written.written();
    let inherited: Vec<(&'static str, String)> = merged
        .written()
        .into_iter()
        .filter(|modifier| !own.contains(modifier))
        .filter_map(|modifier| {
            let (level, _) = levels.iter().find(|(_, level)| level.written().contains(&modifier))?;
            Some((modifier, format!("{level}.{modifier}")))
        })
        .collect();
    let places = inherited.iter().map(|(modifier, level)| ((place.clone(), *modifier), level.clone()));
    findings.inherited.extend(places);
    read(&merged, mapping, &ModifierPlaces { place: &place, inherited: &inherited }, findings)
}

/// The places of one column's modifiers in the mapping.
struct ModifierPlaces<'a> {
    place: &'a str,
    inherited: &'a [(&'static str, String)],
}

impl ModifierPlaces<'_> {
    fn of(&self, modifier: &str) -> String {
        let inherited = self.inherited.iter().find(|(name, _)| *name == modifier);
        inherited.map_or_else(|| format!("{}.{modifier}", self.place), |(_, level)| level.clone())
    }
}

/// Returns rules with the zone of `[source]` alone, for the values of `[owner]` and the keys of lookups.
pub(super) fn plain(mapping: &Mapping) -> Rules {
    Rules { zone: mapping.source.zone.as_deref().and_then(Zone::parse), ..Rules::default() }
}

/// Returns the levels below the column's own, each with its place, nearer levels first.
fn levels<'m>(defaults: &'m Defaults, load: &'m Load, name: &str, kind: &ColumnType) -> Vec<(String, &'m Modifiers)> {
    let by_name = defaults.columns.get(name).map(|m| (format!("defaults.columns.{name}"), m));
    let by_type = defaults.types.iter().find(|(word, _)| names_of(kind).iter().any(|n| n == &word.to_lowercase()));
    let by_type = by_type.map(|(word, m)| (format!("defaults.types.{word}"), m));
    let nearest = std::iter::once((format!("load.{}", load.name), &load.modifiers));
    nearest.chain(by_name).chain(by_type).chain([("defaults".to_owned(), &defaults.modifiers)]).collect()
}

fn set<T: Clone>(switch: &Option<Switch<T>>) -> Option<T> {
    match switch {
        Some(Switch::Set(value)) => Some(value.clone()),
        Some(Switch::Off) | None => None,
    }
}

/// Returns a modifier's value. `{ fault = true }` means that the modifier is absent.
fn value(switch: &Option<Switch<WrittenValue>>) -> Option<Value> {
    set(switch).map(|written| written.0).filter(|value| *value != Value::Fault)
}

fn word<T: Copy>(
    switch: &Option<Switch<String>>,
    words: &[(&str, T)],
    places: &ModifierPlaces<'_>,
    modifier: &str,
    findings: &mut PlanFindings,
) -> Option<T> {
    let given = set(switch)?;
    let found = words.iter().find(|(word, _)| *word == given).map(|(_, meaning)| *meaning);
    if found.is_none() {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        findings.refuse(
            places.of(modifier),
            format!("`{given}` is not known"),
            format!("{}Known: {}.", did_you_mean(&given, known.iter().copied()), known.join(", ")),
        );
    }
    found
}

fn read(m: &Modifiers, mapping: &Mapping, places: &ModifierPlaces<'_>, findings: &mut PlanFindings) -> Rules {
    let charsets =
        [("windows-1252", Charset::Windows1252), ("latin1", Charset::Latin1), ("iso-8859-1", Charset::Latin1)];
    let epochs = [
        ("s", Epoch::Seconds),
        ("ms", Epoch::Millis),
        ("us", Epoch::Micros),
        ("ns", Epoch::Nanos),
        ("julian", Epoch::Julian),
    ];
    let units = [("s", Unit::Seconds), ("ms", Unit::Millis), ("us", Unit::Micros)];
    let offsets = [("zone", Offset::Zone), ("drop", Offset::Drop)];
    let overlaps = [("earlier", Overlap::Earlier), ("later", Overlap::Later)];
    let mut arrays = vec![("csv", None)];
    arrays.extend(PackedNumbers::WORDS.map(|word| (word, PackedNumbers::of(word))));
    let array = word(&m.array, &arrays, places, "array", findings);
    Rules {
        charset: word(&m.charset, &charsets, places, "charset", findings),
        blob_as_text: word(&m.blob, &[("utf8", ())], places, "blob", findings).is_some(),
        strip_nul: set(&m.strip_nul) == Some(true),
        trim: set(&m.trim) == Some(true),
        null_if: set(&m.null_if).unwrap_or_default(),
        map: set(&m.map).unwrap_or_default().into_iter().map(|(from, to)| (from, to.0)).collect(),
        map_else: match &m.map_else {
            Some(Switch::Set(written)) => Some(written.0.clone()),
            Some(Switch::Off) => Some(Value::Fault),
            None => None,
        },
        epoch: word(&m.epoch, &epochs, places, "epoch", findings),
        format: set(&m.format).map(|formats| formats.0).unwrap_or_default(),
        offset: word(&m.offset, &offsets, places, "offset", findings),
        overlap: word(&m.overlap, &overlaps, places, "overlap", findings),
        zone: match set(&m.zone) {
            Some(text) => zone(&text, places.of("zone"), findings),
            None => plain(mapping).zone,
        },
        unit: word(&m.unit, &units, places, "unit", findings),
        since: set(&m.since).and_then(|text| since(&text, places.of("since"), findings)),
        array_csv: array == Some(None),
        packed: array.flatten(),
        uuid_bytes: word(
            &m.bytes,
            &[("rfc", UuidBytes::Rfc), ("dotnet", UuidBytes::Dotnet)],
            places,
            "bytes",
            findings,
        ),
        if_bad: value(&m.if_bad),
        round: set(&m.round) == Some(true),
        truncate: set(&m.truncate) == Some(true),
        if_orphan: match set(&m.if_orphan) {
            Some(OrphanRule::Replace(written)) => Some(written.0).filter(|value| *value != Value::Fault),
            _ => None,
        },
        drop_orphan: set(&m.if_orphan) == Some(OrphanRule::Drop),
        if_null: value(&m.if_null),
    }
}

/// Returns the day of `since`, in days since 2000-01-01.
fn since(text: &str, place: String, findings: &mut PlanFindings) -> Option<i32> {
    let read = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let day = read(text).zip(read("2000-01-01"));
    if day.is_none() {
        findings.refuse(place, format!("`{text}` is not a date"), "Write it as `since = \"1970-01-01\"`.");
    }
    day.and_then(|(day, first)| i32::try_from((day - first).num_days()).ok())
}

/// Refuses an unknown `[source].zone`, once.
pub(super) fn source_zone(mapping: &Mapping, findings: &mut PlanFindings) {
    if let Some(text) = &mapping.source.zone {
        zone(text, "source.zone".to_owned(), findings);
    }
}

fn zone(text: &str, place: String, findings: &mut PlanFindings) -> Option<Zone> {
    let zone = Zone::parse(text);
    if zone.is_none() {
        let hint = did_you_mean(text, ["UTC"]);
        findings.refuse(
            place,
            format!("`{text}` is not a zone"),
            format!("{hint}Write UTC, an offset such as +05:30, or a name of the tz database such as Europe/Berlin."),
        );
    }
    zone
}

/// Returns true if a modifier can act on a column of this kind.
fn applies(modifier: &str, kind: &Kind) -> bool {
    let base = match kind {
        Kind::Array(element) | Kind::Range(element) => &element.kind,
        other => other,
    };
    let text = matches!(
        base,
        Kind::Text
            | Kind::Varchar { .. }
            | Kind::Char { .. }
            | Kind::Citext
            | Kind::Hstore
            | Kind::Tsvector
            | Kind::Other
            | Kind::Enum { .. }
    );
    let json = matches!(base, Kind::Json | Kind::Jsonb);
    let time = matches!(base, Kind::Timestamp { .. } | Kind::Timestamptz { .. });
    let dated = time || matches!(base, Kind::Date | Kind::Time { .. });
    match modifier {
        "charset" | "blob" | "strip_nul" => text || json,
        "epoch" | "format" => dated,
        "offset" => matches!(base, Kind::Timestamp { .. } | Kind::Date | Kind::Time { .. }),
        "zone" => dated || matches!(base, Kind::Timetz { .. }),
        "overlap" => dated,
        "unit" | "since" => matches!(base, Kind::Interval { .. } | Kind::IntervalOf { .. }),
        "array" => matches!(kind, Kind::Array(_)),
        "bytes" => matches!(base, Kind::Uuid),
        "round" => {
            dated
                || matches!(
                    base,
                    Kind::Int2
                        | Kind::Int4
                        | Kind::Int8
                        | Kind::Float4
                        | Kind::Numeric { .. }
                        | Kind::Money
                        | Kind::Interval { .. }
                        | Kind::IntervalOf { .. }
                )
        }
        "truncate" => text || dated,
        "if_bad" => !matches!(base, Kind::Text | Kind::Varchar { .. } | Kind::Char { .. } | Kind::Citext | Kind::Bytea),
        _ => true,
    }
}

/// Returns the names of a type that `[defaults.types]` accepts: the server's name, with and without limits, and short names.
pub(super) fn names_of(kind: &ColumnType) -> Vec<String> {
    let full = kind.name.to_lowercase();
    let bare = match full.find('(') {
        Some(open) => {
            let close = full.find(')').map_or(full.len(), |c| c + 1);
            format!("{}{}", &full[..open], &full[close..])
        }
        None => full.clone(),
    };
    let short: &[&str] = match &kind.kind {
        Kind::Bool => &["bool"],
        Kind::Int2 => &["int2"],
        Kind::Int4 => &["int4", "int"],
        Kind::Int8 => &["int8"],
        Kind::Float4 => &["float4"],
        Kind::Float8 => &["float8"],
        Kind::Numeric { .. } => &["decimal"],
        Kind::Varchar { .. } => &["varchar"],
        Kind::Char { .. } => &["char"],
        Kind::Time { .. } => &["time"],
        Kind::Timestamp { .. } => &["timestamp"],
        Kind::Timestamptz { .. } => &["timestamptz"],
        _ => &[],
    };
    let mut names = vec![full, bare];
    names.extend(short.iter().map(|s| (*s).to_owned()));
    names.extend(kind.domain.as_ref().map(|d| d.to_lowercase()));
    names
}

/// Refuses entries of `[defaults.columns]` that match no column, because a mistyped name would have no effect. A type that no
/// column has is a warning: one mapping may serve several versions of a schema.
pub(super) fn unreachable(mapping: &Mapping, target: &TargetSchema, findings: &mut PlanFindings) {
    let columns: Vec<&str> = target.tables.values().flat_map(|t| t.columns.iter().map(|c| c.name.as_str())).collect();
    for name in mapping.defaults.columns.keys() {
        if !columns.contains(&name.as_str()) {
            findings.refuse(
                format!("defaults.columns.{name}"),
                "no table of the target has a column of this name",
                format!("{}Remove it or correct it.", did_you_mean(name, columns.iter().copied())),
            );
        }
    }
    if let Some(owner) = mapping.defaults.owner.as_deref().filter(|owner| !columns.contains(owner)) {
        findings.refuse(
            "defaults.owner",
            format!("no table of the target has a column `{owner}`"),
            format!("{}Remove it or correct it.", did_you_mean(owner, columns.iter().copied())),
        );
    }
    let types: Vec<String> =
        target.tables.values().flat_map(|t| t.columns.iter().flat_map(|c| names_of(&c.kind))).collect();
    for name in mapping.defaults.types.keys() {
        if !types.contains(&name.to_lowercase()) {
            let hint = did_you_mean(name, types.iter().map(String::as_str));
            let place = format!("defaults.types.{name}");
            if !hint.is_empty() && !TYPES.contains(&name.to_lowercase().as_str()) {
                let reason = "no column of the target has this type, and its name is like that of another";
                findings.refuse(place, reason, format!("{hint}Remove it or correct it."));
            } else {
                findings.warn(place, "no column of the target has this type, so it has no effect");
            }
        }
    }
}

/// Names of PostgreSQL's types: they are not misspelt, even if no column has the type.
const TYPES: [&str; 38] = [
    "bigint",
    "bit",
    "bool",
    "boolean",
    "bytea",
    "char",
    "character varying",
    "cidr",
    "citext",
    "date",
    "decimal",
    "double precision",
    "float4",
    "float8",
    "hstore",
    "inet",
    "int",
    "int2",
    "int4",
    "int8",
    "integer",
    "interval",
    "json",
    "jsonb",
    "macaddr",
    "money",
    "numeric",
    "real",
    "smallint",
    "text",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "tsvector",
    "uuid",
    "varchar",
    "xml",
];
