//! The request of a fleet's command.

use crate::cli::Fleet;
use crate::fleet::sources::MemberFile;
use crate::migrate::fleet::batches::BatchSize;

use super::super::failure::Failure;
use super::super::session::Migration;

/// The mapping, the flags and the files of a fleet's command.
#[derive(Clone, Copy)]
pub struct FleetRequest<'a> {
    pub m: &'a Migration<'a>,
    pub args: &'a Fleet,
    pub files: &'a [MemberFile],
}

impl FleetRequest<'_> {
    /// The size of the batches of a large file.
    pub fn batch_size(&self) -> BatchSize {
        let size = BatchSize::default();
        BatchSize { rows: self.args.batch_rows.unwrap_or(size.rows), ..size }
    }
}

/// The failure of a command without a target.
pub fn no_target() -> Failure {
    Failure::usage_of("target", "none was named", "Name it with -t URL.")
}
