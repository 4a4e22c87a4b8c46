//! A transaction that is rolled back unless it is committed.

use std::ops::{Deref, DerefMut};

use postgres::Error;

use super::connection::Client;

/// An open transaction. Statements run through the client that it dereferences to. Dropping it rolls back.
pub struct Transaction<'c> {
    client: &'c mut Client,
    is_open: bool,
}

impl Client {
    /// Begins a transaction.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn transaction(&mut self) -> Result<Transaction<'_>, Error> {
        self.batch_execute("START TRANSACTION")?;
        Ok(self.begun_transaction())
    }

    /// Begins a transaction that only reads.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn read_only_transaction(&mut self) -> Result<Transaction<'_>, Error> {
        self.batch_execute("START TRANSACTION READ ONLY")?;
        Ok(self.begun_transaction())
    }

    /// Takes over a transaction that a script has begun.
    pub fn begun_transaction(&mut self) -> Transaction<'_> {
        Transaction { client: self, is_open: true }
    }
}

impl Transaction<'_> {
    /// Commits.
    ///
    /// # Errors
    /// If a deferred constraint fails: then it is rolled back. If the connection is lost: then it may be committed or not.
    pub fn commit(mut self) -> Result<(), Error> {
        self.is_open = false;
        self.client.batch_execute("COMMIT")
    }

    /// Rolls back.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn rollback(mut self) -> Result<(), Error> {
        self.is_open = false;
        self.client.batch_execute("ROLLBACK")
    }

    /// Notes that a pipeline has ended the transaction.
    pub fn ended(mut self) {
        self.is_open = false;
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.is_open {
            // If the connection is lost, the server rolls back by itself.
            let _ = self.client.batch_execute("ROLLBACK");
        }
    }
}

impl Deref for Transaction<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Client {
        self.client
    }
}
