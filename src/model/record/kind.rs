//! The words of a report that decide something, as types: commands, steps and checks.
//!
//! Each word is part of the JSON contract (`format = 1`). No other text of a report decides anything.

/// Declares an enum whose variants are the words of the report.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $what:literal { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every variant.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The word of the JSON report.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// The variant of a word. `None` if this version does not know the word.
            pub fn of(word: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|known| known.word() == word)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.word())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<$name, D::Error> {
                let word = String::deserialize(from)?;
                $name::of(&word).ok_or_else(|| serde::de::Error::custom(format!("unknown {} `{word}`", $what)))
            }
        }
    };
}

words! {
    /// A command.
    CommandKind, "command" {
        /// `migrate` without a subcommand.
        Migrate = "migrate",
        /// `migrate fleet`
        Fleet = "fleet",
        /// `migrate fleet status`
        FleetStatus = "fleet status",
        /// `migrate fleet verify`
        FleetVerify = "fleet verify",
        /// `migrate fleet rollback`
        FleetRollback = "fleet rollback",
        /// `migrate init`
        Init = "init",
        /// `migrate schema`
        Schema = "schema",
        /// `migrate rehearse`
        Rehearse = "rehearse",
        /// `migrate verify`
        Verify = "verify",
        /// `migrate plan`
        Plan = "plan",
        /// `migrate status`
        Status = "status",
        /// `migrate rollback`
        Rollback = "rollback",
        /// `migrate forget`
        Forget = "forget",
    }
}

words! {
    /// The origin of the knowledge which column a sequence numbers.
    NumberedBy, "numbering" {
        /// The column's default draws from the sequence, or the column owns it.
        Column = "column",
        /// Its name is the one that `serial` gives to the sequence of the column.
        Name = "name",
        /// The mapping assigns it.
        Mapping = "mapping",
        /// It numbers no column of a load, and the run leaves it as it is.
        Nothing = "nothing",
    }
}

/// The purpose of a command that ends in a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// The cutover.
    Cutover,
    /// The cutover without a write.
    DryRun,
    /// The cutover on a throw-away server.
    Rehearsal,
    /// Source and target are compared again.
    Verification,
    /// The rows of a run are removed.
    Rollback,
}

impl Activity {
    /// The command.
    pub fn command(self) -> CommandKind {
        match self {
            Activity::Cutover | Activity::DryRun => CommandKind::Migrate,
            Activity::Rehearsal => CommandKind::Rehearse,
            Activity::Verification => CommandKind::Verify,
            Activity::Rollback => CommandKind::Rollback,
        }
    }

    /// Returns true if the activity writes to the target.
    pub fn writes(self) -> bool {
        matches!(self, Activity::Cutover | Activity::Rehearsal | Activity::Rollback)
    }
}

words! {
    /// A step of a command.
    StepKind, "step" {
        /// The preflight reads and converts every row.
        Preflight = "read ahead",
        /// Rows are loaded.
        Load = "load",
        /// Detached constraints and indexes are re-created.
        Reattach = "put back",
        /// Sequences are set.
        Sequences = "sequences",
        /// The target is verified.
        Verify = "verify",
        /// A run is rolled back.
        Rollback = "take back",
    }
}

impl StepKind {
    /// The step as progress and reports print it. JSON has [`StepKind::word`].
    pub fn shown(self) -> &'static str {
        match self {
            StepKind::Preflight => "preflight",
            StepKind::Reattach => "reattach",
            StepKind::Rollback => "rollback",
            StepKind::Load | StepKind::Sequences | StepKind::Verify => self.word(),
        }
    }
}

words! {
    /// A check.
    CheckKind, "check" {
        /// Every row that was read is accounted for.
        Rows = "rows",
        /// The target's rows are those that were sent.
        Content = "content",
        /// Columns that the server computes have the values of their source columns.
        Computed = "computed",
        /// Sequences are past every value.
        Sequences = "sequences",
        /// Constraints and indexes are valid.
        Constraints = "constraints",
        /// Each owner has its rows.
        Owners = "owners",
        /// Rows of other writers are unchanged.
        Others = "others",
        /// The source is unchanged.
        Source = "source",
        /// Preflight: lookups.
        Lookups = "lookups",
        /// Preflight: unique keys.
        Unique = "unique",
        /// Preflight: CHECK constraints.
        RowCheck = "check",
        /// Preflight: foreign keys.
        Reference = "reference",
        /// Preflight: sizes of index entries.
        Index = "index",
        /// Preflight: exclusion constraints.
        Exclusion = "exclusion",
        /// Preflight: triggers.
        Trigger = "trigger",
        /// Preflight: generated columns.
        Generated = "generated",
        /// Preflight: partitions.
        Partition = "partition",
        /// Preflight: nesting of JSON.
        Depth = "depth",
        /// Preflight: characters that the target's encoding lacks.
        Encoding = "encoding",
        /// Dry run without a target: types and values.
        TypesAndValues = "types and values",
        /// Dry run without a target: required columns.
        RequiredColumns = "required columns",
        /// Dry run without a target: the owner.
        Owner = "owner",
        /// Dry run without a target: rights.
        Rights = "rights",
        /// Dry run without a target: rows of the target.
        RowsOfTarget = "rows that are there",
    }
}

/// The kind of a warning, for the headline of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WarningKind {
    /// Something to know.
    #[default]
    Note,
    /// The fault file was written and has every fault.
    FaultFile,
    /// Something that a run made was removed by the rollback.
    Removed,
    /// Something that a run made is still on the target after the rollback.
    Stays,
    /// SQLite reads so many texts otherwise.
    Misread(u64),
}
