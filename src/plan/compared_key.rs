//! Unique keys of the target whose values this process can compare by their wire bytes.

use crate::model::schema::TargetUnique;

use super::{Comparison, Feed, LoadPlan};

/// A unique key whose values can be compared by their wire bytes.
pub struct ComparedKey {
    /// The name of its constraint or index.
    pub name: String,
    /// The positions of its columns among the load's, without columns in which every row of the table has the owner.
    pub columns: Vec<usize>,
    /// The comparison of each column's values.
    pub compared: Vec<Comparison>,
    /// True if NULL equals NULL.
    pub nulls_equal: bool,
}

/// Returns a unique key that this process can compare. `None` if its rows cannot collide.
///
/// # Errors
/// The reason why only the server can compare it.
pub fn compared_key(load: &LoadPlan, all: &[LoadPlan], key: &TargetUnique) -> Result<Option<ComparedKey>, String> {
    if load.as_text {
        return Err("the load is sent as text".to_owned());
    }
    if key.loose {
        return Err("its collation treats different texts as equal".to_owned());
    }
    let nulls_equal = key.nulls_equal;
    let mut found = ComparedKey { name: key.name.clone(), columns: Vec::new(), compared: Vec::new(), nulls_equal };
    for name in &key.columns {
        let Some(place) = load.columns.iter().position(|c| c.name == *name) else {
            return Err(format!("the server computes {name}"));
        };
        let column = &load.columns[place];
        match &column.feed {
            Feed::Issued(_) => return Ok(None),
            Feed::Owner if is_stamped_by_all(load, all, name) => {}
            Feed::Owner | Feed::Lookup(_) => return Err(format!("{name} is known only when rows are written")),
            // Two loads into one table may each have another constant, or NULL.
            Feed::Cell(_) | Feed::Constant(_) => {
                let compared = Comparison::of(&column.kind.kind);
                let compared =
                    compared.ok_or_else(|| format!("only the server can compare {}", column.kind.shown()))?;
                found.columns.push(place);
                found.compared.push(compared);
            }
        }
    }
    Ok(Some(found))
}

/// Returns true if every loaded row of this table has the owner in this column, which then distinguishes no rows.
fn is_stamped_by_all(load: &LoadPlan, all: &[LoadPlan], name: &str) -> bool {
    let stamps = |l: &LoadPlan| l.columns.iter().any(|c| c.name == name && c.feed == Feed::Owner);
    all.iter().filter(|l| l.table == load.table).all(stamps)
}
