//! The owner that the tables get, as the command line names it.

use crate::init::NaturalKey;

/// The keys of the tables whose rows belong to an owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnedKeys {
    /// Ids are unique among all owners: the primary key of an id stays as it is.
    #[default]
    Shared,
    /// Ids are unique for each owner: every key begins with the owner.
    Owned,
}

/// The owner that the tables get.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerOptions {
    /// The table of owners.
    pub table: String,
    /// The owner of the rows that name none. `None`: a new table of owners has the column `username`.
    pub natural: Option<NaturalKey>,
    /// The tables whose rows belong to no owner.
    pub shared: Vec<String>,
    /// The keys of the others.
    pub keys: OwnedKeys,
    /// True if Citus distributes the tables by their owner.
    pub distribute: bool,
}

impl OwnerOptions {
    /// Returns true if they name a table whose rows belong to no owner.
    pub fn is_shared(&self, table: &str) -> bool {
        self.shared.iter().any(|shared| shared.eq_ignore_ascii_case(table))
    }
}
