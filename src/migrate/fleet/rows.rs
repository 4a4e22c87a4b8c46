//! The rows of one load of a file: read, converted, and sent in pieces of one COPY or only counted.

use crate::convert::row::RowEncoder;
use crate::job::{Options, Stop};
use crate::mapping::OnFault;
use crate::migrate::load::{BatchWriter, Loader, fill_ids};
use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::guard::Guard;
use crate::model::key::{Key, KeyRange};
use crate::model::sums::Sums;
use crate::pg::copy::Destination;
use crate::pg::member::MemberTransaction;
use crate::plan::{ColumnPlan, Feed, LoadPlan};
use crate::sqlite::Source;

use super::ids::ReservedIds;

/// The most rows of a piece that is sent at once, and its most bytes.
const PIECE: Options =
    Options { jobs: 1, batch_rows: 50_000, batch_bytes: 4 << 20, on_fault: OnFault::Abort, max_faults: None };

/// The rows of one load of a file.
pub struct FileRows<'a> {
    /// The file.
    pub source: &'a Source,
    /// The load.
    pub load: &'a LoadPlan,
    /// The seed of the rows' hashes.
    pub seed: u64,
    /// The keys that its references are compared with.
    pub guards: Vec<Guard<'a>>,
}

impl FileRows<'_> {
    /// Sends all rows. The last COPY stays open until the next one begins, or the transaction ends.
    ///
    /// # Errors
    /// The reason for which the file cannot be loaded.
    pub fn send(
        &self,
        tx: &mut MemberTransaction<'_>,
        schema: &str,
        encoder: &RowEncoder,
        ids: &mut ReservedIds,
    ) -> Result<Sums, Stop> {
        let columns = self.load.sent_columns();
        let into = Destination {
            schema,
            table: &self.load.table,
            columns: &columns,
            as_text: self.load.as_text,
            skipped: None,
            nulls_equal: false,
        };
        self.scan(encoder, ids, Some(OpenTable { tx, into, is_begun: false }))
    }

    /// Counts all rows, and sends none.
    ///
    /// # Errors
    /// The reason for which the file cannot be loaded.
    pub fn count(&self, encoder: &RowEncoder, ids: &mut ReservedIds) -> Result<Sums, Stop> {
        self.scan(encoder, ids, None)
    }

    fn scan(&self, encoder: &RowEncoder, ids: &mut ReservedIds, to: Option<OpenTable<'_, '_>>) -> Result<Sums, Stop> {
        let reader = self.source.reader()?;
        let writer = PieceWriter { load: self.load, seed: self.seed, ids, to, sums: Sums::default() };
        let mut loader = Loader::new(Batch::new(self.load, encoder, &self.guards), writer);
        reader.scan(&self.load.select, KeyRange::ALL, &mut loader).map_err(|e| Stop::reading(self.load, e))?;
        let (writer, stop) = loader.finish();
        if let Some(stop) = stop {
            return Err(stop);
        }
        if let Some(open) = writer.to.filter(|open| open.is_begun) {
            open.tx.end_rows()?;
        }
        Ok(writer.sums)
    }
}

/// The table into which rows are sent.
struct OpenTable<'w, 's> {
    tx: &'w mut MemberTransaction<'s>,
    into: Destination<'w>,
    is_begun: bool,
}

impl OpenTable<'_, '_> {
    fn send(&mut self, bytes: &[u8], rows: u64) -> Result<(), Stop> {
        if !std::mem::replace(&mut self.is_begun, true) {
            self.tx.begin_copy(&self.into)?;
        }
        Ok(self.tx.send(bytes, rows)?)
    }
}

/// Sends or counts the pieces of one load.
struct PieceWriter<'w, 's> {
    load: &'w LoadPlan,
    seed: u64,
    ids: &'w mut ReservedIds,
    to: Option<OpenTable<'w, 's>>,
    sums: Sums,
}

impl BatchWriter for PieceWriter<'_, '_> {
    type End = Stop;

    fn interruption(&self, _: &Batch<'_>) -> Option<Stop> {
        None
    }

    fn is_full(&self, batch: &Batch<'_>) -> bool {
        batch.is_full(&PIECE)
    }

    fn write(&mut self, batch: &mut Batch<'_>, _: Option<Key>) -> Result<(), Stop> {
        // A file with a row that cannot be loaded is not loaded.
        if batch.refused > 0 {
            return Err(Stop::Faults(std::mem::take(&mut batch.faults)));
        }
        if batch.rows() > 0 {
            self.issue(batch)?;
            if let Some(open) = &mut self.to {
                open.send(&batch.bytes, batch.rows())?;
            }
        }
        let sums = if self.to.is_some() { batch.sums(&[], self.seed) } else { batch.counts() };
        self.sums.merge(&sums);
        batch.clear();
        Ok(())
    }
}

impl PieceWriter<'_, '_> {
    /// Writes reserved ids into the rows of a piece.
    fn issue(&mut self, batch: &mut Batch<'_>) -> Result<(), Stop> {
        let is_issued = |column: &&ColumnPlan| matches!(column.feed, Feed::Issued(_));
        let columns: Vec<&String> = self.load.columns.iter().filter(is_issued).map(|column| &column.name).collect();
        let (ids, table) = (&mut *self.ids, &self.load.table);
        fill_ids(batch, |_: &[&str], count: usize| {
            Ok(columns.iter().map(|column| ids.issue(table, column, count)).collect::<Vec<_>>())
        })?;
        Ok(())
    }
}
