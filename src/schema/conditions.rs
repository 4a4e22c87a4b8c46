//! CHECK constraints, generated columns, and the expressions and conditions of indexes.

use super::build::{Builder, TableFacts};
use super::compared::{ComparedSql, collated_source};
use super::ddl::{CheckDdl, FateNotes, ObjectFate, ObjectKind, TableDdl};
use super::expression::{OVERFLOW, Scope, Translated, ValueSort, expression};
use super::index_text::{IndexText, index_text};
use super::names::{is_usable, name};
use super::scope::ScopeFacts;
use super::table_text::GeneratedText;
use super::tokens::{SourceToken, sql};
use crate::model::definitions::IndexDefinition;
use crate::model::ident::quoted;

/// An index whose parts or condition are expressions.
#[derive(Default)]
pub struct TranslatedIndex {
    /// Its parts as SQL.
    pub parts: Vec<String>,
    /// The SQL of its condition.
    pub condition: Option<String>,
    /// The differences.
    pub changes: Vec<String>,
    /// Both sides of each expression. `None`: they cannot be compared.
    pub compared: Vec<Option<ComparedSql>>,
}

impl Builder<'_> {
    /// Returns the columns that expressions of a table can name. `None` if its text cannot be read.
    pub fn scope_facts<'s>(&'s self, facts: &'s TableFacts<'_>, table: &'s TableDdl) -> Option<ScopeFacts<'s>> {
        let text = facts.text.as_ref()?;
        let source = self.facts.source.tables.get(facts.name);
        let is_utf16 = self.facts.definitions.is_utf16;
        let stored = self.facts.stored.get(facts.name);
        Some(ScopeFacts { table, text, source, stored, is_utf16, ids: &self.ids })
    }

    /// Translates the generated columns and the CHECK constraints of a table.
    pub fn conditions(&mut self, facts: &TableFacts<'_>, table: &mut TableDdl) {
        let fates = FateNotes { table: facts.name };
        let Some(text) = &facts.text else {
            let why = "its text cannot be read, so that its CHECK constraints and deferrable keys are unknown";
            return self.note(fates.left_out(ObjectKind::Check, "all", why));
        };
        self.generated(facts, &text.generated, table);
        let Some(scope) = self.scope_facts(facts, table).map(|facts| facts.scope()) else { return };
        let columns: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
        for check in &text.checks {
            let shown =
                check.name.clone().or_else(|| check.column.clone()).unwrap_or_else(|| "of the table".to_owned());
            match condition_sql(&scope, &check.condition) {
                Ok(found) => {
                    let object = kept(&fates, ObjectKind::Check, &shown, &found);
                    let compared = ComparedSql::condition(&check.condition, &found, &columns);
                    self.translated(&object, Some(compared));
                    self.note(object);
                    let is_taken = |name: &String| table.checks.iter().any(|other| other.name.as_ref() == Some(name));
                    let name = check.name.clone().filter(|name| is_usable(name) && !is_taken(name));
                    table.checks.push(CheckDdl { name, sql: found.sql });
                }
                Err(why) => self.note(fates.left_out(ObjectKind::Check, &shown, why)),
            }
        }
        // PostgreSQL names the others, in this order, so that they differ from those before them.
        table.checks.sort_by_key(|check| check.name.is_none());
    }

    /// Translates the generated columns of a table.
    fn generated(&mut self, facts: &TableFacts<'_>, texts: &[GeneratedText], table: &mut TableDdl) {
        let fates = FateNotes { table: facts.name };
        let Some(scope) = self.scope_facts(facts, table).map(|facts| facts.scope_of_generated()) else { return };
        for generated in texts {
            let Some(column) = table.columns.iter_mut().find(|column| column.name == generated.column) else {
                continue;
            };
            match generated_sql(&scope, &generated.expression, ValueSort::of(&column.kind.kind)) {
                Ok(found) => {
                    let object = kept(&fates, ObjectKind::Generated, &generated.column, &found);
                    self.translated(&object, ComparedSql::value(&quoted(&generated.column), &found));
                    self.note(object);
                    let issuer = found.ids_of;
                    issuer.into_iter().for_each(|issuer| self.ids.insert(facts.name, &generated.column, issuer));
                    column.generated = Some(found.sql);
                }
                Err(why) => {
                    let why = format!("the column is an ordinary one, which receives its values: {why}");
                    self.note(fates.left_out(ObjectKind::Generated, &generated.column, why));
                }
            }
        }
    }

    /// Translates an index with expressions or a condition.
    ///
    /// # Errors
    /// The reason why PostgreSQL cannot have it.
    pub fn translated_index(
        &self,
        facts: &TableFacts<'_>,
        table: &TableDdl,
        index: &IndexDefinition,
    ) -> Result<TranslatedIndex, String> {
        let unread = "its text cannot be read";
        let scope = self.scope_facts(facts, table).ok_or(unread)?.scope();
        let IndexText { parts: texts, condition } = index_text(&index.sql).ok_or(unread)?;
        let mut found = TranslatedIndex::default();
        let columns: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
        for (n, part) in index.parts.iter().enumerate() {
            let value = match &part.column {
                Some(column) => {
                    let column = table.column(column).ok_or("a column of it is missing")?;
                    let sort = ValueSort::of(&column.kind.kind).unwrap_or(ValueSort::Opaque);
                    Translated::atom(name(&column.name), sort)
                }
                None => scope.translate(&expression(texts.get(n).ok_or(unread)?)?)?,
            };
            let is_text = value.sort == ValueSort::Text;
            let translated = match part.collation.as_str() {
                "NOCASE" if is_text => format!("lower({} COLLATE \"C\")", value.operand()),
                "RTRIM" if is_text => format!("rtrim({}, ' ')", value.sql),
                "BINARY" | "NOCASE" | "RTRIM" if part.column.is_some() => value.sql.clone(),
                "BINARY" | "NOCASE" | "RTRIM" => format!("({})", value.sql),
                other => return Err(format!("the collation {other} belongs to the application")),
            };
            if value.can_overflow {
                found.changes.push(OVERFLOW.to_owned());
            }
            let order = if part.is_descending { " DESC" } else { "" };
            let is_collated = is_text && part.collation != "BINARY";
            if part.column.is_none() || is_collated {
                let source = match &part.column {
                    Some(column) => quoted(column),
                    None => sql(texts.get(n).ok_or(unread)?, &columns),
                };
                let source = if is_collated { collated_source(&source, &part.collation) } else { source };
                let value = Translated { sql: translated.clone(), ..value };
                found.compared.push(ComparedSql::value(&source, &value));
            }
            found.parts.push(format!("{translated}{order}"));
        }
        if index.is_partial {
            let tokens = condition;
            let condition = condition_sql(&scope, &tokens)?;
            found.compared.push(Some(ComparedSql::condition(&tokens, &condition, &columns)));
            if condition.can_overflow {
                found.changes.push(OVERFLOW.to_owned());
            }
            found.condition = Some(condition.sql);
        }
        Ok(found)
    }
}

/// The fate of an object that is translated.
fn kept(fates: &FateNotes<'_>, kind: ObjectKind, name: &str, found: &Translated) -> ObjectFate {
    if found.can_overflow { fates.changed(kind, name, OVERFLOW) } else { fates.kept(kind, name) }
}

fn condition_sql(scope: &Scope, tokens: &[SourceToken]) -> Result<Translated, String> {
    scope.translate(&expression(tokens)?)?.truth()
}

/// Returns the expression of a generated column whose values are of a class.
fn generated_sql(scope: &Scope, tokens: &[SourceToken], sort: Option<ValueSort>) -> Result<Translated, String> {
    let found = scope.translate(&expression(tokens)?)?;
    match (found.sort, sort) {
        (own, Some(sort)) if own == sort => Ok(found),
        (ValueSort::Truth, Some(ValueSort::Integer)) => found.integer(),
        _ => Err("its values have another form in the column's type".to_owned()),
    }
}
