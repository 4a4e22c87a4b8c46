//! Fingerprints, form 2: texts by which the ledger recognises a plan and the tables that it loads.
//!
//! The fingerprint of a load, or of the target's tables, has one line for each thing that may change. A line is the
//! first 16 hexadecimal digits of a SHA-256, a blank and the name of the thing. The hash is taken over the length of a
//! text in bytes, as eight bytes in network order, and over the text itself.
//!
//! The hashed text is one expression: `(word item item ...)`. An item is an expression, a number, or a text in double
//! quotes, in which `"` and `\` have a backslash in front of them. A flag is an expression without items. It is written
//! only if it is set, and what is absent is not written.
//!
//! A type is written by the name that PostgreSQL prints with `search_path = pg_catalog`, schema included, and never by
//! its OID: after a dump and a restore the OIDs of a database's own types differ. Batch sizes and lanes are not part of
//! a fingerprint.
//!
//! The form is frozen. Whoever changes one byte of it makes a new form with a new number, since the ledger keeps the
//! number next to the fingerprints.

use sha2::{Digest, Sha256};

use crate::model::hex::hex;
use crate::model::ledger::Fingerprints;
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::rules::{Differ, Existing};
use crate::model::schema::{Address, ForeignKey, Sequence, TargetColumn, TargetSchema, TargetTable, TargetUnique};
use crate::model::select::{Expr, Relation, Select};
use crate::plan::{ColumnPlan, Feed, LoadPlan, LookupPlan, PlannedStep, StatedReference};

use super::expression::Expression;
use super::values::{add_rules, raw, value};

/// Returns the fingerprints of loads and of their tables in form 2.
pub fn fingerprints(loads: &[LoadPlan], target: &TargetSchema) -> Fingerprints {
    Fingerprints {
        catalog: lines(&table_texts(loads, target)),
        loads: loads.iter().map(|load| (load.name.clone(), lines(&load_texts(load)))).collect(),
    }
}

/// Returns a line for each name and text.
pub fn lines(texts: &[(String, String)]) -> String {
    let line = |(name, text): &(String, String)| format!("{} {name}", &sha256(text)[..16]);
    texts.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Returns the SHA-256 of a text with its length, in hexadecimal.
pub fn sha256(text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text);
    hex(&hash.finalize())
}

/// Returns the name and the text of each line of a load's fingerprint.
pub fn load_texts(load: &LoadPlan) -> Vec<(String, String)> {
    let LoadPlan {
        name: _,
        table,
        source: _,
        select: Select { relation, address, exprs, params },
        columns,
        conflict,
        when_empty,
        existing,
        surrogate: _,
        triggers_fire,
        as_text,
        unfed,
    } = load;
    let rows = Expression::new("rows").with(relation_expression(relation)).with(address_expression(address));
    let rows = rows.with_all(params.iter().map(|(name, value)| Expression::new("param").text(name).with(raw(value))));
    let options = Expression::new("options")
        .with(Expression::new("table").text(table))
        .with_all(conflict.as_ref().map(|columns| Expression::new("conflict").texts(columns)))
        .flag("when-empty", *when_empty)
        .flag("append", *existing == Some(Existing::Append))
        .flag("triggers-fire", *triggers_fire)
        .flag("text-copy", *as_text)
        .with(Expression::new("not-sent").texts(unfed))
        .with_all(existing.as_ref().and_then(existing_expression));
    let mut texts = vec![("its rows".to_owned(), rows.finished()), ("its options".to_owned(), options.finished())];
    texts.extend(
        columns.iter().map(|column| (format!("column {}", column.name), column_expression(column, exprs).finished())),
    );
    let order = columns.iter().fold(Expression::new("order"), |order, column| order.text(&column.name));
    let read = Expression::new("read").with_all(exprs.iter().map(read_expression));
    texts.push((ORDER.to_owned(), order.with(read).finished()));
    texts
}

/// Returns the expression of a treatment of existing rows that the first version of the form did not have.
fn existing_expression(existing: &Existing) -> Option<Expression> {
    match existing {
        Existing::Append => None,
        Existing::Replace => Some(Expression::new("replace")),
        Existing::Match { key, differ } => {
            let matched = Expression::new("match").with_all(key.as_ref().map(|key| Expression::new("key").texts(key)));
            Some(matched.with_all(differ.map(|differ| match differ {
                Differ::Source => Expression::new("source"),
                Differ::Target => Expression::new("target"),
            })))
        }
    }
}

/// The name of the line for the columns that are sent and the expressions that are read, in their order.
pub const ORDER: &str = "the order of its columns";

fn relation_expression(relation: &Relation) -> Expression {
    match relation {
        Relation::Table(name) => Expression::new("table").text(name),
        Relation::Sql(sql) => Expression::new("sql").text(sql),
        Relation::Rows { columns, rows } => Expression::new("written")
            .with(Expression::new("columns").texts(columns))
            .with_all(rows.iter().map(|row| Expression::new("row").with_all(row.iter().map(raw)))),
    }
}

fn address_expression(address: &Address) -> Expression {
    match address {
        Address::Rowid(name) => Expression::new("rowid").text(name),
        Address::Key(columns) => Expression::new("key").texts(columns),
        Address::Ordinal => Expression::new("ordinal"),
    }
}

fn read_expression(expr: &Expr) -> Expression {
    match expr {
        Expr::Column(name) => Expression::new("column").text(name),
        Expr::Sql(sql) => Expression::new("sql").text(sql),
    }
}

fn column_expression(column: &ColumnPlan, exprs: &[Expr]) -> Expression {
    let ColumnPlan { name, kind, not_null, feed, rules, declared: _, shift, refers } = column;
    let written = Expression::new("column")
        .text(name)
        .with(type_expression(kind))
        .flag("not-null", *not_null)
        .with(feed_expression(feed, exprs))
        .with_all(shift.as_ref().map(|table| Expression::new("shift").text(table)))
        .with_all(refers.as_ref().and_then(|refers| by_type_expression(refers, exprs)));
    add_rules(written, rules)
}

/// Returns the expression of a reference by type, which the first version of the form did not have. Every other statement
/// changes nothing but the shift.
fn by_type_expression(refers: &StatedReference, exprs: &[Expr]) -> Option<Expression> {
    let StatedReference::ByType { by, tables } = refers else { return None };
    let one = |(name, table): &(String, Option<String>)| Expression::new("type").text(name).texts(table.as_slice());
    Some(Expression::new("by").with_all(exprs.get(*by).map(read_expression)).with_all(tables.iter().map(one)))
}

fn feed_expression(feed: &Feed, exprs: &[Expr]) -> Expression {
    match feed {
        Feed::Cell(n) => Expression::new("cell").with_all(exprs.get(*n).map(read_expression)),
        Feed::Constant(constant) => Expression::new("constant").with(value(constant)),
        Feed::Owner => Expression::new("owner"),
        Feed::Issued(sequence) => Expression::new("issued").with(sequence_expression(sequence)),
        Feed::Lookup(lookup) => lookup_expression(lookup, exprs),
    }
}

fn lookup_expression(lookup: &LookupPlan, exprs: &[Expr]) -> Expression {
    let LookupPlan { table, take, take_kind, steps, ambiguous_is_fault, missing, quiet, reference, rules } = lookup;
    let written = Expression::new("lookup")
        .text(table)
        .text(take)
        .with(type_expression(take_kind))
        .with_all(steps.iter().map(|step| step_expression(step, exprs)))
        .flag("ambiguous-is-fault", *ambiguous_is_fault)
        .with(Expression::new("missing").with(value(missing)))
        .flag("quiet", *quiet)
        .with_all(reference.and_then(|n| exprs.get(n)).map(|e| Expression::new("reference").with(read_expression(e))));
    add_rules(written, rules)
}

fn step_expression(step: &PlannedStep, exprs: &[Expr]) -> Expression {
    let PlannedStep { target, source, nocase } = step;
    let keys = target.iter().map(|(sql, kind)| Expression::new("target").text(sql).with(type_expression(kind)));
    Expression::new("step")
        .with_all(keys)
        .with(Expression::new("source").with_all(source.iter().filter_map(|n| exprs.get(*n)).map(read_expression)))
        .flag("nocase", *nocase)
}

fn sequence_expression(sequence: &Sequence) -> Expression {
    let Sequence { name, increment, start, min, max, owned } = sequence;
    let numbers = Expression::new("sequence").text(name).number(*increment).number(*start).number(*min).number(*max);
    numbers.flag("owned", *owned)
}

/// Writes a type with the labels of its enum, which are part of what a value means.
fn type_expression(of: &ColumnType) -> Expression {
    let ColumnType { kind, oid: _, name: _, domain: _, bytewise, finite } = of;
    named(of).with_all(labels(kind)).flag("bytewise", *bytewise).flag("finite", *finite)
}

fn named(of: &ColumnType) -> Expression {
    let domain = of.domain.as_ref().map(|domain| Expression::new("domain").text(domain));
    Expression::new("type").text(&of.name).with_all(domain)
}

fn labels(kind: &Kind) -> Option<Expression> {
    match kind {
        Kind::Enum { labels } => Some(Expression::new("labels").texts(labels)),
        Kind::Array(element) | Kind::Range(element) => Some(Expression::new("of").with(type_expression(element))),
        Kind::Bool
        | Kind::Int2
        | Kind::Int4
        | Kind::Int8
        | Kind::Float4
        | Kind::Float8
        | Kind::Numeric { limit: _ } => None,
        Kind::Text | Kind::Varchar { limit: _ } | Kind::Char { width: _ } | Kind::Citext | Kind::Bytea => None,
        Kind::Date | Kind::Time { precision: _ } | Kind::Timestamp { precision: _ } => None,
        Kind::Timestamptz { precision: _ } | Kind::Timetz { precision: _ } | Kind::Interval { precision: _ } => None,
        Kind::IntervalOf { least: _, precision: _ } | Kind::Uuid | Kind::Json | Kind::Jsonb | Kind::Inet => None,
        Kind::Money | Kind::Hstore | Kind::Tsvector | Kind::Cidr | Kind::Geometry | Kind::Bent { how: _ } => None,
        Kind::InetAsText | Kind::Other => None,
    }
}

/// Returns the name and the text of each table that a load writes to.
pub fn table_texts(loads: &[LoadPlan], target: &TargetSchema) -> Vec<(String, String)> {
    let loaded = target.tables.iter().filter(|(name, _)| loads.iter().any(|load| load.table == **name));
    loaded.map(|(name, table)| (name.clone(), table_text(&target.schema, table))).collect()
}

/// Writes a table without its OID, its rows and the rights on it.
fn table_text(schema: &str, table: &TargetTable) -> String {
    let TargetTable {
        oid: _,
        columns,
        unique,
        foreign,
        checks,
        triggers,
        bending: _,
        inserting: _,
        has_rows: _,
        unlogged: _,
        heirs: _,
        rules: _,
        altered: _,
    } = table;
    let check = |(name, definition): &(String, String)| Expression::new("check").text(name).text(definition);
    let trigger = |(name, enabled): &(String, char)| Expression::new("trigger").text(name).text(&enabled.to_string());
    Expression::new("table")
        .text(schema)
        .with_all(columns.iter().map(table_column))
        .with_all(unique.iter().map(unique_key))
        .with_all(foreign.iter().map(foreign_key))
        .with_all(checks.iter().map(check))
        .with_all(triggers.iter().map(trigger))
        .finished()
}

fn table_column(column: &TargetColumn) -> Expression {
    let TargetColumn { name, kind, not_null, has_default, generated, sequence, draws: _, drawn_in_partitions: _ } =
        column;
    Expression::new("column")
        .text(name)
        .with(named(kind))
        .flag("not-null", *not_null)
        .flag("default", *has_default)
        .flag("generated", *generated)
        .with_all(sequence.as_ref().map(|sequence| Expression::new("sequence").text(&sequence.name)))
}

fn unique_key(key: &TargetUnique) -> Expression {
    let TargetUnique { name, columns, primary, nulls_equal, loose, deferrable } = key;
    Expression::new("unique")
        .text(name)
        .with(Expression::new("columns").texts(columns))
        .flag("primary", *primary)
        .flag("nulls-equal", *nulls_equal)
        .flag("loose", *loose)
        .flag("deferrable", *deferrable)
}

fn foreign_key(key: &ForeignKey) -> Expression {
    let ForeignKey {
        name,
        columns,
        parent_schema,
        parent,
        parent_columns,
        cascades,
        deferrable,
        match_full: _,
        is_enforced: _,
    } = key;
    Expression::new("foreign")
        .text(name)
        .with(Expression::new("columns").texts(columns))
        .with(Expression::new("parent").text(parent_schema).text(parent).texts(parent_columns))
        .flag("cascades", *cascades)
        .flag("deferrable", *deferrable)
}
