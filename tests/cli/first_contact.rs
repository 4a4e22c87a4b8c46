//! The first contact: a call without arguments, the help, the version, completions and manual pages.

use std::process::Stdio;

use migrate::cli;
use regex::Regex;

use crate::support::case::Case;
use crate::support::read_repo;
use crate::support::tool::{Place, Ran};

/// The flags of a command in its help.
fn flags(place: &Place, command: &str) -> Vec<String> {
    let args: &[&str] = if command.is_empty() { &["--help"] } else { &[command, "--help"] };
    let help = place.migrate(args).exits(0).stdout;
    // A flag begins its line; a flag inside a sentence may belong to another command.
    let flag = Regex::new(r"(?m)^ +(?:-\w, )?(--[a-z][a-z-]+)").expect("a pattern");
    let found: Vec<String> = flag.captures_iter(&help).map(|flag| flag[1].to_owned()).collect();
    assert!(found.contains(&"--help".to_owned()), "{help}");
    found
}

#[test]
fn a_call_without_arguments_prints_a_first_migration_and_does_nothing() {
    let place = Place::new();
    // Everything that a cutover could take from its surroundings is there.
    place.write("migrate.toml", "format = 1\nname = \"x\"\n");
    let none: [&str; 0] = [];
    let ran = place.migrate(none).env("DATABASE_URL", "postgresql://nowhere.invalid/x").exits(2);
    ran.says(&["migrate init", "--dry-run", "--yes", "migrate verify", "migrate guide cutover", "migrate --help"]);
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
    assert!(ran.stdout.lines().count() <= 24, "more than a screen:\n{}", ran.stdout);
    assert_eq!(ran.stderr, "");
    // Each command that it shows is one that the command line understands: the source is what is missing.
    let shown = ran.stdout.lines().skip_while(|line| !line.contains("migrate init")).take(4);
    for line in shown {
        let args: Vec<&str> =
            line.split("   ").find(|part| part.contains("migrate")).expect("a command").split_whitespace().collect();
        let ran = place.migrate(&args[1..]).env("DATABASE_URL", "postgresql://nowhere.invalid/x").ran();
        match args[1] {
            "init" => assert!(ran.code == 3 && ran.stderr.contains("the file exists"), "{}", ran.stderr),
            _ => assert!(ran.code == 2 && ran.stderr.contains("source: none was named"), "{line}: {}", ran.stderr),
        }
    }
}

#[test]
fn the_help_groups_every_command_in_the_order_of_use() {
    let place = Place::new();
    let help = place.migrate(["--help"]).exits(0).stdout;
    let headings = ["Prepare:", "Cut over:", "Prove or undo:", "Look up:", "Set up a shell or an editor:", "Options:"];
    let places: Vec<usize> =
        headings.iter().map(|h| help.find(&format!("\n{h}\n")).unwrap_or_else(|| panic!("{h}\n{help}"))).collect();
    assert!(places.is_sorted(), "{help}");
    let commands = &help[places[0]..places[5]];
    for name in cli::command_names() {
        let line = commands.lines().find(|line| line.starts_with(&format!("  {name} ")));
        assert!(line.is_some_and(|line| line.len() > 20 && line.len() <= 80), "{name}:\n{help}");
    }
    assert_eq!(help.matches("\n  verify ").count(), 1, "a second list of commands:\n{help}");
    // The short help has the same groups, and a misspelt command is still answered with the nearest one.
    assert!(place.migrate(["-h"]).exits(0).stdout.contains("\nProve or undo:\n  verify "));
    place.migrate(["verfy"]).exits(2).says(&["verify"]);
    place.migrate(["help", "verify"]).exits(0).says(&["Compare source and target again"]);
}

/// The command in the last lines of a text for people, after the word `Next:`. Placeholders of `explain` stay.
#[track_caller]
fn next(ran: &Ran) -> String {
    let (_, last) = ran.stdout.rsplit_once("Next: ").unwrap_or_else(|| panic!("no next command:\n{}", ran.said()));
    let command = last.lines().nth(1).unwrap_or_default();
    command.strip_prefix("  ").unwrap_or_else(|| panic!("no command after `Next:`:\n{}", ran.stdout)).to_owned()
}

/// Pages, completions and the version are looked up, so that nothing follows them.
#[test]
fn every_command_that_works_ends_with_the_next_command() {
    let case = Case::new(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT); INSERT INTO notes VALUES (1, 'a');",
        "CREATE TABLE notes (id int PRIMARY KEY, title text);",
        "[load.notes]\n",
    );
    let here = |args: &[&str]| next(&case.command(args).exits(0));
    let m = |command: &str| format!("migrate {command}-t \"$DATABASE_URL\"");
    assert_eq!(here(&["status"]), format!("{} --dry-run", m("")));
    assert_eq!(here(&["plan"]), format!("{} --dry-run", m("")));
    assert_eq!(here(&["--dry-run"]), format!("{} --yes", m("")));
    assert_eq!(here(&["--yes"]), m("verify "));
    assert_eq!(here(&["status"]), m("verify "));
    assert_eq!(here(&["verify"]), "migrate guide cutover");
    assert_eq!(here(&["forget", "--yes"]), m("verify "));
    let again =
        Case::new("CREATE TABLE a (id INTEGER PRIMARY KEY);", "CREATE TABLE a (id int PRIMARY KEY);", "[load.a]\n");
    again.done();
    assert_eq!(next(&again.command(&["rollback", "--yes"]).exits(0)), format!("{} --dry-run", m("")));
    assert_eq!(next(&again.command(&["status"]).exits(0)), format!("{} --dry-run", m("")));
    assert_eq!(next(&case.place.migrate(["explain", "not-a-number"]).exits(0)), "migrate -m MAPPING --dry-run");
    let proposed = case.command(&["init", "-s", "source.db", "-o", "new.toml"]).exits(0);
    assert_eq!(next(&proposed), m("-m new.toml ") + " --dry-run");
    let tables = case.place.migrate(["schema", "-s", "source.db", "-o", "new.sql"]).exits(0);
    assert!(next(&tables).starts_with("psql "), "{}", tables.stdout);
}

#[test]
fn completions_have_every_command_and_flag() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.migrate(["completions", shell]).exits(0).stdout;
        for command in cli::command_names().iter().map(String::as_str).chain([""]) {
            assert!(script.contains(command), "{shell}: {command}");
            for flag in flags(&place, command) {
                let name = flag.trim_start_matches("--");
                assert!(script.contains(name), "{shell}: {command} {flag}");
            }
        }
    }
    place.migrate(["completions", "tcsh"]).exits(2).says(&["bash"]);
}

#[test]
fn bash_completes_a_command_and_a_flag() {
    let place = Place::new();
    let script = place.migrate(["completions", "bash"]).exits(0).stdout;
    place.write("migrate.bash", script);
    let ask = |words: &str, at: usize| {
        let ask = format!(
            ". ./migrate.bash; COMP_WORDS=({words}); COMP_CWORD={at}; _migrate migrate \"${{COMP_WORDS[{at}]}}\" x; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let mut command = place.run("bash", ["--norc", "-c", &ask]).command();
        let out = command.stderr(Stdio::piped()).output().expect("bash");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    assert_eq!(ask("migrate rol", 1), "rollback\n");
    assert_eq!(ask("migrate verify --led", 2), "--ledger-schema\n");
}

#[test]
fn manual_pages_have_every_command_and_flag() {
    let place = Place::new();
    let page = |args: &[&str]| place.migrate(args).exits(0).stdout.replace("\\-", "-");
    let tool = page(&["man"]);
    assert!(tool.contains(".TH migrate 1") && tool.contains(env!("CARGO_PKG_VERSION")), "{tool}");
    for command in cli::command_names() {
        assert!(tool.contains(&format!("migrate-{command}(1)")), "{command} is not in\n{tool}");
        let own = page(&["man", &command]);
        assert!(own.contains(&format!(".TH migrate-{command} 1")), "{own}");
        for flag in flags(&place, &command) {
            assert!(own.contains(&flag), "{command}: {flag}\n{own}");
        }
    }
    for flag in flags(&place, "") {
        assert!(tool.contains(&flag), "{flag}");
    }
    // A command of a command has its page under the name that the page of the outer one prints.
    let fleet = page(&["man", "fleet"]);
    for command in ["status", "verify", "rollback"] {
        let name = format!("fleet-{command}");
        assert!(fleet.contains(&format!("migrate-{name}(1)")), "{fleet}");
        assert!(page(&["man", &name]).contains(&format!(".TH migrate-{name} 1")), "{name}");
    }
    place.migrate(["man", "verfy"]).exits(2).says(&["`verfy` is not a command", "Did you mean `verify`?"]);
}

#[test]
fn the_version_names_the_build_and_what_it_was_tested_with() {
    let place = Place::new();
    let short = place.migrate(["-V"]).exits(0).stdout;
    assert_eq!(short, format!("migrate {}\n", env!("CARGO_PKG_VERSION")));
    let long = place.migrate(["--version"]).exits(0).stdout;
    let build = Regex::new(r"^migrate [0-9.]+ \((development build|commit [0-9a-f]{12}(-dirty)?|commit \S+)\)\n")
        .expect("a pattern");
    assert!(build.is_match(&long), "{long}");
    let sqlite = Regex::new(r"\nSQLite 3\.\d+\.\d+, compiled in\n").expect("a pattern");
    assert!(sqlite.is_match(&long) && long.contains("\nrehearse runs "), "{long}");
    // The versions are those of the script that runs the tests against them.
    let script = read_repo("tests/versions.sh");
    let known = Regex::new(r"(?m)^ +(\d\d)\) echo").expect("a pattern");
    let known: Vec<u32> = known.captures_iter(&script).map(|v| v[1].parse().expect("a version")).collect();
    let (first, last) = (known[0], known[known.len() - 1]);
    assert_eq!(known, (first..=last).collect::<Vec<_>>());
    assert!(long.contains(&format!("\nPostgreSQL {first} to {last}, tested\n")), "{long}");
}
