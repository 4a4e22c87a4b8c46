//! The mapping that fills the tables, proposed as `migrate init` proposes one.

use std::collections::BTreeMap;
use std::path::Path;

use crate::init::{
    self, DraftLine, DraftLoad, OwnerRequest, ProfileContext, ProposalFacts, TablePairs, bookkeeping_of,
};
use crate::model::schema::{SourceSchema, TargetSchema};
use crate::plan::{IdColumn, natural_keys};
use crate::schema::Ddl;
use crate::sqlite::Source;

use super::super::failure::Failure;
use super::super::inputs::from_folder;
use super::super::session::Migration;

/// The files of a mapping.
pub struct MappingPlaces<'a> {
    /// The mapping itself.
    pub mapping: &'a Path,
    /// The source.
    pub source: &'a Path,
    /// The statements that make the tables.
    pub ddl: DdlPlace<'a>,
}

/// The place of the statements that make the tables, as the mapping names it.
#[derive(Clone, Copy, Debug)]
pub enum DdlPlace<'a> {
    /// A file.
    File(&'a Path),
    /// The mapping makes the same statements again.
    Auto,
    /// None.
    Unnamed,
}

/// Returns the text of the mapping.
pub fn mapping(
    m: &Migration<'_>,
    source: &Source,
    ddl: &Ddl,
    owner: Option<&OwnerRequest>,
    places: &MappingPlaces<'_>,
) -> Result<String, Failure> {
    let target = ddl.target();
    let pairs = TablePairs::known(ddl.pairs(source.schema()), &target);
    let (sample, jobs, observer, asked) = (None, m.jobs(), m.observer(), &*m.world().asked);
    let context = ProfileContext { source, target: &target, sample, jobs, observer, asked };
    let owner = owner.map(|owner| ddl.spelled(owner));
    let profiles = context.read(&pairs.pairs).map_err(Failure::refused)?;
    let path = |path: &Path| from_folder(path, places.mapping).display().to_string();
    let mut draft = init::propose(&ProposalFacts {
        name: &m.mapping().name,
        path: &path(places.source),
        source: source.schema(),
        target: &target,
        pairs: &pairs,
        profiles: &profiles,
        unpaired: &BTreeMap::new(),
        held: &BTreeMap::new(),
        owner: owner.as_ref(),
        versions: &[],
        shows_values: false,
    });
    draft.target.extend(match places.ddl {
        DdlPlace::File(file) => {
            let list = format!("[{}]", toml::Value::String(path(file)));
            Some(DraftLine::certain("ddl", list, "for migrate rehearse"))
        }
        DdlPlace::Auto => Some(DraftLine::certain("ddl", "\"auto\"", "for migrate --create and migrate rehearse")),
        DdlPlace::Unnamed => None,
    });
    draft.is_of_schema = true;
    if let Some(owner) = owner {
        let owners = owner.table.unwrap_or_default();
        let context = OwnedMapping { ddl, target: &target, source: source.schema(), owners };
        draft.loads.iter_mut().for_each(|load| next_to_other_owners(load, &context));
    }
    Ok(init::text(&draft))
}

/// Adds the lines by which the rows of a further owner go next to those of the first.
fn next_to_other_owners(load: &mut DraftLoad, context: &OwnedMapping<'_>) {
    let OwnedMapping { ddl, target, source, owners, .. } = context;
    let has_owner = load.lines.iter().any(|line| line.key.concat() == "owner");
    let table = target.tables.get(&load.name);
    let refers_to_itself = table.is_some_and(|table| table.foreign.iter().any(|foreign| foreign.parent == load.name));
    let mut existing = |value: &str, why: &str| {
        let value = format!("\"{value}\"");
        load.lines.push(DraftLine::inferred("existing", value, why));
    };
    let is_appended = if has_owner {
        existing("append", "rows of other owners are kept");
        true
    } else if is_matched(target, &load.name) {
        existing("match", "the first owner brings the rows, and equal ones are not repeated");
        false
    } else if bookkeeping_of(source, &load.name).is_some() {
        existing("replace", "the rows of the last file are those of the application");
        false
    } else if load.name == *owners {
        let why = match refers_to_itself {
            true => "rows that refer to each other cannot be matched",
            false => "no unique key without NULL finds a row that is there",
        };
        existing("append", why);
        true
    } else {
        false
    };
    if is_appended && ddl.has_shared_ids(&load.name) && !context.has_ids_of_owners(&load.name) {
        let why = "rows of another owner may have the same ids";
        load.lines.push(DraftLine::inferred("ids", "\"shift\"", why));
    }
}

/// The facts by which the rows of several owners go next to each other.
struct OwnedMapping<'a> {
    ddl: &'a Ddl,
    target: &'a TargetSchema,
    source: &'a SourceSchema,
    /// The table of owners.
    owners: String,
}

impl OwnedMapping<'_> {
    /// Returns true if the key of a table is that of an owner who is matched, as of a profile.
    fn has_ids_of_owners(&self, table: &str) -> bool {
        let key = |table: &str| {
            let unique = self.target.tables.get(table)?.unique.iter().find(|unique| unique.primary)?;
            unique.columns.first()
        };
        let (Some(own), Some(id)) = (key(table), key(&self.owners)) else { return false };
        is_matched(self.target, &self.owners)
            && IdColumn { table, column: own }.refers_to(self.target, &self.owners, id)
    }
}

/// Returns true if one unique key finds the rows of a table, and they do not refer to each other.
fn is_matched(target: &TargetSchema, table: &str) -> bool {
    let Some(facts) = target.tables.get(table) else { return false };
    natural_keys(facts).len() == 1 && facts.foreign.iter().all(|foreign| foreign.parent != table)
}
