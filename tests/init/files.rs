//! The file that `init` writes: complete or not there, and never in place of another without `--force`.

use super::Pair;
use crate::support::tool::Run;

const SOURCE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);";
const TARGET: &str = "CREATE TABLE t (id int PRIMARY KEY);";

/// `migrate init` in a shell that has run these commands.
fn under(pair: &Pair, shell: &str, args: &[&str]) -> Run {
    let script = format!("{shell}; exec \"$0\" \"$@\"");
    let run = pair.place.run("sh", ["-c", &script, env!("CARGO_BIN_EXE_migrate")]);
    run.args(["init", "-s", "app.db", "-t", &pair.target.url()]).args(args)
}

#[test]
fn a_full_disk_while_the_file_is_written_keeps_the_previous_text() {
    let pair = Pair::new(SOURCE, TARGET);
    pair.place.write("migrate.toml", "the person's own text");
    let before = pair.place.files();
    // No file may grow: the first write is an error, as on a full disk.
    let ran = under(&pair, "trap '' XFSZ; ulimit -f 0", &["--force"]).exits(3);
    ran.says(&["-o migrate.toml: cannot be written"]);
    assert_eq!((pair.place.read("migrate.toml").as_str(), pair.place.files()), ("the person's own text", before));
    pair.command(&["--force"]).exits(0);
    assert!(pair.place.read("migrate.toml").contains("[load.t]"));
    assert!(!pair.place.files().iter().any(|name| name.starts_with(".migrate-init-")), "{:?}", pair.place.files());
}

#[test]
fn a_full_disk_leaves_no_half_of_a_new_file() {
    let pair = Pair::new(SOURCE, TARGET);
    let before = pair.place.files();
    under(&pair, "trap '' XFSZ; ulimit -f 0", &[]).exits(3).says(&["-o migrate.toml: cannot be written"]);
    assert_eq!(pair.place.files(), before);
}

#[test]
fn a_link_of_this_user_stays_a_link_to_the_new_text() {
    let pair = Pair::new(SOURCE, TARGET);
    pair.place.write("far.toml", "old");
    std::os::unix::fs::symlink("far.toml", pair.place.path("migrate.toml")).expect("a link");
    pair.command(&["--force"]).exits(0);
    assert!(pair.place.path("migrate.toml").is_symlink());
    assert!(pair.place.read("far.toml").contains("[load.t]"));
}
