//! A cutover of each of the five systems and its report in all four forms, kept under `tests/golden/systems` with times,
//! paths and digests removed; and one with a corrupted target.
//!
//! The files are drawn from the record that the tool wrote, redacted; that its own files are drawn from the same record is
//! asserted on the way. Look at the pages in a browser: `tests/html_report.sh`.

use migrate::model::record::Report;
use migrate::report::{FORMATS, Style, terminal};

use crate::support::golden::{self, Redactor};
use crate::support::postgres::{Database, socket};
use crate::support::repo;
use crate::support::tool::{Place, Ran};

/// A bcrypt hash has this form; any will do.
const HASH: &str = "$2b$12$abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01";

const STYLE: Style = Style { colour: false, width: 100, all: false };

/// One system's mapping, a target for it, and a folder for the reports.
struct System {
    name: &'static str,
    target: Database,
    place: Place,
}

impl System {
    fn of(name: &'static str, made_by: &[&str]) -> System {
        let paths: Vec<String> = made_by.iter().map(|file| format!("fixtures/{name}/{file}")).collect();
        let target = Database::of(&paths.iter().map(String::as_str).collect::<Vec<_>>());
        System { name, target, place: Place::new() }
    }

    fn run(&self, args: &[&str], code: i32) -> Ran {
        let run = self.place.migrate(args).arg("-m").arg(repo(&format!("mappings/{}.toml", self.name)));
        let files = FORMATS.iter().flat_map(|form| ["--report".to_owned(), format!("report.{}", form.ending)]);
        run.args(["-t", &self.target.url()]).args(files).env("ADMIN_PASSWORD_HASH", HASH).exits(code)
    }

    /// Runs the tool and compares its report, in every form, with the files of this name.
    #[track_caller]
    fn reports(&self, name: &str, args: &[&str], code: i32) {
        let ran = self.run(args, code);
        let written = self.place.read("report.json");
        let report: Report = serde_json::from_str(&written).expect("a report");
        assert_eq!(ran.stdout, terminal(std::slice::from_ref(&report), STYLE), "the terminal says something else");
        for form in &FORMATS {
            let drawn = (form.render)(std::slice::from_ref(&report)).expect("drawn");
            assert_eq!(self.place.read(&format!("report.{}", form.ending)), drawn, "{}", form.ending);
        }
        let still = [still(report, &self.redactor())];
        golden::same(&format!("systems/{name}.txt"), &terminal(&still, STYLE), &Redactor::nothing());
        for form in &FORMATS {
            let drawn = (form.render)(&still).expect("drawn");
            golden::same(&format!("systems/{name}.{}", form.ending), &drawn, &Redactor::no_style());
        }
    }

    fn redactor(&self) -> Redactor {
        let root = repo("");
        let root = root.to_str().expect("a path in UTF-8").trim_end_matches('/');
        Redactor::new().literal(socket(), "SOCKET").literal(self.target.name(), "DATABASE").literal(root, "")
    }
}

/// The report without what differs from run to run.
fn still(report: Report, redactor: &Redactor) -> Report {
    let text = serde_json::to_string_pretty(&report).expect("JSON");
    let mut report: Report = serde_json::from_str(&redactor.apply(&text)).expect("a report still");
    report.loads.iter_mut().for_each(|load| load.lanes = load.lanes.min(1));
    report
}

#[test]
fn personal_finance_is_reported_as_recorded_in_every_form() {
    System::of("personal_finance", &["target.sql"]).reports("personal_finance", &["--yes"], 0);
}

#[test]
fn aunoo_is_reported_as_recorded_in_every_form() {
    System::of("aunoo", &["target.sql"]).reports("aunoo", &["--yes"], 0);
}

#[test]
fn grant_finder_is_reported_as_recorded_in_every_form() {
    System::of("grant_finder", &["target.sql", "before.sql"]).reports("grant_finder", &["--yes"], 0);
}

#[test]
fn personal_ai_agent_is_reported_as_recorded_in_every_form() {
    System::of("personal_ai_agent", &["target.sql"]).reports("personal_ai_agent", &["--yes"], 0);
}

#[test]
fn data_uploader_is_reported_as_recorded_in_every_form() {
    System::of("data_uploader", &["target.sql"]).reports("data_uploader", &["--yes"], 0);
}

#[test]
fn a_corrupted_target_is_reported_as_recorded_in_every_form() {
    let system = System::of("personal_finance", &["target.sql"]);
    system.run(&["--yes"], 0);
    system.target.run(
        "UPDATE transactions SET amount = amount + 0.01 WHERE id = 4; DELETE FROM transactions WHERE id = 12; \
         UPDATE budget_templates SET is_active = NOT is_active WHERE id = 1; SELECT setval('debt_payments_id_seq', 1)",
    );
    system.reports("tampered", &["verify"], 5);
}
