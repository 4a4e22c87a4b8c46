//! The process: what was typed, the world around it, one run, one exit code. All else is in the library.

use std::process::ExitCode;

use migrate::app::{self, World};
use migrate::{cli, exit::Exit};

fn main() -> ExitCode {
    app::keep_panics_bare();
    match cli::parse(std::env::args_os()) {
        Err(unread) => ExitCode::from(app::unread(&unread)),
        // A panic has said where it was; what was committed is whole, and the ledger knows it.
        Ok(args) => std::panic::catch_unwind(|| app::run(&args, &World::here())).unwrap_or(Exit::Bug).into(),
    }
}
