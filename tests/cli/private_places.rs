//! Copies of rows in temporary files are private while a process works and after `kill -9`, and the next run removes what a
//! killed process left.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::stopped::{ENDLESS, IS_EMBEDDED, LOAD, SLOW, TARGET, Watched, case, rehearsal_sleeps, watch};
use crate::support::case::Case;

/// A case whose folders every user may enter, so that only the tool's own modes protect its files.
fn open_case(mapping: &str) -> Case {
    let case = case(mapping);
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
    };
    mode(case.place.folder(), 0o755);
    mode(&case.place.path("tmp"), 0o1777);
    case
}

/// The files and folders in `tmp` that another user can read or enter. Root tries it as another user. Others cannot, and compare
/// the modes.
fn readable(case: &Case) -> Vec<String> {
    let temporary = case.place.path("tmp");
    if std::fs::metadata("/proc/self").expect("this process").uid() != 0 {
        println!("not root: modes are compared");
        let listed = std::fs::read_dir(&temporary).expect("the folder").flatten();
        let open = listed.filter(|entry| entry.metadata().is_ok_and(|found| found.mode() & 0o077 != 0));
        return open.map(|entry| entry.path().display().to_string()).collect();
    }
    let control = temporary.join("control");
    std::fs::write(&control, "every user may read this").expect("written");
    let search =
        ["find", &temporary.display().to_string(), "-mindepth", "1", "(", "-readable", "-o", "-executable", ")"]
            .map(str::to_owned);
    let found = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .args(search)
        .output()
        .expect("setpriv");
    std::fs::remove_file(&control).expect("removed");
    let mut found: Vec<String> = String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect();
    let seen = found.iter().position(|path| Path::new(path) == control);
    found.remove(seen.expect("the other user reads what every user may read"));
    found
}

/// The one private folder of a run.
fn folder(case: &Case) -> PathBuf {
    let mut found = std::fs::read_dir(case.place.path("tmp")).expect("the folder").flatten();
    let only = found.next().expect("a private folder").path();
    assert!(found.next().is_none());
    only
}

fn killed(mut run: Watched) {
    run.child.kill().and_then(|()| run.child.wait()).expect("its end");
}

#[test]
fn the_copy_of_a_dump_is_private_and_the_next_run_removes_it_after_a_kill() {
    let case = open_case(LOAD);
    case.place.write("endless.sql", format!("CREATE TABLE t (a); INSERT INTO t VALUES ('secret'); SELECT {ENDLESS};"));
    let mut run = watch(&case, case.place.migrate(["--dry-run", "-m", "migrate.toml", "-s", "endless.sql"]));
    run.until("dump", |run| run.copied() > 0);
    assert_eq!(readable(&case), [""; 0]);
    let left = folder(&case);
    killed(run);
    assert!(left.join("source.db").exists() && readable(&case).is_empty());
    let next = case.place.migrate(["--dry-run", "-m", "migrate.toml"]).env("TMPDIR", case.place.path("tmp")).exits(0);
    next.says(&[&left.display().to_string(), "the private files of a process that was killed are removed"]);
    assert!(!left.exists());
}

#[test]
fn the_files_of_a_process_at_work_are_left_alone() {
    let case = open_case(LOAD);
    case.place.write("endless.sql", format!("CREATE TABLE t (a); SELECT {ENDLESS};"));
    let mut run = watch(&case, case.place.migrate(["--dry-run", "-m", "migrate.toml", "-s", "endless.sql"]));
    run.until("dump", |run| run.copied() > 0);
    let own = folder(&case);
    let next = case.place.migrate(["--dry-run", "-m", "migrate.toml"]).env("TMPDIR", case.place.path("tmp")).exits(0);
    assert!(own.exists() && !next.stderr.contains("private files"), "{}", next.stderr);
    killed(run);
}

#[test]
fn the_copy_of_a_dump_has_no_name_once_it_is_loaded() {
    let case = open_case(&format!("{LOAD}[load.notes.columns]\nbody = {{ sql = \"\"\"body || {ENDLESS}\"\"\" }}\n"));
    case.place.write(
        "notes.sql",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT); INSERT INTO notes VALUES (1, 'x');",
    );
    let mut run = watch(&case, case.command(&["--dry-run", "-m", "migrate.toml", "-s", "notes.sql"]));
    run.until("preflight", |run| run.has_said("preflight ..."));
    assert_eq!(std::fs::read_dir(&run.temporary).expect("the folder").count(), 0);
    killed(run);
}

#[test]
fn the_server_of_a_rehearsal_is_private_and_the_next_run_stops_it_after_a_kill() {
    let case = open_case(&format!("[target]\nddl = [\"target.sql\"]\n{LOAD}"));
    case.place.write("target.sql", format!("{TARGET} {SLOW}; ALTER TABLE notes ADD CHECK (slow(id));"));
    let mut run = watch(&case, case.place.migrate(["rehearse", "-m", "migrate.toml"]));
    run.until("rehearse", rehearsal_sleeps);
    assert_eq!(readable(&case), [""; 0]);
    let left = folder(&case);
    let server = (!IS_EMBEDDED).then(|| private_server(&left));
    killed(run);
    assert!(readable(&case).is_empty() && left.exists());
    assert!(server.as_ref().is_none_or(|process| process.exists()));
    case.place.migrate(["--dry-run", "-m", "migrate.toml"]).env("TMPDIR", case.place.path("tmp")).exits(0);
    assert!(!left.exists());
    let begin = Instant::now();
    while server.as_ref().is_some_and(|process| process.exists()) {
        assert!(begin.elapsed() < Duration::from_secs(30), "the server still runs");
        std::thread::yield_now();
    }
}

/// Returns the folder in `/proc` of the server whose data is in this folder. It admits one user of the machine.
fn private_server(folder: &Path) -> PathBuf {
    let socket = std::fs::symlink_metadata(folder.join(".s.PGSQL.5432")).expect("a socket");
    assert_eq!(socket.mode() & 0o777, 0o700);
    let admits = std::fs::read_to_string(folder.join("data/pg_hba.conf")).expect("its rules");
    assert_eq!(admits, "local all all peer map=rehearsal\n", "no user is trusted");
    let pid = std::fs::read_to_string(folder.join("data/postmaster.pid")).expect("a server");
    Path::new("/proc").join(pid.lines().next().expect("its number"))
}
