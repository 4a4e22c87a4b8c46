//! The rights that a command needs and the role lacks, collected per object: on whole tables, or on columns if the role has
//! rights on columns. `rights` knows the needs.

use std::collections::BTreeSet;

use crate::model::record::Refusal;
use crate::model::schema::{Lack, Rights};

/// The columns of a table that a command needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NeededColumns {
    /// These columns. An empty set means any one column, which is enough to count rows.
    These(BTreeSet<String>),
    /// All columns, because an expression that is not analysed reads them.
    All,
}

impl NeededColumns {
    /// Returns a need of these columns.
    pub fn of<'n>(names: impl IntoIterator<Item = &'n String>) -> NeededColumns {
        NeededColumns::These(names.into_iter().cloned().collect())
    }

    /// Returns the columns of both needs.
    pub fn and(self, more: NeededColumns) -> NeededColumns {
        match (self, more) {
            (NeededColumns::These(mut these), NeededColumns::These(more)) => {
                these.extend(more);
                NeededColumns::These(these)
            }
            _ => NeededColumns::All,
        }
    }
}

/// One right that is missing on an object.
struct MissingRight {
    right: String,
    /// The columns as GRANT writes them; `None` for a right on the whole object.
    columns: Option<BTreeSet<String>>,
}

impl MissingRight {
    fn shown(&self) -> String {
        match &self.columns {
            None => self.right.clone(),
            Some(columns) => {
                let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
                format!("{} ({})", self.right, columns.join(", "))
            }
        }
    }
}

/// The rights that are missing on one object.
struct LackingObject {
    /// The place that needs a right on it first.
    place: String,
    /// The object as GRANT writes it.
    on: String,
    missing: Vec<MissingRight>,
}

/// The missing rights, each object once.
pub(super) struct Lacks<'r> {
    rights: &'r Rights,
    found: Vec<LackingObject>,
}

impl<'r> Lacks<'r> {
    /// Returns a collection without missing rights.
    pub fn new(rights: &'r Rights) -> Lacks<'r> {
        Lacks { rights, found: Vec::new() }
    }

    /// Adds a needed right on a whole object.
    pub fn need(&mut self, place: &str, right: &str, key: &str) {
        if let Some(lack) = self.rights.lack(right, key) {
            self.miss(place, lack, None);
        }
    }

    /// Adds a needed right on columns of a table. A role that holds it on no column lacks it on the table.
    pub fn need_on(&mut self, place: &str, right: &str, key: &str, columns: &NeededColumns) {
        let Some(lack) = self.rights.lack(right, key) else { return };
        let Some(known) = self.rights.on_columns(right, key) else { return self.miss(place, lack, None) };
        let wanted = |name: &String| match columns {
            NeededColumns::These(these) => these.contains(name),
            NeededColumns::All => true,
        };
        let missing = known.iter().filter(|column| !column.held && wanted(&column.name));
        let missing: BTreeSet<String> = missing.map(|column| column.quoted.clone()).collect();
        if !missing.is_empty() {
            self.miss(place, lack, Some(missing));
        }
    }

    /// Adds the right to call `nextval`, for which either USAGE or UPDATE is enough.
    pub fn need_to_draw(&mut self, place: &str, sequence: &str) {
        let key = format!("SEQUENCE {sequence}");
        if self.rights.lack("UPDATE", &key).is_some() {
            self.need(place, "USAGE", &key);
        }
    }

    fn miss(&mut self, place: &str, lack: &Lack, columns: Option<BTreeSet<String>>) {
        let at = self.found.iter().position(|object| object.on == lack.on).unwrap_or_else(|| {
            self.found.push(LackingObject { place: place.to_owned(), on: lack.on.clone(), missing: Vec::new() });
            self.found.len() - 1
        });
        let missing = &mut self.found[at].missing;
        match missing.iter_mut().find(|m| m.right == lack.right) {
            Some(MissingRight { columns: Some(known), .. }) if columns.is_some() => {
                known.extend(columns.unwrap_or_default())
            }
            Some(known) => known.columns = None,
            None => missing.push(MissingRight { right: lack.right.clone(), columns }),
        }
    }

    /// Returns a refusal with its GRANT for each object.
    pub fn refusals(&self) -> Vec<Refusal> {
        let refusal = |object: &LackingObject| {
            let names: Vec<String> = object.missing.iter().map(MissingRight::shown).collect();
            refusal(self.rights, &object.place, &names, &object.on)
        };
        self.found.iter().map(refusal).collect()
    }
}

/// Returns the refusal for rights that are missing on one object.
pub(super) fn refusal<S: AsRef<str>>(rights: &Rights, place: &str, names: &[S], on: &str) -> Refusal {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let (names, role) = (names.join(", "), &rights.role);
    let reason = format!("this role, {role}, lacks {names} on {on}");
    Refusal { is_right: true, ..Refusal::new(place, reason, format!("GRANT {names} ON {on} TO {role};")) }
}
