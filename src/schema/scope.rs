//! The columns of a table as its expressions can name them.

use super::ddl::{ColumnDdl, TableDdl};
use super::expression::{ColumnOrigin, Scope, ScopeColumn, UniformTime, ValueSort};
use super::owned_ids::ShiftedIds;
use super::stored::{StoredTable, TriedColumn};
use super::table_text::TableText;
use crate::init::{StoredClasses, TimeForm};
use crate::model::pgtype::Kind;
use crate::model::schema::{Affinity, SourceTable};

/// Everything that is known about the columns of a table.
pub struct ScopeFacts<'a> {
    /// The table of PostgreSQL.
    pub table: &'a TableDdl,
    /// The parts of its text.
    pub text: &'a TableText,
    /// The source's table.
    pub source: Option<&'a SourceTable>,
    /// Its stored values.
    pub stored: Option<&'a StoredTable>,
    /// True if the source stores its texts in UTF-16.
    pub is_utf16: bool,
    /// The columns of ids that a mapping shifts.
    pub ids: &'a ShiftedIds,
}

impl ScopeFacts<'_> {
    /// Returns the columns for a CHECK constraint or an index.
    pub fn scope(&self) -> Scope {
        let columns = self.table.columns.iter().map(|column| self.column(column)).collect();
        let rowid =
            self.table.columns.iter().find(|column| column.identity.is_some()).map(|column| column.name.clone());
        Scope { columns, rowid, is_utf16: self.is_utf16, ..Scope::default() }
    }

    /// Returns the columns for a generated column. PostgreSQL has none that depends on another one.
    pub fn scope_of_generated(&self) -> Scope {
        let mut scope = self.scope();
        for column in &mut scope.columns {
            if self.text.generated.iter().any(|generated| generated.column == column.name) {
                column.unusable = Some(format!("{} is a generated column, too", column.name));
            }
        }
        scope
    }

    fn column(&self, column: &ColumnDdl) -> ScopeColumn {
        let stored = self.stored.and_then(|stored| stored.columns.get(&column.name));
        let facts = self.source.and_then(|source| source.column(&column.name));
        let classes = stored.map(|stored| stored.classes()).unwrap_or_default();
        let affinity = facts.map_or(Affinity::Blob, |facts| facts.affinity());
        let collation = self.text.collation(&column.name);
        let moment = stored.and_then(|stored| moment(&column.kind.kind, stored)).filter(|_| collation == "BINARY");
        let sort = match (&column.identity, &moment) {
            (Some(_), _) => ValueSort::Integer,
            (None, Some(_)) => ValueSort::Moment,
            (None, None) => sort(&column.kind.kind, classes, affinity),
        };
        let is_changed = stored.is_some_and(|stored| stored.has_changed_values(&column.kind.kind));
        ScopeColumn {
            name: column.name.clone(),
            sort,
            collation: collation.to_owned(),
            is_json: column.kind.kind == Kind::Jsonb,
            unusable: is_changed.then(|| format!("values of {} are other ones in PostgreSQL", column.name)),
            origin: Some(ColumnOrigin { table: self.table.name.clone(), column: column.name.clone() }),
            moment,
            ids_of: self.ids.of(&self.table.name, &column.name).cloned(),
            ..ScopeColumn::default()
        }
    }
}

/// Returns the type and the form of the times of a column, if all texts have one form that the type keeps.
fn moment(kind: &Kind, stored: &TriedColumn) -> Option<UniformTime> {
    let form = stored.form(kind)?;
    let is_kept = match kind {
        Kind::Date => form == TimeForm::DATE,
        Kind::Timestamp { .. } => !form.is_utc,
        Kind::Timestamptz { .. } => form.is_utc,
        _ => false,
    };
    is_kept.then(|| UniformTime { kind: kind.clone(), form })
}

/// The class of all values of a column. `Opaque` unless SQLite stores them in one class, and compares no value of another class as
/// if it were one of them.
fn sort(kind: &Kind, classes: StoredClasses, affinity: Affinity) -> ValueSort {
    let StoredClasses { integers, reals, texts, blobs, .. } = classes;
    let is_numeric = matches!(affinity, Affinity::Integer | Affinity::Numeric | Affinity::Real);
    let is_whole = affinity != Affinity::Real && affinity != Affinity::Text && reals + texts + blobs == 0;
    let fits = match ValueSort::of(kind) {
        Some(ValueSort::Truth | ValueSort::Integer) => is_whole,
        // A column without values has the class of its affinity.
        Some(ValueSort::Real) => integers + texts + blobs == 0 && (reals > 0 || affinity == Affinity::Real),
        Some(ValueSort::Decimal) => texts + blobs == 0,
        Some(ValueSort::Text) => integers + reals + blobs == 0 && !is_numeric,
        Some(ValueSort::Blob) => integers + reals + texts == 0 && affinity == Affinity::Blob,
        _ => false,
    };
    ValueSort::of(kind).filter(|_| fits).unwrap_or(ValueSort::Opaque)
}
