//! The house: imports that run one way, crates that stay in their place, files that hold one idea. Reads `src/`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use regex::Regex;

use super::support::repo;

/// The floors, from the bottom up. A module may name those on its own floor's list of what is below, and itself.
const BELOW: [(&str, &[&str]); 18] = [
    ("model", &[]),
    ("event", &["model"]),
    ("exit", &["model"]),
    ("wire", &["model"]),
    ("text", &[]),
    ("cli", &["model"]),
    ("guide", &["model"]),
    ("report", &["model", "exit", "text"]),
    ("progress", &["model", "event", "text"]),
    ("mapping", &["model"]),
    ("plan", &["model", "mapping", "event"]),
    ("convert", &["model", "mapping", "plan", "wire"]),
    ("sqlite", &["model", "mapping", "plan", "wire", "convert", "event"]),
    ("pg", &["model", "mapping", "plan", "wire", "event"]),
    ("resume", &["model", "mapping", "plan", "wire", "pg"]),
    ("migrate", &["model", "mapping", "plan", "wire", "event", "convert", "sqlite", "pg", "resume"]),
    // Verifying reads the source again as the run did, so it stands above it.
    ("verify", &["model", "mapping", "plan", "wire", "event", "convert", "sqlite", "pg", "resume", "migrate"]),
    (
        "app",
        &[
            "model", "mapping", "plan", "wire", "event", "exit", "text", "cli", "report", "progress", "convert",
            "sqlite", "pg", "resume", "migrate", "verify",
        ],
    ),
];

/// Crates that one place alone may name.
const PLACES: [(&str, &str); 9] = [
    ("rusqlite", "sqlite/"),
    ("postgres", "pg/"),
    ("tokio_postgres", "pg/"),
    ("tokio_postgres_rustls", "pg/"),
    ("rustls", "pg/"),
    ("pglite_oxide", "pg/"),
    ("clap", "cli.rs"),
    ("indicatif", "progress"),
    ("signal_hook", "app/"),
];

/// What only the rim may do: print, read the environment, ask the clock.
const RIM: [&str; 4] = ["app/", "main.rs", "cli.rs", "progress"];

const LONGEST: usize = 450;

/// A file of `src/`: its path below it, and its text without comments and strings' contents.
struct File {
    path: String,
    code: String,
    lines: usize,
}

fn files() -> Vec<File> {
    let mut found = Vec::new();
    walk(&repo("src"), &mut found);
    assert!(found.len() > 50, "src/ was not found as a whole");
    found
}

fn walk(folder: &Path, found: &mut Vec<File>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let below = path.strip_prefix(repo("src")).expect("a file of src");
            let path = below.to_str().expect("a path in UTF-8").to_owned();
            found.push(File { path, code: code(&text), lines: text.lines().count() });
        }
    }
}

/// The text without line comments and without what stands in strings.
fn code(text: &str) -> String {
    let strings = Regex::new(r#""(?:[^"\\]|\\.)*""#).expect("a pattern");
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or(""));
    strings.replace_all(&lines.collect::<Vec<_>>().join("\n"), "\"\"").into_owned()
}

/// The module at the top to which a file belongs.
fn module(path: &str) -> &str {
    path.split('/').next().unwrap_or(path).trim_end_matches(".rs")
}

/// A file of unit tests: it may use what it needs.
fn is_tests(path: &str) -> bool {
    path.contains("tests")
}

fn mend(list: &[String]) {
    assert!(list.is_empty(), "\n{}", list.join("\n"));
}

#[test]
fn imports_run_one_way() {
    let below: BTreeMap<&str, &[&str]> = BELOW.into_iter().collect();
    let names = Regex::new(r"\bcrate::(\w+)").expect("a pattern");
    let groups = Regex::new(r"\bcrate::\{([^;]*)\}").expect("a pattern");
    let first = Regex::new(r"(?:^|,)\s*(\w+)").expect("a pattern");
    let mut wrong = Vec::new();
    for file in files().iter().filter(|f| !is_tests(&f.path) && !["main.rs", "lib.rs"].contains(&f.path.as_str())) {
        let own = module(&file.path);
        let Some(allowed) = below.get(own) else {
            wrong.push(format!("src/{}: `{own}` stands on no floor; say in this test what it may import", file.path));
            continue;
        };
        let mut named: Vec<String> = names.captures_iter(&file.code).map(|c| c[1].to_owned()).collect();
        for group in groups.captures_iter(&file.code) {
            named.extend(first.captures_iter(&group[1]).map(|c| c[1].to_owned()));
        }
        for name in named.iter().filter(|name| below.contains_key(name.as_str())) {
            if name != own && !allowed.contains(&name.as_str()) {
                wrong.push(format!("src/{}: `{own}` imports `{name}`, which is not below it", file.path));
            }
        }
    }
    mend(&wrong);
}

#[test]
fn each_crate_is_named_in_its_place_alone() {
    let mut wrong = Vec::new();
    for (name, place) in PLACES {
        let named = Regex::new(&format!(r"(?:^|[^:\w]){name}::")).expect("a pattern");
        let all = files();
        let users: Vec<&File> = all.iter().filter(|f| named.is_match(&f.code)).collect();
        for file in users.iter().filter(|f| !f.path.starts_with(place)) {
            wrong.push(format!("src/{}: names {name}, which belongs to src/{place}", file.path));
        }
    }
    mend(&wrong);
}

#[test]
fn the_core_does_not_print_read_the_environment_or_ask_the_clock() {
    let outward = Regex::new(r"\b(e?print(ln)?!|std::env::(vars?|args|current_dir)|SystemTime::now|Utc::now|Local::now|io::std(in|out|err)\(|dbg!|todo!|unimplemented!)")
        .expect("a pattern");
    let mut wrong = Vec::new();
    for file in files().iter().filter(|f| !is_tests(&f.path) && !RIM.iter().any(|rim| f.path.starts_with(rim))) {
        let before_tests = file.code.split("#[cfg(test)]").next().unwrap_or("");
        for hit in outward.find_iter(before_tests) {
            wrong.push(format!("src/{}: `{}` belongs to the rim", file.path, hit.as_str()));
        }
    }
    mend(&wrong);
}

#[test]
fn nothing_unwraps_anybodys_data() {
    let careless = Regex::new(r"\.(unwrap|expect)\(|\bpanic!|\bunreachable!").expect("a pattern");
    let mut wrong = Vec::new();
    for file in files().iter().filter(|f| !is_tests(&f.path)) {
        let before_tests = file.code.split("#[cfg(test)]").next().unwrap_or("");
        for hit in careless.find_iter(before_tests) {
            wrong.push(format!("src/{}: `{}`", file.path, hit.as_str()));
        }
    }
    mend(&wrong);
}

#[test]
fn no_file_is_longer_than_one_idea() {
    let long = files().into_iter().filter(|f| f.lines > LONGEST);
    mend(&long.map(|f| format!("src/{}: {} lines; {LONGEST} are the most", f.path, f.lines)).collect::<Vec<_>>());
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let mut wrong = Vec::new();
    for file in files() {
        let text = std::fs::read_to_string(repo("src").join(&file.path)).expect("a source file");
        if !text.starts_with("//! ") {
            wrong.push(format!("src/{}: opens without a word on what it is for", file.path));
        }
    }
    mend(&wrong);
}
