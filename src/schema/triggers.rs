//! The one trigger that has a translation: after an update, a column of the row gets the current time.

use super::build::{Builder, TableFacts};
use super::ddl::{FateNotes, ObjectFate, ObjectKind, TableDdl, TriggerDdl};
use super::defaults::{DefaultSql, default_sql, is_other_unit};
use super::expression::Scope;
use super::names::is_usable;
use super::table_text::inside;
use super::tokens::{SourceToken, sql, tokens};
use crate::model::definitions::TriggerDefinition;

/// The difference that every translated trigger has.
const CHANGE: &str = "BEFORE UPDATE, with the time at which the transaction begins; what the statement itself writes there is not checked";

/// The reason why another trigger is not translated.
const OTHER: &str = "it is a program in the language of SQLite";

/// The parts of such a trigger.
#[derive(Clone, Debug, Default, PartialEq)]
struct TriggerText {
    /// The columns of UPDATE OF. Empty: every update.
    of: Vec<String>,
    /// The condition, without its brackets. Empty: there is none.
    when: Vec<SourceToken>,
    /// The column that gets the time.
    column: String,
    /// The time.
    value: Vec<SourceToken>,
    /// The column by which the row is found.
    key: String,
}

impl Builder<'_> {
    /// Adds the triggers of a table that have a translation, and notes the fate of all of them.
    pub fn triggers(&mut self, facts: &TableFacts<'_>, table: &mut TableDdl) {
        let definitions = &self.facts.definitions.triggers;
        let collation = |column: &str| facts.text.as_ref().map_or("BINARY", |text| text.collation(column)).to_owned();
        let own = definitions.iter().filter(|trigger| trigger.table.eq_ignore_ascii_case(facts.name));
        let stored = self.facts.stored.get(facts.name);
        let is_other = |translated: &TriggerDdl| {
            let column = table.column(&translated.column);
            let values = stored.and_then(|stored| stored.columns.get(&translated.column));
            column.zip(values).is_some_and(|(column, values)| is_other_unit(&translated.source, values, &column.kind))
        };
        let translate = |trigger| translated(trigger, table, collation).filter(|found| !is_other(found));
        let own: Vec<(&TriggerDefinition, Option<TriggerDdl>)> =
            own.map(|trigger| (trigger, translate(trigger))).collect();
        // In SQLite, the update of one such trigger fires the other one.
        let is_alone = own.iter().filter(|(_, found)| found.is_some()).count() == 1;
        for (trigger, found) in own {
            let fates = FateNotes { table: facts.name };
            let name = &trigger.named.name;
            match found.filter(|_| is_alone) {
                Some(mut translated) => {
                    translated.function = self.taken.draw(&translated.name, "", "function");
                    self.note(fates.changed(ObjectKind::Trigger, name, CHANGE));
                    table.triggers.push(translated);
                }
                None => {
                    let left = fates.left_out(ObjectKind::Trigger, name, OTHER);
                    self.note(ObjectFate { sql: trigger.named.sql.clone(), ..left });
                }
            }
        }
    }
}

/// Returns the translation. `None`: the trigger has another form.
fn translated(trigger: &TriggerDefinition, table: &TableDdl, collation: impl Fn(&str) -> String) -> Option<TriggerDdl> {
    let text = trigger_text(&tokens(&trigger.named.sql)?, &table.name)?;
    let own = |name: &String| table.column(name).map(|column| column.name.clone());
    let column = table.column(&text.column).filter(|column| column.generated.is_none())?;
    let is_rowid = ["rowid", "_rowid_", "oid"].iter().any(|name| text.key.eq_ignore_ascii_case(name));
    let is_key = |key: &str| {
        let primary = table.keys.iter().find(|own| own.primary);
        primary.is_some_and(|own| matches!(own.columns.as_slice(), [one] if one.eq_ignore_ascii_case(key)))
    };
    let is_time_of_key = is_key(&text.column);
    if is_time_of_key || !(is_key(&text.key) || (is_rowid && table.column(&text.key).is_none())) {
        return None;
    }
    let only_if = match text.when.as_slice() {
        [] => None,
        when if collation(&column.name) == "BINARY" => Some(unchanged(when, &text.column)?),
        _ => return None,
    };
    let source = sql(&text.value, &[]);
    let DefaultSql::Changing(value) = default_sql(&source, &column.kind, &Scope::default()).ok()? else {
        return None;
    };
    let mut of = text.of.iter().map(own).collect::<Option<Vec<String>>>()?;
    let all = std::mem::take(&mut of);
    all.into_iter().for_each(|column| {
        if !of.contains(&column) {
            of.push(column)
        }
    });
    // SQLite notes no change of a generated column, and PostgreSQL the change of what it is made of.
    if of.iter().any(|column| table.is_generated(column)) {
        return None;
    }
    let name = trigger.named.name.clone();
    is_usable(&name).then(|| TriggerDdl {
        name,
        of,
        only_if,
        column: column.name.clone(),
        value,
        source,
        function: String::new(),
    })
}

/// Returns the operator of a condition that the update leaves the column as it is. `None`: it is another condition.
fn unchanged(when: &[SourceToken], column: &str) -> Option<&'static str> {
    let when = match when {
        [first, middle @ .., last] if first.is_symbol("(") && last.is_symbol(")") => middle,
        all => all,
    };
    let [row, dot, name, equal, other_row, other_dot, other_name] = when else { return None };
    let is_column = |token: &SourceToken| token.name().is_some_and(|name| name.eq_ignore_ascii_case(column));
    let rows = (row.is_word("NEW") && other_row.is_word("OLD")) || (row.is_word("OLD") && other_row.is_word("NEW"));
    let is_it = rows && dot.is_symbol(".") && other_dot.is_symbol(".") && is_column(name) && is_column(other_name);
    match equal {
        SourceToken::Symbol("=" | "==") if is_it => Some("="),
        equal if is_it && equal.is_word("IS") => Some("IS NOT DISTINCT FROM"),
        _ => None,
    }
}

/// Reads the text. `None`: the trigger has another form.
fn trigger_text(all: &[SourceToken], table: &str) -> Option<TriggerText> {
    let mut text = TriggerText::default();
    let after = all.iter().position(|token| token.is_word("AFTER"))?;
    let mut rest = words(&all[after..], &["AFTER", "UPDATE"])?;
    if let Some(of) = words(rest, &["OF"]) {
        let on = of.iter().position(|token| token.is_word("ON"))?;
        let names = of[..on].iter().enumerate();
        for (n, token) in names {
            match n % 2 {
                0 => text.of.push(token.name()?.to_owned()),
                _ if token.is_symbol(",") => {}
                _ => return None,
            }
        }
        rest = &of[on..];
    }
    rest = named(words(rest, &["ON"])?, table)?;
    rest = words(rest, &["FOR", "EACH", "ROW"]).unwrap_or(rest);
    if let Some(when) = words(rest, &["WHEN"]) {
        let begin = when.iter().position(|token| token.is_word("BEGIN"))?;
        text.when = when[..begin].to_vec();
        rest = &when[begin..];
    }
    rest = words(named(words(rest, &["BEGIN", "UPDATE"])?, table)?, &["SET"])?;
    let [column, equal, rest @ ..] = rest else { return None };
    text.column = column.name().filter(|_| equal.is_symbol("="))?.to_owned();
    let place = rest.iter().position(|token| token.is_word("WHERE"))?;
    text.value = without_brackets(&rest[..place]).to_vec();
    let [key, equal, row, dot, same, end, last, after @ ..] = &rest[place + 1..] else { return None };
    let is_same = key.name()?.eq_ignore_ascii_case(same.name()?);
    let is_row = row.is_word("NEW") && dot.is_symbol(".") && equal.is_symbol("=") && is_same;
    let is_end = end.is_symbol(";") && last.is_word("END") && after.iter().all(|token| token.is_symbol(";"));
    text.key = key.name()?.to_owned();
    (is_row && is_end).then_some(text)
}

fn words<'t>(tokens: &'t [SourceToken], words: &[&str]) -> Option<&'t [SourceToken]> {
    let is_it = tokens.len() >= words.len() && tokens.iter().zip(words).all(|(token, word)| token.is_word(word));
    is_it.then(|| &tokens[words.len()..])
}

fn named<'t>(tokens: &'t [SourceToken], name: &str) -> Option<&'t [SourceToken]> {
    let (first, rest) = tokens.split_first()?;
    first.name().is_some_and(|own| own.eq_ignore_ascii_case(name)).then_some(rest)
}

fn without_brackets(tokens: &[SourceToken]) -> &[SourceToken] {
    let is_open = tokens.first().is_some_and(|token| token.is_symbol("("));
    match inside(tokens, 0).filter(|inner| is_open && inner.len() + 2 == tokens.len()) {
        Some(inner) => without_brackets(inner),
        None => tokens,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_trigger_that_notes_the_time_is_read() {
        let read = |sql: &str| trigger_text(&tokens(sql).expect("tokens"), "t");
        let text = read(
            "CREATE TRIGGER x AFTER UPDATE OF a, [b] ON T FOR EACH ROW WHEN NEW.at = OLD.at \
             BEGIN UPDATE t SET at = (datetime('now')) WHERE id = NEW.id; END",
        )
        .expect("the trigger");
        assert_eq!(
            (text.of, text.column, text.key),
            (vec!["a".to_owned(), "b".to_owned()], "at".to_owned(), "id".to_owned())
        );
        assert_eq!(unchanged(&text.when, "at"), Some("="));
        for other in [
            "CREATE TRIGGER x AFTER INSERT ON t BEGIN UPDATE t SET at = 1 WHERE id = NEW.id; END",
            "CREATE TRIGGER x AFTER UPDATE ON t BEGIN UPDATE u SET at = 1 WHERE id = NEW.id; END",
            "CREATE TRIGGER x AFTER UPDATE ON t BEGIN UPDATE t SET at = 1, n = 2 WHERE id = OLD.id; END",
            "CREATE TRIGGER x AFTER UPDATE ON t BEGIN UPDATE t SET at = 1 WHERE id = NEW.other; END",
            "CREATE TRIGGER x AFTER UPDATE ON t BEGIN UPDATE t SET at = 1 WHERE id = NEW.id; DELETE FROM u; END",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
