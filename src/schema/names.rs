//! Names of PostgreSQL: quoted where they must be, and names for objects that the source leaves without one.

use std::collections::BTreeSet;

use crate::model::ident::{literal, quoted};
use crate::text::is_hostile;

/// Bytes of the longest name that PostgreSQL does not cut.
pub const NAME_BYTES: usize = 63;

/// The keywords that a name without quotes cannot be, or cannot be everywhere, in PostgreSQL 12 to 18.
const KEYWORDS: &str = "all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean \
    both case cast char character check coalesce collate collation column concurrently constraint create cross \
    current_catalog current_date current_role current_schema current_time current_timestamp current_user dec decimal default \
    deferrable desc distinct do else end except exists extract false fetch float for foreign freeze from full grant greatest \
    group grouping having ilike in initially inner inout int integer intersect interval into is isnull join json json_array \
    json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize json_table json_value lateral \
    leading least left like limit localtime localtimestamp merge_action national natural nchar none normalize not notnull null \
    nullif numeric offset on only or order out outer overlaps overlay placing position precision primary real references \
    returning right row select session_user setof similar smallint some substring symmetric system_user table tablesample then \
    time timestamp to trailing treat trim true union unique user using values varchar variadic verbose when where window with \
    xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable";

/// Returns a text between quotes whose characters that control a terminal, line breaks among them, are written by their numbers.
fn by_numbers(text: &str, quote: char) -> String {
    let mut out = format!("U&{quote}");
    for c in text.chars() {
        match u32::from(c) {
            _ if c == quote || c == '\\' => out.extend([c, c]),
            code if is_hostile(c) && code > 0xffff => out.push_str(&format!("\\+{code:06x}")),
            code if is_hostile(c) => out.push_str(&format!("\\{code:04x}")),
            _ => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// Returns a text as a literal on one line.
pub fn text_literal(text: &str) -> String {
    if text.chars().any(is_hostile) { by_numbers(text, '\'') } else { literal(text).trim_start().to_owned() }
}

/// Returns the name as SQL on one line, in quotes if it must have them.
pub fn name(name: &str) -> String {
    if name.chars().any(is_hostile) {
        return by_numbers(name, '"');
    }
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !KEYWORDS.split_ascii_whitespace().any(|keyword| keyword == name);
    if is_plain { name.to_owned() } else { quoted(name) }
}

/// Returns names as SQL, separated by commas.
pub fn names<S: AsRef<str>>(all: &[S]) -> String {
    all.iter().map(|one| name(one.as_ref())).collect::<Vec<_>>().join(", ")
}

/// Returns the reason why PostgreSQL cannot have a name. `None`: it can.
pub fn unusable_name(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("the name is empty, and PostgreSQL has no such name".to_owned());
    }
    let is_long = name.len() > NAME_BYTES;
    is_long.then(|| format!("the name has more than {NAME_BYTES} bytes, and PostgreSQL would cut it"))
}

/// Returns true if PostgreSQL can have a name as it is.
pub fn is_usable(name: &str) -> bool {
    unusable_name(name).is_none()
}

/// The names of tables, indexes and sequences that are taken in the schema.
#[derive(Clone, Debug, Default)]
pub struct TakenNames(BTreeSet<String>);

impl TakenNames {
    /// Notes a name.
    pub fn take(&mut self, name: &str) {
        self.0.insert(name.to_owned());
    }

    /// Returns true if an object has this name.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Returns a new name for an object of a table, and takes it.
    pub fn draw(&mut self, table: &str, columns: &str, label: &str) -> String {
        let mut name = made(table, columns, label);
        let mut n = 0;
        while self.contains(&name) {
            n += 1;
            name = made(table, columns, &format!("{label}{n}"));
        }
        self.take(&name);
        name
    }
}

/// Returns the name that PostgreSQL itself gives to an object of a table: table, columns and label, both first parts cut so that
/// it fits.
pub fn made(table: &str, columns: &str, label: &str) -> String {
    let room = NAME_BYTES - label.len() - 1 - usize::from(!columns.is_empty());
    let (mut first, mut second) = (table.len(), columns.len());
    while first + second > room {
        if first > second { first -= 1 } else { second -= 1 }
    }
    let parts = [cut(table, first), cut(columns, second), label];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_")
}

fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_quotes_only_if_it_must() {
        for plain in ["a", "created_at", "_x1", "name", "type", "key"] {
            assert_eq!(name(plain), plain);
        }
        for odd in ["order", "User", "a b", "1a", "é", "", "left", "between"] {
            assert_eq!(name(odd), format!("\"{odd}\""));
        }
        assert_eq!(name("a\"b"), "\"a\"\"b\"");
        assert_eq!(name("a\n\"\\\u{e0001}"), "U&\"a\\000a\"\"\\\\\\+0e0001\"");
        assert_eq!((text_literal("a\\'"), text_literal("a'\n")), ("E'a\\\\'''".to_owned(), "U&'a''\\000a'".to_owned()));
    }

    #[test]
    fn a_drawn_name_is_short_enough_and_new() {
        let (table, columns) = ("t".repeat(60), "é".repeat(30));
        let mut taken = TakenNames::default();
        let first = taken.draw(&table, &columns, "key");
        let second = taken.draw(&table, &columns, "key");
        assert!(first.len() <= NAME_BYTES && second.len() <= NAME_BYTES && first != second, "{first} {second}");
        assert_eq!(made("notes", "id", "seq"), "notes_id_seq");
    }
}
