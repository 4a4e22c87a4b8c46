//! The output on the terminal, letter for letter: plan, dry run, report, refusals, faults, help.

use crate::support::case::Case;
use crate::support::golden::{self, Redactor};
use crate::support::postgres::{Database, socket};
use crate::support::tool::{Place, Ran};
use crate::support::{read_repo, sqlite};

/// personal_finance with the rows of one of its scripts.
fn case(script: &str) -> Case {
    let target = Database::of(&["fixtures/personal_finance/target.sql"]);
    let case = Case::with(target, &["-m", "finance.toml", "-s", "finance.db"]);
    sqlite::of(&case.place, "finance.db", &format!("fixtures/personal_finance/{script}"));
    case.place.write("finance.toml", read_repo("mappings/personal_finance.toml"));
    case
}

#[track_caller]
fn shows(case: &Case, name: &str, args: &[&str], code: i32) {
    let redactor = Redactor::new().literal(socket(), "SOCKET").literal(case.target.name(), "DATABASE");
    golden::same(&format!("cli/{name}"), &as_seen(&case.command(args).exits(code)), &redactor);
}

/// stdout and, where there is any, stderr without the lines of progress, whose number depends on the machine.
fn as_seen(ran: &Ran) -> String {
    let is_progress = |line: &&str| {
        ["preflight", "load", "sequences", "verify"].iter().any(|step| line.starts_with(step))
            && !line.contains("load.")
    };
    let said: Vec<&str> = ran.stderr.lines().filter(|line| !is_progress(line)).collect();
    if said.is_empty() { ran.stdout.clone() } else { format!("{}--- stderr\n{}\n", ran.stdout, said.join("\n")) }
}

#[test]
fn the_plan_prints_as_recorded() {
    let case = case("source.sql");
    shows(&case, "plan.txt", &["plan"], 0);
    shows(&case, "plan.json", &["plan", "--json"], 0);
}

#[test]
fn the_dry_run_prints_as_recorded() {
    shows(&case("source.sql"), "dry_run.txt", &["--dry-run"], 0);
}

#[test]
fn a_cutover_and_its_repetition_print_as_recorded() {
    let case = case("source.sql");
    shows(&case, "done.txt", &["--yes"], 0);
    shows(&case, "again.txt", &["--yes"], 0);
    shows(&case, "verify.txt", &["verify"], 0);
}

#[test]
fn the_cutover_as_json_prints_as_recorded() {
    shows(&case("source.sql"), "done.json", &["--yes", "--json"], 0);
}

#[test]
fn rows_that_cannot_be_loaded_print_as_recorded() {
    let case = case("nasty.sql");
    shows(&case, "faults.txt", &["--yes"], 3);
    assert_eq!(case.target.count("transactions"), 0);
}

#[test]
fn a_refused_target_in_use_prints_as_recorded() {
    let case = case("source.sql");
    case.target.run(&read_repo("fixtures/personal_finance/before_in_use.sql"));
    shows(&case, "refused.txt", &["--yes"], 3);
}

#[test]
fn a_refused_mapping_prints_as_recorded() {
    let case = case("source.sql");
    let wrong = read_repo("mappings/personal_finance.toml")
        .replace("[leave]", "[leaves]")
        .replace("if_bad = 0", "if_bda = 0")
        .replace("when = \"empty\"", "whem = \"empty\"");
    case.place.write("finance.toml", wrong);
    shows(&case, "mistakes.txt", &["--yes"], 2);
}

#[test]
fn the_help_prints_as_recorded() {
    let place = Place::new();
    for (name, args) in [("help.txt", &["--help"][..]), ("help_plan.txt", &["plan", "--help"])] {
        golden::same(&format!("cli/{name}"), &place.migrate(args).exits(0).stdout, &Redactor::new());
    }
}
