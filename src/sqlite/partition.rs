//! Divides a table into parts of about equal numbers of rows, and estimates the number of rows.
//!
//! A large table with approximately even rowids is divided by arithmetic after sampling a few of them. Any other table
//! is scanned once. Each cut is the key of a row. The result does not depend on the position of the cuts; a bad cut
//! only costs time.

use std::sync::{Arc, PoisonError};

use super::count::key_of;
use super::counted::{RowidSpan, Spread};
use super::error::{Said, SourceError};
use super::reader::Reader;
use super::statement::{self, StatementRange, StatementValues, Walk};
use super::value::raw;
use crate::model::ident::quoted;
use crate::model::key::Key;
use crate::model::schema::Address;
use crate::model::select::{Relation, Select};

/// Maximum number of keys kept from a scan. Parts are equal up to the rows between two of these keys.
const KEPT: usize = 512;

/// Number of rows that are scanned by one statement. For each step after them a statement is started, which costs more than a few
/// rows. A power of two times [`KEPT`], so that the last of these rows ends a step.
const FIRST: u64 = 4_096;

/// Number of samples of rowids, and of rowids in one sample.
const LOOKS: i128 = 64;

/// Rowids in a smaller span are scanned, because sampling would take as long.
const NEAR: i128 = LOOKS * LOOKS * 4;

/// Rowids count as even if the density of the samples varies by less than this factor. Random rowids vary less.
const EVEN: f64 = 4.0;

impl Reader {
    /// Returns the number of rows of a table that is read in parts: an estimate, or the exact number if it is known
    /// without a scan of its own.
    pub fn about(&self, table: &str, select: &Select) -> Result<u64, SourceError> {
        match self.walk(select) {
            walk @ Walk::Keyed(_) => Ok(self.spread(table, select, &walk)?.rows()),
            Walk::Counted => self.count(table),
        }
    }

    /// Returns the keys that divide a table into `parts` of about equal numbers of rows. Each key ends a part,
    /// inclusive; the last part has no end.
    ///
    /// Returns no keys if there are fewer rows than parts, or if rows are addressed by ordinal.
    pub fn split(&self, select: &Select, parts: usize) -> Result<Vec<Key>, SourceError> {
        let (Relation::Table(table), walk @ Walk::Keyed(_)) = (&select.relation, self.walk(select)) else {
            return Ok(Vec::new());
        };
        let spread = self.spread(table, select, &walk)?;
        if spread.rows() < parts as u64 {
            return Ok(Vec::new());
        }
        let mut cuts = match &*spread {
            Spread::Walked { rows, every, keys } => walked_cuts(*rows, *every, keys, parts as u64),
            Spread::Even { span, .. } => {
                let places = (1..parts as i128).map(|n| span.place(n, parts as i128));
                let found = places.map(|place| self.step(select, &walk, after_key(&Key::rowid(place)), 0));
                found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()
            }
        };
        cuts.dedup();
        Ok(cuts)
    }

    /// Returns the distribution of a table, which is determined once in the life of the snapshot.
    fn spread(&self, table: &str, select: &Select, walk: &Walk) -> Result<Arc<Spread>, SourceError> {
        let counted = &self.shared.counted;
        let known = || counted.spreads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spread) = known().get(table) {
            return Ok(Arc::clone(spread));
        }
        let spread = match self.even(select, walk)? {
            Some(even) => even,
            None => {
                let walked = self.walked(select, walk)?;
                counted.rows.lock().unwrap_or_else(PoisonError::into_inner).insert(table.to_owned(), walked.rows());
                walked
            }
        };
        let spread = Arc::new(spread);
        known().insert(table.to_owned(), Arc::clone(&spread));
        Ok(spread)
    }

    /// Samples the rowids. `None` if they are near each other or uneven, or if the table has none.
    fn even(&self, select: &Select, walk: &Walk) -> Result<Option<Spread>, SourceError> {
        let Some(span) = self.rowids(select)? else { return Ok(None) };
        let first = span.first;
        let width = i128::from(span.last) - i128::from(first);
        if width < NEAR {
            return Ok(None);
        }
        let sql = format!("{} LIMIT {LOOKS}", statement::sql(select, walk, &[], after_key(&Key::rowid(first))));
        let mut statement = self.prepare(&sql)?;
        let (mut least, mut most, mut sum) = (f64::INFINITY, 0.0_f64, 0.0);
        for n in 0..LOOKS {
            // The first sample starts one before the first rowid, except at the smallest possible rowid.
            let from = if n == 0 { first.saturating_sub(1) } else { span.place(n, LOOKS) };
            let after = Key::rowid(from);
            statement::bind(&mut statement, &StatementValues { select, range: after_key(&after), skip: None })?;
            let mut found = statement.raw_query();
            let (mut rows, mut end) = (0_u32, i128::from(from));
            while let Some(row) = found.next().map_err(|error| self.failure(&Said::of(&error)))? {
                rows += 1;
                let key = Key(vec![raw(row.get_ref_unwrap(0)).to_buf()]);
                end = key.as_rowid().map_or(end, i128::from);
            }
            let density = f64::from(rows) / (end - i128::from(from)).max(1) as f64;
            (least, most, sum) = (least.min(density), most.max(density), sum + density);
        }
        let even = least > 0.0 && most <= EVEN * least;
        let rows = (sum / LOOKS as f64 * (width + 1) as f64) as u64;
        Ok(even.then_some(Spread::Even { rows, span }))
    }

    /// Returns the first and the last rowid of a table. `None` if there are none.
    fn rowids(&self, select: &Select) -> Result<Option<RowidSpan>, SourceError> {
        let (Relation::Table(table), Address::Rowid(_)) = (&select.relation, &select.address) else { return Ok(None) };
        let Walk::Keyed(steps) = self.walk(select) else { return Ok(None) };
        let [step] = steps.as_slice() else { return Ok(None) };
        let end =
            |which: &str| self.one(&format!("SELECT {which}({}) FROM main.{} NOT INDEXED", step.sql, quoted(table)));
        Ok(end("min")?.zip(end("max")?).map(|(first, last)| RowidSpan { first, last }))
    }

    /// Scans the keys of a table and counts them.
    fn walked(&self, select: &Select, walk: &Walk) -> Result<Spread, SourceError> {
        let (read, mut every, mut keys) = self.first_keys(select, walk)?;
        let Some(last) = keys.last().filter(|_| read == FIRST) else {
            return Ok(Spread::Walked { rows: read, every, keys });
        };
        let mut statement = self.stepping(select, walk, after_key(last))?;
        loop {
            let range = StatementRange { after: keys.last(), ..StatementRange::default() };
            let Some(key) =
                self.stepped(&mut statement, &StatementValues { select, range, skip: Some(every - 1) }, walk.width())?
            else {
                break;
            };
            keys.push(key);
            if keys.len() == KEPT {
                keys = every_second(keys);
                every *= 2;
            }
        }
        drop(statement);
        let rows = keys.len() as u64 * every + self.rows_after(select, walk, keys.last())?;
        Ok(Spread::Walked { rows, every, keys })
    }

    /// Scans the first rows, at most [`FIRST`]. Returns their number, a step, and the key of each row that ends a step.
    fn first_keys(&self, select: &Select, walk: &Walk) -> Result<(u64, u64, Vec<Key>), SourceError> {
        let range = StatementRange::default();
        let mut statement = self.prepare(&format!("{} LIMIT {FIRST}", statement::sql(select, walk, &[], range)))?;
        statement::bind(&mut statement, &StatementValues { select, range, skip: None })?;
        let mut found = statement.raw_query();
        let (mut read, mut every, mut keys) = (0, 1, Vec::new());
        while let Some(row) = found.next().map_err(|error| self.failure(&Said::of(&error)))? {
            read += 1;
            if read % every == 0 {
                keys.push(key_of(row, walk.width()));
            }
            if keys.len() == KEPT {
                keys = every_second(keys);
                every *= 2;
            }
        }
        Ok((read, every, keys))
    }

    /// Returns the number of rows after a key.
    fn rows_after(&self, select: &Select, walk: &Walk, after: Option<&Key>) -> Result<u64, SourceError> {
        let range = StatementRange { after, ..StatementRange::default() };
        let mut statement =
            self.prepare(&format!("SELECT count(*) FROM ({})", statement::sql(select, walk, &[], range)))?;
        statement::bind(&mut statement, &StatementValues { select, range, skip: None })?;
        let mut found = statement.raw_query();
        let row = found.next().map_err(|error| self.failure(&Said::of(&error)))?;
        let counted = row.and_then(|row| row.get::<_, i64>(0).ok());
        Ok(counted.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }
}

fn every_second(keys: Vec<Key>) -> Vec<Key> {
    keys.into_iter().skip(1).step_by(2).collect()
}

/// The range of all rows after a key.
fn after_key(key: &Key) -> StatementRange<'_> {
    StatementRange { after: Some(key), ..StatementRange::default() }
}

/// Returns the keys that end all parts except the last one.
fn walked_cuts(rows: u64, every: u64, keys: &[Key], parts: u64) -> Vec<Key> {
    let places = (1..parts).map(|n| (rows / parts * n + rows % parts * n / parts + every / 2) / every);
    places.filter_map(|n| keys.get(usize::try_from(n).ok()?.checked_sub(1)?)).cloned().collect()
}
