//! The tool on a terminal of 80 columns, which `script` makes: the bar, colour, and the width of the report.

use std::process::Output;

use migrate::text::width;

use crate::support::case::Case;
use crate::support::postgres::Database;
use crate::support::sqlite;

/// Enough rows for several drawings of the bar.
const ROWS: &str = "
    CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
    WITH RECURSIVE n(id) AS (VALUES (1) UNION ALL SELECT id + 1 FROM n WHERE id < 150000)
    INSERT INTO notes SELECT id, 'the note of number ' || id FROM n;
    CREATE TABLE a_table_whose_name_is_longer_than_most (id INTEGER PRIMARY KEY);";

const TABLES: &str = "
    CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL);
    CREATE TABLE a_table_whose_name_is_longer_than_most (id int PRIMARY KEY);";

/// Erases the line of the bar.
const ERASE: &str = "\r\u{1b}[K";

fn case() -> Case {
    let case = Case::with(Database::with(TABLES), &["-m", "notes.toml", "-s", "notes.db"]);
    sqlite::file(&case.place, "notes.db", ROWS);
    let mapping = "format = 1\nname = \"notes\"\n[load.notes]\n[load.a_table_whose_name_is_longer_than_most]\n";
    case.place.write("notes.toml", mapping);
    case
}

/// Everything that a terminal of 80 columns receives from a command that succeeds.
fn seen(case: &Case, args: &str, variables: &[(&str, &str)]) -> String {
    ended(case, args, variables, 0)
}

/// Everything that a terminal of 80 columns receives from a command that ends with this exit status.
fn ended(case: &Case, args: &str, variables: &[(&str, &str)], code: i32) -> String {
    let tool = env!("CARGO_BIN_EXE_migrate");
    let call = format!("stty cols 80 rows 24; {tool} {args} -m notes.toml -s notes.db -t '{}'", case.target.url());
    let mut command = case.place.run("script", ["-qefc", &call, "/dev/null"]).command();
    let Output { status, stdout, .. } =
        command.envs(variables.iter().copied()).output().expect("script, of util-linux");
    let text = String::from_utf8(stdout).expect("UTF-8");
    assert_eq!(status.code(), Some(code), "{text}");
    text
}

#[test]
fn the_bar_is_one_line_of_80_columns_that_is_redrawn_in_place() {
    let case = case();
    let text = seen(&case, "--yes", &[("TERM", "tmux-256color")]);
    let drawn: Vec<&str> = text.split(ERASE).skip(1).filter_map(|part| part.split('\r').next()).collect();
    let steps = ["preflight", "load", "reattach", "sequences", "verify"];
    let bars = drawn.iter().filter(|bar| steps.iter().any(|step| bar.starts_with(step)));
    assert!(bars.clone().count() > 1, "nothing was drawn: {text:?}");
    // A line that fills all columns may be wrapped by a terminal, and then the next one is drawn below it.
    bars.for_each(|bar| assert!(width(bar) < 80, "{bar}"));
    // Nothing moves the cursor up: the bar has one line, so no line can jump or be left over.
    let moves = regex::Regex::new("\u{1b}\\[[0-9;]*[A-HJfsu]").expect("a pattern");
    assert!(!moves.is_match(&text), "{text:?}");
    // The last thing that is drawn is nothing: the report begins on an empty line.
    let end = text.rsplit(ERASE).next().expect("a last part");
    assert!(end.starts_with("\u{1b}[1mMigration: notes"), "{end:?}");
}

#[test]
fn a_report_fits_the_terminal_and_no_color_takes_its_colours() {
    let case = case();
    let coloured = seen(&case, "--yes --progress none", &[("TERM", "tmux-256color")]);
    assert!(coloured.contains("\u{1b}[32m"), "{coloured:?}");
    let plain = seen(&case, "--yes --progress none", &[("TERM", "tmux-256color"), ("NO_COLOR", "1")]);
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    assert!(plain.lines().all(|line| width(line.trim_end()) <= 80), "{plain}");
    assert!(plain.lines().count() <= 24, "{plain}");
}

#[test]
fn the_status_fits_the_terminal_and_cuts_no_word() {
    let case = case();
    seen(&case, "--yes --progress none", &[("TERM", "tmux-256color")]);
    let text = seen(&case, "status", &[("TERM", "tmux-256color")]);
    assert!(text.lines().all(|line| width(line.trim_end()) <= 80), "{text}");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("`migrate forget --yes` ends that possibility."), "{text}");
}

#[test]
fn a_message_is_broken_between_words_on_a_terminal() {
    let case = case();
    let missing = "a_folder_whose_name_is_long/and_another_one/the_file_of_variables.env";
    let call = format!("--dry-run --env-file {missing}");
    let text = ended(&case, &call, &[("TERM", "tmux-256color")], 2);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    assert!(lines.len() > 1 && lines.iter().all(|line| width(line) <= 80), "{text}");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let path = case.place.migrate(["--dry-run", "--env-file", missing, "-m", "notes.toml"]).exits(2).stderr;
    assert_eq!(words, path.trim_end(), "a pipe receives one line");
}

#[test]
fn a_terminal_that_cannot_erase_a_line_receives_calm_lines() {
    let case = case();
    let text = seen(&case, "--yes", &[("TERM", "dumb"), ("NO_COLOR", "1")]);
    assert!(!text.contains('\u{1b}') && text.contains("load ...\r\n"), "{text:?}");
}
