//! Tables whose columns were changed after the run: the columns that can still be compared, and a check for each that cannot.

use crate::model::pgtype::ColumnType;
use crate::model::record::{Check, CheckKind};
use crate::model::schema::TargetTable;
use crate::plan::LoadPlan;
use crate::wire::widen::{Widening, widening};

/// The changes of a table's columns between the run and this verification.
#[derive(Clone, Debug, Default)]
pub(super) struct Alteration {
    /// The fields of the image that can be compared, by their index in the image that was sent, if they are not all of its
    /// fields with the same bytes.
    pub fields: Option<Vec<(usize, Widening)>>,
    /// The types of these fields now.
    kinds: Vec<ColumnType>,
    /// Sent columns that the table no longer has.
    missing: Vec<String>,
    /// Sent columns whose type is another one and whose values cannot be compared.
    retyped: Vec<RetypedColumn>,
    /// Columns that the table got since.
    added: Vec<String>,
    /// True if columns that were read back in the server's own form cannot be compared in this form.
    pub hides_returned: bool,
}

/// A column with another type than when it was sent.
#[derive(Clone, Debug, PartialEq)]
struct RetypedColumn {
    name: String,
    was: String,
    is: String,
}

impl RetypedColumn {
    fn why(&self) -> String {
        let RetypedColumn { name, was, is } = self;
        if was == is {
            return format!("column {name}: its type {is} has other values now");
        }
        format!("column {name}: its type is {is} now and was {was}")
    }
}

impl Alteration {
    /// Compares the columns of a table as it was recorded with its columns now.
    pub fn of(table: &TargetTable, loads: &[&LoadPlan], image: &[String], returned: &[String]) -> Alteration {
        let mut found = Alteration::default();
        if table.altered.is_empty() {
            return found;
        }
        let now = |name: &str| table.altered.iter().find(|column| column.name == *name);
        let mut fields = Vec::new();
        for (n, name) in image.iter().enumerate() {
            let (Some(was), Some(is)) = (table.column(name), now(name)) else { continue };
            if let Some(widening) = widening(&was.kind, &is.kind) {
                fields.push((n, widening));
                found.kinds.push(is.kind.clone());
            }
        }
        for name in loads.iter().flat_map(|load| &load.columns).map(|column| &column.name) {
            let (Some(was), Some(is)) = (table.column(name), now(name)) else {
                if !found.missing.contains(name) {
                    found.missing.push(name.clone());
                }
                continue;
            };
            let is_hidden = match image.iter().position(|column| column == name) {
                Some(place) => fields.iter().all(|(n, _)| *n != place),
                None => was.kind.name != is.kind.name,
            };
            let (was, is) = (was.kind.name.clone(), is.kind.name.clone());
            let retyped = RetypedColumn { name: name.clone(), was, is };
            if is_hidden && !found.retyped.contains(&retyped) {
                found.retyped.push(retyped);
            }
        }
        let added = table.altered.iter().filter(|column| table.column(&column.name).is_none());
        found.added = added.map(|column| column.name.clone()).collect();
        // An integer has the same text in each type. Other types may print the same value in another way.
        found.hides_returned = returned.iter().any(|name| match (table.column(name), now(name)) {
            (Some(was), Some(is)) => was.kind.name != is.kind.name && !prints_alike(&was.kind, &is.kind),
            _ => true,
        });
        if fields.len() < image.len() || fields.iter().any(|(_, widening)| *widening != Widening::Same) {
            found.fields = Some(fields);
        }
        found
    }

    /// The columns that are compared, and their types now. `None` if they are those that were sent.
    pub fn compared(&self, image: &[String]) -> Option<(Vec<String>, Vec<ColumnType>)> {
        let fields = self.fields.as_ref()?;
        Some((fields.iter().map(|(n, _)| image[*n].clone()).collect(), self.kinds.clone()))
    }

    /// One check for each change that hides a value, and one for columns that this run could not have sent.
    pub fn checks(&self, label: &str, returned: &[String], image: &[String]) -> Vec<Check> {
        let mut checks: Vec<Check> = Vec::new();
        for name in &self.missing {
            let expected = format!("column {name}");
            let mut check = Check::compared(CheckKind::Content, Some(label), expected, "no such column".to_owned());
            check.why = Some(format!("column {name}: it was sent, and the table no longer has it"));
            checks.push(check);
        }
        let mut not_compared: Vec<String> = self.retyped.iter().map(RetypedColumn::why).collect();
        let is_named =
            |name: &String| self.missing.contains(name) || self.retyped.iter().any(|column| column.name == *name);
        let left = returned.iter().filter(|name| self.hides_returned && !image.contains(name) && !is_named(name));
        let left: Vec<&str> = left.map(String::as_str).collect();
        if !left.is_empty() {
            not_compared.push(format!("column {}: another column of its digest was changed since", left.join(", ")));
        }
        not_compared.extend(self.added.iter().map(|name| format!("column {name}: it was added after the run began")));
        if !not_compared.is_empty() {
            checks.push(Check::not_checked(CheckKind::Content, Some(label), not_compared.join("; ")));
        }
        checks
    }
}

/// Returns true if the server prints each value of the first type as it prints the value after a cast to the second one.
fn prints_alike(was: &ColumnType, is: &ColumnType) -> bool {
    matches!(widening(was, is), Some(Widening::Same | Widening::Integer(_) | Widening::Element(_)))
}
