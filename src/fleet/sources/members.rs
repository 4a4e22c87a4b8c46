//! The members of a fleet: files with their values, each file once and each owner once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::member::MemberFile;
use super::pattern::{Pattern, PatternMiss};
use super::refusals::limited;
use crate::model::ident::did_you_mean;
use crate::model::record::Refusal;

/// The one path of a file, whatever its spelling. `None` if this machine does not have the file.
pub type Canonical<'c> = &'c dyn Fn(&str) -> Option<PathBuf>;

/// The members of a fleet, in the order of their paths. `place` is the name of the list.
///
/// Each pattern adds its values. Values are compared as a whole; [`owned`] compares those that make the owner.
///
/// # Errors
/// Every file that a pattern does not match, whose value has two origins, that is named twice, or that has the values of
/// another one; a list without a file.
pub fn members(
    mut named: Vec<MemberFile>,
    patterns: &[Pattern],
    place: &str,
    canonical: Canonical<'_>,
) -> Result<Vec<MemberFile>, Vec<Refusal>> {
    if named.is_empty() {
        let advice = "Check the list. A path in it is relative to the folder in which the command runs.";
        return Err(vec![Refusal::new(place, "names no file", advice)]);
    }
    named.sort();
    let mut refusals = Vec::new();
    for (n, pattern) in patterns.iter().enumerate() {
        refusals.extend(two_origins(&named, pattern, &patterns[..n]));
    }
    // Without one origin for each value, each file would be refused for the same mistake.
    if refusals.is_empty() {
        for pattern in patterns {
            refusals.extend(applied(&mut named, pattern));
        }
    }
    let distinct = distinct(&named, canonical, &mut refusals);
    let values = |member: &MemberFile| member.values.clone().into_iter().collect();
    refusals.extend(same_values(&distinct, values));
    if refusals.is_empty() { Ok(named) } else { Err(limited(refusals, place)) }
}

/// Checks that each member has the values of these names, which together make its owner, and that no two members have the
/// same ones.
///
/// # Errors
/// Every member that lacks a value or has the owner of another one.
pub fn owned(members: &[MemberFile], names: &[&str], place: &str) -> Result<(), Vec<Refusal>> {
    let mut refusals = Vec::new();
    for name in names {
        let without: Vec<&MemberFile> = members.iter().filter(|member| !member.values.contains_key(*name)).collect();
        if without.len() == members.len() {
            let known: BTreeSet<&str> = members.iter().flat_map(|m| m.values.keys().map(String::as_str)).collect();
            let advice = format!(
                "{}Name it in a column of the manifest, a group of --owner-from, a column of --owner-sql, or as `%{{{name}}}` in the glob.",
                did_you_mean(name, known)
            );
            refusals.push(Refusal::new(place, format!("no file has a value `{name}`, which the owner needs"), advice));
            continue;
        }
        for member in without {
            let advice = "Add the value, or leave the file out of the list.";
            refusals.push(Refusal::new(&member.path, format!("has no value `{name}`, which the owner needs"), advice));
        }
    }
    let all: Vec<&MemberFile> =
        members.iter().filter(|m| names.iter().all(|name| m.values.contains_key(*name))).collect();
    let values = |member: &MemberFile| {
        let named = names.iter().filter_map(|name| Some(((*name).to_owned(), member.values.get(*name)?.clone())));
        named.collect()
    };
    refusals.extend(same_values(&all, values));
    if refusals.is_empty() { Ok(()) } else { Err(limited(refusals, place)) }
}

/// The refusals of the names of a pattern that another pattern or a manifest gives, too.
fn two_origins(named: &[MemberFile], pattern: &Pattern, before: &[Pattern]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for name in pattern.names() {
        let other = before.iter().find(|other| other.names().any(|n| n == name)).map(|other| other.place().to_owned());
        let member = named.iter().find(|member| member.values.contains_key(name));
        if let Some(other) = other.or(member.map(|member| format!("the manifest, for {}", member.path))) {
            let reason = format!("yields the value `{name}`, which has another origin, too: {other}");
            refusals.push(Refusal::new(pattern.place(), reason, "Remove one of the two, or rename it."));
        }
    }
    refusals
}

/// Adds the values of a pattern to each member. Returns the refusals of those that it does not match.
fn applied(named: &mut [MemberFile], pattern: &Pattern) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for member in &mut *named {
        let Err(miss) = pattern.apply(member) else { continue };
        let place = pattern.place();
        let (reason, advice) = match miss {
            PatternMiss::Unmatched => (
                format!("{place} does not match this path"),
                "Leave the file out of the list, or change the pattern so that it matches this path, too.",
            ),
            PatternMiss::Ambiguous => (
                format!("{place} matches this path in more than one way, with other values"),
                "Write a regular expression with named groups, which takes the first match, or a manifest.",
            ),
        };
        refusals.push(Refusal::new(&member.path, reason, advice));
    }
    // One mistake in the pattern, not one in each path.
    if refusals.len() == named.len() && named.len() > 1 {
        let reason = format!("fits none of the {} paths; the first one is {}", named.len(), named[0].path);
        let advice = "Change the pattern. A template matches the whole path or its last components.";
        return vec![Refusal::new(pattern.place(), reason, advice)];
    }
    refusals
}

/// The members without those that are the file of an earlier one, which are refused.
fn distinct<'m>(named: &'m [MemberFile], canonical: Canonical<'_>, refusals: &mut Vec<Refusal>) -> Vec<&'m MemberFile> {
    let mut first: BTreeMap<PathBuf, &MemberFile> = BTreeMap::new();
    let mut distinct = Vec::new();
    for member in named {
        let path = canonical(&member.path).unwrap_or_else(|| without_dots(&member.path));
        match first.get(&path) {
            None => {
                first.insert(path, member);
                distinct.push(member);
            }
            Some(other) if other.path == member.path => {
                refusals.push(Refusal::new(&member.path, "is named twice", "Remove one of the two."));
            }
            Some(other) => {
                let reason = format!("is the same file as {}", other.path);
                refusals.push(Refusal::new(&member.path, reason, "Remove one of the two."));
            }
        }
    }
    distinct
}

/// The path without empty components and `.`. More cannot be known of a file that is on another machine.
fn without_dots(path: &str) -> PathBuf {
    Path::new(path).components().filter(|component| *component != Component::CurDir).collect()
}

/// The refusals of members that have the same values as an earlier one. Members without values are not compared.
fn same_values(members: &[&MemberFile], values: impl Fn(&MemberFile) -> Vec<(String, String)>) -> Vec<Refusal> {
    let mut first: BTreeMap<Vec<(String, String)>, &str> = BTreeMap::new();
    let mut refusals = Vec::new();
    for member in members {
        let values = values(member);
        if values.is_empty() {
            continue;
        }
        match first.get(&values) {
            None => {
                first.insert(values, &member.path);
            }
            Some(other) => {
                let shown: Vec<String> = values.iter().map(|(name, value)| format!("{name} = \"{value}\"")).collect();
                let reason = format!("has the same owner as {other}: {}", shown.join(", "));
                let advice = "Leave one of the two files out, or give it a value that names another owner.";
                refusals.push(Refusal::new(&member.path, reason, advice));
            }
        }
    }
    refusals
}
