//! The keys of a file's own rows. A reference to a table that the files fill must end at a row of the same file: any other row with
//! that id belongs to another owner, and the server's foreign key would accept it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::convert::Settled;
use crate::convert::row::Notes;
use crate::job::{KeyMemory, Stop};
use crate::migrate::rows::guard::{self, Guard, OwnKeys, ReferencedKey};
use crate::migrate::rows::keyset::KeySet;
use crate::model::key::KeyRange;
use crate::model::schema::TargetSchema;
use crate::model::select::CONTINUE;
use crate::plan::{Comparison, LoadPlan, Plan, Reference, StatedReference, references};
use crate::sqlite::Source;

/// The keys of a file's rows to which other rows of the file refer.
pub struct FileKeys {
    /// The references of each load, by its name.
    links: BTreeMap<String, Vec<Reference>>,
    sets: BTreeMap<ReferencedKey, KeySet>,
}

impl FileKeys {
    /// Reads the keys. `settled`: with the shifts and the owner of the file.
    ///
    /// # Errors
    /// If the source cannot be read.
    pub fn read(plan: &Plan, target: &TargetSchema, source: &Source, settled: &Settled) -> Result<FileKeys, Stop> {
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
