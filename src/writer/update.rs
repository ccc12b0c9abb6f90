//! [`FileUpdate`]: read a file of rows, merge, and write it back, so that no other update is lost.

use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::{AtomicArrowWriter, format_at};
use crate::disk::{DiskFile, EntryKind, FileStatus, PublishMode};
use crate::error::{Error, Result};
#[cfg(feature = "encryption")]
use crate::format::parquet::Keys;
#[cfg(feature = "ipc")]
use crate::format::{Fault, ipc};
use crate::format::{Format, ParquetBatches};
use crate::location::Location;
use crate::options::WriterOptions;
use crate::staged_file::{Destination, Unchanged, is_same};
use crate::staging::{Control, home_of_file};

/// The most rows of a batch that is read.
const BATCH_ROWS: usize = 8192;
/// The most bytes of one, decoded, but for single rows.
const BATCH_BYTES: usize = 16 << 20;

/// An update of one file of rows: a lock for reading it, merging, and writing it back.
///
/// Whoever updates the same file waits until this update is published, discarded or dropped, or its process has
/// died: so two jobs cannot lose each other's rows. A file that somebody has changed without an update is noticed
/// as it is published ([`Error::Conflict`]).
///
/// The lock (`flock`) is an empty file in the hidden directory `.atomic` beside the file, where only those can take it
/// who may write in that directory, and it goes when it is given back. On network file systems it is theirs to see
/// that other machines find it locked; where a file system has no locks, only changes that were published before are noticed.
/// A thread that begins an update of a file while it holds one of the same file waits for ever;
/// [`interrupt_when`](WriterOptions::interrupt_when) ends the wait.
///
/// With the feature `object_store` the path may be the URL of an object. Nobody waits there: the object is replaced only if it
/// is still the version that was there when the update began, and of two updates that meet the later is an
/// [`Error::Conflict`], to be begun again. The new file is put by one request, which takes as much memory as it has bytes.
///
/// ```
/// use std::sync::Arc;
/// use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch};
/// use atomic_arrow::FileUpdate;
/// # let cache = tempfile::tempdir()?;
/// # let path = cache.path().join("history.parquet");
///
/// for day in 1..=3 {
///     let days: ArrayRef = Arc::new(Int64Array::from(vec![day]));
///     let new = RecordBatch::try_from_iter([("day", days)])?;
///
///     let update = FileUpdate::begin(&path)?;
///     let before = update.read()?;
///     let mut writer = update.write(new.schema())?;
///     writer.write_all(before.into_iter().flatten())?;
///     writer.write(&new)?;
///     assert_eq!(writer.commit()?.rows(), day as u64);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "an update that is not written changes nothing"]
pub struct FileUpdate {
    location: Location,
    format: Format,
    options: WriterOptions,
    unchanged: Unchanged,
}

impl FileUpdate {
    /// Waits for the lock of the file at `path`, which need not be there yet.
    ///
    /// # Errors
    /// Those of [`begin_with_options`](FileUpdate::begin_with_options).
    pub fn begin(path: impl AsRef<Path>) -> Result<Self> {
        Self::begin_with_options(path, WriterOptions::default())
    }

    /// Waits for the lock of the file at `path`, which need not be there yet. The options are those of the file that
    /// is [written](FileUpdate::write).
    ///
    /// # Errors
    /// [`Error::InvalidPath`] as for [`AtomicArrowWriter::at_with_options`]; [`Error::InvalidOption`] if a mode was set,
    /// since an update replaces; [`Error::Interrupted`] if [that was asked for](WriterOptions::interrupt_when);
    /// [`Error::ControlDistrusted`] if others can take the lock who may not write in the directory; [`Error::Io`] if the
    /// system refuses the lock; [`Error::Read`] if an object store does not answer. Nothing is changed then.
    pub fn begin_with_options(path: impl AsRef<Path>, options: WriterOptions) -> Result<Self> {
        let path = path.as_ref();
        let format = format_at(path, &options)?;
        if options.file.mode.is_some() {
            return Err(Error::InvalidOption {
                option: "mode",
                reason: "an update replaces what it has read, and nothing else".to_owned(),
            });
        }
        let (destination, directory) = Destination::at(path, &options.file, PublishMode::Replace)?;
        let location = destination.location().clone();
        let unchanged = match &location.store {
            Some(store) => {
                // What cannot be kept in a store is refused now, before it is read.
                directory.home(&options.file, home_of_file)?;
                Unchanged::of_version(location.object(store)?)
            }
            None => lock(&location, &directory.path, &options)?,
        };
        Ok(FileUpdate {
            location,
            format,
            options,
            unchanged,
        })
    }

    /// The path of the file: absolute, with the symbolic links above it resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.location.path
    }

    /// Whether there is a file to be read.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.unchanged.before().is_some()
    }

    /// The rows of the file, in batches of limited memory; `None` if there is no file yet.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] of text, which has no schema: read it by its [path](FileUpdate::path) with a reader that
    /// is told one; [`Error::Conflict`] if the file was changed since the update began; [`Error::Read`] if it cannot be
    /// read. Nothing was changed.
    pub fn read(&self) -> Result<Option<RowReader>> {
        let Some(before) = self.unchanged.before() else {
            return Ok(None);
        };
        let disk = self.location.disk.as_ref();
        let file = match disk.open_file(self.path(), false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.unchanged.conflict(self.path()));
            }
            opened => opened.map_err(|source| unread(self.path(), source))?,
        };
        let found = file
            .status()
            .map_err(|source| unread(self.path(), source))?;
        if !is_same(before, &found) {
            return Err(self.unchanged.conflict(self.path()));
        }
        match self.reader(Arc::from(file)) {
            // Of an object that was replaced while it was read, the rest is of another.
            Err(_) if self.is_replaced(before) => Err(self.unchanged.conflict(self.path())),
            read => read.map(Some),
        }
    }

    fn is_replaced(&self, before: &FileStatus) -> bool {
        let found = self.location.disk.status(self.path());
        found.is_ok_and(|found| found.is_none_or(|(_, found)| !is_same(before, &found)))
    }

    fn reader(&self, file: Arc<dyn DiskFile>) -> Result<RowReader> {
        match self.format {
            Format::Parquet => {
                #[cfg(feature = "encryption")]
                let keys = self.options.parquet.keys().cloned().map(Keys::of_reader);
                #[cfg(not(feature = "encryption"))]
                let keys = None;
                let most = (BATCH_ROWS, BATCH_BYTES);
                let batches = ParquetBatches::of_disk(file, most, keys.as_ref());
                let batches = batches.map_err(|error| {
                    unread(
                        self.path(),
                        io::Error::new(io::ErrorKind::InvalidData, error),
                    )
                })?;
                Ok(RowReader {
                    schema: Arc::clone(batches.schema()),
                    batches: Box::new(batches.map(|batch| batch.map_err(ArrowError::from))),
                })
            }
            #[cfg(feature = "ipc")]
            Format::Ipc => {
                let (batches, schema) = ipc::batches(file).map_err(|fault| {
                    let source = match fault {
                        Fault::Io(error) => error,
                        Fault::Damage(damage) => io::Error::new(io::ErrorKind::InvalidData, damage),
                    };
                    unread(self.path(), source)
                })?;
                Ok(RowReader {
                    schema,
                    batches: Box::new(batches),
                })
            }
            #[allow(unreachable_patterns)]
            other => Err(Error::InvalidOption {
                option: "format",
                reason: format!(
                    "{other} has no schema: read the file at {} with a reader that is told one",
                    self.path().display()
                ),
            }),
        }
    }

    /// Starts the file that replaces it, of rows that have `schema`. The writer keeps the lock until it is published,
    /// discarded or dropped.
    ///
    /// # Errors
    /// Those of [`AtomicArrowWriter::at_with_options`]. Nothing is on disk then, and the lock is given back. Publishing it
    /// fails with [`Error::Conflict`] if the file was changed since the update began.
    pub fn write(self, schema: SchemaRef) -> Result<AtomicArrowWriter> {
        let mut writer =
            AtomicArrowWriter::at_with_options(&self.location.path, schema, self.options)?;
        writer.unchanged = Some(self.unchanged);
        Ok(writer)
    }
}

/// Waits for the lock of a file on a disk, and looks at what is there.
fn lock(location: &Location, directory: &Path, options: &WriterOptions) -> Result<Unchanged> {
    let (disk, path) = (&location.disk, &location.path);
    let name = path.file_name().unwrap_or_default();
    let control = Control::of(disk, directory);
    let lock = control.lock_update(name, &options.file.interrupt)?;
    let found = disk.status(path).map_err(|source| unread(path, source))?;
    let before = match found {
        Some((EntryKind::File, status)) => Some(status),
        // What has come meanwhile and is no file is refused as it is published.
        Some(_) | None => None,
    };
    Ok(Unchanged::locked(before, lock))
}

fn unread(path: &Path, source: io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        source,
    }
}

/// The rows of a file, in batches of limited memory; made by [`FileUpdate::read`].
pub struct RowReader {
    schema: SchemaRef,
    batches: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>,
}

impl std::fmt::Debug for RowReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowReader")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl Iterator for RowReader {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batches.next()
    }
}

impl RecordBatchReader for RowReader {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
