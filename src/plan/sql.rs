//! The plan as SQL: the statements on the target, in order, to be read before a run.
//!
//! It illustrates the run and is not a script: the program sends the rows and writes the ledger. Names and literals of any
//! content stay what they are, and no character of theirs controls a terminal or leaves a comment.

use std::fmt::Write;

use crate::model::ident::{quoted, quoted_list};
use crate::text::{is_hostile, printable_lines};

use super::{Feed, LoadPlan, Node, Plan};

/// Returns the statements on the target, with a comment before each group.
pub fn sql(plan: &Plan) -> String {
    let mut out = String::new();
    comment(&mut out, &format!("{} into schema {}", plan.name, quoted(&plan.schema)));
    if !plan.detach.off.is_empty() {
        out.push('\n');
        comment(&mut out, "detached first, in one transaction (keys and indexes of large tables alone)");
        plan.detach.off.iter().flat_map(|o| &o.detach_sql).for_each(|s| statement(&mut out, s));
    }
    for node in &plan.order {
        out.push('\n');
        match node {
            Node::Owner => owner(&mut out, plan),
            Node::Load(n) => load(&mut out, plan, &plan.loads[*n]),
        }
    }
    if !plan.detach.off.is_empty() {
        out.push('\n');
        comment(&mut out, "reattached, keys before the foreign keys that depend on them");
        let mut off: Vec<_> = plan.detach.off.iter().collect();
        off.sort_by_key(|object| std::cmp::Reverse(object.kind));
        off.iter().flat_map(|o| &o.reattach_sql).for_each(|s| statement(&mut out, s));
    }
    out
}

/// Writes a comment of one line.
fn comment(out: &mut String, text: &str) {
    let _ = writeln!(out, "-- {}", printable_lines(&text.replace('\n', " ")));
}

fn statement(out: &mut String, sql: &str) {
    let _ = writeln!(out, "{};", inert(sql));
}

/// Parameters from `$1` on.
fn parameters(count: usize) -> String {
    (1..=count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

fn owner(out: &mut String, plan: &Plan) {
    let Some(owner) = &plan.owner else { return };
    let terms: Vec<String> =
        owner.natural.iter().zip(1..).map(|(c, n)| format!("{} = ${n}", quoted(&c.name))).collect();
    comment(out, "the owner");
    let table = format!("{}.{}", quoted(&plan.schema), quoted(&owner.table));
    statement(out, &format!("SELECT {} FROM {table} WHERE {}", quoted(&owner.key), terms.join(" AND ")));
    if let Some(create) = &owner.create {
        let columns = quoted_list(owner.natural.iter().chain(create).map(|c| &c.name));
        let values = parameters(owner.natural.len() + create.len());
        statement(out, &format!("INSERT INTO {table} ({columns}) VALUES ({values}) RETURNING {}", quoted(&owner.key)));
    }
}

fn load(out: &mut String, plan: &Plan, load: &LoadPlan) {
    comment(out, &format!("load.{}: each batch one transaction, its ledger row first", load.name));
    for column in &load.columns {
        if let Feed::Issued(sequence) = &column.feed {
            let name = crate::model::ident::literal(&sequence.name);
            comment(out, &format!("for {}, once a row", column.name));
            statement(out, &format!("SELECT nextval({})", name.trim_start()));
        }
    }
    let columns = quoted_list(load.columns.iter().map(|c| &c.name));
    let table = format!("{}.{}", quoted(&plan.schema), quoted(&load.table));
    let format = if load.as_text { "text" } else { "binary" };
    match &load.conflict {
        None => statement(out, &format!("COPY {table} ({columns}) FROM STDIN (FORMAT {format})")),
        Some(key) => {
            statement(out, &format!("COPY pg_temp.migrate_piece ({columns}) FROM STDIN (FORMAT {format})"));
            let key = quoted_list(key);
            let select = format!("SELECT {columns} FROM pg_temp.migrate_piece WHERE migrate_place <> ALL ($1)");
            statement(out, &format!("INSERT INTO {table} ({columns}) {select} ON CONFLICT ({key}) DO NOTHING"));
        }
    }
}

/// A quoted part of a statement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    /// `"name"` or `'text'`: the quote is doubled inside.
    Plain(char),
    /// `E'text'`, in which a backslash escapes.
    Escapes,
}

/// The statement with the same meaning, in which no name and no literal has a raw line break or control character: they are
/// written as `U&"\000A"`.
fn inert(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(at) = rest.find(['"', '\'']) {
        let (before, quoted) = rest.split_at(at);
        let quote = if quoted.starts_with('"') { '"' } else { '\'' };
        let escapes = quote == '\'' && has_prefix(before, 'E');
        let kind = if escapes { Quoting::Escapes } else { Quoting::Plain(quote) };
        let end = end_of(&quoted[1..], kind);
        let inside = &quoted[1..1 + end];
        out.push_str(&outside(before));
        match kind {
            Quoting::Plain(_) if inside.contains(is_hostile) => {
                if out.ends_with(char::is_alphanumeric) {
                    out.push(' ');
                }
                out.push_str("U&");
                out.push(quote);
                inside.chars().for_each(|c| match c {
                    '\\' => out.push_str("\\\\"),
                    c => escaped(&mut out, c, ["\\", "\\+"]),
                });
                out.push(quote);
            }
            Quoting::Plain(_) => {
                out.push(quote);
                out.push_str(inside);
                out.push(quote);
            }
            Quoting::Escapes => {
                out.push('\'');
                inside.chars().for_each(|c| escaped(&mut out, c, ["\\u", "\\U00"]));
                out.push('\'');
            }
        }
        rest = quoted.get(end + 2..).unwrap_or_default();
    }
    out.push_str(&outside(rest));
    out
}

/// Writes a character, or its code point after the prefix for four or for six digits.
fn escaped(out: &mut String, c: char, prefixes: [&str; 2]) {
    let code = u32::from(c);
    let _ = match is_hostile(c) {
        false => write!(out, "{c}"),
        true if code <= 0xffff => write!(out, "{}{code:04X}", prefixes[0]),
        true => write!(out, "{}{code:06X}", prefixes[1]),
    };
}

/// The length of a quoted part, without its last quote.
fn end_of(text: &str, kind: Quoting) -> usize {
    let quote = if kind == Quoting::Plain('"') { '"' } else { '\'' };
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && kind == Quoting::Escapes {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at;
        }
    }
    text.len()
}

/// Returns true if the text ends in this letter, and the letter is not the end of a word.
fn has_prefix(before: &str, letter: char) -> bool {
    let mut back = before.chars().rev();
    back.next().is_some_and(|c| c.eq_ignore_ascii_case(&letter)) && !back.next().is_some_and(char::is_alphanumeric)
}

/// A part of a statement without quotes. The server writes no control character there; line breaks stay.
fn outside(text: &str) -> String {
    text.split('\n').map(crate::text::printable).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_keeps_its_meaning_without_raw_line_breaks_and_controls() {
        let table = [
            ("COPY \"a b\" FROM STDIN", "COPY \"a b\" FROM STDIN"),
            ("DROP \"t\nDROP TABLE users; --\"", "DROP U&\"t\\000ADROP TABLE users; --\""),
            ("x \"a\"\"\u{1b}\\b\"", "x U&\"a\"\"\\001B\\\\b\""),
            ("x '\u{202e}''y'", "x U&'\\202E''y'"),
            ("x E'a\\'\u{9b}' y", "x E'a\\'\\u009B' y"),
            ("x \"\u{e0041}\"", "x U&\"\\+0E0041\""),
            ("x E'\u{e0041}'", "x E'\\U000E0041'"),
            ("NAME'\n'", "NAME U&'\\000A'"),
            ("a\nb \"c", "a\nb \"c\""),
        ];
        for (sql, expected) in table {
            assert_eq!(inert(sql), expected);
        }
    }

    #[test]
    fn a_comment_is_one_line() {
        let mut out = String::new();
        comment(&mut out, "load.t\nDROP TABLE users;\r\u{1b}[2J --");
        assert_eq!(out, "-- load.t DROP TABLE users; \\u{1b}[2J --\n");
    }
}
