//! Gathers the rows of a load into batches and passes each full batch to a writer.

use std::ops::ControlFlow;

use crate::migrate::rows::batch::Batch;
use crate::model::key::Key;
use crate::model::select::{CONTINUE, Failed, Row, Sink};

/// Writes full batches.
pub trait BatchWriter {
    /// The reason for which writing ends before the last row.
    type End;

    /// Returns the reason not to take another row into the batch. `None` if there is none.
    fn interruption(&self, batch: &Batch<'_>) -> Option<Self::End>;

    /// Returns true if the batch must be written now.
    fn is_full(&self, batch: &Batch<'_>) -> bool;

    /// Called after each row of a batch that is not full: the writer may send rows that will stay in the batch.
    ///
    /// # Errors
    /// The reason for which nothing more can be written.
    fn add(&mut self, _batch: &Batch<'_>) -> Result<(), Self::End> {
        Ok(())
    }

    /// Writes the batch and empties it. `last` is the key of its last row, or `None` if no row follows.
    ///
    /// # Errors
    /// The reason for which nothing more can be written.
    fn write(&mut self, batch: &mut Batch<'_>, last: Option<Key>) -> Result<(), Self::End>;
}

/// The sink of a load.
pub struct Loader<'b, W: BatchWriter> {
    batch: Batch<'b>,
    writer: W,
    end: Option<W::End>,
}

impl<'b, W: BatchWriter> Loader<'b, W> {
    /// A loader that begins with an empty batch.
    pub fn new(batch: Batch<'b>, writer: W) -> Loader<'b, W> {
        Loader { batch, writer, end: None }
    }

    /// Writes the last batch after all rows were read. Returns the writer, and the reason for which it ended early.
    pub fn finish(mut self) -> (W, Option<W::End>) {
        if self.end.is_none() {
            self.end = self.writer.write(&mut self.batch, None).err();
        }
        (self.writer, self.end)
    }

    fn is_interrupted(&mut self) -> bool {
        self.end = self.writer.interruption(&self.batch);
        self.end.is_some()
    }

    fn add(&mut self) -> ControlFlow<()> {
        self.end = self.writer.add(&self.batch).err();
        if self.end.is_none() { CONTINUE } else { ControlFlow::Break(()) }
    }

    fn write(&mut self, last: Key) -> ControlFlow<()> {
        self.end = self.writer.write(&mut self.batch, Some(last)).err();
        if self.end.is_none() { CONTINUE } else { ControlFlow::Break(()) }
    }
}

impl<W: BatchWriter> Sink for Loader<'_, W> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        if self.is_interrupted() {
            return ControlFlow::Break(());
        }
        self.batch.row(row);
        if self.writer.is_full(&self.batch) { self.write(row.key()) } else { self.add() }
    }

    fn failed(&mut self, key: Key, failed: Failed) -> ControlFlow<()> {
        if self.is_interrupted() {
            return ControlFlow::Break(());
        }
        self.batch.failed(key.clone(), failed);
        if self.writer.is_full(&self.batch) { self.write(key) } else { CONTINUE }
    }
}
