//! The process: its arguments, its surroundings, one run and one exit code. Everything else is in the library.

use std::process::ExitCode;

use migrate::app::{self, World};
use migrate::{cli, exit::Exit};

fn main() -> ExitCode {
    app::keep_panics_bare();
    match cli::parse(std::env::args_os(), &app::version()) {
        Err(unread) => ExitCode::from(app::unread(&unread)),
        // The panic hook has printed the place. Committed batches are complete and recorded in the ledger.
        Ok(args) => std::panic::catch_unwind(|| app::run(&args, &World::here())).unwrap_or(Exit::Bug).into(),
    }
}
