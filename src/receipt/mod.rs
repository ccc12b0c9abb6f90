//! [`Receipt`]: what a data-set commit published and removed, as plain data.
//!
//! As a struct, as JSON, and as a table with a row for each file. Receipts are kept in the record that
//! commits a transaction and staged writes are told of between processes, so whatever is read back is
//! checked as if somebody had meant harm by it: no path in it leads out of the data set, and nothing
//! contradicts itself. That the files are there, or are what is said of them, is not known here.

mod file;
mod metrics;
mod mode;
mod name;
mod note;
mod path;
mod schema_text;
mod staged_write;
mod statistics;
mod table;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Error;

pub use file::FileRecord;
pub use metrics::Metrics;
pub use mode::CommitMode;
pub(crate) use name::WriteName;
pub use note::Note;
pub(crate) use schema_text::SchemaText;
pub use staged_write::StagedWrite;
pub(crate) use staged_write::{Part, StagedFileRecord};
pub(crate) use statistics::StatisticsReader;
pub use statistics::{Bound, ColumnStatistics, StatisticsValue};

/// The longest JSON that is read, in bytes: some millions of files.
const LONGEST_JSON: usize = 2 << 30;
/// The longest path, key, name of a write or bound in bytes.
const LONGEST_TEXT: usize = 4096;

/// Why something is no receipt, or cannot be in one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The text is not the JSON of a receipt, or says what no receipt can.
    #[error("not the JSON of a receipt")]
    Json(#[source] Box<dyn std::error::Error + Send + Sync>),

    /// The text is longer than any receipt.
    #[error("{length} bytes long, but a receipt has at most {limit}")]
    TooLong {
        /// The length of the text.
        length: usize,
        /// The longest that is read.
        limit: usize,
    },

    /// Something that cannot be in a receipt.
    #[error("{what} {value:?}: {reason}")]
    Invalid {
        /// Which part of the receipt.
        what: &'static str,
        /// The value, cut off where it is long.
        value: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The table of the files cannot be made.
    #[error("the receipt cannot be made a table")]
    Table(#[source] arrow::error::ArrowError),
}

impl ReceiptError {
    fn invalid(what: &'static str, value: &str, reason: impl Into<String>) -> Self {
        const SHOWN: usize = 200;
        ReceiptError::Invalid {
            what,
            value: value.chars().take(SHOWN).collect(),
            reason: reason.into(),
        }
    }
}

impl From<ReceiptError> for Error {
    fn from(error: ReceiptError) -> Self {
        Error::Receipt {
            source: Box::new(error),
        }
    }
}

/// The sums over the files of a receipt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Totals {
    /// Files that were published.
    pub files: u64,
    /// Their partitions, each counted once.
    pub partitions: u64,
    /// Their rows.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were removed.
    pub removed: u64,
}

/// What a data-set commit published and removed.
///
/// ```
/// use atomic_arrow::receipt::{CommitMode, FileRecord, Receipt};
/// use atomic_arrow::{Partition, uuid::Uuid};
///
/// let partition = Partition::new([("station_id", "KSEA"), ("year", "2026")])?;
/// let file = FileRecord::new(partition, "part-0.parquet", 744, 9_120)?;
/// let receipt = Receipt::new(Uuid::nil(), CommitMode::Append, vec![file])?;
///
/// assert_eq!(receipt.totals().rows, 744);
/// assert_eq!(receipt.files()[0].path(), "station_id=KSEA/year=2026/part-0.parquet");
/// assert_eq!(Receipt::from_json(receipt.to_json()?)?, receipt);
/// assert_eq!(receipt.to_record_batch()?.num_rows(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Two receipts are equal if they say the same, wherever the data set stands and however long the commit took.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "wire::Receipt")]
pub struct Receipt {
    transaction: Uuid,
    write_id: Option<String>,
    sequence: Option<u64>,
    mode: CommitMode,
    schema: Option<SchemaRef>,
    files: Vec<FileRecord>,
    removed: Vec<String>,
    totals: Totals,
    /// Not a part of what is kept.
    replayed: bool,
    /// The files of the receipt that are gone; not part of the record.
    missing: Vec<String>,
    /// Not a part of what is kept.
    root: Option<PathBuf>,
    /// The notes for the caller; not part of the record.
    notes: Vec<Note>,
    /// Not a part of the record.
    metrics: Option<Metrics>,
}

// Without the root, the times, and which of several commits of one name this is of.
impl PartialEq for Receipt {
    fn eq(&self, other: &Self) -> bool {
        let parts = |receipt: &Self| (receipt.transaction, receipt.mode, receipt.totals);
        parts(self) == parts(other)
            && (&self.write_id, self.sequence) == (&other.write_id, other.sequence)
            && self.schema == other.schema
            && self.files == other.files
            && self.removed == other.removed
            && self.missing == other.missing
            && self.notes == other.notes
    }
}

impl Receipt {
    /// The receipt of a transaction that published these files.
    ///
    /// # Errors
    /// Two files have one path, or the sum of their rows or bytes is beyond 2^63.
    #[doc(hidden)]
    pub fn new(
        transaction: Uuid,
        mode: CommitMode,
        files: Vec<FileRecord>,
    ) -> Result<Self, ReceiptError> {
        let totals = sum(files.iter())?;
        Ok(Receipt {
            transaction,
            write_id: None,
            sequence: None,
            mode,
            schema: None,
            files,
            removed: Vec::new(),
            totals,
            replayed: false,
            root: None,
            missing: Vec::new(),
            notes: Vec::new(),
            metrics: None,
        })
    }

    /// The caller's name of the write; by default there is none.
    ///
    /// # Errors
    /// It is empty, longer than 4096 bytes, or has control characters.
    #[doc(hidden)]
    pub fn with_write_id(mut self, write_id: impl Into<String>) -> Result<Self, ReceiptError> {
        let write_id = write_id.into();
        path::check_text("write id", &write_id)?;
        self.write_id = Some(write_id);
        Ok(self)
    }

    /// # Errors
    /// The name is empty, longer than 4096 bytes, or has control characters.
    pub(crate) fn with_name(self, name: &WriteName) -> Result<Self, ReceiptError> {
        let mut receipt = self.with_write_id(&name.id)?;
        receipt.sequence = name.sequence;
        Ok(receipt)
    }

    /// The schema of the rows; by default it is not known.
    #[doc(hidden)]
    #[must_use]
    pub fn with_schema(mut self, schema: SchemaRef) -> Self {
        self.schema = Some(schema);
        self
    }

    /// The receipt of a commit of this name that happened before.
    pub(crate) fn into_replayed(mut self) -> Self {
        self.replayed = true;
        self
    }

    /// What is known of a write of a stream once a later one is committed: that it was committed.
    ///
    /// # Errors
    /// Those of [`with_write_id`](Self::with_write_id).
    pub(crate) fn superseded(name: &WriteName, highest: u64) -> Result<Self, ReceiptError> {
        let receipt = Receipt::new(Uuid::nil(), CommitMode::Append, Vec::new())?;
        let receipt = receipt.with_name(name)?.into_replayed();
        Ok(receipt.with_notes(vec![Note::Superseded { highest }]))
    }

    /// The files that were removed, by their paths below the root; by default none. What is not UTF-8 in a
    /// path becomes U+FFFD.
    ///
    /// # Errors
    /// A path is empty, leads out of the root, or is longer than 4096 bytes.
    #[doc(hidden)]
    pub fn with_removed<P: AsRef<Path>>(
        mut self,
        removed: impl IntoIterator<Item = P>,
    ) -> Result<Self, ReceiptError> {
        let removed = removed.into_iter().map(|path| path::plain(path.as_ref()));
        self.removed = removed.collect::<Result<_, _>>()?;
        self.totals.removed = self.removed.len() as u64;
        Ok(self)
    }

    pub(crate) fn with_root(mut self, root: &Path) -> Self {
        self.root = Some(root.to_owned());
        self
    }

    /// The root of the data set, absolute and with symbolic links resolved, below which the paths of the files are. It is
    /// no part of the JSON, and `None` of a receipt that was read from that.
    #[must_use]
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    pub(crate) fn with_missing(mut self, missing: Vec<String>) -> Self {
        self.missing = missing;
        self
    }

    /// The files of this receipt that are gone by now, by their paths below the root. Only the receipt of an earlier
    /// write of the same name can have some: an overwrite, or somebody by hand, has removed them since. They are no
    /// part of the JSON.
    #[must_use]
    pub fn missing_files(&self) -> &[String] {
        &self.missing
    }

    pub(crate) fn with_notes(mut self, notes: Vec<Note>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// What the caller of the commit should know beside it; none in the receipt of an earlier write of the
    /// same name. It is not a part of the JSON.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    pub(crate) fn with_metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// What the time of the commit was spent on; `None` in the receipt of an earlier write of the same name, and of a write
    /// that was [ignored](Note::Ignored). Of
    /// [staged writes](crate::StagedWrites) the work is that of all writers that staged what was committed.
    #[must_use]
    pub fn metrics(&self) -> Option<Metrics> {
        self.metrics
    }

    /// The transaction.
    #[must_use]
    pub fn transaction(&self) -> Uuid {
        self.transaction
    }

    /// The caller's name of the write, if it has one.
    #[must_use]
    pub fn write_id(&self) -> Option<&str> {
        self.write_id.as_deref()
    }

    /// The number of the write in the stream that its [name](Self::write_id) is of, if it has one.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        self.sequence
    }

    /// Whether a write of this [name](Self::write_id) was committed before, and this call published nothing: the receipt
    /// is that of then. Of a stream whose later writes are committed it has no files, and the note
    /// [`Superseded`](Note::Superseded). It is no part of the JSON.
    #[must_use]
    pub fn replayed(&self) -> bool {
        self.replayed
    }

    /// The schema of the rows, with the types that the files have: all columns of the batches, also those that are partition
    /// keys and stand in no file. Keys that are computed, as `year(ts)`, are none of them. Of [staged
    /// writes](crate::StagedWrites) it holds the columns of all. `None` where nothing was written, where
    /// the footers of the files are encrypted, and in a receipt of a version that did not keep it.
    #[must_use]
    pub fn schema(&self) -> Option<&SchemaRef> {
        self.schema.as_ref()
    }

    /// What the commit did with what was there.
    #[must_use]
    pub fn mode(&self) -> CommitMode {
        self.mode
    }

    /// The files that were published.
    #[must_use]
    pub fn files(&self) -> &[FileRecord] {
        &self.files
    }

    /// The files that were published, without the rest of the receipt.
    #[must_use]
    pub fn into_files(self) -> Vec<FileRecord> {
        self.files
    }

    /// The paths, below the root, of the files that were removed; `/` is between their parts.
    #[must_use]
    pub fn removed(&self) -> &[String] {
        &self.removed
    }

    /// The sums over all files.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The receipt as JSON.
    ///
    /// ```json
    /// {
    ///   "version": 1,
    ///   "transaction": "019ab3c4-…",
    ///   "write_id": null,
    ///   "mode": "append",
    ///   "schema": "/////…",
    ///   "totals": {"files": 1, "partitions": 1, "rows": 744, "bytes": 9120, "removed": 0},
    ///   "files": [{
    ///     "path": "station_id=KSEA/year=2026/part-….parquet",
    ///     "partition": [
    ///       {"key": "station_id", "value": {"string": "KSEA"}},
    ///       {"key": "year", "value": {"int": 2026}}
    ///     ],
    ///     "rows": 744, "bytes": 9120, "footer_bytes": 812, "row_groups": 1,
    ///     "content_hash": "5e1c…",
    ///     "columns": [{"column": "temp", "min": -1.5, "max": 31.0, "null_count": 2}]
    ///   }],
    ///   "removed": [],
    ///   "metrics": {
    ///     "splitting_seconds": 0.000121, "encoding_seconds": 0.001842, "syncing_seconds": 0.003127,
    ///     "verifying_seconds": 0.000215, "publishing_seconds": 0.00214, "wall_seconds": 0.008307
    ///   }
    /// }
    /// ```
    ///
    /// A value of a partition is `null` or one of `boolean`, `int`, `uint`, `float`, `decimal`
    /// (`unscaled` as a text, `scale`), `string`, `date` (days since 1970) and `timestamp` (`value`,
    /// `unit`, `time_zone`). The [`schema`](Receipt::schema) is a message of
    /// Arrow's IPC format in base64. It and the [`metrics`](Receipt::metrics) are left out where there are none, as is
    /// the `sequence` of a stream, which stands after the `write_id`. What is not known of a file is `null` or left out. A bound that is
    /// not known to be the very value has `"min_inexact": true` or `"max_inexact": true` beside it.
    ///
    /// # Errors
    /// Memory aside, none is known.
    pub fn to_json(&self) -> Result<String, ReceiptError> {
        serde_json::to_string(self).map_err(|error| ReceiptError::Json(error.into()))
    }

    /// Reads what [`to_json`](Receipt::to_json) wrote; nothing else is taken.
    ///
    /// # Errors
    /// The text is longer than 2 GiB, is no JSON or not that of a receipt, has a path that may lead
    /// out of the data set or does not fit its partition, or totals that are not those of the files.
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self, ReceiptError> {
        read_json(json.as_ref())
    }
}

/// Reads JSON of limited length.
fn read_json<T: for<'de> Deserialize<'de>>(json: &[u8]) -> Result<T, ReceiptError> {
    let (length, limit) = (json.len(), LONGEST_JSON);
    if length > limit {
        return Err(ReceiptError::TooLong { length, limit });
    }
    serde_json::from_slice(json).map_err(|error| ReceiptError::Json(error.into()))
}

/// Refuses JSON of another version than the one that is read.
fn check_version(found: u32, known: u32) -> Result<(), ReceiptError> {
    match found == known {
        true => Ok(()),
        false => Err(ReceiptError::invalid(
            "version",
            &found.to_string(),
            "is not known here",
        )),
    }
}

/// The sums over files, each of which must have a path of its own.
pub(crate) fn sum<'a>(
    files: impl ExactSizeIterator<Item = &'a FileRecord> + Clone,
) -> Result<Totals, ReceiptError> {
    let count = files.len();
    let mut paths = HashSet::with_capacity(count);
    let mut totals = Totals::default();
    for file in files.clone() {
        if !paths.insert(file.path()) {
            return Err(ReceiptError::invalid("file", file.path(), "is there twice"));
        }
        totals.rows = add("rows", totals.rows, file.rows())?;
        totals.bytes = add("bytes", totals.bytes, file.bytes())?;
    }
    let directories = files.map(FileRecord::directory);
    totals.partitions = directories.collect::<HashSet<_>>().len() as u64;
    totals.files = count as u64;
    Ok(totals)
}

fn add(what: &'static str, a: u64, b: u64) -> Result<u64, ReceiptError> {
    match a.checked_add(b) {
        Some(sum) if sum <= i64::MAX as u64 => Ok(sum),
        _ => Err(ReceiptError::invalid(
            what,
            &b.to_string(),
            "the sum is beyond 2^63",
        )),
    }
}
