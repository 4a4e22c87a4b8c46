//! The foundation of the tests: a real PostgreSQL, the real binary, SQLite files made on the spot, whole-text comparison.
//!
//! Nothing here knows what is tested, and nothing remains: folders are removed with their values, the server with the
//! process, however it ends.

pub mod case;
pub mod expect;
pub mod golden;
pub mod lockstep;
pub mod postgres;
pub mod process;
pub mod relay;
pub mod sqlite;
pub mod tool;

use std::path::{Path, PathBuf};

/// A file of this repository.
pub fn repo(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A file of this repository, read.
pub fn read_repo(path: &str) -> String {
    std::fs::read_to_string(repo(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The file of a test module, such as `tests/resume/kills.rs` for `resume::kills`.
pub fn test_file(module: &str) -> String {
    let path = format!("tests/{}", module.replace("::", "/"));
    let file = format!("{path}.rs");
    if repo(&file).is_file() { file } else { format!("{path}/mod.rs") }
}
