//! The tables that a column's name speaks of: `user_id`, `userId`, `assigned_user_id` and `user` speak of `users`.

use crate::model::words::{singular_end, singular_words, words};

/// Last words of a name that mark an id.
const ENDINGS: [&str; 5] = ["id", "ids", "fk", "pk", "ref"];

/// Last words of a name that speak of a row without naming its table.
const ROLES: [&str; 19] = [
    "by",
    "to",
    "author",
    "owner",
    "creator",
    "editor",
    "assignee",
    "sender",
    "recipient",
    "receiver",
    "reviewer",
    "uploader",
    "approver",
    "parent",
    "manager",
    "sponsor",
    "supervisor",
    "successor",
    "predecessor",
];

/// Last words of the name of a column that contains the type of a row.
const TYPES: [&str; 6] = ["type", "kind", "class", "model", "table", "entity"];

/// The meaning of a column's name.
#[derive(Clone, Debug, PartialEq)]
pub enum NameHint {
    /// It names these tables and marks an id.
    Id(Vec<usize>),
    /// It names these tables.
    Table(Vec<usize>),
    /// It marks an id, or the role of a row, and names no known table.
    Unknown,
    /// It names a table whose ids stay as they are.
    Elsewhere,
    /// It marks no id.
    Nothing,
}

/// The names of all tables, and the index of those whose ids change.
#[derive(Clone, Debug, Default)]
pub struct TableNames(Vec<NamedTable>);

#[derive(Clone, Debug)]
struct NamedTable {
    words: Vec<String>,
    changing: Option<usize>,
}

impl TableNames {
    /// Adds a table. `changing`: its index among those whose ids change.
    pub fn add(&mut self, name: &str, changing: Option<usize>) {
        self.0.push(NamedTable { words: stem(name), changing });
    }

    /// Returns the meaning of a name.
    pub fn hint(&self, name: &str) -> NameHint {
        let words = words(name);
        let (marked, stem) = unmarked(&words);
        if marked && stem.is_empty() {
            return NameHint::Nothing;
        }
        let glued = words.last().and_then(|last| last.strip_suffix("ids").or_else(|| last.strip_suffix("id")));
        let mut found = self.named(&singular_end(stem));
        let mut is_id = marked;
        if let Some(rest) = glued.filter(|rest| !marked && found.is_empty() && !rest.is_empty()) {
            let all = words[..words.len() - 1].iter().cloned().chain([rest.to_owned()]).collect::<Vec<_>>();
            found = self.named(&singular_end(&all));
            is_id = !found.is_empty();
        }
        let changing: Vec<usize> = found.iter().filter_map(|table| table.changing).collect();
        let is_role = words.last().is_some_and(|last| ROLES.contains(&last.as_str()));
        match (is_id, found.is_empty()) {
            (true, false) if changing.is_empty() => NameHint::Elsewhere,
            (true, false) => NameHint::Id(changing),
            (false, false) if !changing.is_empty() => NameHint::Table(changing),
            (true, true) => NameHint::Unknown,
            _ if is_role => NameHint::Unknown,
            _ => NameHint::Nothing,
        }
    }

    /// Returns the tables whose name is the stem; otherwise those where one ends with the other, or else with the same word.
    fn named(&self, stem: &[String]) -> Vec<&NamedTable> {
        let whole = stem.concat();
        let exact = |table: &&NamedTable| table.words.concat() == whole;
        let ends = |table: &&NamedTable| {
            !stem.is_empty() && !table.words.is_empty() && (table.words.ends_with(stem) || stem.ends_with(&table.words))
        };
        let last = |table: &&NamedTable| !stem.is_empty() && table.words.last() == stem.last();
        let of = |matches: &dyn Fn(&&NamedTable) -> bool| self.0.iter().filter(matches).collect::<Vec<_>>();
        let found = [of(&exact), of(&ends), of(&last)];
        found.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
    }
}

/// Returns true if a column with the second name may contain the type of the row that the first one refers to.
pub fn is_type_of(column: &str, other: &str) -> bool {
    let (mut words, others) = (words(column), words(other));
    let is_object = words == ["object", "id"];
    let marks = ["id", "ids", "to", "by", "key", "pk"];
    while words.len() > 1 && words.last().is_some_and(|last| marks.contains(&last.as_str())) {
        words.pop();
    }
    let typed = others.last().is_some_and(|last| TYPES.contains(&last.as_str()));
    let is_content_type = is_object && others.starts_with(&["content".to_owned(), "type".to_owned()]);
    is_content_type || (typed && others[..others.len() - 1] == words[..])
}

/// The words of a name that names a table, the last one in the singular.
fn stem(name: &str) -> Vec<String> {
    singular_words(name)
}

/// Returns true if the words mark an id, and the words without the mark.
fn unmarked(words: &[String]) -> (bool, &[String]) {
    let is_mark = |word: &String| ENDINGS.contains(&word.as_str());
    match words {
        [rest @ .., last] if is_mark(last) => (true, rest),
        [first, rest @ ..] if !rest.is_empty() && (first == "id" || first == "fk") => (true, rest),
        _ => (false, words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> TableNames {
        let mut names = TableNames::default();
        names.add("auth_user", Some(0));
        names.add("assets", Some(1));
        names.add("statuses", Some(2));
        names.add("Categories", Some(3));
        names.add("orders", None);
        names
    }

    #[test]
    fn a_name_speaks_of_a_table_by_its_words() {
        let names = names();
        for (name, hint) in [
            ("user_id", NameHint::Id(vec![0])),
            ("userId", NameHint::Id(vec![0])),
            ("userid", NameHint::Id(vec![0])),
            ("UserID", NameHint::Id(vec![0])),
            ("id_user", NameHint::Id(vec![0])),
            ("assigned_user_id", NameHint::Id(vec![0])),
            ("asset_ids", NameHint::Id(vec![1])),
            ("status_id", NameHint::Id(vec![2])),
            ("category_id", NameHint::Id(vec![3])),
            ("asset", NameHint::Table(vec![1])),
            ("order_id", NameHint::Elsewhere),
            ("order", NameHint::Nothing),
            ("payer_id", NameHint::Unknown),
            ("created_by", NameHint::Unknown),
            ("author", NameHint::Unknown),
            ("paid", NameHint::Nothing),
            ("id", NameHint::Nothing),
            ("quantity", NameHint::Nothing),
        ] {
            assert_eq!(names.hint(name), hint, "{name}");
        }
    }

    #[test]
    fn a_type_is_next_to_its_id_by_name() {
        for (column, other) in [
            ("item_id", "item_type"),
            ("itemId", "itemType"),
            ("assigned_to", "assigned_type"),
            ("object_id", "content_type_id"),
            ("target_id", "target_model"),
        ] {
            assert!(is_type_of(column, other), "{column} {other}");
        }
        for (column, other) in
            [("user_id", "action_type"), ("item_id", "item_name"), ("type_id", "type"), ("id", "type")]
        {
            assert!(!is_type_of(column, other), "{column} {other}");
        }
    }
}
