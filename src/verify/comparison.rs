//! The rows of one table on both sides, as digests.

use crate::model::digest::Digest;

use super::table::VerifiedTable;

/// The rows read from one table.
#[derive(Clone, Debug, Default)]
pub(super) struct TableRead {
    /// The number of rows, without the owner's row that the run made.
    pub rows: u64,
    /// The digest of these rows.
    pub digest: Digest,
    /// The digest of the rows that the source produces now. `None` if they were not computed or cannot be.
    pub source: Option<Digest>,
    /// The digest of the same rows as they were sent, if columns of the table were changed since.
    pub as_sent: Digest,
    /// The digests of the rows of both sides under the seed of this verification, if the source is read.
    pub fresh: FreshDigests,
    /// The digest of the rows on the target in the server's own form, if the table has columns that were read back.
    pub returned: Digest,
}

/// The digests of a table's rows on both sides, under the seed that was drawn for this verification.
#[derive(Clone, Debug, Default)]
pub(super) struct FreshDigests {
    /// The rows on the target, those that existed before the run included.
    pub target: Digest,
    /// The rows that the source produces now.
    pub source: Digest,
}

/// The rows of one table: those on the target, those that were sent, and those that the source produces now.
pub(super) struct TableComparison {
    /// Rows on the target, without the owner's own row and without rows of later ids.
    pub rows: u64,
    /// Rows of later ids.
    pub added: u64,
    /// The digest of the rows on the target, without the rows that existed before the run.
    pub ours: Digest,
    /// The digest of the rows sent, from the ledger. If columns were changed since, it is computed from the source, which
    /// produces the rows of the ledger's digest.
    pub sent: Digest,
    /// The reason why there is no such digest. `None` if there is.
    pub unknown: Option<String>,
    /// The digest of the rows that the source produces now. `None` if they were not computed or cannot be.
    pub source: Option<Digest>,
    /// True if the source produces other rows than were sent.
    pub is_source_changed: bool,
    /// The digests of both sides under the seed of this verification.
    pub fresh: FreshDigests,
    /// The digest of the rows on the target in the server's own form.
    pub returned: Digest,
}

impl TableComparison {
    /// `all`: rows of the table, without the owner's own row.
    pub fn new(table: &VerifiedTable<'_>, read: TableRead, all: u64) -> TableComparison {
        let mut ours = read.digest;
        if let Some(before) = &table.before {
            ours.subtract(before);
        }
        let added = if table.scope.is_some() { all.saturating_sub(read.rows) } else { 0 };
        let (mut sent, mut unknown) = (table.sent(), None);
        let mut is_source_changed = read.source.as_ref().is_some_and(|source| *source != sent);
        if table.altered.fields.is_some() {
            is_source_changed = read.source.is_some() && read.as_sent != sent;
            let why = if is_source_changed {
                Some("the source no longer produces the rows that were sent".to_owned())
            } else {
                None
            };
            unknown = why.or_else(|| table.obstacle());
            sent = read.source.clone().unwrap_or_default();
        }
        TableComparison {
            rows: read.rows,
            added,
            ours,
            sent,
            unknown,
            is_source_changed,
            source: read.source,
            fresh: read.fresh,
            returned: read.returned,
        }
    }

    /// States which side changed since, to end a sentence.
    pub fn side_changed(&self) -> &'static str {
        match &self.source {
            None => "",
            Some(now) if *now == self.sent => "; the target changed, the source still produces what was sent",
            Some(now) if *now == self.ours => "; both changed, and the source produces what the target holds now",
            Some(_) => "; the target changed, and so did the source",
        }
    }
}
