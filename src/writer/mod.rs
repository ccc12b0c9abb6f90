//! [`AtomicArrowWriter`]: one file of rows, in a partition of a data set or by itself, whole or absent.
//!
//! Checks that batches belong into the file, and drops the partition columns. Encoding is in
//! [`format`](crate::format), everything on disk in [`staged`](crate::StagedFile).

mod columns;
mod update;

use std::error::Error as StdError;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchWriter};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use parquet::arrow::ARROW_SCHEMA_META_KEY;
use uuid::Uuid;

use crate::categories::KnownCategories;
use crate::disk::{Disk, DiskFile, PublishMode};
#[cfg(feature = "ipc")]
use crate::error::Step;
use crate::error::{Error, Result};
use crate::existing::{Existing, Planned};
use crate::format::Format;
#[cfg(feature = "ipc")]
use crate::format::dictionaries::Dictionaries;
use crate::format::encode::{Encoder, Encoding, verify_written};
use crate::format::written::Written;
use crate::location::Location;
use crate::meaning::{Ordered, has_order};
use crate::names::check_case;
use crate::options::{Verify, WriterOptions};
use crate::partition::Partition;
use crate::receipt::CommitMode;
use crate::staged_file::{Destination, PublishedFile, RowContent, StagedFile, Unchanged};
use crate::staging::{Home, home_of_file, home_of_root};
use crate::trace;
use crate::transaction::open_area;
use columns::Columns;

pub use update::{FileUpdate, RowReader};

/// Writes one file of rows, into a partition of a data set or [at a path](AtomicArrowWriter::at), visible all at once, and
/// durably, or never.
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
/// assert_eq!(file.rows(), 3);
/// assert!(file.path().parent().is_some_and(|p| p.ends_with("station_id=KSEA/year=2026")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a writer that is not committed is discarded"]
pub struct AtomicArrowWriter {
    encoder: Encoder,
    destination: Destination,
    mode: PublishMode,
    format: Format,
    options: WriterOptions,
    columns: Columns,
    /// The schema that the file tells, with the field ids that were asked for.
    described: SchemaRef,
    /// A file of the data set whose categories are compared when all rows have come.
    beside: Option<Neighbour>,
    /// What an update demands of the file that is replaced.
    unchanged: Option<Unchanged>,
    /// The dictionaries of an Arrow IPC file.
    #[cfg(feature = "ipc")]
    dictionaries: Option<Arc<Dictionaries>>,
    poisoned: bool,
}

impl fmt::Debug for AtomicArrowWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicArrowWriter")
            .field("path", &self.destination.path())
            .field("rows", &self.encoder.rows())
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
    /// With the feature `object_store` the root may be the URL of a data set in an object store, where the file is staged and
    /// published as an [`AtomicFile`](crate::AtomicFile) is. It is best given no [name](WriterOptions::file_name) there: then
    /// nobody else has its name, and it is uploaded in parts if it is long. A file that takes the name of another may be
    /// removed by an overwrite that found the other.
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
        let format = options.file.format.unwrap_or(Format::Parquet);
        let name = file_name(options.file_name.as_deref(), format, &options)?;
        if !options.case_sensitive_names {
            check_case(&schema, partition.iter().map(|(key, _)| key))?;
        }
        let kept = (options.keep_partition_columns, options.schema_policy);
        let columns = Columns::new(partition, schema, format, kept)?;
        let file = &options.file;
        let root = Location::of_directory(&file.disk, root.as_ref(), &file.object_store)?;
        let home = root.home(file, home_of_root)?;
        let directory = root.below(&partition.path())?;
        let mode = file.mode.unwrap_or(PublishMode::CreateNew);
        let (destination, mode) = match options.file_name {
            Some(_) => (Destination::new(&directory, name, mode)?, mode),
            None => Destination::unique(&directory, name, mode)?,
        };
        let beside = match options.schema_check {
            true => {
                let allowed = options.case_sensitive_names;
                let place = (destination.path(), allowed);
                Neighbour::find(&root, partition, (&columns, format), place)?
            }
            false => None,
        };
        let mut writer = Self::begin((destination, mode), home, columns, format, options)?;
        writer.beside = beside.filter(|_| has_order(&writer.columns.file_schema));
        Ok(writer)
    }

    /// Starts a file that is named by its path, of rows that have `schema`, in the format of its suffix. A file that is
    /// there is replaced in one step.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use atomic_arrow::arrow::array::{ArrayRef, Float64Array, RecordBatch};
    /// use atomic_arrow::AtomicArrowWriter;
    /// # let cache = tempfile::tempdir()?;
    /// # let path = cache.path().join("prices.parquet");
    ///
    /// let prices: ArrayRef = Arc::new(Float64Array::from(vec![11.5, 12.25]));
    /// let batch = RecordBatch::try_from_iter([("price", prices)])?;
    ///
    /// let mut writer = AtomicArrowWriter::at(&path, batch.schema())?;
    /// writer.write(&batch)?;
    /// let file = writer.commit()?;
    /// assert_eq!((file.path().file_name(), file.rows()), (path.file_name(), 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`at_with_options`](AtomicArrowWriter::at_with_options).
    pub fn at(path: impl AsRef<Path>, schema: SchemaRef) -> Result<Self> {
        Self::at_with_options(path, schema, WriterOptions::default())
    }

    /// Starts a file that is named by its path, of rows that have `schema`.
    ///
    /// The path is the caller's own: symbolic links above the file are followed. The file has all columns of the
    /// schema, and is not compared with others beside it. It is staged as an [`AtomicFile`](crate::AtomicFile) is, and
    /// takes the permissions of the file that it replaces.
    ///
    /// A file of Arrow IPC has one dictionary for each column, that of the first batch with rows: a later batch with
    /// other values is refused.
    ///
    /// # Errors
    /// [`Error::InvalidPath`] if `path` names no file, a directory, something below a file, or what
    /// [`local_path`](crate::local_path) refuses, or has a suffix of no format, or of another than was asked for;
    /// [`Error::AlreadyExists`] if it is taken and may not be replaced; [`Error::Conflict`] if it is a data file of
    /// [a table](crate::TableFormat); [`Error::InvalidOption`] if an option would be without effect, or contradicts the format, the schema or another; [`Error::Encode`] if the format has no place for
    /// a type of the schema; [`Error::Io`] if no staging file can be made. Nothing is on disk then.
    pub fn at_with_options(
        path: impl AsRef<Path>,
        schema: SchemaRef,
        options: WriterOptions,
    ) -> Result<Self> {
        let path = path.as_ref();
        let format = format_at(path, &options)?;
        check_options_at(&options, format)?;
        if !options.case_sensitive_names {
            check_case(&schema, std::iter::empty())?;
        }
        let columns = Columns::new(
            &Partition::none(),
            schema,
            format,
            (true, options.schema_policy),
        )?;
        let mode = options.file.mode.unwrap_or(PublishMode::Replace);
        let (destination, directory) = Destination::at(path, &options.file, mode)?;
        let home = directory.home(&options.file, home_of_file)?;
        Self::begin((destination, mode), home, columns, format, options)
    }

    /// Stages a file and begins to encode it.
    fn begin(
        (destination, mode): (Destination, PublishMode),
        (disk, home): (Arc<dyn Disk>, Home),
        columns: Columns,
        format: Format,
        options: WriterOptions,
    ) -> Result<Self> {
        let text = options.text_at(format, destination.path())?;
        #[cfg(feature = "ipc")]
        let dictionaries = match format {
            Format::Ipc => Some(Arc::new(
                Dictionaries::new(&columns.given_file_schema, usize::MAX)
                    .map_err(|source| Error::encode(Step::WriteRows, destination.path(), source))?,
            )),
            _ => None,
        };
        let area = open_area(&disk, home)?;
        let draft = destination.draft(area, options.file.verify)?;
        let encoding = Encoding {
            format,
            properties: options.parquet.over(
                options.properties_of(format),
                format,
                &columns.schema,
                &columns.file_schema,
            )?,
            page_checksums: options.page_checksums,
            arrow_schema: options.parquet.embeds_arrow_schema(),
            encodings: options.encodings,
            text,
            verify: options.file.verify,
            #[cfg(feature = "ipc")]
            dictionaries: dictionaries.clone(),
        };
        let described = options
            .parquet
            .field_ids()
            .in_schema(&columns.schema, &columns.file_schema)?;
        let encoder = Encoder::new(draft, destination.path(), &described, encoding)?;
        Ok(AtomicArrowWriter {
            encoder,
            destination,
            mode,
            format,
            options,
            columns,
            described,
            beside: None,
            unchanged: None,
            #[cfg(feature = "ipc")]
            dictionaries,
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
        self.encoder.rows()
    }

    /// How many bytes of memory the encoder holds: the open row group.
    #[must_use]
    pub fn memory_size(&self) -> usize {
        self.encoder.memory_size()
    }

    /// The number of bytes in the staging file so far: what is in the open row group comes on top.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.encoder.bytes_written()
    }

    /// The number of rows in the open row group; 0 in formats that have none.
    #[must_use]
    pub fn in_progress_rows(&self) -> usize {
        self.encoder.in_progress().0
    }

    /// The estimated size in bytes that the open row group will have in the file; 0 in formats that have none.
    #[must_use]
    pub fn in_progress_size(&self) -> usize {
        self.encoder.in_progress().1
    }

    /// Ends the open row group of a Parquet file, if it has rows; the next row begins another. Nothing becomes visible
    /// or durable by it. Does nothing in formats that have no row groups.
    ///
    /// # Errors
    /// [`Error::Encode`] if the encoder refuses the rows; [`Error::Io`] if the disk does; [`Error::Poisoned`] after any
    /// error. Nothing is published, and the staging file goes with the writer.
    pub fn flush(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.poisoned, true) {
            let path = self.destination.path().to_owned();
            return Err(Error::Poisoned { path });
        }
        self.encoder.flush()?;
        self.poisoned = false;
        Ok(())
    }

    /// Adds a key and its value to the metadata in the footer of a Parquet or Arrow IPC file, which may depend on the
    /// rows. It is verified with the rest of the footer.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use atomic_arrow::arrow::array::{ArrayRef, Float64Array, RecordBatch};
    /// use atomic_arrow::AtomicArrowWriter;
    /// # let cache = tempfile::tempdir()?;
    /// # let path = cache.path().join("prices.parquet");
    ///
    /// let prices: ArrayRef = Arc::new(Float64Array::from(vec![11.5]));
    /// let batch = RecordBatch::try_from_iter([("price", prices)])?;
    /// let mut writer = AtomicArrowWriter::at(&path, batch.schema())?;
    /// writer.write(&batch)?;
    /// writer.append_key_value_metadata("source", "exchange")?;
    /// writer.commit()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidOption`] of text, which has no place for it, and if the key is one that the writer itself sets. The
    /// writer goes on as it was.
    pub fn append_key_value_metadata(
        &mut self,
        key: impl AsRef<str>,
        value: impl AsRef<str>,
    ) -> Result<()> {
        let key = key.as_ref();
        let refused = |reason| {
            let option = "metadata";
            Err(Error::InvalidOption { option, reason })
        };
        if OWN_KEYS.contains(&key) {
            return refused(format!("the key {key:?} is the writer's own"));
        }
        match self.encoder.append_metadata(key, value.as_ref()) {
            true => Ok(()),
            false => refused(format!("{} has no place for it", self.format)),
        }
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
        let (path, rows) = (self.destination.path(), self.encoder.rows());
        let batch = self.columns.file_batch(batch, path, rows)?;
        #[cfg(feature = "ipc")]
        if let Some(dictionaries) = self.dictionaries.as_ref().filter(|_| rows == 0) {
            dictionaries
                .observe(&batch)
                .map_err(|source| Error::encode(Step::WriteRows, path, source))?;
        }
        self.encoder.write(&batch)?;
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
        let before = self.rows();
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
        Ok(self.rows() - before)
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
            mode,
            format,
            options,
            columns,
            described,
            beside,
            unchanged,
            poisoned,
            ..
        } = self;
        let _inside = trace::write_file(destination.path()).entered();
        if poisoned {
            return Err(Error::Poisoned {
                path: destination.path().to_owned(),
            });
        }
        if let Some(beside) = beside {
            beside.check(&columns, &encoder.categories())?;
        }
        let keys = encoder.keys().cloned();
        let file = encoder.finish()?;
        let (level, len) = (options.file.verify, file.draft.len());
        let check = |reopened: Arc<dyn DiskFile>| {
            let written = Written {
                len,
                rows: file.rows,
                schema: &described,
                digests: file.digests.as_deref(),
                content: &file.content,
                known: None,
                keys: keys.as_ref(),
            };
            verify_written(reopened, &written, level).map(drop)
        };
        let check = (level != Verify::Skip).then_some(check);
        let content = RowContent {
            format,
            rows: file.rows,
            row_groups: file.content.row_groups(),
            metadata: file.content.parquet().cloned(),
        };
        let place = (destination, mode);
        let staged = StagedFile::verified(file.draft, place, &options.file, content, check)?;
        Ok(staged.only_if(unchanged))
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
        root: &Location,
        partition: &Partition,
        (columns, format): (&Columns, Format),
        (path, case_sensitive_names): (&Path, bool),
    ) -> Result<Option<Self>> {
        let keys: Vec<String> = partition.iter().map(|(key, _)| key.to_owned()).collect();
        let planned = Planned {
            disk: root.disk.as_ref(),
            root: &root.path,
            mode: CommitMode::Append,
            keys: &keys,
            format,
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
        let root = root.path.clone();
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
fn file_name(asked: Option<&str>, format: Format, options: &WriterOptions) -> Result<OsString> {
    let Some(name) = asked else {
        let mut text = options.text.clone();
        if let Some(compression) = options.compression.filter(|_| format.is_text()) {
            text = text.compression(compression);
        }
        let (id, suffix) = (Uuid::now_v7(), format.suffixes()[0]);
        return Ok(format!("part-{id}-00000.{suffix}{}", text.suffix()).into());
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
    } else if format.is_contradicted_by(Path::new(name)) {
        invalid(OTHER_SUFFIX)
    } else {
        Ok(name.into())
    }
}

/// Keys of footers that the encoders set: Arrow's schema in Parquet, and the writer with its hashes in Arrow IPC.
const OWN_KEYS: [&str; 2] = [ARROW_SCHEMA_META_KEY, "created_by"];

const OTHER_SUFFIX: &str = "has the suffix of another format than is written";

/// The format of a file that is named by its path.
fn format_at(path: &Path, options: &WriterOptions) -> Result<Format> {
    let invalid = |reason| {
        Err(Error::InvalidPath {
            path: path.to_owned(),
            reason,
        })
    };
    let named = Format::from_path(path);
    match (options.file.format, named, Format::missing_feature(path)) {
        (Some(asked), ..) if asked.is_contradicted_by(path) => invalid(OTHER_SUFFIX),
        (Some(format), ..) | (None, Some(format), _) => Ok(format),
        (None, None, Some("csv")) => invalid("is CSV by its suffix, which takes the feature `csv`"),
        (None, None, Some("json")) => {
            invalid("is JSON by its suffix, which takes the feature `json`")
        }
        (None, None, Some(_)) => {
            invalid("is Arrow IPC by its suffix, which takes the feature `ipc`")
        }
        (None, None, None) => invalid(
            "has no suffix that tells the format: name it like .parquet, .arrow, .csv or .ndjson, or set `format`",
        ),
    }
}

/// Refuses options that would be without effect on a file that is named by its path.
fn check_options_at(options: &WriterOptions, format: Format) -> Result<()> {
    let refused = |option, reason: String| Err(Error::InvalidOption { option, reason });
    if options.file_name.is_some() {
        return refused("file_name", "the path has the file's name".to_owned());
    }
    if options.keep_partition_columns {
        let reason = "a file that is named by its path has all columns of the schema".to_owned();
        return refused("keep_partition_columns", reason);
    }
    if options.properties.is_some() && format != Format::Parquet {
        let reason =
            format!("say how Parquet is written, not {format}; `compression` is for all formats");
        return refused("properties", reason);
    }
    Ok(())
}
