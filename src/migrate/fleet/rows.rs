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

use super::batches::WrittenFile;
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
    /// Sends all rows that earlier batches do not have, and ends the load. The last COPY stays open until the next one begins, or the
    /// transaction ends.
    ///
    /// # Errors
    /// The reason for which the file cannot be loaded.
    pub fn send(
        &self,
        tx: &mut MemberTransaction<'_>,
        schema: &str,
        encoder: &RowEncoder,
        file: &mut WrittenFile<'_>,
    ) -> Result<(), Stop> {
        let columns = self.load.sent_columns();
        let into = Destination {
            schema,
            table: &self.load.table,
            columns: &columns,
            as_text: self.load.as_text,
            skipped: None,
            nulls_equal: false,
        };
        let (after, before) = (file.after(self.load), file.sums_of(self.load));
        let open = OpenTable { tx: &mut *tx, into, is_begun: false, file: &mut *file };
        let writer = self.scan(encoder, after.as_ref(), before, RowsTo::Target(open))?;
        let sums = writer.sums;
        if let RowsTo::Target(mut open) = writer.to {
            open.end_rows()?;
        }
        file.end_load(tx, self.load, sums)
    }

    /// Counts all rows, and sends none.
    ///
    /// # Errors
    /// The reason for which the file cannot be loaded.
    pub fn count(&self, encoder: &RowEncoder, ids: &mut ReservedIds) -> Result<Sums, Stop> {
        Ok(self.scan(encoder, None, Sums::default(), RowsTo::Nowhere(ids))?.sums)
    }

    fn scan<'w, 's, 'f>(
        &'w self,
        encoder: &'w RowEncoder,
        after: Option<&Key>,
        sums: Sums,
        to: RowsTo<'w, 's, 'f>,
    ) -> Result<PieceWriter<'w, 's, 'f>, Stop> {
        let reader = self.source.reader()?;
        let writer = PieceWriter { load: self.load, seed: self.seed, to, sums };
        let mut loader = Loader::new(Batch::new(self.load, encoder, &self.guards), writer);
        let range = KeyRange { after, until: None };
        reader.scan(&self.load.select, range, &mut loader).map_err(|e| Stop::reading(self.load, e))?;
        let (writer, stop) = loader.finish();
        stop.map_or(Ok(writer), Err)
    }
}

/// The destination of the rows that are read.
enum RowsTo<'w, 's, 'f> {
    /// They are only counted, with any ids.
    Nowhere(&'w mut ReservedIds),
    /// They are sent.
    Target(OpenTable<'w, 's, 'f>),
}

/// The table into which rows are sent.
struct OpenTable<'w, 's, 'f> {
    tx: &'w mut MemberTransaction<'s>,
    into: Destination<'w>,
    is_begun: bool,
    file: &'w mut WrittenFile<'f>,
}

impl OpenTable<'_, '_, '_> {
    fn send(&mut self, bytes: &[u8], rows: u64) -> Result<(), Stop> {
        if !std::mem::replace(&mut self.is_begun, true) {
            self.tx.begin_copy(&self.into)?;
        }
        Ok(self.tx.send(bytes, rows)?)
    }

    fn end_rows(&mut self) -> Result<(), Stop> {
        if std::mem::take(&mut self.is_begun) {
            self.tx.end_rows()?;
        }
        Ok(())
    }

    /// Commits the rows so far if they are a full batch. `last` is the key of the last one.
    fn end_batch(&mut self, load: &LoadPlan, sums: &Sums, last: &Key) -> Result<(), Stop> {
        if !self.file.is_full_within(load) {
            return Ok(());
        }
        self.end_rows()?;
        self.file.commit_within(self.tx, load, sums, last)
    }
}

/// Sends or counts the pieces of one load.
struct PieceWriter<'w, 's, 'f> {
    load: &'w LoadPlan,
    seed: u64,
    to: RowsTo<'w, 's, 'f>,
    sums: Sums,
}

impl BatchWriter for PieceWriter<'_, '_, '_> {
    type End = Stop;

    fn interruption(&self, _: &Batch<'_>) -> Option<Stop> {
        None
    }

    fn is_full(&self, batch: &Batch<'_>) -> bool {
        match &self.to {
            RowsTo::Target(open) => batch.is_full(&open.file.piece(PIECE)),
            RowsTo::Nowhere(_) => batch.is_full(&PIECE),
        }
    }

    fn write(&mut self, batch: &mut Batch<'_>, last: Option<Key>) -> Result<(), Stop> {
        // A file with a row that cannot be loaded is not loaded.
        if batch.refused > 0 {
            return Err(Stop::Faults(std::mem::take(&mut batch.faults)));
        }
        if batch.rows() > 0 {
            self.issue(batch)?;
        }
        match &mut self.to {
            RowsTo::Nowhere(_) => self.sums.merge(&batch.counts()),
            RowsTo::Target(open) => {
                self.sums.merge(&batch.sums(&[], self.seed));
                if batch.rows() > 0 {
                    open.send(&batch.bytes, batch.rows())?;
                    open.file.sent(self.load, batch.rows(), batch.bytes.len() as u64);
                }
                if let Some(last) = last {
                    open.end_batch(self.load, &self.sums, &last)?;
                }
            }
        }
        batch.clear();
        Ok(())
    }
}

impl PieceWriter<'_, '_, '_> {
    /// Writes reserved ids into the rows of a piece.
    fn issue(&mut self, batch: &mut Batch<'_>) -> Result<(), Stop> {
        let is_issued = |column: &&ColumnPlan| matches!(column.feed, Feed::Issued(_));
        let columns: Vec<&String> = self.load.columns.iter().filter(is_issued).map(|column| &column.name).collect();
        let table = &self.load.table;
        let ids = match &mut self.to {
            RowsTo::Nowhere(ids) => ids,
            RowsTo::Target(open) => &mut open.file.ids,
        };
        fill_ids(batch, |_: &[&str], count: usize| {
            Ok(columns.iter().map(|column| ids.issue(table, column, count)).collect::<Vec<_>>())
        })?;
        Ok(())
    }
}
