//! The files that a run writes next to others: the fault file, which another user may have prepared, and the reports.

use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use crate::support::case::Case;
use crate::support::tool::Ran;

/// One of two rows does not fit, and is left out.
fn case() -> Case {
    let source = "CREATE TABLE notes (id INTEGER PRIMARY KEY, stars); INSERT INTO notes VALUES (1, 5), (2, 'SECRET');";
    Case::new(source, "CREATE TABLE notes (id int PRIMARY KEY, stars int);", "[load.notes]\n")
}

fn quarantined(case: &Case, args: &[&str]) -> Ran {
    case.command(&["--yes", "--on-fault", "quarantine"]).args(args).exits(6)
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo").success());
}

/// A reader of a pipe that never waits: O_NONBLOCK of Linux.
fn reader(path: &Path) -> std::fs::File {
    std::fs::OpenOptions::new().read(true).custom_flags(0o4000).open(path).expect("a reader")
}

#[test]
fn a_pipe_under_the_default_name_of_the_fault_file_gets_no_row() {
    let case = case();
    let path = case.place.path("migrate-faults.ndjson");
    pipe(&path);
    let mut reader = reader(&path);
    quarantined(&case, &[])
        .says(&["fault file migrate-faults.ndjson: cannot be written; it is not a file", "--fault-file"]);
    let mut read = Vec::new();
    reader.read_to_end(&mut read).expect("what was written");
    assert!(read.is_empty(), "{}", String::from_utf8_lossy(&read));
}

#[test]
fn a_link_under_the_default_name_of_the_fault_file_is_not_followed() {
    let case = case();
    pipe(&case.place.path("far"));
    let mut reader = reader(&case.place.path("far"));
    std::os::unix::fs::symlink("far", case.place.path("migrate-faults.ndjson")).expect("a link");
    quarantined(&case, &[]).says(&["cannot be written; it is a symbolic link"]);
    let mut read = Vec::new();
    reader.read_to_end(&mut read).expect("what was written");
    assert!(read.is_empty(), "{}", String::from_utf8_lossy(&read));
}

#[test]
fn a_fault_file_of_an_earlier_run_is_replaced() {
    let case = case();
    case.place.write("migrate-faults.ndjson", "old");
    quarantined(&case, &[]);
    assert_eq!(case.lines()[0]["row"]["stars"], "SECRET");
    let found = std::fs::metadata(case.place.path("migrate-faults.ndjson")).expect("the file");
    assert_eq!(found.mode() & 0o777, 0o600);
}

#[test]
fn a_named_pipe_of_this_user_gets_the_rows_and_no_reader_is_waited_for() {
    let case = case();
    let path = case.place.path("rows");
    pipe(&path);
    quarantined(&case, &["--fault-file", "rows"])
        .says(&["fault file rows: cannot be written; no process reads the pipe"]);
    let mut reader = reader(&path);
    case.command(&["--yes", "--fault-file", "rows"]).exits(6);
    let mut read = String::new();
    reader.read_to_string(&mut read).expect("what was written");
    assert!(read.contains("SECRET"), "{read}");
}

#[test]
fn a_pipe_or_file_of_another_user_is_refused_even_if_it_is_named() {
    if std::fs::metadata("/proc/self").expect("this process").uid() != 0 {
        println!("not root: no file of another user can be made");
        return;
    }
    let case = case();
    pipe(&case.place.path("rows"));
    case.place.write("file", "");
    for name in ["rows", "file"] {
        assert!(Command::new("chown").arg("65534").arg(case.place.path(name)).status().expect("chown").success());
        let _reader = (name == "rows").then(|| reader(&case.place.path(name)));
        quarantined(&case, &["--fault-file", name]).says(&["cannot be written; it belongs to another user"]);
    }
}

#[test]
fn a_report_keeps_the_mode_of_the_file_that_it_replaces() {
    let case = case();
    let path = case.place.write("report.md", "old");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    quarantined(&case, &["--report", "report.md", "--show-values"]);
    assert_eq!(std::fs::metadata(&path).expect("the report").mode() & 0o777, 0o600);
    assert!(case.place.read("report.md").starts_with('#'));
}

#[test]
fn a_report_that_cannot_be_written_does_not_change_the_exit_of_a_quarantined_run() {
    let case = case();
    let migrate = env!("CARGO_BIN_EXE_migrate");
    // No file may grow beyond this size, as on a full disk.
    let args = ["--fsize=2000", migrate, "--yes", "--on-fault", "quarantine", "--report", "report.json"];
    let ran = case.place.run("prlimit", args).args(["-m", "migrate.toml", "-t", &case.target.url()]).exits(6);
    ran.says(&["report report.json: could not be written", "Only the report is missing"]);
    assert!(!case.place.path("report.json").exists());
    assert!(!case.place.files().iter().any(|name| name.starts_with(".migrate")), "{:?}", case.place.files());
}

#[test]
fn a_run_does_not_wait_for_lanes_that_get_no_connection() {
    let case = case();
    case.target.run("CREATE ROLE single LOGIN CONNECTION LIMIT 1; GRANT ALL ON SCHEMA public TO single; ALTER TABLE notes OWNER TO single");
    case.target.run(&format!("GRANT CREATE ON DATABASE {} TO single", case.target.name()));
    let begin = std::time::Instant::now();
    let url = case.target.url_of("single");
    let args = ["--yes", "--on-fault", "quarantine", "--jobs", "4", "-m", "migrate.toml", "-t", &url];
    case.place.migrate(args).exits(6);
    let took = begin.elapsed();
    println!("{} ms", took.as_millis());
    // It was 58 s: each lane waited for a free connection.
    assert!(took < std::time::Duration::from_secs(20), "{took:?}");
    case.target.run("DROP OWNED BY single; DROP ROLE single");
}
