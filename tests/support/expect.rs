//! What a fixture's `expect/*.json` says, held against a target and a report.

use serde_json::Value;

use super::postgres::Database;

/// An expectation of `fixtures/CASE/expect/NAME.json`.
pub struct Expected {
    name: String,
    json: Value,
}

impl Expected {
    /// Reads one.
    pub fn of(case: &str, name: &str) -> Expected {
        let path = format!("fixtures/{case}/expect/{name}.json");
        let json = serde_json::from_str(&super::read_repo(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        Expected { name: path, json }
    }

    /// The target holds these rows and no others, its sequences stand there, its queries answer so.
    #[track_caller]
    pub fn holds_in(&self, target: &Database) {
        let mut differ = Vec::new();
        for (table, rows) in self.object("target_rows") {
            let found = target.count(&format!("public.{table}"));
            if rows.as_u64() != Some(found) {
                differ.push(format!("{table}: {rows} rows expected, {found} found"));
            }
        }
        for (table, state) in self.object("sequences") {
            let found = sequence(target, table);
            if found != *state {
                differ.push(format!("sequence of {table}: {state} expected, {found} found"));
            }
        }
        for query in self.json["queries"].as_array().into_iter().flatten() {
            let sql = query["sql"].as_str().expect("a query");
            let found: Vec<Vec<Value>> =
                target.rows(sql).into_iter().map(|row| row.into_iter().map(Value::from).collect()).collect();
            if Value::from(found.clone()) != query["rows"] {
                differ.push(format!("{sql}\n  expected {}\n  found    {}", query["rows"], Value::from(found)));
            }
        }
        assert!(differ.is_empty(), "{}:\n{}", self.name, differ.join("\n"));
    }

    /// The report names these losses and harmless changes, what was left and whose the rows are.
    #[track_caller]
    pub fn holds_in_report(&self, report: &Value) {
        let mut losses: Vec<Value> = Vec::new();
        for part in ["losses", "harmless"] {
            losses.extend(self.json[part].as_array().into_iter().flatten().cloned());
        }
        // Of a harmless change its rows need not be stated.
        let mut found = report["losses"].as_array().expect("losses").clone();
        for one in found.iter_mut().chain(&mut losses) {
            let is_it = |h: &&Value| ["load", "column", "modifier"].iter().all(|key| h[*key] == one[*key]);
            if self.json["harmless"].as_array().into_iter().flatten().any(|h| is_it(&h)) {
                one.as_object_mut().expect("a loss").remove("keys");
            }
        }
        assert_eq!(sorted(&Value::from(found)), sorted(&Value::from(losses)), "{}: losses", self.name);
        let left: serde_json::Map<String, Value> = report["left"].as_array().expect("left").iter().map(left).collect();
        assert_eq!(Value::from(left), self.json["left"], "{}: left", self.name);
        for (owner, rows) in self.object("owners") {
            let owners = report["owners"].as_array().expect("owners");
            let found = owners
                .iter()
                .find(|o| o["owner"].as_str().unwrap_or("null") == owner)
                .unwrap_or_else(|| panic!("no {owner}"));
            for (table, count) in rows.as_object().expect("rows by table") {
                let found = &found["rows"][table];
                // A table in which the owner has no rows may be left out.
                let same = found == count || (found.is_null() && count == 0);
                assert!(same, "{}: {owner} has {found} rows in {table}, not {count}", self.name);
            }
        }
    }

    /// Each load wrote as many rows as its table holds in the end; for targets that were empty.
    #[track_caller]
    pub fn holds_in_loads(&self, report: &Value) {
        let loads = report["loads"].as_array().expect("loads");
        for load in loads {
            let table = load["target"].as_str().expect("a table").trim_start_matches("public.");
            assert_eq!(load["written"], self.json["target_rows"][table], "{}: {table}", self.name);
        }
        assert!(!loads.is_empty());
    }

    /// The report's sequences and lookups are those that are stated.
    #[track_caller]
    pub fn holds_in_sequences_and_lookups(&self, report: &Value) {
        for found in report["sequences"].as_array().expect("sequences") {
            let table = found["column"].as_str().and_then(|column| column.split('.').next()).expect("a table");
            let stated = &self.json["sequences"][table];
            let max = found["max"].as_i64().unwrap_or(0);
            let same = stated["max"] == max && stated["next"] == found["next"] && found["verdict"] == "Same";
            assert!(same, "{}: {found}, {stated} is stated", self.name);
        }
        let found = report["lookups"].as_array().expect("lookups");
        let stated = self.json["lookups"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert_eq!(found.len(), stated.len(), "{}: {found:?}", self.name);
        for (found, stated) in found.iter().zip(stated) {
            let differs = |(key, value): &(&String, &Value)| found[key.as_str()] != **value;
            assert_eq!(stated.as_object().expect("a lookup").iter().find(differs), None, "{}: {found}", self.name);
        }
    }

    fn object(&self, key: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.json[key].as_object().into_iter().flatten()
    }
}

fn left(record: &Value) -> (String, Value) {
    let table = record["table"].as_str().expect("a table");
    let name = record["column"].as_str().map_or(table.to_owned(), |column| format!("{table}.{column}"));
    (name, record["rows"].clone())
}

fn sorted(list: &Value) -> Vec<String> {
    let mut all: Vec<String> = list.as_array().expect("a list").iter().map(|v| sorted_keys(v).to_string()).collect();
    all.sort();
    all
}

fn sorted_keys(value: &Value) -> Value {
    let mut entries: Vec<_> = value.as_object().expect("an object").clone().into_iter().collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Value::Object(entries.into_iter().collect())
}

/// What a table's own sequence hands out next, and the highest value in its column.
fn sequence(target: &Database, table: &str) -> Value {
    let owned = format!(
        "SELECT s.relname, a.attname FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' \
         JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid \
         WHERE d.classid = 'pg_class'::regclass AND d.refobjid = 'public.{table}'::regclass AND d.deptype IN ('a', 'i')"
    );
    let owned = target.rows(&owned);
    assert_eq!(owned.len(), 1, "{table} owns one sequence");
    let (name, column) = (owned[0][0].as_deref().expect("a name"), owned[0][1].as_deref().expect("a column"));
    let number = |sql: String| target.value(&sql).parse::<i64>().expect("a number");
    serde_json::json!({
        "max": number(format!("SELECT coalesce(max(\"{column}\"), 0) FROM public.\"{table}\"")),
        "next": number(format!("SELECT last_value + is_called::int FROM public.\"{name}\"")),
    })
}
