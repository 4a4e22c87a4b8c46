//! The examples of `migrate explain`: each value causes the reason that it explains, and each way out works for it.

use std::collections::BTreeMap;

use migrate::guide;
use migrate::model::fault::Reason;
use regex::Regex;

use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::{Place, Ran};

/// Reasons whose section says why it has no example; other tests cause them.
const WITHOUT_EXAMPLE: [&str; 6] =
    ["too-large", "too-deep", "not-in-encoding", "parent-later", "no-owner", "row-too-large"];

/// Parts of an example by label: source, target, mapping, load, columns.
type Example = BTreeMap<String, String>;

/// The example of a section; `None` if it has none.
fn example(section: &str) -> Option<Example> {
    let label = Regex::new(r"^    (source|target|mapping|load|columns) +(.*)$").expect("a pattern");
    let mut found = Example::new();
    let mut last: Option<String> = None;
    for line in section.lines() {
        if let Some(part) = label.captures(line) {
            found.insert(part[1].to_owned(), part[2].to_owned());
            last = Some(part[1].to_owned());
        } else if let (Some(more), Some(part)) = (line.strip_prefix("             "), &last) {
            *found.get_mut(part).expect("a part") += &format!("\n{more}");
        } else {
            last = None;
        }
    }
    found.contains_key("source").then_some(found)
}

/// The ways out of a section that a test can take: a label and what to write.
fn ways(section: &str) -> Vec<(String, String)> {
    let way = Regex::new(r"(?m)^- (?:`?(\[source\]|Target|Source|Load)`?: )?`(.+?)`[:.]").expect("a pattern");
    let label = |way: &regex::Captures<'_>| way.get(1).map_or("columns", |label| label.as_str()).to_owned();
    way.captures_iter(section).map(|way| (label(&way), way[2].to_owned())).collect()
}

/// Runs the tool on an example, changed by one way out.
fn run(example: &Example, way: Option<&(String, String)>, args: &[&str]) -> (Ran, Place) {
    let part = |name: &str| example.get(name).cloned().unwrap_or_default();
    let taken = |label: &str| way.filter(|(found, _)| found == label).map(|(_, text)| text.clone());
    let place = Place::new();
    sqlite::file(&place, "source.db", &format!("{};\n{}", part("source"), taken("Source").unwrap_or_default()));
    let mapping = format!(
        "format = 1\nname = \"example\"\n[source]\npath = \"source.db\"\n{}\n{}\n[load.t]\n{}\n[load.t.columns]\n{}\n",
        taken("[source]").unwrap_or_default(),
        part("mapping"),
        taken("Load").unwrap_or_else(|| part("load")),
        taken("columns").unwrap_or_else(|| part("columns")),
    );
    place.write("migrate.toml", mapping);
    let target = Database::with(&format!("{};\n{}", part("target"), taken("Target").unwrap_or_default()));
    let ran = place.migrate(["-t", &target.url(), "--json"]).args(args).ran();
    (ran, place)
}

/// Every reason in a report's faults and in the fault file.
fn reasons(ran: &Ran, place: &Place) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let reason = Regex::new(r#""reason": ?"([a-z0-9-]+)""#).expect("a pattern");
    let report = ran.json();
    for fault in report["faults"].as_array().into_iter().flatten() {
        found.extend(fault["reason"].as_str().map(str::to_owned));
    }
    let file = std::fs::read_to_string(place.path("migrate-faults.ndjson")).unwrap_or_default();
    found.extend(reason.captures_iter(&file).map(|found| found[1].to_owned()));
    found
}

#[test]
fn every_example_causes_the_reason_that_it_explains() {
    for word in Reason::ALL.iter().map(|reason| reason.word()) {
        let section = guide::explain(word).expect("a section");
        let Some(example) = example(&section) else {
            assert!(WITHOUT_EXAMPLE.contains(&word), "{word} has no example");
            continue;
        };
        let (ran, place) = run(&example, None, &["--dry-run"]);
        if section.contains("The plan refuses such a mapping.") {
            assert_eq!((ran.code, reasons(&ran, &place).len()), (3, 0), "{word}: {}", ran.said());
            continue;
        }
        if !reasons(&ran, &place).iter().any(|found| found == word) {
            let (ran, place) = run(&example, None, &["--yes", "--on-fault", "quarantine"]);
            assert!(reasons(&ran, &place).iter().any(|found| found == word), "{word}: {}", ran.said());
        }
    }
}

#[test]
fn every_way_out_of_an_example_ends_without_a_fault() {
    for word in Reason::ALL.iter().map(|reason| reason.word()) {
        let section = guide::explain(word).expect("a section");
        let Some(example) = example(&section) else { continue };
        let ways = ways(&section);
        assert!(!ways.is_empty(), "{word} has no way out that can be tried");
        for way in &ways {
            let (ran, place) = run(&example, Some(way), &["--yes"]);
            let found = reasons(&ran, &place);
            assert!(ran.code == 0 && found.is_empty(), "{word}, {way:?}: exit {}\n{}", ran.code, ran.said());
        }
    }
}
