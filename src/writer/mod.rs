//! [`AtomicArrowWriter`]: one Parquet file of a data set, whole or absent.
//!
//! Checks that batches belong into the file, and drops the partition columns. Encoding is in
//! [`format`](crate::format), everything on disk in [`staged`](crate::StagedFile).

mod columns;

use std::error::Error as StdError;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchWriter};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use uuid::Uuid;

use crate::categories::KnownCategories;
use crate::disk::{Disk, DiskFile};
use crate::error::{Error, Result};
use crate::existing::{Existing, Planned};
use crate::format::Format;
use crate::format::parquet::{Encoder, ParquetOptions, Written, verify_written};
use crate::meaning::{Ordered, has_order};
use crate::names::check_case;
use crate::options::{Verify, WriterOptions};
use crate::partition::Partition;
use crate::receipt::CommitMode;
use crate::staged_file::{Destination, PublishedFile, StagedFile};
use crate::staging::{check_inside, home_of_root, resolve};
use crate::transaction::open_area;
use columns::Columns;

/// Writes one Parquet file into a partition of a data set, visible all at once, and durably, or never.
///
/// Batches are given by [`write`](AtomicArrowWriter::write); [`commit`](AtomicArrowWriter::commit)
/// ends, syncs, verifies and publishes the file. Dropping the writer, also by a panic, discards it:
/// it never writes a footer. The first error poisons the writer, which can then only be discarded.
///
/// Columns of the schema that are named like a partition key are checked, row by row, to carry the
/// partition's value, and are left out of the file unless
/// [`keep_partition_columns`](WriterOptions::keep_partition_columns) is set.
///
/// ```
/// use std::sync::Arc;
/// use atomic_arrow::arrow::array::{ArrayRef, Float64Array, RecordBatch};
/// use atomic_arrow::{AtomicArrowWriter, Partition};
/// # let lake = tempfile::tempdir()?;
/// # let root = lake.path().join("weather");
///
/// let temperatures: ArrayRef = Arc::new(Float64Array::from(vec![Some(11.5), None, Some(12.25)]));
/// let batch = RecordBatch::try_from_iter([("temp", temperatures)])?;
///
/// let partition = Partition::new([("station_id", "KSEA"), ("year", "2026")])?;
/// let mut writer = AtomicArrowWriter::create(&root, &partition, batch.schema())?;
/// writer.write(&batch)?;
/// let file = writer.commit()?;
///
/// assert_eq!(file.num_rows(), 3);
/// assert!(file.path().parent().is_some_and(|p| p.ends_with("station_id=KSEA/year=2026")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a writer that is not committed is discarded"]
pub struct AtomicArrowWriter {
    encoder: Encoder,
    destination: Destination,
    options: WriterOptions,
    columns: Columns,
    /// A file of the data set whose categories are compared when all rows have come.
    beside: Option<Neighbour>,
    rows: u64,
    poisoned: bool,
}

impl fmt::Debug for AtomicArrowWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicArrowWriter")
            .field("path", &self.destination.path())
            .field("rows", &self.rows)
            .field("poisoned", &self.poisoned)
            .finish_non_exhaustive()
    }
}

impl AtomicArrowWriter {
    /// Starts a file in the directory of `partition` below `root`, of rows that have `schema`.
    ///
    /// # Errors
    /// Those of [`create_with_options`](AtomicArrowWriter::create_with_options).
    pub fn create(
        root: impl AsRef<Path>,
        partition: &Partition,
        schema: SchemaRef,
    ) -> Result<Self> {
        Self::create_with_options(root, partition, schema, WriterOptions::default())
    }

    /// Starts a file in the directory of `partition` below `root`, of rows that have `schema`, which
    /// still has the partition columns, if any.
    ///
    /// Columns are stored in types that every reader of Parquet knows, as
    /// [`DatasetWriterBuilder::format`](crate::DatasetWriterBuilder::format) says.
    ///
    /// # Errors
    /// [`Error::InvalidPath`] if the root or the file name cannot be used, or the partition's directory is
    /// a symbolic link or lies below one within the root; [`Error::Partition`] if a
    /// partition column's type cannot be a key; [`Error::InvalidOption`] if two columns have one name, no column is left for the
    /// file, its values cannot be digested for [`Verify::Decode`], or the properties would leave something
    /// in the clear that they are to encrypt; [`Error::Encode`] if Parquet has no place for a type of the schema; [`Error::AlreadyExists`] if a file name was given that is taken; [`Error::Incompatible`] if readers could not take
    /// the file and [one that is there](WriterOptions::schema_check) for one data set; [`Error::Io`] if no
    /// staging file can be made. Nothing is on disk then.
    pub fn create_with_options(
        root: impl AsRef<Path>,
        partition: &Partition,
        schema: SchemaRef,
        options: WriterOptions,
    ) -> Result<Self> {
        if !options.case_sensitive_names {
            check_case(&schema, partition.iter().map(|(key, _)| key))?;
        }
        let keeps = options.keep_partition_columns;
        let columns = Columns::new(partition, schema, keeps, options.schema_policy)?;
        let name = file_name(options.file_name.as_deref())?;
        let disk = options.file.disk.as_ref();
        let root = resolve(disk, root.as_ref())?;
        let directory = root.join(partition.path());
        check_inside(disk, &root, &directory)?;
        let directory = resolve(disk, &directory)?;
        let destination = Destination::new(disk, &directory, name, options.file.publish_mode)?;
        let beside = match options.schema_check {
            true => {
                let allowed = options.case_sensitive_names;
                Neighbour::find(
                    disk,
                    &root,
                    partition,
                    &columns,
                    (destination.path(), allowed),
                )?
            }
            false => None,
        };
        let has_order = has_order(&columns.file_schema);
        let home = home_of_root(disk, &root, &options.file.staging)?;
        let home = home.interrupted_by(options.file.interrupt.clone());
        let area = open_area(&options.file.disk, home)?;
        let draft = destination.draft(area, options.file.verify)?;
        let encoder = Encoder::new(
            draft,
            destination.path(),
            &columns.file_schema,
            ParquetOptions {
                properties: options.properties.clone(),
                page_checksums: options.page_checksums,
                verify: options.file.verify,
            },
        )?;
        Ok(AtomicArrowWriter {
            encoder,
            destination,
            options,
            columns,
            beside: beside.filter(|_| has_order),
            rows: 0,
            poisoned: false,
        })
    }

    /// Where the file will be published: absolute, with the symbolic links above it resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.destination.path()
    }

    /// The schema of the batches that [`write`](AtomicArrowWriter::write) takes.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.columns.schema
    }

    /// How many rows were written so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many bytes of memory the encoder holds: the open row group.
    #[must_use]
    pub fn memory_size(&self) -> usize {
        self.encoder.memory_size()
    }

    /// Appends the rows of a batch, which has the writer's schema, or columns that the writer's
    /// [policy](WriterOptions::schema_policy) takes for it.
    ///
    /// # Errors
    /// [`Error::SchemaMismatch`] if a field differs, or a null stands where none may;
    /// [`Error::StrayRow`] if a row belongs to another partition; [`Error::Encode`] if a value has no place
    /// in the stored type, or the encoder refuses the rows; [`Error::Io`] if the disk does; [`Error::Poisoned`] after any of these.
    /// Nothing is published, and the staging file goes with the writer.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.poisoned {
            return Err(Error::Poisoned {
                path: self.destination.path().to_owned(),
            });
        }
        // Also if the encoder panics and somebody catches that.
        self.poisoned = true;
        let rows = batch.num_rows() as u64;
        let batch = self
            .columns
            .file_batch(batch, self.destination.path(), self.rows)?;
        self.encoder.write(&batch)?;
        self.rows += rows;
        self.poisoned = false;
        Ok(())
    }

    /// Appends the rows of all batches, until the source of them fails: then rows are missing, and the writer is
    /// poisoned. Gives the number of rows that came.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use atomic_arrow::arrow::array::{ArrayRef, Float64Array, RecordBatch};
    /// use atomic_arrow::arrow::error::ArrowError;
    /// use atomic_arrow::{AtomicArrowWriter, Partition};
    /// # let lake = tempfile::tempdir()?;
    /// # let root = lake.path().join("weather");
    ///
    /// let temperatures: ArrayRef = Arc::new(Float64Array::from(vec![11.5]));
    /// let batch = RecordBatch::try_from_iter([("temp", temperatures)])?;
    /// let mut writer = AtomicArrowWriter::create(&root, &Partition::none(), batch.schema())?;
    /// let lost = ArrowError::ComputeError("the connection was lost".to_owned());
    /// assert!(writer.write_all([Ok(batch), Err(lost)]).is_err());
    /// assert!(writer.commit().is_err(), "rows are missing");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Source`] with what the source said; else those of [`write`](AtomicArrowWriter::write). Nothing is
    /// published, and the staging file goes with the writer.
    pub fn write_all<E>(
        &mut self,
        batches: impl IntoIterator<Item = std::result::Result<RecordBatch, E>>,
    ) -> Result<u64>
    where
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let before = self.rows;
        for batch in batches {
            match batch {
                Ok(batch) => self.write(&batch)?,
                Err(error) => {
                    self.poisoned = true;
                    let path = self.destination.path().to_owned();
                    let source = error.into();
                    return Err(Error::Source { path, source });
                }
            }
        }
        Ok(self.rows - before)
    }

    /// Writes the footer, syncs and verifies the file, without making it visible.
    ///
    /// # Errors
    /// [`Error::Poisoned`] if a write failed before; [`Error::Encode`] or [`Error::Io`] if the footer
    /// cannot be written, the sync failed or the file cannot be read back; [`Error::Damaged`] if it is
    /// not what was written; [`Error::Incompatible`] if its ordered categories contradict those of a file that is
    /// there. Nothing is published, and the staging file is removed.
    pub fn finish(self) -> Result<StagedFile> {
        let AtomicArrowWriter {
            encoder,
            destination,
            options,
            columns,
            beside,
            rows,
            poisoned,
        } = self;
        if poisoned {
            return Err(Error::Poisoned {
                path: destination.path().to_owned(),
            });
        }
        if let Some(beside) = beside {
            beside.check(&columns, &encoder.categories())?;
        }
        let keys = encoder.keys().cloned();
        let (file, digests) = encoder.finish()?;
        let (level, len) = (options.file.verify, file.draft.len());
        let check = |reopened: Arc<dyn DiskFile>| {
            let written = Written {
                len,
                metadata: &file.metadata,
                rows,
                schema: &columns.file_schema,
                digests: digests.as_deref(),
                known: None,
                keys: keys.as_ref(),
            };
            verify_written(reopened, &written, level).map(drop)
        };
        let check = (level != Verify::Skip).then_some(check);
        let content = Arc::clone(&file.metadata);
        StagedFile::verified(file.draft, destination, &options.file, content, check)
    }

    /// Ends, syncs, verifies and publishes the file: [`finish`](AtomicArrowWriter::finish), then
    /// [`publish`](StagedFile::publish).
    ///
    /// # Errors
    /// Those of the two.
    pub fn commit(self) -> Result<PublishedFile> {
        self.finish()?.publish()
    }

    /// Removes what was written. The same as dropping the writer.
    pub fn discard(self) {}
}

/// For code that is generic over Arrow's writers; `close` is [`commit`](AtomicArrowWriter::commit).
impl RecordBatchWriter for AtomicArrowWriter {
    fn write(&mut self, batch: &RecordBatch) -> std::result::Result<(), ArrowError> {
        AtomicArrowWriter::write(self, batch).map_err(ArrowError::from)
    }

    fn close(self) -> std::result::Result<(), ArrowError> {
        self.commit().map(drop).map_err(ArrowError::from)
    }
}

/// A file of the data set that stays beside the one that is written.
struct Neighbour {
    root: PathBuf,
    existing: Existing,
    case_sensitive_names: bool,
}

impl Neighbour {
    /// Compares the keys and the schema with those of a file that stays in the data set, if there is one.
    fn find(
        disk: &dyn Disk,
        root: &Path,
        partition: &Partition,
        columns: &Columns,
        (path, case_sensitive_names): (&Path, bool),
    ) -> Result<Option<Self>> {
        let keys: Vec<String> = partition.iter().map(|(key, _)| key.to_owned()).collect();
        let planned = Planned {
            disk,
            root,
            mode: CommitMode::Append,
            keys: &keys,
            format: Format::Parquet,
            given: Ordered {
                schema: &columns.file_schema,
                categories: &KnownCategories::new(),
            },
            case_sensitive_names,
            replaces: Some(path),
        };
        let Some(existing) = planned.existing(std::slice::from_ref(partition))? else {
            return Ok(None);
        };
        planned.check(&existing)?;
        let root = root.to_owned();
        Ok(Some(Neighbour {
            root,
            existing,
            case_sensitive_names,
        }))
    }

    /// Compares the categories that the rows have.
    fn check(&self, columns: &Columns, categories: &KnownCategories) -> Result<()> {
        let given = Ordered {
            schema: &columns.file_schema,
            categories,
        };
        let beside = self.existing.beside(&self.root, self.case_sensitive_names);
        self.existing.compare(beside, given).map(drop)
    }
}

/// The name that was asked for, if a reader would see it, or one that no other writer has.
fn file_name(asked: Option<&str>) -> Result<OsString> {
    let Some(name) = asked else {
        return Ok(format!("part-{}-00000.parquet", Uuid::now_v7()).into());
    };
    let invalid = |reason| {
        Err(Error::InvalidPath {
            path: name.into(),
            reason,
        })
    };
    if Path::new(name).file_name() != Some(name.as_ref()) || name.contains('\0') {
        invalid("is not the name of a file")
    } else if name.starts_with(['.', '_']) {
        invalid("begins with a character that makes readers ignore the file")
    } else if Format::Parquet.is_contradicted_by(Path::new(name)) {
        invalid("has the suffix of another format than is written, which is Parquet")
    } else {
        Ok(name.into())
    }
}
