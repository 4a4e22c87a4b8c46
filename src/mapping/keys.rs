//! The keys of the mapping language, taken from the types that read them.
//!
//! Both the hint for a mistyped key and the check of the reference file use this list, so neither can become stale.

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use super::column::{FeedKeys, LookupRule, Modifiers, StepRule};
use super::file::{DefaultsKeys, LoadKeys, OwnerSection, SourceSection, TargetSection};

/// The modifiers that `[defaults]` and a whole load accept.
pub(super) const WIDE: [&str; 5] = ["round", "trim", "zone", "strip_nul", "charset"];

/// The sections of the file.
pub(super) const TOP: [&str; 9] =
    ["format", "name", "source", "target", "owner", "defaults", "leave", "sequences", "load"];

/// Returns the keys that are valid at a place of the file, such as `owner` or `load.x.columns.y`.
pub(super) fn at(path: &[String]) -> Vec<&'static str> {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    match parts.as_slice() {
        [] => TOP.to_vec(),
        ["source"] => fields::<SourceSection>().to_vec(),
        ["target"] => fields::<TargetSection>().to_vec(),
        ["owner"] => fields::<OwnerSection>().to_vec(),
        ["defaults"] => [fields::<DefaultsKeys>(), &WIDE, &["columns", "types"]].concat(),
        ["defaults", "columns" | "types", _] => fields::<Modifiers>().to_vec(),
        ["load", _] => [fields::<LoadKeys>(), &WIDE, &["columns"]].concat(),
        ["load", _, "columns", _] => [fields::<FeedKeys>(), fields::<Modifiers>()].concat(),
        ["load", _, "columns", _, "lookup"] => fields::<LookupRule>().to_vec(),
        ["load", _, "columns", _, "lookup", "steps", _] => fields::<StepRule>().to_vec(),
        ["load", _, "conflict"] => vec!["skip"],
        _ => Vec::new(),
    }
}

/// Returns the keys that are valid at a place, such as `owner` or `load.*.columns.*`. The whole file is an empty place.
pub fn keys_at(place: &str) -> Vec<&'static str> {
    let path: Vec<String> = place.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    at(&path)
}

/// Returns every key of the language with its place; the reference file must show them all.
pub fn keys_of_the_language() -> Vec<String> {
    let places = [
        "",
        "source",
        "target",
        "owner",
        "defaults",
        "load.*",
        "load.*.columns.*",
        "load.*.columns.*.lookup",
        "load.*.columns.*.lookup.steps.*",
    ];
    let mut keys = Vec::new();
    for place in places {
        keys.extend(
            keys_at(place)
                .into_iter()
                .map(|key| if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") }),
        );
    }
    keys
}

/// Returns the names of a struct's fields, as serde knows them.
fn fields<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut found: &'static [&'static str] = &[];
    let asked = T::deserialize(AskedFields(&mut found));
    debug_assert!(asked.is_err(), "the asking deserializer holds no value");
    found
}

/// A deserializer that holds no value and records the fields that it is asked for.
struct AskedFields<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for AskedFields<'_> {
    type Error = de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("holds nothing"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(de::Error::custom("holds nothing"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
