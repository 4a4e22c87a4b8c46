//! Each external crate in its place, input and output at the rim, no panic on data.

use regex::Regex;

use super::at_most;
use super::source::{SourceFile, rust};

/// Crates that only one place may name.
const PLACES: [(&str, &str); 14] = [
    ("rusqlite", "src/sqlite/"),
    ("postgres", "src/pg/"),
    ("tokio_postgres", "src/pg/"),
    ("tokio", "src/pg/"),
    ("futures_util", "src/pg/client/"),
    ("bytes", "src/pg/"),
    ("tokio_postgres_rustls", "src/pg/"),
    ("rustls", "src/pg/"),
    ("pglite_oxide", "src/pg/"),
    ("clap", "src/cli"),
    ("clap_complete", "src/cli"),
    ("clap_mangen", "src/cli"),
    ("terminal_size", "src/app/terminal.rs"),
    ("signal_hook", "src/app/"),
];

/// The rim: the only files that may print, read the environment or ask the clock.
const RIM: [&str; 4] = ["src/app/", "src/main.rs", "src/cli", "src/progress"];

/// Every match of a pattern in the code of these files.
fn found(pattern: &str, applies: impl Fn(&SourceFile) -> bool) -> Vec<String> {
    let pattern = Regex::new(pattern).expect("a pattern");
    let mut offences = Vec::new();
    for file in rust().iter().filter(|file| applies(file)) {
        for hit in pattern.find_iter(&file.code) {
            offences.push(format!("{}: `{}`", file.place(hit.start()), hit.as_str()));
        }
    }
    offences
}

#[test]
fn each_crate_is_named_only_in_its_place() {
    for (name, place) in PLACES {
        let offences = found(&format!(r"(?:^|[^:\w]){name}::"), |file| !file.path.starts_with(place));
        at_most(0, &format!("{name} belongs to {place}"), &offences);
    }
}

#[test]
fn the_core_does_not_print_read_the_environment_or_ask_the_clock() {
    let outward = r"\b(e?print(ln)?!|std::env::(vars?|args|current_dir)|SystemTime::now|Utc::now|Local::now|io::std(in|out|err)\(|dbg!|todo!|unimplemented!)";
    let offences = found(outward, |file| !file.is_unit_tests && !RIM.iter().any(|rim| file.path.starts_with(rim)));
    at_most(0, "this belongs to the rim", &offences);
}

#[test]
fn no_data_can_cause_a_panic() {
    let offences = found(r"\.(unwrap|expect)\(|\bpanic!|\bunreachable!", |file| !file.is_unit_tests);
    at_most(0, "this panics", &offences);
}

#[test]
fn no_item_is_visible_in_the_whole_crate_only_and_no_lint_is_silenced() {
    at_most(0, "`pub` or `pub(super)` instead", &found(r"\bpub\(crate\)", |_| true));
    at_most(0, "fix the cause of the lint", &found(r"#!?\[allow\(", |_| true));
}
