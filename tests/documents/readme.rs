//! The README and the guide agree with the code: commands, output, flags, exit statuses, and the tests that hold guarantees.

use std::collections::BTreeSet;

use migrate::exit::Exit;
use migrate::{cli, guide};
use regex::Regex;

use crate::support::golden::Redactor;
use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::Place;
use crate::support::{read_repo, test_file};

/// The most lines that a README may have.
const LONGEST: usize = 200;

/// The README and every page of the guide, each with its name.
fn documents() -> Vec<(String, String)> {
    let pages = guide::TOPICS.iter().map(|topic| (topic.name.to_owned(), guide::page(topic.name).expect("a page")));
    let files = ["README.md", "SECURITY.md"].map(|file| (file.to_owned(), read_repo(file)));
    let welcome = ("the welcome".to_owned(), guide::welcome());
    files.into_iter().chain([welcome]).chain(pages).collect()
}

/// The fenced blocks of one language, in order.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let block = Regex::new(&format!("(?s)```{language}\n(.*?)```")).expect("a pattern");
    block.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// The rows of a table in a page, without its head.
fn rows(page: &str) -> Vec<&str> {
    page.lines().filter(|line| line.starts_with("| ")).skip(1).collect()
}

/// The words of a text, each after one space.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_readme_has_at_most_200_lines() {
    assert!(read_repo("README.md").lines().count() <= LONGEST);
}

#[test]
fn the_commands_of_the_readme_print_what_it_shows() {
    let readme = read_repo("README.md");
    let (tables, shown) = (blocks(&readme, "sql"), blocks(&readme, "text"));
    let place = Place::new();
    sqlite::file(&place, "app.db", &tables[0]);
    let (target, without_tables) = (Database::with(&tables[1]), Database::empty());
    let mapping = &blocks(&readme, "toml")[0];
    let place_of_target = Regex::new(r"(?m)^  target   (.*)$").expect("a pattern");
    let commands =
        blocks(&readme, "sh").into_iter().flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>());
    let mut shown = shown.iter();
    let mut ran = 0;
    for command in commands.filter(|line| line.starts_with("migrate ") && !line.contains(" -t ")) {
        let args: Vec<&str> = command.split_whitespace().skip(1).collect();
        let target = if args.contains(&"--create") { &without_tables } else { &target };
        let found = place.migrate(&args).env("DATABASE_URL", target.url()).exits(0);
        let at = place_of_target.captures(&found.stdout).map_or_else(String::new, |at| at[1].to_owned());
        let redactor = if at.is_empty() { Redactor::new() } else { Redactor::new().literal(at, "localhost:5432/app") };
        let printed = redactor.apply(&found.stdout);
        match args[0] {
            // The section that is shown is long; that it is printed is what counts.
            "explain" => {
                let proposed = place.read("migrate.toml");
                assert!(proposed.ends_with(mapping), "{proposed}");
                let answers = ["stars = { round = true }", "cache = \"the new application has its own\""];
                assert!(answers.iter().all(|line| readme.contains(line)), "the decisions are not in the README");
                let decide = |line: &str| {
                    let key = line.split(' ').next().unwrap_or_default();
                    let answer = answers.iter().find(|answer| answer.split(' ').next() == Some(key));
                    answer.copied().unwrap_or(line).to_owned()
                };
                place.write("migrate.toml", proposed.lines().map(decide).collect::<Vec<_>>().join("\n"));
            }
            "verify" => assert!(printed.contains("Verified"), "{printed}"),
            "schema" => assert!(printed.contains("CREATE TABLE notes"), "{printed}"),
            _ => {
                let block = redactor.apply(shown.next().expect("a block of output"));
                // Lines are compared by their words: a long name of a target wraps a sentence elsewhere.
                let printed = words(&printed);
                for part in block.split("[...]").map(words) {
                    assert!(printed.contains(&part), "`{command}` does not print\n{part}\nbut\n{printed}");
                }
            }
        }
        ran += 1;
    }
    assert_eq!((ran, shown.next()), (8, None));
}

#[test]
fn the_exit_statuses_are_those_of_the_code() {
    let page = guide::page("reports").expect("a page");
    for exit in Exit::BY_RANK {
        let row = format!("| {} | {exit:?} |", exit.code());
        assert!(page.lines().any(|line| line.starts_with(&row)), "`{row}` is missing");
    }
}

#[test]
fn every_flag_in_the_documents_exists() {
    let place = Place::new();
    let mut help = String::new();
    for command in cli::command_names() {
        help += &place.migrate([command.as_str(), "--help"]).exits(0).stdout;
    }
    for command in ["status", "verify", "rollback"] {
        help += &place.migrate(["fleet", command, "--help"]).exits(0).stdout;
    }
    help += &place.migrate(["--help"]).exits(0).stdout;
    let flags = Regex::new(r"--[a-z][a-z-]+").expect("a pattern");
    let found = |text: &str| flags.find_iter(text).map(|m| m.as_str().to_owned()).collect::<BTreeSet<_>>();
    // Flags of cargo and of pg_dump.
    let others = ["--release", "--profile", "--locked", "--no-default-features", "--path", "--schema-only", "--file"];
    let others = others.map(str::to_owned);
    let scripts = Regex::new(r"`(tests/[\w/]+\.sh)([^`]*)`").expect("a pattern");
    let known = found(&help);
    for (name, text) in documents() {
        for script in scripts.captures_iter(&text) {
            let known = found(&read_repo(&script[1]));
            assert!(found(&script[2]).is_subset(&known), "{name}: {} does not know {}", &script[1], &script[2]);
        }
        let named = found(&scripts.replace_all(&text, "")).into_iter().filter(|flag| !others.contains(flag));
        let unknown: Vec<_> = named.filter(|flag| !known.contains(flag)).collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
    }
}

#[test]
fn every_guarantee_and_every_promise_names_an_existing_test() {
    let names = Regex::new(r"`(\w+(?:::\w+)*)::(\w+)`").expect("a pattern");
    let pages = ["guarantees", "versions"].map(|name| guide::page(name).expect("a page"));
    let guarantees = rows(&pages[0]);
    assert!(guarantees.len() > 40, "the table of guarantees was not found");
    for guarantee in guarantees.into_iter().chain(rows(&pages[1])) {
        let mut named = names.captures_iter(guarantee).peekable();
        assert!(named.peek().is_some(), "no test holds: {guarantee}");
        for name in named {
            let (file, test) = (test_file(&name[1]), &name[2]);
            assert!(read_repo(&file).contains(&format!("#[test]\nfn {test}()")), "{file} has no test {test}");
        }
    }
}

#[test]
fn every_topic_is_printed_and_an_unknown_one_is_refused_with_the_list() {
    let place = Place::new();
    let list = place.migrate(["guide"]).exits(0).stdout;
    for topic in guide::TOPICS {
        assert!(list.contains(topic.name) && list.contains(topic.summary), "{list}");
        assert_eq!(place.migrate(["guide", topic.name]).exits(0).stdout, guide::page(topic.name).expect("a page"));
    }
    place.migrate(["guide", "maping"]).exits(2).says(&["maping", "mapping"]);
    place.migrate(["explain", "excess-skale"]).exits(2).says(&["excess-skale", "Did you mean `excess-scale`?"]);
    assert!(place.migrate(["explain", "excess-scale"]).exits(0).stdout.contains("round = true"));
    let all = place.migrate(["explain"]).exits(0).stdout;
    assert!(all.contains("excess-scale") && all.contains("server-refused"), "{all}");
}

#[test]
fn no_document_names_a_path_of_another_machine() {
    let foreign = Regex::new(r"(^|[^A-Za-z0-9_.])/(work|farm|root)/").expect("a pattern");
    let more = ["CHANGELOG.md", "src/DESIGN.md"].map(|file| (file.to_owned(), read_repo(file)));
    for (name, text) in documents().into_iter().chain(more) {
        assert!(!foreign.is_match(&text), "{name} names a path of another machine");
    }
}
