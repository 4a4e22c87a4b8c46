//! Facts about the real migrations (`expect/seed.json`: rows, sequences, distributions, lookups), compared with the
//! fixtures and their expectations. Each harder source has every hard case.
//!
//! Needs no server: `applications` compares a target with the same `expect/counts.json`.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value as Json;

use super::{sorted, text};
use crate::support::expect::{entries, list};
use crate::support::{read_repo, sqlite, tool::Place};

/// The applications, each with its number of hard cases.
const SYSTEMS: [(&str, usize); 5] =
    [("personal_finance", 15), ("aunoo", 15), ("grant_finder", 13), ("personal_ai_agent", 14), ("data_uploader", 13)];

/// Facts that are no distribution and are compared by name.
const NAMED: [&str; 7] = ["profile", "source_rows", "target_rows", "sequences", "warnings", "rejects", "lookups"];

fn json(system: &str, name: &str) -> Json {
    serde_json::from_str(&read_repo(&format!("fixtures/{system}/expect/{name}.json"))).expect("JSON")
}

fn rows(of: &Json) -> Vec<String> {
    sorted(list(of).iter().map(Json::to_string).collect())
}

/// The rows that are stated of the query with this name.
fn fact(counts: &Json, name: &str) -> Vec<String> {
    let query = list(&counts["queries"]).iter().find(|query| query["fact"] == name);
    rows(&query.unwrap_or_else(|| panic!("no query states {name}"))["rows"])
}

#[test]
fn rows_and_distributions_are_those_of_the_real_migrations() {
    for (system, _) in SYSTEMS {
        let (seed, counts) = (json(system, "seed"), json(system, "counts"));
        assert_eq!(counts["target_rows"], seed["target_rows"], "{system}");
        assert_eq!(list(&seed["rejects"]).len(), 0, "{system}: a fault would have to be stated");
        for (name, stated) in entries(&seed).into_iter().filter(|(name, _)| !NAMED.contains(&name.as_str())) {
            assert_eq!(fact(&counts, name), rows(stated), "{system}, {name}");
        }
    }
}

#[test]
fn sequences_are_those_of_the_real_migrations() {
    for (system, _) in SYSTEMS {
        let (seed, counts) = (json(system, "seed"), json(system, "counts"));
        let of = |(table, s): (&String, &Json), max: &str, next: &str| format!("{table} {} {}", s[max], s[next]);
        let stated = entries(&seed["sequences"]).into_iter().map(|entry| of(entry, "max_id", "next_id"));
        let held = entries(&counts["sequences"]).into_iter().map(|entry| of(entry, "max", "next"));
        assert_eq!(sorted(held.collect()), sorted(stated.collect()), "{system}");
    }
}

#[test]
fn the_sources_have_the_same_row_counts_and_counters() {
    for (system, _) in SYSTEMS {
        let (place, seed) = (Place::new(), json(system, "seed"));
        let source = sqlite::open(&sqlite::of(&place, "s.db", &format!("fixtures/{system}/source.sql")));
        let number = |sql: String| source.query_row(&sql, [], |row| row.get::<_, i64>(0)).ok();
        for (table, rows) in entries(&seed["source_rows"]) {
            assert_eq!(number(format!("SELECT count(*) FROM {table}")), rows.as_i64(), "{system}, {table}");
        }
        for (table, stated) in entries(&seed["sequences"]) {
            let counter = number(format!("SELECT seq FROM sqlite_sequence WHERE name = '{table}'"));
            assert_eq!(counter.filter(|seq| *seq > 0), stated["sqlite_sequence"].as_i64(), "{system}, {table}");
        }
    }
}

#[test]
fn every_predicted_loss_is_counted() {
    let (seed, counts) = (json("personal_finance", "seed"), json("personal_finance", "counts"));
    assert_eq!(seed["warnings"]["transactions.amount: numeric 'MCT' -> 0.00"], 1);
    let is_it = |loss: &&Json| loss["modifier"] == "if_bad";
    let losses: Vec<&Json> = list(&counts["losses"]).iter().filter(is_it).collect();
    let found = losses.iter().map(|l| (text(&l["load"]), text(&l["column"]), &l["count"]));
    assert_eq!(found.collect::<Vec<_>>(), [("transactions", "amount", &Json::from(1))]);
    for (system, _) in SYSTEMS.iter().filter(|(system, _)| *system != "personal_finance") {
        assert!(entries(&json(system, "seed")["warnings"]).is_empty(), "{system}");
        assert!(list(&json(system, "counts")["losses"]).is_empty(), "{system}");
    }
}

#[test]
fn lookups_find_the_rows_of_the_proposed_steps() {
    let (seed, counts) = (json("grant_finder", "seed"), json("grant_finder", "counts"));
    let found = entries(&seed["lookups"]).into_iter();
    let found = found.map(|(value, l)| Json::from(vec![value.clone(), l["extended"].to_string()]).to_string());
    assert_eq!(fact(&counts, "lookups"), sorted(found.collect()));
    let lookup = &counts["lookups"][0];
    for (value, stated) in entries(&seed["lookups"]) {
        let steps = list(&lookup["steps"]).iter().filter(|step| step["hits"] != 0);
        let hits: Vec<&str> = steps.map(|step| text(&step["target"])).collect();
        match text(&stated["strategy"]) {
            "fallback" => assert_ne!(lookup["missing"], 0, "{value}"),
            step => assert_eq!(hits, [step], "{value}"),
        }
    }
}

#[test]
fn every_hard_case_is_in_the_harder_source() {
    let said = [r"(?i)cases? ((?:\d+(?:, | and )?)+)", r"(?:-- |; |\. )((?:\d+, )*\d+): "];
    let (said, number) = (said.map(|p| Regex::new(p).expect("a pattern")), Regex::new(r"\d+").expect("a pattern"));
    for (system, cases) in SYSTEMS {
        let source = read_repo(&format!("fixtures/{system}/nasty.sql"));
        let comments = source.lines().filter_map(|line| line.find("--").map(|at| &line[at..]));
        let found: BTreeSet<usize> = comments
            .flat_map(|comment| said.iter().flat_map(move |pattern| pattern.captures_iter(comment)))
            .flat_map(|numbers| number.find_iter(numbers.get(1).expect("numbers").as_str()))
            .filter_map(|n| n.as_str().parse().ok())
            .collect();
        let lacking: Vec<usize> = (1..=cases).filter(|case| !found.contains(case)).collect();
        assert!(lacking.is_empty(), "{system}: {lacking:?}");
    }
}
