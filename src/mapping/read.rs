//! Reads the text of a mapping file into a [`Mapping`], or lists every problem of its form, each with its line.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::column::{FeedKeys, FeedRule, MappedColumn, Modifiers};
use super::file::{self, Defaults, DefaultsKeys, LeaveEntry, Load, LoadKeys, Mapping, SequenceEntry};
use super::keys;
use super::lines::KeyLines;
use super::questions::{self, OpenQuestion};
use crate::model::ident::did_you_mean;

type Entry<'i> = (String, Spanned<DeValue<'i>>);

/// One thing that is wrong with the form of a mapping file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormProblem {
    /// Path of the key, such as `load.transactions.columns.amount`.
    pub place: String,
    /// The key's line, from 1; `None` for a key that is missing.
    pub line: Option<usize>,
    /// The mistake.
    pub what: String,
    /// The remedy. Empty if the mistake names it.
    pub advice: String,
}

impl fmt::Display for FormProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.place.is_empty()) {
            (Some(line), true) => write!(f, "line {line}: {}", self.what)?,
            (Some(line), false) => write!(f, "line {line}, {}: {}", self.place, self.what)?,
            (None, _) => write!(f, "{}: {}", self.place, self.what)?,
        }
        if self.advice.is_empty() { Ok(()) } else { write!(f, ". {}", self.advice) }
    }
}

/// Reads a mapping. `text` is the file's content.
///
/// # Errors
/// All problems of form: the first error of TOML, unknown keys with the nearest valid one, values of a wrong kind.
pub fn read(text: &str) -> Result<Mapping, Vec<FormProblem>> {
    let (read, questions) = read_draft(text)?;
    match read {
        Ok(mapping) if questions.is_empty() => Ok(mapping),
        read => {
            let mut problems: Vec<FormProblem> = questions.into_iter().map(unanswered).collect();
            problems.extend(read.err().into_iter().flatten());
            problems.sort_by_key(|p| p.line);
            Err(problems)
        }
    }
}

/// The mapping as far as it is answered, or its other problems of form; and its open questions.
pub type DraftReading = (Result<Mapping, Vec<FormProblem>>, Vec<OpenQuestion>);

/// Reads a mapping that may contain open questions. They are omitted from the mapping.
///
/// # Errors
/// The first error of TOML.
pub fn read_draft(text: &str) -> Result<DraftReading, Vec<FormProblem>> {
    let mut table = DeTable::parse(text).map_err(|e| {
        let line = e.span().map(|span| line_at(text, span.start));
        let twice = e.span().and_then(|span| text.get(span)).filter(|_| e.message() == "duplicate key");
        let (what, advice) = match twice {
            None => (format!("is not TOML: {}", e.message()), ""),
            Some(key) => (
                format!("`{key}` is defined twice"),
                "Remove one of the two; a second load into a table needs its own name and `to`.",
            ),
        };
        vec![FormProblem { place: String::new(), line, what, advice: advice.to_owned() }]
    })?;
    let questions = questions::take(table.get_mut(), &|byte| line_at(text, byte));
    let mut reader = FileReader { text, lines: KeyLines::default(), problems: Vec::new() };
    let mut top = reader.entries(&[], table.into_inner());
    let mapping = reader.mapping(&mut top);
    for (key, _) in &top {
        reader.unknown(&[], key);
    }
    let read = if reader.problems.is_empty() {
        Ok(Mapping { lines: reader.lines, ..mapping })
    } else {
        reader.problems.sort_by_key(|p| p.line);
        Err(reader.problems)
    };
    Ok((read, questions))
}

fn unanswered(OpenQuestion { place, line, text }: OpenQuestion) -> FormProblem {
    let what = format!("is an open question: {}", text.trim_end_matches('.'));
    FormProblem { place, line: Some(line), what, advice: "Write the answer in place of the braces.".to_owned() }
}

struct FileReader<'t> {
    text: &'t str,
    lines: KeyLines,
    problems: Vec<FormProblem>,
}

fn line_at(text: &str, byte: usize) -> usize {
    text.as_bytes()[..byte.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1
}

fn take<'i>(entries: &mut Vec<Entry<'i>>, key: &str) -> Option<Spanned<DeValue<'i>>> {
    let at = entries.iter().position(|(k, _)| k == key)?;
    Some(entries.remove(at).1)
}

fn below(path: &[String], key: &str) -> Vec<String> {
    let mut path = path.to_vec();
    path.push(key.to_owned());
    path
}

impl<'t> FileReader<'t> {
    fn problem(&mut self, place: &str, what: impl Into<String>) {
        self.advised(place, what, "");
    }

    fn advised(&mut self, place: &str, what: impl Into<String>, advice: impl Into<String>) {
        let line = self.lines.of(place);
        self.problems.push(FormProblem { place: place.to_owned(), line, what: what.into(), advice: advice.into() });
    }

    fn unknown(&mut self, path: &[String], key: &str) {
        let right = keys::at(path);
        let hint = did_you_mean(key, right.iter().copied());
        let known = if right.is_empty() { String::new() } else { format!("Known here: {}.", right.join(", ")) };
        self.advised(&below(path, key).join("."), format!("unknown key `{key}`"), format!("{hint}{known}"));
    }

    /// Returns the entries of a table and records the line of every key in it.
    fn entries(&mut self, path: &[String], table: DeTable<'t>) -> Vec<Entry<'t>> {
        let mut entries = Vec::new();
        for (key, value) in table {
            let line = line_at(self.text, key.span().start);
            let name = key.into_inner().into_owned();
            self.note(&below(path, &name), line, value.get_ref());
            entries.push((name, value));
        }
        entries
    }

    fn note(&mut self, path: &[String], line: usize, value: &DeValue<'t>) {
        self.lines.note(path.join("."), line);
        match value {
            DeValue::Table(table) => {
                for (key, value) in table.iter() {
                    self.note(&below(path, key.get_ref()), line_at(self.text, key.span().start), value.get_ref());
                }
            }
            DeValue::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    self.note(&below(path, &n.to_string()), line_at(self.text, item.span().start), item.get_ref());
                }
            }
            _ => {}
        }
    }

    /// Reads a value with serde. A key that its type does not have is a problem, and so is a value of a wrong kind.
    fn value<T: DeserializeOwned + Default>(&mut self, path: &[String], value: Spanned<DeValue<'t>>) -> T {
        let mut unknown = Vec::new();
        let source = toml::de::ValueDeserializer::from(value);
        let read = serde_ignored::deserialize(source, |key| unknown.push(key.to_string()));
        for key in unknown {
            // serde_ignored writes an Option as `?` in the path.
            let mut inner: Vec<&str> = key.split('.').filter(|part| *part != "?").collect();
            let last = inner.pop().unwrap_or_default().to_owned();
            let path: Vec<String> = path.iter().cloned().chain(inner.into_iter().map(str::to_owned)).collect();
            self.unknown(&path, &last);
        }
        read.unwrap_or_else(|e: toml::de::Error| {
            let line = e.span().map(|span| line_at(self.text, span.start));
            self.problems.push(FormProblem {
                place: path.join("."),
                line,
                what: e.message().to_owned(),
                advice: String::new(),
            });
            T::default()
        })
    }

    /// Reads the keys of a table that belong to `T`, and removes them from `entries`.
    fn part<T: DeserializeOwned + Default>(
        &mut self,
        path: &[String],
        entries: &mut Vec<Entry<'t>>,
        keys: &[&str],
    ) -> T {
        let mut table = DeTable::new();
        for key in keys {
            if let Some(value) = take(entries, key) {
                table.insert(Spanned::new(value.span(), (*key).to_owned().into()), value);
            }
        }
        self.value(path, Spanned::new(0..0, DeValue::Table(table)))
    }

    fn table(&mut self, path: &[String], value: Spanned<DeValue<'t>>) -> Vec<Entry<'t>> {
        match value.into_inner() {
            DeValue::Table(table) => self.entries(path, table),
            other => {
                self.problem(&path.join("."), format!("must be a table, not {}", other.type_str()));
                Vec::new()
            }
        }
    }

    fn mapping(&mut self, top: &mut Vec<Entry<'t>>) -> Mapping {
        match take(top, "format").map(|v| v.into_inner()) {
            Some(DeValue::Integer(i)) if i.as_str() == "1" => {}
            Some(_) => self.advised(
                "format",
                "this version reads `format = 1`",
                "Use the version that the file was written for.",
            ),
            None => self.advised("format", "is missing", "Write `format = 1` at the top of the file."),
        }
        let name = match take(top, "name") {
            Some(value) => self.value::<String>(&["name".to_owned()], value),
            None => String::new(),
        };
        if name.is_empty() && !self.problems.iter().any(|p| p.place == "name") {
            let advice = "Write `name = \"...\"`: with the target database it is the run's identity.";
            self.advised("name", "is missing", advice);
        }
        let mut section = |key: &str| take(top, key).map(|value| (vec![key.to_owned()], value));
        let source = section("source");
        let target = section("target");
        let owner = section("owner");
        let defaults = section("defaults");
        let leave = section("leave");
        let sequences = section("sequences");
        let loads = section("load");
        Mapping {
            name,
            source: source.map(|(p, v)| self.value(&p, v)).unwrap_or_default(),
            target: target
                .map(|(p, v)| self.value::<Option<file::TargetSection>>(&p, v).unwrap_or_default())
                .unwrap_or_default(),
            owner: owner.and_then(|(p, v)| self.value::<Option<file::OwnerSection>>(&p, v)),
            defaults: defaults.map(|(p, v)| self.defaults(&p, v)).unwrap_or_default(),
            leave: leave.map(|(p, v)| self.leave(&p, v)).unwrap_or_default(),
            sequences: sequences.map(|(p, v)| self.sequences(&p, v)).unwrap_or_default(),
            loads: loads.map(|(p, v)| self.loads(&p, v)).unwrap_or_default(),
            lines: KeyLines::default(),
        }
    }

    fn defaults(&mut self, path: &[String], value: Spanned<DeValue<'t>>) -> Defaults {
        let mut entries = self.table(path, value);
        let keys: DefaultsKeys =
            self.part(path, &mut entries, &["on_fault", "unlisted_tables", "unlisted_columns", "existing", "owner"]);
        let modifiers = self.part(path, &mut entries, &keys::WIDE);
        let mut named = |reader: &mut Self, key: &str| -> BTreeMap<String, Modifiers> {
            let path = below(path, key);
            let Some(value) = take(&mut entries, key) else { return BTreeMap::new() };
            let inner = reader.table(&path, value);
            inner.into_iter().map(|(name, value)| (name.clone(), reader.value(&below(&path, &name), value))).collect()
        };
        let columns = named(self, "columns");
        let types = named(self, "types");
        for (key, _) in &entries {
            self.unknown(path, key);
        }
        if keys.unlisted_columns == file::Unlisted::Copy {
            self.problem("defaults.unlisted_columns", "must be \"refuse\" or \"leave\"");
        }
        Defaults {
            on_fault: keys.on_fault,
            unlisted_tables: keys.unlisted_tables,
            unlisted_columns: keys.unlisted_columns,
            existing: keys.existing.map(|key| key.0),
            owner: keys.owner,
            columns,
            types,
            modifiers,
        }
    }

    fn leave(&mut self, path: &[String], value: Spanned<DeValue<'t>>) -> Vec<LeaveEntry> {
        let mut leave = Vec::new();
        for (table, value) in self.table(path, value) {
            let path = below(path, &table);
            if value.get_ref().is_table() {
                for (column, value) in self.table(&path, value) {
                    let reason = self.reason(&below(&path, &column), value);
                    leave.push(LeaveEntry { table: table.clone(), column: Some(column), reason });
                }
            } else {
                let reason = self.reason(&path, value);
                leave.push(LeaveEntry { table, column: None, reason });
            }
        }
        leave
    }

    fn reason(&mut self, path: &[String], value: Spanned<DeValue<'t>>) -> String {
        let reason: String = self.value(path, value);
        if reason.trim().is_empty() && !self.problems.iter().any(|p| p.place == path.join(".")) {
            self.problem(&path.join("."), "needs a reason in words: write why it stays in the source");
        }
        reason
    }

    fn sequences(&mut self, path: &[String], value: Spanned<DeValue<'t>>) -> Vec<SequenceEntry> {
        let mut sequences = Vec::new();
        for (name, value) in self.table(path, value) {
            let path = below(path, &name);
            let value: Option<toml::Value> = self.value(&path, value);
            let columns = self.accept(&path, value.map(file::read_sequence));
            sequences.push(SequenceEntry { name, columns });
        }
        sequences
    }

    fn loads(&mut self, path: &[String], value: Spanned<DeValue<'t>>) -> Vec<Load> {
        let entries = self.table(path, value);
        entries.into_iter().map(|(name, value)| self.load(&below(path, &name), name, value)).collect()
    }

    fn load(&mut self, path: &[String], name: String, value: Spanned<DeValue<'t>>) -> Load {
        let mut entries = self.table(path, value);
        let columns = take(&mut entries, "columns");
        let modifiers = self.part(path, &mut entries, &keys::WIDE);
        let keys: LoadKeys = self.part(
            path,
            &mut entries,
            &["from", "to", "owner", "conflict", "when", "existing", "on_fault", "ids", "triggers"],
        );
        for (key, _) in &entries {
            self.unknown(path, key);
        }
        let from = keys.from.map_or(Ok(file::RowsFrom::SameName), file::read_from).unwrap_or_else(|(at, what)| {
            self.problem(&format!("{}.from{at}", path.join(".")), what);
            file::RowsFrom::SameName
        });
        let owner = self.accept(&below(path, "owner"), keys.owner.map(file::read_owner));
        let conflict = keys.conflict.map(|c| c.skip);
        if conflict.as_ref().is_some_and(Vec::is_empty) {
            self.problem(&below(path, "conflict").join("."), "must name the columns of a unique key, at least one");
        }
        Load {
            to: keys.to.unwrap_or_else(|| name.clone()),
            name,
            from,
            owner,
            conflict,
            when_empty: keys.when.is_some(),
            existing: keys.existing.map(|key| key.0),
            on_fault: keys.on_fault,
            shift: keys.ids.is_some(),
            triggers_fire: keys.triggers == Some(file::Triggers::Fire),
            modifiers,
            columns: columns.map(|value| self.columns(&below(path, "columns"), value)).unwrap_or_default(),
        }
    }

    fn accept<T: Default>(&mut self, path: &[String], read: Option<Result<T, String>>) -> T {
        read.unwrap_or_else(|| Ok(T::default())).unwrap_or_else(|what| {
            self.problem(&path.join("."), what);
            T::default()
        })
    }

    fn columns(&mut self, path: &[String], value: Spanned<DeValue<'t>>) -> Vec<(String, MappedColumn)> {
        let entries = self.table(path, value);
        entries.into_iter().map(|(name, value)| (name.clone(), self.column(&below(path, &name), value))).collect()
    }

    fn column(&mut self, path: &[String], value: Spanned<DeValue<'t>>) -> MappedColumn {
        if let DeValue::String(from) = value.get_ref() {
            return MappedColumn { feed: Some(FeedRule::From(from.to_string())), ..MappedColumn::default() };
        }
        let mut entries = self.table(path, value);
        let feed_keys = ["from", "sql", "value", "env", "optional", "owner", "lookup", "omit", "refers"];
        let feed: FeedKeys = self.part(path, &mut entries, &feed_keys);
        let right = keys::at(path);
        let modifiers: Vec<&str> = right.iter().copied().filter(|key| !feed_keys.contains(key)).collect();
        let modifiers = self.part(path, &mut entries, &modifiers);
        for (key, _) in &entries {
            self.unknown(path, key);
        }
        MappedColumn { feed: self.accept(path, Some(feed.feed())), modifiers, refers: feed.refers.map(|key| key.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        read(text).map(|_| Vec::new()).unwrap_or_else(|p| p.iter().map(FormProblem::to_string).collect())
    }

    #[test]
    fn the_smallest_mapping_is_read() {
        let mapping = read("format = 1\nname = \"x\"\n[load.a]\n").unwrap();
        assert_eq!(mapping.loads[0].to, "a");
        assert_eq!(mapping.lines.of("load.a.columns.b"), Some(3));
    }

    #[test]
    fn every_mistake_of_form_is_listed_at_once_with_its_line() {
        let text = "format = 1\nname = \"x\"\n[sorce]\n[load.t]\nowner = 7\n[load.t.columns]\na = { rond = true }\nb = { from = \"x\", omit = true }\nc = { if_null = { nul = true } }\n";
        let found = problems(text);
        assert_eq!(found.len(), 5, "{found:#?}");
        assert!(found[0].starts_with("line 3, sorce: unknown key `sorce`. Did you mean `source`?"), "{}", found[0]);
        assert!(found[1].starts_with("line 5, load.t.owner: owner is a column"), "{}", found[1]);
        assert!(
            found[2].starts_with("line 7, load.t.columns.a.rond: unknown key `rond`. Did you mean `round`?"),
            "{}",
            found[2]
        );
        assert!(found[3].starts_with("line 8, load.t.columns.b: a column has exactly one of"), "{}", found[3]);
        assert!(found[4].starts_with("line 9, load.t.columns.c: a value in braces is"), "{}", found[4]);
    }

    #[test]
    fn a_key_of_another_section_is_unknown() {
        let found = problems("format = 1\nname = \"x\"\n[defaults]\nround = true\nif_null = 1\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("unknown key `if_null`"), "{}", found[0]);
    }

    #[test]
    fn inherited_modifiers_merge_one_by_one_and_can_be_removed() {
        let text = "format = 1\nname = \"x\"\n[load.t.columns]\na = { round = { fault = true }, trim = true }\n";
        let mapping = read(text).unwrap();
        let lower: Modifiers = toml::from_str("round = true\nif_null = 1\n").unwrap();
        let merged = mapping.loads[0].columns[0].1.modifiers.over(&lower);
        assert_eq!(merged.written(), ["trim", "round", "if_null"]);
        assert!(matches!(merged.round, Some(super::super::column::Switch::Off)));
    }

    #[test]
    fn text_that_is_not_toml_is_reported_with_its_line() {
        assert!(problems("format = 1\nname = \n")[0].starts_with("line 2: is not TOML"));
    }
}
