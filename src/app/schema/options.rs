//! The flags of `migrate schema` about owners.

use crate::cli::{KeysFlag, Schema};
use crate::init::{NaturalKey, OwnerRequest};
use crate::schema::{OwnedKeys, OwnerOptions};

use super::super::failure::Failure;

/// The owner that the flags name.
#[derive(Default)]
pub struct NamedOwner {
    pub options: Option<OwnerOptions>,
    /// The same for the mapping.
    pub request: Option<OwnerRequest>,
}

impl NamedOwner {
    pub fn new(args: &Schema) -> Result<NamedOwner, Failure> {
        let (name, value) = match args.common.owner.as_slice() {
            _ if args.distribute && args.keys != KeysFlag::Owned => return Err(not_owned()),
            [] if args.shared.is_empty() && args.keys == KeysFlag::Shared => return Ok(NamedOwner::default()),
            [] => {
                let advice = "Name the table of owners with --owner TABLE.";
                return Err(Failure::usage_of("--owner", "--shared and --keys belong to tables with an owner", advice));
            }
            [one] => one,
            _ => return Err(Failure::usage_of("--owner", "there is one table of owners", "Write --owner once.")),
        };
        let natural = if value.is_empty() {
            None
        } else {
            let wrong = || Failure::usage_of("--owner", "it names no table", "Write --owner TABLE.COLUMN=VALUE.");
            let (table, column) = name.split_once('.').ok_or_else(wrong)?;
            Some((table.to_owned(), NaturalKey { column: column.to_owned(), value: value.clone() }))
        };
        let (table, natural) = match natural {
            Some((table, natural)) => (table, Some(natural)),
            None => (name.clone(), None),
        };
        let keys = match args.keys {
            KeysFlag::Shared => OwnedKeys::Shared,
            KeysFlag::Owned => OwnedKeys::Owned,
        };
        let options = OwnerOptions {
            table: table.clone(),
            natural: natural.clone(),
            shared: args.shared.clone(),
            keys,
            distribute: args.distribute,
        };
        Ok(NamedOwner { options: Some(options), request: Some(OwnerRequest { table: Some(table), natural }) })
    }
}

fn not_owned() -> Failure {
    let reason = "Citus needs the owner in every key of a distributed table";
    Failure::usage_of("--distribute", reason, "Add --keys owned, and --owner TABLE.")
}
