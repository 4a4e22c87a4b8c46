//! What a role lacks of what a command needs, gathered object by object: whole tables, or columns of them where the role has
//! rights on columns. Which needs there are is known in `rights`.

use std::collections::BTreeSet;

use crate::model::record::Refusal;
use crate::model::schema::{Lack, Rights};

/// The columns of a table that something needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NeededColumns {
    /// These; without any, one of them, whichever: enough to count rows.
    These(BTreeSet<String>),
    /// Each: what reads them is an expression that is not looked into.
    All,
}

impl NeededColumns {
    /// These columns.
    pub fn of<'n>(names: impl IntoIterator<Item = &'n String>) -> NeededColumns {
        NeededColumns::These(names.into_iter().cloned().collect())
    }

    /// The columns of both.
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
    /// As GRANT writes them; none: on the whole object.
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

/// What is missing, each object once: the place that needs it first, what it is on, the rights.
pub(super) struct Lacks<'r> {
    rights: &'r Rights,
    found: Vec<(String, String, Vec<MissingRight>)>,
}

impl<'r> Lacks<'r> {
    /// Nothing yet.
    pub fn new(rights: &'r Rights) -> Lacks<'r> {
        Lacks { rights, found: Vec::new() }
    }

    /// A right on a whole object.
    pub fn need(&mut self, place: &str, right: &str, key: &str) {
        if let Some(lack) = self.rights.lack(right, key) {
            self.miss(place, lack, None);
        }
    }

    /// A right on columns of a table. A role without it on any column is asked for it on the table.
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

    /// `nextval` takes either of two rights.
    pub fn need_to_draw(&mut self, place: &str, sequence: &str) {
        let key = format!("SEQUENCE {sequence}");
        if self.rights.lack("UPDATE", &key).is_some() {
            self.need(place, "USAGE", &key);
        }
    }

    fn miss(&mut self, place: &str, lack: &Lack, columns: Option<BTreeSet<String>>) {
        let at = self.found.iter().position(|(_, on, _)| *on == lack.on).unwrap_or_else(|| {
            self.found.push((place.to_owned(), lack.on.clone(), Vec::new()));
            self.found.len() - 1
        });
        let missing = &mut self.found[at].2;
        match missing.iter_mut().find(|m| m.right == lack.right) {
            Some(MissingRight { columns: Some(known), .. }) if columns.is_some() => {
                known.extend(columns.unwrap_or_default())
            }
            Some(known) => known.columns = None,
            None => missing.push(MissingRight { right: lack.right.clone(), columns }),
        }
    }

    /// A refusal with its GRANT for each object.
    pub fn refusals(&self) -> Vec<Refusal> {
        let refusal = |(place, on, missing): &(String, String, Vec<MissingRight>)| {
            let names: Vec<String> = missing.iter().map(MissingRight::shown).collect();
            refusal(self.rights, place, &names, on)
        };
        self.found.iter().map(refusal).collect()
    }
}

/// The refusal for rights that are missing on one object.
pub(super) fn refusal<S: AsRef<str>>(rights: &Rights, place: &str, names: &[S], on: &str) -> Refusal {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let (names, role) = (names.join(", "), &rights.role);
    let reason = format!("this role, {role}, lacks {names} on {on}");
    Refusal::new(place, reason, format!("GRANT {names} ON {on} TO {role};"))
}
