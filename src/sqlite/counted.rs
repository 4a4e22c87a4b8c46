//! Counts and checks of the source, and the distribution of rows over their keys, kept for the life of the snapshot.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::error::SourceError;
use crate::model::key::Key;

/// Results that required a scan of a whole table.
#[derive(Default)]
pub(super) struct Counted {
    pub rows: Mutex<HashMap<String, u64>>,
    /// The values that are not NULL, by table and column.
    pub values: Mutex<HashMap<(String, String), u64>>,
    /// The texts with half of a surrogate pair, by table and column.
    pub half_surrogates: Mutex<HashMap<(String, String), u64>>,
    pub spreads: Mutex<HashMap<String, Arc<Spread>>>,
    /// The comparison of each table with its indexes.
    pub indexes: Mutex<HashMap<String, Result<(), SourceError>>>,
}

/// The distribution of a table's rows over its keys.
pub(super) enum Spread {
    /// Approximately even between these rowids.
    Even { rows: u64, span: RowidSpan },
    /// The key of every `every`th row.
    Walked { rows: u64, every: u64, keys: Vec<Key> },
}

impl Spread {
    /// Returns the number of rows of the table; for an even distribution an estimate.
    pub(super) fn rows(&self) -> u64 {
        match self {
            Spread::Even { rows, .. } | Spread::Walked { rows, .. } => *rows,
        }
    }
}

/// The first and the last rowid of a table.
#[derive(Clone, Copy)]
pub(super) struct RowidSpan {
    pub first: i64,
    pub last: i64,
}

impl RowidSpan {
    /// Returns the rowid at `n` of `all` equal steps. The span may be the whole range of a rowid.
    pub(super) fn place(self, n: i128, all: i128) -> i64 {
        let first = i128::from(self.first);
        let place = first + (i128::from(self.last) - first) * n / all;
        i64::try_from(place).unwrap_or(self.last)
    }
}
