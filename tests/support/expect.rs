//! Expectations of a fixture, `expect/*.json`, compared with a target and a report.

use serde_json::Value;

use super::postgres::Database;

/// An expectation of `fixtures/CASE/expect/NAME.json`.
pub struct Expected {
    name: String,
    /// The content of the file.
    pub json: Value,
}

impl Expected {
    /// Reads one.
    pub fn of(case: &str, name: &str) -> Expected {
        let path = format!("fixtures/{case}/expect/{name}.json");
        let json = serde_json::from_str(&super::read_repo(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        Expected { name: path, json }
    }

    /// The target and the report agree with everything that the file expects, warnings included.
    #[track_caller]
    pub fn holds(&self, target: &Database, report: &Value) {
        self.holds_in(target);
        self.holds_in_report(report);
        self.holds_in_warnings(report);
    }

    /// The target has these rows and no others, its sequences have these states, its queries these results.
    #[track_caller]
    pub fn holds_in(&self, target: &Database) {
        let mut differ = Vec::new();
        for (table, rows) in entries(&self.json["target_rows"]) {
            let found = target.count(&format!("public.{table}"));
            if rows.as_u64() != Some(found) {
                differ.push(format!("{table}: {rows} rows expected, {found} found"));
            }
        }
        for (table, state) in entries(&self.json["sequences"]) {
            let found = sequence(target, table);
            if found != *state {
                differ.push(format!("sequence of {table}: {state} expected, {found} found"));
            }
        }
        for query in list(&self.json["queries"]) {
            let sql = query["sql"].as_str().expect("a query");
            let found: Vec<Vec<Value>> =
                target.rows(sql).into_iter().map(|row| row.into_iter().map(Value::from).collect()).collect();
            if Value::from(found.clone()) != query["rows"] {
                differ.push(format!("{sql}\n  expected {}\n  found    {}", query["rows"], Value::from(found)));
            }
        }
        assert!(differ.is_empty(), "{}:\n{}", self.name, differ.join("\n"));
    }

    /// The report lists the expected losses, harmless changes, lookups, sequences, omissions and owners, and no others.
    #[track_caller]
    pub fn holds_in_report(&self, report: &Value) {
        let mut differ = Vec::new();
        self.losses(report, &mut differ);
        self.lookups(report, &mut differ);
        self.sequences(report, &mut differ);
        self.owners(report, &mut differ);
        let left: serde_json::Map<String, Value> = list(&report["left"]).iter().map(left).collect();
        if Value::from(left.clone()) != self.json["left"] {
            differ.push(format!("left: {} expected, {} found", self.json["left"], Value::from(left)));
        }
        for check in list(&report["checks"]).iter().filter(|check| check["verdict"] == "Differs") {
            differ.push(check.to_string());
        }
        assert!(differ.is_empty(), "{}:\n{}", self.name, differ.join("\n"));
    }

    /// Each load wrote as many rows as its table has in the end; for targets that were empty.
    #[track_caller]
    pub fn holds_in_loads(&self, report: &Value) {
        let loads = report["loads"].as_array().expect("loads");
        for load in loads {
            let table = load["target"].as_str().expect("a table").trim_start_matches("public.");
            assert_eq!(load["written"], self.json["target_rows"][table], "{}: {table}", self.name);
        }
        assert!(!loads.is_empty());
    }

    /// The report has these warnings, word for word: cascades of a DELETE, ids in text that become wrong. The place of
    /// the fault file is not one of them.
    #[track_caller]
    pub fn holds_in_warnings(&self, report: &Value) {
        let found: Vec<&Value> = list(&report["warnings"]).iter().filter(|w| w["place"] != "faults").collect();
        assert_eq!(found, list(&self.json["warnings"]).iter().collect::<Vec<_>>(), "{}: warnings", self.name);
    }

    /// Losses and harmless changes. The rows of a change are compared only if the file lists them.
    fn losses(&self, report: &Value, differ: &mut Vec<String>) {
        let expected: Vec<Value> =
            ["losses", "harmless"].iter().flat_map(|key| list(&self.json[*key])).cloned().collect();
        let mut found = list(&report["losses"]).to_vec();
        for loss in &mut found {
            let is_it = |e: &&Value| ["load", "column", "modifier"].iter().all(|key| e[*key] == loss[*key]);
            if expected.iter().find(is_it).is_some_and(|e| e["keys"].is_null()) {
                loss.as_object_mut().expect("a loss").remove("keys");
            }
        }
        let (found, expected) = (sorted(&found), sorted(&expected));
        if found != expected {
            differ.push(format!("losses:\n  expected {expected:?}\n  found    {found:?}"));
        }
    }

    fn lookups(&self, report: &Value, differ: &mut Vec<String>) {
        let (found, expected) = (list(&report["lookups"]), list(&self.json["lookups"]));
        if found.len() != expected.len() {
            differ.push(format!("lookups that are not expected: {found:?}"));
        }
        for (found, expected) in found.iter().zip(expected) {
            if entries(expected).into_iter().any(|(key, value)| found[key.as_str()] != *value) {
                differ.push(format!("lookup: {expected} expected, {found} found"));
            }
        }
    }

    /// The report's sequences, which are those that the run touched.
    fn sequences(&self, report: &Value, differ: &mut Vec<String>) {
        for found in list(&report["sequences"]) {
            if found["by"] == "nothing" {
                // It numbers no column of a load, and the run leaves it as it is.
                assert_eq!((&found["column"], &found["verdict"]), (&"".into(), &"NotChecked".into()), "{found}");
                continue;
            }
            let table = found["column"].as_str().and_then(|column| column.split('.').next()).expect("a table");
            let expected = &self.json["sequences"][table];
            let max = found["max"].as_i64().unwrap_or(0);
            if expected["max"] != max || expected["next"] != found["next"] || found["verdict"] != "Same" {
                differ.push(format!("sequence of {table}: {expected} expected, {found} found"));
            }
        }
    }

    /// Rows per owner: each expected number, and no others except 0.
    fn owners(&self, report: &Value, differ: &mut Vec<String>) {
        let name = |owner: &Value| owner["owner"].as_str().unwrap_or("null").to_owned();
        for owner in list(&report["owners"]) {
            let expected = &self.json["owners"][name(owner)];
            if counts(&owner["rows"]) != counts(expected) {
                differ.push(format!("owner {}: {expected} expected, {} found", name(owner), owner["rows"]));
            }
        }
        for (owner, _) in entries(&self.json["owners"]) {
            if !list(&report["owners"]).iter().any(|found| name(found) == *owner) {
                differ.push(format!("owner {owner} is expected and not in the report"));
            }
        }
    }
}

/// The elements of a list; none if the value is not a list.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The entries of an object; none if the value is not an object.
pub fn entries(value: &Value) -> Vec<(&String, &Value)> {
    value.as_object().into_iter().flatten().collect()
}

/// Rows by table without those that are 0.
fn counts(rows: &Value) -> Vec<(String, u64)> {
    let all = entries(rows).into_iter().map(|(table, rows)| (table.clone(), rows.as_u64().unwrap_or_default()));
    let mut some: Vec<_> = all.filter(|(_, rows)| *rows > 0).collect();
    some.sort();
    some
}

fn left(record: &Value) -> (String, Value) {
    let table = record["table"].as_str().expect("a table");
    let name = record["column"].as_str().map_or(table.to_owned(), |column| format!("{table}.{column}"));
    (name, record["rows"].clone())
}

fn sorted(list: &[Value]) -> Vec<String> {
    let mut all: Vec<String> = list.iter().map(|v| sorted_keys(v).to_string()).collect();
    all.sort();
    all
}

fn sorted_keys(value: &Value) -> Value {
    let mut entries: Vec<_> = value.as_object().expect("an object").clone().into_iter().collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Value::Object(entries.into_iter().collect())
}

/// The next value of a table's own sequence, and the highest value in its column.
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
