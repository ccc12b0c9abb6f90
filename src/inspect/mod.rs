//! Inspection: the contents of a data set, and oddities that readers may stumble over.
//!
//! [`inspect`] walks a root, reads the footer of every Parquet file and nothing else of it, takes the
//! size of files of the other formats that data sets are written in, and gives an [`Inspection`]: rows
//! and bytes by partition, how evenly they are spread, and [`Oddity`]s. It
//! changes nothing. Whether pages are sound is [`verify`](crate::verify)'s question.

mod oddity;
mod partitions;
mod schema;
mod values;
mod walk;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, OsDisk};
use crate::error::Result;
use crate::format::parquet::Keys;
use crate::location::Location;
#[cfg(feature = "encryption")]
use crate::options::ParquetKeys;
use crate::options::scan::OnScan;
use crate::options::{ScanProgress, StagingPlace};
use crate::partition::Partition;
use crate::recover::{RecoverOptions, recover_with_options};
use crate::store::ObjectStoreOptions;

pub use crate::walk::PassedOver;
pub use oddity::{Misreading, Oddity};

/// Files of fewer bytes are small, unless another limit is asked for: 1 MiB.
///
/// Opening a file costs about as much as reading a mebibyte of it, so beneath this a scan spends
/// most of its time on opening. A small file is an oddity only beside others in its partition, which
/// it could be merged with.
pub const SMALL_FILE: u64 = 1 << 20;

/// The contents of a data set, and its oddities.
///
/// ```
/// use std::sync::Arc;
/// use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch};
/// use atomic_arrow::{AtomicArrowWriter, Partition, inspect};
/// # let lake = tempfile::tempdir()?;
/// # let root = lake.path().join("weather");
///
/// let wind: ArrayRef = Arc::new(Int64Array::from(vec![5, 6, 7]));
/// let batch = RecordBatch::try_from_iter([("wind", wind)])?;
/// let partition = Partition::new([("station_id", "010010")])?;
/// let mut writer = AtomicArrowWriter::create(&root, &partition, batch.schema())?;
/// writer.write(&batch)?;
/// writer.commit()?;
///
/// let inspection = inspect(&root)?;
/// assert_eq!(inspection.totals().rows, 3);
/// assert_eq!(inspection.partitions[0].partition.as_ref(), Some(&partition));
/// // Several readers take the station for the number 10010.
/// assert_eq!(inspection.oddities.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Inspection {
    /// The root, absolute, with symbolic links resolved.
    pub root: PathBuf,
    /// Every directory that holds data files, in the order of their paths.
    pub partitions: Vec<PartitionSummary>,
    /// What readers may stumble over; single files first, then what concerns the whole data set.
    pub oddities: Vec<Oddity>,
}

/// The data files of one directory.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PartitionSummary {
    /// The directory, relative to the root; empty for the root itself.
    pub directory: PathBuf,
    /// The partition that the directory's path stands for, all values as texts; `None` where it
    /// stands for none (see [`Oddity::NotAPartition`]).
    pub partition: Option<Partition>,
    /// How many files there are, those without a readable footer included.
    pub files: u64,
    /// How many of them are small ([`InspectOptions::small_file`]).
    pub small_files: u64,
    /// How many of them are Arrow IPC, NDJSON or CSV: their rows, which no footer tells, are not counted.
    pub uncounted_files: u64,
    /// The rows, by the footers that could be read.
    pub rows: u64,
    /// The bytes of all files.
    pub bytes: u64,
    /// The row groups, by the footers that could be read.
    pub row_groups: u64,
}

/// The totals of a data set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct InspectionTotals {
    /// Directories that hold data files.
    pub partitions: u64,
    /// Data files.
    pub files: u64,
    /// How many of them are not Parquet, and their rows not counted.
    pub uncounted_files: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// Row groups.
    pub row_groups: u64,
}

/// How unevenly the rows are spread over the partitions.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Skew {
    /// The rows of the largest partition.
    pub largest: u64,
    /// The rows of the median partition; of two in the middle the smaller.
    pub median: u64,
    /// The largest by the median: 1 where all are alike, infinite where the median has no rows.
    pub ratio: f64,
}

impl Inspection {
    /// The sums over all partitions.
    #[must_use]
    pub fn totals(&self) -> InspectionTotals {
        let mut totals = InspectionTotals {
            partitions: self.partitions.len() as u64,
            ..InspectionTotals::default()
        };
        for partition in &self.partitions {
            totals.files += partition.files;
            totals.uncounted_files += partition.uncounted_files;
            totals.rows += partition.rows;
            totals.bytes += partition.bytes;
            totals.row_groups += partition.row_groups;
        }
        totals
    }

    /// How unevenly the rows are spread; `None` where there are no rows, or some that are not counted.
    #[must_use]
    pub fn skew(&self) -> Option<Skew> {
        if self.totals().uncounted_files > 0 {
            return None;
        }
        let mut rows: Vec<u64> = self
            .partitions
            .iter()
            .map(|partition| partition.rows)
            .collect();
        rows.sort_unstable();
        let largest = *rows.last().filter(|rows| **rows > 0)?;
        let median = rows[(rows.len() - 1) / 2];
        Some(Skew {
            largest,
            median,
            ratio: largest as f64 / median as f64,
        })
    }
}

/// Options of [`inspect_with_options`].
///
/// ```
/// use atomic_arrow::inspect::{InspectOptions, inspect_with_options};
/// # let lake = tempfile::tempdir()?;
///
/// let options = InspectOptions::new().small_file(16 << 20);
/// let inspection = inspect_with_options(lake.path(), &options)?;
/// assert_eq!(inspection.totals().files, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct InspectOptions {
    small_file: u64,
    cross_mounts: bool,
    staging: StagingPlace,
    keys: Option<Keys>,
    on_scan: OnScan,
    disk: Arc<dyn Disk>,
    object_store: ObjectStoreOptions,
}

impl Default for InspectOptions {
    fn default() -> Self {
        InspectOptions {
            small_file: SMALL_FILE,
            cross_mounts: false,
            staging: StagingPlace::default(),
            keys: None,
            on_scan: OnScan::default(),
            disk: Arc::new(OsDisk),
            object_store: ObjectStoreOptions::default(),
        }
    }
}

impl InspectOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Files of fewer bytes are small; by default [`SMALL_FILE`].
    #[must_use]
    pub fn small_file(mut self, bytes: u64) -> Self {
        self.small_file = bytes;
        self
    }

    /// Whether files and directories are looked into on which something else is mounted; by default they
    /// are an [`Oddity::PassedOver`].
    #[must_use]
    pub fn cross_mounts(mut self, cross: bool) -> Self {
        self.cross_mounts = cross;
        self
    }

    /// Where the writers stage their files, to find what dead ones left; by default
    /// [`StagingPlace::Auto`].
    #[must_use]
    pub fn staging(mut self, place: StagingPlace) -> Self {
        self.staging = place;
        self
    }

    /// The keys of files that are encrypted, of which nothing is told without; by default none.
    #[cfg(feature = "encryption")]
    #[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
    #[must_use]
    pub fn keys(mut self, keys: ParquetKeys) -> Self {
        self.keys = Some(Keys::of_reader(keys));
        self
    }

    /// Called after each data file, with how many files and bytes were looked at; by default nothing is.
    #[must_use]
    pub fn on_progress(mut self, call: impl FnMut(ScanProgress) + Send + 'static) -> Self {
        self.on_scan = OnScan::calling(call);
        self
    }

    /// How the object store is reached whose URL the root is, as in `s3://lake/weather`; by default as the environment says.
    /// For a path on a disk it has no effect.
    #[cfg(feature = "object_store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "object_store")))]
    #[must_use]
    pub fn object_store(mut self, options: ObjectStoreOptions) -> Self {
        self.object_store = options;
        self
    }

    /// The disk to look at, for tests; by default the operating system's ([`OsDisk`]).
    #[cfg(feature = "sim")]
    #[cfg_attr(docsrs, doc(cfg(feature = "sim")))]
    #[must_use]
    pub fn disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.disk = disk;
        self
    }
}

/// Looks at the data set at `root`: its partitions, rows, bytes, and oddities.
///
/// Reads the footer of every file with the suffix `.parquet` or `.parq`, one at a time, and takes the
/// size of those with `.arrow`, `.ndjson`, `.jsonl` or `.csv`, whose rows are not counted, so that memory
/// grows with the number of partitions and not with rows or files. Nothing outside the root is read, and
/// nothing that could block: symbolic links below it, mounts, pipes, devices and sockets are an
/// [`Oddity::PassedOver`]. What cannot be read below the root is an oddity and no error.
///
/// With the feature `object_store` the root may be a URL, as in `s3://lake/weather`. A data set in an object store is listed once, so that memory grows with its files too, and the ends of its files are read
/// several at a time.
///
/// # Errors
/// [`Error::InvalidPath`](crate::Error::InvalidPath) if the root is no directory,
/// [`Error::Read`](crate::Error::Read) if it cannot be listed. Nothing was changed.
pub fn inspect(root: impl AsRef<Path>) -> Result<Inspection> {
    inspect_with_options(root, &InspectOptions::default())
}

/// Looks at the data set at `root`, as [`inspect`] does, with options.
///
/// # Errors
/// Those of [`inspect`].
pub fn inspect_with_options(
    root: impl AsRef<Path>,
    options: &InspectOptions,
) -> Result<Inspection> {
    let InspectOptions {
        small_file,
        cross_mounts,
        staging,
        keys,
        on_scan,
        disk,
        object_store,
    } = options;
    let place = Location::of_directory(disk, root.as_ref(), object_store)?.for_walk()?;
    let root = place.path;
    let walk::Walked {
        partitions,
        mut oddities,
    } = walk::walk(
        place.disk.as_ref(),
        &root,
        *small_file,
        *cross_mounts,
        keys.as_ref(),
        on_scan.begin(),
    )?;
    let recover = RecoverOptions::new()
        .dry_run(true)
        .staging(staging.clone())
        .of_store(object_store.clone())
        .on(Arc::clone(disk));
    let leftovers = recover_with_options(&root, &recover)?;
    oddities.extend(
        leftovers
            .removed
            .into_iter()
            .chain(leftovers.aborted)
            .chain(leftovers.finished)
            .map(|path| Oddity::StagingLeftover { path }),
    );
    oddities.extend(
        leftovers
            .failed
            .into_iter()
            .map(|error| Oddity::Unreadable { error }),
    );
    oddities.extend(partitions::small_files(&partitions, *small_file));
    oddities.extend(partitions::inconsistent_keys(&partitions));
    oddities.extend(values::misreadings(&partitions));
    Ok(Inspection {
        root,
        partitions,
        oddities,
    })
}
