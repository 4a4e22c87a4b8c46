//! `refers`: the table to whose rows a column without a foreign key refers, as the mapping writes it.

use serde::Deserialize;

/// The statement about the rows to which a column without a foreign key refers.
#[derive(Clone, Debug, PartialEq)]
pub enum RefersRule {
    /// `false`: the column contains no ids of another table.
    Nothing,
    /// `"table"`
    Table(String),
    /// `{ by = "type", "TYPE" = "table" }`: another column of the row contains the type.
    ByType {
        /// The column of the load's rows that contains the type.
        by: String,
        /// The table of each type. `None`: ids of this type are loaded as they are.
        tables: Vec<(String, Option<String>)>,
    },
}

impl RefersRule {
    /// Returns the table to which every value refers. `None` if there is none, or if it depends on the row.
    pub fn table(&self) -> Option<&String> {
        match self {
            RefersRule::Table(table) => Some(table),
            RefersRule::Nothing | RefersRule::ByType { .. } => None,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "toml::Value")]
pub(super) struct RefersKey(pub RefersRule);

impl TryFrom<toml::Value> for RefersKey {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<RefersKey, String> {
        let rule = match value {
            toml::Value::Boolean(false) => Some(RefersRule::Nothing),
            toml::Value::String(table) => Some(RefersRule::Table(table)),
            toml::Value::Table(table) => by_type(table),
            _ => None,
        };
        rule.map(RefersKey).ok_or_else(|| {
            "refers is a table, false, or { by = \"type_column\", \"TYPE\" = \"table\" } with a table or false for each type"
                .to_owned()
        })
    }
}

fn by_type(mut table: toml::Table) -> Option<RefersRule> {
    let Some(toml::Value::String(by)) = table.remove("by") else { return None };
    let one = |(name, value): (String, toml::Value)| match value {
        toml::Value::String(table) => Some((name, Some(table))),
        toml::Value::Boolean(false) => Some((name, None)),
        _ => None,
    };
    let tables = table.into_iter().map(one).collect::<Option<Vec<_>>>()?;
    (!tables.is_empty()).then_some(RefersRule::ByType { by, tables })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RefersRule, String> {
        let table: toml::Table = format!("refers = {text}").parse().map_err(|e: toml::de::Error| e.to_string())?;
        RefersKey::try_from(table["refers"].clone()).map(|key| key.0)
    }

    #[test]
    fn every_form_of_refers_is_read_and_no_other() {
        assert_eq!(read("false"), Ok(RefersRule::Nothing));
        assert_eq!(read("'users'"), Ok(RefersRule::Table("users".to_owned())));
        let tables = vec![("App\\User".to_owned(), Some("users".to_owned())), ("Old".to_owned(), None)];
        let by_type = RefersRule::ByType { by: "item_type".to_owned(), tables };
        assert_eq!(read("{ by = 'item_type', 'App\\User' = 'users', Old = false }"), Ok(by_type));
        for text in ["true", "3", "['users']", "{}", "{ by = 'a' }", "{ A = 'users' }", "{ by = 'a', A = true }"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
