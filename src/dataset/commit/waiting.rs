//! [`staged`]: what is staged for a data set and waits for whoever commits it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::disk::{Disk, OsDisk};
use crate::error::Result;
use crate::location::Location;
use crate::options::{Interrupt, StagingPlace, SyncPolicy};
use crate::receipt::{StagedFileRecord, StagedWrite, sum};
use crate::store::ObjectStoreOptions;
use crate::transaction::Target;

/// A write that is staged, and neither committed nor discarded yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingWrite {
    write: StagedWrite,
    since: SystemTime,
    keep: Duration,
}

impl WaitingWrite {
    /// What [`StagedWrites`](crate::StagedWrites) commits or discards, as the process that staged it got it, but for its
    /// [metrics](StagedWrite::metrics).
    #[must_use]
    pub fn write(&self) -> &StagedWrite {
        &self.write
    }

    /// When it was staged, by the clock of the file system.
    #[must_use]
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// How long it is [kept](crate::DatasetWriterBuilder::keep_staged) from then on.
    #[must_use]
    pub fn keep(&self) -> Duration {
        self.keep
    }
}

/// What waits in the staging areas of the data set at `root` to be committed, in the order in which it was staged. Changes
/// nothing.
///
/// A driver that lost what its workers had handed back finds it here. Of a [task](StagedWrite::task) there may be several
/// attempts. What cannot be read, or is not trusted, is left out: [`recover`](crate::recover) tells of it.
///
/// ```
/// # use std::sync::Arc;
/// # use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch};
/// # use atomic_arrow::{DatasetWriter, StagedWrites, staged};
/// # let lake = tempfile::tempdir()?;
/// # let root = lake.path().join("counts");
/// # let counts: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
/// # let batch = RecordBatch::try_from_iter([("count", counts)])?;
/// let mut writer = DatasetWriter::builder(&root).job("monday").task("part 1").build(batch.schema())?;
/// writer.write(&batch)?;
/// writer.stage()?;
///
/// let waiting = staged(&root)?;
/// assert_eq!(waiting[0].write().task(), Some("part 1"));
/// StagedWrites::new([]).expect_root(&root).job("monday").discard()?;
/// assert!(staged(&root)?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::InvalidPath`](crate::Error::InvalidPath) and [`Error::Io`](crate::Error::Io) if the root cannot be resolved;
/// [`Error::Read`](crate::Error::Read) if a directory cannot be listed, or a record not read.
pub fn staged(root: impl AsRef<Path>) -> Result<Vec<WaitingWrite>> {
    staged_at(root, &StagingPlace::Auto)
}

/// [`staged`] of a data set in an object store, which is reached so.
///
/// # Errors
/// Those of [`staged`]; [`Error::InvalidOption`](crate::Error::InvalidOption) if the options do not say how to reach the store.
#[cfg(feature = "object_store")]
#[cfg_attr(docsrs, doc(cfg(feature = "object_store")))]
pub fn staged_in_store(
    root: impl AsRef<Path>,
    options: &ObjectStoreOptions,
) -> Result<Vec<WaitingWrite>> {
    find(root.as_ref(), &StagingPlace::Auto, options)
}

/// [`staged`] of writers that stage in a certain place.
///
/// # Errors
/// Those of [`staged`].
pub fn staged_at(root: impl AsRef<Path>, place: &StagingPlace) -> Result<Vec<WaitingWrite>> {
    find(root.as_ref(), place, &ObjectStoreOptions::default())
}

fn find(
    root: &Path,
    place: &StagingPlace,
    options: &ObjectStoreOptions,
) -> Result<Vec<WaitingWrite>> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let root = Location::of_directory(&disk, root, options)?;
    let target = Target {
        root: &root,
        staging: place,
        interrupt: &Interrupt::default(),
        rewrite_missing: false,
        sync: SyncPolicy::default(),
    };
    let backend = target.find()?;
    let mut found = Vec::new();
    for waiting in backend.waiting()? {
        let record = waiting.record;
        if record.scope != backend.scope() {
            continue;
        }
        let part = record.part();
        let totals = sum(record.files.iter().map(StagedFileRecord::file))?;
        let (transaction, mode) = (Some(waiting.transaction), record.mode);
        let write = StagedWrite::new(root.path.clone(), place.clone(), transaction, mode, totals);
        found.push(WaitingWrite {
            write: write.with_part(part)?,
            since: waiting.since,
            keep: waiting.keep,
        });
    }
    found.sort_by_key(|waiting| (waiting.since, waiting.write.transaction()));
    Ok(found)
}
