//! The request of a fleet's command.

use crate::cli::Fleet;
use crate::fleet::sources::MemberFile;

use super::super::failure::Failure;
use super::super::session::Migration;

/// The mapping, the flags and the files of a fleet's command.
#[derive(Clone, Copy)]
pub struct FleetRequest<'a> {
    pub m: &'a Migration<'a>,
    pub args: &'a Fleet,
    pub files: &'a [MemberFile],
}

/// The failure of a command without a target.
pub fn no_target() -> Failure {
    Failure::usage_of("target", "none was named", "Name it with -t URL.")
}
