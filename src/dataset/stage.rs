//! The interface between engine and transaction: staging files, and finished files.

use std::fmt;
use std::path::PathBuf;

use crate::disk::{DiskDirectory, DiskFile, Identity};
use crate::error::Result;
use crate::format::encode::Content;
use crate::partition::Partition;
use crate::receipt::{ColumnStatistics, FileRecord, ReceiptError};
use crate::staging::Draft;

/// The transaction that a data set's files are staged in.
pub(crate) trait Stage: fmt::Debug + Send + Sync {
    /// A new staging file of this write.
    fn create(&self, hashing: bool) -> Result<Draft>;

    /// A new scratch file for what memory has no room for, removed with the transaction and never published.
    fn scratch(&self) -> Result<Box<dyn DiskFile>>;

    /// Told of each partition when its first row has come.
    fn touch(&self, partition: &Partition) -> Result<()>;

    /// The directory that the staging files are in, opened before the first of them is written: a
    /// sync of a whole file system reports the failures since then, and no earlier ones.
    fn directory(&self) -> Result<Box<dyn DiskDirectory>>;
}

/// A file whose last byte is written.
pub(super) struct EncodedFile {
    pub(super) draft: Draft,
    pub(super) content: Content,
    pub(super) digests: Option<Vec<u128>>,
    pub(super) rows: u64,
    /// See [`Finished`].
    pub(super) footer_bytes: Option<u64>,
    /// The final path.
    pub(super) path: PathBuf,
}

/// A finished file: ended, verified, and synced if that was asked for.
///
/// Plain data. Removing the staging file is the transaction's.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    /// Where the file stands now.
    pub(crate) staged: PathBuf,
    /// Identity of the file that was written and verified, whatever stands there later.
    pub(crate) identity: Identity,
    /// The partition of its rows.
    pub(crate) partition: Partition,
    /// Its name within the partition's directory.
    pub(crate) file_name: String,
    pub(crate) rows: u64,
    /// Its row groups or record batches, where its format has them.
    pub(crate) row_groups: Option<usize>,
    /// Its length.
    pub(crate) bytes: u64,
    /// The length of what ends a Parquet file: metadata, its length, magic number.
    pub(crate) footer_bytes: Option<u64>,
    /// XXH3 with 128 bits of the whole file, where it was hashed.
    pub(crate) content_hash: Option<u128>,
    /// The statistics of its columns, where the format has them: as many as there is memory for.
    pub(crate) columns: Vec<ColumnStatistics>,
}

impl Finished {
    /// The record of it in a receipt.
    pub(super) fn into_record(self) -> std::result::Result<FileRecord, ReceiptError> {
        let record = FileRecord::new(self.partition, &self.file_name, self.rows, self.bytes)?;
        let mut record = record.with_columns(self.columns);
        if let Some(bytes) = self.footer_bytes {
            record = record.with_footer_bytes(bytes);
        }
        if let Some(row_groups) = self.row_groups {
            record = record.with_row_groups(row_groups as u64);
        }
        Ok(match self.content_hash {
            Some(hash) => record.with_content_hash(hash),
            None => record,
        })
    }
}
