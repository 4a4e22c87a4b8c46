//! What people see, letter for letter: plan, dry run, report, refusals, faults, help.

use crate::support::golden::{self, Redactor};
use crate::support::postgres::{Database, socket};
use crate::support::tool::{Place, Ran, Run};
use crate::support::{read_repo, repo, sqlite};

struct Case {
    target: Database,
    place: Place,
}

impl Case {
    /// personal_finance with the rows of one of its scripts.
    fn of(script: &str) -> Case {
        let place = Place::new();
        sqlite::of(&place, "finance.db", &format!("fixtures/personal_finance/{script}"));
        place.write("finance.toml", read_repo("mappings/personal_finance.toml"));
        Case { target: Database::of(&["fixtures/personal_finance/target.sql"]), place }
    }

    fn run(&self, args: &[&str]) -> Run {
        let url = self.target.url();
        self.place.migrate(args).args(["-m", "finance.toml", "-s", "finance.db", "-t", &url])
    }

    fn redactor(&self) -> Redactor {
        Redactor::new().literal(socket(), "SOCKET").literal(self.target.name(), "DATABASE")
    }

    #[track_caller]
    fn shows(&self, name: &str, args: &[&str], code: i32) {
        golden::same(&format!("cli/{name}"), &as_seen(&self.run(args).exits(code)), &self.redactor());
    }
}

/// stdout and, where there is any, stderr without the lines of progress, whose number depends on the machine.
fn as_seen(ran: &Ran) -> String {
    let is_progress = |line: &&str| {
        ["read ahead", "load", "sequences", "verify"].iter().any(|step| line.starts_with(step))
            && !line.contains("load.")
    };
    let said: Vec<&str> = ran.stderr.lines().filter(|line| !is_progress(line)).collect();
    if said.is_empty() { ran.stdout.clone() } else { format!("{}--- stderr\n{}\n", ran.stdout, said.join("\n")) }
}

#[test]
fn the_plan_prints_as_recorded() {
    let case = Case::of("source.sql");
    case.shows("plan.txt", &["plan"], 0);
    case.shows("plan.json", &["plan", "--json"], 0);
}

#[test]
fn the_dry_run_prints_as_recorded() {
    Case::of("source.sql").shows("dry_run.txt", &["--dry-run"], 0);
}

#[test]
fn a_cutover_and_its_repetition_print_as_recorded() {
    let case = Case::of("source.sql");
    case.shows("done.txt", &["--yes"], 0);
    case.shows("again.txt", &["--yes"], 0);
    case.shows("verify.txt", &["verify"], 0);
}

#[test]
fn the_cutover_as_json_prints_as_recorded() {
    Case::of("source.sql").shows("done.json", &["--yes", "--json"], 0);
}

#[test]
fn rows_that_cannot_be_loaded_print_as_recorded() {
    let case = Case::of("nasty.sql");
    case.shows("faults.txt", &["--yes"], 3);
    assert_eq!(case.target.count("transactions"), 0);
}

#[test]
fn a_refused_target_in_use_prints_as_recorded() {
    let case = Case::of("source.sql");
    case.target.run(&read_repo("fixtures/personal_finance/before_in_use.sql"));
    case.shows("refused.txt", &["--yes"], 3);
}

#[test]
fn a_refused_mapping_prints_as_recorded() {
    let case = Case::of("source.sql");
    let wrong = read_repo("mappings/personal_finance.toml")
        .replace("[leave]", "[leaves]")
        .replace("if_bad = 0", "if_bda = 0")
        .replace("when = \"empty\"", "whem = \"empty\"");
    case.place.write("finance.toml", wrong);
    case.shows("mistakes.txt", &["--yes"], 2);
}

#[test]
fn the_help_prints_as_recorded() {
    let place = Place::new();
    for (name, args) in [("help.txt", &["--help"][..]), ("help_plan.txt", &["plan", "--help"])] {
        golden::same(&format!("cli/{name}"), &place.migrate(args).exits(0).stdout, &Redactor::new());
    }
    // What is not built yet is not offered.
    assert!(repo("tests/golden/cli/help.txt").is_file());
}
