//! The text of the tables: a file that `psql -1 -f` runs.

use super::ddl::{
    CheckDdl, ColumnDdl, Ddl, Fate, ForeignDdl, IndexDdl, KeyDdl, ObjectFate, ObjectKind, TableDdl, TriggerDdl, ViewDdl,
};
use super::distribution;
use super::names::{name, names, text_literal};
use super::source_comments::CommentDdl;
use crate::text::{count, printable, wrapped};

/// Columns of a comment.
const WIDTH: usize = 120;

/// Returns the file. The same tables give the same bytes. `source`: the name of the source's file.
pub fn text(ddl: &Ddl, source: &str) -> String {
    let mut out = head(ddl, source);
    for table in &ddl.tables {
        out.push('\n');
        table_head(&mut out, ddl, table);
        create_table(&mut out, table);
        table.indexes.iter().for_each(|index| out.push_str(&create_index(&table.name, index)));
        table.triggers.iter().for_each(|trigger| out.push_str(&create_trigger(&table.name, trigger)));
        table.comments.iter().for_each(|comment| comment_on(&mut out, table, comment));
    }
    let statements = distribution::statements(ddl);
    if !statements.is_empty() {
        let words = "Distribution by Citus, on its coordinator, while the tables are empty and without foreign keys.";
        out.push_str(&format!("\n{}{}\n", comment("", words), statements.join("\n")));
    }
    if ddl.tables.iter().any(|table| !table.foreign.is_empty()) {
        out.push('\n');
        out.push_str(&comment("", "Foreign keys, after all tables."));
    }
    for table in &ddl.tables {
        table.foreign.iter().for_each(|foreign| add_foreign_key(&mut out, table, foreign));
    }
    for view in &ddl.views {
        out.push('\n');
        let is_it = |object: &&ObjectFate| object.kind == ObjectKind::View && object.name == view.name;
        ddl.objects.iter().filter(is_it).for_each(|object| fate(&mut out, object));
        out.push_str(&create_view(view));
    }
    out
}

fn head(ddl: &Ddl, source: &str) -> String {
    let sum = |fate| ddl.count(fate) as u64;
    let mut out =
        comment("", &format!("Made by `migrate schema` from {source}, for PostgreSQL {} and later.", ddl.oldest()));
    out.extend(ddl.newest_need().map(|need| comment("", &format!("An older version does not have {need}."))));
    out.push_str(&comment("", "Run the file in one transaction: psql -1 -v ON_ERROR_STOP=1 -f FILE"));
    out.push_str(&comment(
        "",
        &format!(
            "{} of the source: {} kept, {} changed, {} left out.",
            count(ddl.objects.len() as u64, "object", "objects"),
            sum(Fate::Kept),
            sum(Fate::Changed),
            sum(Fate::LeftOut)
        ),
    ));
    let is_listed = |object: &&ObjectFate| match object.kind {
        ObjectKind::View => object.fate == Fate::LeftOut,
        _ => object.table.is_none() && object.fate != Fate::Kept,
    };
    ddl.objects.iter().filter(is_listed).for_each(|object| fate(&mut out, object));
    out
}

/// The comment above a table: its rows, the reasons for its types, the fates of its objects.
fn table_head(out: &mut String, ddl: &Ddl, table: &TableDdl) {
    out.push_str(&comment("", &format!("{}: {}", table.name, count(table.rows, "row", "rows"))));
    table.notes.iter().for_each(|note| out.push_str(&comment("  ", note)));
    for column in &table.columns {
        out.push_str(&comment("  ", &format!("{}: {}; {}", column.name, column.kind.name, column.why)));
    }
    ddl.objects.iter().filter(|object| object.table.as_ref() == Some(&table.name)).for_each(|object| fate(out, object));
}

fn fate(out: &mut String, object: &ObjectFate) {
    let (kind, name) = (object.kind.words(), &object.name);
    let proof = object.proof.map(|proof| format!("; {}", proof.words())).unwrap_or_default();
    match object.fate {
        Fate::Kept => out.push_str(&comment("  ", &format!("kept: {kind} {name}{proof}"))),
        Fate::Changed => out.push_str(&comment("  ", &format!("changed: {kind} {name}: {}{proof}", object.why))),
        Fate::LeftOut => out.push_str(&comment("  ", &format!("left out: {kind} {name}: {}", object.why))),
    }
    for line in object.sql.lines() {
        out.push_str(&format!("--     {}\n", printable(line)));
    }
}

/// A comment. No character of a name ends it.
fn comment(indent: &str, words: &str) -> String {
    let words = printable(words);
    let room = WIDTH - 3 - indent.len();
    let lines = wrapped(&words, room, room - 2);
    let more = |n: usize| if n == 0 { "" } else { "  " };
    lines.iter().enumerate().map(|(n, line)| format!("-- {indent}{}{line}\n", more(n))).collect()
}

fn create_table(out: &mut String, table: &TableDdl) {
    let columns = table.columns.iter().map(column_sql);
    let keys = table.keys.iter().map(key_sql).chain(table.checks.iter().map(check_sql));
    let lines: Vec<String> = columns.chain(keys).map(|line| format!("    {line}")).collect();
    out.push_str(&format!("CREATE TABLE {} (\n{}\n);\n", name(&table.name), lines.join(",\n")));
}

fn column_sql(column: &ColumnDdl) -> String {
    let mut sql = format!("{} {}", name(&column.name), column.kind.name);
    if let Some(identity) = &column.identity {
        let sequence = identity.sequence.as_ref().map(|sequence| format!("SEQUENCE NAME {}", name(sequence)));
        let start = identity.start.map(|start| format!("START WITH {start}"));
        let options: Vec<String> = sequence.into_iter().chain(start).collect();
        let options = if options.is_empty() { String::new() } else { format!(" ({})", options.join(" ")) };
        sql.push_str(&format!(" GENERATED BY DEFAULT AS IDENTITY{options}"));
    } else if column.not_null {
        sql.push_str(" NOT NULL");
    }
    if let Some(generated) = &column.generated {
        sql.push_str(&format!(" GENERATED ALWAYS AS ({generated}) STORED"));
    } else if let Some(default) = &column.default {
        sql.push_str(&format!(" DEFAULT {default}"));
    }
    sql
}

fn check_sql(check: &CheckDdl) -> String {
    let constraint = check.name.as_ref().map(|own| format!("CONSTRAINT {} ", name(own))).unwrap_or_default();
    format!("{constraint}CHECK ({})", check.sql)
}

fn key_sql(key: &KeyDdl) -> String {
    let constraint = key.name.as_ref().map(|own| format!("CONSTRAINT {} ", name(own))).unwrap_or_default();
    let kind = if key.primary { "PRIMARY KEY" } else { "UNIQUE" };
    format!("{constraint}{kind} ({})", names(&key.columns))
}

/// Returns the statement that adds a CHECK to a table.
pub fn add_check(table: &str, check: &CheckDdl) -> String {
    format!("ALTER TABLE {} ADD {};\n", name(table), check_sql(check))
}

/// Returns the statement that makes an index.
pub fn create_index(table: &str, index: &IndexDdl) -> String {
    let unique = if index.is_unique { "UNIQUE " } else { "" };
    let condition = index.condition.as_ref().map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
    let (index_name, table, parts) = (name(&index.name), name(table), index.parts.join(", "));
    format!("CREATE {unique}INDEX {index_name} ON {table} ({parts}){condition};\n")
}

/// Returns the statement that makes a view.
pub fn create_view(view: &ViewDdl) -> String {
    format!("CREATE VIEW {} ({}) AS\n    {};\n", name(&view.name), names(&view.names()), view.sql)
}

/// The function and the trigger that note the time of an update.
fn create_trigger(table: &str, trigger: &TriggerDdl) -> String {
    let (own, function, column) = (name(&trigger.name), name(&trigger.function), name(&trigger.column));
    let of = if trigger.of.is_empty() { String::new() } else { format!(" OF {}", names(&trigger.of)) };
    let when = trigger.only_if.map(|operator| format!(" WHEN (NEW.{column} {operator} OLD.{column})"));
    let when = when.unwrap_or_default();
    let body = format!("BEGIN NEW.{column} := {}; RETURN NEW; END", trigger.value);
    format!(
        "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS {};\n\
         CREATE TRIGGER {own} BEFORE UPDATE{of} ON {} FOR EACH ROW{when} EXECUTE FUNCTION {function}();\n",
        text_literal(&body),
        name(table)
    )
}

/// Adds a comment of the source, if its column is there.
fn comment_on(out: &mut String, table: &TableDdl, comment: &CommentDdl) {
    let (own, text) = (name(&table.name), text_literal(&comment.text));
    match &comment.column {
        None => out.push_str(&format!("COMMENT ON TABLE {own} IS {text};\n")),
        Some(column) if table.column(column).is_some() => {
            out.push_str(&format!("COMMENT ON COLUMN {own}.{} IS {text};\n", name(column)));
        }
        Some(_) => {}
    }
}

fn add_foreign_key(out: &mut String, table: &TableDdl, foreign: &ForeignDdl) {
    let constraint = foreign.name.as_ref().map(|own| format!("CONSTRAINT {} ", name(own))).unwrap_or_default();
    let mut sql = format!(
        "ALTER TABLE {} ADD {constraint}FOREIGN KEY ({}) REFERENCES {} ({})",
        name(&table.name),
        names(&foreign.columns),
        name(&foreign.parent),
        names(&foreign.parent_columns)
    );
    for (event, action) in [("UPDATE", &foreign.on_update), ("DELETE", &foreign.on_delete)] {
        if !action.is_empty() {
            sql.push_str(&format!(" ON {event} {action}"));
        }
    }
    if !foreign.on_delete_columns.is_empty() {
        sql.push_str(&format!(" ({})", names(&foreign.on_delete_columns)));
    }
    if foreign.is_deferrable {
        sql.push_str(" DEFERRABLE");
    }
    if foreign.is_deferred {
        sql.push_str(" INITIALLY DEFERRED");
    }
    out.push_str(&format!("{sql};\n"));
}
