//! `existing = "match"`: rows of source and target with the same natural key are the same row.
//!
//! The rule is rewritten to what the mapping language has already. The table's id is left to the target, rows whose natural
//! key exists are skipped, and each reference to the table becomes a lookup by the natural key. A natural key that contains
//! a reference to another such table is written out by that table's natural key, on both sides.

use std::collections::BTreeMap;

use crate::mapping::{
    FeedRule, Load, LookupRule, MappedColumn, Mapping, MissingRule, OneOrMore, OrphanRule, OwnerRule, RefersRule,
    StepRule, Switch,
};
use crate::model::ident::{qualified, quoted};
use crate::model::pgtype::Kind;
use crate::model::record::Refusal;
use crate::model::rules::{Existing, Rules, Value};
use crate::model::schema::{ForeignKey, SourceSchema, TargetSchema, TargetTable};

use super::{
    ColumnPlan, Feed, HeldTable, IdColumn, LoadPlan, PlanFindings, SqlFacts, Treatment, classes, existing, relation,
    unmapped,
};

/// The number of tables through which a natural key is followed.
const MOST_TABLES: usize = 8;

/// A mapping whose rules of `existing = "match"` are rewritten.
pub struct WithMatches {
    /// The mapping, with the loads of `unlisted_tables = "copy"`.
    pub mapping: Mapping,
    /// The rules that cannot be carried out.
    pub refusals: Vec<Refusal>,
}

/// Rewrites every rule of `existing = "match"` for a table that holds rows. `sql`: SQLite's findings about the mapping's SQL.
pub fn with_matches(
    mapping: &Mapping,
    source: &SourceSchema,
    sql: &BTreeMap<String, SqlFacts>,
    target: &TargetSchema,
) -> WithMatches {
    let mut findings = PlanFindings::default();
    let copies = unmapped::copies(mapping, source, sql, target, &mut PlanFindings::default());
    let loads = mapping.loads.iter().cloned().chain(copies).map(|load| existing::with_default(load, mapping));
    let loads = loads.map(|load| classes::with_default_owner(load, mapping, target));
    let mut rewritten = Mapping { loads: loads.collect(), ..mapping.clone() };
    let mut matched = BTreeMap::new();
    for load in &rewritten.loads {
        if let Some(table) = MatchedTable::of(load, target, &mut findings) {
            matched.insert(load.to.clone(), table);
        }
    }
    if !matched.is_empty() {
        let rewriting = Rewriting { source, target, matched: &matched, before: &rewritten.loads };
        let loads = rewritten.loads.iter().map(|load| rewriting.load(load, &mut findings)).collect();
        rewritten.loads = loads;
    }
    WithMatches { mapping: rewritten, refusals: findings.refusals }
}

/// A table that holds rows and whose rows are matched.
struct MatchedTable {
    /// The load that writes to it.
    load: String,
    /// The natural key.
    key: Vec<String>,
    /// The id that is not part of the natural key. `None`: the natural key is the primary key.
    id: Option<String>,
    /// True if a sequence issues the id of a new row.
    is_issued: bool,
}

impl MatchedTable {
    /// Returns the table of a load, with its natural key. `None` if its rows are not matched or cannot be.
    fn of(load: &Load, target: &TargetSchema, findings: &mut PlanFindings) -> Option<MatchedTable> {
        let Some(Existing::Match { key, .. }) = &load.existing else { return None };
        let facts = target.tables.get(&load.to).filter(|table| table.has_rows)?;
        let place = format!("load.{}.existing", load.name);
        if load.conflict.is_some() {
            let advice = "Remove `conflict`: a row that is there and equal is not written again.";
            findings.refuse(place, "matches rows, and `conflict` skips them", advice);
            return None;
        }
        let id = surrogate(facts);
        let key = natural_key(load, facts, key.as_deref(), findings)?;
        let id = id.filter(|id| !key.contains(*id)).cloned();
        let omitted = |name: &String| load.columns.iter().any(|(own, c)| own == name && c.feed == Some(FeedRule::Omit));
        let to_itself = |f: &&ForeignKey| {
            let is_id = f.parent == load.to && id.as_ref().is_some_and(|id| f.parent_columns.contains(id));
            is_id && !f.columns.iter().any(omitted)
        };
        if let Some(own) = facts.foreign.iter().find(to_itself) {
            let reason =
                format!("rows of `{}` refer to rows of the same table ({}), whose ids may change", load.to, own.name);
            let advice = format!(
                "Write `existing = \"replace\"` or `\"append\"`. If the rows must be matched, leave the reference out \
                 (`{} = {{ omit = true }}`) and set it afterwards.",
                own.columns.join(" = { omit = true }`, `")
            );
            findings.refuse(place, reason, advice);
            return None;
        }
        let counts = |kind: &Kind| matches!(kind, Kind::Int2 | Kind::Int4 | Kind::Int8);
        let column = id.as_ref().and_then(|id| facts.column(id));
        let is_issued = column.is_some_and(|column| column.sequence.is_some() && counts(&column.kind.kind));
        Some(MatchedTable { load: load.name.clone(), key, id, is_issued })
    }
}

/// Returns the column that identifies a row only within its own database: a primary key that a sequence issues, or a UUID.
pub(super) fn surrogate(table: &TargetTable) -> Option<&String> {
    let [id] = table.unique.iter().find(|unique| unique.primary)?.columns.as_slice() else { return None };
    let column = table.column(id)?;
    (column.sequence.is_some() || column.kind.kind == Kind::Uuid).then_some(id)
}

/// Returns the unique keys that identify a row in any database: those other than the surrogate whose columns are NOT NULL.
pub fn natural_keys(table: &TargetTable) -> Vec<&Vec<String>> {
    let id = surrogate(table);
    let is_id = |columns: &[String]| id.is_some_and(|id| columns == [id.clone()]);
    let is_usable = |columns: &[String]| columns.iter().all(|name| table.column(name).is_some_and(|c| c.not_null));
    let exact = table.unique.iter().filter(|unique| !unique.nulls_equal && !unique.loose && !unique.deferrable);
    exact.map(|unique| &unique.columns).filter(|c| !is_id(c) && is_usable(c)).collect()
}

/// Returns the first unique key other than the surrogate that has a column without NOT NULL.
fn nullable_key(table: &TargetTable) -> Option<&Vec<String>> {
    let may_be_null = |name: &String| table.column(name).is_some_and(|column| !column.not_null);
    table.unique.iter().map(|unique| &unique.columns).find(|columns| columns.iter().any(may_be_null))
}

/// Returns the natural key that the mapping states, or the only one that the table has.
fn natural_key(
    load: &Load,
    table: &TargetTable,
    stated: Option<&[String]>,
    findings: &mut PlanFindings,
) -> Option<Vec<String>> {
    let place = format!("load.{}.existing", load.name);
    let keys = natural_keys(table);
    let shown = |keys: &[&Vec<String>]| keys.iter().map(|key| format!("{key:?}")).collect::<Vec<_>>().join(" or ");
    let same =
        |key: &&&Vec<String>, stated: &[String]| key.len() == stated.len() && stated.iter().all(|c| key.contains(c));
    match (stated, keys.as_slice()) {
        (Some(stated), keys) => {
            let found = keys.iter().find(|key| same(key, stated)).map(|key| (*key).clone());
            if found.is_none() {
                let reason =
                    format!("`{}` has no unique key over ({}) whose columns are NOT NULL", load.to, stated.join(", "));
                let choice = if keys.is_empty() { String::new() } else { format!("Write match = {}. ", shown(keys)) };
                findings.refuse(
                    place,
                    reason,
                    format!("{choice}`existing = \"replace\"` and `\"append\"` need no key."),
                );
            }
            found
        }
        (None, [only]) => Some((*only).clone()),
        (None, []) => {
            let mut reason = format!("`{}` has no unique key other than its id whose columns are NOT NULL", load.to);
            if let Some(key) = nullable_key(table) {
                reason +=
                    &format!("; a column of the key ({}) may be NULL, and NULL identifies no row", key.join(", "));
            }
            findings.refuse(place, reason, "Write `existing = \"replace\"` or `\"append\"`.");
            None
        }
        (None, several) => {
            let reason = format!("`{}` has {} unique keys, and one of them identifies a row", load.to, several.len());
            findings.refuse(place, reason, format!("Write existing = {{ match = {} }}.", shown(several)));
            None
        }
    }
}

/// Refuses natural keys whose values the mapping changes: references are found by the source's own values.
pub(super) fn keys_are_plain(loads: &[LoadPlan], held: &[HeldTable], findings: &mut PlanFindings) {
    let is_matched = |load: &&LoadPlan| {
        held.iter().any(|held| held.table == load.table && held.treatment == Treatment::Match)
            && load.conflict.is_some()
    };
    for load in loads.iter().filter(is_matched) {
        let key = load.conflict.as_deref().unwrap_or_default();
        let is_plain = |column: &&ColumnPlan| {
            matches!(column.feed, Feed::Lookup(_) | Feed::Owner)
                || Rules { zone: None, ..column.rules.clone() } == Rules::default()
        };
        for column in load.columns.iter().filter(|column| key.contains(&column.name) && !is_plain(column)) {
            findings.refuse(
                format!("{}.existing", load.place()),
                format!("the natural key contains `{}`, whose values a modifier changes", column.name),
                "Remove the modifier, or match by another key.",
            );
        }
    }
}

struct Rewriting<'a> {
    source: &'a SourceSchema,
    target: &'a TargetSchema,
    matched: &'a BTreeMap<String, MatchedTable>,
    /// The loads before they are rewritten.
    before: &'a [Load],
}

impl Rewriting<'_> {
    fn load(&self, load: &Load, findings: &mut PlanFindings) -> Load {
        let mut rewritten = load.clone();
        if let (Some(table), Some(Existing::Match { differ, .. })) = (self.matched.get(&load.to), &load.existing) {
            rewritten.conflict = Some(table.key.clone());
            rewritten.existing = Some(Existing::Match { key: Some(table.key.clone()), differ: *differ });
            let id = table.id.as_ref().filter(|_| table.is_issued);
            if let Some(id) = id.filter(|id| load.columns.iter().all(|(name, _)| name != *id)) {
                let omitted = MappedColumn { feed: Some(FeedRule::Omit), ..MappedColumn::default() };
                rewritten.columns.push((id.clone(), omitted));
            }
        }
        self.refuse_types(load, findings);
        for (column, parent) in self.references(load) {
            let Some(value) = self.expression(load, &column) else { continue };
            let Some(lookup) = self.lookup(&parent, &value, findings) else { continue };
            let written = rewritten.columns.iter_mut().find(|(name, _)| *name == column).map(|(_, written)| written);
            match written {
                Some(written) => replace_feed(written, lookup),
                None => {
                    let feed = Some(FeedRule::Lookup(lookup));
                    rewritten.columns.push((column, MappedColumn { feed, ..MappedColumn::default() }));
                }
            }
        }
        rewritten
    }

    /// Refuses references by type to a matched table, whose rows each have another change of their id.
    fn refuse_types(&self, load: &Load, findings: &mut PlanFindings) {
        for (name, column) in &load.columns {
            let Some(RefersRule::ByType { tables, .. }) = &column.refers else { continue };
            let known = |table: &&String| self.matched.get(*table).is_some_and(|matched| matched.id.is_some());
            for table in tables.iter().filter_map(|(_, table)| table.as_ref()).filter(known) {
                findings.refuse(
                    format!("load.{}.columns.{name}.refers", load.name),
                    format!("rows of `{table}` are matched, so each of them has another change of its id"),
                    format!("Write `existing = \"append\"` and `ids = \"shift\"` at the load of `{table}`, or `existing = \"replace\"`."),
                );
            }
        }
    }

    /// Returns the columns that refer to the id of a matched table, each with that table.
    fn references(&self, load: &Load) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        for (table, matched) in self.matched {
            let Some(id) = &matched.id else { continue };
            let foreign = self.target.tables.get(&load.to).map(|facts| facts.foreign.as_slice()).unwrap_or_default();
            for key in foreign.iter().filter(|f| f.parent == *table && f.parent_schema == self.target.schema) {
                let pairs = key.columns.iter().zip(&key.parent_columns).filter(|(_, parent)| *parent == id);
                found.extend(pairs.map(|(column, _)| (column.clone(), table.clone())));
            }
            let said = load
                .columns
                .iter()
                .filter(|(_, column)| column.refers.as_ref().and_then(RefersRule::table) == Some(table));
            found.extend(said.map(|(name, _)| (name.clone(), table.clone())));
        }
        for (column, table) in self.references_through_keys(load) {
            if found.iter().all(|(name, _)| *name != column) {
                found.push((column, table));
            }
        }
        let is_stamped = |name: &String| matches!(&load.owner, OwnerRule::Stamped(columns) if columns.contains(name));
        found.retain(|(name, _)| !is_stamped(name));
        found.sort();
        found.dedup_by(|a, b| a.0 == b.0);
        found
    }

    /// Returns the columns that refer to the id of a matched table by the key of another table, as to a profile that has the id of its
    /// user.
    fn references_through_keys(&self, load: &Load) -> Vec<(String, String)> {
        let foreign = self.target.tables.get(&load.to).map(|facts| facts.foreign.as_slice()).unwrap_or_default();
        let columns = foreign.iter().flat_map(|foreign| &foreign.columns);
        let to_matched = columns.filter_map(|column| {
            let own = IdColumn { table: &load.to, column };
            let is_it = |table: &str, matched: &MatchedTable| {
                matched.id.as_ref().is_some_and(|id| own.refers_to(self.target, table, id))
            };
            let (table, _) = self.matched.iter().find(|(table, matched)| is_it(table, matched))?;
            Some((column.clone(), table.clone()))
        });
        to_matched.collect()
    }

    /// Returns the SQL over the load's rows that feeds a column. `None` if no column and no SQL of the source feeds it.
    fn expression(&self, load: &Load, column: &str) -> Option<String> {
        let written = load.columns.iter().find(|(name, _)| name == column).map(|(_, written)| written);
        match written.and_then(|written| written.feed.as_ref()) {
            Some(FeedRule::From(name)) => Some(quoted(name)),
            Some(FeedRule::Sql(sql)) => Some(sql.clone()),
            Some(_) => None,
            None => self.source_column(load, column).map(|name| quoted(&name)),
        }
    }

    fn source_column(&self, load: &Load, column: &str) -> Option<String> {
        let facts = self.source.tables.get(relation::table_of(load)?)?;
        let exact = facts.columns.iter().find(|c| c.name == column);
        let folded = || facts.columns.iter().find(|c| c.name.to_lowercase() == column.to_lowercase());
        exact.or_else(folded).map(|c| c.name.clone())
    }

    /// The lookup of the row to which a value of the source refers.
    fn lookup(&self, table: &str, value: &str, findings: &mut PlanFindings) -> Option<LookupRule> {
        let matched = self.matched.get(table)?;
        let parts = self.source_key(matched, MOST_TABLES).zip(self.target_key(table, matched, MOST_TABLES));
        let Some((source, target)) = parts else {
            findings.refuse(
                format!("load.{}.existing", matched.load),
                format!(
                    "the natural key ({}) is not fed by columns or SQL of one source table",
                    matched.key.join(", ")
                ),
                "Write `existing = \"append\"` with `conflict` and lookups.",
            );
            return None;
        };
        let source = source.iter().map(|part| self.of_referred(matched, part, value)).collect::<Option<Vec<_>>>()?;
        Some(LookupRule {
            table: table.to_owned(),
            take: matched.id.clone()?,
            steps: vec![StepRule { target: OneOrMore(target), source: OneOrMore(source), nocase: false }],
            ambiguous: Some("fault".to_owned()),
            missing: None,
            quiet: false,
            reference: Some(value.to_owned()),
        })
    }

    /// The natural key as SQL over the rows of the table's source.
    fn source_key(&self, matched: &MatchedTable, tables: usize) -> Option<Vec<String>> {
        let load = self.before.iter().find(|load| load.name == matched.load)?;
        let mut parts = Vec::new();
        for column in &matched.key {
            let value = self.expression(load, column)?;
            match self.parent(load, column).filter(|_| tables > 0) {
                None => parts.push(value),
                Some(parent) => {
                    for part in self.source_key(parent, tables - 1)? {
                        parts.push(self.of_referred(parent, &part, &value)?);
                    }
                }
            }
        }
        Some(parts)
    }

    /// The natural key as SQL over the rows of the target's table.
    fn target_key(&self, table: &str, matched: &MatchedTable, tables: usize) -> Option<Vec<String>> {
        let load = self.before.iter().find(|load| load.to == table)?;
        let mut parts = Vec::new();
        for column in &matched.key {
            match self.parent_name(load, column).filter(|_| tables > 0) {
                None => parts.push(quoted(column)),
                Some(parent) => {
                    let known = self.matched.get(&parent)?;
                    for part in self.target_key(&parent, known, tables - 1)? {
                        let of = qualified(&self.target.schema, &parent);
                        parts.push(format!(
                            "(SELECT migrate_part FROM (SELECT {} AS migrate_id, {part} AS migrate_part FROM {of}) AS migrate_row \
                             WHERE migrate_id OPERATOR(pg_catalog.=) {})",
                            quoted(known.id.as_ref()?),
                            quoted(column)
                        ));
                    }
                }
            }
        }
        Some(parts)
    }

    fn parent_name(&self, load: &Load, column: &str) -> Option<String> {
        self.references(load).into_iter().find(|(name, _)| name == column).map(|(_, parent)| parent)
    }

    fn parent(&self, load: &Load, column: &str) -> Option<&MatchedTable> {
        self.matched.get(&self.parent_name(load, column)?)
    }

    /// SQLite's expression for a part of the natural key of the row to which `value` refers. Its inner names cannot capture a
    /// column of the referring row.
    fn of_referred(&self, matched: &MatchedTable, part: &str, value: &str) -> Option<String> {
        let load = self.before.iter().find(|load| load.name == matched.load)?;
        let (table, id) = (relation::table_of(load)?, self.id_expression(load, matched.id.as_ref()?)?);
        Some(format!(
            "(SELECT migrate_part FROM (SELECT ({id}\n) AS migrate_id, ({part}\n) AS migrate_part FROM main.{}) \
             WHERE migrate_id = ({value}\n))",
            quoted(table)
        ))
    }

    /// The SQL of the source's id, also if the mapping leaves the column to the target.
    fn id_expression(&self, load: &Load, id: &str) -> Option<String> {
        self.expression(load, id).or_else(|| self.source_column(load, id).map(|name| quoted(&name)))
    }
}

/// Feeds a column by a lookup. A value for orphans is the lookup's value for missing rows.
fn replace_feed(column: &mut MappedColumn, mut lookup: LookupRule) {
    let replaces = |rule: &Switch<OrphanRule>| *rule != Switch::Set(OrphanRule::Drop);
    if let Some(Switch::Set(OrphanRule::Replace(value))) = column.modifiers.if_orphan.take_if(|rule| replaces(rule)) {
        lookup.missing = Some(match value.0 {
            Value::Null => MissingRule::Null,
            Value::Owner => MissingRule::Owner,
            Value::Fault => MissingRule::Fault,
            _ => MissingRule::Value(value),
        });
    }
    column.feed = Some(FeedRule::Lookup(lookup));
    column.refers = None;
}
