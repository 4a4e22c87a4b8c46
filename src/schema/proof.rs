//! Tables for the proof: they receive every row and, in columns of their own, the values that SQLite computes. CHECKs, generated
//! columns and indexes over expressions come afterwards, so that a wrong translation is a difference and not a refused row.

use std::collections::BTreeMap;

use super::build::MOST_COLUMNS;
use super::ddl::{
    CheckDdl, ColumnDdl, Ddl, ExpressionPair, IndexDdl, ObjectFate, ObjectKind, ObjectProof, TableDdl, ViewDdl,
};
use super::expression::ColumnOrigin;
use super::names::name;
use super::render::{add_check, create_index, create_view};
use super::types::column_type;
use crate::model::ident::{free_name, quoted};
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::schema::{Address, SourceSchema, SourceTable};

/// Defaults of one table.
const DEFAULTS: usize = 500;

/// The tables, and the values that they receive.
pub struct ProofTables {
    /// The tables without objects that are computed.
    pub ddl: Ddl,
    /// The comparisons, in the order of the expressions.
    pub comparisons: Vec<ProofComparison>,
    /// The column that names the row, by table.
    pub labels: BTreeMap<String, ProofColumn>,
    /// The tables that receive one row of defaults.
    pub defaults: Vec<String>,
    /// The statements that make the objects that are computed.
    pub computed: Vec<ComputedObject>,
    /// The views, and the tables that receive their rows.
    pub views: Vec<ProofView>,
}

/// A view whose rows are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct ProofView {
    /// The view.
    pub name: String,
    /// The statement that makes it.
    pub sql: String,
    /// The table that receives the rows of SQLite.
    pub table: String,
    /// The columns.
    pub columns: Vec<ProofViewColumn>,
}

/// A column of a view whose rows are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct ProofViewColumn {
    /// Its name in the view.
    pub name: String,
    /// The column that receives the values of SQLite.
    pub column: ProofColumn,
    /// The SQL of PostgreSQL over the view.
    pub target: String,
    /// The column of a table by whose rules the values are read. `None`: they are read as they are.
    pub read_as: Option<ColumnOrigin>,
}

/// A column of a table of the proof.
#[derive(Clone, Debug, PartialEq)]
pub struct ProofColumn {
    /// Its name.
    pub name: String,
    /// The SQL by which SQLite computes it.
    pub source: String,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct ProofComparison {
    /// The expression.
    pub pair: ExpressionPair,
    /// The table whose rows are compared.
    pub table: String,
    /// The column with the value of SQLite.
    pub column: ProofColumn,
    /// The SQL of PostgreSQL.
    pub target: String,
}

/// A statement that makes a CHECK or an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComputedObject {
    /// The table.
    pub table: String,
    /// The object in words.
    pub object: String,
    /// The statement.
    pub sql: String,
}

impl Ddl {
    /// Returns the tables for the proof.
    pub fn proof(&self, source: &SourceSchema) -> ProofTables {
        let mut proof = ProofTables {
            ddl: self.clone(),
            comparisons: Vec::new(),
            labels: BTreeMap::new(),
            defaults: Vec::new(),
            computed: Vec::new(),
            views: Vec::new(),
        };
        proof.ddl.views.clear();
        for table in &mut proof.ddl.tables {
            proof.computed.extend(without_computed(table));
        }
        for pair in &self.expressions {
            match pair.kind {
                ObjectKind::Default => proof.add_default(pair),
                _ => proof.add(pair, source.tables.get(&pair.table)),
            }
        }
        self.views.iter().for_each(|view| proof.add_view(view));
        proof
    }

    /// Notes that a view has the same rows in both engines.
    pub fn note_rows(&mut self, view: &str, rows: u64) {
        let is_it = |object: &&mut ObjectFate| object.kind == ObjectKind::View && object.name == view;
        self.objects.iter_mut().filter(is_it).for_each(|object| object.proof = Some(ObjectProof::EqualRows(rows)));
    }

    /// Notes that an object has equal values in both engines, or that its values were not compared.
    pub fn note_proof(&mut self, pair: &ExpressionPair, proof: ObjectProof) {
        for object in self.objects_of(pair) {
            // An index may have several expressions.
            if object.proof != Some(ObjectProof::NotCompared) {
                object.proof = Some(proof);
            }
        }
    }
}

/// Removes the objects that are computed from a table, and returns the statements that make them.
fn without_computed(table: &mut TableDdl) -> Vec<ComputedObject> {
    let name = table.name.clone();
    table.columns.iter_mut().for_each(|column| column.generated = None);
    let checks: Vec<CheckDdl> = std::mem::take(&mut table.checks);
    let (plain, computed): (Vec<IndexDdl>, Vec<IndexDdl>) =
        std::mem::take(&mut table.indexes).into_iter().partition(|index| index.columns.is_some());
    table.indexes = plain;
    let checks = checks.iter().map(|check| {
        let object = check.name.as_ref().map_or_else(|| "CHECK".to_owned(), |name| format!("CHECK {name}"));
        ComputedObject { table: name.clone(), object, sql: add_check(&name, check) }
    });
    let indexes = computed.iter().map(|index| {
        let object = format!("index {}", index.name);
        ComputedObject { table: name.clone(), object, sql: create_index(&name, index) }
    });
    checks.chain(indexes).collect()
}

impl ProofTables {
    fn add(&mut self, pair: &ExpressionPair, source: Option<&SourceTable>) {
        let Some(table) = self.ddl.tables.iter_mut().find(|table| table.name == pair.table) else { return };
        let Some(compared) = pair.compared.as_ref().filter(|_| table.columns.len() + 1 < MOST_COLUMNS) else { return };
        if !self.labels.contains_key(&table.name)
            && let Some(label) = source.and_then(label)
        {
            let column = proof_column(table, column_type(Kind::Text), label);
            self.labels.insert(table.name.clone(), column);
        }
        let column = proof_column(table, compared.kind.clone(), compared.source.clone());
        let (table, target) = (table.name.clone(), compared.target.clone());
        self.comparisons.push(ProofComparison { pair: pair.clone(), table, column, target });
    }

    fn add_default(&mut self, pair: &ExpressionPair) {
        let Some(compared) = &pair.compared else { return };
        let is_open =
            |name: &&String| self.ddl.tables.iter().any(|table| table.name == **name && table.columns.len() < DEFAULTS);
        if self.defaults.last().filter(is_open).is_none() {
            let taken: Vec<&str> = self.ddl.tables.iter().map(|table| table.name.as_str()).collect();
            let name = free_name(&format!("migrate_defaults_{}", self.defaults.len()), &taken);
            self.ddl.tables.push(TableDdl { name: name.clone(), ..TableDdl::default() });
            self.defaults.push(name);
        }
        let Some(table) = self.ddl.tables.last_mut() else { return };
        let column = proof_column(table, compared.kind.clone(), compared.source.clone());
        let (table, target) = (table.name.clone(), compared.target.clone());
        self.comparisons.push(ProofComparison { pair: pair.clone(), table, column, target });
    }

    fn add_view(&mut self, view: &ViewDdl) {
        let taken: Vec<&str> = self.ddl.tables.iter().map(|table| table.name.as_str()).collect();
        let name_of_rows = free_name(&format!("migrate_view_{}", self.views.len()), &taken);
        let mut table = TableDdl { name: name_of_rows, ..TableDdl::default() };
        let mut columns = Vec::new();
        for own in &view.columns {
            let (source, target, kind) = match &own.compared {
                Some(compared) => (compared.source.clone(), compared.target.clone(), compared.kind.clone()),
                None => (quoted(&own.name), name(&own.name), own.kind.clone()),
            };
            let read_as = own.origin.clone().filter(|_| own.compared.is_none());
            let column = proof_column(&mut table, kind, source);
            columns.push(ProofViewColumn { name: own.name.clone(), column, target, read_as });
        }
        let (own, sql, table_name) = (view.name.clone(), create_view(view), table.name.clone());
        self.ddl.tables.push(table);
        self.views.push(ProofView { name: own, sql, table: table_name, columns });
    }

    /// Returns the columns of a table that SQLite computes.
    pub fn columns_of(&self, table: &str) -> impl Iterator<Item = &ProofColumn> {
        let values = self.comparisons.iter().filter(move |one| one.table == table).map(|one| &one.column);
        self.labels.get(table).into_iter().chain(values)
    }
}

/// Adds a column to a table.
fn proof_column(table: &mut TableDdl, kind: ColumnType, source: String) -> ProofColumn {
    let taken: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let name = free_name(&format!("migrate_proof_{}", table.columns.len()), &taken);
    table.columns.push(ColumnDdl {
        name: name.clone(),
        kind,
        not_null: false,
        default: None,
        identity: None,
        generated: None,
        why: "a value of SQLite".to_owned(),
    });
    ProofColumn { name, source }
}

/// Returns the SQL of SQLite that names a row without showing a text of it. `None` if there is none.
fn label(table: &SourceTable) -> Option<String> {
    match &table.address {
        Address::Rowid(rowid) => Some(format!("'rowid ' || {rowid}")),
        Address::Key(columns) => {
            let number = |name: &String| {
                let name = quoted(name);
                format!("CASE typeof({name}) WHEN 'integer' THEN {name} ELSE '(' || typeof({name}) || ')' END")
            };
            let parts: Vec<String> = columns.iter().map(number).collect();
            Some(format!("'key ' || {}", parts.join(" || ', ' || ")))
        }
        Address::Ordinal => None,
    }
}
