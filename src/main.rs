//! The process: its arguments, its surroundings, one run and one exit code. Everything else is in the library.

use std::process::ExitCode;

use migrate::app::{self, World};
use migrate::cli;

fn main() -> ExitCode {
    app::end_at_a_panic();
    match cli::parse(std::env::args_os(), &app::version()) {
        Err(unread) => ExitCode::from(app::unread(&unread)),
        Ok(args) => app::run(&args, &World::here()).into(),
    }
}
