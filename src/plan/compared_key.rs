//! Unique keys of the target whose values this process can compare by their wire bytes.

use crate::model::schema::TargetUnique;

use super::{Comparison, Feed, LoadPlan};

/// A unique key whose values can be compared by their wire bytes.
pub struct ComparedKey {
    /// The name of its constraint or index.
    pub name: String,
    /// The places of its columns among the load's, those left out in which every row of the table has the owner.
    pub columns: Vec<usize>,
    /// How each of them is compared.
    pub compared: Vec<Comparison>,
}

/// A unique key as it is compared here; `None`: its rows cannot collide.
pub fn compared_key(load: &LoadPlan, all: &[LoadPlan], key: &TargetUnique) -> Result<Option<ComparedKey>, String> {
    if load.as_text {
        return Err("the load goes as text".to_owned());
    }
    if key.nulls_equal {
        return Err("NULLs count as equal there".to_owned());
    }
    if key.loose {
        return Err("its collation takes different texts for equal".to_owned());
    }
    let mut found = ComparedKey { name: key.name.clone(), columns: Vec::new(), compared: Vec::new() };
    for name in &key.columns {
        let Some(place) = load.columns.iter().position(|c| c.name == *name) else {
            return Err(format!("the server makes {name}"));
        };
        let column = &load.columns[place];
        match &column.feed {
            Feed::Issued(_) => return Ok(None),
            Feed::Owner if is_stamped_by_all(load, all, name) => {}
            Feed::Owner | Feed::Lookup(_) => return Err(format!("{name} is known only when rows are written")),
            // Of two loads into one table, each may have a constant of its own, or NULL.
            Feed::Cell(_) | Feed::Constant(_) => {
                let compared = Comparison::of(&column.kind.kind);
                let compared =
                    compared.ok_or_else(|| format!("{} is compared by the server alone", column.kind.shown()))?;
                found.columns.push(place);
                found.compared.push(compared);
            }
        }
    }
    Ok(Some(found))
}

/// Whether every row that a load brings into this table has the owner in this column: then it tells none of them apart.
fn is_stamped_by_all(load: &LoadPlan, all: &[LoadPlan], name: &str) -> bool {
    let stamps = |l: &LoadPlan| l.columns.iter().any(|c| c.name == name && c.feed == Feed::Owner);
    all.iter().filter(|l| l.table == load.table).all(stamps)
}
