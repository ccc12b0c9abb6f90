//! The record of one file: its path, its rows, its statistics.

use serde::Deserialize;

use super::{ColumnStatistics, ReceiptError, path, wire};
use crate::partition::Partition;

/// One file of a data set: where it is, and what is known of its content.
///
/// ```
/// use atomic_arrow::Partition;
/// use atomic_arrow::receipt::FileRecord;
///
/// let partition = Partition::new([("station_id", "KSEA")])?;
/// let file = FileRecord::new(partition, "part-0.parquet", 744, 9_120)?.with_content_hash(0xfe);
/// assert_eq!(file.path(), "station_id=KSEA/part-0.parquet");
/// assert_eq!(file.content_hash(), Some(0xfe));
///
/// let outside = FileRecord::new(Partition::none(), "../part-0.parquet", 1, 1);
/// assert!(outside.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "wire::File")]
pub struct FileRecord {
    pub(super) path: String,
    pub(super) partition: Partition,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) footer_bytes: Option<u64>,
    pub(super) row_groups: Option<u64>,
    pub(super) content_hash: Option<u128>,
    pub(super) columns: Vec<ColumnStatistics>,
}

impl FileRecord {
    /// A file by its partition, its name in the partition's directory, its rows and its length.
    ///
    /// # Errors
    /// The name is not that of one file which readers would see; the path is longer than 4096 bytes;
    /// or a number is beyond 2^63.
    pub fn new(
        partition: Partition,
        name: &str,
        rows: u64,
        bytes: u64,
    ) -> Result<Self, ReceiptError> {
        path::check_name(name)?;
        let path = match partition.is_empty() {
            true => name.to_owned(),
            false => format!("{partition}/{name}"),
        };
        path::check_plain(&path)?;
        for (what, number) in [("rows", rows), ("bytes", bytes)] {
            if i64::try_from(number).is_err() {
                return Err(ReceiptError::invalid(
                    what,
                    &number.to_string(),
                    "is beyond 2^63",
                ));
            }
        }
        Ok(FileRecord {
            path,
            partition,
            rows,
            bytes,
            footer_bytes: None,
            row_groups: None,
            content_hash: None,
            columns: Vec::new(),
        })
    }

    /// The length of what ends a Parquet file: metadata, its length, the magic number; by default
    /// unknown.
    #[must_use]
    pub fn with_footer_bytes(mut self, bytes: u64) -> Self {
        self.footer_bytes = Some(bytes);
        self
    }

    /// The number of row groups, or of record batches; by default unknown.
    #[must_use]
    pub fn with_row_groups(mut self, row_groups: u64) -> Self {
        self.row_groups = Some(row_groups);
        self
    }

    /// The XXH3 hash (128 bits) of all bytes; by default unknown.
    #[must_use]
    pub fn with_content_hash(mut self, hash: u128) -> Self {
        self.content_hash = Some(hash);
        self
    }

    /// Sets the statistics of the columns; by default there are none.
    #[must_use]
    pub fn with_columns(mut self, columns: Vec<ColumnStatistics>) -> Self {
        self.columns = columns;
        self
    }

    /// The final path, below the root, with `/` between its parts.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The last part of the path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path
            .rsplit_once('/')
            .map_or(&self.path, |(_, name)| name)
    }

    /// The partition, with typed values.
    #[must_use]
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// How many rows the file holds.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The file's length.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The length of what ends a Parquet file.
    #[must_use]
    pub fn footer_bytes(&self) -> Option<u64> {
        self.footer_bytes
    }

    /// The number of row groups of a Parquet file, or of record batches of an Arrow IPC file.
    #[must_use]
    pub fn row_groups(&self) -> Option<u64> {
        self.row_groups
    }

    /// The XXH3 hash (128 bits) of all bytes, where they were hashed.
    #[must_use]
    pub fn content_hash(&self) -> Option<u128> {
        self.content_hash
    }

    /// What the footer of a Parquet file says of its columns that are not nested.
    #[must_use]
    pub fn columns(&self) -> &[ColumnStatistics] {
        &self.columns
    }

    /// The path without the name.
    pub(super) fn directory(&self) -> &str {
        self.path
            .rsplit_once('/')
            .map_or("", |(directory, _)| directory)
    }
}
