//! The tone of a text: good, bad, or neither.

/// The tone of a text. The words say the same: colour only helps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Neither good nor bad.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// To be checked.
    Warn,
    /// Not as it should be.
    Bad,
}
