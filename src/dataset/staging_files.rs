//! The interface between engine and transaction: the engine asks for staging files, and returns finished ones.

use std::fmt;
use std::path::PathBuf;

use crate::disk::{DiskDirectory, DiskFile, Identity};
use crate::error::Result;
use crate::format::written::Content;
use crate::meter::Meter;
use crate::partition::Partition;
use crate::receipt::{ColumnStatistics, FileRecord, ReceiptError};
use crate::staging::Draft;

/// Where an engine makes its files: the transaction, as the engine sees it.
pub(crate) trait StagingFiles: fmt::Debug + Send + Sync {
    /// Creates a staging file of this write; `hashing` says that its bytes are hashed as they are written.
    fn create(&self, hashing: bool) -> Result<Draft>;

    /// Creates a scratch file for rows and pages beyond the memory limit. It is removed with the transaction, and
    /// never published.
    fn scratch(&self) -> Result<Box<dyn DiskFile>>;

    /// Called with each partition when its first row has come, so that conflicts are found early.
    fn touch(&self, partition: &Partition) -> Result<()>;

    /// Opens the directory of the staging files. It has to be opened before the first of them is written: a sync of a
    /// whole file system reports the failures since then, and no earlier ones.
    fn directory(&self) -> Result<Box<dyn DiskDirectory>>;

    /// The meter of the time that this write takes.
    fn meter(&self) -> &Meter;

    /// Takes a file that is finished. Called by several threads.
    fn stage(&self, file: &Finished) -> Result<()>;
}

/// An encoded file: its last byte is written, but it is neither synced nor verified.
pub(super) struct EncodedFile {
    pub(super) draft: Draft,
    pub(super) content: Content,
    pub(super) digests: Option<Vec<u128>>,
    pub(super) rows: u64,
    /// The length of what ends a Parquet file; see [`Finished::footer_bytes`].
    pub(super) footer_bytes: Option<u64>,
    /// The final path.
    pub(super) path: PathBuf,
}

/// A finished file: ended, verified, and synced if that was asked for.
///
/// Plain data. Removing the staging file is the transaction's.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    /// The path of the staging file.
    pub(crate) staged: PathBuf,
    /// Identity of the file that was written and verified, whatever stands there later.
    pub(crate) identity: Identity,
    /// The partition of its rows.
    pub(crate) partition: Partition,
    /// The file name within the partition's directory.
    pub(crate) file_name: String,
    pub(crate) rows: u64,
    /// The number of row groups or record batches, where the format has them.
    pub(crate) row_groups: Option<usize>,
    /// The length of the file in bytes.
    pub(crate) bytes: u64,
    /// The length of what ends a Parquet file: metadata, its length field, magic number.
    pub(crate) footer_bytes: Option<u64>,
    /// The XXH3 hash (128 bits) of all bytes, if they were hashed.
    pub(crate) content_hash: Option<u128>,
    /// The statistics of the columns, where the format has them; of very many files, only of the first columns.
    pub(crate) columns: Vec<ColumnStatistics>,
}

impl Finished {
    /// Makes the record of the file for a receipt.
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
