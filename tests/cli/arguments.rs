//! Bad input: each one gets a clear message and the right exit status. Nothing is written, and no file is created.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;

use migrate::mapping::TargetDdl;
use migrate::model::record::Report;

use crate::support::case::Case;
use crate::support::postgres::{Database, LOCKED_PASSWORD, LOCKED_ROLE, socket};
use crate::support::tool::{Place, Ran};
use crate::support::{repo, sqlite};

/// A small application: people on the target, notes to bring.
const NOTES: &str = "
    CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL, priority INTEGER);
    INSERT INTO notes VALUES (1, 'one', 1), (2, 'two', 2);";

const PEOPLE: &str = "
    CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
    CREATE TABLE notes (id serial PRIMARY KEY, body text NOT NULL, priority int, person_id int REFERENCES people);
    GRANT USAGE, CREATE ON SCHEMA public TO locked;
    GRANT ALL ON ALL TABLES IN SCHEMA public TO locked;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO locked;";

const MAPPING: &str = r#"
format = 1
name = "notes"
[owner]
table = "people"
match = { name = "ada" }
key = "id"
create = {}
[load.notes]
owner = "person_id"
"#;

fn case() -> Case {
    let case = Case::with(Database::with(PEOPLE), &["-m", "notes.toml", "-s", "notes.db"]);
    sqlite::file(&case.place, "notes.db", NOTES);
    case.place.write("notes.toml", MAPPING);
    case
}

/// Runs the cutover and the dry run with these arguments. Both end with this status and these words, and write nothing.
#[track_caller]
fn is_refused(case: &Case, args: &[&str], code: i32, says: &[&str]) -> Ran {
    leaves_all(case, &[args, &["--dry-run"]].concat(), code, says);
    leaves_all(case, &[args, &["--yes"]].concat(), code, says)
}

#[track_caller]
fn leaves_all(case: &Case, args: &[&str], code: i32, says: &[&str]) -> Ran {
    let (rows, files) = (case.target.inventory(), case.place.files());
    let ran = case.place.migrate(args).exits(code);
    ran.says(says);
    // The same with --json: one object for every refusal.
    let report: Report =
        serde_json::from_value(case.place.migrate(args).arg("--json").exits(code).json()).expect("a report");
    assert_eq!((report.format, report.exit.code), (1, code));
    assert!(code == 0 || !report.refusals.is_empty() || report.fault_total > 0, "{report:?}");
    assert_eq!(case.target.inventory(), rows, "something was written");
    assert_eq!(case.place.files(), files, "a file was created");
    ran
}

#[test]
fn the_unmodified_case_succeeds() {
    let case = case();
    case.place.migrate(["-m", "notes.toml", "-s", "notes.db", "-t", &case.target.url(), "--yes"]).exits(0);
    assert_eq!(case.target.value("SELECT string_agg(body, ',' ORDER BY id) FROM notes"), "one,two");
}

#[test]
fn a_missing_source_is_not_created() {
    let case = case();
    let url = case.target.url();
    is_refused(&case, &["-m", "notes.toml", "-s", "absent.db", "-t", &url], 3, &["absent.db: no such file"]);
    is_refused(&case, &["-m", "notes.toml", "-s", "no/folder/absent.db", "-t", &url], 3, &["no such file"]);
}

#[test]
fn a_source_that_looks_like_a_uri_is_a_file_name() {
    let case = case();
    is_refused(
        &case,
        &["-m", "notes.toml", "-s", "file:notes.db?mode=rwc", "-t", &case.target.url()],
        3,
        &["file:notes.db?mode=rwc: no such file"],
    );
}

#[test]
fn an_empty_source_is_refused() {
    let case = case();
    case.place.write("empty.db", "");
    let args = ["-m", "notes.toml", "-s", "empty.db", "-t", &case.target.url()];
    is_refused(&case, &args, 3, &["empty.db: is empty (0 bytes)"]);
}

#[test]
fn a_foreign_source_is_refused() {
    let case = case();
    case.place.write("picture.db", b"\x89PNG\r\n\x1a\n and a lot of other bytes that are no database at all");
    let args = ["-m", "notes.toml", "-s", "picture.db", "-t", &case.target.url()];
    is_refused(&case, &args, 3, &["picture.db: is not a SQLite database"]);
}

#[test]
fn a_damaged_source_is_refused() {
    let case = case();
    let whole = std::fs::read(case.place.path("notes.db")).expect("the source");
    case.place.write("cut.db", &whole[..whole.len() - 4096]);
    is_refused(&case, &["-m", "notes.toml", "-s", "cut.db", "-t", &case.target.url()], 3, &["cut.db"]);
}

#[test]
fn a_folder_is_refused_as_a_source() {
    let case = case();
    std::fs::create_dir(case.place.path("folder.db")).expect("a folder");
    let args = ["-m", "notes.toml", "-s", "folder.db", "-t", &case.target.url()];
    is_refused(&case, &args, 3, &["folder.db: is not a file"]);
}

#[test]
fn a_read_only_folder_allows_a_plain_source_and_explains_a_wal_source() {
    let place = Place::new();
    for mode in ["delete", "wal"] {
        let sql =
            format!("PRAGMA journal_mode = {mode}; CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)");
        sqlite::file(&place, &format!("{mode}.db"), &sql);
        place.write(
            &format!("{mode}.toml"),
            format!("format = 1\nname = \"x\"\n[source]\npath = \"{mode}.db\"\n[load.t]\n"),
        );
    }
    let tool = place.path("migrate");
    std::fs::copy(env!("CARGO_BIN_EXE_migrate"), &tool).expect("the tool");
    let before = place.files();
    let rights =
        |mode| std::fs::set_permissions(place.folder(), std::fs::Permissions::from_mode(mode)).expect("rights");
    rights(0o555);
    let look = |mode: &str| {
        let args = ["--dry-run".to_owned(), "-m".to_owned(), format!("{mode}.toml")];
        let mut command = place.run(tool.to_str().expect("a path"), args).command();
        // Root may read every folder: the check needs another user.
        if std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
            command.uid(65_534).gid(65_534);
        }
        let ended = command.output().expect("the tool");
        (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
    };
    let (plain, wal) = (look("delete"), look("wal"));
    rights(0o755);
    assert_eq!(plain.0, Some(0), "{}", plain.1);
    assert_eq!(wal.0, Some(3), "{}", wal.1);
    assert!(wal.1.contains("wal.db: cannot be read in its folder") && wal.1.contains("Copy the file"), "{}", wal.1);
    assert_eq!(place.files(), before);
}

#[test]
fn an_unreachable_target_is_refused() {
    let case = case();
    let silent = format!("postgresql://postgres@/x?host={}", case.place.folder().display());
    is_refused(&case, &["-m", "notes.toml", "-s", "notes.db", "-t", &silent], 3, &["target", "no such socket"]);
}

#[test]
fn a_missing_database_is_refused() {
    let case = case();
    let url = format!("postgresql://postgres@/not_there?host={}", socket());
    is_refused(&case, &["-m", "notes.toml", "-s", "notes.db", "-t", &url], 3, &["not_there"]);
}

#[test]
fn a_wrong_password_is_refused_and_never_shown() {
    let case = case();
    let url = case.target.url_of(&format!("{LOCKED_ROLE}:not-this-one"));
    let ran = is_refused(&case, &["-m", "notes.toml", "-s", "notes.db", "-t", &url], 3, &["target", "password"]);
    assert!(!ran.said().contains("not-this-one"), "{}", ran.said());
    leaves_all(
        &case,
        &["-m", "notes.toml", "-s", "notes.db", "-t", &case.target.url_of(LOCKED_ROLE), "--yes"],
        3,
        &["password"],
    );
}

#[test]
fn the_right_password_succeeds() {
    let case = case();
    case.target.run(&format!("GRANT CREATE ON DATABASE {} TO locked", case.target.name()));
    let url = case.target.url_of(&format!("{LOCKED_ROLE}:{LOCKED_PASSWORD}"));
    case.place.migrate(["-m", "notes.toml", "-s", "notes.db", "-t", &url, "--yes"]).exits(0);
    assert_eq!(case.target.count("notes"), 2);
}

#[test]
fn an_unreadable_url_is_a_usage_error() {
    let case = case();
    let url = "postgresql://postgres@localhost:notaport/x";
    is_refused(&case, &["-m", "notes.toml", "-s", "notes.db", "-t", url], 2, &["port"]);
}

#[test]
fn three_mistakes_in_a_mapping_are_all_reported() {
    let case = case();
    let text = "format = 1\nname = \"notes\"\n[sorce]\npath = \"x\"\n[load.notes]\nowner = false\nform = \"notes\"\n\
                [load.notes.columns]\nbody = { if_nul = \"\" }\n";
    case.place.write("wrong.toml", text);
    let args = ["-m", "wrong.toml", "-s", "notes.db", "-t", &case.target.url()];
    is_refused(
        &case,
        &args,
        2,
        &["sorce", "`source`", "form", "`from`", "if_nul", "`if_null`", "line 3", "line 7", "line 9"],
    );
}

#[test]
fn a_missing_or_malformed_mapping_is_a_usage_error() {
    let case = case();
    let url = case.target.url();
    is_refused(&case, &["-m", "absent.toml", "-s", "notes.db", "-t", &url], 2, &["absent.toml"]);
    case.place.write("broken.toml", "format = 1\nname = ");
    is_refused(&case, &["-m", "broken.toml", "-s", "notes.db", "-t", &url], 2, &["broken.toml", "line 2"]);
    is_refused(&case, &["-s", "notes.db", "-t", &url], 2, &["mapping: none was named"]);
}

#[test]
fn a_missing_target_column_is_refused_with_all_other_problems() {
    let case = case();
    case.target.run("ALTER TABLE notes DROP COLUMN priority; ALTER TABLE notes ADD COLUMN due date NOT NULL");
    is_refused(
        &case,
        &["-m", "notes.toml", "-s", "notes.db", "-t", &case.target.url()],
        3,
        &["notes.priority", "due", "NOT NULL"],
    );
}

#[test]
fn a_target_without_the_tables_is_refused() {
    let case = case();
    case.target.run("DROP TABLE notes; DROP TABLE people");
    is_refused(&case, &["-m", "notes.toml", "-s", "notes.db", "-t", &case.target.url()], 3, &["people", "notes"]);
}

#[test]
fn a_table_that_holds_rows_is_refused() {
    let case = case();
    case.target.run("INSERT INTO notes (body) VALUES ('of another user')");
    is_refused(
        &case,
        &["-m", "notes.toml", "-s", "notes.db", "-t", &case.target.url()],
        3,
        &["notes", "has rows", "existing = \"append\""],
    );
}

#[test]
fn a_value_that_does_not_fit_is_refused_before_anything_is_written() {
    let case = case();
    sqlite::file(&case.place, "bad.db", &format!("{NOTES} INSERT INTO notes VALUES (7, 'seven', 'high')"));
    is_refused(
        &case,
        &["-m", "notes.toml", "-s", "bad.db", "-t", &case.target.url()],
        3,
        &["load.notes.columns.priority", "7", "not a number"],
    );
}

#[test]
fn a_missing_owner_that_may_not_be_created_is_refused() {
    let case = case();
    case.place.write("notes.toml", MAPPING.replace("create = {}\n", ""));
    is_refused(&case, &["-m", "notes.toml", "-s", "notes.db", "-t", &case.target.url()], 3, &["owner"]);
}

#[test]
fn a_role_without_rights_is_refused_before_anything_is_written() {
    let case = case();
    let url = case.target.url_of(&format!("{LOCKED_ROLE}:{LOCKED_PASSWORD}"));
    case.target.run("REVOKE ALL ON SCHEMA public FROM locked; REVOKE ALL ON ALL TABLES IN SCHEMA public FROM locked");
    leaves_all(&case, &["-m", "notes.toml", "-s", "notes.db", "-t", &url, "--yes"], 3, &[]);
}

#[test]
fn dry_run_and_yes_exclude_each_other() {
    let case = case();
    let url = case.target.url();
    let args = ["-m", "notes.toml", "-s", "notes.db", "-t", &url, "--dry-run", "--yes"];
    leaves_all(&case, &args, 2, &["--dry-run", "--yes"]);
}

#[test]
fn a_bare_call_never_writes() {
    let case = case();
    leaves_all(&case, &["-m", "notes.toml", "-s", "notes.db", "-t", &case.target.url()], 3, &["--dry-run", "--yes"]);
    leaves_all(&case, &[], 2, &["mapping"]);
}

#[test]
fn a_misspelt_flag_is_reported_with_the_nearest_one() {
    let case = case();
    leaves_all(&case, &["-m", "notes.toml", "--dryrun"], 2, &["--dryrun", "--dry-run"]);
}

#[test]
fn a_flag_that_a_command_does_not_use_is_a_usage_error() {
    let case = case();
    for args in [["plan", "--report", "plan.md"], ["status", "--show-values", "-v"], ["verify", "--jobs", "2"]] {
        leaves_all(&case, &args, 2, &[args[1]]);
    }
}

#[test]
fn a_refused_plan_is_reported_in_the_requested_form() {
    let case = case();
    case.target.run("DROP TABLE notes");
    let args = ["plan", "-m", "notes.toml", "-s", "notes.db", "-t", &case.target.url()];
    leaves_all(&case, &args, 3, &["Refused"]);
}

#[test]
fn a_missing_target_is_a_usage_error_except_in_a_dry_run() {
    let case = case();
    leaves_all(&case, &["-m", "notes.toml", "-s", "notes.db", "--yes"], 2, &["target: none was named", "DATABASE_URL"]);
    let ran = leaves_all(&case, &["-m", "notes.toml", "-s", "notes.db", "--dry-run"], 0, &["NotChecked"]);
    assert!(ran.stdout.contains("no target was named"), "{}", ran.stdout);
}

#[test]
fn an_unknown_report_form_is_refused_before_the_run() {
    let case = case();
    let args = ["-m", "notes.toml", "-s", "notes.db", "-t", &case.target.url(), "--yes", "--report", "out.docx"];
    leaves_all(&case, &args, 2, &["out.docx"]);
}

#[test]
fn with_json_every_refusal_is_one_object_on_stdout_and_in_report_files() {
    let case = case();
    let nowhere = "postgresql://postgres@/app?host=/nowhere-at-all";
    case.place.write("wrong.toml", format!("{MAPPING}[load.notes.columns]\npriorty = {{ value = 1 }}\n"));
    case.place.write("bare.toml", MAPPING.replace("\"notes\"", "\"bare\""));
    let url = case.target.url();
    for command in ["migrate", "verify", "plan", "status", "rollback", "rehearse"] {
        let first: &[&str] = match command {
            "migrate" => &["--yes"],
            "rollback" => &["rollback", "--yes"],
            other => &[other],
        };
        let refused = |args: &[&str], code: i32, mapping: &str, says: &str| {
            let ran = case.place.migrate([first, args, &["--json"]].concat()).exits(code);
            let report: Report = serde_json::from_value(ran.json()).expect("a report");
            assert_eq!((report.command.word(), report.exit.code, report.mapping.as_str()), (command, code, mapping));
            let reported =
                report.refusals.iter().any(|r| format!("{}: {}. {}", r.place, r.reason, r.advice).contains(says));
            assert!(reported && !report.refusals.iter().any(|r| r.place.is_empty()), "{report:?}");
        };
        refused(&["-m", "absent.toml"], 2, "", "mapping absent.toml: cannot be read");
        refused(&["--no-such-flag", "-t", &url], 2, "", "--no-such-flag");
        match command {
            "rehearse" => {
                refused(&["-m", "notes.toml"], 2, "notes", "target.ddl: a rehearsal needs the target's tables")
            }
            _ => refused(&["-m", "notes.toml", "-s", "notes.db", "-t", nowhere], 3, "notes", "/nowhere-at-all"),
        }
        if ["migrate", "verify", "plan"].contains(&command) {
            let args = ["-m", "wrong.toml", "-s", "notes.db", "-t", &url];
            refused(&args, 3, "notes", "load.notes.columns.priorty");
        }
    }
    let args = ["--yes", "--json", "-m", "notes.toml", "-s", "notes.db", "-t", nowhere, "--report", "refused.json"];
    let ran = case.place.migrate(args).exits(3);
    assert_eq!(case.place.read("refused.json"), ran.stdout);
    let several = ["rehearse", "-m", "notes.toml", "-m", "bare.toml", "--json"];
    let reports = case.place.migrate(several).exits(2).json();
    assert_eq!(reports.as_array().map(Vec::len), Some(2), "{reports}");
}

#[test]
fn another_ledger_schema_is_used_and_nothing_else_is_created() {
    let case = case();
    let args =
        ["-m", "notes.toml", "-s", "notes.db", "-t", &case.target.url(), "--ledger-schema", "Our \"Ledger\"", "--yes"];
    case.place.migrate(args).exits(0);
    let schemas: Vec<String> = case.target.inventory().into_iter().filter(|line| !line.contains(':')).collect();
    assert_eq!(schemas, ["Our \"Ledger\"", "public"]);
}

#[test]
fn typing_the_database_name_at_a_terminal_confirms() {
    let case = case();
    let name = case.target.name().to_owned();
    typed(&case, "something else", 3);
    assert_eq!(case.target.count("notes"), 0);
    assert!(!case.target.inventory().contains(&"migrate".to_owned()));
    typed(&case, &name, 0);
    assert_eq!(case.target.count("notes"), 2);
}

/// A bare call on a terminal of its own, which `script` makes, and a line typed into it.
#[track_caller]
fn typed(case: &Case, line: &str, code: i32) {
    let call = format!("{} -m notes.toml -s notes.db -t '{}'", env!("CARGO_BIN_EXE_migrate"), case.target.url());
    let input = case.place.write("typed", format!("{line}\n"));
    let mut command = case.place.run("script", ["-qefc", &call, "/dev/null"]).command();
    command.stdin(std::fs::File::open(&input).expect("what is typed"));
    let out = command.output().expect("script, of util-linux");
    let said = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(code), "{said}");
    assert!(said.contains(&format!("Type the database's name ({})", case.target.name())), "{said}");
    assert!(said.contains("Plan of notes"), "{said}");
}

#[test]
fn every_mapping_of_the_repository_parses_and_its_paths_exist() {
    for entry in std::fs::read_dir(repo("mappings")).expect("mappings") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a mapping");
        let mapping = migrate::mapping::read(&text).unwrap_or_else(|e| panic!("{}: {e:?}", path.display()));
        let folder = path.parent().expect("a folder");
        let TargetDdl::Files(ddl) = &mapping.target.ddl else { panic!("{}: no files", path.display()) };
        let named = mapping.source.path.iter().chain(ddl).map(String::as_str);
        for file in named {
            assert!(Path::new(&folder.join(file)).is_file(), "{}: {file}", path.display());
        }
    }
}

#[test]
fn flags_of_every_command_may_be_written_before_the_command() {
    let case = case();
    case.command(&["--yes"]).exits(0);
    let url = case.target.url();
    let after = case.place.migrate(["verify", "-q", "-m", "notes.toml", "-s", "notes.db", "-t", &url]).exits(0);
    let before = case.place.migrate(["-q", "-m", "notes.toml", "-s", "notes.db", "-t", &url, "verify"]).exits(0);
    assert_eq!((&before.stderr, after.stderr.as_str()), (&String::new(), ""));
    assert!(before.stdout.contains("Verified. Source and target agree on 2 rows"), "{}", before.stdout);
    // Flags that not every command takes are still refused.
    case.place.migrate(["--yes", "verify", "-m", "notes.toml"]).exits(2).says(&["--yes"]);
    case.place.migrate(["-q", "guide"]).exits(2).says(&["-q"]);
}
