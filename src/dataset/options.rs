//! The options of the engine, and their defaults.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use parquet::basic::Compression;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;
use serde::Serialize;
use uuid::Uuid;

use super::encode::encoders::encoder_bytes;
use super::staging_files::Finished;
use crate::backend::check_descriptors;
use crate::disk::Disk;
use crate::error::{Error, Result, Step};
use crate::format::{Format, TextOptions};
use crate::names;
use crate::options::parse::InvalidValue;
use crate::options::{
    Durability, Encodings, FieldIds, Interrupt, ParquetProperties, SyncPolicy, Verify,
    WriterOptions,
};

/// The default memory limit, where the machine has four times as much.
const MEMORY_LIMIT: u64 = 1 << 30;
/// The fewest files that may have to be open at once.
const FEWEST_OPEN_FILES: usize = 8;
/// The number of files that are open beside those: directories on the way to a file, and files that wait for the
/// disk.
const OPEN_BESIDE: usize = 16;

/// One column that rows are sorted by within each file.
///
/// In text it is `column`, with `asc` (the default) or `desc` after it, and after that `nulls first` or `nulls last` (the
/// default).
///
/// ```
/// use atomic_arrow::SortBy;
///
/// let by = SortBy::column("temp").descending(true).nulls_first(true);
/// assert_eq!("temp desc nulls first".parse(), Ok(by));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SortBy {
    pub(crate) column: String,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

impl SortBy {
    /// Ascending, nulls last.
    #[must_use]
    pub fn column(name: impl Into<String>) -> Self {
        SortBy {
            column: name.into(),
            descending: false,
            nulls_first: false,
        }
    }

    /// Whether the largest values come first; by default the smallest do.
    #[must_use]
    pub fn descending(mut self, descending: bool) -> Self {
        self.descending = descending;
        self
    }

    /// Whether nulls come before all values; by default they come after them.
    #[must_use]
    pub fn nulls_first(mut self, nulls_first: bool) -> Self {
        self.nulls_first = nulls_first;
        self
    }
}

/// Takes `column [asc|desc] [nulls first|last]`.
impl FromStr for SortBy {
    type Err = InvalidValue;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let rest = text.trim();
        let (rest, nulls_first) = match without_last_words(rest, "nulls first") {
            Some(rest) => (rest, true),
            None => (
                without_last_words(rest, "nulls last").unwrap_or(rest),
                false,
            ),
        };
        let (column, descending) = match without_last_words(rest, "desc") {
            Some(column) => (column, true),
            None => (without_last_words(rest, "asc").unwrap_or(rest), false),
        };
        match column {
            "" => Err(InvalidValue::new("names no column")),
            column => Ok(SortBy::column(column)
                .descending(descending)
                .nulls_first(nulls_first)),
        }
    }
}

/// A column in text, as [`FromStr`] reads it.
/// Columns by which rows are sorted, the first one first; what [`sort_by`](super::DatasetWriterBuilder::sort_by) takes.
///
/// A text has commas between the columns; a column whose name has one is given as a [`SortBy`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SortColumns(pub(super) Vec<SortBy>);

impl From<&str> for SortColumns {
    fn from(text: &str) -> Self {
        SortColumns(text.split(',').map(SortBy::from).collect())
    }
}

impl From<SortBy> for SortColumns {
    fn from(column: SortBy) -> Self {
        SortColumns(vec![column])
    }
}

impl<C: Into<SortBy>, const N: usize> From<[C; N]> for SortColumns {
    fn from(columns: [C; N]) -> Self {
        columns.into_iter().collect()
    }
}

impl<C: Into<SortBy>> From<Vec<C>> for SortColumns {
    fn from(columns: Vec<C>) -> Self {
        columns.into_iter().collect()
    }
}

impl<C: Into<SortBy>> FromIterator<C> for SortColumns {
    fn from_iter<I: IntoIterator<Item = C>>(columns: I) -> Self {
        SortColumns(columns.into_iter().map(Into::into).collect())
    }
}

impl From<&str> for SortBy {
    fn from(text: &str) -> Self {
        // A text without a column names one that no file has, which the writer says.
        text.parse().unwrap_or_else(|_| SortBy::column(text))
    }
}

/// A text without the words that it ends with, in any case, if there is more of it.
fn without_last_words<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    let mut rest = text;
    for word in words.rsplit(' ') {
        let (before, last) = rest.trim_end().rsplit_once(char::is_whitespace)?;
        if !last.eq_ignore_ascii_case(word) {
            return None;
        }
        rest = before;
    }
    Some(rest.trim_end())
}

/// How far a write has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Progress {
    /// Rows taken.
    pub rows: u64,
    /// Partitions seen.
    pub partitions: u64,
    /// Rows that were put on disk because of the memory limit, to be read back.
    pub rows_spilled: u64,
    /// Rows in finished files.
    pub rows_finished: u64,
    /// Finished files.
    pub files_finished: u64,
    /// Bytes of finished files.
    pub bytes_finished: u64,
}

type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;
type OnFile = Arc<dyn Fn(&Finished) + Send + Sync>;

/// The options of the engine.
#[derive(Clone)]
pub(crate) struct EngineOptions {
    /// The data set's root; for messages alone.
    pub(crate) root: PathBuf,
    /// The template of file names; by default `part-{uuid}-{number}`.
    pub(crate) file_name: Option<String>,
    /// The id of the write, for that; by default a UUID of version 7.
    pub(crate) write: Option<Uuid>,
    /// The format of the files; by default Parquet.
    pub(crate) format: Format,
    /// The schema that the caller gave, before columns were changed to the types that are stored; by default the
    /// same.
    pub(crate) given: Option<SchemaRef>,
    /// Bytes that rows, encoders and bookkeeping may take together; by default 1 GiB or a quarter of
    /// the machine's memory, whichever is less.
    pub(crate) memory_limit: u64,
    /// Threads that encode; by default as many as run at once.
    pub(crate) threads: usize,
    /// The size at which a file ends and another begins; by default none, so one file a partition.
    pub(crate) target_file_size: Option<u64>,
    /// The number of rows at which a file ends and another begins; by default none.
    pub(crate) target_file_rows: Option<u64>,
    /// How rows are sorted within files; by default they keep the order in which they came.
    pub(crate) sort_by: Vec<SortBy>,
    /// How Parquet is written; by default parquet-rs's own properties, compressed with zstd.
    pub(crate) properties: WriterProperties,
    /// What goes before these; by default nothing.
    pub(crate) parquet: ParquetProperties,
    /// Of these, what is in the schema of the files.
    pub(crate) field_ids: FieldIds,
    /// Whether Arrow's schema stands in the footer of Parquet; by default it does.
    pub(crate) arrow_schema: Option<bool>,
    /// Whether pages of Parquet carry checksums; by default they do.
    pub(crate) page_checksums: bool,
    /// By default [`Encodings::Auto`].
    pub(crate) encodings: Encodings,
    /// How NDJSON and CSV are written.
    pub(crate) text: TextOptions,
    /// How closely staged files are checked; by default [`Verify::Footer`].
    pub(crate) verify: Verify,
    /// Whether a commit waits for the medium; by default it does ([`Durability::Synced`]).
    pub(crate) durability: Durability,
    /// How files are synced; by default [`SyncPolicy::Auto`].
    pub(crate) sync: SyncPolicy,
    /// The number of threads that hand finished files to the transaction, where that takes its time; by default it does not.
    pub(crate) staging_threads: Option<usize>,
    /// The most files open at once, at least 8; by default 64.
    pub(crate) max_open_files: usize,
    /// Whether partition columns stay in the files; by default they do not.
    pub(crate) keep_partition_columns: bool,
    /// Whether the content is hashed although `verify` does not need it; by default it is not.
    pub(crate) hash_content: bool,
    /// Asked whether to give up; by default nothing is asked.
    pub(crate) interrupt: Interrupt,
    /// Called after each batch and each file, from any thread.
    pub(crate) on_progress: Option<OnProgress>,
    /// Called with each finished file, from any thread, in no order.
    pub(crate) on_file: Option<OnFile>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        EngineOptions {
            root: PathBuf::new(),
            file_name: None,
            write: None,
            format: Format::Parquet,
            given: None,
            memory_limit: default_memory_limit(physical_memory()),
            threads,
            target_file_size: None,
            target_file_rows: None,
            sort_by: Vec::new(),
            properties: WriterOptions::default_properties().build(),
            parquet: ParquetProperties::default(),
            field_ids: FieldIds::default(),
            arrow_schema: None,
            page_checksums: true,
            encodings: Encodings::default(),
            text: TextOptions::default(),
            verify: Verify::default(),
            durability: Durability::default(),
            sync: SyncPolicy::default(),
            staging_threads: None,
            max_open_files: 64,
            keep_partition_columns: false,
            hash_content: false,
            interrupt: Interrupt::default(),
            on_progress: None,
            on_file: None,
        }
    }
}

impl fmt::Debug for EngineOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineOptions")
            .field("root", &self.root)
            .field("memory_limit", &self.memory_limit)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

fn default_memory_limit(physical: Option<u64>) -> u64 {
    physical.map_or(MEMORY_LIMIT, |bytes| MEMORY_LIMIT.min(bytes / 4))
}

/// The machine's memory, or that of its control group, where the system tells.
fn physical_memory() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        let information = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = information
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:"))?;
        let machine = line.split_whitespace().next()?.parse::<u64>().ok()? << 10;
        let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
            .ok()
            .and_then(|text| text.trim().parse().ok());
        Some(group.map_or(machine, |group: u64| group.min(machine)))
    }
    #[cfg(not(target_os = "linux"))]
    None
}

impl EngineOptions {
    /// Compresses the files so, whatever their format.
    pub(super) fn compress(&mut self, compression: Compression) {
        if self.format.is_text() {
            self.text.compression = compression;
            return;
        }
        let properties = self.properties.clone().into_builder();
        self.properties = properties.set_compression(compression).build();
    }

    /// The memory of the encoders of each row group that is being encoded, before the first row.
    pub(super) fn encoder_bytes(&self, file_schema: &Schema) -> u64 {
        match self.format {
            Format::Parquet => encoder_bytes(file_schema),
            #[allow(unreachable_patterns)]
            _ => 0,
        }
    }

    /// Lowers `max_open_files` to what this process may open.
    ///
    /// # Errors
    /// [`Error::Io`] if those are too few.
    pub(super) fn limit_open_files(&mut self, disk: &dyn Disk, root: &Path) -> Result<()> {
        let needed = FEWEST_OPEN_FILES + OPEN_BESIDE;
        check_descriptors(disk, root, needed as u64)?;
        if let Some(free) = disk.free_descriptors() {
            let free = usize::try_from(free).unwrap_or(usize::MAX);
            let most = free.saturating_sub(OPEN_BESIDE).max(FEWEST_OPEN_FILES);
            self.max_open_files = self.max_open_files.min(most);
        }
        Ok(())
    }

    /// Takes the options of Parquet that have names into its properties. `given` has all columns of the rows.
    pub(super) fn take_named(&mut self, given: &Schema, file_schema: &Schema) -> Result<()> {
        let named = std::mem::take(&mut self.parquet);
        self.field_ids = named.field_ids();
        self.arrow_schema = named.embeds_arrow_schema();
        let properties = self.properties.clone();
        self.properties = named.over(properties, self.format, given, file_schema)?;
        self.field_ids.check(given, file_schema)
    }

    /// Whether the footers of the files are encrypted, so that what columns there are is nobody's business.
    pub(super) fn hides_schema(&self) -> bool {
        #[cfg(feature = "encryption")]
        return match self.properties.file_encryption_properties() {
            Some(encryption) => encryption.encrypt_footer(),
            None => false,
        };
        #[cfg(not(feature = "encryption"))]
        return false;
    }

    /// Refuses options that cannot be met whatever the rows. `given` has all columns of the rows.
    pub(super) fn check(&self, given: &Schema, file_schema: &Schema) -> Result<()> {
        let invalid = |option, reason: &str| {
            let reason = reason.to_owned();
            Err(Error::InvalidOption { option, reason })
        };
        if self.properties.sorting_columns().is_some() {
            return invalid(
                "properties",
                "sorting columns are set where rows are sorted: use sort_by",
            );
        }
        #[cfg(feature = "encryption")]
        if self.format != Format::Parquet && self.properties.file_encryption_properties().is_some()
        {
            let reason = format!("they encrypt, which {} has no place for", self.format);
            return invalid("properties", &reason);
        }
        self.text.check(self.format)?;
        if self.properties.content_defined_chunking().is_some() {
            return invalid(
                "properties",
                "content-defined chunking is not possible in data sets",
            );
        }
        if self.format != Format::Parquet && !self.page_checksums {
            let reason = format!("{} has no pages, and so no checksums of them", self.format);
            return invalid("page_checksums", &reason);
        }
        if self.durability == Durability::Unsynced && self.sync != SyncPolicy::Auto {
            return invalid(
                "sync",
                "says how to sync what durability says is not synced",
            );
        }
        let encoders = self.encoder_bytes(file_schema);
        if encoders > self.memory_limit {
            let reason = format!(
                "{} bytes are too few: the encoders of {} columns take {encoders}, and so much at least is \
                 needed",
                self.memory_limit,
                file_schema.fields().len()
            );
            return invalid("memory_limit", &reason);
        }
        if self.max_open_files < FEWEST_OPEN_FILES {
            let reason = format!("must be at least {FEWEST_OPEN_FILES}");
            return invalid("max_open_files", &reason);
        }
        for (option, is_none) in [
            ("memory_limit", self.memory_limit == 0),
            ("threads", self.threads == 0),
            ("target_file_size", self.target_file_size == Some(0)),
            ("target_file_rows", self.target_file_rows == Some(0)),
        ] {
            if is_none {
                return invalid(option, "at least 1 is needed");
            }
        }
        for (index, by) in self.sort_by.iter().enumerate() {
            let column = &by.column;
            let Ok(field) = file_schema.field_with_name(column) else {
                let known = file_schema
                    .fields()
                    .iter()
                    .map(|field| field.name().as_str());
                let reason = names::no_column(column, given, known);
                return invalid("sort_by", &reason);
            };
            if field.data_type().is_nested() {
                let reason = format!("column {column:?} is nested");
                return invalid("sort_by", &reason);
            }
            if self.sort_by[..index]
                .iter()
                .any(|other| other.column == *column)
            {
                let reason = format!("column {column:?} is given twice");
                return invalid("sort_by", &reason);
            }
        }
        Ok(())
    }

    /// The sorting columns to declare in the files: as many leading ones as have an order that Parquet defines.
    pub(super) fn sorting_columns(&self, file_schema: &Schema) -> Option<Vec<SortingColumn>> {
        let leaf = |name: &str| {
            let (index, field) = file_schema.column_with_name(name)?;
            let before = &file_schema.fields()[..index];
            let flat = before.iter().all(|field| !field.data_type().is_nested());
            let claimed = flat && has_defined_order(field.data_type());
            claimed.then_some(index as i32)
        };
        let columns: Vec<SortingColumn> = self
            .sort_by
            .iter()
            .map_while(|by| {
                Some(SortingColumn {
                    column_idx: leaf(&by.column)?,
                    descending: by.descending,
                    nulls_first: by.nulls_first,
                })
            })
            .collect();
        (!columns.is_empty()).then_some(columns)
    }

    /// An error if the step had better not be begun.
    pub(super) fn check_interrupt(&self, step: Step) -> Result<()> {
        self.interrupt.check(step, &self.root)
    }

    pub(super) fn progress(&self, progress: Progress) {
        if let Some(call) = &self.on_progress {
            call(progress);
        }
    }
}

/// Whether Parquet defines an order of the type: not of floats, because of NaN, nor of intervals.
fn has_defined_order(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => has_defined_order(values),
        DataType::RunEndEncoded(_, values) => has_defined_order(values.data_type()),
        other => !other.is_floating() && !matches!(other, DataType::Interval(_) | DataType::Null),
    }
}
