//! Mistakes in mappings: every key, name, word and value of the five applications' mappings is spoilt in turn. Each time
//! the answer must be a refusal with the line and, for a name, the right one. Values that are still valid are listed.

use std::collections::BTreeSet;
use std::ops::Range;

use regex::Regex;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::support::postgres::Database;
use crate::support::tool::{Place, Ran};
use crate::support::{read_repo, sqlite};

/// Free values: another text in their place is another mapping, not a mistake that a machine could detect.
const FREE: [&str; 11] = [
    // The run's own name; files that a rehearsal alone reads, and the source's, which `-s` replaces here.
    r"^name$",
    r"^source\.path$",
    r"^target\.ddl\.",
    // Who the owner is, and the content of its row where the column is text.
    r"^owner\.match\.",
    r"^owner\.create\.(username|role|email|auth0_id|full_name|company_name|subscription_tier|contact_email)$",
    // What the source holds, and what it becomes in a column of text.
    r"\.map\.",
    r"\.null_if\.\d+$",
    r"\.(else|if_null)$",
    // Rows that the mapping writes down.
    r"\.rows\.\d+\.\w+$",
    // A reason in words.
    r"^leave\.",
    // A variable that is asked for only if the owner has to be made, and a number that a text column takes.
    r"^(owner\.create\.password_hash(\.env)?|load\.auspex_chats\.columns\.user_id\.if_orphan)$",
];

/// Names that stand for nothing else: misspelt, they are refused for what then lacks, and nothing could propose the right one.
const OWN: [&str; 2] = [r"^load\.allowed_people$", r"\.env$"];

/// One item of a mapping.
struct Item {
    /// Its place: `load.users.columns.email.sql`, with numbers for places in lists.
    path: String,
    /// The key's bytes in the text; none in a list.
    key: Option<Range<usize>>,
    /// The value's bytes; none of a table that has a header or dotted keys.
    value: Option<Range<usize>>,
    kind: &'static str,
}

fn items(text: &str) -> Vec<Item> {
    let mut found = Vec::new();
    of_table(text, &DeTable::parse(text).expect("TOML").into_inner(), "", &mut found);
    found
}

fn of_table(text: &str, table: &DeTable<'_>, at: &str, found: &mut Vec<Item>) {
    for (key, value) in table.iter() {
        let path = if at.is_empty() { key.get_ref().to_string() } else { format!("{at}.{}", key.get_ref()) };
        of_value(text, path, Some(key.span()), value, found);
    }
}

fn of_value(text: &str, path: String, key: Option<Range<usize>>, value: &Spanned<DeValue<'_>>, found: &mut Vec<Item>) {
    let kind = value.get_ref().type_str();
    let is_written = kind != "table" || text[value.span()].starts_with('{');
    found.push(Item { path: path.clone(), key, value: is_written.then(|| value.span()), kind });
    match value.get_ref() {
        DeValue::Table(table) => of_table(text, table, &path, found),
        DeValue::Array(list) => {
            list.iter().enumerate().for_each(|(n, v)| of_value(text, format!("{path}.{n}"), None, v, found));
        }
        _ => {}
    }
}

/// Two neighbouring letters, near the middle, change places.
fn misspelt(word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    let middle = letters.len() / 2;
    match (1..letters.len()).filter(|n| letters[n - 1] != letters[*n]).min_by_key(|n| n.abs_diff(middle)) {
        Some(n) if letters.len() > 2 => letters.swap(n - 1, n),
        _ => letters.push('x'),
    }
    letters.into_iter().collect()
}

fn is_any(patterns: &[&str], path: &str) -> bool {
    patterns.iter().any(|pattern| Regex::new(pattern).expect("a pattern").is_match(path))
}

/// One application: its databases, and its mapping as it is.
struct System {
    target: Database,
    place: Place,
    text: String,
    wrong: Vec<String>,
    asked: usize,
}

impl System {
    fn new(name: &str) -> System {
        let mut made_by = vec![format!("fixtures/{name}/target.sql")];
        if name == "grant_finder" {
            made_by.push(format!("fixtures/{name}/before.sql"));
        }
        let target = Database::of(&made_by.iter().map(String::as_str).collect::<Vec<_>>());
        let place = Place::new();
        sqlite::of(&place, "source.db", &format!("fixtures/{name}/source.sql"));
        System { target, place, text: read_repo(&format!("mappings/{name}.toml")), wrong: Vec::new(), asked: 0 }
    }

    fn plan(&self, mapping: &str) -> Ran {
        self.place.write("m.toml", mapping);
        let run = self.place.migrate(["plan", "-s", "source.db", "-t", &self.target.url(), "-m", "m.toml"]);
        run.env("ADMIN_PASSWORD_HASH", "x").ran()
    }

    /// Replaces these bytes; the answer has to name their line and, where there is one, the right word.
    fn spoil(&mut self, path: &str, at: &Range<usize>, by: &str, right: Option<&str>) {
        let ran = self.plan(&format!("{}{by}{}", &self.text[..at.start], &self.text[at.end..]));
        self.asked += 1;
        let said = ran.said().split_whitespace().collect::<Vec<_>>().join(" ");
        let line = self.text[..at.start].matches('\n').count() + 1;
        let names_line = [":", ",", ")"].iter().any(|end| said.contains(&format!("line {line}{end}")));
        let names_right = right.is_none_or(|right| {
            let forms = ["Did you mean `%`", "expected `%`", "`%`,", ", `%`", "{ % =", "\"%\"", "% or", "Known: %"];
            forms.iter().any(|form| said.contains(&form.replace('%', right)))
        });
        if ![2, 3].contains(&ran.code) || !names_line || !names_right {
            let spoilt: String = by.chars().take(100).collect();
            self.wrong.push(format!("{path} (line {line}), right {right:?}, as {spoilt}: exit {}, {said}", ran.code));
        }
    }

    fn keys(&mut self) {
        for item in items(&self.text) {
            let Some(at) = item.key.filter(|_| !item.path.contains(".map.")) else { continue };
            let right = self.text[at.clone()].to_owned();
            let hint = (!is_any(&OWN, &item.path)).then_some(right.as_str());
            self.spoil(&item.path, &at, &misspelt(&right), hint);
        }
    }

    /// Names and words of the language, as far as they are one word.
    fn words(&mut self) {
        let is_sql = Regex::new(r"\.(sql|source|target)(\.\d+)?$").expect("a pattern");
        for item in items(&self.text).into_iter().filter(|item| item.kind == "string" && !is_any(&FREE, &item.path)) {
            let Some(at) = item.value else { continue };
            let right = self.text[at.clone()].trim_matches('"').to_owned();
            if !is_sql.is_match(&item.path) {
                let hint = (!is_any(&OWN, &item.path)).then_some(right.as_str());
                self.spoil(&item.path, &at, &format!("\"{}\"", misspelt(&right)), hint);
            }
        }
    }

    /// Names of tables and columns inside SQL.
    fn names_in_sql(&mut self, source: &BTreeSet<String>, target: &BTreeSet<String>) {
        let is_sql = Regex::new(r"\.(sql|source|target)(\.\d+)?$").expect("a pattern");
        let word = Regex::new(r"'[^']*'|:?\b[a-z_0-9]+\b").expect("a pattern");
        for item in items(&self.text).into_iter().filter(|item| item.kind == "string" && is_sql.is_match(&item.path)) {
            let Some(at) = item.value else { continue };
            let sql = self.text[at.clone()].to_owned();
            let names = if item.path.contains(".target") { target } else { source };
            for found in word.find_iter(&sql).filter(|found| names.contains(found.as_str())) {
                let spoilt = format!("{}{}{}", &sql[..found.start()], misspelt(found.as_str()), &sql[found.end()..]);
                let after_as = sql[..found.start()].trim_end().ends_with("AS");
                // The name that a query gives a column is right where the target has it, or where the query itself asks for it.
                let hint = (!after_as).then_some(found.as_str());
                self.spoil(&item.path, &at, &spoilt, hint);
            }
        }
    }

    fn types(&mut self) {
        for item in items(&self.text) {
            let Some(at) = item.value.filter(|_| !is_any(&FREE, &item.path)) else { continue };
            let other = match item.kind {
                "string" => "12345",
                "integer" | "float" => "\"a word\"",
                "boolean" => "\"maybe\"",
                _ => "7",
            };
            self.spoil(&item.path, &at, other, None);
        }
    }

    /// Every table of the target that a load writes to is taken away in turn, and every table of the source.
    fn tables(&mut self, source: &[String], target: &[String]) {
        let text = self.text.clone();
        for table in target {
            self.target.run(&format!("ALTER TABLE \"{table}\" RENAME TO renamed"));
            let ran = self.plan(&text);
            self.target.run(&format!("ALTER TABLE renamed RENAME TO \"{table}\""));
            self.is_missed(table, &ran);
        }
        let file = rusqlite::Connection::open(self.place.path("source.db")).expect("the source");
        file.pragma_update(None, "legacy_alter_table", true).expect("a pragma");
        for table in source {
            file.execute_batch(&format!("ALTER TABLE \"{table}\" RENAME TO renamed")).expect("a name");
            let ran = self.plan(&text);
            file.execute_batch(&format!("ALTER TABLE renamed RENAME TO \"{table}\"")).expect("a name");
            self.is_missed(table, &ran);
        }
        let whole = self.plan(&text);
        assert_eq!(whole.code, 0, "{}", whole.said());
    }

    fn is_missed(&mut self, table: &str, ran: &Ran) {
        self.asked += 1;
        if ran.code != 3 || !ran.said().contains(&format!("`{table}`")) {
            self.wrong.push(format!("without table {table}: exit {}, {}", ran.code, ran.said()));
        }
    }
}

fn every_mistake_is_answered(name: &str) {
    let mut system = System::new(name);
    let column = "SELECT DISTINCT column_name FROM information_schema.columns WHERE table_schema = 'public'";
    let of_target: BTreeSet<String> = system.target.rows(column).into_iter().flatten().flatten().collect();
    let source = sqlite::open(&system.place.path("source.db"));
    let list = |sql: &str| -> Vec<String> {
        let mut rows = source.prepare(sql).expect("SQL");
        let found = rows.query_map([], |row| row.get(0)).expect("rows");
        found.map(|name| name.expect("a name")).collect()
    };
    let tables = list("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
    let mut of_source: BTreeSet<String> = tables.iter().cloned().collect();
    of_source.extend(list(
        "SELECT DISTINCT c.name FROM sqlite_schema AS s, pragma_table_info(s.name) AS c WHERE s.type = 'table'",
    ));
    system.keys();
    system.words();
    system.names_in_sql(&of_source, &of_target);
    system.types();
    let is_loaded = |table: &&String| system.text.contains(&format!("[load.{table}]"));
    let loaded: Vec<String> = tables.iter().filter(is_loaded).cloned().collect();
    let on_target = system.target.rows("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'");
    let on_target: Vec<String> = on_target.into_iter().flatten().flatten().filter(|t| is_loaded(&t)).collect();
    system.tables(&loaded, &on_target);
    assert!(system.asked > 60, "{} mistakes", system.asked);
    assert!(system.wrong.is_empty(), "{} of {}:\n{}", system.wrong.len(), system.asked, system.wrong.join("\n\n"));
}

#[test]
fn mistakes_in_the_personal_finance_mapping_are_answered_with_line_and_fix() {
    every_mistake_is_answered("personal_finance");
}

#[test]
fn mistakes_in_the_aunoo_mapping_are_answered_with_line_and_fix() {
    every_mistake_is_answered("aunoo");
}

#[test]
fn mistakes_in_the_grant_finder_mapping_are_answered_with_line_and_fix() {
    every_mistake_is_answered("grant_finder");
}

#[test]
fn mistakes_in_the_personal_ai_agent_mapping_are_answered_with_line_and_fix() {
    every_mistake_is_answered("personal_ai_agent");
}

#[test]
fn mistakes_in_the_data_uploader_mapping_are_answered_with_line_and_fix() {
    every_mistake_is_answered("data_uploader");
}

/// Mistakes that are no misspelling: the application, what is replaced by what, and what the answer says.
const OF_SENSE: [(&str, &str, &str, &[&str]); 17] = [
    (
        "personal_finance",
        "[load.budget_templates]",
        "[load.transactions]\n[load.budget_templates]",
        &["line 50", "`transactions` is defined twice", "`to`"],
    ),
    (
        "personal_finance",
        "key    = \"id\"",
        "key    = \"role\"",
        &["owner.key (line 17)", "refers to `users.id`, not to `role`", "Write `key = \"id\"`"],
    ),
    (
        "personal_finance",
        "{ if_bad = 0 }",
        "{ if_bad = 0, if_orphan = { null = true } }",
        &["amount.if_orphan (line 48)", "has no foreign key", "Remove it"],
    ),
    (
        "personal_finance",
        "{ if_bad = 0 }",
        "{ if_bad = 0, epoch = \"s\" }",
        &["amount.epoch (line 48)", "no effect on a column of type numeric(10,2)"],
    ),
    (
        "personal_finance",
        "create = { role = \"admin\",",
        "create = { username = \"suricata\", role = \"admin\",",
        &["owner.create.username (line 18)", "is in `match` too", "Remove it from `create`"],
    ),
    (
        "personal_finance",
        "skip = [\"user_id\", \"name\"]",
        "skip = [\"name\"]",
        &["user_owners.conflict (line 80)", "no unique key over (name)"],
    ),
    (
        "personal_finance",
        "[load.custom_types]",
        "[load.custom_types.columns.name.lookup]\ntable = \"budget_templates\"\ntake = \"category\"\nsteps = [ { target = \"category\", source = \"name\" } ]\n[load.budget_templates.columns.category.lookup]\ntable = \"custom_types\"\ntake = \"name\"\nsteps = [ { target = \"name\", source = \"category\" } ]\n[load.custom_types]",
        &[
            "load.budget_templates, load.custom_types wait for each other",
            "lookups form a circle",
            "by a later migration",
        ],
    ),
    (
        "aunoo",
        "owner = \"created_by\"",
        "owner = [\"created_by\", \"created_by\"]",
        &["load.articles.owner (line 60)", "names `created_by` twice"],
    ),
    (
        "aunoo",
        "through = \"chat_id\"",
        "through = \"tokens_used\"",
        &["auspex_messages.owner (line 69)", "refers to no other table"],
    ),
    (
        "grant_finder",
        "take      = \"id\"",
        "take      = \"full_name\"",
        &["lookup.take (line 54)", "`full_name` is character varying and the column is integer"],
    ),
    (
        "grant_finder",
        "source = \"trim(user_id)\", nocase = true }",
        "source = [\"trim(user_id)\", \"id\"], nocase = true }",
        &["lookup.steps.1 (line 57)", "1 parts on the target and 2 in the source"],
    ),
    ("grant_finder", "user_id_old = \"user_id\" ", "# ", &["user_id_old (line 48)", "nothing feeds it"]),
    (
        "personal_ai_agent",
        "\"text/markdown\"   = \"md\"",
        "\"text/markdown\"   = \"markdown document\"",
        &["file_type (line 30)", "is longer than the column"],
    ),
    (
        "personal_ai_agent",
        "[load.queries]\nowner = { carried = \"user_id\" }",
        "[load.queries]\nowner = \"user_id\"",
        &["load.queries.owner (line 38)", "the mapping names no owner"],
    ),
    (
        "data_uploader",
        "REGEXP '^C[0-9]+$'\n  GROUP",
        "REGEXP '^C[0-9+$'\n  GROUP",
        &["load.cycles.from.sql (line 37)", "regexp cannot read its pattern"],
    ),
    (
        "data_uploader",
        "ADMIN_PASSWORD_HASH",
        "ADMIN_HASH",
        &["users.columns.password_hash (line 26)", "the variable `ADMIN_HASH` is not set", "optional = true"],
    ),
    (
        "data_uploader",
        "min(ts(started_at))",
        "min(tz(started_at))",
        &["load.cycles.from.sql (line 37)", "no such function: tz", "Did you mean `ts`?"],
    ),
];

#[test]
fn mistakes_of_meaning_are_answered_with_place_reason_and_way_out() {
    let mut wrong = Vec::new();
    let mut system: Option<(&str, System)> = None;
    for (name, right, by, says) in OF_SENSE {
        if system.as_ref().is_none_or(|(before, _)| *before != name) {
            system = Some((name, System::new(name)));
        }
        let Some((_, system)) = &system else { continue };
        assert!(system.text.contains(right), "{name} has no {right}");
        system.place.write("m.toml", system.text.replacen(right, by, 1));
        let run = system.place.migrate(["--dry-run", "-s", "source.db", "-t", &system.target.url(), "-m", "m.toml"]);
        let ran = run.env("ADMIN_PASSWORD_HASH", "x").ran();
        let said = ran.said().split_whitespace().collect::<Vec<_>>().join(" ");
        if ![2, 3].contains(&ran.code) || !says.iter().all(|says| said.contains(says)) {
            wrong.push(format!("{name}: {by}: exit {}, {said}", ran.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
