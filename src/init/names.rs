//! Pairs of names: which name of the source and which name of the target mean the same.
//!
//! Names are compared step by step, from equal names to names that are equal but for their number. A name is paired in a step
//! only if exactly one name of each side fits. Similar spelling never makes a pair.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::words::{joined, singular_words, words};

/// The step in which two names were paired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameMatch {
    /// The names are equal.
    Equal,
    /// The names differ in case alone.
    Case,
    /// The names have the same words: `createdAt` and `created_at`.
    Words,
    /// The names have the same words but for the plural: `user` and `users`.
    Number,
    /// The names have the same words but for a first word that most tables of one side share.
    Prefix,
    /// The names differ, and both are the only column without a partner that refers to a table.
    Reference,
}

impl NameMatch {
    /// Returns the reason for which the names were paired, as the rest of a sentence that begins with "the names".
    pub fn reason(self) -> &'static str {
        match self {
            NameMatch::Equal => "are equal",
            NameMatch::Case => "differ in case alone",
            NameMatch::Words => "have the same words",
            NameMatch::Number => "have the same words but for the plural",
            NameMatch::Prefix => "have the same words but for a prefix that most tables share",
            NameMatch::Reference => "differ, and these columns alone refer to the same table",
        }
    }
}

/// A name of the source and a name of the target that mean the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePair {
    /// The name in the source.
    pub source: String,
    /// The name in the target.
    pub target: String,
    /// The step in which they were paired.
    pub by: NameMatch,
}

/// The least number of tables, and their least share in percent, that make a first word a prefix.
const PREFIX: (usize, usize) = (3, 80);

/// Pairs the names of columns.
pub fn pair_columns(source: &[&str], target: &[&str]) -> Vec<NamePair> {
    let mut pairing = Pairing::new(source, target);
    pairing.step(NameMatch::Equal, |name| name.to_owned(), |name| name.to_owned());
    pairing.step(NameMatch::Case, |name| name.to_lowercase(), |name| name.to_lowercase());
    pairing.step(NameMatch::Words, joined, joined);
    pairing.found
}

/// Pairs the names of tables.
pub fn pair_tables(source: &[&str], target: &[&str]) -> Vec<NamePair> {
    let mut pairing = Pairing::new(source, target);
    pairing.step(NameMatch::Equal, |name| name.to_owned(), |name| name.to_owned());
    pairing.step(NameMatch::Case, |name| name.to_lowercase(), |name| name.to_lowercase());
    pairing.step(NameMatch::Words, joined, joined);
    pairing.step(NameMatch::Number, |name| singular_words(name).concat(), |name| singular_words(name).concat());
    let (of_source, of_target) = (prefix(source), prefix(target));
    let without = |name: &str, prefix: &Option<String>| {
        let mut words = singular_words(name);
        if words.len() > 1 && words.first() == prefix.as_ref() {
            words.remove(0);
        }
        words.concat()
    };
    if of_source.is_some() || of_target.is_some() {
        pairing.step(NameMatch::Prefix, |name| without(name, &of_source), |name| without(name, &of_target));
    }
    pairing.found
}

struct Pairing<'n> {
    source: BTreeSet<&'n str>,
    target: BTreeSet<&'n str>,
    found: Vec<NamePair>,
}

impl<'n> Pairing<'n> {
    fn new(source: &[&'n str], target: &[&'n str]) -> Pairing<'n> {
        let (source, target) = (source.iter().copied().collect(), target.iter().copied().collect());
        Pairing { source, target, found: Vec::new() }
    }

    /// Pairs the names that have the same key, if no other name of their side has it.
    fn step(&mut self, by: NameMatch, of_source: impl Fn(&str) -> String, of_target: impl Fn(&str) -> String) {
        let (left, right) = (only(&self.source, of_source), only(&self.target, of_target));
        for (key, source) in left {
            let Some(target) = right.get(&key) else { continue };
            self.found.push(NamePair { source: source.to_owned(), target: (*target).to_owned(), by });
            self.source.remove(source);
            self.target.remove(target);
        }
    }
}

/// Returns the names by their keys, without those that share their key.
fn only<'n>(names: &BTreeSet<&'n str>, key: impl Fn(&str) -> String) -> BTreeMap<String, &'n str> {
    let mut by_key: BTreeMap<String, Vec<&'n str>> = BTreeMap::new();
    names.iter().for_each(|name| by_key.entry(key(name)).or_default().push(name));
    let single = by_key.into_iter().filter_map(|(key, names)| match names.as_slice() {
        [name] => Some((key, *name)),
        _ => None,
    });
    single.collect()
}

/// Returns the first word that most of the names share.
fn prefix(names: &[&str]) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for name in names {
        let words = words(name);
        if words.len() > 1
            && let Some(first) = words.into_iter().next()
        {
            *counts.entry(first).or_default() += 1;
        }
    }
    let (word, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    (count >= PREFIX.0 && count * 100 >= names.len() * PREFIX.1).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_paired_only_if_it_is_the_only_one_that_fits() {
        let pairs = pair_columns(&["createdAt", "Name", "user_id", "userId"], &["created_at", "name", "userid"]);
        let shown: Vec<String> = pairs.iter().map(|p| format!("{}={} {:?}", p.source, p.target, p.by)).collect();
        assert_eq!(shown, ["Name=name Case", "userId=userid Case", "createdAt=created_at Words"]);
        assert!(pair_columns(&["a_b", "a-b"], &["ab"]).is_empty());
    }

    #[test]
    fn tables_are_paired_over_the_plural_and_a_common_prefix() {
        let pairs = pair_tables(&["user", "category", "news"], &["users", "categories", "news"]);
        assert_eq!(pairs.len(), 3, "{pairs:?}");
        let pairs = pair_tables(&["shop_user", "shop_order", "shop_item"], &["users", "orders", "items"]);
        assert!(pairs.len() == 3 && pairs.iter().all(|pair| pair.by == NameMatch::Prefix), "{pairs:?}");
    }

    #[test]
    fn similar_spelling_makes_no_pair() {
        assert!(pair_columns(&["amount_old"], &["amount"]).is_empty());
        assert!(pair_tables(&["order"], &["orderss"]).is_empty());
    }
}
