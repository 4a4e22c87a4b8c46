//! The README agrees with the code: reasons, exit statuses, flags, commands, the tests that hold its guarantees.

use std::collections::BTreeSet;

use migrate::exit::Exit;
use migrate::model::fault::Reason;
use regex::Regex;

use crate::support::tool::Place;
use crate::support::{read_repo, test_file};

/// The rows of the table in a section, without its head.
fn table(heading: &str) -> Vec<String> {
    section(heading).lines().filter(|line| line.starts_with("| ")).skip(2).map(str::to_owned).collect()
}

/// The lines between a heading and the next one.
fn section(heading: &str) -> String {
    let readme = read_repo("README.md");
    let begin = readme.find(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section `{heading}`"));
    let text = &readme[begin + 1..];
    let end = text[3..].find("\n## ").map_or(text.len(), |n| n + 3);
    text[..end].to_owned()
}

#[test]
fn the_reasons_are_those_of_the_code() {
    let wanted: Vec<String> = Reason::ALL
        .iter()
        .map(|r| format!("| `{}` | {} | {} |", r.word(), r.says(), r.advice().replace('|', "\\|")))
        .collect();
    assert_eq!(table("Reasons"), wanted, "the list is, from the code:\n{}", wanted.join("\n"));
}

#[test]
fn the_exit_statuses_are_those_of_the_code() {
    let table = table("Exit status");
    for exit in Exit::BY_RANK {
        let row = format!("| {} | {exit:?} |", exit.code());
        assert!(table.iter().any(|line| line.starts_with(&row)), "`{row}` is missing");
    }
    assert_eq!(table.len(), Exit::BY_RANK.len());
}

#[test]
fn every_flag_in_the_readme_exists() {
    let place = Place::new();
    let mut help = String::new();
    for args in [&["--help"][..], &["rehearse", "--help"], &["verify", "--help"], &["plan", "--help"]] {
        help += &place.migrate(args).exits(0).stdout;
    }
    let flags = Regex::new(r"--[a-z][a-z-]+").expect("a pattern");
    let found = |text: &str| flags.find_iter(text).map(|m| m.as_str().to_owned()).collect::<BTreeSet<_>>();
    let theirs = ["--release", "--locked", "--no-default-features"].map(str::to_owned);
    let scripts = Regex::new(r"`(tests/[\w/]+\.sh)([^`]*)`").expect("a pattern");
    let readme = read_repo("README.md");
    for script in scripts.captures_iter(&readme) {
        let known = found(&read_repo(&script[1]));
        assert!(found(&script[2]).is_subset(&known), "{} does not know {}", &script[1], &script[2]);
    }
    let readme: BTreeSet<String> =
        found(&scripts.replace_all(&readme, "")).into_iter().filter(|f| !theirs.contains(f)).collect();
    let known = found(&help);
    let unknown: Vec<_> = readme.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_guarantee_names_an_existing_test() {
    let names = Regex::new(r"`(\w+(?:::\w+)*)::(\w+)`").expect("a pattern");
    for guarantee in table("What it guarantees") {
        let mut named = names.captures_iter(&guarantee).peekable();
        assert!(named.peek().is_some(), "no test holds: {guarantee}");
        for name in named {
            let (file, test) = (test_file(&name[1]), &name[2]);
            assert!(read_repo(&file).contains(&format!("#[test]\nfn {test}()")), "{file} has no test {test}");
        }
    }
}

#[test]
fn no_document_names_a_path_of_another_machine() {
    let foreign = Regex::new(r"(^|[^A-Za-z0-9_.])/(work|farm|root)/").expect("a pattern");
    for file in ["README.md", "CHANGELOG.md"] {
        let text = read_repo(file);
        assert!(!foreign.is_match(&text), "{file} names a path of another machine");
    }
}
