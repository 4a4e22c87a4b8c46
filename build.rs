//! Records the commit for `migrate --version`, in optimised builds alone: a build for tests would be made anew after each
//! commit.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=MIGRATE_COMMIT");
    println!("cargo::rustc-env=MIGRATE_COMMIT={}", commit());
}

/// The commit in `$MIGRATE_COMMIT`, for a build outside of a clone, or that of the clone.
fn commit() -> String {
    if let Ok(commit) = std::env::var("MIGRATE_COMMIT") {
        return format!("commit {commit}");
    }
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "debug") {
        return "development build".to_owned();
    }
    for path in [".git/HEAD", ".git/index", ".git/refs/heads", "src", "Cargo.toml", "Cargo.lock"] {
        if Path::new(path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    // `--dirty` marks a build of files that no commit has.
    let described =
        Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]).output();
    match described {
        Ok(out) if out.status.success() => format!("commit {}", String::from_utf8_lossy(&out.stdout).trim()),
        _ => "commit unknown".to_owned(),
    }
}
