//! Integers inside JSON, each with the name that it has there.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::numbers::integer_text;

/// Calls `each` for every integer of a JSON text, with the name of its member. The name of `{"user": {"id": 3}}` is `user_id`;
/// elements of an array have the name of the array, and those of the document the name of the column. Ignores a text that is
/// not JSON, and members nested deeper than 128 levels.
pub fn integers(text: &[u8], column: &str, each: &mut dyn FnMut(&str, i64)) {
    let mut reader = serde_json::Deserializer::from_slice(text);
    // What was read up to an error are only hints.
    let _ = MemberSeed { name: column, each }.deserialize(&mut reader);
}

struct MemberSeed<'n, 'e> {
    name: &'n str,
    each: &'e mut dyn FnMut(&str, i64),
}

impl<'de> DeserializeSeed<'de> for MemberSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MemberSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        (self.each)(self.name, value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        i64::try_from(value).into_iter().for_each(|value| (self.each)(self.name, value));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        integer_text(text.as_bytes()).into_iter().for_each(|value| (self.each)(self.name, value));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(MemberSeed { name: self.name, each: &mut *self.each })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key::<String>()? {
            let name = if key.eq_ignore_ascii_case("id") { format!("{}_id", self.name) } else { key };
            if name.is_empty() {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            members.next_value_seed(MemberSeed { name: &name, each: &mut *self.each })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::integers;

    #[test]
    fn every_integer_has_the_name_of_its_member() {
        let found = |text: &str| {
            let mut all = Vec::new();
            integers(text.as_bytes(), "data", &mut |name, value| all.push(format!("{name}={value}")));
            all.join(" ")
        };
        let text = r#"{"user_id": 3, "user": {"id": "4", "x": 1.5}, "users": [{"id": 5}, 6], "n": null, "id": 7}"#;
        assert_eq!(found(text), "user_id=3 user_id=4 users_id=5 users=6 data_id=7");
        assert_eq!(found("[1, [2]]"), "data=1 data=2");
        assert_eq!(found(r#"{"a": 1, "b": tru"#), "a=1");
    }
}
