//! The options of a [`DatasetWriter`](crate::DatasetWriter), with their defaults.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::options::{EngineOptions, Progress, SortColumns};
use crate::disk::{Disk, OsDisk};
use crate::error::Step;
use crate::format::{Format, TextOptions};
use crate::location::Location;
use crate::options::callback::one_at_a_time;
use crate::options::{
    Durability, Encodings, Interrupt, ParquetProperties, SchemaPolicy, StagingPlace, SyncPolicy,
    Verify,
};
use crate::partition::PartitionBy;
use crate::receipt::{CommitMode, FileRecord, Part};
use crate::store::ObjectStoreOptions;

/// How long a staged write is kept, by default, before it is taken for forgotten.
const KEEP_STAGED: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) type OnFile = Arc<dyn Fn(&FileRecord) + Send + Sync>;

/// Sets up a [`DatasetWriter`](crate::DatasetWriter); made by [`DatasetWriter::builder`](crate::DatasetWriter::builder).
///
/// ```
/// use atomic_arrow::arrow::datatypes::{DataType, Field, Schema};
/// use atomic_arrow::{CommitMode, DatasetWriter, PartitionBy};
/// # let lake = tempfile::tempdir()?;
/// # let root = lake.path().join("weather");
///
/// let schema = Schema::new(vec![
///     Field::new("station_id", DataType::Utf8, false),
///     Field::new("temp", DataType::Float64, true),
/// ]);
/// let writer = DatasetWriter::builder(&root)
///     .partition_by(PartitionBy::column("station_id"))
///     .mode(CommitMode::OverwritePartitions)
///     .memory_limit(256 << 20)
///     .build(schema.into())?;
/// writer.discard();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder makes nothing until `build`"]
pub struct DatasetWriterBuilder {
    pub(super) root: PathBuf,
    pub(super) by: PartitionBy,
    pub(super) mode: CommitMode,
    pub(super) overwrite_table: bool,
    pub(super) schema_check: bool,
    pub(super) write_id: Option<String>,
    pub(super) rewrite_missing: bool,
    pub(super) success_file: bool,
    pub(super) part: Part,
    pub(super) policy: SchemaPolicy,
    pub(super) compression: Option<Compression>,
    pub(super) case_sensitive_names: bool,
    pub(super) staging: StagingPlace,
    pub(super) keep: Duration,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) object_store: ObjectStoreOptions,
    pub(super) on_file: Option<OnFile>,
    pub(super) engine: EngineOptions,
}

/// Without the properties, which show the keys that they encrypt with.
impl fmt::Debug for DatasetWriterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatasetWriterBuilder")
            .field("root", &self.root)
            .field("partition_by", &self.by)
            .field("mode", &self.mode)
            .field("write_id", &self.write_id)
            .field("format", &self.engine.format)
            .field("verify", &self.engine.verify)
            .field("durability", &self.engine.durability)
            .field("staging", &self.staging)
            .finish_non_exhaustive()
    }
}

impl DatasetWriterBuilder {
    pub(super) fn new(root: &Path) -> Self {
        DatasetWriterBuilder {
            root: root.to_owned(),
            by: PartitionBy::none(),
            mode: CommitMode::default(),
            overwrite_table: false,
            schema_check: true,
            write_id: None,
            rewrite_missing: false,
            success_file: false,
            part: Part::default(),
            policy: SchemaPolicy::default(),
            compression: None,
            case_sensitive_names: false,
            staging: StagingPlace::default(),
            keep: KEEP_STAGED,
            disk: Arc::new(OsDisk),
            object_store: ObjectStoreOptions::default(),
            on_file: None,
            engine: EngineOptions::default(),
        }
    }

    /// Where the data set is.
    pub(super) fn locate(&self) -> crate::error::Result<Location> {
        Location::of_directory(&self.disk, &self.root, &self.object_store)
    }

    /// The keys by which rows are divided into directories; by default there are none.
    ///
    /// They can be given in text, each key as `column`, `name=column` or `year(column)`; a text that cannot be read is an
    /// error of [`build`](Self::build):
    ///
    /// ```
    /// use atomic_arrow::{DatasetWriter, PartitionBy};
    ///
    /// let by_text = DatasetWriter::builder("lake").partition_by("station_id=origin, year(ts)");
    /// let by_texts = DatasetWriter::builder("lake").partition_by(["station_id=origin", "year(ts)"]);
    /// let by_keys = DatasetWriter::builder("lake")
    ///     .partition_by(PartitionBy::none().column_as("station_id", "origin").year("year", "ts"));
    /// ```
    pub fn partition_by(mut self, by: impl Into<PartitionBy>) -> Self {
        self.by = by.into();
        self
    }

    /// The format of the files, which their suffix says too; by default [`Format::Parquet`].
    ///
    /// Formats that can only be checked, such as one JSON document or an IPC stream, are refused by
    /// [`build`](Self::build), and so are columns that the format has no place for. Files that are
    /// not Parquet are encoded by one thread each; they have no statistics in the receipt.
    ///
    /// Parquet has no seconds and no dates in milliseconds, so that `Timestamp(s)` and `Time32(s)` are
    /// stored in milliseconds, and `Date64` as `Date32`. A dictionary with indices of 8 or 16 bits gets
    /// indices of 32. A value that has no place in the stored type is an error with column and row.
    /// Runs are stored as their values. Instants whose time zone is an offset that Polars does not know, such as
    /// `+05:30`, are stored in UTC, which the [notes](crate::Receipt::notes) say.
    /// Ordered dictionaries of texts keep all categories in their order, in every file that has rows; batches whose
    /// categories contradict each other are refused. Such columns are compressed by zstd or not at all.
    /// Unions, ordered dictionaries of other values, intervals and binary values of no bytes are refused.
    ///
    /// Arrow IPC files have every type as it was given, dictionaries with all values of the write in the
    /// order in which they came, and indices of 32 bits where those that were given have no room for them. The
    /// values may take a quarter of the memory limit.
    pub fn format(mut self, format: Format) -> Self {
        self.engine.format = format;
        self
    }

    /// How the object store is reached whose URL the root is, as in `s3://lake/weather`; by default as the environment says.
    /// For a path on a disk it has no effect.
    #[cfg(feature = "object_store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "object_store")))]
    pub fn object_store(mut self, options: ObjectStoreOptions) -> Self {
        self.object_store = options;
        self
    }

    /// What the commit does with existing files; by default they stay ([`CommitMode::Append`]).
    pub fn mode(mut self, mode: CommitMode) -> Self {
        self.mode = mode;
        self
    }

    /// Whether a root that belongs to a table of [another format](crate::TableFormat), or a table below what is
    /// overwritten, may be destroyed; by default it is refused ([`Error::Conflict`](crate::Error::Conflict)), by
    /// [`build`](Self::build), or where partitions are overwritten, by the first row of one with a table in it; by the
    /// commit if the table came meanwhile.
    pub fn overwrite_table(mut self, overwrite: bool) -> Self {
        self.overwrite_table = overwrite;
        self
    }

    /// Whether the commit looks at what is in the data set already; by default it does.
    ///
    /// Readers take the columns and types of one file for those of all. So the commit is refused
    /// ([`Error::Incompatible`](crate::Error::Incompatible)) if a file that stays beside the new ones, in one
    /// of the partitions that are written to or else in any, is of another format, has other partition keys or
    /// the same in another order, has a column of a type that does not go together with the new one, or
    /// lacks, or has beside the new columns, one that may not be null. Allowed, and said in the
    /// [notes](crate::Receipt::notes) of the receipt, are other columns that one side lacks, integers of another
    /// width, dictionaries, and other time zones. A column without a type, whose values are all null, gets the
    /// type that it has there.
    ///
    /// One file stands for all: its footer is read, and as many directories are listed as it takes to find it.
    /// Where there is none yet, the commit lets no other in and looks again, since another may begin the data set
    /// too.
    /// Files that are encrypted, damaged or not readable for this user are passed over. Of CSV the headers are compared,
    /// which have to be the same, and of NDJSON the names in the first record, for those that differ by case alone.
    /// [`StagedWrites`](crate::StagedWrites) looks when it commits, and
    /// [`AtomicArrowWriter`](crate::AtomicArrowWriter) when it begins; [`AtomicFile`](crate::AtomicFile) does not look.
    pub fn schema_check(mut self, check: bool) -> Self {
        self.schema_check = check;
        self
    }

    /// The write's name, so that a write is committed once although it is repeated: if a write of this name to this
    /// root was committed, [`commit`](crate::DatasetWriter::commit) publishes nothing and gives its receipt. By default
    /// a write has no name.
    /// [`already_committed`](Self::already_committed) tells before any row is written. A write that is
    /// [not synced](Durability::Unsynced) cannot have a name: a power cut would take its rows, and
    /// leave the memory of them.
    ///
    /// The receipts of named writes are kept in the staging area, in its directory `writes`, for at
    /// least 30 days; later commits of named writes then remove them, and a write that is repeated after
    /// that is written again. Where the data set is written by another path, or by another user, from
    /// which the receipt is not seen, a write of the same name is refused
    /// ([`Error::AlreadyCommitted`](crate::Error::AlreadyCommitted)). If the files are gone since,
    /// [`Receipt::missing_files`](crate::Receipt::missing_files) says so; see [`rewrite_missing`](Self::rewrite_missing).
    pub fn write_id(mut self, write_id: impl Into<String>) -> Self {
        self.write_id = Some(write_id.into());
        self
    }

    /// The number of this write in the stream that [`write_id`](Self::write_id), or of what is
    /// [staged](crate::DatasetWriter::stage) [`job`](Self::job), names: for a stream of commits, each of which is to happen
    /// once, as the batches of a streaming engine or the offsets of a log. By default the name is that of one write.
    ///
    /// Of a stream the highest number that was committed is remembered, and nothing else, so that the thousandth commit
    /// takes no longer than the first; it is remembered for as long as the staging area is there. A write with that
    /// number gives the receipt of then; one with a lower number was committed too, and gives a receipt without files and
    /// with the note [`Superseded`](crate::receipt::Note::Superseded). Nothing is published by either. Numbers may be
    /// left out, and have to rise: one that is left out cannot be committed once a higher one is. A name with numbers is
    /// another than the same name without.
    pub fn sequence(mut self, sequence: u64) -> Self {
        self.part.sequence = Some(sequence);
        self
    }

    /// Whether a write of the same [name](Self::write_id) is written again if none of the files of the
    /// earlier one is there any more; by default the earlier receipt is given all the same. Where some of
    /// them are there, nothing is written.
    pub fn rewrite_missing(mut self, rewrite: bool) -> Self {
        self.rewrite_missing = rewrite;
        self
    }

    /// Whether the commit publishes an empty file `_SUCCESS` in the root when all else is published and durable, for
    /// those who wait for one, as after a job of Spark or Hadoop; by default it does not.
    ///
    /// One that is there is removed before the first file of the commit is published, and that is durable: whoever sees
    /// the file sees no commit in part, of those that publish one; after a crash it is missing until the commit is
    /// [recovered](crate::recover). A commit that publishes none leaves it, unless it overwrites the root. Commits that
    /// publish one go on one after another, also those that append. A commit without rows publishes it too; one that is
    /// [ignored](CommitMode::Ignore), or was [committed before](Self::write_id), changes nothing.
    ///
    /// pyarrow, pandas, Polars, DataFusion and Spark pass the file over, since it is empty and its name begins with `_`.
    /// DuckDB takes it for a file of data where the pattern takes every name, as `read_parquet('weather/**')`, and fails:
    /// let the pattern end with the suffix. Where files are [staged](crate::DatasetWriter::stage), the commit is asked for
    /// it ([`StagedWrites::success_file`](crate::StagedWrites::success_file)).
    pub fn success_file(mut self, publish: bool) -> Self {
        self.success_file = publish;
        self
    }

    /// The job that what is [staged](crate::DatasetWriter::stage) is a part of, so that all that any process stages for it is
    /// committed or discarded as one, also what never reached whoever commits; by default it is of none.
    ///
    /// Once the job is [committed or discarded](crate::StagedWrites::job), by whoever and also by a process that died
    /// then, it is closed: [`build`](Self::build) and `stage` end with
    /// [`Error::JobClosed`](crate::Error::JobClosed). A job is known by its name for 30 days, as a
    /// [named write](Self::write_id) is. For jobs that follow one another see [`sequence`](Self::sequence). A writer that
    /// commits by itself has no job.
    pub fn job(mut self, job: impl Into<String>) -> Self {
        self.part.job = Some(job.into());
        self
    }

    /// The name of the work that what is [staged](crate::DatasetWriter::stage) comes from; by default it has none.
    ///
    /// Where a scheduler may have the same work done twice, each attempt with the same name, one of
    /// the attempts is committed, and the others are discarded. A writer that commits by itself has no such name.
    pub fn task(mut self, task: impl Into<String>) -> Self {
        self.part.task = Some(task.into());
        self
    }

    /// Whether batches may hold the schema's logical types in other physical forms; by default they
    /// may ([`SchemaPolicy::Unify`]).
    pub fn schema_policy(mut self, policy: SchemaPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// How many bytes rows, encoded pages and bookkeeping may take in memory; what is beyond is spilled to
    /// the staging area, however large partitions, row groups and single rows are. By default 1 GiB, or a
    /// quarter of the machine's memory if that is less.
    ///
    /// Encoders count from 8 MiB on, by the number of columns: 24 KiB for each, 8 KiB if it is of texts or
    /// bytes, for each thread, of which fewer encode then. Less than one row group takes is refused by
    /// [`build`](DatasetWriterBuilder::build) with the number that is needed. Of very many files of many
    /// columns, receipts have the statistics of the first columns only, at least 32: as many as an eighth
    /// of the limit holds, at 256 bytes each.
    ///
    /// What cannot wait anywhere else comes on top: the batch that is being [written](crate::DatasetWriter::write);
    /// for each thread the rows that it encodes at once, of up to 4 MiB, and a page and a dictionary of each of
    /// their columns, by default of up to 1 MiB each; and single rows that are larger than the limit.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.engine.memory_limit = bytes;
        self
    }

    /// How many threads encode; by default as many as the machine runs at once. The files do not
    /// depend on it.
    pub fn threads(mut self, threads: usize) -> Self {
        self.engine.threads = threads;
        self
    }

    /// The size in bytes at which a file ends, at a row group, and another begins; by default a
    /// partition is one file.
    ///
    /// Files that are not Parquet end after the few thousand rows, encoded at once, with which they
    /// reach it.
    pub fn target_file_size(mut self, bytes: u64) -> Self {
        self.engine.target_file_size = Some(bytes);
        self
    }

    /// The number of rows at which a file ends, at a row group, and another begins; by default a
    /// partition is one file.
    ///
    /// Files that are not Parquet end after exactly as many rows.
    pub fn target_file_rows(mut self, rows: u64) -> Self {
        self.engine.target_file_rows = Some(rows);
        self
    }

    /// A template of the names of the files; by default `part-{uuid}-{number}`. The suffix of the format follows, unless
    /// the template ends with it.
    ///
    /// | field | stands for |
    /// |---|---|
    /// | `{uuid}` | the id of the [transaction](crate::DatasetWriter::transaction), the same for all files of the write |
    /// | `{number}` | the number of the file in its partition, of at least five digits: `00000`, `00001` |
    /// | `{partition}` | the values of the partition keys as in the path, with `-` between them, and `null` for null |
    ///
    /// All else is text, as the `daily` in `daily-{uuid}-{number}`. Without `{uuid}` a write has the same names each
    /// time, which is possible where no other files are beside its own: in the modes
    /// [`ErrorIfExists`](CommitMode::ErrorIfExists), [`ErrorIfAnyExists`](CommitMode::ErrorIfAnyExists) and
    /// [`Ignore`](CommitMode::Ignore). The other modes need it: files that are there may have the name, and by a new
    /// name everybody tells a file from the one that it replaces, recovery after a crash as well as readers in the
    /// middle of a scan. [`stage`](crate::DatasetWriter::stage) needs it too, since several processes would give their files
    /// one name. `{number}` is needed where [`target_file_size`](Self::target_file_size),
    /// [`target_file_rows`](Self::target_file_rows) or [`sort_by`](Self::sort_by) may make several files of a partition.
    ///
    /// [`build`](Self::build) refuses ([`Error::InvalidOption`](crate::Error::InvalidOption)) what lacks such a field,
    /// fields that are not known or not closed, text that paths of data sets do not have as it is (`/`, control characters,
    /// `" # % ' * : < = > ? [ \ ] ^ |`), names that begin with `.` or `_`, which readers pass over, or with
    /// `{partition}`, which may begin so, and names of more than 255 bytes; those that a partition makes too long are
    /// refused with its first row.
    ///
    /// ```
    /// use atomic_arrow::{CommitMode, DatasetWriter};
    /// # use std::sync::Arc;
    /// # use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch};
    /// # let lake = tempfile::tempdir()?;
    /// # let root = lake.path().join("weather");
    /// # let hours: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    /// # let batch = RecordBatch::try_from_iter([("hour", hours)])?;
    ///
    /// let mut writer = DatasetWriter::builder(&root)
    ///     .mode(CommitMode::ErrorIfAnyExists)
    ///     .file_name("hours-{number}")
    ///     .build(batch.schema())?;
    /// writer.write(&batch)?;
    /// assert_eq!(writer.commit()?.files()[0].path(), "hours-00000.parquet");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn file_name(mut self, template: impl Into<String>) -> Self {
        self.engine.file_name = Some(template.into());
        self
    }

    /// How rows are sorted within each file; by default they keep the order in which they came. A
    /// partition whose rows take more than an eighth of the memory limit becomes several files then, each
    /// sorted by itself.
    ///
    /// A column is given as a [`SortBy`](crate::SortBy), or in text as that is: `ts desc`, `ts desc nulls first`; several as an array or a
    /// vector of either, or in one text.
    ///
    /// ```
    /// use atomic_arrow::{DatasetWriter, SortBy};
    ///
    /// let by_text = DatasetWriter::builder("lake").sort_by("ts desc, temp");
    /// let by_texts = DatasetWriter::builder("lake").sort_by(["ts desc", "temp"]);
    /// let by_columns = DatasetWriter::builder("lake").sort_by([SortBy::column("ts").descending(true)]);
    /// ```
    pub fn sort_by(mut self, columns: impl Into<SortColumns>) -> Self {
        self.engine.sort_by = columns.into().0;
        self
    }

    /// How Parquet is written: row groups, pages, encodings, bloom filters, key-value metadata. By
    /// default parquet-rs's own defaults, compressed with zstd.
    ///
    /// Unless they name another (`set_created_by`), the writer is `atomic-arrow`, and with its name stand the
    /// hashes of the file that [`verify`](crate::verify) compares.
    ///
    /// With the feature `encryption` they may encrypt Parquet (`with_file_encryption_properties`). Each
    /// file is then verified with those keys, as closely as any other, before it is published: what is
    /// encrypted is authenticated as it is opened. Its pages carry no checksums, and receipts tell nothing
    /// of the values of encrypted columns. A bloom filter of such a column is refused, since parquet-rs
    /// would not encrypt it. Partition values are in the paths, as ever, and **rows that are spilled lie in
    /// the staging area as they are** until the commit: for keeping them off the disk give a
    /// [`memory_limit`](DatasetWriterBuilder::memory_limit) that holds them.
    ///
    /// Sorting columns are refused, because [`sort_by`](DatasetWriterBuilder::sort_by) sets them, and so is
    /// content-defined chunking.
    ///
    /// Of other formats, Arrow IPC has the compression that columns have by default: zstd, LZ4 or
    /// none. The size of a write batch counts for all: four of them are encoded at once, or as many rows as
    /// have 4 MiB of texts, bytes and lists if these are fewer, and are one record batch of Arrow IPC.
    ///
    /// They take the place of the defaults, also of the default codec: begin with
    /// [`WriterOptions::default_properties`](crate::WriterOptions::default_properties) to keep that, or set
    /// [`compression`](Self::compression) beside them.
    pub fn properties(mut self, properties: WriterProperties) -> Self {
        self.engine.properties = properties;
        self
    }

    /// How the files are compressed, in any format, whatever the [`properties`](Self::properties) say of columns that
    /// they do not name. By default with zstd in Parquet and Arrow IPC, and text not at all.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// Options of Parquet by their names, which go before [`properties`](Self::properties); by default none. Other formats
    /// refuse them.
    pub fn parquet(mut self, properties: ParquetProperties) -> Self {
        self.engine.parquet = properties;
        self
    }

    /// How NDJSON and CSV are written: what null is in CSV, what NaN is in NDJSON, and how files are
    /// compressed; see [`TextOptions`] for the defaults. Other formats refuse what is not the default.
    pub fn text(mut self, options: TextOptions) -> Self {
        self.engine.text = options;
        self
    }

    /// Whether each page of Parquet carries a CRC-32 of its bytes as they are in the file, by which
    /// readers that look at it, and [`verify_path`](crate::verify::verify_path) from
    /// [`Verify::Checksum`] on, tell damage at rest; by default it does. Encrypted files never have any:
    /// their cipher authenticates every page it encrypts.
    pub fn page_checksums(mut self, checksums: bool) -> Self {
        self.engine.page_checksums = checksums;
        self
    }

    /// Which encodings of Parquet are chosen among for columns whose encoding the [properties](Self::properties) do
    /// not name; by default those that all readers of today read ([`Encodings::Auto`]). Encrypted files are encoded as
    /// the properties say, by default with dictionaries.
    pub fn encodings(mut self, encodings: Encodings) -> Self {
        self.engine.encodings = encodings;
        self
    }

    /// Whether partition columns stay in the files as well as in their paths; by default they do not.
    ///
    /// Only Polars and DuckDB read such a data set as it is. pyarrow, pandas and DataFusion find each key twice, in
    /// the files and in the directories, and fail where the types that they take them for differ: tell
    /// pyarrow and pandas to take none from the directories (`partitioning=None`), and DataFusion none of
    /// the keys.
    pub fn keep_partition_columns(mut self, keep: bool) -> Self {
        self.engine.keep_partition_columns = keep;
        self
    }

    /// Whether columns, members of structs and keys may have names that differ by case alone, which DuckDB and
    /// Spark take for one, also from those of files that are there; by default they are refused by [`build`](Self::build),
    /// and by the commit as far as it [looks](Self::schema_check).
    pub fn case_sensitive_names(mut self, allowed: bool) -> Self {
        self.case_sensitive_names = allowed;
        self
    }

    /// How closely each staged file is checked; by default [`Verify::Footer`].
    pub fn verify(mut self, verify: Verify) -> Self {
        self.engine.verify = verify;
        self
    }

    /// Whether a commit waits for the medium; by default it does ([`Durability::Synced`]).
    pub fn durability(mut self, durability: Durability) -> Self {
        self.engine.durability = durability;
        self
    }

    /// How the files are synced, and the directories that they are published into; by default [`SyncPolicy::Auto`].
    pub fn sync(mut self, policy: SyncPolicy) -> Self {
        self.engine.sync = policy;
        self
    }

    /// The most files that are open at once while rows are written and staged; by default 64. Fewer than 8 are
    /// refused, and no more threads encode than half of it, less two. Publishing has up to 10 open.
    pub fn max_open_files(mut self, files: usize) -> Self {
        self.engine.max_open_files = files;
        self
    }

    /// Where files are staged; by default [`StagingPlace::Auto`].
    pub fn staging(mut self, place: StagingPlace) -> Self {
        self.staging = place;
        self
    }

    /// How long files that are [staged](crate::DatasetWriter::stage) for another process to commit are kept before they
    /// are taken for forgotten and removed; by default 24 hours. It has no effect on a writer that commits by itself.
    pub fn keep_staged(mut self, keep: Duration) -> Self {
        self.keep = keep;
        self
    }

    /// The disk that is written to, for tests; by default the operating system's ([`OsDisk`]).
    #[cfg(feature = "sim")]
    #[cfg_attr(docsrs, doc(cfg(feature = "sim")))]
    pub fn disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.disk = disk;
        self
    }

    /// Called with each finished file, which is not published yet, from any thread, one call at a time, in no order of the
    /// files; by default nothing is.
    ///
    /// It owns what it uses, because threads of the writer call it: what another scope has is reached by a channel, or
    /// shared. Of a builder that is cloned, all writers call the same one.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::mpsc::channel;
    /// use atomic_arrow::DatasetWriter;
    /// use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch};
    /// # let lake = tempfile::tempdir()?;
    /// # let root = lake.path().join("counts");
    ///
    /// let counts: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    /// let batch = RecordBatch::try_from_iter([("key", Arc::clone(&counts)), ("count", counts)])?;
    /// let (telling, told) = channel();
    /// let mut finished = 0;
    /// let mut writer = DatasetWriter::builder(&root)
    ///     .partition_by("key")
    ///     .on_file(move |file| {
    ///         finished += 1;
    ///         let _ = telling.send((finished, file.rows()));
    ///     })
    ///     .build(batch.schema())?;
    /// writer.write(&batch)?;
    /// writer.commit()?;
    /// assert_eq!(told.iter().collect::<Vec<_>>(), [(1, 1), (2, 1), (3, 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_file(mut self, call: impl FnMut(&FileRecord) + Send + 'static) -> Self {
        let call = Mutex::new(call);
        self.on_file = Some(Arc::new(move |file| one_at_a_time(&call)(file)));
        self
    }

    /// Called as the write goes on, from any thread, one call at a time, with counts that never go back; by default nothing
    /// is. It owns what it uses, as that of [`on_file`](Self::on_file).
    pub fn on_progress(mut self, call: impl FnMut(Progress) + Send + 'static) -> Self {
        let call = Mutex::new(call);
        self.engine.on_progress = Some(Arc::new(move |progress| one_at_a_time(&call)(progress)));
        self
    }

    /// Asked again and again, from several threads at once, whether to give up, with the step that comes next; by
    /// default nothing is asked.
    ///
    /// Once it says so, what runs ends with [`Error::Interrupted`](crate::Error::Interrupted), and
    /// nothing is published. It is asked for the last time with [`Step::Decide`], also while another writer's
    /// lock on the data set is waited for: what is committed then is published to the end.
    pub fn interrupt_when(mut self, ask: impl Fn(Step) -> bool + Send + Sync + 'static) -> Self {
        self.engine.interrupt = Interrupt::when(ask);
        self
    }
}
