//! Finds indexes that a row may exceed the row limit of. The result is an upper bound: the server compresses values, so only
//! it knows the real size.
//!
//! A detached index refuses such a row when it is built again, and then as a whole. An index that is not detached refuses
//! the row itself, which becomes a fault like any other.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::model::key::{Key, KeyRange};
use crate::model::pgtype::Kind;
use crate::model::rules::Rules;
use crate::model::schema::Detachable;
use crate::model::select::{Failed, Row, Select, Sink};
use crate::plan::{ColumnPlan, Feed, LoadPlan};
use crate::sqlite::{Reader, SourceError};

/// Number of bytes of an index's columns that always fit: the row of a B-tree has at most 2,704, with its header.
pub const SURE_INDEX_ROW: usize = 2_600;

/// Maximum size of a value of a fixed-size type in an index row: an interval, with its alignment.
const SMALL: usize = 16;

/// Size of an IPv6 address with its prefix and alignment.
const ADDRESS: usize = 24;

/// Size of a `numeric` of 1,000 digits, the maximum declared precision.
const NUMBER: usize = 520;

/// Returns the maximum size of a value of this type in an index row. `None` if the type has no bound.
pub fn bound(kind: &Kind) -> Option<usize> {
    match kind {
        Kind::Varchar { limit: Some(limit) } => Some(*limit as usize * 4),
        Kind::Char { width } => Some(*width as usize * 4),
        Kind::Numeric { limit: Some(_) } => Some(NUMBER),
        Kind::Varchar { limit: None } | Kind::Text | Kind::Citext | Kind::Bytea | Kind::Array(_) => None,
        Kind::Numeric { limit: None } | Kind::Jsonb | Kind::Range(_) | Kind::Hstore | Kind::Tsvector => None,
        Kind::Geometry | Kind::Json | Kind::Bent { .. } | Kind::Other => None,
        Kind::Bool | Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Float4 | Kind::Float8 | Kind::Money => Some(SMALL),
        Kind::Date | Kind::Time { .. } | Kind::Timetz { .. } | Kind::Timestamp { .. } => Some(SMALL),
        Kind::Timestamptz { .. } | Kind::Interval { .. } | Kind::IntervalOf { .. } | Kind::Uuid | Kind::Enum { .. } => {
            Some(SMALL)
        }
        Kind::Inet | Kind::InetAsText | Kind::Cidr => Some(ADDRESS),
    }
}

/// Returns true if a row of columns of these types may exceed the limit.
pub fn may_be_wide<'k>(kinds: impl Iterator<Item = &'k Kind>) -> bool {
    kinds.map(bound).sum::<Option<usize>>().is_none_or(|bytes| bytes > SURE_INDEX_ROW)
}

/// The size of the largest value of each indexed column whose type has no small bound.
pub struct Widths<'a> {
    loads: Vec<(&'a LoadPlan, BTreeMap<&'a str, usize>)>,
}

impl<'a> Widths<'a> {
    /// Reads the values of the columns of these indexes, if their types allow a row over the limit. Reads each load once.
    ///
    /// # Errors
    /// If the source cannot be read.
    pub fn of(reader: &Reader, loads: &'a [LoadPlan], indexes: &[&Detachable]) -> Result<Widths<'a>, SourceError> {
        let mut found = Widths { loads: Vec::new() };
        for load in loads {
            let meant = |index: &&&Detachable| index.table == load.table && may_be_wide(kinds(load, index));
            let open: Vec<&&Detachable> = indexes.iter().filter(meant).collect();
            let (mut columns, mut exprs) = (Vec::new(), Vec::new());
            for column in load.columns.iter().filter(|c| open.iter().any(|index| index.sized.contains(&c.name))) {
                // A value of a `char` is padded to its width.
                let is_open = !matches!(column.kind.kind, Kind::Char { .. })
                    && bound(&column.kind.kind).is_none_or(|bytes| bytes > ADDRESS);
                if let (Feed::Cell(n), true) = (&column.feed, is_open) {
                    exprs.push(load.select.exprs[*n].clone());
                    columns.push(column);
                }
            }
            let mut most = LargestCells(vec![0; columns.len()]);
            if !columns.is_empty() {
                reader.scan(&Select { exprs, ..load.select.clone() }, KeyRange::ALL, &mut most)?;
            }
            let bytes = columns.iter().zip(most.0).map(|(c, bytes)| (c.name.as_str(), bytes.saturating_mul(grows(c))));
            found.loads.push((load, bytes.collect()));
        }
        Ok(found)
    }

    /// Returns true if every row fits into this index, even one with the largest value of each column.
    pub fn fit(&self, index: &Detachable) -> bool {
        // The result of an expression may be longer than its text: some letters grow in another case.
        let times = if index.columns.iter().any(String::is_empty) { 2 } else { 1 };
        let mut loads = self.loads.iter().filter(|(load, _)| load.table == index.table);
        loads.all(|(load, read)| {
            let bytes = |column: &ColumnPlan| match read.get(column.name.as_str()) {
                Some(bytes) => bytes.saturating_mul(times),
                // Constants, owners and looked-up keys count as small if their type has no bound.
                None => bound(&column.kind.kind).unwrap_or(SMALL),
            };
            columns(load, index).map(bytes).fold(0, usize::saturating_add) <= SURE_INDEX_ROW
        })
    }
}

/// Returns the columns of a load that are part of an index.
fn columns<'l>(load: &'l LoadPlan, index: &Detachable) -> impl Iterator<Item = &'l ColumnPlan> {
    load.columns.iter().filter(|c| index.sized.contains(&c.name))
}

fn kinds<'l>(load: &'l LoadPlan, index: &Detachable) -> impl Iterator<Item = &'l Kind> {
    columns(load, index).map(|c| &c.kind.kind)
}

/// Returns the factor by which a value may grow from the source to the target.
fn grows(column: &ColumnPlan) -> usize {
    match (&column.kind.kind, &column.rules) {
        // `1,` is an element of four bytes for its length and eight of its own.
        (Kind::Array(_) | Kind::Jsonb, _) => 8,
        (_, Rules { charset: Some(_), .. }) => 3,
        _ => 1,
    }
}

/// The size of the largest value of each cell.
struct LargestCells(Vec<usize>);

impl Sink for LargestCells {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.0.iter_mut().enumerate().for_each(|(n, most)| *most = (*most).max(row.cell(n).bytes()));
        ControlFlow::Continue(())
    }

    fn failed(&mut self, _: Key, failed: Failed) -> ControlFlow<()> {
        // Other rows that SQLite cannot compute are never written.
        if failed.too_large {
            self.0.fill(usize::MAX / 2);
        }
        ControlFlow::Continue(())
    }
}
