//! Rows that may be too large for an index. How large one is there the server alone knows, which compresses it; here it is
//! only whether one may be.
//!
//! An index that was taken off would refuse such a row when it is built again, all of it or nothing; one that stays on
//! refuses the row itself, which is then pinned like any other.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::model::key::{Key, KeyRange};
use crate::model::pgtype::Kind;
use crate::model::rules::Rules;
use crate::model::schema::Detachable;
use crate::model::select::{Failed, Row, Select, Sink};
use crate::plan::{ColumnPlan, Feed, LoadPlan};
use crate::sqlite::{Reader, SourceError};

/// Bytes of an index's columns that fit in its row whatever they are: a B-tree takes 2,704 with its header.
pub const SURE_INDEX_ROW: usize = 2_600;

/// What a value of a type of one size takes there, at most: an interval, with its alignment.
const SMALL: usize = 16;

/// An IPv6 address with its prefix and alignment.
const ADDRESS: usize = 24;

/// `numeric` of 1,000 digits, the most that a declared precision has.
const NUMBER: usize = 520;

/// The most bytes that a value of this type may have in an index's row; none where nothing bounds it.
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
        Kind::Inet | Kind::Cidr => Some(ADDRESS),
    }
}

/// Whether the types alone leave it open that a row is too large for an index over columns of these types.
pub fn may_be_wide<'k>(kinds: impl Iterator<Item = &'k Kind>) -> bool {
    kinds.map(bound).sum::<Option<usize>>().is_none_or(|bytes| bytes > SURE_INDEX_ROW)
}

/// The most bytes that a value of each column has on the target, of columns of indexes whose types leave that open.
pub struct Widths<'a> {
    loads: Vec<(&'a LoadPlan, BTreeMap<&'a str, usize>)>,
}

impl<'a> Widths<'a> {
    /// Reads what feeds columns of these indexes, as far as their types leave it open whether a row is too large for them;
    /// each load once.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn of(reader: &Reader, loads: &'a [LoadPlan], indexes: &[&Detachable]) -> Result<Widths<'a>, SourceError> {
        let mut found = Widths { loads: Vec::new() };
        for load in loads {
            let meant = |index: &&&Detachable| index.table == load.table && may_be_wide(kinds(load, index));
            let open: Vec<&&Detachable> = indexes.iter().filter(meant).collect();
            let (mut columns, mut exprs) = (Vec::new(), Vec::new());
            for column in load.columns.iter().filter(|c| open.iter().any(|index| index.sized.contains(&c.name))) {
                // A value is filled up to the width of a `char`, however short it is.
                let is_open = !matches!(column.kind.kind, Kind::Char { .. })
                    && bound(&column.kind.kind).is_none_or(|bytes| bytes > ADDRESS);
                if let (Feed::Cell(n), true) = (&column.feed, is_open) {
                    exprs.push(load.select.exprs[*n].clone());
                    columns.push(column);
                }
            }
            let mut most = Most(vec![0; columns.len()]);
            if !columns.is_empty() {
                reader.scan(&Select { exprs, ..load.select.clone() }, KeyRange::ALL, &mut most)?;
            }
            let bytes = columns.iter().zip(most.0).map(|(c, bytes)| (c.name.as_str(), bytes.saturating_mul(grows(c))));
            found.loads.push((load, bytes.collect()));
        }
        Ok(found)
    }

    /// Whether every row surely fits into this index, were the largest values in one row.
    pub fn fit(&self, index: &Detachable) -> bool {
        // What an expression makes of a text may be somewhat longer, as a letter in another case.
        let times = if index.columns.iter().any(String::is_empty) { 2 } else { 1 };
        let mut loads = self.loads.iter().filter(|(load, _)| load.table == index.table);
        loads.all(|(load, read)| {
            let bytes = |column: &ColumnPlan| match read.get(column.name.as_str()) {
                Some(bytes) => bytes.saturating_mul(times),
                // Fed by what is the same in every row, or found on the target: small where nothing bounds it.
                None => bound(&column.kind.kind).unwrap_or(SMALL),
            };
            columns(load, index).map(bytes).fold(0, usize::saturating_add) <= SURE_INDEX_ROW
        })
    }
}

/// The columns of a load that stand in an index.
fn columns<'l>(load: &'l LoadPlan, index: &Detachable) -> impl Iterator<Item = &'l ColumnPlan> {
    load.columns.iter().filter(|c| index.sized.contains(&c.name))
}

fn kinds<'l>(load: &'l LoadPlan, index: &Detachable) -> impl Iterator<Item = &'l Kind> {
    columns(load, index).map(|c| &c.kind.kind)
}

/// How many times its bytes in the source a value may have on the target.
fn grows(column: &ColumnPlan) -> usize {
    match (&column.kind.kind, &column.rules) {
        // `1,` is an element of four bytes for its length and eight of its own.
        (Kind::Array(_) | Kind::Jsonb, _) => 8,
        (_, Rules { charset: Some(_), .. }) => 3,
        _ => 1,
    }
}

/// The most bytes of each cell.
struct Most(Vec<usize>);

impl Sink for Most {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.0.iter_mut().enumerate().for_each(|(n, most)| *most = (*most).max(row.cell(n).bytes()));
        ControlFlow::Continue(())
    }

    fn failed(&mut self, _: Key, failed: Failed) -> ControlFlow<()> {
        // A row that SQLite cannot compute is set aside for that.
        if failed.too_large {
            self.0.fill(usize::MAX / 2);
        }
        ControlFlow::Continue(())
    }
}
