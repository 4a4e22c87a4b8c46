//! Records the commit for `migrate --version`, in optimised builds alone: a build for tests would be made anew after each
//! commit. Asks the linker of an optimised build for packed relocations.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=MIGRATE_COMMIT");
    println!("cargo::rustc-env=MIGRATE_COMMIT={}", commit());
    if is_optimised() && packs_relocations() {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Returns true for all profiles but `dev` and `test`.
fn is_optimised() -> bool {
    std::env::var("PROFILE").is_ok_and(|profile| profile != "debug")
}

/// Returns true if the C library of the target knows the short form of relocations: glibc from 2.36 on. The long form is
/// 24 bytes for each pointer in the binary's constants, two thirds of a megabyte together.
fn packs_relocations() -> bool {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    if variable("HOST") != variable("TARGET") || variable("CARGO_CFG_TARGET_ENV") != "gnu" {
        return false;
    }
    let Ok(out) = Command::new("getconf").arg("GNU_LIBC_VERSION").output() else { return false };
    let text = String::from_utf8_lossy(&out.stdout);
    let mut numbers = text.trim().trim_start_matches("glibc ").split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (2, 36),
        _ => false,
    }
}

/// The commit in `$MIGRATE_COMMIT`, for a build outside of a clone, or that of the clone.
fn commit() -> String {
    if let Ok(commit) = std::env::var("MIGRATE_COMMIT") {
        return format!("commit {commit}");
    }
    if !is_optimised() {
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
