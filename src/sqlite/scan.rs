//! Executes a [`Select`]: sends the rows of a key range to a [`Sink`], in order.
//!
//! A row whose expression fails is reported by its key, and reading continues after it. Any other failure is an error
//! and is never mistaken for the end of the table. The loop allocates nothing per row.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::current::{Current, key_of};
use super::error::{ErrorClass, Said, SourceError};
use super::reader::Reader;
use super::row_by_row::{RowByRow, RowByRowEnd};
use super::statement::{self, MOST_VALUES, StatementRange, StatementValues, Walk};
use crate::model::cell::RawBuf;
use crate::model::key::{Key, KeyRange};
use crate::model::select::{Expr, Failed, Relation, Row, Select, Sink};

/// The end of a scan without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// The range contains no more rows.
    All,
    /// The sink returned `Break`.
    Stopped,
}

/// Number of failed rows of a query after which it is read row by row. Each one before it costs a reading of all rows before it.
const FAILURES_BEFORE_ROW_BY_ROW: u32 = 3;

/// The end of one run of a statement.
enum ScanRun {
    Ended(Finished),
    /// SQLite failed after this many rows, with an error for which one row can be to blame.
    Failed(u64, Said),
}

/// The position of a scan: after a key, or after a number of rows.
#[derive(Clone)]
struct ScanPosition {
    after: Option<Key>,
    skip: u64,
}

/// A sink that skips the rows that SQLite cannot compute.
struct ComputedRows<F>(F);

impl<F: FnMut(&dyn Row) -> ControlFlow<()>> Sink for ComputedRows<F> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        (self.0)(row)
    }

    fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl Reader {
    /// Calls `on_row` for each row of the range, in order. Skips the rows that SQLite cannot compute.
    pub fn each(
        &self,
        select: &Select,
        range: KeyRange<'_>,
        on_row: impl FnMut(&dyn Row) -> ControlFlow<()>,
    ) -> Result<Finished, SourceError> {
        self.scan(select, range, &mut ComputedRows(on_row))
    }

    /// Sends the rows of a range to the sink, in the order of their keys. Rows of SQL, rows of the mapping and rows of
    /// a table whose rowid has no free name are counted from 1: `after` skips that many.
    pub fn scan(&self, select: &Select, range: KeyRange<'_>, sink: &mut dyn Sink) -> Result<Finished, SourceError> {
        let KeyRange { after, until } = range;
        let walk = self.walk(select);
        self.fits(&walk, after)?;
        self.fits(&walk, until)?;
        let mut place = ScanPosition { after: None, skip: 0 };
        match walk {
            Walk::Keyed(_) => place.after = after.cloned(),
            Walk::Counted => place.skip = after.map_or(0, count),
        }
        let mut failures = 0;
        loop {
            if failures == FAILURES_BEFORE_ROW_BY_ROW
                && let Some(mut rows) = RowByRow::new(self, select)?
            {
                match rows.run(place.skip, until.map(count), sink)? {
                    RowByRowEnd::All => return Ok(Finished::All),
                    RowByRowEnd::Stopped => return Ok(Finished::Stopped),
                    RowByRowEnd::QueryFailed(rows) => place.skip = rows,
                }
            }
            failures += 1;
            match self.run(select, &walk, &place, until, sink)? {
                ScanRun::Ended(finished) => return Ok(finished),
                ScanRun::Failed(rows, said) => {
                    let Some(key) = self.key_after(select, &walk, &place, until, rows)? else {
                        return Ok(Finished::All);
                    };
                    let too_large = said.primary() == rusqlite::ffi::SQLITE_TOOBIG;
                    let failed = Failed { expr: self.blame(select, &walk, &key, &said)?, too_large };
                    if walk == Walk::Counted {
                        place.skip += rows + 1;
                    } else {
                        place.after = Some(key.clone());
                    }
                    if sink.failed(key, failed).is_break() {
                        return Ok(Finished::Stopped);
                    }
                }
            }
        }
    }

    /// Returns the order in which the rows of this select are read.
    pub(super) fn walk(&self, select: &Select) -> Walk {
        let key = match &select.relation {
            Relation::Table(table) => self.shared.keys.get(table).map(Vec::as_slice),
            _ => None,
        };
        Walk::of(select, key)
    }

    /// Refuses a key that does not belong to this order, or that cannot be bound to SQLite unchanged.
    fn fits(&self, walk: &Walk, key: Option<&Key>) -> Result<(), SourceError> {
        let Some(Key(parts)) = key else { return Ok(()) };
        let refuse = |why: &str| {
            Err(SourceError::new(ErrorClass::Other, "key", "cannot be used to resume")
                .because(why)
                .advise("Read the table from its start."))
        };
        if parts.len() != walk.width().max(1) {
            return refuse("it has another number of columns than the table's key");
        }
        if *walk == Walk::Counted && !matches!(parts.as_slice(), [RawBuf::Integer(0..)]) {
            return refuse("it is not an ordinal");
        }
        if parts.contains(&RawBuf::Null) {
            return refuse("a NULL in it compares with nothing");
        }
        let broken = |part: &RawBuf| matches!(part, RawBuf::Text(bytes) if std::str::from_utf8(bytes).is_err());
        if self.shared.utf16 && parts.iter().any(broken) {
            return refuse("the file holds UTF-16, and its text has no UTF-8 that leads back to it");
        }
        Ok(())
    }

    /// Runs the statement once from `place`.
    fn run(
        &self,
        select: &Select,
        walk: &Walk,
        place: &ScanPosition,
        until: Option<&Key>,
        sink: &mut dyn Sink,
    ) -> Result<ScanRun, SourceError> {
        let mut done = 0;
        for (select, first) in pieces(select, place.skip) {
            let last = if *walk == Walk::Counted { until.map(count) } else { None };
            let range = match walk {
                Walk::Keyed(_) => StatementRange { after: place.after.as_ref(), until, only: None },
                Walk::Counted => StatementRange::default(),
            };
            let skip = place.skip.saturating_sub(first);
            let sql = statement::sql(&select, walk, &select.exprs, range);
            let mut statement = self.prepare(&sql)?;
            statement::bind(&mut statement, &StatementValues { select: &select, range, skip: Some(skip) })?;
            let mut rows = statement.raw_query();
            let width = walk.width();
            loop {
                // Checked before the step, because the row after the end must not even be computed.
                if last.is_some_and(|last| place.skip + done >= last) {
                    return Ok(ScanRun::Ended(Finished::All));
                }
                let row = match rows.next() {
                    Ok(Some(row)) => row,
                    Ok(None) => break,
                    Err(error) => {
                        let said = Said::of(&error);
                        if said.blames_a_row() {
                            return Ok(ScanRun::Failed(done, said));
                        }
                        return Err(self.failure(&said));
                    }
                };
                done += 1;
                if let ControlFlow::Break(()) = sink.row(&Current { row, width, ordinal: place.skip + done }) {
                    return Ok(ScanRun::Ended(Finished::Stopped));
                }
            }
        }
        Ok(ScanRun::Ended(Finished::All))
    }

    /// Returns the key of the row after the first `rows` rows from `place`. `None` if the range contains no more rows.
    fn key_after(
        &self,
        select: &Select,
        walk: &Walk,
        place: &ScanPosition,
        until: Option<&Key>,
        rows: u64,
    ) -> Result<Option<Key>, SourceError> {
        match walk {
            Walk::Counted => Ok(Some(key_of(place.skip + rows + 1))),
            Walk::Keyed(_) => {
                let range = StatementRange { after: place.after.as_ref(), until, only: None };
                self.step(select, walk, range, rows)
            }
        }
    }

    /// Returns the expression that fails on the row with this key. `None` if only all of them together fail.
    fn blame(&self, select: &Select, walk: &Walk, key: &Key, said: &Said) -> Result<Option<usize>, SourceError> {
        // If the relation itself fails, the expressions of this row are not to blame.
        if self.fails(select, walk, &[], key)?.is_some() {
            return Err(self.sql_failed(select, said));
        }
        for (n, expr) in select.exprs.iter().enumerate() {
            if self.fails(select, walk, std::slice::from_ref(expr), key)?.is_some() {
                return Ok(Some(n));
            }
        }
        match self.fails(select, walk, &select.exprs, key)? {
            Some(_) => Ok(None),
            None => Err(self.sql_failed(select, said)),
        }
    }

    /// Returns SQLite's error in computing these expressions for one row. `None` if there is none.
    fn fails(&self, select: &Select, walk: &Walk, exprs: &[Expr], key: &Key) -> Result<Option<Said>, SourceError> {
        let range = match walk {
            Walk::Keyed(_) => StatementRange { only: Some(key), ..StatementRange::default() },
            Walk::Counted => StatementRange::default(),
        };
        let mut skip = if *walk == Walk::Counted { count(key).saturating_sub(1) } else { 0 };
        let piece = pieces(select, skip).next();
        let select = match &piece {
            Some((piece, first)) => {
                skip = skip.saturating_sub(*first);
                piece.as_ref()
            }
            None => select,
        };
        let sql = statement::sql(select, walk, exprs, range);
        let mut statement = self.prepare(&sql)?;
        statement::bind(&mut statement, &StatementValues { select, range, skip: Some(skip) })?;
        let mut found = statement.raw_query();
        match found.next() {
            Ok(_) => Ok(None),
            Err(error) => {
                let said = Said::of(&error);
                if said.blames_a_row() { Ok(Some(said)) } else { Err(self.failure(&said)) }
            }
        }
    }

    /// An error for which no single row is to blame.
    fn sql_failed(&self, select: &Select, said: &Said) -> SourceError {
        let place = match &select.relation {
            Relation::Table(table) => format!("source table `{table}`"),
            Relation::Sql(_) => "source query".to_owned(),
            Relation::Rows { .. } => "rows of the mapping".to_owned(),
        };
        SourceError::new(ErrorClass::Sql, place, "cannot be read")
            .because(format!("SQLite says \"{}\"", said.discreet()))
            .advise("Change the SQL so that it covers every row.")
            .of_mapping_sql(matches!(select.relation, Relation::Sql(_)))
    }
}

/// Returns the ordinal in a key.
fn count(key: &Key) -> u64 {
    key.as_rowid().and_then(|n| u64::try_from(n).ok()).unwrap_or(0)
}

/// Splits the select into statements of limited size, starting with the one that contains the row after `skip`. Each
/// comes with the number of rows before it. Only rows of a mapping can be too many for one statement.
fn pieces(select: &Select, skip: u64) -> impl Iterator<Item = (Cow<'_, Select>, u64)> {
    let size = match &select.relation {
        Relation::Rows { columns, rows } if columns.len() * rows.len() > MOST_VALUES => {
            (MOST_VALUES / columns.len()).max(1)
        }
        _ => usize::MAX,
    };
    let total = match &select.relation {
        Relation::Rows { rows, .. } if size < usize::MAX => rows.len(),
        _ => 1,
    };
    let begin = if size < usize::MAX { usize::try_from(skip).unwrap_or(usize::MAX) / size * size } else { 0 };
    (begin..total.max(begin)).step_by(size).map(move |first| match &select.relation {
        Relation::Rows { columns, rows } if size < usize::MAX => {
            let rows = rows[first..total.min(first + size)].to_vec();
            let relation = Relation::Rows { columns: columns.clone(), rows };
            (Cow::Owned(Select { relation, ..select.clone() }), first as u64)
        }
        _ => (Cow::Borrowed(select), 0),
    })
}
