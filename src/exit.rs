//! The exits of the process: their codes, on which scripts may rely, and their precedence.

use std::process::ExitCode;

use crate::model::record::ExitRecord;

/// The end of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done and verified, or a dry run that found nothing.
    Done,
    /// An internal error, panics included.
    Bug,
    /// A flag, a mapping or a URL that cannot be read.
    Usage,
    /// Nothing was written, for any reason.
    Refused,
    /// Something was written. It is whole, and the same command resumes the run.
    Stopped,
    /// Verification found a difference.
    Differs,
    /// Done and verified, with rows that were quarantined or, as orphans, left out, as the mapping allows, or with values that
    /// lost something without a line of the mapping that allows it. Or tables are written, and objects are left out.
    Quarantined,
    /// SIGINT or SIGTERM; like `Stopped`.
    Interrupted,
}

impl Exit {
    /// Every exit. An earlier one takes precedence over a later one.
    pub const BY_RANK: [Exit; 8] = [
        Exit::Usage,
        Exit::Bug,
        Exit::Differs,
        Exit::Stopped,
        Exit::Interrupted,
        Exit::Refused,
        Exit::Quarantined,
        Exit::Done,
    ];

    /// The process's exit status.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Bug => 1,
            Exit::Usage => 2,
            Exit::Refused => 3,
            Exit::Stopped => 4,
            Exit::Differs => 5,
            Exit::Quarantined => 6,
            Exit::Interrupted => 130,
        }
    }

    /// The exit of a status. An unknown status is a bug.
    pub fn of(code: i32) -> Exit {
        Exit::BY_RANK.into_iter().find(|exit| i32::from(exit.code()) == code).unwrap_or(Exit::Bug)
    }

    /// Its place in the order of precedence.
    pub fn rank(self) -> usize {
        Exit::BY_RANK.iter().take_while(|exit| **exit != self).count()
    }

    /// The exit in the form of the report.
    pub fn record(self) -> ExitRecord {
        ExitRecord { code: i32::from(self.code()), name: format!("{self:?}") }
    }

    /// The exit that takes precedence over the other.
    pub fn and(self, other: Exit) -> Exit {
        if self.rank() <= other.rank() { self } else { other }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_exit_takes_precedence() {
        assert_eq!(Exit::Done.and(Exit::Quarantined), Exit::Quarantined);
        assert_eq!(Exit::Differs.and(Exit::Stopped), Exit::Differs);
        assert_eq!(Exit::Refused.and(Exit::Interrupted), Exit::Interrupted);
        assert_eq!(Exit::Bug.and(Exit::Differs), Exit::Bug);
    }

    #[test]
    fn the_codes_are_those_of_the_readme() {
        let codes: Vec<u8> = Exit::BY_RANK.iter().map(|e| e.code()).collect();
        assert_eq!(codes, [2, 1, 5, 4, 130, 3, 6, 0]);
    }
}
