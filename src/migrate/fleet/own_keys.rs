//! The keys of a file's own rows. A reference to a table that the files fill must end at a row of the same file: any other row with
//! that id belongs to another owner, and the server's foreign key would accept it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::convert::Settled;
use crate::convert::row::Notes;
use crate::job::{KeyMemory, Stop};
use crate::migrate::rows::guard::{self, Guard, OwnKeys, ReferencedKey};
use crate::migrate::rows::keyset::KeySet;
use crate::model::fleet::MemberIds;
use crate::model::key::KeyRange;
use crate::model::ledger::IdRange;
use crate::model::record::Refusal;
use crate::model::schema::TargetSchema;
use crate::model::select::CONTINUE;
use crate::plan::{Comparison, LoadPlan, Plan, Reference, Shifted, StatedReference, references};
use crate::sqlite::Source;

use super::ids::ReservedIds;

/// The keys of a file's rows to which other rows of the file refer.
pub struct FileKeys {
    /// The references of each load, by its name.
    links: BTreeMap<String, Vec<Reference>>,
    sets: BTreeMap<ReferencedKey, KeySet>,
}

impl FileKeys {
    /// Reads the keys. `settled`: with the shifts and the owner of the file. `ids`: those that are reserved for it.
    ///
    /// # Errors
    /// If the source cannot be read, or the keys are too many to know whose row a reference ends at.
    pub fn read(
        plan: &Plan,
        target: &TargetSchema,
        source: &Source,
        settled: &Settled,
        ids: &ReservedIds,
    ) -> Result<FileKeys, Stop> {
        let memory = KeyMemory::default();
        let links: BTreeMap<String, Vec<Reference>> =
            plan.loads.iter().map(|load| (load.name.clone(), links(load, plan, target))).collect();
        let mut sets = BTreeMap::new();
        for referenced in links.values().flatten().map(ReferencedKey::by) {
            let Entry::Vacant(unread) = sets.entry(referenced) else { continue };
            let mut set = KeySet::within(&memory);
            for load in plan.loads.iter().filter(|load| load.table == unread.key().table) {
                add(load, unread.key(), source, settled, &mut set)?;
            }
            set.settle();
            if set.is_too_large {
                set.range = Some(reserved_range(unread.key(), plan, target, ids)?);
            }
            unread.insert(set);
        }
        Ok(FileKeys { links, sets })
    }

    /// The guards of a load's references.
    ///
    /// # Errors
    /// None: a fleet has no `if_orphan`.
    pub fn guards(&self, load: &LoadPlan, settled: &Settled) -> Result<Vec<Guard<'_>>, Stop> {
        let links = self.links.get(&load.name).into_iter().flatten();
        let known = links.filter_map(|link| Some((link, self.sets.get(&ReferencedKey::by(link))?)));
        guard::guards(load, known, settled)
    }
}

/// The range in which the file's keys lie, when they are too many to keep. Each reference must be a foreign key: inside of the range,
/// where no row of another owner is, the server refuses the orphans.
fn reserved_range(key: &ReferencedKey, plan: &Plan, target: &TargetSchema, ids: &ReservedIds) -> Result<IdRange, Stop> {
    let is_enforced = |load: &LoadPlan| {
        let foreign = target.tables.get(&load.table).into_iter().flat_map(|table| &table.foreign);
        let enforced: Vec<&str> = foreign.filter(|key| key.is_enforced).map(|key| key.name.as_str()).collect();
        let links = links(load, plan, target);
        let mut ends_here = links.iter().filter(|link| ReferencedKey::by(link) == *key);
        ends_here.all(|link| enforced.contains(&link.name.as_str()))
    };
    let range = match key.columns.as_slice() {
        [column] if key.compared == [Comparison::Integer] && plan.loads.iter().all(is_enforced) => {
            ids.range(&Shifted { table: key.table.clone(), column: column.clone() })
        }
        _ => None,
    };
    range.map(|MemberIds { first, last, .. }| IdRange { first, last }).ok_or_else(|| {
        let reason = format!(
            "the file has too many keys in ({}) to know for each reference whether it ends at a row of this file",
            key.columns.join(", ")
        );
        let advice = "Load this file alone: `migrate -s FILE --owner COLUMN=VALUE`. Or let its ids be shifted, with a foreign key on each reference.";
        Stop::Refused(vec![Refusal::new(&key.table, reason, advice)])
    })
}

/// The references of a load to tables that the files fill: its foreign keys, and those that only the mapping states.
fn links(load: &LoadPlan, plan: &Plan, target: &TargetSchema) -> Vec<Reference> {
    let is_filled = |table: &str| plan.loads.iter().any(|load| load.table == table);
    let mut links = references(load, target);
    links.retain(|link| is_filled(&link.parent));
    let stated = load.columns.iter().enumerate().filter_map(|(place, column)| {
        let parent = column.shift.as_ref().filter(|_| column.refers == Some(StatedReference::OneTable))?;
        let key = plan.shifts.iter().find(|shifted| shifted.table == *parent)?;
        let is_checked = links.iter().any(|link| link.columns == [place] && link.parent == *parent);
        (!is_checked).then(|| Reference {
            name: format!("refers of {}", column.name),
            columns: vec![place],
            parent: parent.clone(),
            parent_columns: vec![key.column.clone()],
            compared: vec![Comparison::Integer],
            match_full: false,
        })
    });
    let stated: Vec<Reference> = stated.collect();
    links.extend(stated);
    links
}

/// Adds the keys of a load's rows.
fn add(
    load: &LoadPlan,
    referenced: &ReferencedKey,
    source: &Source,
    settled: &Settled,
    set: &mut KeySet,
) -> Result<(), Stop> {
    let own = OwnKeys::of(load, std::slice::from_ref(referenced), settled);
    if !own.iter().all(OwnKeys::is_known) {
        // The server makes one of the key's columns, so that no column of the source can refer to it.
        set.unknown = true;
        return Ok(());
    }
    let (mut scratch, mut notes) = (Vec::new(), Notes::default());
    source.reader()?.each(&load.select, KeyRange::ALL, |row| {
        set.add(own.iter().filter_map(|own| own.of_row(row, &mut scratch, &mut notes)));
        CONTINUE
    })?;
    Ok(())
}
